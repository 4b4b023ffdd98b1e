// squareplus(x, b) = (x + s) / 2, s = sqrt(x^2 + b), b >= 0. Without cancellation, with w = s + |x|:
//   squareplus  = x + v for x >= 0,  v for x < 0,  v = b / (2 w)
//   squareplus' = 1 - q for x > 0,  1/2 at 0,  q for x < 0,  q = b / (2 s w)
// b = 0 is relu but for the derivative 1/2 at 0, the limit. The limit 0 at minus infinity.
// Where the word is that of the data, x is taken times a power of two that leaves x^2 in range wherever it counts.
//
// Largest errors found, in ulp, of all levels (tools/make_docs.py):
//   squareplus float32 forward 2.1943, x = -0x1.02192p+6, parameters 4
//   squareplus float32 backward 3.5196, x = -0x1.50985p+126, dy = -0x1.ba6b9ep+127, parameters 4
//   squareplus precise float32 0.5000, 0.5000
//   squareplus float64 forward 2.1011, x = -0x1.060a68b3904d3p+11, parameters 4
//   squareplus float64 backward 3.5548, x = -0x1.06deb6461212ep+5, dy = 0x1.c5fd1aedd9e9fp-464, parameters 1.12
#pragma once
#include "../lanes/exp.hpp"

namespace numact {
namespace {

// scale: a power of two that brings sqrt(b) to `small` or just above, so that s is |x| from |x| = 1 on.
template <class A>
struct SquareplusParts {
  using word = typename A::word;
  static constexpr bool is_float = sizeof(word) == sizeof(float);
  static constexpr word small = is_float ? 0x1p-26 : 0x1p-55, least_root = is_float ? 0x1p-76 : 0x1p-538,
                        least_square = is_float ? 0x1p-126 : 0x1p-1000;  // no quotient 0 / 0
  word scale, half, a, s, product;  // scaled: b / 2, |x|, s, s w
  bool is_far;

  NUMACT_LANE SquareplusParts(word x, word b_given) : scale(1) {
    const word b = at_most(b_given, Format<word>::largest);
    if constexpr (!A::wide) {
      const word root = square_root(b);
      scale = reciprocal_of_power(power_part(root > least_root ? root : least_root)) * small;
    }
    scale = b >= 0 ? scale : word(__builtin_nanf(""));
    half = b * scale * (scale / 2);
    a = absolute(x) * scale;
    const word square = exact_multiply_add<A>(a, a, 2 * half + least_square);
    is_far = !A::wide && !A::near && a > 1;
    s = is_far ? a : square_root(square);
    product = multiply_add<A>(a, s, square);
  }
};

struct Squareplus {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x, T b) {
    const SquareplusParts<A> p(x, b);
    const T y = (x < 0 ? 0 : x) + p.half / p.scale / (p.s + p.a);
    if constexpr (A::wide) return y;
    return 32 * p.a * p.a < p.half ? multiply_add<A>(p.s, T(0.5) / p.scale, x / 2) : y;  // one rounding less near 0
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x, T b) {
    using P = SquareplusParts<A>;
    const P p(x, b);
    // Far from 0 q is b / (4 x^2), which may underflow where dy q does not, and 1 - q is 1.
    // Near 0, where |x| < 0.38 s, q is (1 - |x| / s) / 2: fewer roundings count. With || the loop would be scalar.
    const bool near_0 = (x == 0) | (3 * p.a * p.a < p.half);
    const T top = p.is_far ? p.half / (2 * P::small) : near_0 ? p.a : p.half;
    const T part = top / (p.is_far ? p.a : near_0 ? p.s : p.product), q = near_0 ? multiply_add<A>(part, T(-0.5), T(0.5)) : part;
    if constexpr (A::wide || A::near) return dy * (x < 0 ? q : 1 - q);
    const T left = dy * q * (p.is_far ? P::small / p.a : T(1));
    return x < 0 ? left : dy * (p.is_far ? T(1) : 1 - q);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T near_range(T b) {
    return 1 / SquareplusParts<A>(0, b).scale;
  }
};

}  // namespace
}  // namespace numact

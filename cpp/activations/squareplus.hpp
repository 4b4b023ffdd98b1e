// squareplus(x, b) = (x + s) / 2, s = sqrt(x^2 + b), b >= 0. Without cancellation, with w = s + |x|:
//   squareplus  = x + v for x >= 0,  v for x < 0,  v = b / (2 w)
//   squareplus' = 1 - q for x > 0,  1/2 at 0,  q for x < 0,  q = b / (2 s w)
// b = 0 is relu but for the derivative 1/2 at 0, the limit. The limit 0 at minus infinity.
// In Paired x is taken times a power of two that brings max(|x|, sqrt(b)) to [1/2, 1), or to 4 for the largest: nothing
// overflows and no square underflows.
//
// Largest errors found over samples of every binade, b from 0 to the largest, in ulp. float32 and precise 0.5000.
// float64 forward 0.992 at 0x1.2c9c63454cac8p-6 (b = 0.3), backward 2.00 at x = -0x1.44f3d2c0af1a1p-433, dy =
// 8.5434e-308 (b = 0.3), where the result is almost subnormal.
#pragma once
#include "../lanes/exp.hpp"

namespace numact {
namespace {

// |x|, sqrt(b / 2) and s times `scale`, a power of two that brings sqrt(b) near 2^-26 (2^-55): from |x| = 1 on s is |x|.
template <class A>
struct SquareplusParts {
  using word = typename A::word;
  word scale, half, a, s, product;  // half: b / 2; product: s (s + a)
  bool is_far;

  NUMACT_LANE SquareplusParts(word x, word b) {
    constexpr bool is_float = sizeof(word) == sizeof(float);
    constexpr word least = is_float ? 0x1p-76 : 0x1p-538;  // of sqrt(b)
    if constexpr (A::wide) {
      scale = 1;
    } else {
      const word root = square_root(b);
      scale = reciprocal_of_power(power_part(root > least ? root : least)) * (is_float ? word(0x1p-26) : word(0x1p-55));
    }
    half = b * scale * (scale / 2);
    a = absolute(x) * scale;
    const word square = multiply_add<A>(a, a, 2 * half + (is_float ? word(0x1p-126) : word(0x1p-1000)));  // no 0 / 0
    is_far = !A::wide && a > 1;
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
    return 32 * p.a * p.a < p.half ? multiply_add<A>(p.s, T(0.5) / p.scale, x / 2) : y;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x, T b) {
    const SquareplusParts<A> p(x, b);
    T left;
    if constexpr (A::wide) {
      left = dy * (p.half / p.product);
    } else {
      constexpr T small = sizeof(T) == sizeof(float) ? T(0x1p-26) : T(0x1p-55);
      left = dy * ((p.is_far ? p.half / (2 * small) : p.half) / (p.is_far ? p.a : p.product)) * (p.is_far ? small / p.a : T(1));
    }
    return x == 0 ? dy / 2 : x < 0 ? left : dy - left;
  }
};

}  // namespace
}  // namespace numact

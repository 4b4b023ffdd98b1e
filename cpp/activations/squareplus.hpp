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

template <class A>
struct SquareplusParts {
  using word = typename A::word;
  using number = typename A::number;
  word b, scale, power;  // b = 0 at infinity; power: that of sqrt(b), which b is divided by to halve its exponent
  number s, w;           // of the scaled x

  NUMACT_LANE SquareplusParts(word x, word b_given) : scale(1), power(1) {
    b = absolute(x) <= Format<word>::largest ? b_given : 0;
    word a = finite<A>(absolute(x));
    if constexpr (!A::wide) {
      const word root = square_root(b), smallest = 0x1p-600, positive = root > smallest ? root : smallest;
      power = power_part(positive);
      scale = reciprocal_of_power(power_part(at_most(a > positive ? a : positive, word(0x1p1021)))) / 2;
      a *= scale;
    }
    const word least = 0x1p-1020;  // no quotient 0 / 0
    s = square_root((b * scale * scale + least) + exact_product<A>(a, a));
    w = a + s;
  }
};

struct Squareplus {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x, T b) {
    const SquareplusParts<A> p(x, b);
    const T v = rounded(number<A>(p.b * p.scale) / times_power(T(2), p.w));
    return x < 0 ? v : x + v;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x, T b) {
    const SquareplusParts<A> p(x, b);
    T left, right;
    if constexpr (A::wide) {
      const T q = p.b / 2 / (p.s * p.w);
      left = dy * q, right = dy * (1 - q);
    } else {
      // q may underflow where dy q does not.
      const T one = p.power * p.scale, other = p.b / p.power * p.scale / 2;
      const auto rest = number<A>(1) / (p.s * p.w);
      left = rounded_product(exact_product<A>(dy * one, other), rest);
      right = dy * rounded(T(1) - one * other * rest);
    }
    return x == 0 ? dy / 2 : (x < 0 ? left : right);
  }
};

}  // namespace
}  // namespace numact

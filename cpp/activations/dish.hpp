// dish(x) = x/2 (x / s + 1), s = sqrt(1 + x^2). With a = |x| and q = 1 / (2 s (s + a)), which is (1 - a / s) / 2:
//   dish  = x q for x < 0,  x - x q for x > 0
//   dish' = p for x < 0,  1 - p for x > 0,  p = q (6 q - 4 q^2 - 1) = q (q - r) 4 (R - q),  r, R = (3 -+ sqrt(5)) / 4
// so that the one difference is q - r, at the sign change of dish', x = -0.786. The limit -0.0 at minus infinity.
//
// Largest errors found over samples of every binade, in ulp. float32 and precise 0.5000; near the sign change of dish'
// 0.032 * 2^-24 |dy|. float64 forward 0.75 at 0x1.ab5286f8859a7p-2, backward 2.49 at x = -0x1.fffffffffffffp+429, dy =
// 3.4128e307.
#pragma once
#include "../lanes/exp.hpp"

namespace numact {
namespace {

struct Dish {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x) {
    const T a = absolute(x), square = sum_of<A>(a, a, T(1)), d = sum_of<A>(a, square_root(square), square);
    const bool is_far = a > far<A>;
    const T part = (is_far ? T(0.25) : x / 2) / (is_far ? x : d);
    return x > 0 ? x - part : part;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x) {
    const T a = absolute(x), square = sum_of<A>(a, a, T(1)), s = square_root(square);
    const bool is_far = a > (sizeof(T) == sizeof(float) ? T(0x1p8) : T(0x1p15));  // 1 - 9/4 a^-2 is enough of the series
    const T reciprocal = 1 / (is_far ? a : s), half_r = x / 2 * reciprocal;
    const T twice = 2 * sum_of<A>(a, s, square);
    T difference = sum_of<A>(-a, s, T(1)), d = twice * square;
    if constexpr (!A::wide) {
      // What rounding took from 1 + a^2 and from s counts twice and more in the quotient.
      const T square_low = product_error(a, a, square - 1), low = square_low - product_error(s, s, square);
      difference = madd(half_r, low, difference);
      d = sum_of<A>(twice, square, twice * T(1.875) * square_low);
    }
    const T left = dy * ((is_far ? multiply_add<A>(reciprocal * reciprocal, T(0.5625), T(-0.25)) : difference) / (is_far ? a : d)) * (is_far ? reciprocal : T(1));
    const T y = x > 0 ? dy - left : left;
    if constexpr (A::wide) return y;
    return a < T(0.25) ? dy * multiply_add<A>(half_r, multiply_add<A>(half_r * -4, half_r, T(2)), T(0.5)) : y;
  }

 private:
  // a b + c, rounded once or nearly so
  template <class A, class T = typename A::word>
  NUMACT_LANE static T sum_of(T a, T b, T c) {
    if constexpr (A::fused || A::wide) return multiply_add<A>(a, b, c);
    const T product = a * b;
    const auto sum = two_sum(product, c);
    return sum.hi + (sum.lo + product_error(a, b, product));
  }
  // From here on s is a.
  template <class A>
  static constexpr typename A::word far = sizeof(typename A::word) == sizeof(float) ? 0x1p14 : 0x1p30;
};

}  // namespace
}  // namespace numact

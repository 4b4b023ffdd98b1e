// dish(x) = x/2 (x / s + 1), s = sqrt(1 + x^2). With a = |x| and q = 1 / (2 s (s + a)), which is (1 - a / s) / 2:
//   dish  = x q for x < 0,  x - x q for x > 0
//   dish' = p for x < 0,  1 - p for x > 0,  p = (1 - a s) / (2 s^2 (s^2 + a s)),
// with its one difference at the sign change, x = -0.786.
// Near 0 it is 1/2 + r - r^3 / 2, r = x / s. The limit -0.0 at minus infinity.
//
// Largest errors found, in ulp, on samples of all levels. float32 forward 2.48 at -3.9661865, backward 3.77 at x =
// -0x1.d873ecp+0; precise 0.5000; near the sign change of dish' 0.53 * 2^-24 |dy|. float64 forward 2.44 at
// -0x1.00bd2582ed3cbp+9, backward 3.90 at x = -0x1.012bcfb0e9947p+5; near the sign change 0.40 * 2^-53 |dy|.
#pragma once
#include "../lanes/exp.hpp"

namespace numact {
namespace {

struct Dish {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x) {
    const T a = absolute(x), square = exact_multiply_add<A>(a, a, T(1)), d = exact_multiply_add<A>(a, square_root(square), square);
    const bool is_far = a > (sizeof(T) == sizeof(float) ? T(0x1p14) : T(0x1p30));  // from here on s is a
    const T part = (is_far ? T(0.25) : x / 2) / (is_far ? x : d);
    return x > 0 ? x - part : part;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x) {
    const T a = absolute(x), square = exact_multiply_add<A>(a, a, T(1)), s = square_root(square);
    // From here on p is -1/(4 a^2) (1 - 9/(4 a^2)).
    const bool is_far = a > (sizeof(T) == sizeof(float) ? T(0x1p8) : T(0x1p15));
    const T reciprocal = 1 / (is_far ? a : s), half_r = x / 2 * reciprocal;
    const T twice = 2 * exact_multiply_add<A>(a, s, square);
    T difference = exact_multiply_add<A>(-a, s, T(1)), d = twice * square;
    if constexpr (!A::wide) {
      // What rounding took from 1 + a^2 and from s counts twice and more in the quotient.
      const T square_low = product_error(a, a, square - 1), low = square_low - product_error(s, s, square);
      difference = madd(half_r, low, difference);
      d = exact_multiply_add<A>(twice, square, twice * T(1.875) * square_low);
    }
    const T far = multiply_add<A>(reciprocal * reciprocal, T(0.5625), T(-0.25));
    const T left = dy * ((is_far ? far : difference) / (is_far ? a : d)) * (is_far ? reciprocal : T(1));
    const T y = x > 0 ? without(dy, left, x) : left;
    if constexpr (A::wide) return y;
    return a < T(0.25) ? dy * multiply_add<A>(half_r, multiply_add<A>(half_r * -4, half_r, T(2)), T(0.5)) : y;
  }
};

}  // namespace
}  // namespace numact

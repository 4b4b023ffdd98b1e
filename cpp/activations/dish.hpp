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

template <class A>
struct DishParts {
  using word = typename A::word;
  using number = typename A::number;
  number q;     // far from 0, where q = 1 / (4 a^2): its square root
  bool is_far;

  NUMACT_LANE explicit DishParts(word x) {
    const word a = absolute(x);
    const number square = word(1) + exact_product<A>(a, a), d = times_power(word(2), square + a * square_root(square));
    is_far = a > word(0x1p30);
    const word quotient = word(is_far ? 0.5 : 1) / (is_far ? a : rounded(d));
    if constexpr (A::paired) {
      const word product = quotient * d.hi, rest = (1 - product) - product_error(quotient, d.hi, product);
      q = {quotient, is_far ? 0 : (rest - quotient * d.lo) * quotient};
    } else {
      q = quotient;
    }
  }
};

struct Dish {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x) {
    const DishParts<A> s(x);
    const T part = s.is_far ? with_sign_of(rounded(s.q) / 2, x) : rounded_product(number<A>(x), s.q);
    return x > 0 ? x - part : part;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x) {
    const DishParts<A> s(x);
    const auto near = (s.q + constant<A>(-0.19098300562505257589770658281718L)) *
                      times_power(T(4), constant<A>(1.3090169943749474241022934171828L) + -s.q);
    const auto factor = select(s.is_far, -s.q, near);
    return x > 0 ? dy * rounded(T(1) - s.q * factor) : rounded_product(finite_product<A>(dy, s.q), factor);
  }
};

}  // namespace
}  // namespace numact

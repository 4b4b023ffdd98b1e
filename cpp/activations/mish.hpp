// mish(x) = x tanh(softplus(x)). With e = exp(-|x|), all sums of positive terms but the one with the root:
//   x <= 0: n = e (e + 2), d = n + 2:               mish = x n / d,  mish' = e ((e + 2) d + 4 x (1 + e)) / d^2
//   x > 0:  n = 1 + 2 e,   d = 1 + 2 e + 2 e^2:     mish = x n / d,  mish' = (n d + 4 x e^2 (1 + e)) / d^2
// The limit -0.0 at minus infinity.
//
// Largest errors found, in ulp. float32 and precise, all inputs: forward 0.5014 at -0x1.56c0b6p+3, backward 0.5024 at
// x = -0x1.01ba96p+0; near the sign change of mish' 0.50 * 2^-24 |dy|. float64 forward 0.82 at
// -0x1.5eac08cfa0ab8p+6, backward 1.19 at x = -0x1.0124e4d481196p+0, dy = 2.2849e301 (no FMA).
#pragma once
#include "../lanes/exp.hpp"

namespace numact {
namespace {

template <class A>
struct MishParts {
  using word = typename A::word;
  using number = typename A::number;
  Exponential<A> e;
  number small, n, d;  // small: e in one number; n without its factor e on the left
  bool left;

  NUMACT_LANE explicit MishParts(word x) : e(exp_negative<A>(-absolute(x))), left(!(x > 0)) {
    small = value(e);
    const number twice = times_power(word(2), small), square = small * small;
    n = select(left, word(2) + small, word(1) + twice);
    d = select(left, word(2) + (twice + square), n + times_power(word(2), square));
  }
  NUMACT_LANE Power<A> power() const { return select<A>(left, e.power, unit_power<A>()); }
};

struct Mish {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x) {
    const MishParts<A> s(x);
    return scaled<A>(s.left ? finite<A>(x) : x, select(s.left, s.e.mantissa * s.n, s.n) / s.d, s.power());
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x) {
    const MishParts<A> s(x);
    const T four_x = 4 * with_sign_of(at_most(absolute(x), -ExpConstants<A>::lowest), x);
    const auto slope = s.n * s.d + four_x * (select(s.left, number<A>(1), s.small * s.small) * (T(1) + s.small));
    return scaled<A>(dy, select(s.left, s.e.mantissa * slope, slope) / (s.d * s.d), s.power());
  }
};

}  // namespace
}  // namespace numact

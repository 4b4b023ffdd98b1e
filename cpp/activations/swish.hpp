// swish(x, beta) = x sigmoid(beta x); silu(x) = swish(x, 1). With t = beta x and e = exp(-|t|):
//   swish  = x / (1 + e) for t >= 0,  x e / (1 + e) for t < 0
//   swish' = (1 + e + t e) / (1 + e)^2,  e (1 + e + t) / (1 + e)^2
//   d swish / d beta = x^2 e / (1 + e)^2
// The limit 0 at the infinity where t is -infinity; beta = 0 gives x/2 everywhere.
//
// Largest errors found, in ulp. float32 forward, all inputs, both tiers: silu 0.5014 at -0x1.569e1ep+3. float32 backward 0.5014
// at x = 0x1.caeb44p+1 (beta = -0.3); near the sign change of swish' 0.5 * 2^-24 |dy|. float64, 400,000 points: forward 1.08
// at -167.998 (beta = 1.702), backward 1.59 at x = -746.35, dy = 3.336e241 (beta = 1.702).
#pragma once
#include "../lanes/exp.hpp"

namespace numact {
namespace {

template <class A>
struct SwishParts {
  using word = typename A::word;
  using number = typename A::number;
  number t, d;  // t limited to where exp(-|t|) counts; d = 1 + e
  Exponential<A> e;
  bool left;

  // t_lo: what the rounding of beta * x left out.
  NUMACT_LANE explicit SwishParts(word t_hi, word t_lo = 0)
      : e(exp_negative<A>(-absolute(t_hi), t_hi < 0 ? t_lo : -t_lo)), left(t_hi < 0) {
    t = number_of(with_sign_of(at_most(absolute(t_hi), -ExpConstants<A>::lowest), t_hi), t_lo);
    d = word(1) + value(e);
  }
  NUMACT_LANE static number number_of(word hi, word lo) {
    if constexpr (!A::paired) {
      return hi;
    } else {
      return {hi, lo};
    }
  }
  NUMACT_LANE Power<A> power() const { return select<A>(left, e.power, unit_power<A>()); }

  NUMACT_LANE word forward(word x) const {
    return scaled<A>(left ? finite<A>(x) : x, select(left, e.mantissa, numact::number<A>(1)) / d, power());
  }
  NUMACT_LANE word backward(word dy) const {
    return scaled<A>(dy, select(left, e.mantissa * (d + t), d + t * value(e)) / (d * d), power());
  }
};

struct Silu {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x) {
    return SwishParts<A>(x).forward(x);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x) {
    return SwishParts<A>(x).backward(dy);
  }
};

struct Swish {
  template <class A, class T = typename A::word>
  NUMACT_LANE static SwishParts<A> parts(T x, T beta) {
    const T t = beta * (beta == 0 ? finite<A>(x) : x);
    if constexpr (!A::paired) {
      return SwishParts<A>(t);
    } else {
      // A huge x or beta is brought down for the splitting of a product without FMA, the other one up.
      const T down = absolute(x) > T(0x1p900) ? T(0x1p-100) : absolute(beta) > T(0x1p900) ? T(0x1p100) : T(1);
      const T lo = exact_product<A>(x * down, beta * (T(1) / down)).lo;
      return SwishParts<A>(t, absolute(t) < -ExpConstants<A>::lowest && beta != 0 ? lo : T(0));
    }
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x, T beta) {
    return parts<A>(x, beta).forward(x);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x, T beta) {
    return parts<A>(x, beta).backward(dy);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static typename A::number parameter_term(T dy, T x, T beta) {
    const auto s = parts<A>(x, beta);
    const auto rest = scaled_product<A>(dy, finite<A>(x), s.e.mantissa / (s.d * s.d), s.e.power);
    return finite_product<A>(finite<A>(x), rest);
  }
};

}  // namespace
}  // namespace numact

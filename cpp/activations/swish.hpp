// swish(x, beta) = x sigmoid(beta x); silu(x) = swish(x, 1). With t = beta x and e = exp(-|t|):
//   swish  = x / (1 + e) for t >= 0,  x e / (1 + e) for t < 0
//   swish' = (1 + e + t e) / (1 + e)^2,  e (1 + e + t) / (1 + e)^2
//   d swish / d beta = x^2 e / (1 + e)^2
// The limit 0 at the infinity where t is -infinity; beta = 0 gives x/2 everywhere.
// quick_gelu(x) = swish(x, 1.702), the constant in two words where x is.
//
// Largest errors found, in ulp. float32 forward, all inputs, both tiers: silu 0.5014 at -0x1.569e1ep+3. float32 backward 0.5014
// at x = 0x1.caeb44p+1 (beta = -0.3); near the sign change of swish' 0.5 * 2^-24 |dy|. float64, 400,000 points: forward 1.08
// at -167.998 (beta = 1.702), backward 1.59 at x = -746.35, dy = 3.336e241 (beta = 1.702). quick_gelu, sampled: float32
// forward 0.5011 at -0x1.31cafcp+3, backward 0.5011 at x = -0x1.92fc9ep+2; float64 forward 1.04 at -2.5955202, backward 1.07
// at x = -0.6161132.
#pragma once
#include "sigmoid.hpp"

namespace numact {
namespace {

// dy (x sigmoid(t))' for t + t_rest, with u + u_rest = x t'(x), finite.
template <class A, class T = typename A::word>
NUMACT_LANE T swish_backward(T dy, T t, T t_rest, T u, T u_rest) {
  const Decay<A> decay(absolute(t), t < 0 ? -t_rest : t_rest);
  const T sum = 1 + u;
  const auto square = decay.plus_one_squared();
  const T slope = (t < 0 ? decay.plus(sum, u_rest) : exact_multiply_add<A>(decay.value(), sum, T(1))) / square.value;
  return t < 0 ? decay.times(dy, slope, square.less) : dy * slope;
}

struct Silu {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x) {
    using L = Logistic<A>;
    const T near = not_below(x, L::leftmost), y = L::quotient(near, near);
    return x <= L::rightmost ? y : x;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x) {
    const T t = limited<A>(x);
    return swish_backward<A>(dy, t, T(0), t, T(0));
  }
};

// t = 1.702 x in two words.
struct QuickGelu {
  static constexpr long double factor = 1.702L;

  template <class A, class T = typename A::word>
  NUMACT_LANE static T rest(T x, T t) {
    return A::wide ? 0 : multiply_add<A>(x, T(factor - T(factor)), residual(x, T(factor), -t));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x) {
    using L = Logistic<A>;
    const T near = not_below(x, T(L::leftmost / factor)), t = near * T(factor), y = L::quotient(near, t, rest<A>(near, t));
    return x <= L::rightmost ? y : x;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x) {
    const T near = limited<A>(x), t = near * T(factor), t_rest = rest<A>(near, t);
    return swish_backward<A>(dy, t, t_rest, t, t_rest);
  }
};

struct Swish {
  // beta x and what its rounding left out where that counts. beta = 0 gives 0 at infinity too.
  template <class A>
  struct Product {
    typename A::word t, rest;
    NUMACT_LANE Product(typename A::word x_given, typename A::word beta) {
      const auto x = beta == 0 ? finite<A>(x_given) : x_given;
      t = beta * x, rest = 0;
      if constexpr (!A::wide) {
        const auto error = product_error(beta, x, t);
        rest = absolute(t) < -ExpConstants<A>::lowest ? error : 0;
      }
    }
  };
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x, T beta) {
    const Product<A> p(x, beta);
    const Decay<A> decay(absolute(p.t), p.t < 0 ? -p.rest : p.rest);
    const T d = decay.plus(1);
    const T left = with_sign_of(decay.times_finite(finite<A>(x), decay.rest_of_sum(d)), x);
    return (p.t < 0 ? left : x) / d;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x, T beta) {
    const Product<A> p(x, beta);
    const T u = limited<A>(p.t);
    return swish_backward<A>(dy, p.t, p.rest, u, p.rest);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static typename A::number parameter_term(T dy, T x, T beta) {
    const Product<A> p(x, beta);
    const T bounded = finite<A>(x);
    if constexpr (A::wide) {
      const Decay<A> decay(absolute(p.t));
      return dy * bounded * bounded * decay.value() / decay.plus_one_squared().value;
    } else {
      const auto e = exp_negative<A>(-absolute(p.t), p.t < 0 ? p.rest : -p.rest);
      const auto d = T(1) + value(e);
      return finite_product<A>(bounded, scaled_product<A>(dy, bounded, e.mantissa / (d * d), e.power));
    }
  }
};

}  // namespace
}  // namespace numact

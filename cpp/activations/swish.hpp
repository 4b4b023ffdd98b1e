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
#include "parts.hpp"
#include "sigmoid.hpp"

namespace numact {
namespace {

// x sigmoid(t) with u = x t'(x): its derivative is (1 + e + u e) / (1 + e)^2 for t >= 0, e (1 + e + u) / (1 + e)^2 for t < 0.
template <class A>
struct SwishParts : SigmoidParts<A> {
  using word = typename A::word;
  using number = typename A::number;
  using SigmoidParts<A>::left, SigmoidParts<A>::e, SigmoidParts<A>::d;
  word factor;
  number u;

  // x_left: x with what makes 0 times infinity taken away, for where sigmoid vanishes. u is finite.
  NUMACT_LANE SwishParts(word x, word x_left, number t, number u_of_t)
      : SigmoidParts<A>(t), factor(left ? x_left : x), u(u_of_t) {}
  NUMACT_LANE number slope() const {
    return select(left, e.mantissa * (d + u), d + u * value(e)) / (d * d);
  }
  NUMACT_LANE Power<A> slope_power() const { return this->power(); }
};

struct Silu : FromParts<Silu> {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x) {
    using L = Logistic<A>;
    const T near = not_below(x, L::leftmost), y = L::quotient(near, near);
    return x <= L::rightmost ? y : x;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x) {
    const T a = limited<A>(x);
    const Decay<A> decay(absolute(a));
    const T e = decay.times(1), sum = 1 + a;
    const T left = decay.times(dy, sum + e), right = dy * multiply_add<A>(e, sum, T(1));
    return (x < 0 ? left : right) / multiply_add<A>(e, e + 2, T(1));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static SwishParts<A> parts(T x) {
    const T near = limited<A>(x);
    return {x, near, number<A>(x), number<A>(near)};
  }
};

struct QuickGelu : FromParts<QuickGelu> {
  template <class A, class T = typename A::word>
  NUMACT_LANE static SwishParts<A> parts(T x) {
    const T near = limited<A>(x);
    const auto t = near * constant<A>(1.702L);
    return {x, near, t, t};
  }
};

struct Swish : FromParts<Swish> {
  template <class A, class T = typename A::word>
  NUMACT_LANE static SwishParts<A> parts(T x, T beta) {
    const T t = beta * (beta == 0 ? finite<A>(x) : x), near = limited<A>(t);
    if constexpr (!A::paired) {
      return {x, finite<A>(x), t, near};
    } else {
      // A huge x or beta is brought down for the splitting of a product without FMA, the other one up.
      const T down = absolute(x) > T(0x1p900) ? T(0x1p-100) : absolute(beta) > T(0x1p900) ? T(0x1p100) : T(1);
      const T error = exact_product<A>(x * down, beta * (T(1) / down)).lo;
      const T rest = t == near && beta != 0 ? error : T(0);
      return {x, finite<A>(x), {t, rest}, {near, rest}};
    }
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static typename A::number parameter_term(T dy, T x, T beta) {
    const auto p = parts<A>(x, beta);
    const auto rest = scaled_product<A>(dy, finite<A>(x), p.SigmoidParts<A>::slope(), p.e.power);
    return finite_product<A>(finite<A>(x), rest);
  }
};

}  // namespace
}  // namespace numact

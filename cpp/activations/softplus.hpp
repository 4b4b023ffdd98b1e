// softplus(x, beta) = log(1 + exp(beta x)) / beta, beta > 0. With t = beta x and e = exp(-|t|):
//   softplus  = max(x, 0) + log1p(e) / beta
//   softplus' = sigmoid(t) = 1 / (1 + e) for t >= 0,  e / (1 + e) for t < 0;  from the output 1 - exp(-beta y)
// log_sigmoid(x) = -softplus(-x), log_sigmoid'(x) = sigmoid(-x).
// There is no threshold from which on it is x. The limit 0 at minus infinity.
//
// Largest errors found, in ulp, on samples of all levels. float32 forward: softplus 2.39 with FMA, 0.53 without, in double
// (float would give 2.55); log_sigmoid 2.12; precise 0.53. float32 backward 2.97, precise 0.5011. float64 forward 2.41
// (beta = 20), backward 2.79.
#pragma once
#include "../lanes/log1p.hpp"

namespace numact {
namespace {

struct Softplus {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x, T beta) {
    const T quarter = at_most(T(0.25) / beta, Format<T>::largest);  // 1 / beta may overflow
    Decay<A> log = log1p(decay<A>(x, beta));
    log.power.rest *= 4;
    if constexpr (A::wide) return value(x, log, quarter, T(0));
    const T excess = 4 * product_error(beta, quarter, T(0.25));
    const T y = value(x, log, quarter, madd(excess, log.p, excess));
    if constexpr (A::fused) return y;
    return y == y ? y : x + beta + T(__builtin_inf());  // the product was infinite
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x, T beta) {
    return gradient(dy, x, decay<A>(x, beta));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_from_output(T dy, T y, T beta) {
    const T t = beta * y;
    return dy * (t == t ? absolute(expm1_negative<A>(-absolute(t))) : t);
  }
  // max(x, 0) + log (1 - less) factor
  template <class A, class T = typename A::word>
  NUMACT_LANE static T value(T x, const Decay<A>& log, T factor, T less) {
    return (x < 0 ? 0 : x) + log.times_finite(factor, less);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T gradient(T dy, T x, const Decay<A>& e) {
    return (x < 0 ? e.times(dy) : dy) / e.plus(1);
  }

 private:
  // exp(-|beta x|)
  template <class A, class T = typename A::word>
  NUMACT_LANE static Decay<A> decay(T x, T beta) {
    const T a = absolute(x), t = beta * a;
    if constexpr (A::wide) return Decay<A>(t);
    const T rest = product_error(beta, a, t);
    return Decay<A>(t, t <= Decay<A>::largest ? rest : 0);
  }
};

struct LogSigmoid {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x) {
    return -Softplus::value<A>(-x, log1p(Decay<A>(absolute(x))), T(1), T(0));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x) {
    return Softplus::gradient<A>(dy, -x, Decay<A>(absolute(x)));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_from_output(T dy, T y) {
    return Softplus::backward_from_output<A>(dy, -y, T(1));
  }
};

}  // namespace
}  // namespace numact

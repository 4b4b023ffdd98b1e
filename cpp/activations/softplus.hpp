// softplus(x, beta) = log(1 + exp(beta x)) / beta, beta > 0. With t = beta x and e = exp(-|t|):
//   softplus  = max(x, 0) + log1p(e) / beta
//   softplus' = sigmoid(t) = 1 / (1 + e) for t >= 0,  e / (1 + e) for t < 0;  from the output 1 - exp(-beta y)
// log_sigmoid(x) = -softplus(-x), log_sigmoid'(x) = sigmoid(-x).
// There is no threshold from which on it is x. The limit 0 at minus infinity.
//
// Largest errors found, in ulp, of all levels; float32 on all inputs (of softplus every 305th), float64 on eight million
// points. softplus: float32 forward 0.5290 at 0x1.9c3d78p-24 (beta = 0.7), backward 3.4665 at x = -0x1.e871p+1, dy =
// -2.0394e+14; precise 0.5290 and 0.5013; float64 forward 2.40 at -0x1.e74f0b51bf0d6p+97 (beta = 1e-30), backward 3.34 at x
// = -0x1.8927c40f82f8bp-3, dy = 3.7718e+89 (beta = 20). log_sigmoid: float32 forward 2.3296 at -0x1.3e2e92p-2, backward
// 3.4730 at x = 0x1.a50d4ap+2, dy = 5.5473e-31; precise 0.5287 and 0.5014; float64 forward 2.18 at -0x1.2f88dd99a4fc7p-2,
// backward 3.41 at x = 0x1.80011b9fc4d34p+2, dy = -2.5134e-58.
#pragma once
#include "../lanes/log1p.hpp"

namespace numact {
namespace {

struct Softplus {
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> forward_start(T x, T beta) {
    return decay<A>(x, positive(beta));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(Kept<A, 2> start, T x, T beta) {
    const T factor = positive(beta), quarter = at_most(T(0.25) / factor, Format<T>::largest);  // 1 / beta may overflow
    const Decay<A> decay(start);
    T less = 0;
    if constexpr (!A::wide) {
      const T excess = 4 * product_error(factor, quarter, T(0.25));
      less = multiply_add<A>(excess, decay.p, excess);
    }
    Decay<A> log = log1p(decay, less);
    log.power.rest *= 4;
    const T y = value(x, log, quarter);
    if constexpr (A::wide || A::fused) return y;
    return y == y ? y : x + factor + T(__builtin_inf());  // the product was infinite
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> backward_start(T, T x, T beta) {
    return decay<A>(x, positive(beta));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(Kept<A, 2> start, T dy, T x, T) {
    return gradient(dy, x, Decay<A>(start));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_from_output(T dy, T y, T beta) {
    const Scaled<A> e(at_least(-positive(beta) * y, T(-50)));
    return dy * multiply_add<A>(-e.power, e.p, 1 - e.power);
  }
  // max(x, 0) + log factor
  template <class A, class T = typename A::word>
  NUMACT_LANE static T value(T x, const Decay<A>& log, T factor) {
    return (x < 0 ? 0 : x) + log.times_finite(factor);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T gradient(T dy, T x, const Decay<A>& e) {
    return (x < 0 ? e.times(dy) : dy) / e.plus(1);
  }

 private:
  // exp(-|beta x|)
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> decay(T x, T beta) {
    const T a = absolute(x), t = beta * a, counts = counted<A>(t, Decay<A>::largest);
    if constexpr (A::wide) return Decay<A>::start(counts);
    const T rest = product_error(beta, a, t);
    return Decay<A>::start(counts, t <= Decay<A>::largest ? rest : 0);
  }
};

struct LogSigmoid {
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> forward_start(T x) {
    return decay<A>(x);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(Kept<A, 2> start, T x) {
    return -Softplus::value<A>(-x, log1p(Decay<A>(start)), T(1));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> backward_start(T, T x) {
    return decay<A>(x);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(Kept<A, 2> start, T dy, T x) {
    return Softplus::gradient<A>(dy, -x, Decay<A>(start));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_from_output(T dy, T y) {
    return Softplus::backward_from_output<A>(dy, -y, T(1));
  }

 private:
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> decay(T x) {
    return Decay<A>::start(counted<A>(absolute(x), Decay<A>::largest));
  }
};

}  // namespace
}  // namespace numact

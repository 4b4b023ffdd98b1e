// softplus(x, beta) = log(1 + exp(beta x)) / beta, beta > 0. With t = beta x and e = exp(-|t|):
//   softplus  = max(x, 0) + log1p(e) / beta
//   softplus' = sigmoid(t) = 1 / (1 + e) for t >= 0,  e / (1 + e) for t < 0;  from the output 1 - exp(-beta y)
// log_sigmoid(x) = -softplus(-x), log_sigmoid'(x) = sigmoid(-x).
// There is no threshold from which on it is x. The limit 0 at minus infinity.
//
// Largest errors found, in ulp, of all levels (tools/make_docs.py):
//   softplus float32 forward 2.0956, x = 0x1.adb40ap-11, parameters 0.7
//   softplus float32 backward 3.6665, x = -0x1.760438p+2, dy = -0x1.5a2468p+28, parameters 1
//   softplus precise float32 0.5293, 0.5015
//   softplus float64 forward 2.3501, x = 0x1.366f433397fb7p-32, parameters 0.7
//   softplus float64 backward 3.5977, x = -0x1.a84fb05edfcfap+2, dy = 0x1.677ebb98f7833p-9, parameters 0x1.245eabe01e1c0p-1
//   log_sigmoid float32 forward 2.3296, x = -0x1.3e2e92p-2
//   log_sigmoid float32 backward 3.5248, x = 0x1.256eep+2, dy = 0x1.8962c8p+0
//   log_sigmoid precise float32 0.5287, 0.5015
//   log_sigmoid float64 forward 2.3355, x = -0x1.56064a6e9b683p-2
//   log_sigmoid float64 backward 3.4100, x = 0x1.80011b9fc4d34p+2, dy = -0x1.93e45aa284c01p-192
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
    // 1 / beta times a power of two that keeps it in range, and below 1 only where no result is subnormal.
    constexpr bool is_float = sizeof(T) == sizeof(float);
    const T factor = positive(beta), power = power_part(factor), tiny = power * (is_float ? T(0x1p121) : T(0x1p1014));
    const T up = at_least(at_most(tiny, T(1)), T(0.25)) * at_most(at_least(power, T(1)), is_float ? T(0x1p100) : T(0x1p900));
    const T inverse = at_most(up / factor, Format<T>::largest), down = reciprocal_of_power(up);
    const Decay<A> decay(start);
    T less = 0;
    if constexpr (!A::wide) {
      const T excess = product_error(factor, inverse, up) * down;
      less = multiply_add<A>(excess, decay.p, excess);
    }
    return value(x, decay, times_power(down, log1p_mantissa<true>(decay, less)), inverse);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward_near_range(T beta) {
    return at_most(T(near_decay<A>) / positive(beta), Format<T>::largest);
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
  // max(x, 0) + mantissa 2^n factor
  template <class A, class T = typename A::word>
  NUMACT_LANE static T value(T x, const Decay<A>& e, Pair<T> mantissa, T factor) {
    return (x < 0 ? 0 : x) + e.times_mantissa(factor, mantissa);
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
    const Decay<A> decay(start);
    return -Softplus::value<A>(-x, decay, log1p_mantissa<false>(decay), T(1));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward_near_range() {
    return near_decay<A>;
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

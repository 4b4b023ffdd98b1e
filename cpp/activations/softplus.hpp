// softplus(x, beta) = log(1 + exp(beta x)) / beta, beta > 0. With t = beta x and e = exp(-|t|):
//   softplus  = max(x, 0) + log1p(e) / beta
//   softplus' = sigmoid(t) = 1 / (1 + e) for t >= 0,  e / (1 + e) for t < 0;  from the output 1 - exp(-beta y)
// log_sigmoid(x) = -softplus(-x), log_sigmoid'(x) = sigmoid(-x).
// There is no threshold from which on it is x. The limit 0 at minus infinity.
//
// Largest errors found, in ulp. float32 and precise, all inputs for beta = 1, every 61st for others: forward 0.5027 at
// x = -0x1.656108p+100 (beta = 1e-30), backward 0.5013 at x = -0x1.ed1ca8p+4, dy = -0x1.5ee2c4p+23. float64 forward 1.10 at
// -0x1.907ad7609d205p-2 (log_sigmoid), with another beta 1.73 at 0x1.83a33f9d13621p-7 (beta = 0.7); backward 1.04 at x =
// 0x1.fa1e0525a0618p+2, dy = 1.0568e308 (log_sigmoid, no FMA).
#pragma once
#include "../lanes/log1p.hpp"
#include "swish.hpp"

namespace numact {
namespace {

struct Softplus {
  // log1p(exp(-|t|)) / beta
  template <class A, class T = typename A::word>
  NUMACT_LANE static T rest(const SwishParts<A>& parts, T beta) {
    const auto log = parts.e.mantissa * log1p_ratio<A>(value(parts.e));
    if constexpr (A::paired) {
      // 1 / beta may overflow, also the quotient before it meets 2^n; 2^n may underflow before it meets 1 / beta.
      const auto power = parts.e.power;
      return rounded(times_power(power.rest / 2, log)) / beta * (2 * power.part) * power.part;
    } else {
      return scaled<A>(1 / beta, log, parts.e.power);
    }
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x, T beta) {
    const T right = rest<A>(Swish::parts<A>(x, beta), beta);
    return (x > 0 ? x : 0) + (x < -Format<T>::largest ? 0 : right);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x, T beta) {
    const auto parts = Swish::parts<A>(x, beta);
    return scaled<A>(dy, select(parts.left, parts.e.mantissa, number<A>(1)) / parts.d, parts.power());
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_from_output(T dy, T y, T beta) {
    return dy * absolute(rounded(expm1_negative<A>(-absolute(beta * y))));
  }
};

struct LogSigmoid {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x) {
    return -Softplus::forward<A>(-x, T(1));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x) {
    return Softplus::backward<A>(dy, -x, T(1));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_from_output(T dy, T y) {
    return Softplus::backward_from_output<A>(dy, -y, T(1));
  }
};

}  // namespace
}  // namespace numact

// tanh(|x|) = u / (2 - u), u = 1 - exp(-2|x|), without cancellation at 0.
// tanh'(x) = 4 e / (1 + e)^2, e = exp(-2|x|), without cancellation in saturation.
//
// Largest errors found, in ulp. float32 forward, all inputs: 2.4984 at 0x1.205368p+2; precise 0.5040 at 0x1.d10666p-4.
// float32 backward 0.5014 at x = 0x1.7e29cep+3. float64, 400,000 points: forward 1.07 at -0.2032928, backward 1.75 at
// x = -0.7161453, dy = 1.4142e-308.
#pragma once
#include "../lanes/exp.hpp"

namespace numact {
namespace {

struct Tanh {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x) {
    const auto u = -expm1_negative<A>(-2 * absolute(x));
    return with_sign_of(u / (T(2) - u), x);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x) {
    const Decay<A> decay(2 * absolute(x));
    const T e = decay.value(), two = absolute(x) > T(0.5234375) ? 2 : 1;  // late it would raise the rounding of subnormals
    return decay.times_power(dy, two) / (two * multiply_add<A>(e, multiply_add<A>(e, T(0.25), T(0.5)), T(0.25)));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_from_output(T dy, T y) {
    return dy * ((1 - y) * (1 + y));
  }
};

}  // namespace
}  // namespace numact

// tanh(|x|) = (1 - e) / (1 + e), e = exp(-2|x|), without cancellation at 0.
// tanh'(x) = 4 e / (1 + e)^2, without cancellation in saturation.
//
// Largest errors found, in ulp, of all levels (tools/make_docs.py):
//   tanh float32 forward 2.0740, x = 0x1.00effap-3
//   tanh float32 backward 3.3711, x = 0x1.3540fcp+1, dy = 0x1.fcf5cep+0
//   tanh precise float32 0.5040, 0.5014
//   tanh float64 forward 2.0708, x = 0x1.00000a8c9f07cp-1
//   tanh float64 backward 3.3486, x = -0x1.fd878cdf6d5b8p+2, dy = -0x1.eaffa1cbc5cc2p-111
#pragma once
#include "../lanes/exp.hpp"

namespace numact {
namespace {

struct Tanh {
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> forward_start(T x) {
    return Scaled<A>::start(not_below(-2 * absolute(x), T(-50)));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(Kept<A, 2> start, T x) {
    // The divisor not from u, whose rounding would count up to twice.
    const Scaled<A> e(start);
    return with_sign_of(multiply_add<A>(-e.power, e.p, 1 - e.power) / multiply_add<A>(e.power, e.p, 1 + e.power), x);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> backward_start(T, T x) {
    return Decay<A>::start(counted<A>(2 * absolute(x), Decay<A>::largest));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(Kept<A, 2> start, T dy, T x) {
    const Decay<A> decay(start);
    const T e = decay.value(), two = absolute(x) > T(0.5234375) ? 2 : 1;  // late it would raise the rounding of subnormals
    return decay.quotient(dy, multiply_add<A>(e, multiply_add<A>(e, T(0.25), T(0.5)), T(0.25)), two);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T near_range() {
    return near_decay<A> / 2;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_from_output(T dy, T y) {
    return dy * ((1 - y) * (1 + y));
  }
};

}  // namespace
}  // namespace numact

// sigmoid(x) = 1 / (1 + exp(-x)), with e = exp(-|x|) so that nothing overflows: 1 / (1 + e) on the right, e / (1 + e) on the
// left. sigmoid'(x) = e / (1 + e)^2 on both sides, without cancellation.
//
// Largest errors found, in ulp, of all levels (tools/make_docs.py):
//   sigmoid float32 forward 1.9991, x = -0x1.69c008p-12
//   sigmoid float32 backward 3.3564, x = -0x1.75a108p+2, dy = 0x1.50b68ep+0
//   sigmoid precise float32 0.5010, 0.5014
//   sigmoid float64 forward 1.9961, x = -0x1.c509c9cf82587p-19
//   sigmoid float64 backward 3.3479, x = 0x1.0a0b3b1326555p+5, dy = 0x1.f3c822681c3ccp-83
#pragma once
#include "../lanes/exp.hpp"

namespace numact {
namespace {

struct Sigmoid {
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> forward_start(T x) {
    using L = Logistic<A>;
    return L::start(not_below(not_above(x, L::rightmost), L::leftmost));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(Kept<A, 2> start, T x) {
    const T y = Logistic<A>::quotient(1, start);
    return x == x ? y : x;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> backward_start(T, T x) {
    return Decay<A>::start(counted<A>(absolute(x), Decay<A>::largest));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(Kept<A, 2> start, T dy, T) {
    const Decay<A> decay(start);
    const T e = decay.value();
    return decay.quotient(dy, multiply_add<A>(e, e + 2, T(1)));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T near_range() {
    return near_decay<A>;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_from_output(T dy, T y) {
    return dy * y * (1 - y);
  }
};

}  // namespace
}  // namespace numact

// sigmoid(x) = 1 / (1 + exp(-x)), with e = exp(-|x|) so that nothing overflows: 1 / (1 + e) on the right, e / (1 + e) on the
// left. sigmoid'(x) = e / (1 + e)^2 on both sides, without cancellation.
//
// Largest errors found, in ulp, of all levels; float32 on all inputs (with a parameter on every 61st), float64 on eight
// million points. Float32 forward 1.9991 at -0x1.69c008p-12, backward 3.3417 at x = 0x1.78f11p+3, dy = 2.1871e+12; precise
// 0.5010 and 0.5014; float64 forward 2.00 at -0x1.c509c9cf82587p-19, backward 3.35 at x = 0x1.0a0b3b1326555p+5, dy =
// 2.0186e-25.
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

// threshold(x, t, v) = x for x > t, v elsewhere; derivative at t: 0. One rounding, of v.
// hard_shrink(x, l) = x for |x| > l, 0 elsewhere; derivative at -l and l: 0. Exact.
// soft_shrink(x, l) = x - l for x > l, x + l for x < -l, 0 elsewhere; derivative at -l and l: 0. 0.5 ulp.
// Both shrinks are odd: a zero has the sign of x.
#pragma once
#include "relu.hpp"

namespace numact {
namespace {

struct Threshold {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x, T threshold, T value) {
    return x > threshold ? x : (x <= threshold ? value : x + threshold);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x, T threshold, T) {
    return dy * slope_above(x, threshold);
  }
  // Needs value <= threshold: else the output does not tell the input's side.
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_from_output(T dy, T y, T threshold, T) {
    return dy * slope_above(y, threshold);
  }
};

struct HardShrink {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x, T lambd) {
    const T size = absolute(x);
    return with_sign_of(size > lambd ? size : (size <= lambd ? T(0) : size + lambd), x);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x, T lambd) {
    return dy * slope_above(absolute(x), lambd);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_from_output(T dy, T y, T lambd) {
    return dy * slope_above(absolute(y), lambd);
  }
};

struct SoftShrink {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x, T lambd) {
    const T size = absolute(x);
    return with_sign_of(size > lambd ? size - lambd : (size <= lambd ? T(0) : size + lambd), x);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x, T lambd) {
    return HardShrink::backward<A>(dy, x, lambd);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_from_output(T dy, T y, T) {
    return dy * slope_above(absolute(y), T(0));
  }
};

}  // namespace
}  // namespace numact

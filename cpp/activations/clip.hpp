// relu6(x) = min(max(x, 0), 6); derivative 0 at 0 and at 6. relu6(-0.0) = -0.0. Exact.
// hard_tanh(x, a, b) = min(max(x, a), b), so b where a > b; derivative 0 at a and at b. One rounding, of the bound.
// hard_sigmoid(x) = min(max(x + 3, 0), 6) / 6; derivative 1/6 between -3 and 3, 0 at both.
//
// Largest errors found, in ulp, of all levels (tools/make_docs.py):
//   hard_sigmoid float32 forward 1.0000, x = 0x1.000044p+0
//   hard_sigmoid float32 backward 0.5000, x = 0x1.5fep-138, dy = -0x1.fcd67p-129
//   hard_sigmoid precise float32 0.5000, 0.5000
//   hard_sigmoid float64 forward 1.0000, x = -0.8341924201902182
//   hard_sigmoid float64 backward 0.5000, x = 1.34290371580344e-19, dy = 1.7338451760910847e-308
//
// All the rest is rounded once: 0.5.
#pragma once
#include "relu.hpp"

namespace numact {
namespace {

// `result`, or NaN where a bound is; nothing is left of it where the bounds are constants.
template <class T>
NUMACT_LANE T unless_nan(T low, T high, T result) {
  return low == low ? (high == high ? result : high) : low;
}
// min(max(x, low), high), NaN where one of them is. Written as the machine's min and max, which return their second operand
// where one is NaN.
template <class T>
NUMACT_LANE T clip(T x, T low, T high) {
  const T raised = low > x ? low : x;
  return unless_nan(low, high, high < raised ? high : raised);
}
// The derivative of clip.
template <class T>
NUMACT_LANE T slope_between(T x, T low, T high) {
  return unless_nan(low, high, (((x > low) & (x < high)) ? T(1) : T(0)) + nan_of(x));
}

struct Relu6 {
  using precise = Single;  // exact

  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x) {
    return clip(x, T(0), T(6));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x) {
    return dy * slope_between(x, T(0), T(6));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_from_output(T dy, T y) {
    return dy * slope_between(y, T(0), T(6));
  }
};

struct HardTanh {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x, T min_val, T max_val) {
    return clip(x, min_val, max_val);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x, T min_val, T max_val) {
    return dy * slope_between(x, min_val, max_val);
  }
  // The output holds the bounds as they were rounded.
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_from_output(T dy, T y, T min_val, T max_val) {
    return dy * slope_between(y, as_result<A>(min_val), as_result<A>(max_val));
  }
};

struct HardSigmoid {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x) {
    return clip(x + 3, T(0), T(6)) / 6;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x) {
    return dy * slope_between(x, T(-3), T(3)) / 6;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_from_output(T dy, T y) {
    return dy * slope_between(y, T(0), T(1)) / 6;
  }
};

}  // namespace
}  // namespace numact

// relu(x) = max(x, 0), relu'(0) = 0. relu(-0.0) = -0.0. Exact.
#pragma once
#include "../lanes/arithmetic.hpp"

namespace numact {
namespace {

// 1 on the right of 0, `left` at 0 and on its left, NaN at NaN: the derivative of every function with its one kink at 0.
template <class T>
NUMACT_LANE T slope_at(T x, T left) {
  return x > 0 ? T(1) : (x <= 0 ? left : x);
}

struct Relu {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x) {
    return x < 0 ? 0 : x;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x) {
    return dy * slope_at(x, T(0));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_from_output(T dy, T y) {
    return dy * slope_at(y, T(0));
  }
};

}  // namespace
}  // namespace numact

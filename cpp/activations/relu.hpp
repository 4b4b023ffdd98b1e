// relu(x) = max(x, 0), relu'(0) = 0. relu(-0.0) = -0.0. Exact.
// squared_relu(x) = relu(x)^2, derivative 2 relu(x). One rounding: 0.5 ulp, backward 1 where dy relu(x) is subnormal: it is
// doubled last, so that nothing overflows where the result does not.
// crelu(x) = relu(x), relu(-x), its derivatives those of relu at x and, negative, at -x. Exact: one term of the sum is 0.
#pragma once
#include "../lanes/arithmetic.hpp"

namespace numact {
namespace {

// 1 on the right of 0, `left` at 0 and on its left, NaN at NaN: the derivative of every function with its one kink at 0.
template <class T>
NUMACT_LANE T slope_at(T x, T left) {
  return (x > 0 ? T(1) : left) + nan_of(x);
}
// 1 where x is above `start`, 0 elsewhere, NaN where one of them is.
template <class T>
NUMACT_LANE T slope_above(T x, T start) {
  return x > start ? T(1) : (x <= start ? T(0) : x + start);
}

struct Relu {
  using precise = Single;  // exact

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

struct Crelu {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward_positive(T x) {
    return Relu::forward<A>(x);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward_negative(T x) {
    return Relu::forward<A>(-x);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy_positive, T dy_negative, T x) {
    return backward_from_output<A>(dy_positive, dy_negative, x, -x);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_from_output(T dy_positive, T dy_negative, T y_positive, T y_negative) {
    return Relu::backward<A>(dy_positive, y_positive) - Relu::backward<A>(dy_negative, y_negative);
  }
};

struct SquaredRelu {
  using precise_forward = Single;  // one rounding

  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x) {
    const T rectified = Relu::forward<A>(x);
    return rectified * rectified;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x) {
    return 2 * (dy * Relu::forward<A>(x));
  }
};

}  // namespace
}  // namespace numact

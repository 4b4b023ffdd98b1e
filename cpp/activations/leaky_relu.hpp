// leaky_relu(x, s) = x for x > 0, s x elsewhere; derivative at 0: s. One rounding: 0.5 ulp. s = 0 gives 0 also at -infinity.
// prelu is the same with a learned slope; d prelu / d weight = min(x, 0).
#pragma once
#include "relu.hpp"

namespace numact {
namespace {

struct LeakyRelu {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x, T slope) {
    return x < 0 ? slope * (slope == 0 ? finite<A>(x) : x) : x;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x, T slope) {
    return dy * slope_at(x, slope);
  }
  // Needs slope >= 0: else the output does not tell the sign of the input.
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_from_output(T dy, T y, T slope) {
    return dy * slope_at(y, slope);
  }
};

struct Prelu {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x, T weight) {
    return LeakyRelu::forward<A>(x, weight);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x, T weight) {
    return LeakyRelu::backward<A>(dy, x, weight);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static typename A::number parameter_term(T dy, T x, T) {
    return exact_product<A>(dy, x > 0 ? 0 : x);
  }
};

}  // namespace
}  // namespace numact

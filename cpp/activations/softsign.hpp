// softsign(x) = x / (1 + |x|), softsign' = 1 / (1 + |x|)^2; from the output (1 - |y|)^2. The limits -1 and 1.
#pragma once
#include "../lanes/arithmetic.hpp"

namespace numact {
namespace {

struct Softsign {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x) {
    const T bounded = finite<A>(x);
    return bounded / (1 + absolute(bounded));
  }
  // Two quotients: the square may overflow where dy / d^2 does not underflow.
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x) {
    const T d = 1 + absolute(x);
    return dy / d / d;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_from_output(T dy, T y) {
    const T rest = 1 - absolute(y);
    return dy * (rest * rest);
  }
};

}  // namespace
}  // namespace numact

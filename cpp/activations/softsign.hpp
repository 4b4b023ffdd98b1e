// softsign(x) = x / (1 + |x|), softsign' = 1 / (1 + |x|)^2; from the output (1 - |y|)^2. The limits -1 and 1.
//
// Largest errors found, in ulp. float32, all inputs: forward 1.4992 at 0x1.ffd7fep+10, backward 3.4370 at x = 0x1.2b181p-11,
// dy = -0x1.0039f6p-45; precise 0.5000. float64 forward 1.46 at -0x1.fce3ecfc32579p+6, backward 3.16 at
// x = 0x1.027b9f80e6ea1p+0, dy = -1.1958e285.
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

// softsign(x) = x / (1 + |x|), softsign' = 1 / (1 + |x|)^2; from the output (1 - |y|)^2. The limits -1 and 1.
//
// Largest errors found, in ulp, of all levels (tools/make_docs.py):
//   softsign float32 forward 1.4992, x = 0x1.ffd7fep+10
//   softsign float32 backward 3.4699, x = 0x1.914bp-8, dy = 0x1.02e9f8p-80
//   softsign precise float32 0.5000, 0.5000
//   softsign float64 forward 1.4955, x = -0x1.ffea38f23f461p+9
//   softsign float64 backward 3.4735, x = -0x1.02d681bca971dp+0, dy = -0x1.02cb20d0faf02p+417
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

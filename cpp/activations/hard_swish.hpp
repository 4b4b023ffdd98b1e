// hard_swish(x) = x min(max(x + 3, 0), 6) / 6; derivative 0 for x <= -3, 1 for x >= 3, (2 x + 3) / 6 between.
// hard_swish(-infinity) = -0.0.
#pragma once
#include "../lanes/arithmetic.hpp"

namespace numact {
namespace {

struct HardSwish {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x) {
    const T between = x * ((x + 3) / 6);
    return x >= 3 ? x : (x <= -3 ? T(-0.0) : between);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x) {
    const T between = (2 * x + 3) / 6;
    return dy * (x >= 3 ? 1 : (x <= -3 ? 0 : between));
  }
};

}  // namespace
}  // namespace numact

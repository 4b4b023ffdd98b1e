// hard_swish(x) = x min(max(x + 3, 0), 6) / 6; derivative 0 for x <= -3, 1 for x >= 3, (2 x + 3) / 6 between.
// hard_swish(-infinity) = -0.0.
//
// Largest errors found, in ulp, of all levels (tools/make_docs.py):
//   hard_swish float32 forward 1.8709, x = 0x1.5f2934p+0
//   hard_swish float32 backward 1.9739, x = 0x1.0485fcp-1, dy = -0x1.7d71a8p+119
//   hard_swish precise float32 0.5000, 0.5000
//   hard_swish float64 forward 1.8547, x = 0x1.5ae83758f76d6p+0
//   hard_swish float64 backward 1.9997, x = -0x1.fff8eb3ff3ae2p-2, dy = -0x1.7ffbf30f06067p-661
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

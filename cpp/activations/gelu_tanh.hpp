// gelu_tanh(x) = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) = x sigmoid(t), t = 2 sqrt(2/pi) (x + 0.044715 x^3): see
// swish.hpp, with u = x t'(x) = t + 2 * (the cubic term of t). gelu_tanh(-infinity) = -0.0.
//
// Largest errors found, in ulp. float32, both tiers, 480,000 points: forward 0.5011 at -0x1.440b98p+1, backward 0.5011 at
// x = -0x1.930f5ap+1. float64, 120,000 points: forward 0.99 at -19.3589857, backward 1.15 at x = -0.6099799.
#pragma once
#include "swish.hpp"

namespace numact {
namespace {

struct GeluTanh : FromParts<GeluTanh> {
  template <class A, class T = typename A::word>
  NUMACT_LANE static SwishParts<A> parts(T x) {
    constexpr long double twice_root = 1.5957691216057307117597842397375275L;   // 2 sqrt(2/pi)
    constexpr long double cubic_factor = 0.0713548162726002487763387522798635L;  // 0.044715 * 2 sqrt(2/pi)
    const T near = with_sign_of(at_most(absolute(x), T(32)), x);  // t is 2389 there
    const auto cubic = near * (constant<A>(cubic_factor) * exact_product<A>(near, near));
    const auto t = near * constant<A>(twice_root) + cubic;
    return {x, near, t, t + times_power(T(2), cubic)};
  }
};

}  // namespace
}  // namespace numact

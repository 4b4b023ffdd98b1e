// A smooth activation f taken apart: f(x) = factor * fraction * 2^n, f'(x) = slope * 2^m. The powers stay apart because f or f'
// may underflow where dy * f'(x), or f(gate) * value, does not.
//
// F::parts<A>(x, parameters...) makes an object with factor, fraction(), power(), slope(), slope_power().
#pragma once
#include "../lanes/exp.hpp"

namespace numact {
namespace {

template <class F>
struct FromParts {
  template <class A, class T = typename A::word, class... Parameters>
  NUMACT_LANE static T forward(T x, Parameters... parameters) {
    const auto p = F::template parts<A>(x, parameters...);
    return scaled<A>(p.factor, p.fraction(), p.power());
  }
  template <class A, class T = typename A::word, class... Parameters>
  NUMACT_LANE static T backward(T dy, T x, Parameters... parameters) {
    const auto p = F::template parts<A>(x, parameters...);
    return scaled<A>(dy, p.slope(), p.slope_power());
  }
};

}  // namespace
}  // namespace numact

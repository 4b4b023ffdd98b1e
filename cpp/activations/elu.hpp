// elu(x, alpha) = x for x > 0, alpha (exp(x) - 1) elsewhere; derivative at 0: alpha.
// selu(x) = scale * elu(x, alpha) with the constants of Klambauer et al. 2017; derivative at 0: scale * alpha.
#pragma once
#include "../lanes/exp.hpp"
#include "relu.hpp"

namespace numact {
namespace {

struct Elu {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x, T alpha) {
    const T left = rounded_product(number<A>(alpha), expm1_negative<A>(-absolute(x)));
    return x < 0 ? left : x;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x, T alpha) {
    const auto e = exp_negative<A>(-absolute(x));
    const T left = scaled_product<A>(dy, alpha, e.mantissa, e.power);
    return x > 0 ? dy : left;
  }
  // y + alpha = alpha exp(x); needs alpha >= 0.
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_from_output(T dy, T y, T alpha) {
    return dy * (y > 0 ? 1 : y + alpha);
  }
};

struct Selu {
  static constexpr double scale = 1.0507009873554804934193349852946;
  static constexpr double scale_alpha = 1.7580993408473768599402175208123;  // scale * 1.6732632423543772848170429916717

  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x) {
    const T left = rounded_product(number<A>(scale_alpha), expm1_negative<A>(-absolute(x)));
    return x < 0 ? left : T(scale) * x;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x) {
    const auto e = exp_negative<A>(-absolute(x));
    const T left = scaled<A>(dy, T(scale_alpha) * e.mantissa, e.power);
    return x > 0 ? dy * T(scale) : left;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_from_output(T dy, T y) {
    return dy * (y > 0 ? T(scale) : y + T(scale_alpha));
  }
};

}  // namespace
}  // namespace numact

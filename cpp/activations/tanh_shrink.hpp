// tanh_shrink(x) = x - tanh(x), an odd polynomial x t p(t), t = x^2, for |x| <= 3/4, where the difference would cancel.
// tanh_shrink'(x) = tanh(x)^2.
// p by Remez, tools/fit_tanh_shrink.py, error relative to x - tanh(x): Wide and Portable degree 6, 2^-29.0; Paired
// degree 13, 2^-59.0, its leading coefficient 1/3.
//
// Largest errors found over samples of every binade, in ulp. float32 and precise forward 0.5292 at 0x1.d750bp-2,
// backward 0.5075 at x = 0x1.cde42cp-4, dy = -8.9411e28. float64 forward 0.985 at -0x1.7ffffffdb01f7p-1, backward 1.95
// at x = 0x1.631ce99c17p-3.
#pragma once
#include "../lanes/exp.hpp"

namespace numact {
namespace {

struct TanhShrink {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x) {
    const T a = absolute(x);
    const auto tanh = tanh_of<A>(a);
    T far = a - rounded(tanh);
    if constexpr (A::paired) far -= tanh.lo;
    return with_sign_of(a > T(0.75) ? far : near<A>(a), x);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x) {
    const auto tanh = tanh_of<A>(absolute(x));
    return rounded_product(finite_product<A>(dy, tanh), tanh);
  }

 private:
  template <class A, class T = typename A::word>
  NUMACT_LANE static typename A::number tanh_of(T a) {
    const auto u = -expm1_negative<A>(-2 * a);
    return u / (T(2) - u);
  }
  // a t p(t); what follows the leading coefficient is small enough for one word.
  template <class A, class T = typename A::word>
  NUMACT_LANE static T near(T a) {
    const auto square = exact_product<A>(a, a);
    const T t = rounded(square);
    if constexpr (A::wide) {
      return a * t *
             horner<A>(t, 0x1.5555554accb17p-2, -0x1.111102b0aa05fp-3, 0x1.ba1529fe9b01ap-5, -0x1.65c1f9680c589p-6,
                       0x1.1c9527c4545ebp-7, -0x1.9503ab810a014p-9, 0x1.6d360688216bbp-11);
    } else {
      const T higher = horner<A>(t, -0x1.1111111111103p-3, 0x1.ba1ba1ba1a008p-5, -0x1.664f48822be2cp-6,
                                 0x1.226e3542844dbp-7, -0x1.d6d3ca9b42bd1p-9, 0x1.7da2eee45f381p-10,
                                 -0x1.35524883be26dp-11, 0x1.f5145aa981dbep-13, -0x1.93de42568d3dap-14,
                                 0x1.3d7fde1769e9ep-15, -0x1.c8682f9b55b6ep-17, 0x1.01474dc1c61f9p-18,
                                 -0x1.415cb03a9ce09p-21);
      return rounded_product(a * square, t * higher + constant<A>(1.0L / 3));
    }
  }
};

}  // namespace
}  // namespace numact

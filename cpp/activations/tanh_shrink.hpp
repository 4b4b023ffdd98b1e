// tanh_shrink(x) = x - tanh(x) = x t / (3 + t + t k(t)), t = x^2, without cancellation; from |x| = 8.5 (float64: 18.5)
// on less than half an ulp from x -+ 1.
// tanh_shrink'(x) = tanh(x)^2, tanh(|x|) = u / d, u = 1 - exp(-2|x|), d = 2 - u, in two words; in double for a float32
// result (x r(t))^2.
// k and r are quotients of polynomials with positive coefficients by Remez, tools/fit_tanh_shrink.py, error relative to the
// function: k of degrees 3 and 3, 2^-27.6, in Double 8 and 8, 2^-57.2; r 5 and 5, 2^-32.5.
//
// Largest errors found, in ulp, of all levels (tools/make_docs.py):
//   tanh_shrink float32 forward 2.3734, x = 0x1.0346bcp+0
//   tanh_shrink float32 backward 3.1456, x = -0x1.313c7ap-3, dy = 0x1.6cee76p+0
//   tanh_shrink precise float32 0.5841, 0.5057
//   tanh_shrink float64 forward 2.3402, x = 0x1.0000000001d9fp+0
//   tanh_shrink float64 backward 3.4205, x = -0x1.63c6c7ab935f3p-3, dy = -0x1.0e2f58803d2fdp-336
#pragma once
#include "../lanes/exp.hpp"

namespace numact {
namespace {

struct TanhShrink {
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> forward_start(T x) {
    constexpr bool is_float = A::wide || sizeof(T) == sizeof(float);
    const T near = A::near ? x : at_most(absolute(x), forward_near_range<A>()), t = near * near, square = t * t;
    T n, d;
    if constexpr (is_float) {
      n = polynomial<A>(t, square, 0x1.9999908b073efp-3, 0x1.022da3d7eae72p-7, 0x1.ef1ab60183ae2p-15,
                        0x1.9395745dd8337p-25);
      d = polynomial<A>(t, square, 1, 0x1.1663774d9c1a7p-4, 0x1.fb1fc269792aep-11, 0x1.5864c6bf0c43fp-19);
    } else {
      n = polynomial<A>(t, square, 0x1.9999999999995p-3, 0x1.73b4c0a3460a5p-7, 0x1.b8015924a5cacp-13,
                        0x1.c79664b0d681ep-20, 0x1.c23eac96469dep-28, 0x1.a549ab65cf9c2p-37, 0x1.51ed25099d967p-47,
                        0x1.65badb811ff29p-59, 0x1.a7dfb63eacc79p-74);
      d = polynomial<A>(t, square, 1, 0x1.5d5848db1311dp-4, 0x1.2276476b062ddp-9, 0x1.9b5034aa7ceabp-16,
                        0x1.163fcaf9354bbp-23, 0x1.6f023d0a3a626p-32, 0x1.bdc63c3f7f16fp-42, 0x1.a60808c7df482p-53,
                        0x1.91073ed4d5ae2p-66);
    }
    return {{exact_multiply_add<A>(exact_multiply_add<A>(near, near, T(3)), d, t * n), d}};
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(Kept<A, 2> start, T x) {
    const T a = absolute(x), near = A::near ? x : at_most(a, forward_near_range<A>()), t = near * near, cube = near * t;
    const T divisor = start.word[0], d = start.word[1], top = cube * d;
    T y;
    if constexpr (A::wide) {
      y = top / divisor;
    } else {
      // So many roundings in a row would be too many.
      const T low = multiply_add<A>(near, product_error(near, near, t), product_error(t, near, cube));
      const T top_low = multiply_add<A>(low, d, product_error(cube, d, top)), reciprocal = 1 / divisor;
      const T quotient = top * reciprocal;
      y = multiply_add<A>(reciprocal, top_low - product_error(divisor, quotient, top), quotient);
    }
    return with_sign_of(A::near ? y : (a - near) + y, x);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward_near_range() {
    return A::wide || sizeof(T) == sizeof(float) ? 8.5 : 18.5;
  }
  // In double tanh(x), else exp(-2a) in Scaled.
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 3> backward_start(T, T x) {
    const T a = absolute(x);
    if constexpr (A::wide) {
      const T near = at_most(a, T(10.2)), t = near * near, square = t * t;
      const T n = polynomial<A>(t, square, 0x1.fffffffe8c3eep-1, 0x1.1fd7bfbc61cf0p-3, 0x1.1e315f11459e4p-8,
                                0x1.55fc6b8a0e692p-15, 0x1.b927fc0783de1p-24, 0x1.1670224df124ap-35);
      const T d = polynomial<A>(t, square, 1, 0x1.e541351639d05p-2, 0x1.db0a42c52d0d1p-6, 0x1.00a7362c75196p-11,
                                0x1.4adfa72667838p-19, 0x1.6b33841ddd1ccp-29);
      return {{near * n, d, 0}};
    } else {
      const Reduced<A> reduced(not_below(-2 * a, T(-50)), Format<T>::exponent_bias);
      const T p = reduced.expm1();
      return {{p, reduced.z, reduced.rest_of_expm1(p)}};
    }
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(Kept<A, 3> start, T dy, T) {
    if constexpr (A::wide) {
      const T tanh = start.word[0] / start.word[1];
      return dy * tanh * tanh;
    } else {
      // u and tanh in two words each; 1/d is (1 + tanh) / 2.
      const T p = start.word[0], power = power_from_rounded<T>(start.word[1]), p_rest = start.word[2];
      const T less = power - 1, u = absolute(multiply_add<A>(power, p, less)), d = 2 - u, tanh = u / d;
      const T u_rest = -multiply_add<A>(power, p_rest, multiply_add<A>(power, p, less + u)), d_rest = (2 - d) - u;
      const T rest = multiply_add<A>(1 + tanh, u_rest, -tanh * d_rest) - product_error(tanh, d, u);
      return dy * tanh * multiply_add<A>(1 + tanh, rest, tanh);
    }
  }
};

}  // namespace
}  // namespace numact

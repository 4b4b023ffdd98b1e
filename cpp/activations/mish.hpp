// mish(x) = x tanh(softplus(x)). With e = exp(-|x|), all sums of positive terms but the one with the root:
//   x <= 0: n = e (e + 2), d = n + 2:               mish = x n / d,  mish' = e ((e + 2) d + 4 x (1 + e)) / d^2
//   x > 0:  n = 1 + 2 e,   d = 1 + 2 e + 2 e^2:     mish = x n / d,  mish' = (n d + 4 x e^2 (1 + e)) / d^2
//   mish' = (n + 4 x e (1 + e) / d) / d for all x, beside mish, with e = exp(x), n and d as for x <= 0, within
//   3.2 ulp of its terms
// The limit -0.0 at minus infinity.
//
// Largest errors found, in ulp, of all levels (tools/make_docs.py):
//   mish float32 forward 2.1870, x = -0x1.c83e92p-3
//   mish float32 backward 0.5027, x = -0x1.0a14f2p+0, dy = -0x1.550672p-17
//   mish precise float32 0.5014, 0.5027
//   mish float64 forward 1.9841, x = 0x1.a4d510d0583d7p-6
//   mish float64 backward 3.3692, x = -0x1.fffffbecfe53cp-1, dy = -0x1.0896becc61d4cp+209
#pragma once
#include "../lanes/exp.hpp"

namespace numact {
namespace {

struct Mish {
  // Where results are as wide as the words, what the roundings on the left leave out is put back.
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> forward_start(T x) {
    return Scaled<A>::start(near<A>(x), -Logistic<A>::shift);  // exp(x) / unit
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(Kept<A, 2> start, T x) {
    constexpr T unit = Logistic<A>::unit;
    const T near = Mish::near<A>(x);
    const Scaled<A> exp(start);
    const T product = near * exp.power, x_e = multiply_add<A>(exp.p, product, product);
    const T e = multiply_add<A>(exp.p, exp.power, exp.power) * unit;
    const T n = multiply_add<A>(x_e, e, 2 * x_e), s = multiply_add<A>(e, e, 2 * e), d = 2 + s;
    if constexpr (A::wide) {
      const T y = n / d;
      return x <= Logistic<A>::rightmost ? y : x;
    } else {
      const T r = 1 / d, q = n * r, n_rest = residual(x_e, e, 2 * x_e - n), d_rest = s - (d - 2);
      const T left = multiply_add<A>(r, residual(-q, d, n) + multiply_add<A>(-q, d_rest, n_rest), q);
      return x < 0 ? left * unit : with_sign_of(multiply_add<A>(-2 * near, r, x), x);
    }
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T slope(T x) {
    const T near = Mish::near<A>(x);
    const Scaled<A> exp(near, -Logistic<A>::shift);
    const T e = multiply_add<A>(exp.p, exp.power, exp.power) * Logistic<A>::unit;
    const T n = multiply_add<A>(e, e, 2 * e), r = 1 / (2 + n);
    return r * multiply_add<A>(4 * near * e, (1 + e) * r, n) + nan_of(x);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> backward_start(T, T x) {
    return Decay<A>::start(at_most(absolute(x), Decay<A>::largest));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(Kept<A, 2> start, T dy, T x) {
    // d is a quarter of the formula's, numerators a sixteenth: dy may be as large as the format allows.
    const T a = at_most(absolute(x), Decay<A>::largest), quarter = with_sign_of(a, x) / 4, linear = quarter + T(0.375);
    const Decay<A> decay(start);
    const T e = decay.value(), sum = exact_multiply_add<A>(e, e / 2, e / 2);
    const T by_e_square = multiply_add<A>(e, T(0.0625), T(0.25)), slope = exact_multiply_add<A>(e, by_e_square, linear);
    const T part = x < 0 ? exact_multiply_add<A>(e, e / 4, e / 2) : sum, one = x < 0 ? T(0.5) : T(0.25), d = one + part;
    const T constant = quarter + T(0.25), factor = d / 2 - quarter * (1 + e), e_square = e * e, right = e_square * factor;
    if constexpr (A::wide) {
      const T left = decay.mantissa_times(exact_multiply_add<A>(e, slope, constant));
      const T quotient = (x < 0 ? decay.times_mantissa(dy, left) : right) / (d * d);
      return x < 0 ? quotient : dy * (1 - quotient);
    } else {
      // What roundings left out is put back: of e in the numerators, of d and its square in 1 / d^2, which is (1 + more)
      // times the word.
      const T e_rest = decay.rest_of_value(e);
      const T by_e = multiply_add<A>(e, multiply_add<A>(e, T(0.1875), T(0.5)), linear);
      const T constant_and_rest = multiply_add<A>(e_rest, by_e, constant);
      const T left = exact_multiply_add<A>(e, slope, constant_and_rest);
      const T by_e_square_rest = multiply_add<A>(e, T(0.0625), T(0.25) - by_e_square);
      const T slope_rest = multiply_add<A>(e, by_e_square_rest, residual(e, by_e_square, linear - slope));
      const T left_rest = multiply_add<A>(e, slope_rest, residual(e, slope, -left) + constant_and_rest);
      const T d_rest = multiply_add<A>(e_rest, (1 + e) / 2, part - (d - one));
      const T square = multiply_add<A>(d, d, 2 * d * d_rest), reciprocal = 1 / square;
      const T square_rest = multiply_add<A>(2 * d, d_rest, residual(d, d, -square));
      const T more = multiply_add<A>(-square_rest, reciprocal, residual(-reciprocal, square, T(1)));
      const T e_square_rest = multiply_add<A>(2 * e, e_rest, product_error(e, e, e_square));
      const T right_rest = multiply_add<A>(e_square_rest, factor, product_error(e_square, factor, right));
      const T top = x < 0 ? left : right, top_rest = x < 0 ? left_rest : right_rest, quotient = top * reciprocal;
      const T rest = multiply_add<A>(quotient, more, product_error(top, reciprocal, quotient));
      const T quotient_rest = multiply_add<A>(top_rest, reciprocal, rest);
      const T mantissa = quotient + multiply_add<A>(decay.p, quotient, quotient_rest);
      return x < 0 ? decay.times_mantissa(dy, mantissa) : dy * (1 - (quotient + quotient_rest));
    }
  }

 private:
  template <class A, class T = typename A::word>
  NUMACT_LANE static T near(T x) {
    return not_above(not_below(x, Logistic<A>::leftmost), Logistic<A>::rightmost);
  }
};

}  // namespace
}  // namespace numact

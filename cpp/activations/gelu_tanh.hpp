// gelu_tanh(x) = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) = x sigmoid(t), t = 2 sqrt(2/pi) (x + 0.044715 x^3). With
// t = t(|x|) and e = exp(-t):
//   gelu_tanh' = e (1 + e - |x| t') / (1 + e)^2 for x < 0, 1 - that for x >= 0
// gelu_tanh(-infinity) = -0.0.
//
// Largest errors found, in ulp, of all levels (tools/make_docs.py):
//   gelu_tanh float32 forward 1.9865, x = -0x1.fe8756p-10
//   gelu_tanh float32 backward 3.3997, x = -0x1.af1664p-3, dy = -0x1.7d5ed6p-56
//   gelu_tanh precise float32 0.5015, 0.5024
//   gelu_tanh float64 forward 1.9715, x = -0x1.fca1539e883e5p-40
//   gelu_tanh float64 backward 2.9456, x = -0x1.3d57050b9616dp-1, dy = 0x1.ef32cb2866458p+59
#pragma once
#include "../lanes/exp.hpp"

namespace numact {
namespace {

struct GeluTanh {
  static constexpr Pair<double> linear = {1.5957691216057308, -9.96930880911092e-17};  // 2 sqrt(2/pi)
  static constexpr Pair<double> cubic = {0.07135481627260025, -6.175149918155315e-19};  // 0.044715 * 2 sqrt(2/pi)

  // t in two words, or the exponential would amplify its rounding. x t'(x) - t is twice the cubic term.
  template <class A>
  struct Cubic {
    using word = typename A::word;
    static constexpr word grid = Format<word>::round_magic * word(Logistic<A>::is_float ? 0x1p-20 : 0x1p-46);
    // of so few bits that factor - leading is exact
    static constexpr word leading = A::wide ? word(linear.hi) : (word(linear.hi) + grid) - grid;
    word x, square, value, rest;

    NUMACT_LANE explicit Cubic(word near) : x(near), square(x * x), rest(0) {
      const word c = word(cubic.hi), factor = multiply_add<A>(c, square, leading);
      value = x * factor;
      if constexpr (!A::wide) {
        const word low = multiply_add<A>(c, product_error(x, x, square),
                                         multiply_add<A>(rest_of(cubic, c), square, rest_of(linear, leading)));
        rest = multiply_add<A>(x, residual(c, square, leading - factor) + low, residual(x, factor, -value));
      }
    }
  };
  // Left of it gelu_tanh and its derivative are 0.
  template <class A>
  static constexpr typename A::word leftmost = Logistic<A>::is_float ? -11 : -21.7;

  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> forward_start(T x) {
    const Cubic<A> t(not_below(x, leftmost<A>));
    return Logistic<A>::start(t.value, t.rest);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(Kept<A, 2> start, T x) {
    using L = Logistic<A>;
    const T y = L::quotient(not_below(x, leftmost<A>), start);
    return x <= T(L::is_float ? 5 : 8) ? y : x;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T slope(T x) {
    using L = Logistic<A>;
    const Cubic<A> t(not_below(x, leftmost<A>));
    const T y = L::slope(t.value + multiply_add<A>(2 * t.x, T(cubic.hi) * t.square, t.rest), t.value, t.rest);
    return x <= T(L::is_float ? 6 : 8) ? y : 1 + nan_of(x);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 4> backward_start(T, T x) {
    const Cubic<A> t(counted<A>(absolute(x), T(Logistic<A>::is_float ? 13.6 : 27.1)));
    // x t'(x), which is t + 2 (t - linear x)
    const T above = exact_multiply_add<A>(T(-linear.hi), t.x, t.value), product = multiply_add<A>(T(2), above, t.value);
    const T left_out = multiply_add<A>(T(-2) * rest_of(linear, T(linear.hi)), t.x, 3 * t.rest);
    const T rest = multiply_add<A>(T(2), above, t.value - product) + left_out;
    return Decay<A>::start(t.value, t.rest).with(product, rest);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(Kept<A, 4> start, T dy, T x) {
    const Decay<A> decay(start);
    return decay.times_slope(dy, x, decay.slope(start.word[2], start.word[3]));
  }
  // t is near_decay just beyond it.
  template <class A, class T = typename A::word>
  NUMACT_LANE static T near_range() {
    return Logistic<A>::is_float ? 9.6 : 21;
  }
};

}  // namespace
}  // namespace numact

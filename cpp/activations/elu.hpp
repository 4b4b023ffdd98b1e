// elu(x, alpha) = x for x > 0, alpha (exp(x) - 1) elsewhere; derivative at 0: alpha.
// celu(x, alpha) = x for x > 0, alpha (exp(x / alpha) - 1) elsewhere, alpha > 0; derivative at 0: 1.
// selu(x) = scale * elu(x, alpha) with the constants of Klambauer et al. 2017; derivative at 0: scale * alpha.
//
// Largest errors found, in ulp, of all levels; float32 on all inputs (with another parameter every 61st), float64 on eight million
// points, and tens of millions with parameters of all mantissas. elu: float32 forward 1.9838 at -0x1.2b10b0p-2 (alpha = 0.48831),
// backward 2.9296 at x = -0x1.5113e8p-1, dy = -2.3166e-38 (alpha = 1.96); precise 0.5040 and 0.5014; float64 forward 2.30 at
// -0x1.66194e1e47a2fp-2 (alpha = 0.42332), backward 2.96 at x = -0x1.000000000000bp-1, dy = -3.5975e-308 (alpha = 1.96). selu:
// float32 forward 1.9231 at -0x1.39a4ecp-3, backward 3.2230 at x = -0x1.28483p+2, dy = -1.3193e-36; precise 0.5040 and 0.5015;
// float64 forward 1.88 at -0x1.48e8a0709d099p-2, backward 3.07 at x = -0x1.6f1b11d4a4f08p+3, dy = -2.4185e-303. celu: float32
// forward 1.9471 at -0x1.2bcb14p-3 (alpha = 0.42134), backward 2.4124 at x = -0x1.12e53cp-2, dy = 0.7063 (alpha = 0.7771);
// precise 0.5038 and 0.5015; float64 forward 2.27 at -0x1.29be6670b4140p+0 (alpha = 3.3459), backward 2.37 at x =
// -0x1.1980ece4d700fp+4, dy = 91568 (alpha = 1.54).
#pragma once
#include "../lanes/exp.hpp"
#include "relu.hpp"

namespace numact {
namespace {

struct Elu {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x, T alpha) {
    const T left = alpha * expm1_negative<A>(-absolute(x));
    return x < 0 ? left : x;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x, T alpha) {
    const T a = absolute(x);
    T left;
    if constexpr (A::wide) {
      left = dy * (alpha * Decay<A>(a).value());
    } else {
      // The power of two in alpha joins that of exp(-a), so that nothing overflows or underflows before the result does; one bit
      // of it stays with the mantissa, or its first two parts might go too far.
      constexpr T least = sizeof(T) == sizeof(float) ? -378 : -3066;
      const T size = at_most(absolute(alpha), Format<T>::largest), down = reciprocal_of_power(power_part(size));
      const Reduced<A> exp(-at_most(a, T(-1.5) * ExpConstants<A>::lowest), 0);
      const T factor = 2 * (alpha * down), mantissa = multiply_add<A>(exp.expm1(), factor, factor);
      const auto power = power_of_two<A>(at_least(exp.n + (exponent_part(size) - 1), least));
      left = dy * power.part * power.part * (power.rest * mantissa);
    }
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
  static constexpr Pair<double> scale_alpha = {1.7580993408473768, 1.4153519380084477e-17};  // scale * 1.6732632423543772848170...

  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x) {
    const T left = T(scale_alpha.hi) * expm1_negative<A>(-absolute(x));
    return x < 0 ? left : T(scale) * x;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x) {
    const T left = T(scale_alpha.hi) * Decay<A>(absolute(x)).times(dy);
    return x > 0 ? T(scale) * dy : left;
  }
  // The rest of the constant counts where y cancels its leading word.
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_from_output(T dy, T y) {
    const T left = (y + T(scale_alpha.hi)) + rest_of(scale_alpha, T(scale_alpha.hi));
    return dy * (y > 0 ? T(scale) : left);
  }
};

struct Celu {
  // A tiny x / alpha may have underflowed: there celu is x. What its rounding left out of x counts times the derivative.
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(T x, T alpha) {
    const T divisor = positive(alpha), a = absolute(x), t = a / divisor, expm1 = expm1_negative<A>(-t);
    const T rest = A::wide || t > 50 ? 0 : residual(-t, divisor, a);
    const T left = exact_multiply_add<A>(divisor, expm1, -rest * (1 + expm1));
    return x < 0 && !(t < T(0x1p-100)) ? left : x;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(T dy, T x, T alpha) {
    const T divisor = positive(alpha), t = absolute(x) / divisor;
    const T left = Decay<A>(t, quotient_rest<A>(absolute(x), divisor, t)).times(dy);
    return x > 0 ? dy : left;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward_from_output(T dy, T y, T alpha) {
    return dy * (y > 0 ? 1 : (y + positive(alpha)) / positive(alpha));
  }

 private:
  // What the rounding of the quotient t = a / b left out, where exp(-t) tells it. a and b are brought away from the ends of
  // the format, where it would underflow or its splitting overflow.
  template <class A, class T = typename A::word>
  NUMACT_LANE static T quotient_rest([[maybe_unused]] T a, [[maybe_unused]] T b, [[maybe_unused]] T t) {
    if constexpr (A::wide) {
      return 0;
    } else {
      constexpr bool is_float = sizeof(T) == sizeof(float);
      constexpr T up = is_float ? T(0x1p40) : T(0x1p200), large = is_float ? T(0x1p80) : T(0x1p800);
      const T down = b > large ? 1 / up : T(1), scale = b < 1 / large ? up : down, divisor = b * scale;
      return t < -ExpConstants<A>::lowest ? residual(-t, divisor, a * scale) * (1 / divisor) : 0;
    }
  }
};

}  // namespace
}  // namespace numact

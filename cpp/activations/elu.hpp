// elu(x, alpha) = x for x > 0, alpha (exp(x) - 1) elsewhere; derivative at 0: alpha.
// celu(x, alpha) = x for x > 0, alpha (exp(x / alpha) - 1) elsewhere, alpha > 0; derivative at 0: 1.
// selu(x) = scale * elu(x, alpha) with the constants of Klambauer et al. 2017; derivative at 0: scale * alpha.
//
// Largest errors found, in ulp, of all levels (tools/make_docs.py):
//   elu float32 forward 1.9838, x = -0x1.2b10b0p-2, parameters 0.488312632
//   elu float32 backward 2.9296, x = -0x1.5113e8p-1, dy = -0x1.f880ccp-126, parameters 1.96
//   elu precise float32 0.5040, 0.5014
//   elu float64 forward 2.3032, x = -0x1.66194e1e47a2fp-2, parameters 0x1.b17d0a5cf2b8dp-2
//   elu float64 backward 2.9585, x = -0x1.000000000000bp-1, dy = -0x1.9de7fb077b606p-1022, parameters 1.96
//   selu float32 forward 1.9231, x = -0x1.39a4ecp-3
//   selu float32 backward 3.2230, x = -0x1.28483p+2, dy = -0x1.c0f372p-120
//   selu precise float32 0.5040, 0.5015
//   selu float64 forward 1.8797, x = -0x1.48e8a0709d099p-2
//   selu float64 backward 3.0665, x = -0x1.6f1b11d4a4f08p+3, dy = -0x1.a894b6b697cfdp-1006
//   celu float32 forward 1.9471, x = -0x1.2bcb14p-3, parameters 0.421336323
//   celu float32 backward 2.4124, x = -0x1.12e53cp-2, dy = 0x1.69a228p-1, parameters 0.777101636
//   celu precise float32 0.5038, 0.5015
//   celu float64 forward 2.3184, x = -0x1.29be6670b4140p+0, parameters 0x1.ac4547c775659p+1
//   celu float64 backward 2.0049, x = -0x1.7f84673a8dd8fp+1, dy = 0x1.bd62c832ffea9p-17, parameters 0x1.3392ead553526p+1
#pragma once
#include "../lanes/exp.hpp"
#include "relu.hpp"

namespace numact {
namespace {

struct Elu {
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> forward_start(T x, T) {
    return expm1_start<A>(-absolute(x));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(Kept<A, 2> start, T x, T alpha) {
    const T left = alpha * Scaled<A>(start).expm1();
    return x < 0 ? left : x;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> backward_start(T, T x, T) {
    const T a = absolute(x);
    if constexpr (A::wide) return Decay<A>::start(at_most(a, Decay<A>::largest));
    const Reduced<A> exp(-at_most(a, T(-1.5) * ExpConstants<A>::lowest), 0);
    return {{exp.expm1(), exp.n}};
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(Kept<A, 2> start, T dy, T x, T alpha) {
    T left;
    if constexpr (A::wide) {
      left = dy * (alpha * Decay<A>(start).value());
    } else {
      // The power of two in alpha joins that of exp(-a), so that nothing overflows or underflows before the result does; one bit
      // of it stays with the mantissa, or its first two parts might go too far.
      constexpr bool is_float = sizeof(T) == sizeof(float);
      constexpr T least = is_float ? -378 : -3066, most = is_float ? T(0x1p126) : T(0x1p1022);  // whose reciprocal is normal
      const T finite = with_sign_of(at_most(absolute(alpha), Format<T>::largest), alpha);
      const T size = at_most(absolute(alpha), most), down = reciprocal_of_power(power_part(size));
      const T factor = 2 * (finite * down), mantissa = multiply_add<A>(start.word[0], factor, factor);
      const auto power = power_of_two<A>(at_least(start.word[1] + (exponent_part(size) - 1), least));
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
  NUMACT_LANE static Kept<A, 2> forward_start(T x) {
    return expm1_start<A>(-absolute(x));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(Kept<A, 2> start, T x) {
    const T left = T(scale_alpha.hi) * Scaled<A>(start).expm1();
    return x < 0 ? left : T(scale) * x;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> backward_start(T, T x) {
    return Decay<A>::start(counted<A>(absolute(x), Decay<A>::largest));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(Kept<A, 2> start, T dy, T x) {
    const T left = T(scale_alpha.hi) * Decay<A>(start).times(dy);
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
  NUMACT_LANE static Kept<A, 3> forward_start(T x, T alpha) {
    const T t = absolute(x) / positive(alpha);
    return expm1_start<A>(-t).with(t);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(Kept<A, 3> start, T x, T alpha) {
    const T divisor = positive(alpha), a = absolute(x), t = start.word[2], expm1 = Scaled<A>(start).expm1();
    const T rest = A::wide || t > 50 ? 0 : residual(-t, divisor, a);
    const T left = exact_multiply_add<A>(divisor, expm1, -rest * (1 + expm1));
    return x < 0 && !(t < T(0x1p-100)) ? left : x;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> backward_start(T, T x, T alpha) {
    const T divisor = positive(alpha), t = absolute(x) / divisor;
    return Decay<A>::start(counted<A>(t, Decay<A>::largest), quotient_rest<A>(absolute(x), divisor, t));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(Kept<A, 2> start, T dy, T x, T) {
    const T left = Decay<A>(start).times(dy);
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

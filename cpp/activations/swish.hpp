// swish(x, beta) = x sigmoid(beta x); silu(x) = swish(x, 1). With t = beta x and e = exp(-|t|):
//   swish  = x / (1 + e) for t >= 0,  x e / (1 + e) for t < 0
//   swish' = (1 + e + t e) / (1 + e)^2,  e (1 + e + t) / (1 + e)^2
//   d swish / d beta = x^2 e / (1 + e)^2; float64 terms within 0.29 of 2^-53 on a million points of all exponents
// The limit 0 at the infinity where t is -infinity; beta = 0 gives x/2 everywhere.
// quick_gelu(x) = swish(x, 1.702), the constant in two words where x is.
//
// Largest errors found, in ulp, of all levels (tools/make_docs.py):
//   silu float32 forward 1.9980, x = -0x1.0007fcp-11
//   silu float32 backward 3.8251, x = -0x1.4c1366p-2, dy = -0x1.7787fap+0
//   silu precise float32 0.5014, 0.5023
//   silu float64 forward 1.9789, x = -0x1.ff80aa348890ap-9
//   silu float64 backward 3.1585, x = -0x1.bd5a233611acfp-2, dy = -0x1.ba3e2f9b8de86p+157
//   quick_gelu float32 forward 2.0477, x = -0x1.7417ep+3
//   quick_gelu float32 backward 3.3966, x = -0x1.a102c8p-3, dy = 0x1.7fba2ep-88
//   quick_gelu precise float32 0.5014, 0.5022
//   quick_gelu float64 forward 1.9736, x = 0x1.fdfec72092d6fp+3
//   quick_gelu float64 backward 2.8761, x = 0x1.1ac627373350fp-22, dy = 0x1.ff9c1fd3d656cp+114
//   swish float32 forward 1.9965, x = -0x1.ffe808p-11, parameters 1
//   swish float32 backward 0.5021, x = -0x1.0a04f8p+0, dy = 0x1p+0, parameters 1
//   swish precise float32 0.5014, 0.5023
//   swish float64 forward 1.9730, x = -0x1.fc9eeadae7b3dp-12, parameters 1
//   swish float64 backward 3.8628, x = 0x1.aa3586e32b54ap+0, dy = 0x1.ef6c1684ef5cep+15, parameters -0x1.5f703a184bec3p-1
#pragma once
#include "sigmoid.hpp"

namespace numact {
namespace {

struct Silu {
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> forward_start(T x) {
    return Logistic<A>::start(not_below(x, Logistic<A>::leftmost));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(Kept<A, 2> start, T x) {
    using L = Logistic<A>;
    const T y = L::quotient(not_below(x, L::leftmost), start);
    return x <= L::rightmost ? y : x;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T slope(T x) {
    using L = Logistic<A>;
    const T near = not_below(x, L::leftmost), y = L::slope(near, near);
    return x <= L::rightmost ? y : 1 + nan_of(x);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> backward_start(T, T x) {
    return Decay<A>::start(counted<A>(absolute(x), Decay<A>::largest));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(Kept<A, 2> start, T dy, T x) {
    const Decay<A> decay(start);
    return decay.times_slope(dy, x, decay.slope(counted<A>(absolute(x), Decay<A>::largest)));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T near_range() {
    return near_decay<A>;
  }
};

// t = 1.702 x, the factor in two words.
struct QuickGelu {
  static constexpr Pair<double> factor = {1.702, 4.263256414560601e-17};

  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> forward_start(T x) {
    const T near = not_below(x, T(Logistic<A>::leftmost / factor.hi));
    return Logistic<A>::start(Product<A>(T(factor.hi), near), near * rest_of(factor, T(factor.hi)));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(Kept<A, 2> start, T x) {
    using L = Logistic<A>;
    const T y = L::quotient(not_below(x, T(L::leftmost / factor.hi)), start);
    return x <= L::rightmost ? y : x;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T slope(T x) {
    using L = Logistic<A>;
    const Product<A> t(T(factor.hi), not_below(x, T(L::leftmost / factor.hi)));
    const T y = L::slope(t.value, t, t.x * rest_of(factor, T(factor.hi)));
    return x <= L::rightmost ? y : 1 + nan_of(x);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 3> backward_start(T, T x) {
    const Product<A> a = magnitude<A>(x);
    const T rest = multiply_add<A>(a.x, rest_of(factor, T(factor.hi)), a.rest());
    return Decay<A>::start(a.value, rest).with(rest);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(Kept<A, 3> start, T dy, T x) {
    const Decay<A> decay(start);
    return decay.times_slope(dy, x, decay.slope(magnitude<A>(x).value, start.word[2]));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T near_range() {
    return near_decay<A> / factor.hi;
  }

 private:
  template <class A, class T = typename A::word>
  NUMACT_LANE static Product<A> magnitude(T x) {
    return {T(factor.hi), counted<A>(absolute(x), T(Decay<A>::largest / factor.hi))};
  }
};

// t = b u with b = |beta|, u = x times the sign of beta, both finite and u no larger than counts.
struct Swish {
  template <class A, class T = typename A::word>
  NUMACT_LANE static T size(T beta) {
    return at_most(absolute(beta), Format<T>::largest);
  }
  // u where b u is t
  template <class A, class T = typename A::word>
  NUMACT_LANE static T bound(T t, T b) {
    return at_most(t / b, Format<T>::largest);
  }
  // How large |x| may be for exp(-|t|) to count.
  template <class A, class T = typename A::word>
  NUMACT_LANE static T limit(T beta) {
    return bound<A>(Decay<A>::largest, size<A>(beta));
  }
  // |t|, as far as it counts
  template <class A, class T = typename A::word>
  NUMACT_LANE static Product<A> argument(T x, T beta, T limit) {
    return {size<A>(beta), at_most(absolute(x), limit)};
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 3> forward_start(T x, T beta) {
    using L = Logistic<A>;
    const T b = size<A>(beta), u = times_sign_of(x, beta);
    if constexpr (A::near) return L::start_of_any(Product<A>(b, u)).with(u);
    const T near = at_least(at_most(u, bound<A>(L::rightmost, b)), -bound<A>(-L::leftmost_of_any, b));
    const T infinite = b == 0 ? T(-__builtin_inf()) : T(-0.0);  // the numerator at minus infinity
    return L::start_of_any(Product<A>(b, near)).with(u < -Format<T>::largest ? infinite : near);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(Kept<A, 3> start, T x, T beta) {
    using L = Logistic<A>;
    const T u = times_sign_of(x, beta), y = L::quotient_of_any(start.word[2], 1, {{start.word[0], start.word[1]}});
    return times_sign_of(!A::near && u > bound<A>(L::rightmost, size<A>(beta)) ? u : y, beta);
  }
  // Not for a beta that makes near even of what halving may round.
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward_near_range(T beta) {
    const T b = size<A>(beta);
    return b < (sizeof(T) == sizeof(float) ? T(0x1p100) : T(0x1p900)) ? bound<A>(T(near_decay<A>), b) : T(0);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 3> backward_start(T, T x, T beta) {
    const auto a = argument<A>(x, beta, limit<A>(beta));
    return Decay<A>::start(a).with(a.x);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(Kept<A, 3> start, T dy, T x, T beta) {
    const Product<A> a(size<A>(beta), start.word[2]);
    const Decay<A> decay(start);
    return decay.times_slope(dy, times_sign_of(x, beta), decay.slope(a.value, a.rest()));
  }
  // For both gradients; exp(-|t|) / 2^n in two words where the arithmetic is.
  template <class A>
  using Both = Kept<A, A::paired ? 5 : 3>;
  template <class A, class T = typename A::word>
  NUMACT_LANE static Both<A> gradients_start(T x, T beta, T limit) {
    const auto a = argument<A>(x, beta, limit);
    const Reduced<A> reduced(-a, Format<T>::exponent_bias);
    if constexpr (A::paired) {
      const Pair<T> m = reduced.exp(-a);
      return {{reduced.expm1(), reduced.z, a.x, m.hi, m.lo}};
    } else {
      return {{reduced.expm1(), reduced.z, a.x}};
    }
  }
  // In two words where the arithmetic is: what each rounding leaves out is carried along.
  template <class A, class T = typename A::word>
  NUMACT_LANE static typename A::number parameter_term(Both<A> start, T dy) {
    const T x = start.word[2];
    if constexpr (A::wide) {
      const T e = Decay<A>(start).value();
      return dy * x * x * (e * (1 / multiply_add<A>(e, e + 2, T(1))));
    } else {
      // e = m 2^n, v = 1 + e, g = m / v^2
      constexpr T offset = Format<T>::round_magic + Format<T>::exponent_bias;
      const Pair<T> m = {start.word[3], start.word[4]};
      const T exponent = start.word[1] - offset, unit = Decay<A>(start).unit;
      const T e = m.hi * unit, v = 1 + e, v_lo = multiply_add<A>(m.lo, unit, e - (v - 1));
      const T d = v * v, d_lo = multiply_add<A>(2 * v, v_lo, product_error(v, v, d)), reciprocal = 1 / d;
      const T g = m.hi * reciprocal, g_lo = (residual(-g, d, m.hi) + multiply_add<A>(-g, d_lo, m.lo)) * reciprocal;
      // Half of 2^n goes to either x; dy is brought away from the end of the format before, which the second x makes up for. At
      // 2^-2119 a may be less than |t|: the term counts as 0.
      const T z = multiply_add<A>(exponent, T(0.48), offset);
      const T power = power_from_rounded<T>(z), other_power = power_from_rounded<T>((exponent - z) + (2 * offset + 90));
      const bool small = absolute(dy) < 1;
      const T up = small ? T(0x1p300) : T(0x1p-90), down = small ? T(0x1p-390) : T(1);
      const Pair<T> slope = times({g, g_lo}, dy * (exponent < -2118 ? 0 : up));
      return times(times(slope, x * power), x * down * other_power);
    }
  }
};

}  // namespace
}  // namespace numact

// gelu(x) = x Phi(x), Phi the normal distribution function; gelu'(x) = Phi(x) + x phi(x). With a = |x| and lanes/normal.hpp:
//   gelu  = max(x, 0) - a Phi(-a); x (1/2 + x P(x^2)) for a < 1/2, which saves roundings
//   gelu' = gelu'(-a) for x < 0, 1 - gelu'(-a) for x >= 0
// slope, gelu' beside gelu, takes Phi(x) and phi(x) of what gelu has: 1 / (exp(a^2/2) (sqrt(2 pi) a D + N)) is Phi(-a) / D;
// within 3.2 ulp of its terms Phi and x phi.
// gelu(-infinity) = -0.0.
//
// Largest errors found, in ulp, of all levels; float32 on all inputs (with a parameter on every 61st), float64 on a million
// points. Float32 forward 2.3993 at -0x1.5c744p+0, backward 3.9738 at x = -0x1.d614d2p+0, dy = -6.1983e-20; precise 0.5205
// and 0.5097; float64 forward 2.15 at -0x1.80ead197f0c4bp-1, backward 3.38 at x = -0x1.0002dfa247776p-1, dy = 7.9741e+301.
#pragma once
#include "../lanes/normal.hpp"

namespace numact {
namespace {

struct Gelu {
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 2> forward_start(T x) {
    const Left<A> left(x);
    return {{left.tail.a_d, left.denominator()}};
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T forward(Kept<A, 2> start, T x) {
    const T y = multiply_add<A>(-Logistic<A>::unit, start.word[0] / start.word[1], x < 0 ? T(-0.0) : x);
    if constexpr (A::wide) return y;
    return absolute(x) < T(0.5) ? x * center<A>(x, x * x) : y;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 3> backward_start(T, T x) {
    const Deviate<A> deviate(counted<A>(absolute(x), T(for_float32<A> ? 20 : 54)));
    return Decay<A>::start(deviate.half, deviate.half_rest).with(slope_fraction<A>(deviate));
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(Kept<A, 3> start, T dy, T x) {
    constexpr long double twice_density_at_0 = 2 / root_of_2pi;
    Decay<A> decay(start);
    // 2 phi(a) = (1 + p) 2^n
    decay.p = multiply_add<A>(decay.p, T(twice_density_at_0), T(twice_density_at_0 - 1));
    const T y = decay.times_slope(dy, x, start.word[2] * T(0.5));
    if constexpr (A::wide) return y;
    return absolute(x) < T(0.25) ? dy * multiply_add<A>(x, central_slope<A>(x * x), T(0.5)) : y;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T slope(T x) {
    const Left<A> left(x);
    const T quotient = Logistic<A>::unit / left.denominator(), phi = quotient * left.tail.d, outer = x < 0 ? phi : 1 - phi;
    const T density = quotient * left.tail.denominator() * T(1 / root_of_2pi), a = left.deviate.a;
    const T normal = absolute(x) < T(0.5) ? center<A>(x, left.deviate.square) : outer;
    return multiply_add<A>(with_sign_of(a, x), density, normal) + nan_of(x);
  }
  // x^2/2 is near_decay just beyond it.
  template <class A, class T = typename A::word>
  NUMACT_LANE static T near_range() {
    return for_float32<A> ? 12.6 : 37.4;
  }

 private:
  // What Phi(-a) is made of: unit D / denominator().
  template <class A>
  struct Left {
    using word = typename A::word;
    Deviate<A> deviate;
    TailFraction<A> tail;
    Scaled<A> growth;

    NUMACT_LANE explicit Left(word x)
        : deviate(not_above(absolute(x), word(for_float32<A> ? 15 : 39)), -root_of_2pi_excess<A>),
          tail(deviate),
          growth(deviate.half, Logistic<A>::shift, deviate.half_rest) {}
    NUMACT_LANE word denominator() const { return growth.power * tail.denominator_times(growth.p); }
  };
  // Phi(x) near 0
  template <class A, class T = typename A::word>
  NUMACT_LANE static T center(T x, T square) {
    return multiply_add<A>(x, central_fraction<A>(square), T(0.5));
  }
  // (gelu'(x) - 1/2) / x, its series up to x^8 or x^16: for |x| < 1/4 the next term is 2^-34 or 2^-62 of gelu'.
  static constexpr long double series(int k) {
    long double term = (2 * k + 2) / ((2 * k + 1) * root_of_2pi);
    for (int i = 1; i <= k; ++i) term /= -2 * i;
    return term;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T central_slope(T square) {
    if constexpr (for_float32<A>) {
      return horner<A>(square, T(series(0)), T(series(1)), T(series(2)), T(series(3)), T(series(4)));
    } else {
      return polynomial<A>(square, square * square, T(series(0)), T(series(1)), T(series(2)), T(series(3)), T(series(4)),
                           T(series(5)), T(series(6)), T(series(7)), T(series(8)));
    }
  }
};

}  // namespace
}  // namespace numact

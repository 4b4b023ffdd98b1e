// gelu(x) = x Phi(x), Phi the normal distribution function; gelu'(x) = Phi(x) + x phi(x). With a = |x| and lanes/normal.hpp:
//   gelu  = max(x, 0) - a Phi(-a); x (1/2 + x P(x^2)) for a < 1/2, which saves roundings
//   gelu' = gelu'(-a) for x < 0, 1 - gelu'(-a) for x >= 0
// slope, gelu' beside gelu, takes Phi(x) and phi(x) of what gelu has: 1 / (exp(a^2/2) (sqrt(2 pi) a D + N)) is Phi(-a) / D;
// within 3.2 ulp of its terms Phi and x phi.
// gelu(-infinity) = -0.0.
//
// Largest errors found, in ulp, of all levels (tools/make_docs.py):
//   gelu float32 forward 2.3993, x = -0x1.5c744p+0
//   gelu float32 backward 3.5921, x = -0x1.db1d1ap+0, dy = -0x1.3dcb76p-90
//   gelu precise float32 0.5205, 0.5098
//   gelu float64 forward 2.1788, x = -0x1.80eac98b49b4bp-1
//   gelu float64 backward 3.4632, x = -0x1.31967ec70c39dp+2, dy = -0x1.7de249b89539dp+474
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
    // max(x, 0), -0.0 for x < 0. Written as x < 0, clang would take 0 for -0.0.
    const T right = absolute(x) > x ? T(-0.0) : x;
    const T y = multiply_add<A>(-Logistic<A>::unit, start.word[0] / start.word[1], right);
    if constexpr (A::wide) return y;
    return absolute(x) < T(0.5) ? x * center<A>(x, x * x) : y;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static Kept<A, 4> backward_start(T, T x) {
    const Deviate<A> deviate(counted<A>(absolute(x), T(for_float32<A> ? 20 : 54)));
    const Pair<T> y = slope_over_decay<A>(deviate);
    return Decay<A>::start(deviate.half, deviate.half_rest).with(y.hi, y.lo);
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T backward(Kept<A, 4> start, T dy, T x) {
    const T y = Decay<A>(start).times_slope(dy, x, {start.word[2], start.word[3]});
    if constexpr (A::wide) return y;
    return absolute(x) < T(0.25) ? dy * multiply_add<A>(x, central_slope<A>(x * x), T(0.5)) : y;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T slope(T x) {
    const Left<A> left(x);
    const T quotient = Logistic<A>::unit / left.denominator(), phi = quotient * left.tail.d, outer = x < 0 ? phi : 1 - phi;
    const T density = quotient * left.tail.denominator() * T(0x1.9884533d43651p-2), a = left.deviate.a;
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
  template <class A, class T = typename A::word>
  NUMACT_LANE static T central_slope(T square) {
    if constexpr (for_float32<A>) {
      return horner<A>(square, T(0x1.9884533d43651p-1), T(-0x1.1058377e2cee0p-2), T(0x1.ea3863e31dac7p-5),
                       T(-0x1.37403f6ba1100p-7), T(0x1.2e9ae8534e5ddp-10));
    } else {
      return polynomial<A>(square, square * square, 0x1.9884533d43651p-1, -0x1.1058377e2cee0p-2, 0x1.ea3863e31dac7p-5,
                           -0x1.37403f6ba1100p-7, 0x1.2e9ae8534e5ddp-10, -0x1.db5d78220d426p-14, 0x1.38d8dd48bc252p-17,
                           -0x1.62226a4aabe03p-21, 0x1.5f87cf283d6f7p-25);
    }
  }
};

}  // namespace
}  // namespace numact

// The normal distribution function Phi, and what gelu'(x) = Phi(x) + x phi(x) takes of it. Polynomials P, N, D by Remez,
// tools/fit_normal.py, with relative errors; a >= 0:
//   Phi(x) = 1/2 + x P(x^2), |x| <= 1/2: float32 degree 3, 2^-28.7; float64 degree 7, 2^-60.4.
//   Phi(-a) = exp(-a^2/2) D(a) / (sqrt(2 pi) a D(a) + N(a)): Single degrees 3, 4 from 1/2 to 14, 2^-26.4; Wide and Portable
//     4, 5 from 0 to 24.5, 2^-29.7; Double 9, 10 from 1/2 to 66.3, 2^-59.7.
//   gelu'(-a) = phi(a) (root - a) (1 + N(a) / D(a)): float32 degrees 4, 5 up to 24.5, 2^-30.8; float64 9, 10 up to 66.3,
//     2^-58.5.
// All coefficients of N and D are positive, so that nothing cancels, and the larger a, the less the quotient depends on them.
#pragma once
#include "exp.hpp"

namespace numact {
namespace {

template <class A>
constexpr bool for_float32 = A::wide || sizeof(typename A::word) == sizeof(float);

// A double takes it too large by 7.3e-17 of it; the exponent makes up for that, and N has the same factor.
constexpr double root_of_2pi = 2.506628274631000502415765284811045253;
template <class A>
constexpr typename A::word root_of_2pi_excess = for_float32<A> ? 0 : 7.312045494e-17;

// a, a^2, and a^2/2 in two words, or the exponential would amplify its rounding; `more` is added to it.
template <class A>
struct Deviate {
  using word = typename A::word;
  word a, square, half, half_rest;

  NUMACT_LANE explicit Deviate(word magnitude, word more = 0)
      : a(magnitude),
        square(a * a),
        half(square * word(0.5)),
        half_rest(A::wide ? 0 : multiply_add<A>(product_error(a, a, square), word(0.5), more)) {}
};

// (Phi(x) - 1/2) / x, |x| <= 1/2.
template <class A>
NUMACT_LANE typename A::word central_fraction(typename A::word square) {
  using T = typename A::word;
  if constexpr (for_float32<A>) {
    return horner<A>(square, T(0x1.98845208ad871p-2), T(-0x1.105748a2e512bp-4), T(0x1.4669043ae26dfp-7),
                     T(-0x1.2662eba1c70b7p-10));
  } else {
    return polynomial<A>(square, square * square, 0x1.9884533d43650p-2, -0x1.1058377e2ce56p-4, 0x1.46d042975a956p-7,
                         -0x1.37403f608c056p-10, 0x1.e42b044aacd0cp-14, -0x1.3ce6e19290508p-17, 0x1.64fb24a81087cp-21,
                         -0x1.4dc7b78eaed21p-25);
  }
}

// Phi(-a) exp(a^2/2) = D / (sqrt(2 pi) a D + N), a from 1/2 on, in Wide from 0.
template <class A>
struct TailFraction {
  using word = typename A::word;
  word d, a_d, n;  // D, a D, N

  NUMACT_LANE explicit TailFraction(Deviate<A> x) {
    word d_rest, n_rest, n_first;
    if constexpr (A::wide) {
      n_first = 0x1.00000004e9854p+1;
      n_rest = polynomial<A>(x.a, x.square, 0x1.4b58ebed05ecbp+0, 0x1.bc6379386c0aep-2, 0x1.456aa6fe6e649p-4,
                             0x1.bdd8e64b3278fp-8);
      d_rest = polynomial<A>(x.a, x.square, 0x1.1a437fe926d2fp+0, 0x1.2a3fea425a8e0p-1, 0x1.6d49d17d8971dp-3,
                             0x1.03b5533a34a47p-5, 0x1.63b7cb960b417p-9);
    } else if constexpr (sizeof(word) == sizeof(float)) {
      n_first = 0x1.fffdd8p+0f;
      n_rest = polynomial<A>(x.a, x.square, 0x1.1288eap+0f, 0x1.286dbap-2f, 0x1.23011cp-5f);
      d_rest = polynomial<A>(x.a, x.square, 0x1.fba86p-1f, 0x1.d70bd4p-2f, 0x1.d81da4p-4f, 0x1.d08e66p-7f);
    } else {
      n_first = 0x1.fffffffffd03cp+0;
      n_rest = polynomial<A>(x.a, x.square, 0x1.4bb20e780cebfp+1, 0x1.b480ad882f158p+0, 0x1.748815b2d9f58p-1,
                             0x1.c0d03fd2e2e7ep-3, 0x1.897c2d1b20abcp-5, 0x1.f58a9475bfabdp-8, 0x1.c1970b5938f79p-11,
                             0x1.037a40ae5bc66p-14, 0x1.2ba02626f4071p-19);
      d_rest = polynomial<A>(x.a, x.square, 0x1.c04916d8ba5cap+0, 0x1.83706b789fc16p+0, 0x1.acf42009bc179p-1,
                             0x1.4e6b169464a02p-2, 0x1.7e816955c1d2fp-4, 0x1.4514012509d12p-6, 0x1.96a4515be84ffp-9,
                             0x1.6896b13296c92p-12, 0x1.9e10f67daeaf4p-16, 0x1.de221cce6aa2ap-21);
    }
    n = exact_multiply_add<A>(x.a, n_rest, n_first);
    d = multiply_add<A>(x.a, d_rest, word(1));
    a_d = exact_multiply_add<A>(x.square, d_rest, x.a);
  }
  NUMACT_LANE word denominator() const { return exact_multiply_add<A>(word(root_of_2pi), a_d, n); }
  // (1 + p) times it, with one rounding that counts.
  NUMACT_LANE word denominator_times(word p) const {
    return exact_multiply_add<A>(word(root_of_2pi), a_d, exact_multiply_add<A>(p, denominator(), n));
  }
};

// gelu'(-a) / phi(a), relatively exact also near the root, with what the last rounding left out.
template <class A>
NUMACT_LANE Pair<typename A::word> slope_fraction(Deviate<A> x) {
  using T = typename A::word;
  constexpr Pair<double> exact_root = {0.7517915246935645, -1.4956759177005408e-17};
  constexpr T root = T(exact_root.hi), root_rest = rest_of(exact_root, root);
  T n, d;
  if constexpr (for_float32<A>) {
    n = polynomial<A>(x.a, x.square, T(0x1.558e909891189p-1), T(0x1.44af89624e649p-1), T(0x1.15cc9aec5af09p-2),
                      T(0x1.eae3d173c79dbp-5), T(0x1.8094bce401a79p-8));
    d = polynomial<A>(x.a, x.square, T(0x1.9d47d22ad7727p+0), T(0x1.1c9564f2c1cabp+0), T(0x1.a6d64cec7c34dp-2),
                      T(0x1.58fa0a2b900fbp-4), T(0x1.ff8d2d24bb57cp-8));
  } else {
    n = polynomial<A>(x.a, x.square, 0x1.558e9090f132dp-1, 0x1.17a6960a9f845p+0, 0x1.baeb9d497236ap-1,
                      0x1.b747cd2a1af2bp-2, 0x1.2ad9521dd29d0p-3, 0x1.20aecfec7edc6p-5, 0x1.8c55fddf3081dp-8,
                      0x1.763d3e6338c75p-11, 0x1.bc24cab753704p-15, 0x1.feec7d1e72947p-20);
    d = polynomial<A>(x.a, x.square, 0x1.2690474090ac9p+1, 0x1.3a960d65c09c8p+1, 0x1.9b9986369d186p+0,
                      0x1.6e51075369433p-1, 0x1.d0f3df54047d4p-3, 0x1.abe39326c94f7p-5, 0x1.1b56a4963c5c9p-7,
                      0x1.041628ab9a6a9p-10, 0x1.2d8823d2b4b3dp-14, 0x1.53cdddd34b58bp-19);
  }
  const T distance = (root - x.a) + root_rest;
  const T ratio = n / multiply_add<A>(x.a, d, T(1)), y = multiply_add<A>(distance, ratio, distance);
  return {y, A::wide ? 0 : residual(distance, ratio, distance - y)};
}
// That times phi(0), 1 / sqrt(2 pi), which is to be larger by `excess` of it: gelu'(-a) exp(a^2/2).
template <class A>
NUMACT_LANE Pair<typename A::word> slope_over_decay(Deviate<A> x, typename A::word excess = 0) {
  using T = typename A::word;
  constexpr Pair<double> density = {0.3989422804014327, -2.49232720227773e-17};
  constexpr T factor = T(density.hi);
  const Pair<T> fraction = slope_fraction<A>(x);
  const T y = fraction.hi * factor;
  if constexpr (A::wide) return {y, 0};
  const T factor_rest = rest_of(density, factor) + factor * excess, rest = product_error(fraction.hi, factor, y);
  return {y, multiply_add<A>(fraction.lo, factor, multiply_add<A>(fraction.hi, factor_rest, rest))};
}

}  // namespace
}  // namespace numact

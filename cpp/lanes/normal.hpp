// The normal tail Phi(-a), a >= 0, as fraction * exp(-a^2/2) with the power of two of the exponential kept apart. The fraction
// is the Mills ratio over sqrt(2 pi).
//
// fraction = q P(t), q = 9 / (a + 4.5), t = 1 - q = (a - 4.5) / (a + 4.5): one polynomial from 0 to where the exponential has
// vanished. P by Remez, tools/fit_normal.py, relative error: Single, Wide and Portable degree 10 up to a = 24.5, 2^-29.4;
// Paired degree 22 up to a = 66.3, 2^-55.5. Its last two steps run in numbers, because near the root of a derivative the
// fraction cancels. a^2 is exact: in one word for Wide, in two else, or the exponential would amplify its rounding.
#pragma once
#include "exp.hpp"

namespace numact {
namespace {

// a limited to where exp(-a^2/2) counts. NaN stays.
template <class A>
NUMACT_LANE typename A::word limited_deviate(typename A::word a) {
  return at_most(a, typename A::word(A::paired ? 66.3 : 24.5));
}

template <class A>
struct NormalTail {
  typename A::number fraction;
  Exponential<A> e;

  NUMACT_LANE explicit NormalTail(typename A::word a) : fraction(fraction_at(a)), e(gaussian(a)) {}  // limited

  NUMACT_LANE static typename A::number fraction_at(typename A::word a) {
    using T = typename A::word;
    if constexpr (!A::paired) {
      const T q = 9 / (a + T(4.5));
      return q * horner<A>(1 - q, T(0x1.5b5acd40fbf03p-4), T(-0x1.23636fe2e975ep-4), T(0x1.965ef5edeb0d7p-5),
                           T(-0x1.ccd4708f7cc73p-6), T(0x1.95890e0bbe92ap-7), T(-0x1.ed5790c0c325dp-9),
                           T(0x1.eb6467fb3a39fp-12), T(0x1.9acc717b44f01p-13), T(-0x1.a3ce12f453b67p-14),
                           T(-0x1.fbec362d47bf5p-20), T(0x1.48df7bde8c0dfp-17));
    } else {
      const auto q = number<A>(9) / two_sum(a, T(4.5));
      const auto leading = fast_two_sum(T(1), -q.hi);  // exact also for q > 1
      const Pair<T> t = {leading.hi, leading.lo - q.lo};
      const T square = t.hi * t.hi;
      const T even = horner<A>(square, 0x1.965ef9ffe59c9p-5, 0x1.95881ac19c1d1p-7, 0x1.ec162d07c4d9fp-12,
                               -0x1.abb36ba9ac8c5p-14, 0x1.a1b9a6da87df3p-17, -0x1.a898d0854f37fp-20,
                               0x1.ff3aca4ae6ed2p-23, -0x1.6993b9049e5a5p-25, 0x1.0b5443d1e6a63p-27,
                               -0x1.4b8dde70d56c3p-30, 0x1.c8d0d278ffe9ap-34);
      const T odd = horner<A>(square, -0x1.ccd4a11cbab1bp-6, -0x1.ed4974eefc401p-9, 0x1.9781ce73d0b2bp-13,
                              0x1.7ca76bf97c097p-21, -0x1.db3b4d2f55e4bp-20, 0x1.7cb90a62799dep-22,
                              -0x1.df7003f9a3411p-25, 0x1.ed97d1a5abddfp-28, -0x1.4914b88b566dbp-31,
                              0x1.33aecd1d34785p-37);
      const T high = multiply_add<A>(t.hi, odd, even);
      const auto c0 = constant<A>(0.08480339210780034906568L), c1 = constant<A>(-0.07113975113917965759819L);
      return q * madd(t, madd(t, number<A>(high), c1), c0);
    }
  }
  NUMACT_LANE static Exponential<A> gaussian(typename A::word a) {
    const auto square = a * a;
    if constexpr (A::wide) {
      return exp_negative<A>(square * -0.5);
    } else {
      const auto rest = product_error(a, a, square) / -2;
      if constexpr (A::paired) {
        return exp_negative<A>(square / -2, rest);
      } else {
        const auto e = exp_negative<A>(square / -2);
        return {multiply_add<A>(e.mantissa, rest, e.mantissa), e.power};
      }
    }
  }
};

}  // namespace
}  // namespace numact

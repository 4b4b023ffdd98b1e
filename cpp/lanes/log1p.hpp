// log1p(f) = s (1 + w p(w)) with s = f / (1 + f/2), w = s^2: the series of 2 atanh(s/2), for f in [0, 1].
//
// p by Remez on w <= 4/9, tools/fit_log1p.py, error relative to log1p(f): Portable degree 4, 2^-33.1; Paired degree 9,
// 2^-59.4, its result in two words. log1p(a) for any a in [0, 2^100]; NaN gives NaN.
//
// log1p_mantissa(Decay), of an exponential whose power of two is kept apart: log1p(e) = e / (1 + e (1/2 - e q(e))), q a quotient
// of polynomials with positive coefficients, by the same script: Single, Wide and Portable degrees 2 and 2, 2^-29.1;
// Double 5 and 5, 2^-56.8.
//
// Largest errors found of log1p(a): Portable 0.502 ulp of float; Paired 2^-55.4 of the result (at
// 0x1.ffff0ee111724p-1).
#pragma once
#include "exp.hpp"

namespace numact {
namespace {

template <class A>
NUMACT_LANE typename A::word log1p_p(typename A::word w) {
  if constexpr (A::wide) {
    return horner<A>(w, 0x1.5555584c27622p-4, 0x1.9996af938907ap-7, 0x1.2508b15133308p-9, 0x1.b6e6c63ab134cp-12,
                     0x1.f17356ddc48adp-14);
  } else {
    return horner<A>(w, 0x1.5555555555535p-4, 0x1.99999999a06c1p-7, 0x1.2492492091148p-9, 0x1.c71c741a05da6p-12,
                     0x1.745cb459c8d78p-14, 0x1.3b1dd3aa96bdfp-16, 0x1.10682efb1d7f9p-18, 0x1.efd18abb644dbp-21,
                     0x1.55cf651070664p-23, 0x1.5c5c15d307f83p-24);
  }
}
// x (1 + w p(w)): the correction is small enough for one word.
template <class A>
NUMACT_LANE typename A::number with_log1p_series(typename A::number x, typename A::word s) {
  const auto w = s * s, correction = w * log1p_p<A>(w);
  if constexpr (A::paired) {
    return fast_two_sum(x.hi, multiply_add<A>(x.hi, correction, x.lo));
  } else {
    return multiply_add<A>(x, correction, x);
  }
}
template <class A>
NUMACT_LANE typename A::number log1p_divisor(typename A::number f) {
  return typename A::word(1) + times_power(typename A::word(0.5), f);
}

// log1p(exp(-a)) / 2^n as a sum, from e = exp(-a) = (1 + p) 2^n: with log1p(e) = e / (1 + g), g = e (1/2 - e n(e) / d(e)), it is
// (1 + p) / (1 + g) = 1 + (p - g) / (1 + g). Times a power of two the second form serves; times any factor each rounding
// counts for up to 1.75 of it, so the first has a low word. less: what is taken off 1 + p
template <bool any_factor, class A>
NUMACT_LANE Pair<typename A::word> log1p_mantissa(const Decay<A>& decay, [[maybe_unused]] typename A::word less = 0) {
  using T = typename A::word;
  const T e = decay.value(), square = e * e;
  T n, d;
  if constexpr (A::wide || sizeof(T) == sizeof(float)) {
    n = polynomial<A>(e, square, 0x1.555428cc5e2cdp-4, 0x1.75392a181b860p-5, 0x1.d5e51be7f86f0p-11);
    d = polynomial<A>(e, square, 1, 0x1.0be94436fb74dp+0, 0x1.bf26f3c0690b0p-3);
  } else {
    n = polynomial<A>(e, square, 0x1.55555555542e7p-4, 0x1.4c10d0fb33962p-3, 0x1.aa032ccd650c9p-4, 0x1.9659ed9503264p-6,
                      0x1.c35c4c9c7290dp-10, 0x1.2c063618d9431p-18);
    d = polynomial<A>(e, square, 1, 0x1.390c9cbc5079bp+1, 0x1.13bef6a469623p+1, 0x1.a68b6812b9eedp-1,
                      0x1.0a96e79cfe390p-3, 0x1.926cb5fdbe942p-8);
  }
  const T g = e * multiply_add<A>(-e, n / d, T(0.5)), divisor = 1 + g;
  if constexpr (A::wide || !any_factor) {
    return {(decay.p - g) / divisor, 1};
  } else {
    const T top = 1 + decay.p, top_rest = (decay.p - (top - 1)) - less, reciprocal = 1 / divisor, quotient = top * reciprocal;
    return {quotient, (residual(-quotient, divisor, top) + top_rest) * reciprocal};
  }
}

// 1 + a = 2^k (1 + f): k ln 2 + log1p(f), a sum without cancellation. k from the exponent of 1 + a.
template <class A>
NUMACT_LANE typename A::number log1p(typename A::number a) {
  using T = typename A::word;
  using C = ExpConstants<A>;
  const T sum = rounded(T(1) + a), down = reciprocal_of_power(power_part(sum));
  const T k = exponent_part(sum);
  const auto f = (down - 1) + times_power(down, a);
  const auto s = f / log1p_divisor<A>(f);
  const auto rest = with_log1p_series<A>(s, rounded(s));
  if constexpr (A::paired) {
    return k * C::ln2_hi + typename A::number{rest.hi, multiply_add<A>(k, C::ln2_lo, rest.lo)};
  } else {
    return multiply_add<A>(k, C::ln2_hi, multiply_add<A>(k, C::ln2_lo, rest));
  }
}

}  // namespace
}  // namespace numact

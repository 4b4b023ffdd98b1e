// exp(a) and expm1(a) for a <= 0.
//
// Reduction: n = round(a / ln 2), r = a - n ln 2, |r| <= ln(2)/2, by adding and subtracting 1.5 * 2^(mantissa bits), whose
// low bits are then n. ln 2 is one word where double serves a float result, else a leading word of few bits (so that n
// times it is exact) and the rest.
// expm1(r) = r + r^2 q(r); q by Remez on |r| <= 0.347, tools/fit_exp.py, error relative to expm1(r):
//   Single degree 4, 2^-26.2; Wide and Portable degree 5, 2^-31.9; Double degree 9, 2^-55.6.
// The power 2^n is kept apart (Power), because f'(x) may underflow where dy * f'(x) does not.
#pragma once
#include "arithmetic.hpp"

namespace numact {
namespace {

template <class A>
struct ExpConstants;
template <>
struct ExpConstants<Single> {
  static constexpr float lowest = -150.0f;  // exp is 0 in float32 well before, also times 150
  static constexpr float ln2_hi = 0x1.62e4p-1f, ln2_lo = 0x1.7f7d1cf79abcap-20f;
  NUMACT_LANE static float q(float r) {
    return horner<Single>(r, 0x1.fffffep-2f, 0x1.5554b0p-3f, 0x1.555674p-5f, 0x1.1227f4p-7f, 0x1.6bebf6p-10f);
  }
};
template <>
struct ExpConstants<Wide> {
  static constexpr double lowest = -700.0;  // 2^-1010, below 2^-149 also times the largest float squared
  static constexpr double ln2_hi = 0x1.62e42fefa39efp-1, ln2_lo = 0;
};
template <>
struct ExpConstants<Portable> : ExpConstants<Wide> {};
template <>
struct ExpConstants<Double> {
  static constexpr double lowest = -1470.0;  // 2^-2121, below 2^-1074 also times the largest double
  static constexpr double ln2_hi = 0x1.62e42fefa4p-1, ln2_lo = -0x1.8432a1b0e2634p-43;
  NUMACT_LANE static double q(double r) {
    return horner<Double>(r, 0x1.0000000000005p-1, 0x1.5555555555539p-3, 0x1.555555555225dp-5, 0x1.111111111908dp-7,
                          0x1.6c16c17ef4df1p-10, 0x1.a01a0174db815p-13, 0x1.a019a71e80797p-16, 0x1.71de884ad8ccap-19,
                          0x1.28a234937f9dap-22, 0x1.ae6bae2860bfdp-26);
  }
};
template <>
struct ExpConstants<DeepDouble> : ExpConstants<Double> {
  static constexpr double lowest = -2200.0;  // 2^-3174, below 2^-1074 also times the two largest doubles
};
template <class A>
NUMACT_LANE typename A::word exp_q(typename A::word r) {
  if constexpr (A::wide) {
    return horner<A>(r, 0x1.00000026223e5p-1, 0x1.555554ef05577p-3, 0x1.5554b09c97f60p-5, 0x1.111189d4b5009p-7,
                     0x1.6d7292711f59cp-10, 0x1.a032c6ed96562p-13);
  } else {
    return ExpConstants<A>::q(r);
  }
}

// 2^n as rest * part * part: n goes down to -3054, where a single double could not hold it. Wide needs no parts.
template <class A>
struct Power {
  typename A::word part, rest;
  NUMACT_LANE Power(typename A::word p, typename A::word r) : part(p), rest(r) {}
  // Not trivial on purpose: clang would return two floats as one vector, which it then does not take apart in a loop.
  NUMACT_LANE Power(const Power& other) : part(other.part), rest(other.rest) {}
};
template <class A>
NUMACT_LANE Power<A> unit_power() {
  return {1, 1};
}
template <class A>
NUMACT_LANE Power<A> select(bool condition, Power<A> yes, Power<A> no) {
  return {condition ? yes.part : no.part, condition ? yes.rest : no.rest};
}

// 2^n from n + round_magic + exponent_bias: the shift leaves n + bias in the exponent field.
template <class T>
NUMACT_LANE T power_from_rounded(T z) {
  return bits<T>(bits<typename Format<T>::bits>(z) << Format<T>::mantissa_bits);
}

template <class A>
NUMACT_LANE Power<A> power_of_two(typename A::word n) {
  using T = typename A::word;
  constexpr T magic = Format<T>::round_magic + Format<T>::exponent_bias;
  if constexpr (A::wide) {
    return {1, power_from_rounded<T>(n + magic)};
  } else {
    const T third = multiply_add<A>(n, T(1.0 / 3.0), magic);
    return {power_from_rounded<T>(third), power_from_rounded<T>((n - 2 * (third - magic)) + magic)};
  }
}

// a * b in one word. Where it is infinite the low words mean nothing; where it is zero they would lose its sign.
NUMACT_LANE float rounded_product(float a, float b) { return a * b; }
NUMACT_LANE double rounded_product(double a, double b) { return a * b; }
NUMACT_LANE double rounded_product(Pair<double> a, Pair<double> b) {
  const double product = a.hi * b.hi;
  const double rest = product_error(a.hi, b.hi, product) + madd(a.hi, b.lo, a.lo * b.hi);
  return with_sign_of(absolute(product) <= Format<double>::largest ? product + rest : product, product);
}

// a * b; where it is infinite the low word is 0, and a zero keeps its sign.
template <class A>
NUMACT_LANE typename A::number finite_product(typename A::word a, typename A::number b) {
  if constexpr (A::paired) {
    const auto product = number<A>(a) * b;
    const auto hi = a * b.hi;
    const bool finite = absolute(hi) <= Format<typename A::word>::largest;
    return {with_sign_of(finite ? product.hi : hi, hi), finite ? product.lo : 0};
  } else {
    return a * b;
  }
}

// value * fraction * 2^n with one rounding that counts: neither overflow nor underflow in between.
template <class A>
NUMACT_LANE typename A::word scaled(typename A::word value, typename A::number fraction, Power<A> power) {
  if constexpr (A::wide) {
    return value * (fraction * power.rest);
  } else {
    return rounded_product(number<A>(value * power.part * power.part), times_power(power.rest, fraction));
  }
}
// a * b * fraction * 2^n likewise: 2^n goes where it cannot hurt. It is shared between a large a and b, and all to the larger
// where the smaller is below 1. The largest lend the smaller one 2^16, or a fraction above 1 would overflow.
template <class A>
NUMACT_LANE typename A::number scaled_product(typename A::word a, typename A::word b, typename A::number fraction,
                                            Power<A> power) {
  if constexpr (A::wide) {
    return (a * b) * (fraction * power.rest);
  } else {
    using T = typename A::word;
    const bool ordered = absolute(a) >= absolute(b);
    const auto large = (ordered ? a : b) * power.part, small = ordered ? b : a;
    const bool share = absolute(small) > 1, lend = absolute(large) > Format<T>::largest * T(0x1p-16);
    const auto shared = finite_product<A>(lend ? large * T(0x1p-16) : large, times_power(power.rest, fraction));
    return finite_product<A>((lend ? small * T(0x1p16) : small) * (share ? power.part : T(1)),
                             select(share, shared, times_power(power.part, shared)));
  }
}

// x limited to where exp(-|x|) counts. NaN stays.
template <class A>
NUMACT_LANE typename A::word limited(typename A::word x) {
  return with_sign_of(at_most(absolute(x), -ExpConstants<A>::lowest), x);
}

template <class A>
struct Reduced {
  typename A::word n, r;
};
template <class A>
NUMACT_LANE Reduced<A> reduce(typename A::word a) {
  using T = typename A::word;
  using C = ExpConstants<A>;
  const T n = multiply_add<A>(a, T(0x1.71547652b82fep+0), Format<T>::round_magic) - Format<T>::round_magic;
  T r = multiply_add<A>(n, -C::ln2_hi, a);
  if constexpr (!A::wide) r = multiply_add<A>(n, -C::ln2_lo, r);
  return {n, r};
}

// exp(a + a_lo) = mantissa * 2^n, mantissa in [0.70, 1.42], times 2^-120 where a DeepDouble needs it; a below the lowest
// counts as the lowest.
template <class A>
struct Exponential {
  typename A::number mantissa;
  Power<A> power;
};
template <class A>
NUMACT_LANE Exponential<A> exp_negative(typename A::word a, [[maybe_unused]] typename A::word a_lo = 0) {
  const Reduced<A> x = reduce<A>(-at_most(-a, -ExpConstants<A>::lowest));
  if constexpr (!A::paired) {
    return {1 + multiply_add<A>(x.r * x.r, exp_q<A>(x.r), x.r), power_of_two<A>(x.n)};
  } else {
    const auto r = x.r + a_lo;
    const auto leading = fast_two_sum(typename A::word(1), r);
    const auto rest = multiply_add<A>(r * r, exp_q<A>(r), leading.lo);
    if constexpr (!A::deep) {
      return {fast_two_sum(leading.hi, rest), power_of_two<A>(x.n)};
    } else {
      const bool beyond = x.n < -3000;  // of what the three factors of a Power hold
      return {times_power(beyond ? 0x1p-120 : 1.0, fast_two_sum(leading.hi, rest)),
              power_of_two<A>(beyond ? x.n + 120 : x.n)};
    }
  }
}
template <class A>
NUMACT_LANE typename A::number value(Exponential<A> e) {
  if constexpr (A::wide) {
    return e.mantissa * e.power.rest;
  } else {
    return times_power(e.power.part, times_power(e.power.part, times_power(e.power.rest, e.mantissa)));
  }
}

// expm1(a), -1 from -50 on.
template <class A>
NUMACT_LANE typename A::number expm1_negative(typename A::word a) {
  using T = typename A::word;
  const Reduced<A> x = reduce<A>(-at_most(-a, T(50)));
  const T power = power_from_rounded<T>(x.n + (Format<T>::round_magic + Format<T>::exponent_bias));
  const T q = exp_q<A>(x.r);
  if constexpr (!A::paired) {
    return multiply_add<A>(power, multiply_add<A>(x.r * x.r, q, x.r), power - 1);
  } else {
    return two_sum(power, T(-1)) + times_power(power, fast_two_sum(x.r, x.r * x.r * q));
  }
}

}  // namespace
}  // namespace numact

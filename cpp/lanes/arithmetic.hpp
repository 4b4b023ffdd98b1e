// The vocabulary that every lane function is written in, and the arithmetics it can run in.
//
// A lane function is scalar straight-line code that the compiler vectorises: choices by ?: or select() on values already
// computed, no libm call, no table, no static data. FMA only through madd(); contraction is off everywhere else, so every
// way over an array gives the same bits.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#define NUMACT_LANE inline __attribute__((always_inline))

namespace numact {
namespace {

#if defined(__FMA__) || defined(__aarch64__)
constexpr bool has_fma = true;
#else
constexpr bool has_fma = false;
#endif

NUMACT_LANE float madd(float a, float b, float c) {
  if constexpr (has_fma) return __builtin_fmaf(a, b, c);
  return a * b + c;
}
NUMACT_LANE double madd(double a, double b, double c) {
  if constexpr (has_fma) return __builtin_fma(a, b, c);
  return a * b + c;
}

template <class T>
struct Format;
template <>
struct Format<float> {
  using bits = uint32_t;
  static constexpr int mantissa_bits = 23;
  static constexpr float round_magic = 0x1.8p23f, exponent_bias = 127.0f, largest = 0x1.fffffep127f;
};
template <>
struct Format<double> {
  using bits = uint64_t;
  static constexpr int mantissa_bits = 52;
  static constexpr double round_magic = 0x1.8p52, exponent_bias = 1023.0, largest = 0x1.fffffffffffffp1023;
};

template <class To, class From>
NUMACT_LANE To bits(From value) {
  static_assert(sizeof(To) == sizeof(From), "same size");
  To result;
  std::memcpy(&result, &value, sizeof result);
  return result;
}

template <class T>
NUMACT_LANE T select(bool condition, T yes, T no) {
  return condition ? yes : no;
}
NUMACT_LANE float absolute(float x) { return __builtin_fabsf(x); }
NUMACT_LANE double absolute(double x) { return __builtin_fabs(x); }
NUMACT_LANE float with_sign_of(float x, float sign) { return __builtin_copysignf(x, sign); }
NUMACT_LANE double with_sign_of(double x, double sign) { return __builtin_copysign(x, sign); }

// min(x, limit) that hands NaN through.
template <class T>
NUMACT_LANE T at_most(T x, T limit) {
  return x > limit ? limit : x;
}

// A value carried in two words, hi + lo, |lo| at most an ulp of hi. Where there is no FMA the rounding error of a
// product is left out: half an ulp, which the bounds have room for.
template <class T>
struct Pair {
  T hi, lo;
};

template <class T>
NUMACT_LANE Pair<T> fast_two_sum(T a, T b) {  // |a| >= |b| or a == 0
  const T sum = a + b;
  return {sum, b - (sum - a)};
}
template <class T>
NUMACT_LANE Pair<T> two_sum(T a, T b) {
  const T sum = a + b, from_b = sum - a;
  return {sum, (a - (sum - from_b)) + (b - from_b)};
}
// a * b exactly, by Dekker's splitting where there is no FMA (|a|, |b| below 2^996 then).
NUMACT_LANE Pair<double> two_product(double a, double b) {
  const double product = a * b;
  if constexpr (has_fma) return {product, madd(a, b, -product)};
  const double a_big = a * 0x1.000002p27, b_big = b * 0x1.000002p27;
  const double a_hi = a_big - (a_big - a), b_hi = b_big - (b_big - b), a_lo = a - a_hi, b_lo = b - b_hi;
  return {product, ((a_hi * b_hi - product) + a_hi * b_lo + a_lo * b_hi) + a_lo * b_lo};
}

template <class T>
NUMACT_LANE Pair<T> operator-(Pair<T> a) {
  return {-a.hi, -a.lo};
}
template <class T>
NUMACT_LANE Pair<T> operator+(T a, Pair<T> b) {
  const Pair<T> sum = two_sum(a, b.hi);
  return fast_two_sum(sum.hi, sum.lo + b.lo);
}
template <class T>
NUMACT_LANE Pair<T> operator+(Pair<T> a, Pair<T> b) {
  const Pair<T> sum = two_sum(a.hi, b.hi);
  return fast_two_sum(sum.hi, sum.lo + (a.lo + b.lo));
}
template <class T>
NUMACT_LANE Pair<T> operator-(T a, Pair<T> b) {
  return a + -b;
}
template <class T>
NUMACT_LANE Pair<T> operator*(Pair<T> a, Pair<T> b) {
  const T product = a.hi * b.hi;
  T rest = madd(a.hi, b.lo, a.lo * b.hi);
  if constexpr (has_fma) rest += madd(a.hi, b.hi, -product);
  return fast_two_sum(product, rest);
}
template <class T>
NUMACT_LANE Pair<T> operator*(T a, Pair<T> b) {
  return Pair<T>{a, T(0)} * b;
}
// power * x for a power of two: exact.
template <class T>
NUMACT_LANE Pair<T> times_power(T power, Pair<T> x) {
  return {power * x.hi, power * x.lo};
}
NUMACT_LANE float times_power(float power, float x) { return power * x; }
NUMACT_LANE double times_power(double power, double x) { return power * x; }
template <class T>
NUMACT_LANE Pair<T> operator/(Pair<T> a, Pair<T> b) {
  const T reciprocal = T(1) / b.hi, quotient = has_fma ? a.hi * reciprocal : a.hi / b.hi;
  T rest = madd(-quotient, b.lo, a.lo);
  if constexpr (has_fma) rest += madd(-quotient, b.hi, a.hi);
  return fast_two_sum(quotient, rest * reciprocal);
}
template <class T>
NUMACT_LANE Pair<T> select(bool condition, Pair<T> yes, Pair<T> no) {
  return {condition ? yes.hi : no.hi, condition ? yes.lo : no.lo};
}

// An arithmetic: the word that operands and results travel in, and the number that intermediate values are kept in. Formulas
// are templates over it. fused: madd is an FMA. wide: the word is double for a float32 result, so ranges never bind and a
// shorter polynomial does. paired: a number is a Pair.
struct Single {  // float throughout: 2 to 2.5 ulp of float32
  using word = float;
  using number = float;
  static constexpr bool fused = has_fma, wide = false, paired = false;
};
struct Wide {  // double for a result that is rounded to float once
  using word = double;
  using number = double;
  static constexpr bool fused = has_fma, wide = true, paired = false;
};
struct Portable {  // Wide without FMA: the same bits on every CPU
  using word = double;
  using number = double;
  static constexpr bool fused = false, wide = true, paired = false;
};
struct Double {  // double with the low word kept where it counts
  using word = double;
  using number = Pair<double>;
  static constexpr bool fused = has_fma, wide = false, paired = true;
};

template <class A>
NUMACT_LANE typename A::word multiply_add(typename A::word a, typename A::word b, typename A::word c) {
  if constexpr (A::fused) return madd(a, b, c);
  return a * b + c;
}

// x with infinity brought to the largest number of the result's format, so that 0 times it is 0. NaN stays.
template <class A>
NUMACT_LANE typename A::word finite(typename A::word x) {
  using T = typename A::word;
  constexpr T largest = A::wide ? T(Format<float>::largest) : Format<T>::largest;
  return with_sign_of(at_most(absolute(x), largest), x);
}

// c0 + c1 x + c2 x^2 + ...
template <class A>
NUMACT_LANE typename A::word horner(typename A::word, typename A::word c0) {
  return c0;
}
template <class A, class... C>
NUMACT_LANE typename A::word horner(typename A::word x, typename A::word c0, typename A::word c1, C... higher) {
  return multiply_add<A>(horner<A>(x, c1, typename A::word(higher)...), x, c0);
}

// number <-> word
template <class A>
NUMACT_LANE typename A::number number(typename A::word x) {
  if constexpr (A::paired) {
    return {x, 0};
  } else {
    return x;
  }
}
// A constant with more digits than a word has.
template <class A>
NUMACT_LANE constexpr typename A::number constant(long double x) {
  using T = typename A::word;
  if constexpr (A::paired) {
    return {T(x), T(x - T(x))};
  } else {
    return T(x);
  }
}
NUMACT_LANE float rounded(float x) { return x; }
NUMACT_LANE double rounded(double x) { return x; }
template <class T>
NUMACT_LANE T rounded(Pair<T> x) {
  return x.hi;  // every operation leaves a Pair whose hi is the rounded sum
}

}  // namespace
}  // namespace numact

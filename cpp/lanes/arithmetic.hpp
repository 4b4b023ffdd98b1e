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
// x, or -x where `sign` is negative
NUMACT_LANE float times_sign_of(float x, float sign) {
  return bits<float>(bits<uint32_t>(x) ^ (bits<uint32_t>(sign) & 0x80000000u));
}
NUMACT_LANE double times_sign_of(double x, double sign) {
  return bits<double>(bits<uint64_t>(x) ^ (bits<uint64_t>(sign) & 0x8000000000000000u));
}
NUMACT_LANE float square_root(float x) { return __builtin_sqrtf(x); }
NUMACT_LANE double square_root(double x) { return __builtin_sqrt(x); }

// 2^n <= x < 2^(n+1) for a normal x > 0, and 2^-n from 2^n, n below the format's largest exponent.
template <class T>
NUMACT_LANE T power_part(T x) {
  using Bits = typename Format<T>::bits;
  return bits<T>(bits<Bits>(x) >> Format<T>::mantissa_bits << Format<T>::mantissa_bits);
}
template <class T>
NUMACT_LANE T exponent_part(T x) {  // n
  using Bits = typename Format<T>::bits;
  constexpr T magic = Format<T>::round_magic;
  return bits<T>(bits<Bits>(magic) + (bits<Bits>(x) >> Format<T>::mantissa_bits)) - (magic + Format<T>::exponent_bias);
}
template <class T>
NUMACT_LANE T reciprocal_of_power(T power) {
  using Bits = typename Format<T>::bits;
  return bits<T>(2 * bits<Bits>(T(1)) - bits<Bits>(power));
}

// 0, or NaN where x is one. Added to a choice: a choice among three would be made in masks of both widths where x was a float.
template <class T>
NUMACT_LANE T nan_of(T x) {
  return x == x ? T(0) : x;
}

// min(x, limit) and max(x, limit) that hand NaN through.
template <class T>
NUMACT_LANE T at_most(T x, T limit) {
  return x > limit ? limit : x;
}
template <class T>
NUMACT_LANE T at_least(T x, T limit) {
  return x < limit ? limit : x;
}

// A parameter that must be above 0, as a finite number; NaN for any other.
template <class T>
NUMACT_LANE T positive(T parameter) {
  const T finite = at_most(parameter, Format<T>::largest);
  return finite > 0 ? finite : T(__builtin_nanf(""));
}

// max(x, limit) for a limit below 0, min(x, limit) for one above; NaN may get lost. Of floats the bits are compared: one
// operation, where GCC takes a comparison and a choice.
NUMACT_LANE float not_below(float x, float limit) {
  const auto a = bits<uint32_t>(x), b = bits<uint32_t>(limit);
  return bits<float>(a < b ? a : b);
}
NUMACT_LANE float not_above(float x, float limit) {
  const auto a = bits<int32_t>(x), b = bits<int32_t>(limit);
  return bits<float>(a < b ? a : b);
}
NUMACT_LANE double not_below(double x, double limit) { return x < limit ? limit : x; }
NUMACT_LANE double not_above(double x, double limit) { return x > limit ? limit : x; }

// max(x, limit) of positive numbers; NaN stays.
NUMACT_LANE float larger_positive(float x, float limit) {
  const auto a = bits<uint32_t>(x), b = bits<uint32_t>(limit);
  return bits<float>(a > b ? a : b);
}
NUMACT_LANE double larger_positive(double x, double limit) { return x < limit ? limit : x; }

// A value carried in two words, hi + lo, |lo| at most half an ulp of hi.
template <class T>
struct Pair {
  T hi, lo;
};

// What a word leaves of a constant. Constants of more than one word are Pairs: long double is double, 80 bits or 113 by platform.
template <class T>
constexpr T rest_of(Pair<double> constant, T word) {
  return T((constant.hi - word) + constant.lo);
}

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
// a * b - product, where product is a * b rounded. Without FMA by Dekker's products of halves, of which the upper ones are cut
// off; small products are brought up, or those would underflow.
NUMACT_LANE double product_error(double a, double b, double product) {
  if constexpr (has_fma) return madd(a, b, -product);
  constexpr uint64_t upper = ~uint64_t(0) << 27;
  const bool small = absolute(product) < 0x1p-800;
  const double up = small ? 0x1p200 : 1, down = small ? 0x1p-200 : 1, raised = a * up;
  const double a_hi = bits<double>(bits<uint64_t>(raised) & upper), a_lo = raised - a_hi;
  const double b_hi = bits<double>(bits<uint64_t>(b) & upper), b_lo = b - b_hi;
  const double error = ((a_hi * b_hi - product * up) + a_hi * b_lo + a_lo * b_hi) + a_lo * b_lo;
  return error == error ? error * down : 0;
}
NUMACT_LANE float product_error(float a, float b, float product) {
  if constexpr (has_fma) return madd(a, b, -product);
  const float error = float(double(a) * b - product);
  return error == error ? error : 0;
}

// a * b + c, where c is about -a * b, without the rounding of the product.
template <class T>
NUMACT_LANE T residual(T a, T b, T c) {
  if constexpr (has_fma) return madd(a, b, c);
  const T product = a * b;
  return (product + c) + product_error(a, b, product);
}

template <class T>
NUMACT_LANE Pair<T> operator+(T a, Pair<T> b) {
  const Pair<T> sum = two_sum(a, b.hi);
  return fast_two_sum(sum.hi, sum.lo + b.lo);
}
// a * b, its low word not brought below half an ulp.
NUMACT_LANE Pair<double> times(Pair<double> a, double b) {
  const double product = a.hi * b;
  return {product, madd(a.lo, b, product_error(a.hi, b, product))};
}
// power * x for a power of two: exact.
template <class T>
NUMACT_LANE Pair<T> times_power(T power, Pair<T> x) {
  return {power * x.hi, power * x.lo};
}
NUMACT_LANE float times_power(float power, float x) { return power * x; }
NUMACT_LANE double times_power(double power, double x) { return power * x; }
NUMACT_LANE Pair<double> operator/(Pair<double> a, Pair<double> b) {
  const double reciprocal = 1 / b.hi, quotient = a.hi * reciprocal, product = quotient * b.hi;
  const double rest = (a.hi - product) - product_error(quotient, b.hi, product);
  return fast_two_sum(quotient, (rest + madd(-quotient, b.lo, a.lo)) * reciprocal);
}

// An arithmetic: the word that operands and results travel in, and the number that intermediate values are kept in. Formulas
// are templates over it. fused: madd is an FMA. wide: the word is double for a float32 result, so ranges never bind and a
// shorter polynomial does. paired: a number is a Pair.
struct Single {  // float throughout: 2 to 2.5 ulp of float32
  using word = float;
  using number = float;
  static constexpr bool fused = has_fma, wide = false, paired = false, deep = false, near = false;
};
struct Portable {  // double for a result that is rounded to float once, without FMA: the same bits on every CPU
  using word = double;
  using number = double;
  static constexpr bool fused = false, wide = true, paired = false, deep = false, near = false;
};
struct DeepSingle : Single {  // Single for products: exponentials that vanish only times two large factors
  static constexpr bool deep = true;
};
#if defined(__FMA__) || defined(__aarch64__)
struct Wide : Portable {  // double for a result that is rounded to float once
  static constexpr bool fused = true;
};
using FusedSingle = Single;  // where float needs FMA to hold the bound
#else
using Wide = Portable;
using FusedSingle = Wide;
#endif
struct Double {  // double throughout: 2 to 2.5 ulp of float64
  using word = double;
  using number = double;
  static constexpr bool fused = has_fma, wide = false, paired = false, deep = false, near = false;
};
struct DeepDouble : Double {  // Double for products: exponentials that vanish only times two large factors
  static constexpr bool deep = true;
};
struct Paired {  // double with the low word kept where it counts
  using word = double;
  using number = Pair<double>;
  static constexpr bool fused = has_fma, wide = false, paired = true, deep = false, near = false;
};

// A for arguments in the range where a formula needs less care: exponentials, say, are normal numbers. The same bits.
template <class A>
struct Near : A {
  static constexpr bool near = true;
};

// What the first of two loops over some elements keeps of each for the second.
template <class A, int n>
struct Kept {
  using T = typename A::word;
  static constexpr int count = n;
  T word[n];

  template <class... More>
  NUMACT_LANE Kept<A, 2 + sizeof...(More)> with(More... more) const {
    static_assert(n == 2);
    return {{word[0], word[1], more...}};
  }
};

template <class A>
NUMACT_LANE typename A::word multiply_add(typename A::word a, typename A::word b, typename A::word c) {
  if constexpr (A::fused) return madd(a, b, c);
  return a * b + c;
}

// a * b + c with one rounding that counts, also without FMA.
template <class A, class T = typename A::word>
NUMACT_LANE T exact_multiply_add(T a, T b, T c) {
  if constexpr (A::fused || A::wide) return multiply_add<A>(a, b, c);
  const T product = a * b;
  const Pair<T> sum = two_sum(product, c);
  return sum.hi + (sum.lo + product_error(a, b, product));
}

// x with infinity brought to the largest number of the result's format, so that 0 times it is 0. NaN stays.
template <class A>
NUMACT_LANE typename A::word finite(typename A::word x) {
  using T = typename A::word;
  constexpr T largest = A::wide ? T(Format<float>::largest) : Format<T>::largest;
  return with_sign_of(at_most(absolute(x), largest), x);
}

// x as a result of it is: rounded to the format of the results.
template <class A>
NUMACT_LANE typename A::word as_result(typename A::word x) {
  if constexpr (A::wide) return float(x);
  return x;
}

// name<F>(0): whether formula F has that member.
#define NUMACT_DETECTOR(name, member)                                        \
  template <class F>                                                         \
  constexpr auto name(int)->decltype(&F::template member<Wide, double>, true) { \
    return true;                                                             \
  }                                                                          \
  template <class F>                                                         \
  constexpr bool name(...) {                                                 \
    return false;                                                            \
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

// The same for many coefficients, even and odd ones apart: as many operations, half as long a chain.
template <class A>
NUMACT_LANE typename A::word polynomial(typename A::word, typename A::word, typename A::word c0) {
  return c0;
}
template <class A, class... C>
NUMACT_LANE typename A::word polynomial(typename A::word x, typename A::word square, typename A::word c0,
                                        typename A::word c1, C... higher) {
  const auto low = multiply_add<A>(x, c1, c0);
  if constexpr (sizeof...(C) == 0) {
    return low;
  } else {
    return multiply_add<A>(square, polynomial<A>(x, square, typename A::word(higher)...), low);
  }
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
// a * b; in a Pair with what rounding left out, unless that is beyond the format.
template <class A>
NUMACT_LANE typename A::number exact_product(typename A::word a, typename A::word b) {
  const auto product = a * b;
  if constexpr (A::paired) {
    const auto error = product_error(a, b, product);
    return {product, absolute(error) < absolute(product) ? error : 0};
  } else {
    return product;
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

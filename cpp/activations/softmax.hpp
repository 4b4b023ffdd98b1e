// Over a row, with m the largest x, e = exp(x - m) and S the sum of e:
//   softmax(x) = e / S,                  dx = y (dy - sum(dy y))
//   softmin(x) = softmax(-x),            dx as softmax's of -dy and -x, or of -dy and y: what is negated is so when it is loaded
//   log_softmax(x) = (x - m) - log(S),   dx = dy - exp(y) sum(dy)
// log(S) is log1p of S less one maximum: it keeps its digits where the others are tiny.
//
// In a gradient y counts as 0 below exp(-1373) for float64 data, which even the largest dy does not bring to a normal number by
// more than 2^63, below exp(-193) for float32 data, which it does not bring to a subnormal one; in `precise` it is never too small.
//
// Largest errors found: docs/accuracy.md.
//
// A formula says what is summed over the row (term<k>), what is made of the sums (complete) and what becomes of each element
// then (finish). kernels/rows.hpp does the rest.
#pragma once
#include "row_facts.hpp"
#include "../lanes/log1p.hpp"
#include "../lanes/vectors.hpp"

namespace numact {
namespace {

// std::conditional of <type_traits> would bring code of the library into the levels.
template <bool, class Yes, class>
struct Choice {
  using type = Yes;
};
template <class Yes, class No>
struct Choice<false, Yes, No> {
  using type = No;
};

template <class A>
constexpr bool of_float64 = !A::wide && sizeof(typename A::word) == sizeof(double);

// condition ? x : 0 as a mask: for a ?: GCC would widen the condition as well as the value where a sum is wider.
template <class T>
NUMACT_LANE T where(bool condition, T x) {
  using Bits = typename Format<T>::bits;
  return bits<T>(bits<Bits>(x) & -Bits(condition));
}

// Exponentials are of a unit that keeps in range what counts after all, in a sum of many or times a large dy; 0 below the lowest.
// Of a deep arithmetic, for gradients, those from 2^-278 to 2^-90 are kept as -2^160 e: times the largest dy they count.
template <class A>
struct RowExp {
  using word = typename A::word;
  static constexpr int unit_exponent = A::wide || A::deep ? 0 : of_float64<A> ? 960 : 64;
  static constexpr double unit = A::wide || A::deep ? 1 : of_float64<A> ? 0x1p960 : 0x1p64;
  static constexpr word lowest = A::wide ? -700 : of_float64<A> ? -1373 : A::deep ? -193 : -131;
  static constexpr word middle = -62;
  // Of a near arithmetic, down to this: nothing is deep, and no product with a large factor leaves the range.
  static constexpr word nearest = of_float64<A> ? 660 : 62;

  NUMACT_LANE static word of(word a, word a_lo = 0) {
    constexpr int deep_exponent = 160, sign_bit = 256;  // in the place of an exponent
    const Scaled<A> e(a, A::deep && !A::near && a < middle ? deep_exponent + sign_bit : unit_exponent, a_lo);
    const word value = multiply_add<A>(e.p, e.power, e.power);
    if constexpr (A::near) return value;
    if constexpr (A::wide) return a < lowest ? 0 : value;
    return where(!(a < lowest), value);
  }
  // Near m and such that the rounding of x - shift is x - ((x - shift) + shift) for every x <= m.
  NUMACT_LANE static word shift(word m) {
    constexpr word magic = Format<word>::round_magic;
    if constexpr (A::wide) return m;
    return absolute(m) < magic / 4 ? (m + magic) - magic : m;
  }
  NUMACT_LANE static word of_difference(word x, word shift) {
    const word a = x - shift;
    if constexpr (A::wide) return of(a);
    return of(a, x - (a + shift));
  }
  // For a sum: next to 1 a deep e is nothing, but what it is multiplied by may be large. D is double or a vector of it.
  template <class D>
  NUMACT_LANE static D term(D e) {
    if constexpr (!A::deep || A::near) return e;
    return D{} > e ? D{} : e;
  }
  template <class D>
  NUMACT_LANE static D factor(D e) {
    if constexpr (!A::deep || A::near) return e;
    const D deep = e * -0x1p-160;
    return deep > e ? deep : e;
  }
};

// e a b, where only the first or the second product may leave the range; or e a deep one.
template <class A>
NUMACT_LANE typename A::word product_with_exp(typename A::word e, typename A::word reciprocal, typename A::word factor) {
  if constexpr (A::deep && A::near) return e * factor * reciprocal;
  if constexpr (A::deep) {
    const float half = e < 0 ? 0x1p-80f : 1;  // of 2^-160: all at once would be lost
    return absolute(e) * (factor * half) * reciprocal * half;
  }
  if constexpr (!of_float64<A> || A::near) return e * reciprocal * factor;
  const bool large = e >= 1;
  return e * (large ? reciprocal : factor) * (large ? factor : reciprocal);
}

// Sums of many terms in two words, D double or a vector of it.
template <class D>
NUMACT_LANE void add_term(D& sum, D& low, D term) {
  const D next = sum + term;
  low += term - (next - sum);
  sum = next;
}

// The size of a sum of floats, for its exponent: neither zero nor infinite.
NUMACT_LANE double within_floats(double sum) {
  const double size = absolute(sum);
  return size < 0x1p-200 ? 0x1p-200 : at_most(size, 0x1p200);
}

template <int rows>
NUMACT_LANE double total(const RowFacts<rows>& row, int k, int r) {
  const double low = absolute(row.sum[k][r]) <= Format<double>::largest ? row.low[k][r] : 0;
  return row.sum[k][r] + low;
}
// What is made of a row's sums for its output.
template <class T>
struct RowNumbers {
  T maximum, reciprocal, log, dot, scale;
};

// Each formula: how many arrays, (dy and) x or y; whether there is y in its place, whether exponentials are computed with the
// sums and kept for the output, which sums are taken, what dy is multiplied by if a sum of it overflows. In term<k>, finish: e is the
// exponential, or x or y where none is computed.
struct SoftmaxForward {
  static constexpr int arrays = 1;
  static constexpr bool from_output = false, has_exponentials = true, keeps = true,
                        sums[row_sums] = {true, false}, counts = false, has_near = false;
  static constexpr double smaller = 1;
  template <class A, int k, class D>
  NUMACT_LANE static D term(D e, D, double) {
    return e;
  }
  template <class A, int rows, class T = typename A::word>
  NUMACT_LANE static RowNumbers<T> complete(const RowFacts<rows>& row, int r) {
    return {0, T(1 / total(row, 0, r)), 0, 0, 0};
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T finish(T e, T, T, const RowNumbers<T>& row) {
    return e * row.reciprocal;
  }
};

// (2 y) (dy / 2 - dot / 2): half of each, so that their difference does not overflow.
struct SoftmaxBackward {
  static constexpr int arrays = 2;
  static constexpr bool from_output = false, has_exponentials = true, keeps = true,
                        sums[row_sums] = {true, true}, counts = false, has_near = true;
  static constexpr double smaller = 0x1p-1000;
  template <class A, int k, class D>
  NUMACT_LANE static D term(D e, D dy, double scale) {
    if constexpr (k == 0) return RowExp<A>::term(e);
    return RowExp<A>::factor(e) * (of_float64<A> ? dy * scale : dy);
  }
  template <class A, int rows, class T = typename A::word>
  NUMACT_LANE static RowNumbers<T> complete(const RowFacts<rows>& row, int r) {
    const double sum = total(row, 0, r);
    return {0, T(2 / sum), 0, T(total(row, 1, r) / sum * (0.5 / row.scale[r])), 0};
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T finish(T e, T, T dy, const RowNumbers<T>& row) {
    return product_with_exp<A>(e, row.reciprocal, multiply_add<A>(dy, T(0.5), -row.dot));
  }
};

// Where terms are products of floats that need not be exact: what they are times, so that none that counts underflows; else 0.
template <class F>
constexpr double product_unit = 0;
template <>
constexpr double product_unit<struct SoftmaxBackwardFromOutput> = 0x1p48;

// (2 y) (dy / 2 - dot / 2), likewise; dot may round to infinity where its half does not.
struct SoftmaxBackwardFromOutput {
  static constexpr int arrays = 2;
  static constexpr bool from_output = true, has_exponentials = false, keeps = false,
                        sums[row_sums] = {false, true}, counts = false, has_near = false;
  static constexpr double smaller = 0x1p-64;
  template <class A, int k, class D>
  NUMACT_LANE static D term(D y, D dy, double scale) {
    return y * (of_float64<A> ? dy * scale : dy);
  }
  template <class A, int rows, class T = typename A::word>
  NUMACT_LANE static RowNumbers<T> complete(const RowFacts<rows>& row, int r) {
    constexpr double half = sizeof(T) == sizeof(float) ? 0.5 / product_unit<SoftmaxBackwardFromOutput> : 0.5;
    return {0, 0, 0, T(total(row, 1, r) * (half / row.scale[r])), 0};
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T finish(T e, T, T dy, const RowNumbers<T>& row) {
    return (e + e) * multiply_add<A>(dy, T(0.5), -row.dot);
  }
};

struct LogSoftmaxForward {
  static constexpr int arrays = 1;
  static constexpr bool from_output = false, has_exponentials = true, keeps = false,
                        sums[row_sums] = {true, true}, counts = true, has_near = false;
  static constexpr double smaller = 1;
  // The others; the second sum counts the maxima.
  template <class A, int k, class D>
  NUMACT_LANE static D term(D e, D, double) {
    return e;
  }
  template <class A, int rows, class T = typename A::word>
  NUMACT_LANE static RowNumbers<T> complete(const RowFacts<rows>& row, int r) {
    using R = typename Choice<of_float64<A>, Paired, Portable>::type;
    using Exp = RowExp<typename Choice<of_float64<A>, Double, Portable>::type>;
    const T m = T(row.maximum[r]), shift = RowExp<A>::shift(m);
    const double to_largest = Exp::of(m == shift ? 0 : double(shift) - double(m)) / Exp::unit;
    const auto others = number<R>(total(row, 0, r) / RowExp<A>::unit * to_largest);
    return {T(row.maximum[r]), 0, T(rounded(log1p<R>((row.sum[1][r] - 1) + others))), 0, 0};
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T finish(T, T x, T, const RowNumbers<T>& row) {
    return (x - row.maximum) - row.log;
  }
};

// A power of two of half the exponent of a sum of floats, 1 for zero.
NUMACT_LANE double root_of_power(double sum) {
  constexpr double magic = Format<double>::round_magic;
  const double size = within_floats(sum), exponent = exponent_part(size);
  return power_from_rounded<double>((exponent * 0.5 + magic) + Format<double>::exponent_bias);
}

// dy - 2 scale product, as twice the half of it: the product may be beyond the format where the difference is not.
template <class A, class T = typename A::word>
NUMACT_LANE T without_twice(T dy, T scale, T product) {
  const T half = multiply_add<A>(-scale, product, dy * T(0.5));
  return half + half;
}

struct LogSoftmaxBackward {
  static constexpr int arrays = 2;
  static constexpr bool from_output = false, has_exponentials = true, keeps = true,
                        sums[row_sums] = {true, true}, counts = false, has_near = true;
  static constexpr double smaller = 0x1p-64;
  template <class A, int k, class D>
  NUMACT_LANE static D term(D e, D dy, double scale) {
    if constexpr (k == 0) return RowExp<A>::term(e);
    return of_float64<A> ? dy * scale : dy;
  }
  // Of float arithmetic the sum of dy may be beyond the format where its product with exp(y) is not: half its power goes to
  // the reciprocal.
  template <class A, int rows, class T = typename A::word>
  NUMACT_LANE static RowNumbers<T> complete(const RowFacts<rows>& row, int r) {
    const double reciprocal = 1 / total(row, 0, r), sum = 0.5 * total(row, 1, r);
    const double root = sizeof(T) == sizeof(float) ? root_of_power(sum) : 1;
    return {0, T(reciprocal * root), 0, T(sum / root), T(1 / row.scale[r])};
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T finish(T e, T, T dy, const RowNumbers<T>& row) {
    return without_twice<A>(dy, row.scale, product_with_exp<A>(e, row.reciprocal, row.dot));
  }
};

struct LogSoftmaxBackwardFromOutput {
  static constexpr int arrays = 2;
  static constexpr bool from_output = true, has_exponentials = false, keeps = false,
                        sums[row_sums] = {false, true}, counts = false, has_near = true;
  static constexpr double smaller = 0x1p-64;
  template <class A, int k, class D>
  NUMACT_LANE static D term(D, D dy, double scale) {
    return of_float64<A> ? dy * scale : dy;
  }
  // Of float arithmetic the sum's exponent is kept apart, and added to that of exp(y).
  template <class A, int rows, class T = typename A::word>
  NUMACT_LANE static RowNumbers<T> complete(const RowFacts<rows>& row, int r) {
    const double sum = 0.5 * total(row, 1, r);
    if constexpr (sizeof(T) == sizeof(float)) {
      const double size = within_floats(sum);
      return {0, 0, T(exponent_part(size)), T(sum / power_part(size)), 1};
    } else {
      return {0, T(1 / RowExp<A>::unit), 0, T(sum), T(1 / row.scale[r])};
    }
  }
  // The size of y up to which the product's power of two is one factor.
  template <class A, class T>
  NUMACT_LANE static T near_limit(const RowNumbers<T>& row) {
    return sizeof(T) == sizeof(float) ? T(0.69) * (T(124) - absolute(row.log)) : RowExp<A>::nearest;
  }
  template <class A, class T = typename A::word>
  NUMACT_LANE static T finish(T y, T, T dy, const RowNumbers<T>& row) {
    if constexpr (sizeof(T) == sizeof(float)) {
      constexpr T magic = Format<T>::round_magic + Format<T>::exponent_bias;
      const Reduced<A> x(y);
      const T n = x.n + row.log;
      if constexpr (A::near)
        return without_twice<A>(dy, row.scale, multiply_add<A>(x.expm1(), row.dot, row.dot) * power_from_rounded<T>(n + magic));
      const T half = multiply_add<A>(n, T(0.5), magic);
      const T power = power_from_rounded<T>(half), rest = power_from_rounded<T>((n - (half - magic)) + magic);
      const T product = multiply_add<A>(x.expm1(), row.dot, row.dot) * power;
      return without_twice<A>(dy, row.scale, where(!(n < -240), product * rest));
    } else {
      const T e = RowExp<A>::of(y);
      return without_twice<A>(dy, row.scale, product_with_exp<A>(e, row.reciprocal, row.dot));
    }
  }
};

struct Softmax {
  using Forward = SoftmaxForward;
  using Backward = SoftmaxBackward;
  using BackwardFromOutput = SoftmaxBackwardFromOutput;
};
struct LogSoftmax {
  using Forward = LogSoftmaxForward;
  using Backward = LogSoftmaxBackward;
  using BackwardFromOutput = LogSoftmaxBackwardFromOutput;
};

}  // namespace
}  // namespace numact

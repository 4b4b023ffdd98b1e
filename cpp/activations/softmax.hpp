// Over a row, with m the largest x, e = exp(x - m) and S the sum of e:
//   softmax(x) = e / S,                  dx = y (dy - sum(dy y))
//   softmin(x) = softmax(-x)
//   log_softmax(x) = (x - m) - log(S),   dx = dy - exp(y) sum(dy)
// log(S) is log1p of S less one maximum: it keeps its digits where the others are tiny.
//
// In a gradient of float64 data y counts as 0 below exp(-1373), which even the largest dy does not bring to a normal number
// by more than 2^63; of float32 data it is never too small.
//
// Largest errors found, 600 to 4000 elements of each of many lengths and scales, in ulp (of the terms' magnitudes for gradients):
// float32 forward 1.46, backward 1.48; precise 0.501; float64 forward 1.67, backward 3.1; float16 0.501.
//
// A formula says what is summed over the row (term<k>) and what becomes of each element then (finish). kernels/rows.hpp does
// the rest.
#pragma once
#include "row_facts.hpp"
#include "../lanes/log1p.hpp"

namespace numact {
namespace {

// exp(x - m) * unit for x <= m, 0 below the lowest; the rounding of x - m is made up for. A double also where its digits are
// those of a float: that keeps in range what counts after all, times a large dy or in a sum of many. The unit does so for
// float64 data.
constexpr double lowest_exponent = -700, lowest_exponent64 = -1373;
constexpr int exp_unit_exponent = 960;
template <class A>
constexpr double exp_unit = A::paired ? 0x1p960 : 1;

template <class A, class T = typename A::word>
NUMACT_LANE double shifted_exp(T x, T m) {
  const T a = x - m;
  if constexpr (A::wide) {
    const T e = value(exp_negative<A>(a));
    return a < lowest_exponent ? 0 : e;
  } else {
    constexpr T lowest = A::paired ? lowest_exponent64 : lowest_exponent;
    constexpr double magic = Format<double>::round_magic + (Format<double>::exponent_bias + (A::paired ? exp_unit_exponent : 0));
    const Reduced<A> z(a);
    const T r = z.r + two_sum(x, -m).lo;
    const Pair<T> leading = fast_two_sum(T(1), r);
    const T mantissa = leading.hi + multiply_add<A>(r * r, exp_q<A>(r, r * r), leading.lo);
    const double e = double(mantissa) * power_from_rounded<double>(double(z.n) + magic);
    return a < lowest ? 0 : e;
  }
}

// std::conditional of <type_traits> would bring code of the library into the levels.
template <bool, class Yes, class>
struct Choice {
  using type = Yes;
};
template <class Yes, class No>
struct Choice<false, Yes, No> {
  using type = No;
};

// What is made of a row's sums, for float32 data without FMA.
template <class A>
using RowArithmetic = typename Choice<A::paired, Paired, Portable>::type;
template <class R>
NUMACT_LANE typename R::number row_total(const RowFacts& row, int k) {
  const double low = absolute(row.sum[k]) <= Format<double>::largest ? row.low[k] : 0;
  if constexpr (R::paired) {
    return two_sum(row.sum[k], low);
  } else {
    return row.sum[k] + low;
  }
}
NUMACT_LANE void store_words(double x, double& word, double& low) { word = x, low = 0; }
NUMACT_LANE void store_words(Pair<double> x, double& word, double& low) { word = x.hi, low = x.lo; }

template <class A>
NUMACT_LANE double probability(double e, const RowFacts& row) {
  if constexpr (A::paired) return multiply_add<A>(e, row.reciprocal, e * row.reciprocal_low);
  return e * row.reciprocal;
}

// y * factor, also where y underflows and this does not.
template <class A>
NUMACT_LANE double probability_times(double e, double factor, const RowFacts& row) {
  const double y = probability<A>(e, row), product = y * factor;
  if constexpr (!A::paired) return product;
  const double tiny = (e * (factor * 0x1p-200)) * (row.reciprocal * 0x1p200);
  return y > 0x1p-900 ? product : y == y ? tiny : y;
}

struct OfInput {
  template <class A, class T = typename A::word>
  NUMACT_LANE static double exponential(T x, T maximum) {
    return shifted_exp<A>(x, maximum);
  }
};
struct OfOutput {
  template <class A, class T = typename A::word>
  NUMACT_LANE static double exponential(T y, T) {
    return shifted_exp<A>(at_most(y, T(0)), T(0));
  }
};

// Each formula: how many arrays, (dy and) x or y; whether x is negated, whether there is y in its place, whether e is computed
// (else it is y), which sums are taken.
template <bool negative>
struct SoftmaxForward : OfInput {
  static constexpr int arrays = 1;
  static constexpr bool negated = negative, from_output = false, has_exponentials = true, sums[row_sums] = {true, false};
  template <class A, int k>
  NUMACT_LANE static double term(double e, double, const RowFacts&, double) {
    return e;
  }
  template <class A>
  NUMACT_LANE static void complete(RowFacts& row) {
    using R = RowArithmetic<A>;
    store_words(number<R>(1) / row_total<R>(row, 0), row.reciprocal, row.reciprocal_low);
  }
  template <class A>
  NUMACT_LANE static double finish(double e, double, double, const RowFacts& row) {
    return probability<A>(e, row);
  }
};

// (2 y) (dy / 2 - dot / 2): half of each, so that their difference does not overflow.
template <bool negative, bool output>
struct SoftmaxBackward : OfInput {
  static constexpr int arrays = 2;
  static constexpr bool negated = negative && !output, from_output = output, has_exponentials = !output,
                        sums[row_sums] = {!output, true};
  template <class A, int k>
  NUMACT_LANE static double term(double e, double, const RowFacts& row, double dy) {
    if constexpr (k == 0) return e;
    return A::paired ? (e * row.scale) * (dy * row.scale) : e * dy;
  }
  template <class A>
  NUMACT_LANE static void complete(RowFacts& row) {
    using R = RowArithmetic<A>;
    auto dot = row_total<R>(row, 1);
    if constexpr (!output) {
      SoftmaxForward<negative>::template complete<A>(row);
      dot = dot / row_total<R>(row, 0);
    }
    row.dot = rounded(dot) / 2;
    row.dy_factor = row.scale * row.scale / 2;
    row.dx_factor = 1 / (row.scale * row.scale);
  }
  template <class A>
  NUMACT_LANE static double finish(double e, double, double dy, const RowFacts& row) {
    const double half = (dy * row.dy_factor - row.dot) * row.dx_factor;
    return (output ? e * half : probability_times<A>(e, half, row)) * (negative ? -2 : 2);
  }
};

struct LogSoftmaxForward : OfInput {
  static constexpr int arrays = 1;
  static constexpr bool negated = false, from_output = false, has_exponentials = true, sums[row_sums] = {true, true};
  // The others, and how many maxima.
  template <class A, int k>
  NUMACT_LANE static double term(double e, double x, const RowFacts& row, double) {
    if constexpr (k == 0) return x == row.maximum ? 0 : e;
    return x == row.maximum ? 1 : 0;
  }
  template <class A>
  NUMACT_LANE static void complete(RowFacts& row) {
    using R = RowArithmetic<A>;
    const auto others = times_power(1 / exp_unit<A>, row_total<R>(row, 0));
    store_words(log1p<R>((row.sum[1] - 1) + others), row.log, row.log_low);
  }
  template <class A>
  NUMACT_LANE static double finish(double, double x, double, const RowFacts& row) {
    const double below = x - row.maximum;
    if constexpr (!A::paired) return below - row.log;
    const double low = two_sum(x, -row.maximum).lo - row.log_low;
    return (below - row.log) + (absolute(below) <= Format<double>::largest ? low : 0);
  }
};

template <bool output>
struct LogSoftmaxBackward : Choice<output, OfOutput, OfInput>::type {
  static constexpr int arrays = 2;
  static constexpr bool negated = false, from_output = output, has_exponentials = true, sums[row_sums] = {!output, true};
  template <class A, int k>
  NUMACT_LANE static double term(double e, double, const RowFacts& row, double dy) {
    if constexpr (k == 0) return e;
    return A::paired ? dy * scale(row) : dy;
  }
  // Of a sum that overflows by its many terms alone.
  NUMACT_LANE static double scale(const RowFacts& row) { return row.scale == 1 ? 1 : 0x1p-64; }
  template <class A>
  NUMACT_LANE static void complete(RowFacts& row) {
    using R = RowArithmetic<A>;
    SoftmaxForward<false>::template complete<A>(row);
    if constexpr (output) {
      row.reciprocal = 1 / exp_unit<A>;
      row.reciprocal_low = 0;
    }
    row.dot = rounded(row_total<R>(row, 1));
    row.dx_factor = 1 / scale(row);
  }
  template <class A>
  NUMACT_LANE static double finish(double e, double, double dy, const RowFacts& row) {
    return dy - probability_times<A>(e, row.dot, row) * row.dx_factor;
  }
};

struct Softmax {
  using Forward = SoftmaxForward<false>;
  using Backward = SoftmaxBackward<false, false>;
  using BackwardFromOutput = SoftmaxBackward<false, true>;
};
struct Softmin {
  using Forward = SoftmaxForward<true>;
  using Backward = SoftmaxBackward<true, false>;
  using BackwardFromOutput = SoftmaxBackward<true, true>;
};
struct LogSoftmax {
  using Forward = LogSoftmaxForward;
  using Backward = LogSoftmaxBackward<false>;
  using BackwardFromOutput = LogSoftmaxBackward<true>;
};

}  // namespace
}  // namespace numact

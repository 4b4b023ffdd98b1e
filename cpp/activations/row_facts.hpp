// What is known of rows, or of a chunk of each, and how chunks are put together: the same at every level and for every number
// of threads.
#pragma once
#include "../lanes/arithmetic.hpp"

namespace numact {

// The steps of a row: its maximum, its sums given the maximum, the output given both.
enum RowStep { row_maximum, row_sum, row_output };

constexpr int row_sums = 2;
// A sum is taken as so many sums by index, and rows side by side are taken so many at a time.
constexpr int row_lanes = 16;

template <int rows>
struct RowFacts {
  double maximum[rows];
  double sum[row_sums][rows], low[row_sums][rows];  // in two words; the low one means nothing beside an infinite or NaN sum
  double scale[rows];                               // what dy was multiplied by for the second sum
};

namespace {

NUMACT_LANE void add(double& sum, double& low, double term, double term_low) {
  const Pair<double> both = two_sum(sum, term);
  sum = both.hi;
  low += both.lo + term_low;
}
// Sums by index are put together as a tree: halves are added until one is left.
template <int half = row_lanes / 2>
NUMACT_LANE double folded_sum(double* sum) {
  for (int j = 0; j < half; ++j) sum[j] += sum[j + half];
  if constexpr (half > 1) return folded_sum<half / 2>(sum);
  return sum[0];
}
template <int rows>
NUMACT_LANE void clear_sums(RowFacts<rows>& row) {
  for (int k = 0; k < row_sums; ++k)
    for (int r = 0; r < rows; ++r) row.sum[k][r] = row.low[k][r] = 0;
}
template <int rows>
NUMACT_LANE void clear(RowFacts<rows>& row) {
  for (int r = 0; r < rows; ++r) row.maximum[r] = -__builtin_inf();
  for (int r = 0; r < rows; ++r) row.scale[r] = 1;
  clear_sums(row);
}
// What a step over a part found.
template <int rows>
NUMACT_LANE void merge(RowFacts<rows>& row, const RowFacts<rows>& part, RowStep step) {
  if (step == row_maximum)
    for (int r = 0; r < rows; ++r) row.maximum[r] = part.maximum[r] > row.maximum[r] ? part.maximum[r] : row.maximum[r];
  for (int k = 0; k < row_sums && step == row_sum; ++k)
    for (int r = 0; r < rows; ++r) add(row.sum[k][r], row.low[k][r], part.sum[k][r], part.low[k][r]);
}

// The sum over dy may overflow where the gradient does not: then the sums are taken once more with a smaller dy. True if so
// for any row.
template <int rows>
NUMACT_LANE bool start_again(RowFacts<rows>& row, double smaller, int count = rows) {
  bool again = false;
  for (int r = 0; r < count; ++r) {
    const bool overflow = !(absolute(row.sum[1][r]) <= Format<double>::largest) & (row.scale[r] != smaller);
    row.scale[r] = overflow ? smaller : row.scale[r];
    again |= overflow;
  }
  if (again) clear_sums(row);
  return again;
}

// A row is taken in chunks of a length that depends on n alone, at most so many.
constexpr ptrdiff_t most_row_chunks = 256;
NUMACT_LANE ptrdiff_t row_chunk_length(ptrdiff_t n) {
  constexpr ptrdiff_t least = 1 << 14;
  return least * (1 + (n - 1) / (least * most_row_chunks));
}

}  // namespace
}  // namespace numact

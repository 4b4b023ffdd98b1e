// What is known of a row, or of a chunk of one, and how chunks are put together: the same at every level and for every number
// of threads.
#pragma once
#include "../lanes/arithmetic.hpp"

namespace numact {

// The steps of a row: its maximum, its sums given the maximum, the output given both.
enum RowStep { row_maximum, row_sum, row_output };

constexpr int row_sums = 2;

struct RowFacts {
  double maximum = -__builtin_inf();
  double sum[row_sums] = {}, low[row_sums] = {};  // in two words; the low one means nothing beside an infinite or NaN sum
  double scale = 1;                               // what both factors of the second sum's terms are multiplied by

  // Made of them for the output, see activations/softmax.hpp.
  double reciprocal, reciprocal_low, log, log_low, dot, dy_factor, dx_factor;
};

// A sum is taken as so many sums by index; low words for float64 data only.
constexpr int row_lanes = 16;
struct RowLanes {
  double sum[row_lanes], low[row_lanes];
};

namespace {

NUMACT_LANE void add(double& sum, double& low, double term, double term_low) {
  const Pair<double> both = two_sum(sum, term);
  sum = both.hi;
  low += both.lo + term_low;
}
NUMACT_LANE void merge(RowFacts& row, const RowFacts& part) {
  row.maximum = part.maximum > row.maximum ? part.maximum : row.maximum;
  for (int k = 0; k < row_sums; ++k) add(row.sum[k], row.low[k], part.sum[k], part.low[k]);
}

// The sum over dy may overflow where the gradient does not: then the sums are taken once more with smaller factors. True if
// so.
NUMACT_LANE bool start_again(RowFacts& row) {
  constexpr double smaller = 0x1p-500;
  const bool overflow = !(absolute(row.sum[1]) <= Format<double>::largest);
  if (!overflow || row.scale == smaller) return false;
  row.scale = smaller;
  for (int k = 0; k < row_sums; ++k) row.sum[k] = row.low[k] = 0;
  return true;
}

// A row is taken in chunks of a length that depends on n alone, at most so many.
constexpr ptrdiff_t most_row_chunks = 256;
NUMACT_LANE ptrdiff_t row_chunk_length(ptrdiff_t n) {
  constexpr ptrdiff_t least = 1 << 14;
  return least * (1 + (n - 1) / (least * most_row_chunks));
}

}  // namespace
}  // namespace numact

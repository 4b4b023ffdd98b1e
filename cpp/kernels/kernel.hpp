// What a kernel is to those who call it: its loops and what they are for. Serial, on raw memory, no Python.
#pragma once
#include <cstddef>
#include <cstdint>

#include "../activations/row_facts.hpp"
#include "sgd_step.hpp"

namespace numact {

// forward_with_slope: the output, and the derivative there, which a gradient is multiplied by later.
enum class Direction : uint8_t { forward, backward, backward_from_output, forward_with_slope };
enum class Type : uint8_t { float32, float64, float16, bfloat16 };
constexpr int type_count = 4;
constexpr ptrdiff_t size_of(Type type) { return type == Type::float64 ? 8 : type == Type::float32 ? 4 : 2; }
enum class Tier : uint8_t { standard, precise };

// A loop over contiguous memory of the type it computes with; n fills whole cache lines.
using ElementwiseRow = void (*)(const void* const* arrays, const void* const* parameters, void* const* outputs, ptrdiff_t n);

struct ElementwiseKernel {
  uint8_t record;  // index in the catalogue
  Direction direction;
  Tier tier;
  Type computed, parameter;
  uint8_t arrays, parameters, outputs;
  ElementwiseRow fixed, streams;  // parameters are one value for all, or a stream each

  bool exists() const { return fixed != nullptr; }
};

// What a walk may need for parts of its arrays, aligned to cache lines: a frame of that size would not fit every thread's stack.
constexpr ptrdiff_t room_size = 1 << 19;

// A kernel over rows of n elements of any layout; operands in the order arrays, parameters, outputs; strides of the elements and
// of the rows in bytes, those of a single row unused. past_cache: the output shall go around the caches, where it can. room: for
// several rows.
using ElementwiseWalk = void (*)(const ElementwiseKernel&, char* const* operands, const ptrdiff_t* strides, ptrdiff_t n,
                                 const ptrdiff_t* row_strides, ptrdiff_t rows, bool past_cache, void* room);

// A sum by index, not yet put together.
struct SumLanes {
  double sum[row_lanes], low[row_lanes];
};
// For each element its own parameter, what `limits` makes of it, and its own sum, also not yet put together.
struct ParameterColumns {
  const void* parameters;
  const double* limits;
  double *sums, *lows;

  ParameterColumns from(ptrdiff_t i, ptrdiff_t parameter_size) const {
    return {static_cast<const char*>(parameters) + i * parameter_size, limits != nullptr ? limits + i : nullptr, sums + i,
            lows + i};
  }
};
// dx and the sums of the parameter's gradient: all elements into one, or each into its own. Only kernels that compute with
// float64 write the low words.
struct ParameterGradientKernel {
  int record;
  Tier tier;
  Type computed, parameter;
  void (*together)(const void* dy, const void* x, const void* parameter, void* dx, SumLanes& lanes, ptrdiff_t n);
  void (*apart)(const void* dy, const void* x, void* dx, const ParameterColumns&, ptrdiff_t n);
  void (*limits)(const void* parameters, double* limits, ptrdiff_t n);  // if any

  bool exists() const { return together != nullptr; }
};
// Of any layout; operands dy, x, dx. The first element that goes into one sum is that of lane `first`.
struct ParameterGradientWalk {
  void (*together)(const ParameterGradientKernel&, char* const* operands, const ptrdiff_t* strides, const void* parameter,
                   int first, SumLanes& lanes, ptrdiff_t n);
  void (*apart)(const ParameterGradientKernel&, char* const* operands, const ptrdiff_t* strides, const ParameterColumns&,
                ptrdiff_t n);
};

// A piece of rows, as whole steps of row_lanes elements: successive elements of one row, or one element each of row_lanes rows
// side by side. e is room for the exponentials, kept from sum to output. dy and x are multiplied by their signs, 1 or -1.
struct RowsPiece {
  const void *dy, *x;
  void *e, *out;
  ptrdiff_t steps, dy_pitch, x_pitch, out_pitch;  // elements from a step to the next
  int dy_sign, x_sign;
};
// Sums by index.
template <int rows>
struct RowLanes {
  double sum[row_sums][rows][row_lanes], low[row_sums][rows][row_lanes];  // low words for float64 data only
};
// Rows of n elements, contiguous as what the kernel computes with; strides of the rows, in elements. So many are summed after
// another before their outputs; e has room for their exponentials.
struct ContiguousRows {
  const void *dy, *x;
  void* out;
  ptrdiff_t dy_stride, x_stride, out_stride, rows;
  int after_another;
  ptrdiff_t n;
  void* e;
  int dy_sign, x_sign;
};

constexpr int most_strip_rows = 1024;

// An activation over rows, with loops over memory of the type it computes with. Their largest elements and sums go on from what
// the lanes hold.
struct RowsKernel {
  const char* name;
  Direction direction;
  Tier tier;
  Type computed;
  int arrays;  // (dy and) x or y
  int exponential_size;
  int negated;  // bit i: operand i
  double smaller_dy;  // for where its sum overflows; 1 if it cannot
  double cost;        // rough nanoseconds per element, beside those of a row
  void (*maximum)(const RowsPiece&, void* lanes);
  void (*sum)(const RowsPiece&, const RowFacts<1>&, RowLanes<1>&);
  void (*sum_together)(const RowsPiece&, const RowFacts<row_lanes>&, RowLanes<row_lanes>&);
  void (*output)(const RowsPiece&, const RowFacts<1>&);
  void (*output_together)(const RowsPiece&, const RowFacts<row_lanes>&);
  // All steps of rows that are one chunk each.
  void (*whole)(const ContiguousRows&);
  void (*whole_together)(const RowsPiece&);
  void (*whole_strip)(const RowsPiece&, int rows);  // of up to most_strip_rows side by side; if any

  double work(ptrdiff_t rows, ptrdiff_t n) const { return double(rows) * (double(n) * cost + 10); }  // nanoseconds
  int sign(int operand) const { return (negated >> operand & 1) != 0 ? -1 : 1; }
  RowStep first() const { return maximum != nullptr ? row_maximum : row_sum; }
};
// A kernel over rows of n elements of any layout. Operands (dy and) x or y, output; strides of the rows, then of the elements,
// in bytes.
using RowsWalk = void (*)(const RowsKernel&, char* const* operands, const ptrdiff_t* strides, ptrdiff_t rows, ptrdiff_t n,
                          void* room);
// One step of elements [begin, end), a chunk, of one row; what came of it.
using RowsPart = RowFacts<1> (*)(const RowsKernel&, RowStep, char* const* operands, const ptrdiff_t* strides, ptrdiff_t begin,
                                 ptrdiff_t end, const RowFacts<1>& row, void* room);

// How `rows` rows of n elements lie in memory.
struct Block {
  ptrdiff_t stride, n, row_stride = 0, rows = 1;

  ptrdiff_t size() const { return n * rows; }
  // Whether they follow one another as one row would.
  bool is_run() const { return rows == 1 || row_stride == n * stride; }
  ptrdiff_t offset(ptrdiff_t row, ptrdiff_t element) const { return row * row_stride + element * stride; }
  // Some of its rows and elements.
  Block part(ptrdiff_t part_rows, ptrdiff_t part_n) const {
    return {stride, part_n, part_rows == 1 ? 0 : row_stride, part_rows};
  }
};

// y = max over `pieces` inputs `piece_stride` apart, `which` the first that attains it.
struct MaxoutBlocks {
  const char* x;
  Block x_block;
  ptrdiff_t piece_stride;
  int pieces;
  char* y;
  Block y_block;
  char* which;
  Block which_block;
};
// dx at each piece is dy where `which` names the piece, else 0.
struct MaxoutBackwardBlocks {
  const char* dy;
  Block dy_block;
  const char* which;
  Block which_block;
  int pieces;
  char* dx;
  Block dx_block;
  ptrdiff_t piece_stride;
};

// What is known of some elements: sums of scale * x - scale * pivot and of its squares, and the ends, over the finite elements.
enum StatsField {
  stats_sum,
  stats_squares,
  stats_smallest,
  stats_largest,
  stats_zero,
  stats_saturated,
  stats_nonfinite,
  stats_field_count
};
// Elements as rows of columns, each of which has statistics of its own: rows [begin, end) of the columns of some groups. The rows
// lie along axes, the innermost first. `together` rows go into one step and have values of their own, one after the other; those
// of the next field are `pitch` further.
constexpr int most_stats_groups = 16;
struct StatsPart {
  const char* x;
  int axes;
  const ptrdiff_t *lengths, *strides;
  ptrdiff_t columns, column_stride, begin, end;
  int together, first_group, last_group;
  double low, high;  // at which an element is saturated; NaN where it cannot be
  double scale;
  const double* pivots;  // of the columns, numbers of the data's type; nullptr where all are 0
  ptrdiff_t pitch;
  bool near;  // all of x is in the second-level cache, or can be
};
using StatsWalk = void (*)(const StatsPart&, double* states);
// What is told of a unit, in this order.
enum StatsRow { stats_mean, stats_deviation, stats_least, stats_most, stats_zeros, stats_outside, stats_not_finite, stats_row_count };
// A sample of the rows tells pivots; all rows what is wanted, or that it needs another scale or pivot; with those once more.
enum class StatsStage : uint8_t { sample, all, again };
struct StatsUnits {
  const double* states;  // of these units; those of the next field are `pitch` further
  ptrdiff_t pitch, count;
  StatsStage stage;
  bool of_float64;
  double rows, scale;
  double *wanted, *pivots;  // at which scale each is still to be found, 0 once it is known
  double* values[stats_row_count];

  // Squares of float64 may leave the range.
  static constexpr double smaller = 0x1p-600, larger = 0x1p600;
};
// Returns whether any are still to be found.
using StatsFinish = bool (*)(const StatsUnits&);

// Turns the softmax p of a row into the gradient of -factor log(p[label]) by what softmax was taken of; returns the sum of p
// without that of the label.
template <class T>
using CrossEntropyRow = double (*)(T* p, ptrdiff_t n, ptrdiff_t label, double factor);

// Adds the bias to rows of n elements that follow one another.
template <class T>
using AddBias = void (*)(T* y, const T* bias, ptrdiff_t rows, ptrdiff_t n);

}  // namespace numact

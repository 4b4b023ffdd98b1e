// Mean, deviation, ends and counts of an array in one pass.
//
// Squares are those of the distance to a pivot, an element of the same sum: with n elements the sum of squares is at most about
// n times that about the mean, so what cancels in the difference is far below a double.
#pragma once
#include "../lanes/vectors.hpp"
#include "../levels/table.hpp"
#include "tile.hpp"

namespace numact {
namespace {

// Counts are kept in words as wide as the data, as what a comparison gives.
template <class T>
struct StatsCount {
  using type = int32_t;
};
template <>
struct StatsCount<double> {
  using type = int64_t;
};

// row_lanes columns side by side. Elements that are not finite count as their pivot.
template <class T>
struct StatsLanes {
  using Count = typename StatsCount<T>::type;
  double sum[row_lanes], squares[row_lanes];  // of scale * (x - pivot) since the latest fold
  double all[row_lanes], all_squares[row_lanes];
  T pivot[row_lanes], smallest[row_lanes], largest[row_lanes];
  Count zero[row_lanes], saturated[row_lanes], nonfinite[row_lanes];
  bool settled;  // every lane has its pivot

  void fold() {
    for (int j = 0; j < row_lanes; ++j) {
      all[j] += sum[j], all_squares[j] += squares[j];
      sum[j] = squares[j] = 0;
    }
  }
};

template <class T>
NUMACT_LANE bool is_finite(T x) {
  return absolute(x) <= Format<T>::largest;
}

// Some steps of groups of row_lanes columns that begin at `columns`; and what to fetch into the cache meanwhile, as the processor
// does not foresee enough of it: at each step of a strip.
template <class T>
struct StatsSteps {
  const T* x;
  ptrdiff_t pitch, count;
  const char* next;
  ptrdiff_t next_strip, next_pitch;  // bytes
  const ptrdiff_t* columns;
  T low, high;
  double scale;
};

// So many lanes are taken at once as there are registers for.
template <class T>
constexpr int strip_lanes = (same<T, double> ? 1 : 2) * doubles;

// `any`: elements may be not finite, or there is a scale, as squares of float64 data can leave
// the range; otherwise false and nothing done if one is not finite. No madd: the sums may not depend on the level.
template <bool any, class T>
NUMACT_LANE bool add_strip(const StatsSteps<T>& steps, int strip, StatsLanes<T>* groups) {
  const int group = strip * strip_lanes<T> / row_lanes, first = strip * strip_lanes<T> % row_lanes;
  StatsLanes<T>& lanes = groups[group];
  using V = Vector<T>;
  using Counts = Vector<typename StatsLanes<T>::Count>;
  constexpr int width = vector_bytes / int(sizeof(T)), vectors = strip_lanes<T> / width, sums = strip_lanes<T> / doubles;
  const Plus plus;
  Doubles sum[sums], squares[sums], origin[sums];
  V smallest[vectors], largest[vectors];
  Counts zero[vectors], saturated[vectors];
  [[maybe_unused]] V pivot[vectors];
  [[maybe_unused]] Counts nonfinite[vectors];
#pragma GCC unroll 2
  for (int k = 0; k < sums; ++k) {
    const int j = first + k * doubles;
    sum[k] = load_vector<Doubles>(lanes.sum + j), squares[k] = load_vector<Doubles>(lanes.squares + j);
    origin[k] = -widened(load_vector<Vector<T, doubles>>(lanes.pivot + j));
    if constexpr (any) origin[k] *= steps.scale;
  }
#pragma GCC unroll 2
  for (int k = 0; k < vectors; ++k) {
    const int j = first + k * width;
    smallest[k] = load_vector<V>(lanes.smallest + j), largest[k] = load_vector<V>(lanes.largest + j);
    zero[k] = load_vector<Counts>(lanes.zero + j), saturated[k] = load_vector<Counts>(lanes.saturated + j);
    if constexpr (any) pivot[k] = load_vector<V>(lanes.pivot + j), nonfinite[k] = load_vector<Counts>(lanes.nonfinite + j);
  }
  const T* x = steps.x + steps.columns[group] + first;
  const char* next = steps.next + strip * steps.next_strip;
  for (ptrdiff_t i = 0; i < steps.count; ++i, x += steps.pitch, next += steps.next_pitch) {
    __builtin_prefetch(next);
#pragma GCC unroll 2
    for (int k = 0; k < vectors; ++k) {
      V value = load_vector<V>(x + k * width);
      zero[k] -= Counts(value == 0);
      saturated[k] -= Counts((value <= steps.low) | (value >= steps.high));
      if constexpr (any) {
        const auto finite = value - value == 0;
        nonfinite[k] -= Counts(~finite);
        value = finite ? value : pivot[k];
      }
      smallest[k] = value < smallest[k] ? value : smallest[k];
      largest[k] = value > largest[k] ? value : largest[k];
      T used[width];
      store_vector(value, used);
#pragma GCC unroll 2
      for (int j = 0; j < width; j += doubles) {
        Doubles distance = widened(load_vector<Vector<T, doubles>>((any ? used : x + k * width) + j));
        if constexpr (any) distance *= steps.scale;
        const int s = (k * width + j) / doubles;
        distance = plus(distance, origin[s]);
        if constexpr (same<T, double>) {
          sum[s] += distance, squares[s] += distance * distance;  // a chain, in which plus would take longer
        } else {
          sum[s] = plus(distance, sum[s]), squares[s] = plus(distance * distance, squares[s]);
        }
      }
    }
  }
  if constexpr (!any) {
    // The square of what is not finite is not either: 0, or NaN.
    Doubles test = squares[0] - squares[0];
    for (int k = 1; k < sums; ++k) test += squares[k] - squares[k];
    double all = 0;
    for (int j = 0; j < doubles; ++j) all += test[j];
    if (!(all == 0)) return false;
  }
#pragma GCC unroll 2
  for (int k = 0; k < sums; ++k) {
    const int j = first + k * doubles;
    store_vector(sum[k], lanes.sum + j), store_vector(squares[k], lanes.squares + j);
  }
#pragma GCC unroll 2
  for (int k = 0; k < vectors; ++k) {
    const int j = first + k * width;
    store_vector(smallest[k], lanes.smallest + j), store_vector(largest[k], lanes.largest + j);
    store_vector(zero[k], lanes.zero + j), store_vector(saturated[k], lanes.saturated + j);
    if constexpr (any) store_vector(nonfinite[k], lanes.nonfinite + j);
  }
  return true;
}
// Strips [begin, end) of the groups; the first that was not done.
template <bool any, class T>
__attribute__((noinline)) int strips_loop(const StatsSteps<T>& steps, StatsLanes<T>* lanes, int begin, int end) {
  while (begin < end && add_strip<any>(steps, begin, lanes)) ++begin;
  return begin;
}

// Rows of the same stride, from one of them on.
struct StatsRun {
  const char* from;
  ptrdiff_t stride, rows;
};
inline StatsRun run_at(const StatsPart& part, ptrdiff_t row) {
  StatsRun run{part.x, part.strides[0], part.end - row};
  for (int i = 0; i < part.axes; ++i) {
    const ptrdiff_t at = row % part.lengths[i];
    if (i == 0 && part.lengths[0] - at < run.rows) run.rows = part.lengths[0] - at;
    run.from += at * part.strides[i];
    row /= part.lengths[i];
  }
  return run;
}

// Data of T, stored as S. Columns are taken row_lanes at a time, as groups; short rows go several together into one step.
template <class S, class T>
struct StatsWalker {
  static constexpr ptrdiff_t item = sizeof(S);
  static constexpr ptrdiff_t fold_length = 128;  // steps; sums of sums keep their rounding small
  static constexpr ptrdiff_t block_length = (1 << 14) / ptrdiff_t(sizeof(T));  // elements, in the first-level cache

  const StatsPart& part;
  const int together = part.together, groups = part.last_group - part.first_group;
  const ptrdiff_t columns = part.columns, width = columns < row_lanes ? columns : row_lanes, used = together * width;
  // Of the groups' columns.
  const ptrdiff_t first = first_column(part.first_group), row_length = first_column(part.last_group - 1) + width - first;
  const ptrdiff_t pitch = together * row_length;
  ptrdiff_t done = 0;  // steps
  ptrdiff_t offsets[most_stats_groups];
  StatsLanes<T> lanes[most_stats_groups];

  explicit StatsWalker(const StatsPart& given) : part(given) {
    for (int k = 0; k < groups; ++k) lanes[k] = {}, offsets[k] = first_column(part.first_group + k) - first;
  }

  // The last group overlaps the one before rather than reach beyond the row.
  ptrdiff_t first_column(int group) const {
    const ptrdiff_t column = ptrdiff_t(group) * row_lanes, last = columns - width;
    return column < last ? column : last;
  }

  // `next`, `stride`: where what follows is stored, and how far apart in bytes.
  void add(const T* x, ptrdiff_t count, const char* next, ptrdiff_t stride) {
    const T low = T(part.low), high = T(part.high);
    constexpr ptrdiff_t bytes = strip_lanes<T> * item;
    const bool in_order = stride == pitch * item;
    const StatsSteps<T> steps{x, pitch, count, next, in_order ? count * bytes : bytes, in_order ? bytes : stride,
                              offsets, low, high, part.scale};
    for (int k = 0; k < groups; ++k) {
      if (done % fold_length == 0) lanes[k].fold();
      if (!lanes[k].settled) settle(steps, offsets[k], lanes[k]);
    }
    const int strips = groups * (row_lanes / strip_lanes<T>);
    for (int at = 0; at < strips; ++at) {
      if (part.scale == 1) at = strips_loop<false>(steps, lanes, at, strips);
      if (at < strips) strips_loop<true>(steps, lanes, at, at + 1);
    }
    done += steps.count;
  }
  // A lane takes its first finite element as the pivot; until then its sums are 0.
  void settle(const StatsSteps<T>& steps, ptrdiff_t offset, StatsLanes<T>& own) const {
    own.settled = true;
    for (ptrdiff_t j = 0; j < used; ++j) {
      if (ptrdiff_t(own.nonfinite[j]) != done) continue;
      const T* const x = steps.x + offset + j;
      ptrdiff_t i = 0;
      while (i < steps.count && !is_finite(x[i * steps.pitch])) ++i;
      if (i < steps.count) own.pivot[j] = own.smallest[j] = own.largest[j] = x[i * steps.pitch];
      own.settled &= i < steps.count;
    }
  }

  // Rows from one on through a buffer, filled up to whole steps with NaN, which count as nothing but not finite.
  void add_gathered(ptrdiff_t row, ptrdiff_t rows) {
    const ptrdiff_t steps = (rows + together - 1) / together, filled = rows * row_length;
    const ptrdiff_t at_once = row_length < row_lanes ? tile_length / row_length : 1;
    T buffer[block_length + row_lanes];
    StatsRun run{};
    for (ptrdiff_t at = 0, now; at < rows; at += now) {
      run = run_at(part, row + at);
      now = run.rows < rows - at ? run.rows : rows - at;
      run.from += first * part.column_stride;
      for (ptrdiff_t r = 0; r < now; r += at_once) {
        const Block block{part.column_stride, row_length, run.stride, now - r < at_once ? now - r : at_once};
        T* const to = buffer + (at + r) * row_length;
        const T* const found = contiguous<S>(run.from + r * run.stride, block, to, block.size());
        if (found != to) __builtin_memcpy(to, found, size_t(block.size()) * sizeof(T));
      }
      run.from += now * run.stride;
    }
    for (ptrdiff_t i = filled; i < (steps - 1) * pitch + row_lanes; ++i) buffer[i] = T(__builtin_nanf(""));
    add(buffer, steps, run.from, together * run.stride);
    for (ptrdiff_t i = filled; i < steps * pitch; ++i) lanes[0].nonfinite[i - (steps - 1) * pitch] -= 1;
  }

  // Rows from one on as they lie, as far as they make whole steps; how many that were.
  ptrdiff_t add_direct(ptrdiff_t row, ptrdiff_t most) {
    const StatsRun run = run_at(part, row);
    // A step reads row_lanes elements, the last one too many.
    const ptrdiff_t whole = run.rows / together - (used < row_lanes), steps = whole < most ? whole : most;
    if (steps <= 0) return 0;
    const char* const from = run.from + first * item;
    add(reinterpret_cast<const T*>(from), steps, from + steps * pitch * item, pitch * item);
    return steps * together;
  }

  void run() {
    // Rows that follow one another; short runs are put together in the buffer.
    const bool direct = same<S, T> && part.column_stride == item && part.strides[0] == row_length * item &&
                        (part.axes == 1 || part.lengths[0] >= 8 * together);
    ptrdiff_t most = fold_length;
    while (most * pitch > block_length) most /= 2;
    for (ptrdiff_t row = part.begin, rows; row < part.end; row += rows) {
      const ptrdiff_t to_fold = fold_length - done % fold_length, steps = to_fold < most ? to_fold : most;
      rows = direct ? add_direct(row, steps) : 0;
      if (rows > 0) continue;
      rows = together * (direct && steps > 2 ? 2 : steps);
      if (rows > part.end - row) rows = part.end - row;
      add_gathered(row, rows);
    }
  }

  void write(StatsState* states) const {
    for (int group = part.first_group; group < part.last_group; ++group) {
      const StatsLanes<T>& own = lanes[group - part.first_group];
      const ptrdiff_t column = first_column(group);
      for (ptrdiff_t j = ptrdiff_t(group) * row_lanes - column; j < used; ++j) {
        const ptrdiff_t rows = (part.end - part.begin - j / width + together - 1) / together;
        const double nonfinite = double(own.nonfinite[j]), n = double(rows) - nonfinite;
        const double sum = own.all[j] + own.sum[j], offset = n > 0 ? sum / n : 0;
        states[column + j] = {n,
                             double(own.pivot[j]),
                             offset,
                             own.all_squares[j] + own.squares[j] - sum * offset,
                             double(own.smallest[j]),
                             double(own.largest[j]),
                             double(own.zero[j]),
                             double(own.saturated[j]),
                             nonfinite};
      }
    }
  }

  static void walk(const StatsPart& part, StatsState* states) {
    StatsWalker walker(part);
    walker.run();
    walker.write(states);
  }
};

}  // namespace
}  // namespace numact

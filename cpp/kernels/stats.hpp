// Mean, deviation, ends and counts of an array in one pass.
//
// Squares are those of the distance to a pivot, an element of the same sum: with n elements the sum of squares is at most about
// n times that about the mean, so what cancels in the difference is far below a double.
#pragma once
#include "../levels/table.hpp"
#include "tile.hpp"

namespace numact {
namespace {

// Counts are kept in words as wide as the data.
template <class T>
struct StatsCount {
  using type = int32_t;
};
template <>
struct StatsCount<double> {
  using type = double;  // the baseline compares no 64-bit integers
};

// row_lanes columns side by side. Elements that are not finite count as their pivot.
template <class T>
struct StatsLanes {
  using Count = typename StatsCount<T>::type;
  double sum[row_lanes] = {}, squares[row_lanes] = {};  // of scale * (x - pivot) since the latest fold
  double all[row_lanes] = {}, all_squares[row_lanes] = {};
  T pivot[row_lanes] = {}, smallest[row_lanes] = {}, largest[row_lanes] = {};
  Count zero[row_lanes] = {}, saturated[row_lanes] = {}, nonfinite[row_lanes] = {};

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

// What to fetch into the cache meanwhile, line by line: rows of a few lines each, which the processor does not foresee where the
// columns are taken in groups.
struct StatsAhead {
  const char* row;
  ptrdiff_t lines, stride, line = 0;

  NUMACT_LANE void fetch() {
    __builtin_prefetch(row + 64 * line);
    if (++line < lines) return;
    line = 0;
    row += stride;
  }
};

// No madd: the sums may not depend on the level. Squares of float64 data can leave the range unless they are scaled.
template <bool scaled, class T>
__attribute__((noinline)) void stats_loop(const T* x, ptrdiff_t pitch, ptrdiff_t steps, StatsAhead& ahead, T low, T high,
                                          [[maybe_unused]] double scale, StatsLanes<T>& lanes) {
  using Count = typename StatsLanes<T>::Count;
  StatsLanes<T> own = lanes;
  StatsAhead next = ahead;
  double origin[row_lanes];
  for (int j = 0; j < row_lanes; ++j) origin[j] = scaled ? scale * double(own.pivot[j]) : double(own.pivot[j]);
  for (ptrdiff_t i = 0; i < steps; ++i, x += pitch) {
    for (size_t line = 0; line < row_lanes * sizeof(T); line += 64) next.fetch();
#pragma omp simd
    for (int j = 0; j < row_lanes; ++j) {
      const T value = x[j], used = is_finite(value) ? value : own.pivot[j];
      const double distance = (scaled ? scale * double(used) : double(used)) - origin[j];
      own.sum[j] += distance;
      own.squares[j] += distance * distance;
      own.smallest[j] = used < own.smallest[j] ? used : own.smallest[j];
      own.largest[j] = used > own.largest[j] ? used : own.largest[j];
      own.zero[j] += value == 0 ? Count(1) : Count(0);
      const Count at_low = value <= low ? Count(1) : Count(0);
      own.saturated[j] += value >= high ? Count(1) : at_low;
      own.nonfinite[j] += is_finite(value) ? Count(0) : Count(1);
    }
  }
  lanes = own;
  ahead = next;
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

  const StatsPart& part;
  const int together = part.together;
  const ptrdiff_t columns = part.columns, width = columns < row_lanes ? columns : row_lanes, used = together * width;
  ptrdiff_t done = 0;  // steps
  StatsLanes<T> lanes[most_stats_groups];

  explicit StatsWalker(const StatsPart& given) : part(given) {
    for (int group = part.first_group; group < part.last_group; ++group) lanes[group - part.first_group] = {};
  }

  // The last group overlaps the one before rather than reach beyond the row.
  ptrdiff_t first_column(int group) const {
    const ptrdiff_t first = ptrdiff_t(group) * row_lanes, last = columns - width;
    return first < last ? first : last;
  }

  // x: the first element of the first step.
  void add(const T* x, ptrdiff_t pitch, ptrdiff_t steps, StatsAhead& ahead, StatsLanes<T>& own) {
    if (done % fold_length == 0) own.fold();
    // A lane takes its first finite element as the pivot; until then its sums are 0.
    for (ptrdiff_t j = 0; j < used; ++j) {
      if (ptrdiff_t(own.nonfinite[j]) != done) continue;
      ptrdiff_t i = 0;
      while (i < steps && !is_finite(x[i * pitch + j])) ++i;
      if (i < steps) own.pivot[j] = own.smallest[j] = own.largest[j] = x[i * pitch + j];
    }
    const auto loop = part.scale == 1 ? stats_loop<false, T> : stats_loop<same<T, double>, T>;
    loop(x, pitch, steps, ahead, T(part.low), T(part.high), part.scale, own);
  }
  ptrdiff_t at_most(ptrdiff_t steps) const {
    const ptrdiff_t left = fold_length - done % fold_length;
    return steps < left ? steps : left;
  }

  // The whole steps of a run where they lie; how many rows that were.
  ptrdiff_t add_direct(const StatsRun& run) {
    // A step reads row_lanes elements, the last one too many.
    const ptrdiff_t steps = at_most(run.rows / together - (used < row_lanes)), pitch = together * run.stride;
    if (steps <= 0) return 0;
    const ptrdiff_t groups = part.last_group - part.first_group, lines = row_lanes * item / 64 * groups;
    StatsAhead ahead{run.from + steps * pitch + first_column(part.first_group) * item, lines, pitch};
    for (int group = part.first_group; group < part.last_group; ++group)
      add(reinterpret_cast<const T*>(run.from) + first_column(group), pitch / item, steps, ahead,
          lanes[group - part.first_group]);
    done += steps;
    return steps * together;
  }

  // Rows through a buffer, filled up to whole steps with NaN, which count as nothing but not finite.
  void add_gathered(ptrdiff_t row, ptrdiff_t rows) {
    const ptrdiff_t steps = (rows + together - 1) / together, filled = rows * width;
    for (int group = part.first_group; group < part.last_group; ++group) {
      T buffer[tile_length + row_lanes];
      for (ptrdiff_t at = 0; at < rows;) {
        StatsRun run = run_at(part, row + at);
        if (run.rows > rows - at) run.rows = rows - at;
        const Block block{part.column_stride, width, run.stride, run.rows};
        const char* const from = run.from + first_column(group) * part.column_stride;
        T* const to = buffer + at * width;
        const T* const found = contiguous<S>(from, block, to, block.size());
        if (found != to) __builtin_memcpy(to, found, size_t(block.size()) * sizeof(T));
        at += run.rows;
      }
      for (ptrdiff_t i = filled; i < (steps - 1) * used + row_lanes; ++i) buffer[i] = T(__builtin_nanf(""));
      StatsLanes<T>& own = lanes[group - part.first_group];
      StatsAhead nothing{reinterpret_cast<const char*>(buffer), 1, 0};
      add(buffer, used, steps, nothing, own);
      for (ptrdiff_t i = filled; i < steps * used; ++i) own.nonfinite[i - (steps - 1) * used] -= 1;
    }
    done += steps;
  }

  void run() {
    const bool side_by_side = columns == 1 || part.column_stride == item;
    const bool fits = columns >= row_lanes ||
                      (together == 1 ? part.strides[0] >= columns * item : part.strides[0] == columns * item);
    // Short runs are put together in the buffer.
    const bool direct = same<S, T> && side_by_side && fits && (part.axes == 1 || part.lengths[0] >= 8 * together);
    for (ptrdiff_t row = part.begin, rows; row < part.end; row += rows) {
      rows = direct ? add_direct(run_at(part, row)) : 0;
      if (rows > 0) continue;
      rows = together * at_most(direct ? 2 : tile_length / row_lanes);
      if (rows > part.end - row) rows = part.end - row;
      add_gathered(row, rows);
    }
  }

  void write(StatsState* states) const {
    for (int group = part.first_group; group < part.last_group; ++group) {
      const StatsLanes<T>& own = lanes[group - part.first_group];
      const ptrdiff_t first = first_column(group);
      for (ptrdiff_t j = ptrdiff_t(group) * row_lanes - first; j < used; ++j) {
        const ptrdiff_t rows = (part.end - part.begin - j / width + together - 1) / together;
        const double nonfinite = double(own.nonfinite[j]), n = double(rows) - nonfinite;
        const double sum = own.all[j] + own.sum[j], offset = n > 0 ? sum / n : 0;
        states[first + j] = {n,
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

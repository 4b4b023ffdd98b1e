// Sums, ends and counts of an array in one pass.
//
// Squares are those of the distance to a pivot: 0, unless the deviation is far smaller than the mean.
#pragma once
#include "../lanes/vectors.hpp"
#include "kernel.hpp"
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

  // Lane j has column j % width of `pivots`, if there are any; those from `used` on none. Whether one is not 0.
  __attribute__((noinline)) bool start(const double* pivots, ptrdiff_t used, ptrdiff_t width) {
    for (int j = 0; j < row_lanes; ++j) {
      sum[j] = squares[j] = all[j] = all_squares[j] = 0;
      pivot[j] = 0, smallest[j] = T(__builtin_inf()), largest[j] = -T(__builtin_inf());
      zero[j] = saturated[j] = nonfinite[j] = 0;
    }
    bool shifted = false;
    for (ptrdiff_t j = 0, column = 0; j < used && pivots != nullptr; ++j, column = column + 1 < width ? column + 1 : 0)
      pivot[j] = T(pivots[column]), shifted |= pivot[j] != 0;
    return shifted;
  }
  void fold() {
    for (int j = 0; j < row_lanes; ++j) {
      all[j] += sum[j], all_squares[j] += squares[j];
      sum[j] = squares[j] = 0;
    }
  }
  // Of lanes [begin, end).
  __attribute__((noinline)) void write(double* to, ptrdiff_t pitch, ptrdiff_t begin, ptrdiff_t end) {
    fold();
    const auto field = [&](StatsField which, const auto* from) {
      for (ptrdiff_t j = begin; j < end; ++j) to[which * pitch + j] = double(from[j]);
    };
    field(stats_sum, all), field(stats_squares, all_squares), field(stats_smallest, smallest), field(stats_largest, largest);
    field(stats_zero, zero), field(stats_saturated, saturated), field(stats_nonfinite, nonfinite);
  }
};

// Some steps of groups of row_lanes columns that begin at `columns`; and what to fetch into the second-level cache meanwhile (there
// is more room for what is on its way), as the processor does not foresee enough of it: at each step of a strip.
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

// Whether there are ends, at which elements are saturated.
enum class StatsEnds { none, some };
// So many lanes are taken at once as there are registers for, of which vectors of 64 bytes have twice as many.
template <StatsEnds ends, class T>
constexpr int strip_lanes = (ends == StatsEnds::some && same<T, double> && vector_bytes < 64 ? 1 : 2) * doubles;

// What elements may need: nothing; a pivot that is not 0; a scale too, as squares of float64 data can leave the range, and a test
// whether they are finite. Without that test false and nothing done if one is not.
enum class StatsNeed { nothing, pivot, any };

// Counts of x that are 0; and of those <= low or >= high. Where there are masks the other ones are taken from `steps`, with which
// that count begins: the second comparison goes under the mask of the first.
#if defined(__AVX512F__)
NUMACT_LANE Vector<int32_t> add_zeros(Vector<float> x, Vector<int32_t> counts) {
  const __mmask16 zero = _mm512_testn_epi32_mask(__m512i(x), _mm512_set1_epi32(0x7fffffff));
  return Vector<int32_t>(_mm512_mask_add_epi32(__m512i(counts), zero, __m512i(counts), _mm512_set1_epi32(1)));
}
NUMACT_LANE Vector<int64_t> add_zeros(Vector<double> x, Vector<int64_t> counts) {
  const __mmask8 zero = _mm512_testn_epi64_mask(__m512i(x), _mm512_set1_epi64(0x7fffffffffffffff));
  return Vector<int64_t>(_mm512_mask_add_epi64(__m512i(counts), zero, __m512i(counts), _mm512_set1_epi64(1)));
}
NUMACT_LANE Vector<int32_t> add_saturated(Vector<float> x, float low, float high, Vector<int32_t> counts) {
  const __mmask16 above = _mm512_cmp_ps_mask(__m512(x), _mm512_set1_ps(low), _CMP_NLE_UQ);
  const __mmask16 inside = _mm512_mask_cmp_ps_mask(above, __m512(x), _mm512_set1_ps(high), _CMP_NGE_UQ);
  return Vector<int32_t>(_mm512_mask_sub_epi32(__m512i(counts), inside, __m512i(counts), _mm512_set1_epi32(1)));
}
NUMACT_LANE Vector<int64_t> add_saturated(Vector<double> x, double low, double high, Vector<int64_t> counts) {
  const __mmask8 above = _mm512_cmp_pd_mask(__m512d(x), _mm512_set1_pd(low), _CMP_NLE_UQ);
  const __mmask8 inside = _mm512_mask_cmp_pd_mask(above, __m512d(x), _mm512_set1_pd(high), _CMP_NGE_UQ);
  return Vector<int64_t>(_mm512_mask_sub_epi64(__m512i(counts), inside, __m512i(counts), _mm512_set1_epi64(1)));
}
NUMACT_LANE ptrdiff_t saturated_at_first(ptrdiff_t steps) { return steps; }
#else
template <class V, class C>
NUMACT_LANE C add_zeros(V x, C counts) {
  const auto pattern = Vector<typename Format<decltype(+x[0])>::bits>(x);
  return counts - C(pattern + pattern == 0);  // comparisons of integers have more units
}
template <class V, class T, class C>
NUMACT_LANE C add_saturated(V x, T low, T high, C counts) {
  return counts - C((x <= low) | (x >= high));
}
NUMACT_LANE ptrdiff_t saturated_at_first(ptrdiff_t) { return 0; }
#endif

// The sums may not depend on the level: there is madd only of squares of float32, which are exact in double.
template <StatsNeed need, StatsEnds ends, class T>
NUMACT_LANE bool add_strip(const StatsSteps<T>& steps, int strip, StatsLanes<T>* groups) {
  constexpr int strip_length = strip_lanes<ends, T>;
  const int group = strip * strip_length / row_lanes, first = strip * strip_length % row_lanes;
  StatsLanes<T>& lanes = groups[group];
  using V = Vector<T>;
  using Count = typename StatsLanes<T>::Count;
  using Counts = Vector<Count>;
  constexpr int width = vector_bytes / int(sizeof(T)), vectors = strip_length / width, sums = strip_length / doubles;
  constexpr bool any = need == StatsNeed::any;
  const Plus plus;
  Doubles sum[sums], squares[sums];
  [[maybe_unused]] Doubles origin[sums];
  V smallest[vectors], largest[vectors];
  Counts zero[vectors], saturated[vectors];
  [[maybe_unused]] V pivot[vectors];
  [[maybe_unused]] Counts nonfinite[vectors];
#pragma GCC unroll 2
  for (int k = 0; k < sums; ++k) {
    const int j = first + k * doubles;
    sum[k] = load_vector<Doubles>(lanes.sum + j), squares[k] = load_vector<Doubles>(lanes.squares + j);
    if constexpr (need != StatsNeed::nothing)
      origin[k] = widened(load_vector<Vector<T, doubles>>(lanes.pivot + j)) * -steps.scale;
  }
#pragma GCC unroll 2
  for (int k = 0; k < vectors; ++k) {
    const int j = first + k * width;
    smallest[k] = load_vector<V>(lanes.smallest + j), largest[k] = load_vector<V>(lanes.largest + j);
    zero[k] = load_vector<Counts>(lanes.zero + j), saturated[k] = load_vector<Counts>(lanes.saturated + j);
    if constexpr (ends == StatsEnds::some) saturated[k] += Count(saturated_at_first(steps.count));
    if constexpr (any) pivot[k] = load_vector<V>(lanes.pivot + j), nonfinite[k] = load_vector<Counts>(lanes.nonfinite + j);
  }
  const T* x = steps.x + steps.columns[group] + first;
  const char* next = steps.next + strip * steps.next_strip;
  for (ptrdiff_t i = 0; i < steps.count; ++i, x += steps.pitch, next += steps.next_pitch) {
    for (int line = 0; line < strip_length * int(sizeof(T)); line += 64) __builtin_prefetch(next + line, 0, 2);
#pragma GCC unroll 2
    for (int k = 0; k < vectors; ++k) {
      V value = load_vector<V>(x + k * width);
      zero[k] = add_zeros(value, zero[k]);
      if constexpr (ends == StatsEnds::some) saturated[k] = add_saturated(value, steps.low, steps.high, saturated[k]);
      if constexpr (any) {
        const auto finite = value - value == 0;
        nonfinite[k] -= Counts(~finite);
        smallest[k] = (value < smallest[k]) & finite ? value : smallest[k];
        largest[k] = (value > largest[k]) & finite ? value : largest[k];
        value = finite ? value : pivot[k];
      } else {
        smallest[k] = value < smallest[k] ? value : smallest[k];
        largest[k] = value > largest[k] ? value : largest[k];
      }
      T used[width];
      store_vector(value, used);
#pragma GCC unroll 2
      for (int j = 0; j < width; j += doubles) {
        const int s = (k * width + j) / doubles;
        Doubles distance = widened(load_vector<Vector<T, doubles>>((any ? used : x + k * width) + j));
        if constexpr (any) distance *= steps.scale;
        if constexpr (need != StatsNeed::nothing) distance = plus(distance, origin[s]);
        if constexpr (same<T, double>) {
          sum[s] += distance, squares[s] += distance * distance;  // a chain, in which plus would take longer
        } else {
          sum[s] = plus(distance, sum[s]);
          if constexpr (need == StatsNeed::nothing)
            squares[s] = madd(distance, distance, squares[s]);
          else
            squares[s] = plus(distance * distance, squares[s]);
        }
      }
    }
  }
  if constexpr (!any) {
    // The square of what is not finite is not either: 0, or NaN.
    Doubles test = squares[0] - squares[0];
    for (int k = 1; k < sums; ++k) test += squares[k] - squares[k];
    if (any_nan(test)) return false;
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
template <StatsNeed need, StatsEnds ends, class T>
__attribute__((noinline)) int strips_loop(const StatsSteps<T>& steps, StatsLanes<T>* lanes, int begin, int end) {
  while (begin < end && add_strip<need, ends>(steps, begin, lanes)) ++begin;
  return begin;
}

// What the sums tell of units. Where squares of float64 leave the range, or the deviation is far smaller than the mean, they are
// to be taken once more by another scale or about a pivot.
inline bool finish_stats(const StatsUnits& units) {
  const double rows = units.rows, scale = units.scale, unscale = 1 / scale, nothing = __builtin_nan("");
  const bool rescaled = units.stage == StatsStage::all && scale == 1 && units.of_float64;
  const double too_small = rescaled ? 0x1p-900 : 0, too_large = rescaled ? Format<double>::largest : __builtin_inf();
  const double cancelled = units.stage == StatsStage::again ? 0 : 0x1p-6;
  const double afterwards = units.stage == StatsStage::sample ? scale : 0;
  const auto field = [&](StatsField which) { return units.states + which * units.pitch; };
  const double *const sums = field(stats_sum), *const all_squares = field(stats_squares), *const zeros = field(stats_zero);
  const double *const smallest = field(stats_smallest), *const largest = field(stats_largest);
  const double *const saturated = field(stats_saturated), *const others = field(stats_nonfinite);
  double *const wanted = units.wanted, *const pivots = units.pivots;
  // As variables, or each step would read them anew.
  double *const means = units.values[stats_mean], *const deviations = units.values[stats_deviation];
  double *const leasts = units.values[stats_least], *const mosts = units.values[stats_most];
  double *const zero_parts = units.values[stats_zeros], *const outside = units.values[stats_outside];
  double *const not_finite = units.values[stats_not_finite];
  double left = 0;
#pragma omp simd reduction(+ : left)
  for (ptrdiff_t i = 0; i < units.count; ++i) {
    const double least = smallest[i], most = largest[i], squares = all_squares[i];
    const double finite = rows - others[i], offset = sums[i] / finite, spread = squares - sums[i] * offset;
    const double about = spread < 0 ? 0 : spread, root = square_root(about / finite) * unscale;
    const bool some = finite > 0, equal = least == most, mine = wanted[i] == scale;
    const double center = equal ? least : (scale * pivots[i] + offset) * unscale;
    const double fitting = squares > too_large ? StatsUnits::smaller : squares < too_small ? StatsUnits::larger : scale;
    const double next = least < most ? fitting : scale;
    const bool shifts = (next == scale) & (least < most) & (about < cancelled * squares);
    const bool known = mine & (next == scale) & !shifts;
    pivots[i] = (mine & shifts) ? center : pivots[i];
    const double still = known ? afterwards : mine ? next : wanted[i];
    wanted[i] = still, left += still;
    const auto set = [&](double& to, double value) { to = known ? value : to; };
    set(means[i], some ? center : nothing);
    set(deviations[i], some ? equal ? 0 : root : nothing);
    set(leasts[i], some ? least : nothing);
    set(mosts[i], some ? most : nothing);
    set(zero_parts[i], zeros[i] / rows);
    set(outside[i], saturated[i] / rows);
    set(not_finite[i], others[i] / rows);
  }
  for (ptrdiff_t i = 0; i < units.count && !units.of_float64; ++i) pivots[i] = double(float(pivots[i]));
  return left != 0;
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
  // Elements, in the first-level cache beside those of the next block.
  static constexpr ptrdiff_t block_length = (1 << 14) / ptrdiff_t(sizeof(T));

  const StatsPart& part;
  const int together = part.together, groups = part.last_group - part.first_group;
  const ptrdiff_t columns = part.columns, width = columns < row_lanes ? columns : row_lanes, used = together * width;
  // Of the groups' columns.
  const ptrdiff_t first = first_column(part.first_group), row_length = first_column(part.last_group - 1) + width - first;
  const ptrdiff_t step_length = together * row_length;
  ptrdiff_t done = 0;    // steps
  bool shifted = false;  // a pivot is not 0
  ptrdiff_t offsets[most_stats_groups];
  StatsLanes<T> lanes[most_stats_groups];

  explicit StatsWalker(const StatsPart& given) : part(given) {
    for (int k = 0; k < groups; ++k) {
      const ptrdiff_t column = first_column(part.first_group + k);
      offsets[k] = column - first;
      shifted |= lanes[k].start(part.pivots != nullptr ? part.pivots + column : nullptr, used, width);
    }
  }

  // The last group overlaps the one before rather than reach beyond the row.
  ptrdiff_t first_column(int group) const {
    const ptrdiff_t column = ptrdiff_t(group) * row_lanes, last = columns - width;
    return column < last ? column : last;
  }

  // Steps `pitch` elements apart. `next`, `stride`: where what follows is stored, and how far apart in bytes.
  void add(const T* x, ptrdiff_t pitch, ptrdiff_t count, const char* next, ptrdiff_t stride) {
    const bool none = part.low != part.low && part.high != part.high;
    none ? add<StatsEnds::none>(x, pitch, count, next, stride) : add<StatsEnds::some>(x, pitch, count, next, stride);
  }
  template <StatsEnds ends>
  void add(const T* x, ptrdiff_t pitch, ptrdiff_t count, const char* next, ptrdiff_t stride) {
    const T low = T(part.low), high = T(part.high);
    constexpr int strip_length = strip_lanes<ends, T>;
    constexpr ptrdiff_t bytes = strip_length * item;
    const bool in_order = stride == step_length * item;
    // Nothing is fetched that may throw out of the second-level cache what is in it, nor one stream where vectors have 64 bytes:
    // such processors foresee it.
    if (part.near || (groups == 1 && in_order && vector_bytes == 64)) next = reinterpret_cast<const char*>(x);
    const StatsSteps<T> steps{x, pitch, count, next, in_order ? count * bytes : bytes, in_order ? bytes : stride,
                              offsets, low, high, part.scale};
    for (int k = 0; k < groups && done % fold_length == 0; ++k) lanes[k].fold();
    const int strips = groups * (row_lanes / strip_length);
    for (int at = 0; at < strips; ++at) {
      if (part.scale == 1)
        at = shifted ? strips_loop<StatsNeed::pivot, ends>(steps, lanes, at, strips)
                     : strips_loop<StatsNeed::nothing, ends>(steps, lanes, at, strips);
      if (at < strips) strips_loop<StatsNeed::any, ends>(steps, lanes, at, at + 1);
    }
    done += steps.count;
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
    const ptrdiff_t last = (steps - 1) * step_length;
    for (ptrdiff_t i = filled; i < last + row_lanes; ++i) buffer[i] = T(__builtin_nanf(""));
    add(buffer, step_length, steps, run.from, together * run.stride);
    for (ptrdiff_t i = filled; i < last + step_length; ++i) lanes[0].nonfinite[i - last] -= 1;
  }

  // Rows from one on as they lie, as far as they make whole steps; how many that were.
  ptrdiff_t add_direct(ptrdiff_t row, ptrdiff_t most) {
    const StatsRun run = run_at(part, row);
    // A step reads row_lanes elements, the last one too many.
    const ptrdiff_t whole = run.rows / together - (used < row_lanes), steps = whole < most ? whole : most;
    if (steps <= 0) return 0;
    const ptrdiff_t stride = together * run.stride;
    const char* const from = run.from + first * item;
    add(reinterpret_cast<const T*>(from), stride / item, steps, from + steps * stride, stride);
    return steps * together;
  }

  void run() {
    // Short rows must follow one another; short runs are put together in the buffer.
    const bool steady = columns >= row_lanes ? part.strides[0] % item == 0 : part.strides[0] == row_length * item;
    const bool direct = same<S, T> && part.column_stride == item && steady && (part.axes == 1 || part.lengths[0] >= 8 * together);
    ptrdiff_t most = fold_length;
    while (!(direct && part.near) && most * step_length > block_length) most /= 2;
    for (ptrdiff_t row = part.begin, rows; row < part.end; row += rows) {
      const ptrdiff_t to_fold = fold_length - done % fold_length, steps = to_fold < most ? to_fold : most;
      rows = direct ? add_direct(row, steps) : 0;
      if (rows > 0) continue;
      rows = together * (direct && steps > 2 ? 2 : steps);
      if (rows > part.end - row) rows = part.end - row;
      add_gathered(row, rows);
    }
  }

  static void walk(const StatsPart& part, double* states) {
    StatsWalker walker(part);
    walker.run();
    for (int k = 0; k < walker.groups; ++k) {
      const ptrdiff_t group = part.first_group + k, column = walker.first_column(int(group));
      walker.lanes[k].write(states + column, part.pitch, group * row_lanes - column, walker.used);
    }
  }
};

}  // namespace
}  // namespace numact

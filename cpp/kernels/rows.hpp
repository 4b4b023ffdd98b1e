// softmax and its kin over rows, in three steps of vector loops: the maximum; exponentials and their sums; the output. A row that
// fits in a tile is loaded, and its exponentials are computed, once. Rows whose elements lie apart are taken sixteen together
// where they are neighbours, so that they share cache lines.
//
// A sum is row_lanes sums by index, in two words for float64 data, put together in a fixed tree, chunk by chunk of a row. So a
// result depends on the values of its row alone.
#pragma once
#include "../activations/softmax.hpp"
#include "../levels/table.hpp"
#include "tile.hpp"

namespace numact {
namespace {

// Formula F in arithmetic A.
template <class F, class A>
struct RowLoops {
  using word = typename A::word;
  static constexpr bool float64 = A::paired;
  using T = typename Choice<float64, double, float>::type;  // of the data
  using E = typename Choice<F::has_exponentials, double, T>::type;

  __attribute__((noinline)) static void maximum_loop(const void* data, void* lanes, ptrdiff_t n) {
    const T* const x = static_cast<const T*>(data);
    T most[row_lanes];
    for (int j = 0; j < row_lanes; ++j) most[j] = static_cast<T*>(lanes)[j];
    for (ptrdiff_t i = 0; i < n; i += row_lanes) {
#pragma omp simd
      for (int j = 0; j < row_lanes; ++j) {
        const T value = sign * x[i + j];
        most[j] = value > most[j] ? value : most[j];
      }
    }
    for (int j = 0; j < row_lanes; ++j) static_cast<T*>(lanes)[j] = most[j];
  }
  __attribute__((noinline)) static void exponential_loop(const void* data, double maximum, void* exponentials, ptrdiff_t n) {
    const T* const x = static_cast<const T*>(data);
    double* const e = static_cast<double*>(exponentials);
    const word m = word(maximum);
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i) e[i] = F::template exponential<A>(word(sign * x[i]), m);
  }
  template <int k>
  NUMACT_LANE static void add_term(double e, double x, double dy, const RowFacts& row, double& sum, double& low) {
    const double each = F::template term<A, k>(e, x, row, dy);
    if constexpr (float64)
      add(sum, low, each, 0);
    else
      sum += each;
  }
  template <int k>
  __attribute__((noinline)) static void sum_loop(const void* exponentials, const void* data, const void* gradient,
                                                 const RowFacts& known, RowLanes& lanes, ptrdiff_t n) {
    const E* const e = static_cast<const E*>(exponentials);
    const T *const x = static_cast<const T*>(data), *const dy = static_cast<const T*>(gradient);
    const RowFacts row = known;
    RowLanes sums;
    for (int j = 0; j < row_lanes; ++j) sums.sum[j] = lanes.sum[j];
    for (int j = 0; j < row_lanes && float64; ++j) sums.low[j] = lanes.low[j];
    for (ptrdiff_t i = 0; i < n; i += row_lanes) {
#pragma omp simd
      for (int j = 0; j < row_lanes; ++j)
        add_term<k>(double(e[i + j]), double(x[i + j]), double(dy[i + j]), row, sums.sum[j], sums.low[j]);
    }
    for (int j = 0; j < row_lanes; ++j) lanes.sum[j] = sums.sum[j];
    for (int j = 0; j < row_lanes && float64; ++j) lanes.low[j] = sums.low[j];
  }
  __attribute__((noinline)) static void output_loop(const void* exponentials, const void* data, const void* gradient,
                                                    const RowFacts& known, void* output, ptrdiff_t n) {
    const E* const e = static_cast<const E*>(exponentials);
    const T *const x = static_cast<const T*>(data), *const dy = static_cast<const T*>(gradient);
    T* const out = static_cast<T*>(output);
    const RowFacts row = known;
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i)
      out[i] = T(F::template finish<A>(double(e[i]), double(x[i]), double(dy[i]), row));
  }

  static constexpr T sign = F::negated ? -1 : 1;
  static constexpr double cost = 0.5 + (!F::has_exponentials ? 0 : float64 ? 1.5 : A::wide ? 1 : 0.4);

  static constexpr RowsKernel kernel(const char* name, Direction direction, Tier tier) {
    RowsKernel result = {name, direction, tier, float64 ? Type::float64 : Type::float32, F::arrays, F::negated, cost, {}, {}, {}, {}, {}};
    if constexpr (!F::from_output) result.maximum = maximum_loop;
    if constexpr (F::has_exponentials) result.exponentials = exponential_loop;
    if constexpr (F::sums[0]) result.sums[0] = sum_loop<0>;
    if constexpr (F::sums[1]) result.sums[1] = sum_loop<1>;
    result.complete = F::template complete<A>;
    result.output = output_loop;
    return result;
  }
};

// Data of T, stored as S.
template <class S, class T>
struct RowsWalker {
  static constexpr int most_operands = 3, most_together = 16;
  static constexpr ptrdiff_t tile_size = 1024;  // of one row, or of most_together

  struct Strided {
    char* const* data;
    const ptrdiff_t *outer, *inner;
    int rows;
  };

  // A piece of each of several rows, as contiguous arrays.
  template <int together>
  struct Tile {
    static constexpr ptrdiff_t length = tile_size / together;
    const T* in[together][most_operands - 1];
    T buffer[most_operands - 1][together][length], out[together][length];
    double e[together][length];
  };

  NUMACT_LANE static T loaded(const char* from) {
    const S value = *reinterpret_cast<const S*>(from);
    if constexpr (same<S, T>)
      return value;
    else
      return widened(value);
  }
  NUMACT_LANE static void store(T value, char* to) {
    if constexpr (same<S, T>)
      *reinterpret_cast<S*>(to) = value;
    else
      *reinterpret_cast<S*>(to) = narrowed(value, S{});
  }
  static bool contiguous(const Strided& at, int operand) { return at.inner[operand] == ptrdiff_t(sizeof(S)); }

  // Filled up to whole vectors with values that change neither a maximum nor a sum.
  template <int together>
  static void load(const RowsKernel& kernel, Tile<together>& tile, const Strided& at, ptrdiff_t begin, ptrdiff_t m, ptrdiff_t whole) {
    for (int i = 0; i < kernel.arrays; ++i) {
      const char* const from = at.data[i] + begin * at.inner[i];
      if (same<S, T> && together == 1 && contiguous(at, i) && m == whole) {
        tile.in[0][i] = reinterpret_cast<const T*>(from);
        continue;
      }
      if (together == 1 && contiguous(at, i)) {
        if constexpr (same<S, T>)
          std::memcpy(tile.buffer[i][0], from, size_t(m) * sizeof(T));
        else
          widen_loop(reinterpret_cast<const S*>(from), tile.buffer[i][0], m);
      } else if (together == 1) {
        for (ptrdiff_t j = 0; j < m; ++j) tile.buffer[i][0][j] = loaded(from + j * at.inner[i]);
      } else {
        const ptrdiff_t apart = at.outer[i];
        T(&to)[together][Tile<together>::length] = tile.buffer[i];
        for (ptrdiff_t j = 0; j < m; ++j) {
          const char* const line = from + j * at.inner[i];
          if (at.rows == together && apart == ptrdiff_t(sizeof(S)))
            for (int r = 0; r < together; ++r) to[r][j] = loaded(line + r * ptrdiff_t(sizeof(S)));
          else
            for (int r = 0; r < at.rows; ++r) to[r][j] = loaded(line + r * apart);
        }
      }
      const bool is_x = kernel.maximum != nullptr && i == kernel.arrays - 1;
      const T nothing = !is_x ? T(0) : kernel.negated ? T(__builtin_inf()) : -T(__builtin_inf());
      for (int r = 0; r < at.rows; ++r) {
        for (ptrdiff_t j = m; j < whole; ++j) tile.buffer[i][r][j] = nothing;
        tile.in[r][i] = tile.buffer[i][r];
      }
    }
  }
  template <int together>
  static void unload(Tile<together>& tile, const Strided& at, int operand, ptrdiff_t begin, ptrdiff_t m) {
    char* const to = at.data[operand] + begin * at.inner[operand];
    if (together == 1 && contiguous(at, operand)) {
      if constexpr (same<S, T>)
        std::memcpy(to, tile.out[0], size_t(m) * sizeof(T));
      else
        narrow_loop(tile.out[0], reinterpret_cast<S*>(to), m);
      return;
    }
    const int rows = together == 1 ? 1 : at.rows;
    for (ptrdiff_t j = 0; j < m; ++j)
      for (int r = 0; r < rows; ++r) store(tile.out[r][j], to + r * at.outer[operand] + j * at.inner[operand]);
  }

  // One step over elements [begin, end) of rows of which `facts` is known; what came of each in `parts`. `kept`: the tile holds
  // them, and from the last step on their exponentials.
  template <int together>
  static void step(const RowsKernel& kernel, RowStep which, const Strided& at, ptrdiff_t begin, ptrdiff_t end,
                   const RowFacts* facts, RowFacts* parts, Tile<together>& tile, bool kept) {
    RowFacts known[together];
    T largest[together][row_lanes];
    RowLanes sums[together][row_sums];
    for (int r = 0; r < at.rows; ++r) {
      known[r] = facts[r];
      if (which == row_output) kernel.complete(known[r]);
      for (T& each : largest[r]) each = -T(__builtin_inf());
      for (int k = 0; k < row_sums; ++k)
        if (which == row_sum && kernel.sums[k] != nullptr) clear(sums[r][k]);
    }
    const int out = kernel.arrays;
    constexpr ptrdiff_t length = Tile<together>::length;
    for (; begin < end; begin += length) {
      const ptrdiff_t m = end - begin < length ? end - begin : length, whole = (m + row_lanes - 1) / row_lanes * row_lanes;
      if (!kept) load(kernel, tile, at, begin, m, whole);
      const bool direct = same<S, T> && together == 1 && contiguous(at, out) && m == whole;
      for (int r = 0; r < at.rows; ++r) {
        const T *const x = tile.in[r][kernel.arrays - 1], *const dy = tile.in[r][0];
        if (which == row_maximum) {
          kernel.maximum(x, largest[r], whole);
          continue;
        }
        const void* const e = kernel.exponentials != nullptr ? static_cast<const void*>(tile.e[r]) : x;
        if (kernel.exponentials != nullptr && (which == row_sum || !kept))
          kernel.exponentials(x, known[r].maximum, tile.e[r], whole);
        for (int k = 0; k < row_sums && which == row_sum; ++k)
          if (kernel.sums[k] != nullptr) kernel.sums[k](e, x, dy, known[r], sums[r][k], whole);
        if (which == row_output)
          kernel.output(e, x, dy, known[r],
                        direct ? static_cast<void*>(at.data[out] + begin * at.inner[out]) : tile.out[r], whole);
      }
      if (which == row_output && !direct) unload(tile, at, out, begin, m);
    }
    for (int r = 0; r < at.rows; ++r) {
      if (which == row_maximum) parts[r].maximum = double(folded_maximum(largest[r]));
      for (int k = 0; k < row_sums; ++k)
        if (which == row_sum && kernel.sums[k] != nullptr) fold<row_lanes / 2>(sums[r][k], parts[r].sum[k], parts[r].low[k]);
    }
  }

  static constexpr bool two_words = sizeof(T) == sizeof(double);
  NUMACT_LANE static void clear(RowLanes& lanes) {
    for (double& each : lanes.sum) each = 0;
    if constexpr (two_words)
      for (double& each : lanes.low) each = 0;
  }
  NUMACT_LANE static T folded_maximum(T* largest) {
    T result = largest[0];
    for (int j = 1; j < row_lanes; ++j) result = largest[j] > result ? largest[j] : result;
    return result;
  }
  // A tree: halves are added until one is left.
  template <int half>
  NUMACT_LANE static void fold(RowLanes& lanes, double& sum, double& low) {
    for (int j = 0; j < half; ++j) {
      if constexpr (two_words)
        add(lanes.sum[j], lanes.low[j], lanes.sum[j + half], lanes.low[j + half]);
      else
        lanes.sum[j] += lanes.sum[j + half];
    }
    if constexpr (half > 1) {
      fold<half / 2>(lanes, sum, low);
    } else {
      sum = lanes.sum[0];
      low = two_words ? lanes.low[0] : 0;
    }
  }

  template <int together>
  static void all_steps(const RowsKernel& kernel, const Strided& at, ptrdiff_t n) {
    Tile<together> tile;
    RowFacts facts[together], parts[together];
    const ptrdiff_t chunk = row_chunk_length(n);
    const bool fits = n <= Tile<together>::length;
    for (int which = kernel.first(); which <= row_output; ++which) {
      for (ptrdiff_t begin = 0; begin < n; begin += chunk) {
        const ptrdiff_t end = n - begin < chunk ? n : begin + chunk;
        step(kernel, RowStep(which), at, begin, end, facts, parts, tile, fits && which > kernel.first());
        for (int r = 0; r < at.rows && which != row_output; ++r) merge(facts[r], parts[r]);
      }
      bool again = false;
      for (int r = 0; r < at.rows && which == row_sum && kernel.may_overflow(); ++r) again |= start_again(facts[r]);
      if (again) --which;
    }
  }

  static void walk(const RowsKernel& kernel, char* const* operands, const ptrdiff_t* strides, ptrdiff_t rows, ptrdiff_t n) {
    const int count = kernel.arrays + 1;
    const ptrdiff_t *const outer = strides, *const inner = strides + count;
    bool neighbours = true;
    for (int i = 0; i < count; ++i)
      neighbours = neighbours && inner[i] != ptrdiff_t(sizeof(S)) && (outer[i] == ptrdiff_t(sizeof(S)) || outer[i] == 0);
    const int together = neighbours ? most_together : 1;
    for (ptrdiff_t done = 0; done < rows; done += together) {
      char* moved[most_operands];
      for (int i = 0; i < count; ++i) moved[i] = operands[i] + done * outer[i];
      const ptrdiff_t left = rows - done;
      const Strided at = {moved, outer, inner, left < together ? int(left) : together};
      if (neighbours)
        all_steps<most_together>(kernel, at, n);
      else
        all_steps<1>(kernel, at, n);
    }
  }
  static RowFacts part(const RowsKernel& kernel, RowStep which, char* const* operands, const ptrdiff_t* strides, ptrdiff_t begin,
                       ptrdiff_t end, const RowFacts& row) {
    Tile<1> tile;
    RowFacts result;
    step(kernel, which, {operands, strides, strides + kernel.arrays + 1, 1}, begin, end, &row, &result, tile, false);
    return result;
  }
};

}  // namespace
}  // namespace numact

// softmax and its kin over rows, in three steps of vector loops: the maximum; exponentials and their sums; the output. Every
// loop takes row_lanes elements at a time: neighbours in one long row, or one element each of so many rows side by side, which
// share cache lines or are brought together in a tile. Rows side by side are taken as wide strips where they lie. Exponentials are
// computed once where a row fits in the tile, or the output has room for them.
//
// A sum is row_lanes sums by index of float64 data, in two words, a quarter as many of narrower data, to which four terms are added
// at a time, put together in a fixed tree, chunk by chunk of a row. So a result depends on the values of its row alone.
#pragma once
#include "../activations/softmax.hpp"
#include "kernel.hpp"
#include "tile.hpp"

namespace numact {
namespace {

// The tree of folded_sum(), in two words for float64 data. Sums from `count` on are 0.
template <bool float64, int half = row_lanes / 2>
NUMACT_LANE void fold(RowLanes<1>& lanes, RowFacts<1>& row, int k, int) {
  double(&sum)[row_lanes] = lanes.sum[k][0], (&low)[row_lanes] = lanes.low[k][0];
  if constexpr (!float64) {
    row.sum[k][0] = folded_sum(sum);
    row.low[k][0] = 0;
  } else {
    for (int j = 0; j < half; ++j) add(sum[j], low[j], sum[j + half], low[j + half]);
    if constexpr (half > 1) return fold<float64, half / 2>(lanes, row, k, half);
    row.sum[k][0] = sum[0];
    row.low[k][0] = low[0];
  }
}
template <bool float64>
NUMACT_LANE void fold(RowLanes<row_lanes>& lanes, RowFacts<row_lanes>& row, int k, int count) {
  for (int half = row_lanes / 2; half > 0; half /= 2) {
    for (int j = 0; j + half < count; ++j) {
      double(&sum)[row_lanes] = lanes.sum[k][j], (&low)[row_lanes] = lanes.low[k][j];
      const double(&more)[row_lanes] = lanes.sum[k][j + half], (&more_low)[row_lanes] = lanes.low[k][j + half];
#pragma omp simd
      for (int r = 0; r < row_lanes; ++r) {
        if constexpr (float64)
          add(sum[r], low[r], more[r], more_low[r]);
        else
          sum[r] += more[r];
      }
    }
    count = count < half ? count : half;
  }
  for (int r = 0; r < row_lanes; ++r) row.sum[k][r] = lanes.sum[k][0][r];
  for (int r = 0; r < row_lanes; ++r) row.low[k][r] = float64 ? lanes.low[k][0][r] : 0;
}
template <bool float64, int rows>
NUMACT_LANE void clear(RowLanes<rows>& lanes, int k, int count) {
  for (int j = 0; j < count && j < rows; ++j) {
    for (int r = 0; r < row_lanes; ++r) lanes.sum[k][j][r] = 0;
    for (int r = 0; r < row_lanes && float64; ++r) lanes.low[k][j][r] = 0;
  }
}
template <class T, int half = row_lanes / 2>
NUMACT_LANE T folded_maximum(T* most) {
  for (int j = 0; j < half; ++j) most[j] = most[j + half] > most[j] ? most[j + half] : most[j];
  if constexpr (half > 1) return folded_maximum<T, half / 2>(most);
  return most[0];
}

// Short rows are summed so many after another before their outputs: what is made of the sums is made of all at once.
constexpr int rows_after_another = 16;
constexpr ptrdiff_t longest_after_another = 256;
NUMACT_LANE void put(const RowFacts<1>& row, RowFacts<rows_after_another>& all, int r) {
  all.maximum[r] = row.maximum[0];
  all.scale[r] = row.scale[0];
  for (int k = 0; k < row_sums; ++k) all.sum[k][r] = row.sum[k][0], all.low[k][r] = row.low[k][0];
}

// Fewer than row_lanes elements, without a call.
template <class T, int part = row_lanes / 2>
NUMACT_LANE void copy_few(const T* from, T* to, ptrdiff_t count) {
  const ptrdiff_t now = count & part;
  if (now != 0) std::memcpy(to, from, part * sizeof(T));
  if constexpr (part > 1) copy_few<T, part / 2>(from + now, to + now, count);
}
// The same to row_lanes elements, the others of which are the filling already. By whole vectors where the level can read a part of
// one, as what reads these would wait for smaller pieces to arrive.
NUMACT_LANE void fill_few(const float* from, float* to, ptrdiff_t count, [[maybe_unused]] float filling) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  const __m256i places = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
#pragma GCC unroll 2
  for (int k = 0; k < row_lanes; k += 8) {
    const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(int(count) - k), places);
    const __m256 value = _mm256_maskload_ps(from + k, mask);
    _mm256_storeu_ps(to + k, _mm256_blendv_ps(_mm256_set1_ps(filling), value, _mm256_castsi256_ps(mask)));
  }
#else
  copy_few(from, to, count);
#endif
}
NUMACT_LANE void fill_few(const double* from, double* to, ptrdiff_t count, [[maybe_unused]] double filling) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  const __m256i places = _mm256_setr_epi64x(0, 1, 2, 3);
#pragma GCC unroll 4
  for (int k = 0; k < row_lanes; k += 4) {
    const __m256i mask = _mm256_cmpgt_epi64(_mm256_set1_epi64x(count - k), places);
    const __m256d value = _mm256_maskload_pd(from + k, mask);
    _mm256_storeu_pd(to + k, _mm256_blendv_pd(_mm256_set1_pd(filling), value, _mm256_castsi256_pd(mask)));
  }
#else
  copy_few(from, to, count);
#endif
}

// Values `pitch` apart in the other order: row_lanes rows of m values from and to the same side by side. The last squares
// overlap others where m does not fill whole ones.
template <bool together, class T>
__attribute__((noinline)) void transpose(const T* from, T* to, ptrdiff_t pitch, ptrdiff_t m) {
  constexpr ptrdiff_t side = 16 / sizeof(T);
  const auto place = [=](ptrdiff_t r, ptrdiff_t j) { return r * pitch + j; };
  if (m < side) {
    for (ptrdiff_t j = 0; j < m; ++j)
      for (int r = 0; r < row_lanes; ++r)
        to[together ? j * row_lanes + r : place(r, j)] = from[together ? place(r, j) : j * row_lanes + r];
    return;
  }
  for (ptrdiff_t done = 0; done < m; done += side) {
    const ptrdiff_t j = done + side <= m ? done : m - side;
    for (int r = 0; r < row_lanes; r += side) {
      if constexpr (together)
        transpose_square(from + place(r, j), pitch, to + j * row_lanes + r, row_lanes);
      else
        transpose_square(from + j * row_lanes + r, row_lanes, to + place(r, j), pitch);
    }
  }
}

// Elements of a piece, or of a row.
template <class T>
struct RowSteps {
  const T *dy, *x;
  ptrdiff_t dy_pitch, x_pitch, count;
  T dy_sign, x_sign;
};

// Formula F in arithmetic A.
template <class F, class A>
struct RowLoops {
  using word = typename A::word;
  static constexpr bool float64 = of_float64<A>;
  using T = typename Choice<float64, double, float>::type;  // of the data
  using E = typename Choice<F::has_exponentials, word, T>::type;
  static constexpr bool taken(int k) { return F::sums[k] && !(k == 1 && F::counts); }
  // Of each step elements j, j + sums_by_index, ... are added at once.
  static constexpr int at_once = float64 ? 1 : 4, sums_by_index = row_lanes / at_once;
  // Products of floats are taken in float, and four added so: that costs 1.5 ulp of the terms' magnitudes at most, and saves seven
  // conversions of eight.
  static constexpr bool float_products = product_unit<F> != 0 && sizeof(word) == sizeof(float);
  static constexpr bool starts_again = F::arrays > 1 && (float64 || float_products);
  using Factor = typename Choice<float_products, float, double>::type;  // what terms are computed in, too
  // Gradients of contiguous rows whose whole steps have exponentials that are all near: the same bits with less care.
  static constexpr bool has_near = F::has_near && has_fma && !A::wide && !A::near;
  using Close = RowLoops<F, typename Choice<has_near, Near<A>, A>::type>;
  // The next of longer rows are fetched while outputs are computed. With vectors of 64 bytes the processor does better by itself.
  static constexpr bool can_fetch = vector_bytes < 64;
  static constexpr ptrdiff_t longest_not_fetched = F::arrays == 1 ? longest_after_another : F::from_output ? 100 : 128;
  using Steps = RowSteps<T>;
  static Steps steps_of(const RowsPiece& piece) {
    return {data(piece.dy), data(piece.x), piece.dy_pitch, piece.x_pitch, piece.steps, T(piece.dy_sign), T(piece.x_sign)};
  }

  NUMACT_LANE static void find_maximum(Steps at, T* lanes, T* least_lanes = nullptr) {
    using V = Vector<T>;
    constexpr int width = vector_bytes / int(sizeof(T)), vectors = row_lanes / width;
    V most[vectors], least[vectors];
    for (int k = 0; k < vectors; ++k) most[k] = load_vector<V>(lanes + k * width);
    for (int k = 0; k < vectors && least_lanes; ++k) least[k] = load_vector<V>(least_lanes + k * width);
    const T* x = at.x;
    for (ptrdiff_t i = 0; i < at.count; ++i, x += at.x_pitch) {
#pragma GCC unroll 8
      for (int k = 0; k < vectors; ++k) {
        const V value = load_vector<V>(x + k * width) * at.x_sign;
        most[k] = value > most[k] ? value : most[k];
        if (least_lanes) least[k] = value < least[k] ? value : least[k];
      }
    }
    for (int k = 0; k < vectors; ++k) store_vector(most[k], lanes + k * width);
    for (int k = 0; k < vectors && least_lanes; ++k) store_vector(least[k], least_lanes + k * width);
  }

  // Of an element: its exponential, 0 where maxima are counted and it is one.
  NUMACT_LANE static word exponential(word x, word maximum, word shift, T& count) {
    const word e = RowExp<A>::of_difference(x, shift);
    if constexpr (!F::counts) return e;
    count += x == maximum ? T(1) : T(0);
    return where(x != maximum, e);
  }
  // What dy is multiplied by.
  template <int rows>
  NUMACT_LANE static Factor factor_of(Steps at, const RowFacts<rows>& row, int r) {
    return float_products ? Factor(at.dy_sign * at.x_sign) * Factor(row.scale[r] * product_unit<F>) : Factor(row.scale[r]);
  }
  // Each sum has a loop of its own after that of exponentials: one chain of operations would be so long that too few overlap.
  NUMACT_LANE static void sum_up(Steps at, E* e, const RowFacts<1>& row, RowLanes<1>& lanes) {
    if constexpr (!F::has_exponentials) {
      sum_vectors<1>(at, at.x, row, lanes);
    } else {
      constexpr ptrdiff_t most = 64;  // steps whose exponentials stay in the nearest cache
      const word maximum = word(row.maximum[0]), shift = RowExp<A>::shift(maximum);
      T counts[row_lanes];
      for (T& each : counts) each = 0;
      E not_kept[F::keeps ? 1 : most * row_lanes];
      for (ptrdiff_t done = 0; done < at.count; done += most) {
        Steps some = at;
        some.count = at.count - done < most ? at.count - done : most;
        some.x += done * row_lanes, some.dy += done * row_lanes;
        E* const each = F::keeps ? e + done * row_lanes : not_kept;
        for (ptrdiff_t i = 0; i < some.count; ++i) {
#pragma omp simd
          for (int r = 0; r < row_lanes; ++r)
            each[i * row_lanes + r] = exponential(times_sign_of(some.x[i * row_lanes + r], at.x_sign), maximum, shift, counts[r]);
        }
        if constexpr (taken(0)) sum_vectors<0>(some, each, row, lanes);
        if constexpr (taken(1)) sum_vectors<1>(some, each, row, lanes);
      }
      for (int r = 0; r < row_lanes && F::counts; ++r) lanes.sum[1][0][r] += double(counts[r]);
    }
  }
  // One sum, with little to compute: it must stay in registers.
  template <int k, class X>
  NUMACT_LANE static void sum_vectors(Steps at, const X* x, const RowFacts<1>& row, RowLanes<1>& lanes) {
    constexpr int few = doubles < sums_by_index ? doubles : sums_by_index, parts = sums_by_index / few;
    using Sums = Vector<double, few>;
    double(&sums)[row_lanes] = lanes.sum[k][0], (&lows)[row_lanes] = lanes.low[k][0];
    const Factor factor = factor_of(at, row, 0);
    Sums sum[parts], low[parts];
    for (int p = 0; p < parts; ++p) sum[p] = load_vector<Sums>(sums + p * few);
    for (int p = 0; p < parts; ++p) low[p] = float64 ? load_vector<Sums>(lows + p * few) : Sums{};
    const T* dy = at.dy;
    for (ptrdiff_t i = 0; i < at.count; ++i, x += row_lanes, dy += row_lanes) {
      constexpr int width = vector_bytes / int(sizeof(Factor));
      Vector<Factor> terms[row_lanes / width];
#pragma GCC unroll 8
      for (int v = 0; v < row_lanes / width; ++v) {
        const auto value = load_vector<Vector<X, width>>(x + v * width);
        const auto slope = load_vector<Vector<T, width>>(dy + v * width);
        if constexpr (float_products)
          terms[v] = value * (slope * factor);
        else
          terms[v] = F::template term<A, k>(widened(value), widened(slope * at.dy_sign), factor);
      }
      if constexpr (float64) {
#pragma GCC unroll 8
        for (int p = 0; p < parts; ++p) add_term(sum[p], low[p], terms[p]);
      } else {
        constexpr int half_lanes = row_lanes / 2, wide = width < half_lanes ? width : half_lanes, vectors = half_lanes / wide;
        Vector<Factor, wide> half[2 * vectors];
        std::memcpy(half, terms, sizeof half);
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) half[v] += half[v + vectors];
        Vector<Factor, few> quarter[2 * parts];
        std::memcpy(quarter, half, sizeof quarter);
#pragma GCC unroll 2
        for (int p = 0; p < parts; ++p) {
          if constexpr (float_products && few == doubles)
            sum[p] += widened(quarter[p] + quarter[p + parts]);
          else
            sum[p] += __builtin_convertvector(quarter[p] + quarter[p + parts], Sums);
        }
      }
    }
    for (int p = 0; p < parts; ++p) store_vector(sum[p], sums + p * few);
    for (int p = 0; p < parts && float64; ++p) store_vector(low[p], lows + p * few);
  }
  // Of rows side by side: `count` elements of each that are added at once, `step` and `dy_step` apart, the first of their sums or
  // others.
  template <int k, bool first, int count = at_once, class X>
  NUMACT_LANE static void add_terms(Steps at, const X* x, ptrdiff_t step, const T* dy, ptrdiff_t dy_step, const Factor* factor,
                                    double* sums, double* lows, ptrdiff_t rows, ptrdiff_t there) {
    if constexpr (count > 1) {
      if (there < count)
        return add_terms<k, first, count - 1>(at, x, step, dy, dy_step, factor, sums, lows, rows, there);
    }
    const auto term = [&](int i, ptrdiff_t r) __attribute__((always_inline)) {
      const X value = x[i * step + r];
      const T slope = dy[i * dy_step + r];
      if constexpr (float_products)
        return value * (slope * factor[r]);
      else
        return F::template term<A, k>(double(value), double(times_sign_of(slope, at.dy_sign)), double(factor[r]));
    };
#pragma omp simd
    for (ptrdiff_t r = 0; r < rows; ++r) {
      double sum = first ? 0 : sums[r];
      if constexpr (float64) {
        double low = first ? 0 : lows[r];
        add_term(sum, low, term(0, r));
        sums[r] = sum;
        lows[r] = low;
      } else {
        auto one = term(0, r);
        if constexpr (count > 2) one += term(2, r);
        if constexpr (count > 1) {
          auto other = term(1, r);
          if constexpr (count > 3) other += term(3, r);
          one += other;
        }
        sums[r] = sum + double(one);
      }
    }
  }
  NUMACT_LANE static void sum_up(Steps at, E* e, const RowFacts<row_lanes>& row, RowLanes<row_lanes>& lanes) {
    word maximum[row_lanes], shift[row_lanes];
    Factor factor[row_lanes];
    T counts[row_lanes];
    E not_kept[F::has_exponentials && !F::keeps ? row_lanes * row_lanes : 1];
    for (T& each : counts) each = 0;
    for (int r = 0; r < row_lanes; ++r) maximum[r] = word(row.maximum[r]), factor[r] = factor_of(at, row, r);
    for (int r = 0; r < row_lanes; ++r) shift[r] = RowExp<A>::shift(maximum[r]);
    for (ptrdiff_t done = 0; done < at.count; done += row_lanes) {
      const ptrdiff_t left = at.count - done < row_lanes ? at.count - done : row_lanes;
      const T *const x = at.x + done * at.x_pitch, *const dy = at.dy + done * at.dy_pitch;
      E* const each = F::keeps ? e + done * row_lanes : not_kept;
      const E* values = each;
      if constexpr (!F::has_exponentials) values = x;
      const ptrdiff_t pitch = F::has_exponentials ? row_lanes : at.x_pitch;
      for (ptrdiff_t i = 0; i < left && F::has_exponentials; ++i) {
#pragma omp simd
        for (int r = 0; r < row_lanes; ++r)
          each[i * row_lanes + r] = exponential(times_sign_of(x[i * at.x_pitch + r], at.x_sign), maximum[r], shift[r], counts[r]);
      }
      for (ptrdiff_t j = 0; j < sums_by_index && j < left; ++j) {
        const ptrdiff_t there = (left - j + sums_by_index - 1) / sums_by_index;
        const E* const from = values + j * pitch;
        const T* const slopes = dy + j * at.dy_pitch;
        const ptrdiff_t step = sums_by_index * pitch, dy_step = sums_by_index * at.dy_pitch;
        if constexpr (taken(0))
          add_terms<0, false>(at, from, step, slopes, dy_step, factor, lanes.sum[0][j], lanes.low[0][j], row_lanes, there);
        if constexpr (taken(1))
          add_terms<1, false>(at, from, step, slopes, dy_step, factor, lanes.sum[1][j], lanes.low[1][j], row_lanes, there);
      }
    }
    for (int r = 0; r < row_lanes && F::counts; ++r) lanes.sum[1][0][r] += double(counts[r]);
  }

  template <int rows>
  NUMACT_LANE static void complete(const RowFacts<rows>& facts, RowNumbers<word[rows]>& known, int count = rows) {
#pragma omp simd
    for (int r = 0; r < count; ++r) {
      const RowNumbers<word> row = F::template complete<A>(facts, r);
      known.maximum[r] = row.maximum;
      known.reciprocal[r] = row.reciprocal;
      known.log[r] = row.log;
      known.dot[r] = row.dot;
      known.scale[r] = row.scale;
    }
  }
  template <int rows>
  NUMACT_LANE static RowNumbers<word> numbers_of(const RowNumbers<word[rows]>& known, ptrdiff_t r) {
    return {known.maximum[r], known.reciprocal[r], known.log[r], known.dot[r], known.scale[r]};
  }
  NUMACT_LANE static RowNumbers<word> numbers_of(const RowNumbers<word[1]>& known, ptrdiff_t) {
    return {known.maximum[0], known.reciprocal[0], known.log[0], known.dot[0], known.scale[0]};
  }
  // Of one row, or of row_lanes. Meanwhile what lies so far ahead is fetched, if told so.
  template <int rows, bool fetches = false>
  NUMACT_LANE static void finish(Steps at, const E* e, const RowNumbers<word[rows]>& known, T* out, ptrdiff_t pitch,
                                 [[maybe_unused]] ptrdiff_t dy_ahead = 0, [[maybe_unused]] ptrdiff_t x_ahead = 0) {
    const T *x = at.x, *dy = at.dy;
    for (ptrdiff_t i = 0; i < at.count; ++i, x += at.x_pitch, dy += at.dy_pitch, out += pitch) {
      for (int r = 0; r < row_lanes && fetches; r += 64 / int(sizeof(T))) {
        if (F::arrays > 1) __builtin_prefetch(dy + dy_ahead + r);
        __builtin_prefetch(x + x_ahead + r);
      }
#pragma omp simd
      for (int r = 0; r < row_lanes; ++r) {
        const word value = times_sign_of(x[r], at.x_sign);
        const word kept = F::keeps ? word(e[i * row_lanes + r]) : value;
        out[r] = T(F::template finish<A>(kept, value, word(times_sign_of(dy[r], at.dy_sign)), numbers_of(known, r)));
      }
    }
  }
  template <bool fetches>
  NUMACT_LANE static void finish_row(bool near, Steps at, const E* e, const RowNumbers<word[1]>& known, T* out, ptrdiff_t dy_ahead,
                                     ptrdiff_t x_ahead) {
    if (has_near && near)
      Close::template finish<1, fetches>(at, e, known, out, row_lanes, dy_ahead, x_ahead);
    else
      finish<1, fetches>(at, e, known, out, row_lanes, dy_ahead, x_ahead);
  }

  static const T* data(const void* from) { return static_cast<const T*>(from); }

  // `together` is there to name the loops for tools/inspect_level.py: 1 row, or row_lanes.
  template <int together>
  __attribute__((noinline)) static void maximum_loop(const RowsPiece& piece, void* lanes) {
    find_maximum(steps_of(piece), static_cast<T*>(lanes));
  }
  template <int together>
  __attribute__((noinline)) static void sum_loop(const RowsPiece& piece, const RowFacts<together>& row,
                                                 RowLanes<together>& lanes) {
    sum_up(steps_of(piece), static_cast<E*>(piece.e), row, lanes);
  }
  template <int together>
  __attribute__((noinline)) static void output_loop(const RowsPiece& piece, const RowFacts<together>& row) {
    RowNumbers<word[together]> known;
    complete(row, known);
    finish(steps_of(piece), static_cast<const E*>(piece.e), known, static_cast<T*>(piece.out), piece.out_pitch);
  }
  // Some rows after another; the elements beyond whole steps go through a step of their own, filled up with what changes
  // neither maximum nor sum.
  template <int>
  __attribute__((noinline)) static void whole_loop(const ContiguousRows& all) {
    const ptrdiff_t steps = all.n / row_lanes, rest = all.n % row_lanes, last = steps * row_lanes;
    const ptrdiff_t length = last + row_lanes;  // of the exponentials of a row
    T rest_x[row_lanes], rest_dy[row_lanes], rest_out[row_lanes];
    const T dy_sign = T(all.dy_sign), x_sign = T(all.x_sign);
    const T filling = F::from_output ? T(0) : -x_sign * T(__builtin_inf());
    for (T& each : rest_x) each = filling;
    for (T& each : rest_dy) each = 0;
    RowsPiece rest_piece = {F::arrays == 1 ? rest_x : rest_dy, rest_x, nullptr, nullptr, 1, row_lanes, row_lanes, row_lanes,
                            all.dy_sign, all.x_sign};
    const bool fetch = can_fetch && all.n > longest_not_fetched;
    RowFacts<rows_after_another> facts;
    [[maybe_unused]] T range[rows_after_another];  // how far below the maximum whole steps reach, or the size of their y
    for (ptrdiff_t first = 0; first < all.rows; first += all.after_another) {
      const int count = all.rows - first < all.after_another ? int(all.rows - first) : all.after_another;
      for (int k = 0; k < count; ++k) {
        const T* const x = data(all.x) + (first + k) * all.x_stride;
        const T* const dy = F::arrays == 1 ? x : data(all.dy) + (first + k) * all.dy_stride;
        E* const e = static_cast<E*>(all.e) + k * length;
        if (rest > 0) {
          fill_few(x + last, rest_x, rest, filling);
          if constexpr (F::arrays > 1) fill_few(dy + last, rest_dy, rest, T(0));
        }
        RowFacts<1> row;
        clear(row);
        const Steps whole{dy, x, row_lanes, row_lanes, steps, dy_sign, x_sign};
        if constexpr (!F::from_output || has_near) {
          T most[row_lanes], least[row_lanes];
          for (T& each : most) each = -T(__builtin_inf());
          for (T& each : least) each = T(__builtin_inf());
          find_maximum(whole, most, has_near ? least : nullptr);
          if (!F::from_output && rest > 0) maximum_loop<1>(rest_piece, most);
          const T maximum = folded_maximum(most);
          if constexpr (!F::from_output) row.maximum[0] = maximum;
          if constexpr (has_near) {
            for (T& each : least) each = -each;
            const T depth = folded_maximum(least);
            range[k] = !F::from_output ? maximum + depth : maximum > depth ? maximum : depth;
          }
        }
        do {
          RowLanes<1> lanes;
          for (int s = 0; s < row_sums; ++s)
            if (F::sums[s]) numact::clear<float64>(lanes, s, 1);
          if (has_near && F::has_exponentials && range[k] <= RowExp<A>::nearest)
            Close::sum_up(whole, e, row, lanes);
          else
            sum_up(whole, e, row, lanes);
          rest_piece.e = e + last;
          if (rest > 0) sum_loop<1>(rest_piece, row, lanes);
          for (int s = 0; s < row_sums; ++s)
            if (F::sums[s]) fold<float64>(lanes, row, s, row_lanes);
        } while (starts_again && start_again(row, F::smaller));
        put(row, facts, k);
      }
      RowNumbers<word[rows_after_another]> known;
      complete(facts, known, count);
      for (int k = 0; k < count; ++k) {
        const T* const x = data(all.x) + (first + k) * all.x_stride;
        const T* const dy = F::arrays == 1 ? x : data(all.dy) + (first + k) * all.dy_stride;
        const E* const e = static_cast<E*>(all.e) + k * length;
        T* const out = static_cast<T*>(all.out) + (first + k) * all.out_stride;
        const RowNumbers<word[1]> row = {
            {known.maximum[k]}, {known.reciprocal[k]}, {known.log[k]}, {known.dot[k]}, {known.scale[k]}};
        const Steps whole{dy, x, row_lanes, row_lanes, steps, dy_sign, x_sign};
        bool near = false;
        if constexpr (has_near && F::from_output) near = range[k] <= F::template near_limit<A>(numbers_of(row, 0));
        if constexpr (has_near && !F::from_output) near = range[k] <= RowExp<A>::nearest;
        const ptrdiff_t dy_ahead = all.after_another * all.dy_stride, x_ahead = all.after_another * all.x_stride;
        if (fetch)
          finish_row<can_fetch>(near, whole, e, row, out, dy_ahead, x_ahead);
        else
          finish_row<false>(near, whole, e, row, out, 0, 0);
        if (rest == 0) continue;
        fill_few(x + last, rest_x, rest, filling);
        if constexpr (F::arrays > 1) fill_few(dy + last, rest_dy, rest, T(0));
        finish(steps_of(rest_piece), e + last, row, rest_out, row_lanes);
        copy_few(rest_out, out + last, rest);
      }
    }
  }
  // All steps of row_lanes rows side by side, a chunk each.
  template <int together>
  __attribute__((noinline)) static void whole_together_loop(const RowsPiece& piece) {
    const Steps at = steps_of(piece);
    const int count = piece.steps < sums_by_index ? int(piece.steps) : sums_by_index;
    RowFacts<together> row;
    clear(row);
    if constexpr (!F::from_output) {
      T most[together];
      for (T& each : most) each = -T(__builtin_inf());
      find_maximum(at, most);
      for (int r = 0; r < together; ++r) row.maximum[r] = most[r];
    }
    do {
      RowLanes<together> lanes;
      for (int k = 0; k < row_sums; ++k)
        if (F::sums[k]) numact::clear<float64>(lanes, k, count);
      sum_loop<together>(piece, row, lanes);
      for (int k = 0; k < row_sums; ++k)
        if (F::sums[k]) fold<float64>(lanes, row, k, count);
    } while (starts_again && start_again(row, F::smaller));
    RowNumbers<word[together]> known;
    complete(row, known);
    finish(at, static_cast<const E*>(piece.e), known, static_cast<T*>(piece.out), piece.out_pitch);
  }

  // ---- rows side by side, where they lie ----
  // Lines that lie far apart displace one another from the caches: each step takes runs of memory. Of the sums by index only as
  // many are kept at a time as the tree has levels. Exponentials, where they are kept, take the place of the output.
  struct Strip {
    Steps at;
    int rows;
    T* out;
    ptrdiff_t out_pitch;
    RowFacts<most_strip_rows> facts;
    word maximum[most_strip_rows], shift[most_strip_rows];
    T most[most_strip_rows], counts[most_strip_rows];
    Factor factor[float_products ? most_strip_rows : 1];
    T not_kept[F::has_exponentials && !F::keeps ? at_once : 1][most_strip_rows];
    // Of the levels above the first, which is in the facts.
    double sum[taken(0) + taken(1)][4][most_strip_rows], low[taken(0) + taken(1)][4][most_strip_rows];

    const Factor* factors() const {
      if constexpr (float_products)
        return factor;
      else
        return facts.scale;
    }
    double* sums(int k, int level) { return level == 0 ? facts.sum[k] : sum[taken(0) ? k : 0][level - 1]; }
    // Loops over them have no tail.
    ptrdiff_t whole_rows() const { return rows & ~ptrdiff_t(row_lanes - 1); }
    double* lows(int k, int level) { return level == 0 ? facts.low[k] : low[taken(0) ? k : 0][level - 1]; }
  };
  template <int>
  __attribute__((noinline)) static void strip_maximum_loop(Strip& strip) {
    const Steps at = strip.at;
    const ptrdiff_t rows = strip.whole_rows();
    for (ptrdiff_t r = 0; r < rows; ++r) strip.most[r] = -T(__builtin_inf());
    for (ptrdiff_t i = 0; i < at.count; ++i) {
      const T* const x = at.x + i * at.x_pitch;
#pragma omp simd
      for (ptrdiff_t r = 0; r < rows; ++r) {
        const T value = times_sign_of(x[r], at.x_sign);
        strip.most[r] = value > strip.most[r] ? value : strip.most[r];
      }
    }
  }
  // The exponentials of elements i.
  template <int>
  __attribute__((noinline)) static void strip_exp_loop(Strip& strip, ptrdiff_t i, T* e) {
    const Steps at = strip.at;
    const T* const x = at.x + i * at.x_pitch;
    const ptrdiff_t rows = strip.whole_rows();
#pragma omp simd
    for (ptrdiff_t r = 0; r < rows; ++r)
      e[r] = exponential(times_sign_of(x[r], at.x_sign), strip.maximum[r], strip.shift[r], strip.counts[r]);
  }
  // Adds elements i and those that go with them, from x on, to sums k of a level.
  template <bool first, int k>
  __attribute__((noinline)) static void strip_sum_loop(Strip& strip, ptrdiff_t i, ptrdiff_t there, const T* x, ptrdiff_t step,
                                                       int level) {
    const Steps at = strip.at;
    add_terms<k, first>(at, x, step, at.dy + i * at.dy_pitch, sums_by_index * at.dy_pitch, strip.factors(), strip.sums(k, level),
                        strip.lows(k, level), strip.whole_rows(), there);
  }
  template <int>
  __attribute__((noinline)) static void strip_fold_loop(Strip& strip, int k, int level) {
    double *const sums = strip.sums(k, level), *const lows = strip.lows(k, level);
    const double *const more = strip.sums(k, level + 1), *const more_low = strip.lows(k, level + 1);
    const ptrdiff_t rows = strip.whole_rows();
#pragma omp simd
    for (ptrdiff_t r = 0; r < rows; ++r) {
      if constexpr (float64)
        add(sums[r], lows[r], more[r], more_low[r]);
      else
        sums[r] += more[r];
    }
  }
  template <bool first>
  NUMACT_LANE static void strip_step(Strip& strip, ptrdiff_t i, int level) {
    const Steps at = strip.at;
    const ptrdiff_t left = (at.count - i + sums_by_index - 1) / sums_by_index, there = left < at_once ? left : at_once;
    const ptrdiff_t pitch = F::keeps ? strip.out_pitch : at.x_pitch;
    const T* x = F::keeps ? strip.out + i * pitch : at.x + i * pitch;
    ptrdiff_t step = sums_by_index * pitch;
    if constexpr (F::has_exponentials) {
      T* const e = F::keeps ? strip.out + i * pitch : strip.not_kept[0];
      if constexpr (!F::keeps) x = e, step = most_strip_rows;
      for (ptrdiff_t k = 0; k < there; ++k) strip_exp_loop<1>(strip, i + k * sums_by_index, e + k * step);
    }
    if constexpr (taken(0)) strip_sum_loop<first, 0>(strip, i, there, x, step, level);
    if constexpr (taken(1)) strip_sum_loop<first, 1>(strip, i, there, x, step, level);
  }
  // The sums over elements j, j + step, ...: what fold() makes of them.
  template <int step>
  static void strip_sum(Strip& strip, ptrdiff_t j, int level) {
    if constexpr (step == sums_by_index) {
      strip_step<true>(strip, j, level);
      for (ptrdiff_t i = j + row_lanes; i < strip.at.count; i += row_lanes) strip_step<false>(strip, i, level);
    } else {
      strip_sum<2 * step>(strip, j, level);
      if (j + step >= strip.at.count) return;
      strip_sum<2 * step>(strip, j + step, level + 1);
      for (int k = 0; k < row_sums; ++k)
        if (taken(k)) strip_fold_loop<1>(strip, k, level);
    }
  }
  template <int>
  __attribute__((noinline)) static void strip_output_loop(const Strip& strip, const RowNumbers<word[most_strip_rows]>& known) {
    const Steps at = strip.at;
    T* out = strip.out;
    const ptrdiff_t rows = strip.whole_rows();
    for (ptrdiff_t i = 0; i < at.count; ++i, out += strip.out_pitch) {
      const T *const x = at.x + i * at.x_pitch, *const dy = at.dy + i * at.dy_pitch;
#pragma omp simd
      for (ptrdiff_t r = 0; r < rows; ++r) {
        const word value = times_sign_of(x[r], at.x_sign), kept = F::keeps ? word(out[r]) : value;
        out[r] = T(F::template finish<A>(kept, value, word(times_sign_of(dy[r], at.dy_sign)), numbers_of(known, r)));
      }
    }
  }
  struct StripRoom {
    Strip strip;
    RowNumbers<word[most_strip_rows]> known;
  };
  static void whole_strip(const RowsPiece& piece, int rows) {
    static_assert(sizeof(StripRoom) <= room_size);
    auto& [strip, known] = *static_cast<StripRoom*>(piece.e);
    strip.at = steps_of(piece), strip.rows = rows;
    strip.out = static_cast<T*>(piece.out), strip.out_pitch = piece.out_pitch;
    RowFacts<most_strip_rows>& facts = strip.facts;
    for (int r = 0; r < rows; ++r) facts.scale[r] = 1;
    for (int k = 0; k < row_sums; ++k) std::memset(facts.low[k], 0, size_t(rows) * sizeof(double));
    std::memset(strip.counts, 0, size_t(rows) * sizeof(T));
    if constexpr (!F::from_output) {
      strip_maximum_loop<1>(strip);
      for (int r = 0; r < rows; ++r) facts.maximum[r] = strip.most[r];
      for (int r = 0; r < rows; ++r) strip.maximum[r] = word(strip.most[r]);
      for (int r = 0; r < rows; ++r) strip.shift[r] = RowExp<A>::shift(strip.maximum[r]);
    }
    do {
      for (int r = 0; r < rows && float_products; ++r) strip.factor[r] = factor_of(strip.at, facts, r);
      strip_sum<1>(strip, 0, 0);
    } while (starts_again && start_again(facts, F::smaller, rows));
    for (int r = 0; r < rows && F::counts; ++r) facts.sum[1][r] = double(strip.counts[r]);
    complete(facts, known, rows);
    strip_output_loop<1>(strip, known);
  }

  static constexpr double cost = (0.1 + 0.4 * (F::arrays - 1) + (F::has_exponentials ? 0.5 : 0)) * (float64 || A::wide ? 2.2 : 1);

  static constexpr RowsKernel kernel(const char* name, Direction direction, Tier tier, int negated) {
    RowsKernel result = {name, direction, tier, float64 ? Type::float64 : Type::float32,
                         F::arrays, F::keeps ? int(sizeof(E)) : 0, negated, starts_again ? F::smaller : 1, cost,
                         nullptr, sum_loop<1>, sum_loop<row_lanes>, output_loop<1>, output_loop<row_lanes>,
                         whole_loop<1>, whole_together_loop<row_lanes>, nullptr};
    if constexpr (!F::from_output) result.maximum = maximum_loop<1>;
    if constexpr (A::fused) result.whole_strip = whole_strip;
    return result;
  }
};

NUMACT_LANE void call_sum(const RowsKernel& kernel, const RowsPiece& piece, const RowFacts<1>& row, RowLanes<1>& lanes) {
  kernel.sum(piece, row, lanes);
}
NUMACT_LANE void call_sum(const RowsKernel& kernel, const RowsPiece& piece, const RowFacts<row_lanes>& row,
                          RowLanes<row_lanes>& lanes) {
  kernel.sum_together(piece, row, lanes);
}
NUMACT_LANE void call_output(const RowsKernel& kernel, const RowsPiece& piece, const RowFacts<1>& row) {
  kernel.output(piece, row);
}
NUMACT_LANE void call_output(const RowsKernel& kernel, const RowsPiece& piece, const RowFacts<row_lanes>& row) {
  kernel.output_together(piece, row);
}

// Data of T, stored as S.
template <class S, class T>
struct RowsWalker {
  static constexpr int most_operands = 3;
  static constexpr bool float64 = sizeof(T) == sizeof(double);
  static constexpr ptrdiff_t size = sizeof(S);
  static constexpr ptrdiff_t tile_size = 1 << 18;          // bytes
  static constexpr ptrdiff_t least_together = 6;           // rows
  static constexpr ptrdiff_t longest_brought_together = 40;  // of rows that are contiguous

  // (dy and) x, and the exponentials. The output takes the place of x.
  struct Tile {
    static_assert(tile_size <= room_size);
    alignas(64) char memory[tile_size];

    static ptrdiff_t steps(const RowsKernel& kernel) {
      const ptrdiff_t step = row_lanes * (kernel.arrays * ptrdiff_t(sizeof(T)) + kernel.exponential_size);
      return tile_size / step / row_lanes * row_lanes;
    }
    T* buffer(const RowsKernel& kernel, int operand) {
      return reinterpret_cast<T*>(memory) + operand * steps(kernel) * row_lanes;
    }
  };
  struct Strided {
    char* const* data;
    const ptrdiff_t *outer, *inner;
    ptrdiff_t rows;
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
  static T neutral(const RowsKernel& kernel, int operand) {
    const bool is_x = kernel.maximum != nullptr && operand == kernel.arrays - 1;
    return is_x ? T(-kernel.sign(operand)) * T(__builtin_inf()) : T(0);
  }

  // m elements as a contiguous array, filled up to whole steps with what changes neither maximum nor sum.
  static const T* load_row(const char* from, ptrdiff_t stride, T* buffer, ptrdiff_t m, T filling) {
    const ptrdiff_t whole = (m + row_lanes - 1) / row_lanes * row_lanes;
    if (same<S, T> && stride == size && m == whole) return reinterpret_cast<const T*>(from);
    if (stride == size) {
      if constexpr (same<S, T>)
        std::memcpy(buffer, from, size_t(m) * sizeof(T));
      else
        widen_loop(reinterpret_cast<const S*>(from), buffer, m);
    } else {
      for (ptrdiff_t j = 0; j < m; ++j) buffer[j] = loaded(from + j * stride);
    }
    for (ptrdiff_t j = m; j < whole; ++j) buffer[j] = filling;
    return buffer;
  }
  static void store_row(const T* from, char* to, ptrdiff_t stride, ptrdiff_t m) {
    if (stride != size) {
      for (ptrdiff_t j = 0; j < m; ++j) store(from[j], to + j * stride);
    } else if (reinterpret_cast<const char*>(from) != to) {
      if constexpr (same<S, T>)
        std::memcpy(to, from, size_t(m) * sizeof(T));
      else
        narrow_loop(from, reinterpret_cast<S*>(to), m);
    }
  }
  // m elements of each of up to row_lanes rows, side by side.
  static void load_together(const Strided& at, int operand, ptrdiff_t begin, T* buffer, ptrdiff_t m) {
    const ptrdiff_t outer = at.outer[operand], inner = at.inner[operand];
    const char* const from = at.data[operand] + begin * inner;
    if (at.rows == row_lanes && outer == size) {
      for (ptrdiff_t j = 0; j < m; ++j)
        for (int r = 0; r < row_lanes; ++r) buffer[j * row_lanes + r] = loaded(from + j * inner + r * size);
    } else if (same<S, T> && at.rows == row_lanes && inner == size && outer % size == 0) {
      transpose<true>(reinterpret_cast<const T*>(from), buffer, outer / size, m);
    } else {
      for (ptrdiff_t j = 0; j < m; ++j) {
        for (ptrdiff_t r = 0; r < at.rows; ++r) buffer[j * row_lanes + r] = loaded(from + j * inner + r * outer);
        for (ptrdiff_t r = at.rows; r < row_lanes; ++r) buffer[j * row_lanes + r] = 0;
      }
    }
  }
  static void store_together(const T* from, const Strided& at, int operand, ptrdiff_t begin, ptrdiff_t m) {
    const ptrdiff_t outer = at.outer[operand], inner = at.inner[operand];
    char* const to = at.data[operand] + begin * inner;
    if (at.rows == row_lanes && outer == size) {
      for (ptrdiff_t j = 0; j < m; ++j)
        for (int r = 0; r < row_lanes; ++r) store(from[j * row_lanes + r], to + j * inner + r * size);
    } else if (same<S, T> && at.rows == row_lanes && inner == size && outer % size == 0) {
      transpose<false>(from, reinterpret_cast<T*>(to), outer / size, m);
    } else {
      for (ptrdiff_t j = 0; j < m; ++j)
        for (ptrdiff_t r = 0; r < at.rows; ++r) store(from[j * row_lanes + r], to + j * inner + r * outer);
    }
  }

  // Whether the output is room for the exponentials until its turn comes: it is no input that is still needed.
  static bool output_keeps(const RowsKernel& kernel, const Strided& at) {
    const int out = kernel.arrays;
    const bool apart = kernel.arrays == 1 || (at.data[out] != at.data[0] && at.data[out] != at.data[1]);
    return same<S, T> && kernel.exponential_size == size && apart;
  }

  // One step over elements [begin, end) of one or row_lanes rows of which `facts` is known; what came of it. The tile
  // holds them and their exponentials.
  template <int together>
  static RowFacts<together> step(const RowsKernel& kernel, RowStep which, const Strided& at, ptrdiff_t begin, ptrdiff_t end,
                                 const RowFacts<together>& facts, Tile& tile) {
    constexpr ptrdiff_t each = together == 1 ? row_lanes : 1;  // elements of a row in a step
    const int out = kernel.arrays;
    const ptrdiff_t length = tile.steps(kernel) * each;
    const int count = end - begin < row_lanes ? int(end - begin) : row_lanes;
    T largest[row_lanes];
    for (T& lane : largest) lane = -T(__builtin_inf());
    RowLanes<together> lanes;
    for (int k = 0; k < row_sums && which != row_maximum; ++k) numact::clear<float64>(lanes, k, together == 1 ? 1 : count);
    for (; begin < end; begin += length) {
      const ptrdiff_t m = end - begin < length ? end - begin : length;
      RowsPiece piece = {};
      piece.steps = (m + each - 1) / each;
      const T* in[most_operands - 1];
      for (int i = 0; i < kernel.arrays; ++i) {
        const char* const from = at.data[i] + begin * at.inner[i];
        T* const buffer = tile.buffer(kernel, i);
        in[i] = buffer;
        if (together == 1)
          in[i] = load_row(from, at.inner[i], buffer, m, neutral(kernel, i));
        else
          load_together(at, i, begin, buffer, m);
      }
      piece.dy_pitch = piece.x_pitch = row_lanes;
      piece.dy_sign = kernel.sign(0), piece.x_sign = kernel.sign(kernel.arrays - 1);
      piece.dy = in[0];
      piece.x = in[kernel.arrays - 1];
      char* const to = at.data[out] + begin * at.inner[out];
      const bool kept = together == 1 && m % row_lanes == 0 && at.inner[out] == size && output_keeps(kernel, at);
      piece.e = kept ? static_cast<void*>(to) : tile.buffer(kernel, kernel.arrays);
      if (which == row_maximum) {
        kernel.maximum(piece, largest);
        continue;
      }
      if (which == row_sum || (kernel.exponential_size > 0 && !kept)) call_sum(kernel, piece, facts, lanes);
      if (which == row_sum) continue;
      const bool direct = same<S, T> && (together == 1 ? at.inner[out] == size && m % row_lanes == 0
                                                       : at.rows == row_lanes && side_by_side(at, out));
      T* const result = direct ? reinterpret_cast<T*>(to) : tile.buffer(kernel, kernel.arrays - 1);
      piece.out = result;
      piece.out_pitch = direct && together > 1 ? at.inner[out] / size : row_lanes;
      call_output(kernel, piece, facts);
      if (direct) continue;
      if (together == 1)
        store_row(result, to, at.inner[out], m);
      else
        store_together(result, at, out, begin, m);
    }
    RowFacts<together> part;
    if (which == row_maximum) {
      for (int r = 0; r < together; ++r) part.maximum[r] = together == 1 ? folded_maximum(largest) : largest[r];
    }
    for (int k = 0; k < row_sums && which == row_sum; ++k) fold<float64>(lanes, part, k, count);
    return part;
  }

  template <int together>
  static void all_steps(const RowsKernel& kernel, const Strided& at, ptrdiff_t n, Tile& tile) {
    RowFacts<together> facts;
    clear(facts);
    const ptrdiff_t chunk = row_chunk_length(n);
    for (int which = kernel.first(); which <= row_output; ++which) {
      do {
        for (ptrdiff_t begin = 0; begin < n; begin += chunk) {
          const ptrdiff_t end = n - begin < chunk ? n : begin + chunk;
          merge(facts, step(kernel, RowStep(which), at, begin, end, facts, tile), RowStep(which));
        }
      } while (which == row_sum && kernel.smaller_dy != 1 && start_again(facts, kernel.smaller_dy));
    }
  }

  static bool side_by_side(const Strided& at, int operand) {
    return same<S, T> && at.outer[operand] == size && at.inner[operand] % size == 0;
  }
  static void whole_together(const RowsKernel& kernel, const Strided& at, ptrdiff_t n, Tile& tile) {
    const int x = kernel.arrays - 1, out = kernel.arrays;
    for (int i = 0; i < kernel.arrays; ++i) load_together(at, i, 0, tile.buffer(kernel, i), n);
    const bool direct = at.rows == row_lanes && side_by_side(at, out);
    void* const result = direct ? static_cast<void*>(at.data[out]) : tile.buffer(kernel, x);
    kernel.whole_together({tile.buffer(kernel, 0), tile.buffer(kernel, x), tile.buffer(kernel, out), result, n, row_lanes,
                           row_lanes, direct ? at.inner[out] / size : row_lanes, kernel.sign(0), kernel.sign(x)});
    if (!direct) store_together(tile.buffer(kernel, x), at, out, 0, n);
  }
  static void whole_strip(const RowsKernel& kernel, const Strided& at, ptrdiff_t n, void* room) {
    const int x = kernel.arrays - 1, out = kernel.arrays;
    const auto pitch = [&](int i) { return at.inner[i] / size; };
    kernel.whole_strip({at.data[0], at.data[x], room, at.data[out], n, pitch(0), pitch(x), pitch(out), kernel.sign(0),
                        kernel.sign(x)}, int(at.rows));
  }

  // Rows whose elements are T and lie side by side, or become so.
  static void whole_rows(const RowsKernel& kernel, const Strided& at, ptrdiff_t n, Tile& tile) {
    bool direct = same<S, T>;
    for (int i = 0; i <= kernel.arrays; ++i)
      direct = direct && at.inner[i] == size && (at.outer[i] % size == 0 || at.rows == 1);
    const int x = kernel.arrays - 1, out = kernel.arrays;
    void* const e = tile.buffer(kernel, kernel.arrays);
    if (direct) {
      kernel.whole({at.data[0], at.data[x], at.data[out], at.outer[0] / size, at.outer[x] / size, at.outer[out] / size, at.rows,
                    n <= longest_after_another ? rows_after_another : 1, n, e, kernel.sign(0), kernel.sign(x)});
      return;
    }
    for (ptrdiff_t k = 0; k < at.rows; ++k) {
      const T* in[most_operands - 1];
      for (int i = 0; i < kernel.arrays; ++i)
        in[i] = load_row(at.data[i] + k * at.outer[i], at.inner[i], tile.buffer(kernel, i), n, 0);
      T* const result = tile.buffer(kernel, x);
      kernel.whole({in[0], in[x], result, 0, 0, 0, 1, 1, n, e, kernel.sign(0), kernel.sign(x)});
      store_row(result, at.data[out] + k * at.outer[out], at.inner[out], n);
    }
  }

  static void walk(const RowsKernel& kernel, char* const* operands, const ptrdiff_t* strides, ptrdiff_t rows, ptrdiff_t n,
                   void* room) {
    const int count = kernel.arrays + 1;
    char* moved[most_operands];
    for (int i = 0; i < count; ++i) moved[i] = operands[i];
    Strided at = {moved, strides, strides + count, rows};
    bool strips = kernel.whole_strip != nullptr && n <= row_chunk_length(n) &&
                  (kernel.exponential_size == 0 || output_keeps(kernel, at));
    for (int i = 0; i < count; ++i) strips = strips && side_by_side(at, i);
    for (ptrdiff_t left = rows; strips && left >= row_lanes; left -= at.rows) {
      at.rows = left < most_strip_rows ? left / row_lanes * row_lanes : most_strip_rows;
      whole_strip(kernel, at, n, room);
      for (int i = 0; i < count; ++i) moved[i] += at.rows * at.outer[i];
    }
    const ptrdiff_t rest = strips ? rows % row_lanes : rows;
    if (rest > 0) walk_tiles(kernel, moved, strides, rest, n, *static_cast<Tile*>(room));
  }
  static void walk_tiles(const RowsKernel& kernel, char* const* operands, const ptrdiff_t* strides, ptrdiff_t rows, ptrdiff_t n,
                         Tile& tile) {
    const int count = kernel.arrays + 1;
    const ptrdiff_t *const outer = strides, *const inner = strides + count;
    bool neighbours = false;
    for (int i = 0; i < count; ++i) neighbours = neighbours || (inner[i] != size && outer[i] == size);
    // One after another they take longer for elements beyond whole steps, and where there is a maximum to find.
    const bool slow_apart = n % row_lanes != 0 || kernel.maximum != nullptr;
    const bool together = neighbours || (n <= longest_brought_together && slow_apart);
    const bool fits = n <= tile.steps(kernel) * row_lanes && n <= row_chunk_length(n);
    for (ptrdiff_t done = 0; done < rows;) {
      char* moved[most_operands];
      for (int i = 0; i < count; ++i) moved[i] = operands[i] + done * outer[i];
      const ptrdiff_t left = rows - done;
      Strided at = {moved, outer, inner, left};
      if (together && left >= least_together) {
        at.rows = left < row_lanes ? left : row_lanes;
        if (n <= tile.steps(kernel) && n <= row_chunk_length(n))
          whole_together(kernel, at, n, tile);
        else
          all_steps<row_lanes>(kernel, at, n, tile);
      } else if (fits) {
        whole_rows(kernel, at, n, tile);
      } else {
        at.rows = 1;
        all_steps<1>(kernel, at, n, tile);
      }
      done += at.rows;
    }
  }
  static RowFacts<1> part(const RowsKernel& kernel, RowStep which, char* const* operands, const ptrdiff_t* strides,
                          ptrdiff_t begin, ptrdiff_t end, const RowFacts<1>& row, void* room) {
    const Strided at = {operands, strides, strides + kernel.arrays + 1, 1};
    return step(kernel, which, at, begin, end, row, *static_cast<Tile*>(room));
  }
};

}  // namespace
}  // namespace numact

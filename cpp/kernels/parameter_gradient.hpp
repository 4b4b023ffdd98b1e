// dx and the gradient of a learned parameter, the sum of its terms dy * df/dparameter.
//
// A sum over a row is sum_lanes sums by index; each in two words for float64 data.
#pragma once
#include "../activations/row_facts.hpp"
#include "kernel.hpp"
#include "elementwise.hpp"
#include "tile.hpp"

namespace numact {
namespace {

// An activation may have a limit(parameter), which its gradients would otherwise find for each element anew, and with it a start
// of both gradients, as in kernels/elementwise.hpp.
NUMACT_DETECTOR(has_limit, limit)

// dx in arithmetic A, the terms in arithmetic B, whose word is double: float32 data loses nothing in its terms; of float64 data
// the low words are kept too. dx may be the memory of x or dy.
template <class F, class A, class B, class T, class P>
struct ParameterGradient {
  using word = typename A::word;

  // All with one value of the parameter, into one sum.
  static void together(const void* dy, const void* x, const void* parameter, void* dx, SumLanes& lanes, ptrdiff_t n) {
    double limit = 0;
    if constexpr (has_limit<F>(0)) limit = F::template limit<B>(double(*static_cast<const P*>(parameter)));
    blocks<true>(dy, x, dx, {parameter, &limit, lanes.sum, lanes.low}, n);
  }
  // Each with its own value and into its own sum.
  static void apart(const void* dy, const void* x, void* dx, const ParameterColumns& columns, ptrdiff_t n) {
    blocks<false>(dy, x, dx, columns, n);
  }
  // What the parameter alone says of x.
  __attribute__((noinline)) static void limits(const void* parameters, double* limits, ptrdiff_t n) {
    const P* const p = static_cast<const P*>(parameters);
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i) limits[i] = F::template limit<B>(double(p[i]));
  }

 private:
  using Words = double[block_length];

  template <bool one>
  static void blocks(const void* dy_data, const void* x_data, void* dx_data, const ParameterColumns& columns, ptrdiff_t n) {
    const T *const dy = static_cast<const T*>(dy_data), *const x = static_cast<const T*>(x_data);
    T* const dx = static_cast<T*>(dx_data);
    if constexpr (has_limit<F>(0)) {
      constexpr int count = decltype(F::template gradients_start<B>(0.0, 0.0, 0.0))::count;
      const typename MakeIndices<count>::type words;
      for (ptrdiff_t done = 0; done < n; done += block_length) {
        const ptrdiff_t length = n - done < block_length ? n - done : block_length;
        const ParameterColumns here = one ? columns : columns.from(done, sizeof(P));
        alignas(64) Words kept[count];
        start_loop<one>(x + done, here, kept, length, words);
        loop<one>(dy + done, x + done, dx + done, here, kept, length, words);
      }
    } else {
      loop<one>(dy, x, dx, columns, nullptr, n, Indices<>{});
    }
  }
  template <bool one, int... K>
  __attribute__((noinline)) static void start_loop(const T* x, const ParameterColumns& columns, Words* kept, ptrdiff_t n,
                                                   Indices<K...>) {
    const P* const p = static_cast<const P*>(columns.parameters);
    const double* const limits = columns.limits;
    const double parameter = double(*p), limit = *limits;
    expect_whole_lines<float>(n);
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i) {
      const auto words =
          F::template gradients_start<B>(double(x[i]), one ? parameter : double(p[i]), one ? limit : limits[i]);
      ((kept[K][i] = words.word[K]), ...);
    }
  }
  template <bool one, int... K>
  __attribute__((noinline)) static void loop(const T* dy, const T* x, T* dx, const ParameterColumns& columns,
                                             [[maybe_unused]] const Words* kept, ptrdiff_t n, Indices<K...>) {
    const P* const p = static_cast<const P*>(columns.parameters);
    if constexpr (one) {
      const P parameter = *p;
      SumLanes sums;
      __builtin_memcpy(sums.sum, columns.sums, sizeof sums.sum);
      __builtin_memcpy(sums.low, columns.lows, sizeof sums.low);
      for (ptrdiff_t i = 0; i < n; i += row_lanes) {
#pragma omp simd
        for (int j = 0; j < row_lanes; ++j)
          element(dy[i + j], x[i + j], parameter, dx[i + j], sums.sum[j], sums.low[j], kept[K][i + j]...);
      }
      __builtin_memcpy(columns.sums, sums.sum, sizeof sums.sum);
      __builtin_memcpy(columns.lows, sums.low, sizeof sums.low);
    } else {
      double *const sums = columns.sums, *const lows = columns.lows;
      expect_whole_lines<float>(n);
#pragma omp simd
      for (ptrdiff_t i = 0; i < n; ++i) element(dy[i], x[i], p[i], dx[i], sums[i], lows[i], kept[K][i]...);
    }
  }
  // A Pair may not be a variable of a simd loop: it would stay in memory, and the loop scalar.
  template <class... Start>
  NUMACT_LANE static void element(T dy, T x, P p, T& dx, double& sum, double& low, Start... start) {
    if constexpr (sizeof...(Start) > 0) {
      const Kept<B, int(sizeof...(Start))> words{{start...}};
      dx = T(F::template backward<A>(Kept<A, 3>{{words.word[0], words.word[1], words.word[2]}}, word(dy), word(x), word(p)));
      add_term(F::template parameter_term<B>(words, double(dy)), sum, low);
    } else {
      dx = T(F::template backward<A>(word(dy), word(x), word(p)));
      add_term(F::template parameter_term<B>(double(dy), double(x), double(p)), sum, low);
    }
  }
  NUMACT_LANE static void add_term(typename B::number each, double& sum, [[maybe_unused]] double& low) {
    if constexpr (B::paired)
      add(sum, low, each.hi, each.lo);
    else
      sum += each;
  }
};

// Data of T, stored as S. Operands dy, x, dx.
template <class S, class T>
struct ParameterGradientWalker {
  struct Tile {
    T dy_buffer[tile_length], x_buffer[tile_length], dx_buffer[tile_length];
    const T *dy, *x;
    T* dx;
    char* out;
    ptrdiff_t out_stride, n;

    // n elements as whole rows of lanes; what is added has a term of 0 for any parameter: x is 1, as 0 * inf is NaN.
    Tile(char* const* operands, const ptrdiff_t* strides, ptrdiff_t begin, ptrdiff_t n_given)
        : out(operands[2] + begin * strides[2]), out_stride(strides[2]), n(n_given) {
      dy = contiguous<S>(operands[0] + begin * strides[0], strides[0], dy_buffer, n, whole());
      x = contiguous<S>(operands[1] + begin * strides[1], strides[1], x_buffer, n, whole());
      for (ptrdiff_t i = n; i < whole(); ++i) dy_buffer[i] = 0, x_buffer[i] = 1;
      dx = target<S>(out, {out_stride, n}, dx_buffer, whole());
    }
    // n lanes from `lane` on.
    Tile(char* const* operands, const ptrdiff_t* strides, int lane, ptrdiff_t n_given)
        : Tile(operands, strides, ptrdiff_t(0), n_given) {
      for (ptrdiff_t i = n - 1; i >= 0; --i) dy_buffer[lane + i] = dy[i], x_buffer[lane + i] = x[i];
      for (ptrdiff_t i = 0; i < lane; ++i) dy_buffer[i] = 0, x_buffer[i] = 1;
      for (ptrdiff_t i = lane + n; i < row_lanes; ++i) dy_buffer[i] = 0, x_buffer[i] = 1;
      dy = dy_buffer, x = x_buffer, dx = dx_buffer;
    }
    ptrdiff_t whole() const { return (n + row_lanes - 1) / row_lanes * row_lanes; }
  };

  // The first element goes to lane `first`.
  static void together(const ParameterGradientKernel& kernel, char* const* operands, const ptrdiff_t* strides,
                       const void* parameter, int first, SumLanes& lanes, ptrdiff_t n) {
    ptrdiff_t done = 0;
    if (first != 0) {
      done = n < row_lanes - first ? n : row_lanes - first;
      const Tile tile(operands, strides, first, done);
      kernel.together(tile.dy, tile.x, parameter, tile.dx, lanes, row_lanes);
      store<S>(tile.dx + first, tile.out, tile.out_stride, done);
    }
    for (; done < n; done += tile_length) {
      const Tile tile(operands, strides, done, n - done < tile_length ? n - done : tile_length);
      kernel.together(tile.dy, tile.x, parameter, tile.dx, lanes, tile.whole());
      store<S>(static_cast<const T*>(tile.dx), tile.out, tile.out_stride, tile.n);
    }
  }
  // The last few columns go through buffers of whole lanes.
  static void apart(const ParameterGradientKernel& kernel, char* const* operands, const ptrdiff_t* strides,
                    const ParameterColumns& columns, ptrdiff_t n) {
    const ptrdiff_t whole = n / row_lanes * row_lanes, rest = n - whole, size = size_of(kernel.parameter);
    for (ptrdiff_t done = 0; done < whole; done += tile_length) {
      const Tile tile(operands, strides, done, whole - done < tile_length ? whole - done : tile_length);
      kernel.apart(tile.dy, tile.x, tile.dx, columns.from(done, size), tile.n);
      store<S>(static_cast<const T*>(tile.dx), tile.out, tile.out_stride, tile.n);
    }
    if (rest == 0) return;
    double buffers[4][row_lanes] = {};
    const ParameterColumns last = columns.from(whole, size), padded = {buffers[0], buffers[1], buffers[2], buffers[3]};
    __builtin_memcpy(buffers[0], last.parameters, size_t(rest * size));
    for (ptrdiff_t i = 0; i < rest; ++i) {
      if (last.limits != nullptr) buffers[1][i] = last.limits[i];
      padded.sums[i] = last.sums[i], padded.lows[i] = last.lows[i];
    }
    const Tile tile(operands, strides, whole, rest);
    kernel.apart(tile.dy, tile.x, tile.dx, padded, row_lanes);
    for (ptrdiff_t i = 0; i < rest; ++i) last.sums[i] = padded.sums[i], last.lows[i] = padded.lows[i];
    store<S>(static_cast<const T*>(tile.dx), tile.out, tile.out_stride, rest);
  }
};

}  // namespace
}  // namespace numact

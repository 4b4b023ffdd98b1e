// dx and the gradient of a learned parameter, the sum of its terms dy * df/dparameter.
//
// A sum over a row is sum_lanes sums by index; each in two words for float64 data.
#pragma once
#include "../activations/row_facts.hpp"
#include "../levels/table.hpp"
#include "tile.hpp"

namespace numact {
namespace {

// dx in arithmetic A, the terms in arithmetic B, whose word is double: float32 data loses nothing in its terms; of float64 data
// the low words are kept too. dx may be the memory of x or dy.
template <class F, class A, class B, class T, class P>
struct ParameterGradient {
  using word = typename A::word;

  // A Pair may not be a variable of a simd loop: it would stay in memory, and the loop scalar.
  NUMACT_LANE static void add_term(typename B::number each, double& sum, [[maybe_unused]] double& low) {
    if constexpr (B::paired)
      add(sum, low, each.hi, each.lo);
    else
      sum += each;
  }
  // All with one value of the parameter, into one sum.
  __attribute__((noinline)) static void together(const void* dy_data, const void* x_data, const void* parameter,
                                                 void* dx_data, SumLanes& lanes, ptrdiff_t n) {
    const T *const dy = static_cast<const T*>(dy_data), *const x = static_cast<const T*>(x_data);
    T* const dx = static_cast<T*>(dx_data);
    const P p = *static_cast<const P*>(parameter);
    SumLanes sums = lanes;
    for (ptrdiff_t i = 0; i < n; i += row_lanes) {
#pragma omp simd
      for (int j = 0; j < row_lanes; ++j) {
        const T dy_j = dy[i + j], x_j = x[i + j];
        dx[i + j] = T(F::template backward<A>(word(dy_j), word(x_j), word(p)));
        add_term(F::template parameter_term<B>(double(dy_j), double(x_j), double(p)), sums.sum[j], sums.low[j]);
      }
    }
    lanes = sums;
  }
  // Each with its own value and into its own sum.
  __attribute__((noinline)) static void apart(const void* dy_data, const void* x_data, const void* parameters,
                                              void* dx_data, double* sums, double* lows, ptrdiff_t n) {
    const T *const dy = static_cast<const T*>(dy_data), *const x = static_cast<const T*>(x_data);
    const P* const p = static_cast<const P*>(parameters);
    T* const dx = static_cast<T*>(dx_data);
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i) {
      const T dy_i = dy[i], x_i = x[i];
      const P p_i = p[i];
      dx[i] = T(F::template backward<A>(word(dy_i), word(x_i), word(p_i)));
      add_term(F::template parameter_term<B>(double(dy_i), double(x_i), double(p_i)), sums[i], lows[i]);
    }
  }
};

// Data of T, stored as S. Operands dy, x, parameter, dx.
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
        : out(operands[3] + begin * strides[3]), out_stride(strides[3]), n(n_given) {
      dy = contiguous<S>(operands[0] + begin * strides[0], strides[0], dy_buffer, n, whole());
      x = contiguous<S>(operands[1] + begin * strides[1], strides[1], x_buffer, n, whole());
      for (ptrdiff_t i = n; i < whole(); ++i) dy_buffer[i] = 0, x_buffer[i] = 1;
      dx = target<S>(out, {out_stride, n}, dx_buffer, whole());
    }
    // The last n lanes from `lane` on.
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
  static void together(const ParameterGradientKernel& kernel, char* const* operands, const ptrdiff_t* strides, int first,
                       SumLanes& lanes, ptrdiff_t n) {
    ptrdiff_t done = 0;
    if (first != 0) {
      done = n < row_lanes - first ? n : row_lanes - first;
      const Tile tile(operands, strides, first, done);
      kernel.together(tile.dy, tile.x, operands[2], tile.dx, lanes, row_lanes);
      store<S>(tile.dx + first, tile.out, tile.out_stride, done);
    }
    for (; done < n; done += tile_length) {
      const Tile tile(operands, strides, done, n - done < tile_length ? n - done : tile_length);
      kernel.together(tile.dy, tile.x, operands[2], tile.dx, lanes, tile.whole());
      store<S>(static_cast<const T*>(tile.dx), tile.out, tile.out_stride, tile.n);
    }
  }
  static void apart(const ParameterGradientKernel& kernel, char* const* operands, const ptrdiff_t* strides, double* sums,
                    double* lows, ptrdiff_t n) {
    double p_buffer[tile_length], sum_buffer[tile_length] = {}, low_buffer[tile_length] = {};
    for (ptrdiff_t done = 0; done < n; done += tile_length) {
      const Tile tile(operands, strides, done, n - done < tile_length ? n - done : tile_length);
      const bool direct = tile.n == tile.whole();
      const char* const from = operands[2] + done * strides[2];
      const void* p;
      if (kernel.parameter == Type::float64)
        p = contiguous<double>(from, strides[2], p_buffer, tile.n, tile.whole());
      else
        p = contiguous<float>(from, strides[2], reinterpret_cast<float*>(p_buffer), tile.n, tile.whole());
      for (ptrdiff_t i = 0; i < tile.n && !direct; ++i) sum_buffer[i] = sums[done + i], low_buffer[i] = lows[done + i];
      kernel.apart(tile.dy, tile.x, p, tile.dx, direct ? sums + done : sum_buffer, direct ? lows + done : low_buffer,
                   tile.whole());
      for (ptrdiff_t i = 0; i < tile.n && !direct; ++i) sums[done + i] = sum_buffer[i], lows[done + i] = low_buffer[i];
      store<S>(static_cast<const T*>(tile.dx), tile.out, tile.out_stride, tile.n);
    }
  }
};

}  // namespace
}  // namespace numact

// One activation over arrays. The vector loops run on contiguous memory of the type they compute with; walks bring every
// layout and storage type there. Without contraction all ways give the same bits.
#pragma once
#include "../catalogue.hpp"
#include "../levels/table.hpp"
#include "tile.hpp"

namespace numact {
namespace {

// std::index_sequence of <utility> would bring code of the library into the levels.
template <int... I>
struct Indices {};
template <int N, int... I>
struct MakeIndices : MakeIndices<N - 1, N - 1, I...> {};
template <int... I>
struct MakeIndices<0, I...> {
  using type = Indices<I...>;
};

constexpr int most_arrays = 3, most_outputs = 2;

// Tells the compiler that there is no tail.
template <class T>
NUMACT_LANE void expect_whole_lines(ptrdiff_t n) {
  if (n % (64 / ptrdiff_t(sizeof(T))) != 0) __builtin_unreachable();
}

// y = f(arrays..., parameters...) in arithmetic A, for arrays of T and parameters of P. The backward of two arrays, gate and
// value, has two outputs.
template <class F, class A, Direction direction, class T, class P, int arrays, int parameters>
struct Elementwise {
  static_assert(parameters <= most_parameters && arrays <= most_arrays);
  using word = typename A::word;
  using Arrays = typename MakeIndices<arrays>::type;
  using Parameters = typename MakeIndices<parameters>::type;
  static constexpr int outputs = arrays == 3 ? 2 : 1;

  // The words are loaded before anything is stored: an output may be the memory of an input.
  template <class... Words>
  NUMACT_LANE static void apply(T* const* y, ptrdiff_t i, Words... words) {
    if constexpr (outputs == 2) {
      y[0][i] = T(F::template backward_gate<A>(words...));
      y[1][i] = T(F::template backward_value<A>(words...));
    } else if constexpr (direction == Direction::forward) {
      y[0][i] = T(F::template forward<A>(words...));
    } else if constexpr (direction == Direction::backward) {
      y[0][i] = T(F::template backward<A>(words...));
    } else {
      y[0][i] = T(F::template backward_from_output<A>(words...));
    }
  }

  template <bool fixed, int... I, int... J>
  __attribute__((noinline)) static void loop(const void* const* x, const void* const* p, void* const* y, ptrdiff_t n,
                                             Indices<I...>, Indices<J...>) {
    const T* const source[] = {static_cast<const T*>(x[I])...};
    [[maybe_unused]] const P* const stream[] = {static_cast<const P*>(p[J])..., nullptr};
    [[maybe_unused]] const word value[] = {word(*static_cast<const P*>(p[J]))..., word(0)};
    T* const target[] = {static_cast<T*>(y[0]), outputs == 2 ? static_cast<T*>(y[1]) : nullptr};
    expect_whole_lines<T>(n);
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i)
      apply(target, i, word(source[I][i])..., (fixed ? value[J] : word(stream[J][i]))...);
  }
  template <bool fixed>
  static void row(const void* const* x, const void* const* p, void* const* y, ptrdiff_t n) {
    loop<fixed>(x, p, y, n, Arrays{}, Parameters{});
  }
};

// A kernel that computes with T over data that is stored as S.
template <class S, class T>
struct ElementwiseWalker {
  static constexpr ptrdiff_t line = padded<T>(1);

  static void tile(const ElementwiseKernel& kernel, char* const* operands, const ptrdiff_t* strides, ptrdiff_t n) {
    T x_buffer[most_arrays][tile_length], y_buffer[most_outputs][tile_length];
    double p_buffer[most_parameters][tile_length];
    const void *x[most_arrays], *p[most_parameters];
    void* y[most_outputs];
    const ptrdiff_t whole = padded<T>(n);
    bool fixed = true;
    for (int j = 0; j < kernel.parameters; ++j) fixed &= strides[kernel.arrays + j] == 0;
    for (int i = 0; i < kernel.arrays; ++i) x[i] = contiguous<S>(operands[i], strides[i], x_buffer[i], n, whole);
    operands += kernel.arrays, strides += kernel.arrays;
    for (int j = 0; j < kernel.parameters; ++j) {
      if (fixed)
        p[j] = operands[j];
      else if (kernel.parameter == Type::float64)
        p[j] = contiguous<double>(operands[j], strides[j], p_buffer[j], n, whole);
      else
        p[j] = contiguous<float>(operands[j], strides[j], reinterpret_cast<float*>(p_buffer[j]), n, whole);
    }
    operands += kernel.parameters, strides += kernel.parameters;
    for (int k = 0; k < kernel.outputs; ++k) y[k] = target<S>(operands[k], strides[k], y_buffer[k], n, whole);
    (fixed ? kernel.fixed : kernel.streams)(x, p, y, whole);
    for (int k = 0; k < kernel.outputs; ++k) store<S>(static_cast<const T*>(y[k]), operands[k], strides[k], n);
  }

  static void loop(const ElementwiseKernel& kernel, bool fixed, char* const* operands, ptrdiff_t n) {
    (fixed ? kernel.fixed : kernel.streams)(
        reinterpret_cast<const void* const*>(operands), reinterpret_cast<const void* const*>(operands + kernel.arrays),
        reinterpret_cast<void* const*>(operands + kernel.arrays + kernel.parameters), n);
  }

  // How many of the n elements the loop can do where they are. Where no output is the memory of an input, the tail is done
  // with the elements in front of it once more.
  static ptrdiff_t direct(const ElementwiseKernel& kernel, char* const* operands, const ptrdiff_t* strides, ptrdiff_t n) {
    const int first_output = kernel.arrays + kernel.parameters;
    bool plain = same<S, T> && n >= line, fixed = true, streams = true, apart = true;
    for (int i = 0; i < kernel.arrays; ++i) plain &= strides[i] == ptrdiff_t(sizeof(T));
    for (int k = first_output; k < first_output + kernel.outputs; ++k) {
      plain &= strides[k] == ptrdiff_t(sizeof(T));
      for (int i = 0; i < first_output; ++i) apart &= operands[i] != operands[k];
    }
    for (int j = kernel.arrays; j < first_output; ++j) {
      fixed &= strides[j] == 0;
      streams &= strides[j] == (kernel.parameter == Type::float64 ? 8 : 4);
    }
    if (!plain || !(fixed || streams)) return 0;
    const ptrdiff_t whole = n / line * line;
    loop(kernel, fixed, operands, whole);
    if (whole == n || !apart) return whole;
    char* last[most_arrays + most_parameters + most_outputs];
    for (int i = 0; i < first_output + kernel.outputs; ++i) last[i] = operands[i] + (n - line) * strides[i];
    loop(kernel, fixed, last, line);
    return n;
  }

  static void walk(const ElementwiseKernel& kernel, char* const* operands, const ptrdiff_t* strides, ptrdiff_t n) {
    const int count = kernel.arrays + kernel.parameters + kernel.outputs;
    ptrdiff_t done = direct(kernel, operands, strides, n);
    while (done < n) {
      char* moved[most_arrays + most_parameters + most_outputs];
      for (int i = 0; i < count; ++i) moved[i] = operands[i] + done * strides[i];
      const ptrdiff_t m = n - done < tile_length ? n - done : tile_length;
      tile(kernel, moved, strides, m);
      done += m;
    }
  }
};

}  // namespace
}  // namespace numact

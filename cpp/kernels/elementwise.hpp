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

// dx in arithmetic A, and each element's term of the parameter's gradient in arithmetic B, whose word is double: float32
// data loses nothing in its terms; of float64 data the low words are kept too.
template <class F, class A, class B, class T, class P>
struct ParameterGradient {
  using word = typename A::word;

  // A Pair may not be a variable of a simd loop: it would stay in memory, and the loop scalar.
  NUMACT_LANE static void store_term(typename B::number each, double* term, [[maybe_unused]] double* rest) {
    *term = rounded(each);
    if constexpr (B::paired) *rest = each.lo;
  }
  template <bool fixed>
  __attribute__((noinline)) static void term_loop(const T* dy, const T* x, const P* p, double* term, double* rest,
                                                  ptrdiff_t n) {
    const P value = *p;
    expect_whole_lines<T>(n);
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i)
      store_term(F::template parameter_term<B>(double(dy[i]), double(x[i]), double(fixed ? value : p[i])), term + i,
                 rest + i);
  }
  template <bool fixed>
  __attribute__((noinline)) static void loop(const T* dy, const T* x, const P* p, T* dx, ptrdiff_t n) {
    const P value = *p;
    expect_whole_lines<T>(n);
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i)
      dx[i] = T(F::template backward<A>(word(dy[i]), word(x[i]), word(fixed ? value : p[i])));
  }
  // Terms first: dx may be the memory of x or dy.
  template <bool fixed>
  static void row(const void* dy, const void* x, const void* p, void* dx, double* term, double* rest, ptrdiff_t n) {
    const auto* const gradient = static_cast<const T*>(dy);
    const auto* const input = static_cast<const T*>(x);
    const auto* const parameter = static_cast<const P*>(p);
    term_loop<fixed>(gradient, input, parameter, term, rest, n);
    loop<fixed>(gradient, input, parameter, static_cast<T*>(dx), n);
  }
};

template <class S, class T>
void walk_parameter_gradient(const ParameterGradientKernel& kernel, char* const* operands, const ptrdiff_t* strides,
                             double* terms, double* rests, ptrdiff_t n) {
  T dy_buffer[tile_length], x_buffer[tile_length], dx_buffer[tile_length];
  double p_buffer[tile_length], term_buffer[tile_length], rest_buffer[tile_length];
  for (ptrdiff_t done = 0; done < n; done += tile_length) {
    const ptrdiff_t m = n - done < tile_length ? n - done : tile_length, whole = padded<T>(m);
    const char* const from = operands[2] + done * strides[2];
    char* const out = operands[3] + done * strides[3];
    const T* const dy = contiguous<S>(operands[0] + done * strides[0], strides[0], dy_buffer, m, whole);
    const T* const x = contiguous<S>(operands[1] + done * strides[1], strides[1], x_buffer, m, whole);
    const void* p = from;
    if (strides[2] != 0 && kernel.parameter == Type::float64)
      p = contiguous<double>(from, strides[2], p_buffer, m, whole);
    else if (strides[2] != 0)
      p = contiguous<float>(from, strides[2], reinterpret_cast<float*>(p_buffer), m, whole);
    T* const dx = target<S>(out, strides[3], dx_buffer, m, whole);
    double* const term = m == whole ? terms + done : term_buffer;
    double* const rest = m == whole ? rests + done : rest_buffer;
    (strides[2] == 0 ? kernel.fixed : kernel.streams)(dy, x, p, dx, term, rest, whole);
    store<S>(dx, out, strides[3], m);
    if (m == whole) continue;
    scatter(term, reinterpret_cast<char*>(terms + done), sizeof(double), m);
    if (kernel.computed == Type::float64) scatter(rest, reinterpret_cast<char*>(rests + done), sizeof(double), m);
  }
}

}  // namespace
}  // namespace numact

// One activation over arrays. On contiguous memory a plain vector loop; the tail and every other layout go through tiles.
// Without contraction all ways give the same bits.
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

// y = f(arrays..., parameters...) in arithmetic A, for arrays of T and parameters of P.
template <class F, class A, Direction direction, class T, class P, int arrays, int parameters>
struct Elementwise {
  static_assert(parameters <= most_parameters);
  using word = typename A::word;
  using Arrays = typename MakeIndices<arrays>::type;
  using Parameters = typename MakeIndices<parameters>::type;

  template <class... Words>
  NUMACT_LANE static T apply(Words... words) {
    if constexpr (direction == Direction::forward) return T(F::template forward<A>(words...));
    if constexpr (direction == Direction::backward) return T(F::template backward<A>(words...));
    if constexpr (direction == Direction::backward_from_output) return T(F::template backward_from_output<A>(words...));
  }

  // Parameters are one value for all (fixed) or a stream each.
  template <bool fixed, int... I, int... J>
  __attribute__((noinline)) static void loop(const T* const* x, const P* const* p, T* y, ptrdiff_t n, Indices<I...>,
                                             Indices<J...>) {
    const T* const source[] = {x[I]...};
    [[maybe_unused]] const P* const stream[] = {p[J]..., nullptr};
    [[maybe_unused]] const word value[] = {word(*p[J])..., word(0)};
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i)
      y[i] = apply(word(source[I][i])..., (fixed ? value[J] : word(stream[J][i]))...);
  }
  static void row([[maybe_unused]] bool fixed, const T* const* x, const P* const* p, T* y, ptrdiff_t n) {
    if constexpr (parameters > 0)
      if (!fixed) return loop<false>(x, p, y, n, Arrays{}, Parameters{});
    loop<true>(x, p, y, n, Arrays{}, Parameters{});
  }

  static void tile(char* const* operands, const ptrdiff_t* strides, ptrdiff_t n) {
    T x_buffer[arrays][tile_length], y_buffer[tile_length];
    P p_buffer[parameters + 1][tile_length];
    const T* x[arrays];
    const P* p[parameters + 1];
    const ptrdiff_t whole = padded<T>(n);
    for (int i = 0; i < arrays; ++i) x[i] = contiguous(operands[i], strides[i], x_buffer[i], n, whole);
    bool fixed = true;
    for (int j = 0; j < parameters; ++j) fixed &= strides[arrays + j] == 0;
    for (int j = 0; j < parameters; ++j) {
      const char* from = operands[arrays + j];
      p[j] = fixed ? reinterpret_cast<const P*>(from) : contiguous(from, strides[arrays + j], p_buffer[j], n, whole);
    }
    char* const out = operands[arrays + parameters];
    const ptrdiff_t out_stride = strides[arrays + parameters];
    const bool direct = out_stride == ptrdiff_t(sizeof(T)) && n == whole;
    T* const y = direct ? reinterpret_cast<T*>(out) : y_buffer;
    row(fixed, x, p, y, whole);
    if (!direct) scatter(y, out, out_stride, n);
  }

  static void run(char* const* operands, const ptrdiff_t* strides, ptrdiff_t n) {
    constexpr int count = arrays + parameters + 1;
    ptrdiff_t done = 0;
    bool plain = strides[count - 1] == ptrdiff_t(sizeof(T));
    for (int i = 0; i < arrays; ++i) plain &= strides[i] == ptrdiff_t(sizeof(T));
    bool fixed = true, streams = true;
    for (int j = arrays; j < arrays + parameters; ++j) {
      fixed &= strides[j] == 0;
      streams &= strides[j] == ptrdiff_t(sizeof(P));
    }
    if (plain && (fixed || streams) && n >= padded<T>(1)) {
      const T* x[arrays];
      const P* p[parameters + 1];
      for (int i = 0; i < arrays; ++i) x[i] = reinterpret_cast<const T*>(operands[i]);
      for (int j = 0; j < parameters; ++j) p[j] = reinterpret_cast<const P*>(operands[arrays + j]);
      done = n / padded<T>(1) * padded<T>(1);
      T* const y = reinterpret_cast<T*>(operands[count - 1]);
      row(fixed, x, p, y, done);
    }
    while (done < n) {
      char* moved[count];
      for (int i = 0; i < count; ++i) moved[i] = operands[i] + done * strides[i];
      const ptrdiff_t m = n - done < tile_length ? n - done : tile_length;
      tile(moved, strides, m);
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
  NUMACT_LANE static void store(typename B::number each, double* term, [[maybe_unused]] double* rest) {
    *term = rounded(each);
    if constexpr (B::paired) *rest = each.lo;
  }
  template <bool fixed>
  __attribute__((noinline)) static void term_loop(const T* dy, const T* x, const P* p, double* term, double* rest,
                                                  ptrdiff_t n) {
    const P value = *p;
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i)
      store(F::template parameter_term<B>(double(dy[i]), double(x[i]), double(fixed ? value : p[i])), term + i, rest + i);
  }
  template <bool fixed>
  __attribute__((noinline)) static void loop(const T* dy, const T* x, const P* p, T* dx, ptrdiff_t n) {
    const P value = *p;
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i)
      dx[i] = T(F::template backward<A>(word(dy[i]), word(x[i]), word(fixed ? value : p[i])));
  }
  // Terms first: dx may be the memory of x or dy.
  template <bool fixed>
  static void row(const T* dy, const T* x, const P* p, T* dx, double* term, double* rest, ptrdiff_t n) {
    term_loop<fixed>(dy, x, p, term, rest, n);
    loop<fixed>(dy, x, p, dx, n);
  }

  static void run(char* const* operands, const ptrdiff_t* strides, double* terms, double* rests, ptrdiff_t n) {
    T dy_buffer[tile_length], x_buffer[tile_length], dx_buffer[tile_length];
    P p_buffer[tile_length];
    double term_buffer[tile_length], rest_buffer[tile_length];
    for (ptrdiff_t done = 0; done < n; done += tile_length) {
      const ptrdiff_t m = n - done < tile_length ? n - done : tile_length, whole = padded<T>(m);
      const char* const p = operands[2] + done * strides[2];
      char* const out = operands[3] + done * strides[3];
      const T* const dy = contiguous(operands[0] + done * strides[0], strides[0], dy_buffer, m, whole);
      const T* const x = contiguous(operands[1] + done * strides[1], strides[1], x_buffer, m, whole);
      const bool direct = strides[3] == ptrdiff_t(sizeof(T)) && m == whole;
      T* const dx = direct ? reinterpret_cast<T*>(out) : dx_buffer;
      double* const term = m == whole ? terms + done : term_buffer;
      double* const rest = m == whole ? rests + done : rest_buffer;
      if (strides[2] == 0)
        row<true>(dy, x, reinterpret_cast<const P*>(p), dx, term, rest, whole);
      else
        row<false>(dy, x, contiguous(p, strides[2], p_buffer, m, whole), dx, term, rest, whole);
      if (!direct) scatter(dx, out, strides[3], m);
      if (m == whole) continue;
      scatter(term, reinterpret_cast<char*>(terms + done), sizeof(double), m);
      if constexpr (B::paired) scatter(rest, reinterpret_cast<char*>(rests + done), sizeof(double), m);
    }
  }
};

}  // namespace
}  // namespace numact

// One activation over arrays. The vector loops run on contiguous memory of the type they compute with; walks bring every
// layout and storage type there. Without contraction all ways give the same bits.
#pragma once
#include "../catalogue.hpp"
#include "../lanes/vectors.hpp"
#include "kernel.hpp"
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

// A formula may be simpler where |x| is no larger than near_range(parameters...), its gradient, or forward_near_range(...): in
// Near<A> it may count on that. Without FMA, on old processors, the code for it is saved.
NUMACT_DETECTOR(has_near_range, near_range)
NUMACT_DETECTOR(has_forward_near_range, forward_near_range)
// And it may start in a loop of its own, which keeps some words of each element for the other: what bounds a loop is how many of
// its operations wait for one another.
NUMACT_DETECTOR(has_forward_start, forward_start)
NUMACT_DETECTOR(has_backward_start, backward_start)

template <class T>
__attribute__((noinline)) bool within_loop(const T* x, T limit, ptrdiff_t n) {
  using Bits = typename Format<T>::bits;
  Bits beyond = 0;  // its highest bit: that of a difference below 0
  expect_whole_lines<T>(n);
#pragma omp simd reduction(| : beyond)
  for (ptrdiff_t i = 0; i < n; ++i) beyond |= bits<Bits>(limit) - bits<Bits>(absolute(x[i]));
  return beyond >> (8 * sizeof(T) - 1) == 0;
}

constexpr int most_arrays = 4, most_outputs = 2, most_kept = 5;
constexpr ptrdiff_t block_length = 256;

// The loops over a block of elements: the start of a formula, which may be missing, and what is left of it.
struct BlockLoops {
  void (*start)(const void* const* x, const void* const* p, void* kept, ptrdiff_t n);
  void (*rest)(const void* const* x, const void* const* p, void* const* y, const void* kept, ptrdiff_t n);
};
// Block by block; `near` of those whose |x|, of the last array, is within the limit, if there is one.
template <class T>
__attribute__((noinline)) void block_by_block(const void* const* x, const void* const* p, void* const* y, ptrdiff_t n, int arrays,
                                              int outputs, T limit, BlockLoops near, BlockLoops any) {
  alignas(64) double kept[most_kept * block_length];
  for (ptrdiff_t done = 0; done < n; done += block_length) {
    const ptrdiff_t length = n - done < block_length ? n - done : block_length;
    const void* source[most_arrays];
    void* target[most_outputs];
    for (int i = 0; i < arrays; ++i) source[i] = static_cast<const T*>(x[i]) + done;
    for (int k = 0; k < outputs; ++k) target[k] = static_cast<T*>(y[k]) + done;
    const bool is_near = near.rest != nullptr && within_loop(static_cast<const T*>(source[arrays - 1]), limit, length);
    const BlockLoops& loops = is_near ? near : any;
    if (loops.start != nullptr) loops.start(source, p, kept, length);
    loops.rest(source, p, target, kept, length);
  }
}

// y = f(arrays..., parameters...) in arithmetic A, for arrays of T and parameters of P. The backward of two arrays, gate and
// value, has two outputs, and so have the forward of crelu and that with a slope, which share what both formulas compute.
template <class F, class A, Direction direction, class T, class P, int arrays, int parameters, int outputs>
struct Elementwise {
  static_assert(parameters <= most_parameters && arrays <= most_arrays && outputs <= most_outputs);
  using word = typename A::word;
  using Arrays = typename MakeIndices<arrays>::type;
  using Parameters = typename MakeIndices<parameters>::type;

  // The words are loaded before anything is stored: an output may be the memory of an input.
  template <class B, class... Words>
  NUMACT_LANE static void apply(T* const* y, ptrdiff_t i, Words... words) {
    if constexpr (direction == Direction::forward_with_slope) {
      y[0][i] = T(F::template forward<B>(F::template forward_start<B>(words...), words...));
      y[1][i] = T(F::template slope<B>(words...));
    } else if constexpr (outputs == 2 && direction == Direction::forward) {
      y[0][i] = T(F::template forward_positive<B>(words...));
      y[1][i] = T(F::template forward_negative<B>(words...));
    } else if constexpr (outputs == 2) {
      y[0][i] = T(F::template backward_gate<B>(words...));
      y[1][i] = T(F::template backward_value<B>(words...));
    } else if constexpr (direction == Direction::forward) {
      y[0][i] = T(F::template forward<B>(words...));
    } else if constexpr (direction == Direction::backward) {
      y[0][i] = T(F::template backward<B>(words...));
    } else {
      y[0][i] = T(F::template backward_from_output<B>(words...));
    }
  }

  template <bool fixed>
  static void row(const void* const* x, const void* const* p, void* const* y, ptrdiff_t n) {
    if constexpr (fixed && has_range)
      block_by_block<T>(x, p, y, n, arrays, outputs, range(p, Parameters{}), loops<Near<A>, starts>(), loops<A, false>());
    else if constexpr (fixed && starts)
      block_by_block<T>(x, p, y, n, arrays, outputs, 0, {}, loops<A, true>());
    else
      loop<A, fixed, 0>(x, p, y, nullptr, n);
  }

 private:
  static constexpr bool starts = direction == Direction::forward    ? has_forward_start<F>(0)
                                 : direction == Direction::backward ? has_backward_start<F>(0)
                                                                    : false;
  static constexpr bool has_range = A::wide || !has_fma               ? false
                                    : direction == Direction::forward  ? has_forward_near_range<F>(0)
                                    : direction == Direction::backward ? has_near_range<F>(0)
                                                                       : false;
  template <int... J>
  NUMACT_LANE static T range([[maybe_unused]] const void* const* p, Indices<J...>) {
    if constexpr (direction == Direction::forward)
      return T(F::template forward_near_range<A>(word(*static_cast<const P*>(p[J]))...));
    else
      return T(F::template near_range<A>(word(*static_cast<const P*>(p[J]))...));
  }
  template <class B, class... Words>
  NUMACT_LANE static auto start(Words... words) {
    if constexpr (direction == Direction::forward)
      return F::template forward_start<B>(words...);
    else
      return F::template backward_start<B>(words...);
  }

  // How many words the start keeps of each element.
  template <class B, int... I, int... J>
  static constexpr int kept_words(Indices<I...>, Indices<J...>) {
    if constexpr (starts) return decltype(start<B>((void(I), word())..., (void(J), word())...))::count;
    return 0;
  }
  template <class B, bool in_two>
  static constexpr BlockLoops loops() {
    constexpr int kept = in_two ? kept_words<B>(Arrays{}, Parameters{}) : 0;
    static_assert(kept <= most_kept);
    if constexpr (in_two) return {start_loop<B, kept>, loop<B, true, kept>};
    return {nullptr, loop<B, true, 0>};
  }

  using Words = word[block_length];
  template <class B, int kept>
  __attribute__((noinline)) static void start_loop(const void* const* x, const void* const* p, void* words, ptrdiff_t n) {
    start_of<B>(x, p, static_cast<Words*>(words), n, Arrays{}, Parameters{}, typename MakeIndices<kept>::type{});
  }
  template <class B, int... I, int... J, int... K>
  NUMACT_LANE static void start_of(const void* const* x, const void* const* p, Words* kept, ptrdiff_t n, Indices<I...>,
                                   Indices<J...>, Indices<K...>) {
    const T* const source[] = {static_cast<const T*>(x[I])...};
    [[maybe_unused]] const word value[] = {word(*static_cast<const P*>(p[J]))..., word(0)};
    expect_whole_lines<T>(n);
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i) {
      const auto words = start<B>(word(source[I][i])..., value[J]...);
      ((kept[K][i] = words.word[K]), ...);
    }
  }
  template <class B, bool fixed, int kept>
  __attribute__((noinline)) static void loop(const void* const* x, const void* const* p, void* const* y, const void* words,
                                             ptrdiff_t n) {
    rest_of<B, fixed>(x, p, y, static_cast<const Words*>(words), n, Arrays{}, Parameters{}, typename MakeIndices<kept>::type{});
  }
  template <class B, bool fixed, int... I, int... J, int... K>
  NUMACT_LANE static void rest_of(const void* const* x, const void* const* p, void* const* y, [[maybe_unused]] const Words* kept,
                                  ptrdiff_t n, Indices<I...>, Indices<J...>, Indices<K...>) {
    const T* const source[] = {static_cast<const T*>(x[I])...};
    [[maybe_unused]] const P* const stream[] = {static_cast<const P*>(p[J])..., nullptr};
    [[maybe_unused]] const word value[] = {word(*static_cast<const P*>(p[J]))..., word(0)};
    T* const target[] = {static_cast<T*>(y[0]), outputs == 2 ? static_cast<T*>(y[1]) : nullptr};
    expect_whole_lines<T>(n);
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i) {
      if constexpr (sizeof...(K) > 0)
        apply<B>(target, i, Kept<B, int(sizeof...(K))>{{kept[K][i]...}}, word(source[I][i])...,
                 (fixed ? value[J] : word(stream[J][i]))...);
      else
        apply_all<B>(target, i, word(source[I][i])..., (fixed ? value[J] : word(stream[J][i]))...);
    }
  }
  template <class B, class... Given>
  NUMACT_LANE static void apply_all(T* const* y, ptrdiff_t i, Given... words) {
    if constexpr (starts)
      apply<B>(y, i, start<B>(words...), words...);
    else
      apply<B>(y, i, words...);
  }
};

// A kernel that computes with T over data that is stored as S.
template <class S, class T>
struct ElementwiseWalker {
  static constexpr ptrdiff_t line = padded<T>(1);

  // Parameters as streams. Those that each row repeats stay for the next tile of whole rows.
  struct Streams {
    double buffer[most_parameters][tile_length];
    const void* at[most_parameters];
    bool kept = false;
  };

  // rows * n elements, no more than a tile holds.
  static void tile(const ElementwiseKernel& kernel, char* const* operands, const ptrdiff_t* strides, ptrdiff_t n,
                   const ptrdiff_t* row_strides, ptrdiff_t rows, Streams& streams) {
    T x_buffer[most_arrays][tile_length], y_buffer[most_outputs][tile_length];
    const void* x[most_arrays];
    void* y[most_outputs];
    const auto block = [&](int i) { return Block{strides[i], n, rows == 1 ? 0 : row_strides[i], rows}; };
    const ptrdiff_t whole = padded<T>(n * rows);
    const int first_output = kernel.arrays + kernel.parameters;
    bool fixed = true;
    for (int i = kernel.arrays; i < first_output; ++i) fixed &= strides[i] == 0 && block(i).row_stride == 0;
    for (int i = 0; i < kernel.arrays; ++i) x[i] = contiguous<S>(operands[i], block(i), x_buffer[i], whole);
    for (int j = 0; j < kernel.parameters && !streams.kept; ++j) {
      const int i = kernel.arrays + j;
      if (fixed)
        streams.at[j] = operands[i];
      else if (kernel.parameter == Type::float64)
        streams.at[j] = contiguous<double>(operands[i], block(i), streams.buffer[j], whole);
      else
        streams.at[j] = contiguous<float>(operands[i], block(i), reinterpret_cast<float*>(streams.buffer[j]), whole);
    }
    for (int k = 0; k < kernel.outputs; ++k)
      y[k] = target<S>(operands[first_output + k], block(first_output + k), y_buffer[k], whole);
    (fixed ? kernel.fixed : kernel.streams)(x, streams.at, y, whole);
    for (int k = 0; k < kernel.outputs; ++k)
      store<S>(static_cast<const T*>(y[k]), operands[first_output + k], block(first_output + k));
  }

  static void loop(const ElementwiseKernel& kernel, bool fixed, char* const* operands, ptrdiff_t n) {
    (fixed ? kernel.fixed : kernel.streams)(
        reinterpret_cast<const void* const*>(operands), reinterpret_cast<const void* const*>(operands + kernel.arrays),
        reinterpret_cast<void* const*>(operands + kernel.arrays + kernel.parameters), n);
  }

  // Whether the loop can do rows of n elements where they are.
  static bool in_place(const ElementwiseKernel& kernel, const ptrdiff_t* strides, ptrdiff_t n) {
    const int first_output = kernel.arrays + kernel.parameters;
    bool plain = same<S, T> && n >= line, fixed = true, streams = true;
    for (int i = 0; i < kernel.arrays; ++i) plain &= strides[i] == ptrdiff_t(sizeof(T));
    for (int k = 0; k < kernel.outputs; ++k) plain &= strides[first_output + k] == ptrdiff_t(sizeof(T));
    for (int i = kernel.arrays; i < first_output; ++i) {
      fixed &= strides[i] == 0;
      streams &= strides[i] == size_of(kernel.parameter);
    }
    return plain && (fixed || streams);
  }

  static bool zero(const ElementwiseKernel& kernel, const ptrdiff_t* strides) {
    for (int i = kernel.arrays; i < kernel.arrays + kernel.parameters; ++i)
      if (strides[i] != 0) return false;
    return true;
  }

  static bool outputs_apart(const ElementwiseKernel& kernel, char* const* operands) {
    const int first_output = kernel.arrays + kernel.parameters;
    for (int k = 0; k < kernel.outputs; ++k)
      for (int i = 0; i < first_output; ++i)
        if (operands[i] == operands[first_output + k]) return false;
    return true;
  }

  // Elements in front of the output's first whole cache line.
  static ptrdiff_t before_line(const char* output) {
    const auto misaligned = ptrdiff_t(reinterpret_cast<uintptr_t>(output) % 64);
    return (64 - misaligned) % 64 / ptrdiff_t(sizeof(T));
  }

  // A line of elements at an end of a row, `n` of them from `first` on not done with the others. They are kept aside where an output
  // is the memory of an input.
  struct Edge {
    T aside[most_outputs][line];
    char* target[most_outputs];
    ptrdiff_t first, n;

    void run(const ElementwiseKernel& kernel, bool fixed, char* const* operands, const ptrdiff_t* strides, ptrdiff_t begin,
             bool apart) {
      if (n == 0) return;
      char* moved[most_operands];
      for (int i = 0; i < count(kernel); ++i) moved[i] = operands[i] + begin * strides[i];
      char** const output = moved + kernel.arrays + kernel.parameters;
      for (int k = 0; k < kernel.outputs && !apart; ++k) {
        target[k] = output[k] + first * ptrdiff_t(sizeof(T));
        output[k] = reinterpret_cast<char*>(aside[k]);
      }
      loop(kernel, fixed, moved, line);
    }
    void finish(const ElementwiseKernel& kernel) const {
      for (int k = 0; k < kernel.outputs && n > 0; ++k) scatter(aside[k] + first, target[k], sizeof(T), n);
    }
  };

  // Long rows begin at a cache line of the output: vectors across two lines take two accesses.
  static void row(const ElementwiseKernel& kernel, char* const* operands, const ptrdiff_t* strides, ptrdiff_t n, bool apart) {
    constexpr ptrdiff_t long_row = 1024;
    const bool fixed = zero(kernel, strides);
    const ptrdiff_t before = n < long_row ? 0 : before_line(operands[kernel.arrays + kernel.parameters]);
    const ptrdiff_t whole = (n - before) / line * line, rest = n - before - whole;
    if (before == 0 && rest == 0) return loop(kernel, fixed, operands, n);
    Edge head, tail;
    head.first = 0, head.n = before;
    tail.first = line - rest, tail.n = rest;
    head.run(kernel, fixed, operands, strides, 0, apart);
    tail.run(kernel, fixed, operands, strides, n - line, apart);
    char* moved[most_operands];
    for (int i = 0; i < count(kernel); ++i) moved[i] = operands[i] + before * strides[i];
    loop(kernel, fixed, moved, whole);
    if (!apart) head.finish(kernel), tail.finish(kernel);
  }

  // One output, whole cache lines of it with stores that do not load them first; the rest as any row. The inputs are asked for
  // ahead, further than the processor does by itself, where a line takes several loads; else that costs more than it gains.
  static void row_past_cache(const ElementwiseKernel& kernel, char* const* operands, const ptrdiff_t* strides, ptrdiff_t n) {
    constexpr ptrdiff_t bytes = 1024, length = bytes / ptrdiff_t(sizeof(T)), ahead = 1536;
    alignas(64) T piece[length];
    const bool fixed = zero(kernel, strides);
    const int output = kernel.arrays + kernel.parameters;
    ptrdiff_t done = before_line(operands[output]);
    if (done > 0) loop(kernel, fixed, operands, line);
    char* moved[most_operands];
    for (; done + length <= n; done += length) {
      for (int i = 0; i < output; ++i) moved[i] = operands[i] + done * strides[i];
      for (int i = 0; i < kernel.arrays && vector_bytes < 64; ++i)
        for (ptrdiff_t at = ahead; at < ahead + bytes; at += 64) __builtin_prefetch(moved[i] + at);
      moved[output] = reinterpret_cast<char*>(piece);
      loop(kernel, fixed, moved, length);
      copy_past_cache(piece, operands[output] + done * ptrdiff_t(sizeof(T)), sizeof piece);
    }
    stores_done();
    for (int i = 0; i <= output; ++i) moved[i] = operands[i] + done * strides[i];
    if (done < n) walk(kernel, moved, strides, n - done, nullptr, 1, false, nullptr);
  }

  // In tiles of as many rows as fit, in whole lines where that can be.
  static void tiles(const ElementwiseKernel& kernel, char* const* operands, const ptrdiff_t* strides, ptrdiff_t n,
                    const ptrdiff_t* row_strides, ptrdiff_t rows) {
    Streams streams;
    const ptrdiff_t columns = n < tile_length ? n : tile_length;
    ptrdiff_t together = tile_length / columns;
    if (together > line) together = together / line * line;
    const bool repeated = columns == n && rows > 1 && zero(kernel, row_strides);
    for (ptrdiff_t r = 0; r < rows; r += together) {
      const ptrdiff_t high = rows - r < together ? rows - r : together;
      for (ptrdiff_t c = 0; c < n; c += columns) {
        char* moved[most_operands];
        for (int i = 0; i < count(kernel); ++i)
          moved[i] = operands[i] + c * strides[i] + (r == 0 ? 0 : r * row_strides[i]);
        tile(kernel, moved, strides, n - c < columns ? n - c : columns, row_strides, high, streams);
        streams.kept = repeated;
      }
    }
  }

  // Arrays that lie across the rows are brought into order block by block: several whole cache lines of each page.
  static void blocks(const ElementwiseKernel& kernel, char* const* operands, const ptrdiff_t* strides, ptrdiff_t n,
                     const ptrdiff_t* row_strides, ptrdiff_t rows, void* room) {
    constexpr ptrdiff_t high = 64, wide = 32;
    static_assert((most_arrays + most_outputs) * high * wide * ptrdiff_t(sizeof(S)) <= room_size);
    const int first_output = kernel.arrays + kernel.parameters;
    for (ptrdiff_t r = 0; r < rows; r += high) {
      for (ptrdiff_t c = 0; c < n; c += wide) {
        const ptrdiff_t m = n - c < wide ? n - c : wide, k = rows - r < high ? rows - r : high;
        char* moved[most_operands];
        ptrdiff_t stride[most_operands], row_stride[most_operands];
        S* buffer = static_cast<S*>(room);
        for (int i = 0; i < count(kernel); ++i) {
          moved[i] = operands[i] + c * strides[i] + r * row_strides[i];
          stride[i] = strides[i], row_stride[i] = row_strides[i];
          if (!across(strides[i], row_strides[i]) || (i >= kernel.arrays && i < first_output)) continue;
          if (i < kernel.arrays) gather(moved[i], {strides[i], m, row_strides[i], k}, buffer);
          moved[i] = reinterpret_cast<char*>(buffer);
          stride[i] = sizeof(S), row_stride[i] = m * ptrdiff_t(sizeof(S));
          buffer += high * wide;
        }
        tiles(kernel, moved, stride, m, row_stride, k);
        for (int i = first_output; i < count(kernel); ++i)
          if (across(strides[i], row_strides[i]))
            scatter(reinterpret_cast<const S*>(moved[i]), operands[i] + c * strides[i] + r * row_strides[i],
                    {strides[i], m, row_strides[i], k});
      }
    }
  }

  static void walk(const ElementwiseKernel& kernel, char* const* operands, const ptrdiff_t* strides, ptrdiff_t n,
                   const ptrdiff_t* row_strides, ptrdiff_t rows, bool past_cache, void* room) {
    const bool apart = outputs_apart(kernel, operands);
    if (past_cache && has_stores_past_cache && apart && rows == 1 && kernel.outputs == 1 && in_place(kernel, strides, n))
      return row_past_cache(kernel, operands, strides, n);
    // Short rows fill tiles, unless each has parameters of its own.
    const bool one_by_one = rows == 1 || n >= 4 * line || (zero(kernel, strides) && !zero(kernel, row_strides));
    if (one_by_one && in_place(kernel, strides, n)) {
      row(kernel, operands, strides, n, apart);
      for (ptrdiff_t r = 1; r < rows; ++r) {
        char* moved[most_operands];
        for (int i = 0; i < count(kernel); ++i) moved[i] = operands[i] + r * row_strides[i];
        row(kernel, moved, strides, n, apart);
      }
      return;
    }
    bool crossed = false;
    for (int i = 0; i < count(kernel) && rows > 1; ++i) crossed |= across(strides[i], row_strides[i]);
    if (crossed && n > line)
      blocks(kernel, operands, strides, n, row_strides, rows, room);
    else
      tiles(kernel, operands, strides, n, row_strides, rows);
  }

 private:
  static constexpr int most_operands = most_arrays + most_parameters + most_outputs;

  static constexpr int count(const ElementwiseKernel& kernel) { return kernel.arrays + kernel.parameters + kernel.outputs; }
  static constexpr ptrdiff_t size(ptrdiff_t stride) { return stride < 0 ? -stride : stride; }
  static constexpr bool across(ptrdiff_t stride, ptrdiff_t row_stride) {
    return row_stride != 0 && size(row_stride) < size(stride);
  }
};

}  // namespace
}  // namespace numact

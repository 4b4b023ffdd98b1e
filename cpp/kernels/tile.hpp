// Moving strided or narrow operands through small contiguous buffers, where the vector loops run.
#pragma once
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "../lanes/half.hpp"
#include "kernel.hpp"

namespace numact {
namespace {

constexpr ptrdiff_t tile_length = 512;

// Loops run over whole vectors: a count rounded up to one cache line of T.
template <class T>
constexpr ptrdiff_t padded(ptrdiff_t n) {
  constexpr ptrdiff_t line = 64 / ptrdiff_t(sizeof(T));
  return (n + line - 1) / line * line;
}

// Tells the compiler that there is no tail.
template <class T>
NUMACT_LANE void expect_whole_lines(ptrdiff_t n) {
  if (n % (64 / ptrdiff_t(sizeof(T))) != 0) __builtin_unreachable();
}

template <int step, class T>
NUMACT_LANE void copy_steps(const T* from, T* to, ptrdiff_t n) {
#pragma omp simd
  for (ptrdiff_t i = 0; i < n; ++i) to[i] = from[i * step];
}
// The frequent strides are vector loops.
template <class T>
__attribute__((noinline)) void gather(const char* from, ptrdiff_t stride, T* to, ptrdiff_t n) {
  constexpr ptrdiff_t size = sizeof(T);
  const T* const first = reinterpret_cast<const T*>(from);
  if (stride == size) return copy_steps<1>(first, to, n);
  if (stride == 0) return copy_steps<0>(first, to, n);
  if (stride == 2 * size) return copy_steps<2>(first, to, n);
  if (stride == -size) return copy_steps<-1>(first, to, n);
#pragma GCC unroll 4
  for (ptrdiff_t i = 0; i < n; ++i) to[i] = *reinterpret_cast<const T*>(from + i * stride);
}
template <class T>
__attribute__((noinline)) void scatter(const T* from, char* to, ptrdiff_t stride, ptrdiff_t n) {
  constexpr ptrdiff_t size = sizeof(T);
  T* const first = reinterpret_cast<T*>(to);
  if (stride == size) return copy_steps<1>(from, first, n);
  if (stride == -size) return copy_steps<-1>(from + (n - 1), first - (n - 1), n);
#pragma GCC unroll 4
  for (ptrdiff_t i = 0; i < n; ++i) *reinterpret_cast<T*>(to + i * stride) = from[i];
}
// Rows of `piece` to 2 * piece bytes: two pieces that overlap, without a branch for the length.
template <size_t piece>
NUMACT_LANE void copy_pieces(const char* from, ptrdiff_t from_step, char* to, ptrdiff_t to_step, ptrdiff_t bytes,
                             ptrdiff_t rows) {
  const ptrdiff_t last = bytes - ptrdiff_t(piece);
#pragma GCC unroll 4
  for (ptrdiff_t r = 0; r < rows; ++r, from += from_step, to += to_step) {
    char head[piece], tail[piece];
    __builtin_memcpy(head, from, piece);
    __builtin_memcpy(tail, from + last, piece);
    __builtin_memcpy(to, head, piece);
    __builtin_memcpy(to + last, tail, piece);
  }
}
// Rows of 4 bytes or more.
__attribute__((noinline)) void copy_rows(const char* from, ptrdiff_t from_step, char* to, ptrdiff_t to_step, ptrdiff_t bytes,
                                         ptrdiff_t rows) {
  if (bytes <= 8) return copy_pieces<4>(from, from_step, to, to_step, bytes, rows);
  if (bytes <= 16) return copy_pieces<8>(from, from_step, to, to_step, bytes, rows);
  if (bytes <= 32) return copy_pieces<16>(from, from_step, to, to_step, bytes, rows);
  if (bytes <= 64) return copy_pieces<32>(from, from_step, to, to_step, bytes, rows);
  if (bytes <= 128) return copy_pieces<64>(from, from_step, to, to_step, bytes, rows);
  for (ptrdiff_t r = 0; r < rows; ++r) __builtin_memcpy(to + r * to_step, from + r * from_step, size_t(bytes));
}
// Rows of up to `room` bytes but the last, which it returns, without gaps in the target: a buffer. What is behind a row comes
// along, though another thread may be writing there, and the next row covers it.
template <ptrdiff_t room>
NUMACT_LANE ptrdiff_t copy_with_gaps(const char* from, ptrdiff_t step, char* to, ptrdiff_t bytes, ptrdiff_t rows) {
  if (step < room) return 0;
#pragma GCC unroll 4
  for (ptrdiff_t r = 0; r < rows - 1; ++r) __builtin_memcpy(to + r * bytes, from + r * step, room);
  return rows - 1;
}
__attribute__((noinline)) void gather_rows(const char* from, ptrdiff_t step, char* to, ptrdiff_t bytes, ptrdiff_t rows) {
  const ptrdiff_t done = bytes <= 8     ? copy_with_gaps<8>(from, step, to, bytes, rows)
                         : bytes <= 16  ? copy_with_gaps<16>(from, step, to, bytes, rows)
                         : bytes <= 32  ? copy_with_gaps<32>(from, step, to, bytes, rows)
                         : bytes <= 64  ? copy_with_gaps<64>(from, step, to, bytes, rows)
                         : bytes <= 128 ? copy_with_gaps<128>(from, step, to, bytes, rows)
                                        : 0;
  copy_rows(from + done * step, step, to + done * bytes, bytes, bytes, rows - done);
}

// A square of values is transposed in vectors of 16 bytes: 4 by 4 floats, 2 by 2 doubles.
#ifdef __clang__
#define NUMACT_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define NUMACT_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, Mask{__VA_ARGS__})
#endif
NUMACT_LANE void transpose_square(const float* from, ptrdiff_t from_pitch, float* to, ptrdiff_t to_pitch) {
  typedef float Vector __attribute__((vector_size(16)));
  [[maybe_unused]] typedef int32_t Mask __attribute__((vector_size(16)));
  Vector in[4], pairs[4], out[4];
#pragma GCC unroll 4
  for (int k = 0; k < 4; ++k) std::memcpy(&in[k], from + k * from_pitch, sizeof(Vector));
#pragma GCC unroll 4
  for (int k = 0; k < 4; k += 2) pairs[k] = NUMACT_SHUFFLE(in[k], in[k + 1], 0, 4, 1, 5);
#pragma GCC unroll 4
  for (int k = 0; k < 4; k += 2) pairs[k + 1] = NUMACT_SHUFFLE(in[k], in[k + 1], 2, 6, 3, 7);
#pragma GCC unroll 4
  for (int k = 0; k < 2; ++k) out[2 * k] = NUMACT_SHUFFLE(pairs[k], pairs[k + 2], 0, 1, 4, 5);
#pragma GCC unroll 4
  for (int k = 0; k < 2; ++k) out[2 * k + 1] = NUMACT_SHUFFLE(pairs[k], pairs[k + 2], 2, 3, 6, 7);
#pragma GCC unroll 4
  for (int k = 0; k < 4; ++k) std::memcpy(to + k * to_pitch, &out[k], sizeof(Vector));
}
NUMACT_LANE void transpose_square(const double* from, ptrdiff_t from_pitch, double* to, ptrdiff_t to_pitch) {
  typedef double Vector __attribute__((vector_size(16)));
  [[maybe_unused]] typedef int64_t Mask __attribute__((vector_size(16)));
  Vector in[2], out[2];
#pragma GCC unroll 4
  for (int k = 0; k < 2; ++k) std::memcpy(&in[k], from + k * from_pitch, sizeof(Vector));
  out[0] = NUMACT_SHUFFLE(in[0], in[1], 0, 2);
  out[1] = NUMACT_SHUFFLE(in[0], in[1], 1, 3);
#pragma GCC unroll 4
  for (int k = 0; k < 2; ++k) std::memcpy(to + k * to_pitch, &out[k], sizeof(Vector));
}
#undef NUMACT_SHUFFLE
// Between `rows` rows of n values without gaps and n lines of `rows` values, line_pitch apart, which may be far from one another:
// four of them are done before the next. The last squares overlap others where n or rows do not fill whole ones.
template <bool to_lines, class T>
__attribute__((noinline)) void transpose_lines(const T* from, T* to, ptrdiff_t n, ptrdiff_t rows, ptrdiff_t line_pitch) {
  constexpr ptrdiff_t side = 16 / sizeof(T);
  for (ptrdiff_t done = 0; done < n; done += side) {
    const ptrdiff_t i = done + side <= n ? done : n - side;
    for (ptrdiff_t k = 0; k < rows; k += side) {
      const ptrdiff_t r = k + side <= rows ? k : rows - side, row_place = r * n + i, line_place = i * line_pitch + r;
      if constexpr (to_lines)
        transpose_square(from + row_place, n, to + line_place, line_pitch);
      else
        transpose_square(from + line_place, line_pitch, to + row_place, n);
    }
  }
}
// Whether columns of a block are lines of memory that hold whole squares.
template <class T>
NUMACT_LANE bool is_transposed(const Block& block) {
  constexpr ptrdiff_t size = sizeof(T), side = 16 / size;
  return block.row_stride == size && block.stride % size == 0 && block.n >= side && block.rows >= side;
}

// Rows that lie scattered are taken column by column where they are short or the array lies across them.
template <class T>
__attribute__((noinline)) void gather(const char* from, const Block& block, T* to) {
  constexpr ptrdiff_t size = sizeof(T);
  const ptrdiff_t n = block.n;
  if (block.is_run()) return gather(from, block.stride, to, block.size());
  if (block.stride == size && n * size >= 4)
    return gather_rows(from, block.row_stride, reinterpret_cast<char*>(to), n * size, block.rows);
  if constexpr (size >= 4) {
    if (is_transposed<T>(block))
      return transpose_lines<false>(reinterpret_cast<const T*>(from), to, n, block.rows, block.stride / size);
  }
  if (n > block.rows) {
    for (ptrdiff_t r = 0; r < block.rows; ++r) gather(from + r * block.row_stride, block.stride, to + r * n, n);
    return;
  }
  for (ptrdiff_t i = 0; i < n; ++i) {
#pragma GCC unroll 4
    for (ptrdiff_t r = 0; r < block.rows; ++r)
      to[r * n + i] = *reinterpret_cast<const T*>(from + i * block.stride + r * block.row_stride);
  }
}
template <class T>
__attribute__((noinline)) void scatter(const T* from, char* to, const Block& block) {
  constexpr ptrdiff_t size = sizeof(T);
  const ptrdiff_t n = block.n;
  if (block.is_run()) return scatter(from, to, block.stride, block.size());
  if (block.stride == size && n * size >= 4)
    return copy_rows(reinterpret_cast<const char*>(from), n * size, to, block.row_stride, n * size, block.rows);
  if constexpr (size >= 4) {
    if (is_transposed<T>(block))
      return transpose_lines<true>(from, reinterpret_cast<T*>(to), n, block.rows, block.stride / size);
  }
  if (n > block.rows) {
    for (ptrdiff_t r = 0; r < block.rows; ++r) scatter(from + r * n, to + r * block.row_stride, block.stride, n);
    return;
  }
  for (ptrdiff_t i = 0; i < n; ++i) {
#pragma GCC unroll 4
    for (ptrdiff_t r = 0; r < block.rows; ++r)
      *reinterpret_cast<T*>(to + i * block.stride + r * block.row_stride) = from[r * n + i];
  }
}

// Stores that go around the caches: a store into them first loads the line. To whole cache lines, from aligned memory.
#if defined(__SSE2__)
constexpr bool has_stores_past_cache = true;
NUMACT_LANE void copy_past_cache(const void* from, char* to, size_t bytes) {
  const char* const source = static_cast<const char*>(from);
#if defined(__AVX512F__)
  for (size_t i = 0; i < bytes; i += 64)
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to + i), _mm512_load_si512(source + i));
#elif defined(__AVX__)
  for (size_t i = 0; i < bytes; i += 32)
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to + i), _mm256_load_si256(reinterpret_cast<const __m256i*>(source + i)));
#else
  for (size_t i = 0; i < bytes; i += 16)
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + i), _mm_load_si128(reinterpret_cast<const __m128i*>(source + i)));
#endif
}
// Makes them visible to other threads in order.
NUMACT_LANE void stores_done() { _mm_sfence(); }
#else
constexpr bool has_stores_past_cache = false;
NUMACT_LANE void copy_past_cache(const void* from, char* to, size_t bytes) { __builtin_memcpy(to, from, bytes); }
NUMACT_LANE void stores_done() {}
#endif

// Narrow storage S and what is computed with, T.
template <class S, class T>
constexpr bool same = false;
template <class T>
constexpr bool same<T, T> = true;

template <class S>
__attribute__((noinline)) void widen_loop(const S* from, float* to, ptrdiff_t n) {
#pragma omp simd
  for (ptrdiff_t i = 0; i < n; ++i) to[i] = widened(from[i]);
}
template <class S>
__attribute__((noinline)) void narrow_loop(const float* from, S* to, ptrdiff_t n) {
#pragma omp simd
  for (ptrdiff_t i = 0; i < n; ++i) to[i] = narrowed(from[i], S{});
}
#if defined(__F16C__)
// The processor's own conversions. NaN becomes the one that narrowed() makes; a signalling NaN is widened to a quiet one, which
// any arithmetic would make of it.
__attribute__((noinline)) void widen_loop(const Half* from, float* to, ptrdiff_t n) {
  ptrdiff_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i))));
  for (; i < n; ++i) to[i] = widened(from[i]);
}
__attribute__((noinline)) void narrow_loop(const float* from, Half* to, ptrdiff_t n) {
  const __m256 quiet = _mm256_set1_ps(__builtin_nanf("")), sign = _mm256_set1_ps(-0.0f);
  ptrdiff_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256 x = _mm256_loadu_ps(from + i), nan = _mm256_or_ps(_mm256_and_ps(x, sign), quiet);
    const __m256 value = _mm256_blendv_ps(x, nan, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i), _mm256_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT));
  }
  for (; i < n; ++i) to[i] = narrowed(from[i], Half{});
}
#endif

template <class S>
NUMACT_LANE bool is_contiguous(const Block& block) {
  return block.stride == ptrdiff_t(sizeof(S)) && block.is_run();
}

// The stored values as a contiguous array of T that may be read up to `whole`: the memory itself where it is one, else the
// buffer, filled up with the last value.
template <class S, class T>
NUMACT_LANE const T* contiguous(const char* from, const Block& block, T* buffer, ptrdiff_t whole) {
  const ptrdiff_t n = block.size();
  const bool plain = is_contiguous<S>(block);
  if constexpr (same<S, T>) {
    if (plain && n == whole) return reinterpret_cast<const T*>(from);
    gather(from, block, buffer);
  } else {
    S stored[tile_length];
    if (!plain) gather(from, block, stored);
    widen_loop(plain ? reinterpret_cast<const S*>(from) : stored, buffer, n);
  }
  for (ptrdiff_t i = n; i < whole; ++i) buffer[i] = buffer[n - 1];
  return buffer;
}
template <class S, class T>
NUMACT_LANE const T* contiguous(const char* from, ptrdiff_t stride, T* buffer, ptrdiff_t n, ptrdiff_t whole) {
  return contiguous<S>(from, Block{stride, n}, buffer, whole);
}

// Where values of T that are stored as S can be computed in place; else the buffer, from which store() takes them.
template <class S, class T>
NUMACT_LANE T* target(char* to, const Block& block, T* buffer, ptrdiff_t whole) {
  const bool direct = same<S, T> && is_contiguous<S>(block) && block.size() == whole;
  return direct ? reinterpret_cast<T*>(to) : buffer;
}
template <class S, class T>
NUMACT_LANE T* target(char* to, ptrdiff_t stride, T* buffer, ptrdiff_t n, ptrdiff_t whole) {
  return target<S>(to, Block{stride, n}, buffer, whole);
}
template <class S, class T>
NUMACT_LANE void store(const T* from, char* to, const Block& block) {
  if (reinterpret_cast<const char*>(from) == to) return;
  if constexpr (same<S, T>) {
    scatter(from, to, block);
  } else {
    const bool plain = is_contiguous<S>(block);
    S stored[tile_length];
    narrow_loop(from, plain ? reinterpret_cast<S*>(to) : stored, block.size());
    if (!plain) scatter(stored, to, block);
  }
}
template <class S, class T>
NUMACT_LANE void store(const T* from, char* to, ptrdiff_t stride, ptrdiff_t n) {
  store<S>(from, to, Block{stride, n});
}

}  // namespace
}  // namespace numact

// Moving strided or narrow operands through small contiguous buffers, where the vector loops run.
#pragma once
#include "../lanes/half.hpp"

namespace numact {
namespace {

constexpr ptrdiff_t tile_length = 256;

// Loops run over whole vectors: a count rounded up to one cache line of T.
template <class T>
constexpr ptrdiff_t padded(ptrdiff_t n) {
  constexpr ptrdiff_t line = 64 / ptrdiff_t(sizeof(T));
  return (n + line - 1) / line * line;
}

template <class T>
NUMACT_LANE void gather(const char* from, ptrdiff_t stride, T* to, ptrdiff_t n) {
  for (ptrdiff_t i = 0; i < n; ++i) to[i] = *reinterpret_cast<const T*>(from + i * stride);
}
template <class T>
NUMACT_LANE void scatter(const T* from, char* to, ptrdiff_t stride, ptrdiff_t n) {
  for (ptrdiff_t i = 0; i < n; ++i) *reinterpret_cast<T*>(to + i * stride) = from[i];
}

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

// n stored values as a contiguous array of T that may be read up to `whole`: the memory itself where it is one, else the
// buffer, filled up with the last value.
template <class S, class T>
NUMACT_LANE const T* contiguous(const char* from, ptrdiff_t stride, T* buffer, ptrdiff_t n, ptrdiff_t whole) {
  if constexpr (same<S, T>) {
    if (stride == ptrdiff_t(sizeof(T)) && n == whole) return reinterpret_cast<const T*>(from);
    gather(from, stride, buffer, n);
  } else {
    S stored[tile_length];
    const bool plain = stride == ptrdiff_t(sizeof(S));
    if (!plain) gather(from, stride, stored, n);
    widen_loop(plain ? reinterpret_cast<const S*>(from) : stored, buffer, n);
  }
  for (ptrdiff_t i = n; i < whole; ++i) buffer[i] = buffer[n - 1];
  return buffer;
}

// Where n values of T that are stored as S can be computed in place; else the buffer, from which store() takes them.
template <class S, class T>
NUMACT_LANE T* target(char* to, ptrdiff_t stride, T* buffer, ptrdiff_t n, ptrdiff_t whole) {
  const bool direct = same<S, T> && stride == ptrdiff_t(sizeof(T)) && n == whole;
  return direct ? reinterpret_cast<T*>(to) : buffer;
}
template <class S, class T>
NUMACT_LANE void store(const T* from, char* to, ptrdiff_t stride, ptrdiff_t n) {
  if (reinterpret_cast<const char*>(from) == to) return;
  if constexpr (same<S, T>) {
    scatter(from, to, stride, n);
  } else {
    S stored[tile_length];
    const bool plain = stride == ptrdiff_t(sizeof(S));
    narrow_loop(from, plain ? reinterpret_cast<S*>(to) : stored, n);
    if (!plain) scatter(stored, to, stride, n);
  }
}

}  // namespace
}  // namespace numact

// Moving strided operands through small contiguous buffers, where the vector loops run.
#pragma once
#include "../lanes/arithmetic.hpp"

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

// n values as a contiguous array that may be read up to `whole`: the memory itself where it is one, else the buffer,
// filled up with the last value.
template <class T>
NUMACT_LANE const T* contiguous(const char* from, ptrdiff_t stride, T* buffer, ptrdiff_t n, ptrdiff_t whole) {
  if (stride == ptrdiff_t(sizeof(T)) && n == whole) return reinterpret_cast<const T*>(from);
  gather(from, stride, buffer, n);
  for (ptrdiff_t i = n; i < whole; ++i) buffer[i] = buffer[n - 1];
  return buffer;
}

}  // namespace
}  // namespace numact

// Maximum over pieces and its gradient. Ties go to the first piece; the first NaN wins over everything.
#pragma once
#include "../levels/table.hpp"
#include "tile.hpp"

namespace numact {
namespace {

// Stored as S, compared as T.
template <class S, class T>
struct Maxout {
  using Index = T;  // as wide as the data and comparable at every level
  static constexpr int most_interleaved = 4;  // pieces that lie side by side and are taken apart in vectors

  __attribute__((noinline)) static void take_larger(T* best, Index* which, const T* x, Index piece, ptrdiff_t n) {
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i) {
      const T old = best[i], value = x[i], old_which = which[i];
      const bool take = !(value <= old) & (old == old);
      best[i] = take ? value : old;
      which[i] = take ? piece : old_which;
    }
  }
  // Values of all pieces by turns become pieces tile_length apart.
  template <int pieces>
  __attribute__((noinline)) static void take_apart(const T* x, T* apart, ptrdiff_t n) {
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i)
      for (int piece = 0; piece < pieces; ++piece) apart[piece * tile_length + i] = x[i * pieces + piece];
  }

  __attribute__((noinline)) static void narrow_which(const Index* which, uint8_t* to, ptrdiff_t n) {
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i) to[i] = uint8_t(int32_t(which[i]));
  }
  __attribute__((noinline)) static void widen_which(const uint8_t* from, Index* which, ptrdiff_t n) {
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i) which[i] = Index(int32_t(from[i]));
  }
  NUMACT_LANE static bool interleaved(int pieces, ptrdiff_t stride, ptrdiff_t piece_stride) {
    return (pieces == 2 || pieces == 4) && piece_stride == ptrdiff_t(sizeof(S)) && stride == pieces * piece_stride;
  }

  static void forward(const MaxoutRow& row, ptrdiff_t n) {
    const bool side_by_side = interleaved(row.pieces, row.x_stride, row.piece_stride);
    T best[tile_length], buffer[most_interleaved * tile_length], apart[most_interleaved * tile_length];
    Index which[tile_length];
    for (ptrdiff_t done = 0; done < n; done += tile_length) {
      const ptrdiff_t m = n - done < tile_length ? n - done : tile_length, whole = padded<T>(m);
      const char* x = row.x + done * row.x_stride;
      T* const y = target<S>(row.y + done * row.y_stride, row.y_stride, best, m, whole);
      if (side_by_side)
        (row.pieces == 2 ? take_apart<2> : take_apart<4>)(
            contiguous<S>(x, row.piece_stride, buffer, m * row.pieces, whole * row.pieces), apart, whole);
      for (int piece = 0; piece < row.pieces; ++piece) {
        const T* const values = side_by_side ? apart + piece * tile_length
                                             : contiguous<S>(x + piece * row.piece_stride, row.x_stride, buffer, m, whole);
        if (piece == 0) {
          for (ptrdiff_t i = 0; i < whole; ++i) y[i] = values[i];
          for (ptrdiff_t i = 0; i < whole; ++i) which[i] = 0;
        } else {
          take_larger(y, which, values, Index(piece), whole);
        }
      }
      store<S>(y, row.y + done * row.y_stride, row.y_stride, m);
      char* to = row.which + done * row.which_stride;
      if (row.which_stride == 1)
        narrow_which(which, reinterpret_cast<uint8_t*>(to), m);
      else
        for (ptrdiff_t i = 0; i < m; ++i) *reinterpret_cast<uint8_t*>(to + i * row.which_stride) = uint8_t(which[i]);
    }
  }

  __attribute__((noinline)) static void keep_where(const T* dy, const Index* which, T* dx, Index piece, ptrdiff_t n) {
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i) {
      const T kept = dy[i];
      dx[i] = which[i] == piece ? kept : 0;
    }
  }
  template <int pieces>
  __attribute__((noinline)) static void interleaved_backward_loop(const T* dy, const Index* which, T* dx, ptrdiff_t n) {
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i) {
      const T kept = dy[i], index = which[i];
      for (int piece = 0; piece < pieces; ++piece) dx[i * pieces + piece] = index == T(piece) ? kept : 0;
    }
  }

  static void backward(const MaxoutBackwardRow& row, ptrdiff_t n) {
    const bool side_by_side = interleaved(row.pieces, row.dx_stride, row.piece_stride);
    T dy_buffer[tile_length], buffer[most_interleaved * tile_length];
    Index which[tile_length];
    for (ptrdiff_t done = 0; done < n; done += tile_length) {
      const ptrdiff_t m = n - done < tile_length ? n - done : tile_length, whole = padded<T>(m);
      const char* from = row.which + done * row.which_stride;
      if (row.which_stride == 1)
        widen_which(reinterpret_cast<const uint8_t*>(from), which, m);
      else
        for (ptrdiff_t i = 0; i < m; ++i) which[i] = Index(*reinterpret_cast<const uint8_t*>(from + i * row.which_stride));
      for (ptrdiff_t i = m; i < whole; ++i) which[i] = 0;
      const T* dy = contiguous<S>(row.dy + done * row.dy_stride, row.dy_stride, dy_buffer, m, whole);
      char* const to = row.dx + done * row.dx_stride;
      if (side_by_side) {
        T* const dx = target<S>(to, row.piece_stride, buffer, m * row.pieces, whole * row.pieces);
        (row.pieces == 2 ? interleaved_backward_loop<2> : interleaved_backward_loop<4>)(dy, which, dx, whole);
        store<S>(dx, to, row.piece_stride, m * row.pieces);
        continue;
      }
      for (int piece = 0; piece < row.pieces; ++piece) {
        keep_where(dy, which, buffer, Index(piece), whole);
        store<S>(buffer, to + piece * row.piece_stride, row.dx_stride, m);
      }
    }
  }
};

}  // namespace
}  // namespace numact

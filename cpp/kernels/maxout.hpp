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

  __attribute__((noinline)) static void take_larger(T* best, Index* which, const T* x, Index piece, ptrdiff_t n) {
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i) {
      const T old = best[i], value = x[i], old_which = which[i];
      const bool take = !(value <= old) & (old == old);
      best[i] = take ? value : old;
      which[i] = take ? piece : old_which;
    }
  }

  static void forward(const MaxoutRow& row, ptrdiff_t n) {
    T best[tile_length], buffer[tile_length];
    Index which[tile_length];
    for (ptrdiff_t done = 0; done < n; done += tile_length) {
      const ptrdiff_t m = n - done < tile_length ? n - done : tile_length, whole = padded<T>(m);
      const char* x = row.x + done * row.x_stride;
      const T* const first = contiguous<S>(x, row.x_stride, buffer, m, whole);
      for (ptrdiff_t i = 0; i < whole; ++i) best[i] = first[i];
      for (ptrdiff_t i = 0; i < whole; ++i) which[i] = 0;
      for (int piece = 1; piece < row.pieces; ++piece)
        take_larger(best, which, contiguous<S>(x + piece * row.piece_stride, row.x_stride, buffer, m, whole), Index(piece),
                    whole);
      store<S>(best, row.y + done * row.y_stride, row.y_stride, m);
      char* to = row.which + done * row.which_stride;
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

  static void backward(const MaxoutBackwardRow& row, ptrdiff_t n) {
    T dy_buffer[tile_length], dx[tile_length];
    Index which[tile_length];
    for (ptrdiff_t done = 0; done < n; done += tile_length) {
      const ptrdiff_t m = n - done < tile_length ? n - done : tile_length, whole = padded<T>(m);
      const char* from = row.which + done * row.which_stride;
      for (ptrdiff_t i = 0; i < whole; ++i)
        which[i] = Index(*reinterpret_cast<const uint8_t*>(from + (i < m ? i : m - 1) * row.which_stride));
      const T* dy = contiguous<S>(row.dy + done * row.dy_stride, row.dy_stride, dy_buffer, m, whole);
      for (int piece = 0; piece < row.pieces; ++piece) {
        keep_where(dy, which, dx, Index(piece), whole);
        store<S>(dx, row.dx + done * row.dx_stride + piece * row.piece_stride, row.dx_stride, m);
      }
    }
  }
};

}  // namespace
}  // namespace numact

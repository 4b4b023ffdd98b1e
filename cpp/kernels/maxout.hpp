// Maximum over pieces and its gradient. Ties go to the first piece; the first NaN wins over everything.
#pragma once
#include "kernel.hpp"
#include "tile.hpp"

namespace numact {
namespace {

// Stored as S, compared as T.
template <class S, class T>
struct Maxout {
  using Index = T;  // as wide as the data and comparable at every level
  static constexpr int most_interleaved = 4;  // pieces that lie side by side and are taken together

  NUMACT_LANE static bool is_larger(T value, T old) { return !(value <= old) & (old == old); }

  __attribute__((noinline)) static void take_larger(T* best, Index* which, const T* x, Index piece, ptrdiff_t n) {
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i) {
      const T old = best[i], value = x[i], old_which = which[i];
      const bool take = is_larger(value, old);
      best[i] = take ? value : old;
      which[i] = take ? piece : old_which;
    }
  }
  // Of pieces by turns.
  template <int pieces>
  __attribute__((noinline)) static void interleaved_loop(const T* x, T* best, Index* which, ptrdiff_t n) {
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i) {
      T largest = x[i * pieces];
      Index found = 0;
#pragma GCC unroll 4
      for (int piece = 1; piece < pieces; ++piece) {
        const T value = x[i * pieces + piece];
        const bool take = is_larger(value, largest);
        largest = take ? value : largest;
        found = take ? Index(piece) : found;
      }
      best[i] = largest;
      which[i] = found;
    }
  }

  __attribute__((noinline)) static void narrow_which(const Index* which, uint8_t* to, ptrdiff_t n) {
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i) to[i] = uint8_t(int32_t(which[i]));
  }
  __attribute__((noinline)) static void widen_which(const uint8_t* from, Index* which, ptrdiff_t n) {
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i) which[i] = Index(int32_t(from[i]));
  }
  NUMACT_LANE static bool interleaved(int pieces, const Block& block, ptrdiff_t piece_stride) {
    return (pieces == 2 || pieces == 4) && piece_stride == ptrdiff_t(sizeof(S)) && block.stride == pieces * piece_stride &&
           block.rows == 1;
  }

  // tile(row, element, rows, n) for tiles of as many rows as fit.
  template <class Tile>
  static void for_each_tile(const Block& all, const Tile& tile) {
    const ptrdiff_t columns = all.n < tile_length ? all.n : tile_length, together = tile_length / columns;
    for (ptrdiff_t r = 0; r < all.rows; r += together)
      for (ptrdiff_t c = 0; c < all.n; c += columns)
        tile(r, c, all.rows - r < together ? all.rows - r : together, all.n - c < columns ? all.n - c : columns);
  }

  static void forward(const MaxoutBlocks& all) {
    const bool side_by_side = interleaved(all.pieces, all.x_block, all.piece_stride);
    T best[tile_length], buffer[most_interleaved * tile_length];
    Index which[tile_length];
    uint8_t narrow[tile_length];
    for_each_tile(all.y_block, [&](ptrdiff_t row, ptrdiff_t element, ptrdiff_t rows, ptrdiff_t n) {
      const Block x_block = all.x_block.part(rows, n), y_block = all.y_block.part(rows, n);
      const ptrdiff_t m = rows * n, whole = padded<T>(m);
      const char* const x = all.x + all.x_block.offset(row, element);
      char* const y_to = all.y + all.y_block.offset(row, element);
      T* const y = target<S>(y_to, y_block, best, whole);
      if (side_by_side)
        (all.pieces == 2 ? interleaved_loop<2> : interleaved_loop<4>)(
            contiguous<S>(x, all.piece_stride, buffer, m * all.pieces, whole * all.pieces), y, which, whole);
      for (int piece = 0; piece < all.pieces && !side_by_side; ++piece) {
        const T* const values = contiguous<S>(x + piece * all.piece_stride, x_block, buffer, whole);
        if (piece == 0) {
          for (ptrdiff_t i = 0; i < whole; ++i) y[i] = values[i];
          for (ptrdiff_t i = 0; i < whole; ++i) which[i] = 0;
        } else {
          take_larger(y, which, values, Index(piece), whole);
        }
      }
      store<S>(static_cast<const T*>(y), y_to, y_block);
      narrow_which(which, narrow, m);
      scatter(narrow, all.which + all.which_block.offset(row, element), all.which_block.part(rows, n));
    });
  }

  // Rows of whole lines, those of dx dx_stride apart.
  __attribute__((noinline)) static void keep_where(const T* dy, const Index* which, T* dx, Index piece, ptrdiff_t n,
                                                   ptrdiff_t rows, ptrdiff_t dx_stride) {
    expect_whole_lines<T>(n);
    for (ptrdiff_t r = 0; r < rows; ++r, dy += n, which += n, dx += dx_stride) {
#pragma omp simd
      for (ptrdiff_t i = 0; i < n; ++i) {
        const T kept = dy[i];
        dx[i] = which[i] == piece ? kept : 0;
      }
    }
  }
  template <int pieces>
  __attribute__((noinline)) static void interleaved_backward_loop(const T* dy, const Index* which, T* dx, ptrdiff_t n) {
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i) {
      const T kept = dy[i], index = which[i];
#pragma GCC unroll 4
      for (int piece = 0; piece < pieces; ++piece) dx[i * pieces + piece] = index == T(piece) ? kept : 0;
    }
  }

  static void backward(const MaxoutBackwardBlocks& all) {
    constexpr ptrdiff_t size = sizeof(T);
    const bool side_by_side = interleaved(all.pieces, all.dx_block, all.piece_stride);
    T dy_buffer[tile_length], buffer[most_interleaved * tile_length];
    Index which[tile_length];
    uint8_t narrow[tile_length] = {};
    for_each_tile(all.dx_block, [&](ptrdiff_t row, ptrdiff_t element, ptrdiff_t rows, ptrdiff_t n) {
      const Block dx_block = all.dx_block.part(rows, n);
      const ptrdiff_t m = rows * n, whole = padded<T>(m);
      const bool in_place = same<S, T> && dx_block.stride == size && dx_block.row_stride % size == 0 && padded<T>(n) == n;
      gather(all.which + all.which_block.offset(row, element), all.which_block.part(rows, n), narrow);
      widen_which(narrow, which, whole);
      const T* const dy =
          contiguous<S>(all.dy + all.dy_block.offset(row, element), all.dy_block.part(rows, n), dy_buffer, whole);
      char* const to = all.dx + all.dx_block.offset(row, element);
      if (side_by_side) {
        T* const dx = target<S>(to, all.piece_stride, buffer, m * all.pieces, whole * all.pieces);
        (all.pieces == 2 ? interleaved_backward_loop<2> : interleaved_backward_loop<4>)(dy, which, dx, whole);
        store<S>(dx, to, all.piece_stride, m * all.pieces);
        return;
      }
      for (int piece = 0; piece < all.pieces; ++piece) {
        char* const piece_to = to + piece * all.piece_stride;
        if (in_place) {
          keep_where(dy, which, reinterpret_cast<T*>(piece_to), Index(piece), n, rows, dx_block.row_stride / size);
          continue;
        }
        T* const dx = target<S>(piece_to, dx_block, buffer, whole);
        keep_where(dy, which, dx, Index(piece), whole, 1, 0);
        store<S>(static_cast<const T*>(dx), piece_to, dx_block);
      }
    });
  }
};

}  // namespace
}  // namespace numact

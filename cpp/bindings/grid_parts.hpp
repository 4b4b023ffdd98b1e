// The rows of a grid, in parallel where that is worth it.
#pragma once
#include "../runtime/threads.hpp"
#include "grid.hpp"

namespace numact {

// run(pointers, n, rows) for parts of up to `rows` rows of n elements, which lie stride[0] and stride[1] apart.
template <class Run>
struct GridParts {
  const Grid& grid;
  const Run& run;
  ptrdiff_t rows, rows_per_chunk, columns_per_chunk, chunks_per_row;

  static void chunk(void* argument, ptrdiff_t index) {
    const GridParts& parts = *static_cast<const GridParts*>(argument);
    const Grid& grid = parts.grid;
    const ptrdiff_t column = index % parts.chunks_per_row * parts.columns_per_chunk;
    const ptrdiff_t n = std::min(parts.columns_per_chunk, grid.length[0] - column);
    ptrdiff_t row = index / parts.chunks_per_row * parts.rows_per_chunk;
    const ptrdiff_t end = std::min(parts.rows, row + parts.rows_per_chunk);
    while (row < end) {
      char* pointers[Grid::most_arrays];
      const ptrdiff_t rows = std::min(grid.row(row, pointers), end - row);
      for (int k = 0; k < grid.arrays; ++k) pointers[k] += column * grid.stride[0][k];
      parts.run(pointers, n, rows);
      row += rows;
    }
  }
};

// cost: rough nanoseconds per element.
template <class Run>
void run_grid(const Grid& grid, double cost, const Run& run) {
  using threads::chunk_length;
  constexpr ptrdiff_t block = 64;  // rows that share cache lines of an array that lies across them
  const ptrdiff_t n = grid.length[0], rows = grid.rows();
  GridParts<Run> parts{grid, run, rows, std::max(chunk_length / n, grid.crossed() ? block : 1), 0, 0};
  parts.columns_per_chunk = std::max<ptrdiff_t>(1, chunk_length / parts.rows_per_chunk);
  parts.chunks_per_row = (n + parts.columns_per_chunk - 1) / parts.columns_per_chunk;
  threads::run((rows + parts.rows_per_chunk - 1) / parts.rows_per_chunk * parts.chunks_per_row,
               threads::worthwhile(double(n) * double(rows) * cost), GridParts<Run>::chunk, &parts);
}

}  // namespace numact

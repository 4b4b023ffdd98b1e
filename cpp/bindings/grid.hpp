// Arrays of one shape as rows: axes sorted by the strides of the arrays and merged where all arrays allow it.
#pragma once
#include "numpy_api.hpp"

#include <cstdlib>

namespace numact {

struct Grid {
  static constexpr int most_arrays = 8, most_axes = 16;

  int arrays = 0, axes = 0;
  ptrdiff_t length[most_axes];
  ptrdiff_t stride[most_axes][most_arrays];
  char* data[most_arrays];

  // False for more axes than it has room for.
  bool set(PyArrayObject* const* all, int count) {
    arrays = count;
    const int dimensions = PyArray_NDIM(all[0]);
    if (dimensions > most_axes) return false;
    int order[most_axes];
    for (int i = 0; i < dimensions; ++i) {  // by insertion: a stride of 0 says nothing, so this is no strict order
      int at = i;
      for (; at > 0 && outside(all, count, i, order[at - 1]); --at) order[at] = order[at - 1];
      order[at] = i;
    }
    for (int k = 0; k < arrays; ++k) data[k] = PyArray_BYTES(all[k]);
    axes = 0;
    for (int i = dimensions - 1; i >= 0; --i) {  // innermost first, merged into the axis before where it continues that
      const ptrdiff_t n = PyArray_DIM(all[0], order[i]);
      bool continues = axes > 0;
      for (int k = 0; k < arrays && continues; ++k)
        continues = PyArray_STRIDE(all[k], order[i]) == stride[axes - 1][k] * length[axes - 1];
      if (continues) {
        length[axes - 1] *= n;
        continue;
      }
      if (n == 1) continue;
      length[axes] = n;
      for (int k = 0; k < arrays; ++k) stride[axes][k] = PyArray_STRIDE(all[k], order[i]);
      ++axes;
    }
    return true;
  }

  // Whether axis a lies outside axis b in the first array that tells.
  static bool outside(PyArrayObject* const* all, int count, int a, int b) {
    for (int k = 0; k < count; ++k) {
      const ptrdiff_t one = std::abs(PyArray_STRIDE(all[k], a)), other = std::abs(PyArray_STRIDE(all[k], b));
      if (one != 0 && other != 0 && one != other) return one > other;
    }
    return false;
  }

  ptrdiff_t rows() const {
    ptrdiff_t count = 1;
    for (int i = 1; i < axes; ++i) count *= length[i];
    return count;
  }
  // Where a row begins, and for how many rows, this one included, stride[1] leads on.
  ptrdiff_t row(ptrdiff_t index, char** pointers) const {
    const ptrdiff_t on = length[1] - index % length[1];
    for (int k = 0; k < arrays; ++k) pointers[k] = data[k];
    for (int i = 1; i < axes; ++i) {
      const ptrdiff_t at = index % length[i];
      index /= length[i];
      for (int k = 0; k < arrays; ++k) pointers[k] += at * stride[i][k];
    }
    return on;
  }

  // Whether no two elements of an array have a byte in common, as far as sorted axes show it.
  bool distinct(int a, ptrdiff_t size) const {
    ptrdiff_t extent = size;
    for (int i = 0; i < axes; ++i) {
      const ptrdiff_t step = std::abs(stride[i][a]);
      if (step < extent) return false;
      extent += (length[i] - 1) * step;
    }
    return true;
  }

  // Whether two arrays are the same memory element by element, or certainly have no byte in common.
  bool same_or_apart(int a, int b, ptrdiff_t size) const {
    bool equal_strides = true;
    ptrdiff_t low[2] = {0, 0}, high[2] = {size, size};
    for (int i = 0; i < axes; ++i) {
      equal_strides = equal_strides && stride[i][a] == stride[i][b];
      for (int k = 0; k < 2; ++k) {
        const ptrdiff_t extent = (length[i] - 1) * stride[i][k == 0 ? a : b];
        (extent < 0 ? low : high)[k] += extent;
      }
    }
    const ptrdiff_t distance = data[b] - data[a];
    if (low[1] + distance >= high[0] || low[0] >= high[1] + distance) return true;
    if (!equal_strides || axes != 2 || stride[0][a] != size || stride[1][a] == 0) return equal_strides && distance == 0;
    // Rows of equal length and distance: side by side, as the halves of one packed array are.
    const ptrdiff_t step = std::abs(stride[1][a]), bytes = length[0] * size;
    const ptrdiff_t offset = ((distance % step) + step) % step;
    return distance == 0 || (offset >= bytes && step - offset >= bytes);
  }
};

}  // namespace numact

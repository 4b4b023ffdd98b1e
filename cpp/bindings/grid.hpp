// Arrays that broadcast to one shape, as rows: axes sorted by the strides of all arrays and merged where all arrays allow it.
#pragma once
#include "numpy_api.hpp"

#include <algorithm>
#include <cstdlib>

namespace numact {

struct Operand {
  char* data;
  ptrdiff_t size;  // of an element
  int axes;        // none: one element for all
  const npy_intp *lengths, *strides;

  Operand() {}  // nothing: clearing an array of them takes as long as a small call's loop
  Operand(void* element, ptrdiff_t bytes)
      : data(static_cast<char*>(element)), size(bytes), axes(0), lengths(nullptr), strides(nullptr) {}
  explicit Operand(PyArrayObject* array)
      : data(PyArray_BYTES(array)),
        size(PyArray_ITEMSIZE(array)),
        axes(PyArray_NDIM(array)),
        lengths(PyArray_DIMS(array)),
        strides(PyArray_STRIDES(array)) {}
};

class Grid {
 public:
  static constexpr int most_arrays = 8, most_axes = NPY_MAXDIMS;

  int arrays = 0, axes = 0;
  ptrdiff_t length[most_axes];  // the innermost axis first
  ptrdiff_t stride[most_axes][most_arrays];
  char* data[most_arrays];

  // False where the operands do not broadcast to one shape.
  bool place(const Operand* operands, int count) {
    arrays = 0;
    shape_axes_ = 0;
    for (int k = 0; k < count; ++k) shape_axes_ = std::max(shape_axes_, operands[k].axes);
    for (int i = 0; i < shape_axes_; ++i) {
      shape_[i] = 1;
      for (int k = 0; k < count; ++k) {
        const ptrdiff_t n = length_of(operands[k], i);
        if (n != 1 && shape_[i] != 1 && n != shape_[i]) return false;
        if (n != 1) shape_[i] = n;
      }
    }
    for (int k = 0; k < count; ++k) add(operands[k]);
    sort();
    return true;
  }

  // One operand more, which leaves the order of the axes as it is.
  void add(const Operand& operand) {
    for (int i = 0; i < shape_axes_; ++i)
      steps_[i][arrays] = length_of(operand, i) == 1 ? 0 : operand.strides[operand.axes - 1 - i];
    data[arrays] = operand.data;
    size_[arrays++] = operand.size;
  }

  ptrdiff_t elements() const {
    ptrdiff_t count = 1;
    for (int i = 0; i < shape_axes_; ++i) count *= shape_[i];
    return count;
  }
  int shape_axes() const { return shape_axes_; }
  // Whether the operand has the common shape itself.
  bool is_whole(const Operand& operand) const {
    bool whole = operand.axes == shape_axes_;
    for (int i = 0; i < shape_axes_ && whole; ++i) whole = length_of(operand, i) == shape_[i];
    return whole;
  }
  // The common shape and the strides of a new array in the order of the axes, which is that of NumPy's results.
  void lay_out(ptrdiff_t size, npy_intp* lengths, npy_intp* strides) const {
    for (int i = 0; i < shape_axes_; ++i) {
      const int axis = order_[i];
      lengths[shape_axes_ - 1 - axis] = shape_[axis];
      strides[shape_axes_ - 1 - axis] = size;
      size *= shape_[axis];
    }
  }

  // Fills in `length` and `stride`. Without axes there is one element.
  void merge() {
    axes = 0;
    length[0] = 1;
    std::fill_n(stride[0], arrays, 0);
    for (int i = 0; i < shape_axes_; ++i) {
      const int axis = order_[i];
      if (shape_[axis] == 1) continue;
      bool continues = axes > 0;
      for (int k = 0; k < arrays && continues; ++k)
        continues = steps_[axis][k] == stride[axes - 1][k] * length[axes - 1];
      if (continues) {
        length[axes - 1] *= shape_[axis];
      } else {
        length[axes] = shape_[axis];
        std::copy(steps_[axis], steps_[axis] + arrays, stride[axes++]);
      }
    }
  }

  ptrdiff_t rows() const {
    ptrdiff_t count = 1;
    for (int i = 1; i < axes; ++i) count *= length[i];
    return count;
  }
  // Where a row begins, and for how many rows, this one included, stride[1] leads on.
  ptrdiff_t row(ptrdiff_t index, char** pointers) const {
    const ptrdiff_t on = axes > 1 ? length[1] - index % length[1] : 1;
    for (int k = 0; k < arrays; ++k) pointers[k] = data[k];
    for (int i = 1; i < axes; ++i) {
      const ptrdiff_t at = index % length[i];
      index /= length[i];
      for (int k = 0; k < arrays; ++k) pointers[k] += at * stride[i][k];
    }
    return on;
  }

  // Whether an array lies across the rows, its elements along an axis closer together than those of a row.
  bool crossed() const {
    for (int k = 0; k < arrays && axes > 1; ++k)
      if (stride[1][k] != 0 && std::abs(stride[1][k]) < std::abs(stride[0][k])) return true;
    return false;
  }

  // Whether no two elements of an array have a byte in common, as far as its axes, each within the next larger one, show it.
  bool distinct(int a) const {
    if (elements() == 0) return true;  // strides tell nothing
    int order[most_axes];
    for (int i = 0; i < axes; ++i) order[i] = i;
    std::sort(order, order + axes, [&](int i, int j) { return std::abs(stride[i][a]) < std::abs(stride[j][a]); });
    ptrdiff_t extent = size_[a];
    for (int k = 0; k < axes; ++k) {
      const ptrdiff_t step = std::abs(stride[order[k]][a]);
      if (step < extent) return false;
      extent += (length[order[k]] - 1) * step;
    }
    return true;
  }

  // Whether two arrays are the same memory element by element, or certainly have no byte in common.
  bool same_or_apart(int a, int b) const {
    bool equal_strides = size_[a] == size_[b];
    ptrdiff_t low[2] = {0, 0}, high[2] = {size_[a], size_[b]};
    for (int i = 0; i < axes; ++i) {
      equal_strides = equal_strides && stride[i][a] == stride[i][b];
      for (int k = 0; k < 2; ++k) {
        const ptrdiff_t extent = (length[i] - 1) * stride[i][k == 0 ? a : b];
        (extent < 0 ? low : high)[k] += extent;
      }
    }
    const ptrdiff_t distance = data[b] - data[a];
    if (low[1] + distance >= high[0] || low[0] >= high[1] + distance) return true;
    if (!equal_strides) return false;
    if (distance == 0) return true;
    if (axes != 2 || stride[0][a] != size_[a] || stride[1][a] == 0) return false;
    // Rows of equal length and distance: side by side, as the halves of one packed array are.
    const ptrdiff_t step = std::abs(stride[1][a]), bytes = length[0] * size_[a];
    const ptrdiff_t offset = ((distance % step) + step) % step;
    return offset >= bytes && step - offset >= bytes;
  }

 private:
  int shape_axes_ = 0;
  ptrdiff_t shape_[most_axes];  // the last axis first
  ptrdiff_t steps_[most_axes][most_arrays];
  ptrdiff_t size_[most_arrays];
  int order_[most_axes];  // the innermost axis first

  static ptrdiff_t length_of(const Operand& operand, int i) {
    return i < operand.axes ? operand.lengths[operand.axes - 1 - i] : 1;
  }

  // As NumPy does, so that results are laid out alike: by insertion, as a stride of 0 says nothing and this is no strict order.
  void sort() {
    for (int axis = 0; axis < shape_axes_; ++axis) {
      int place = axis;
      for (int at = axis; at > 0; --at) {
        const int side = compared(axis, order_[at - 1]);
        if (side > 0) break;
        if (side < 0) place = at - 1;
      }
      std::copy_backward(order_ + place, order_ + axis, order_ + axis + 1);
      order_[place] = axis;
    }
  }
  // Whether axis a, which comes before b in C order, lies outside b (1), inside (-1), or no array tells.
  int compared(int a, int b) const {
    int side = 0;
    for (int k = 0; k < arrays; ++k) {
      const ptrdiff_t one = std::abs(steps_[a][k]), other = std::abs(steps_[b][k]);
      if (one == 0 || other == 0) continue;
      if (other <= one) return 1;
      side = -1;
    }
    return side;
  }
};

}  // namespace numact

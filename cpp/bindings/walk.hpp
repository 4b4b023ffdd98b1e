// Elements of several arrays of any layout and byte order side by side, for the SGD step.
#pragma once
#include "numpy_api.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace numact {

// The elements of up to four arrays of one shape, in one common order. Arrays other than the first may be missing.
struct Walk {
  static constexpr npy_intp tile_length = 256;
  static constexpr npy_intp direct_length = 64;  // contiguous stretches shorter than this are gathered into tiles

  struct Operand {
    char* data = nullptr;
    bool swapped = false;
    std::vector<npy_intp> strides;  // in bytes, innermost last
  };
  bool plain = true;    // all contiguous: element i is data[i]
  bool direct = false;  // contiguous along the innermost axis
  std::vector<npy_intp> shape;
  Operand operands[4];

  // The order is that of the indices (C order), or the one that suits the first array's memory.
  void prepare(std::initializer_list<PyArrayObject*> arrays, bool index_order) {
    const auto each = [&](const auto& visit) {
      Operand* operand = operands;
      for (PyArrayObject* const a : arrays) {
        if (a != nullptr) visit(*operand, a);
        ++operand;
      }
    };
    bool usable = true, c_order = true, f_order = !index_order;
    each([&](Operand& operand, PyArrayObject* a) {
      operand.data = PyArray_BYTES(a);
      operand.swapped = PyArray_ISBYTESWAPPED(a);
      usable = usable && PyArray_ISALIGNED(a) && !operand.swapped;
      c_order = c_order && PyArray_IS_C_CONTIGUOUS(a);
      f_order = f_order && PyArray_IS_F_CONTIGUOUS(a);
    });
    plain = usable && (c_order || f_order);
    if (plain) return;

    PyArrayObject* const first = *arrays.begin();
    std::vector<int> axes;
    for (int axis = 0; axis < PyArray_NDIM(first); ++axis)
      if (PyArray_DIM(first, axis) != 1) axes.push_back(axis);
    if (!index_order)
      std::stable_sort(axes.begin(), axes.end(), [first](int a, int b) {
        return std::abs(PyArray_STRIDE(first, a)) > std::abs(PyArray_STRIDE(first, b));
      });
    // An axis that all arrays step over as if it were part of the one before is joined to it.
    shape.assign(1, 1);
    each([](Operand& operand, PyArrayObject*) { operand.strides.assign(1, 0); });
    for (const int axis : axes) {
      const npy_intp length = PyArray_DIM(first, axis);
      bool joins = true;
      each([&](Operand& operand, PyArrayObject* a) {
        joins = joins && operand.strides.back() == length * PyArray_STRIDE(a, axis);
      });
      if (joins || shape.back() == 1) {
        shape.back() *= length;
        each([axis](Operand& operand, PyArrayObject* a) { operand.strides.back() = PyArray_STRIDE(a, axis); });
      } else {
        shape.push_back(length);
        each([axis](Operand& operand, PyArrayObject* a) { operand.strides.push_back(PyArray_STRIDE(a, axis)); });
      }
    }
    direct = usable && shape.back() >= direct_length;
    each([this](Operand& operand, PyArrayObject* a) {
      direct = direct && operand.strides.back() == PyArray_ITEMSIZE(a);
    });
  }

  // Calls stretch(address, stride, count) for each piece along the innermost axis of the elements [begin, begin + n).
  template <class Stretch>
  void along(std::size_t operand, npy_intp begin, npy_intp n, Stretch&& stretch) const {
    const std::vector<npy_intp>& strides = operands[operand].strides;
    npy_intp at[NPY_MAXDIMS] = {};
    char* address = operands[operand].data;
    for (std::size_t axis = shape.size(); axis-- > 0; begin /= shape[axis]) {
      at[axis] = begin % shape[axis];
      address += at[axis] * strides[axis];
    }
    const std::size_t last = shape.size() - 1;
    for (;;) {
      const npy_intp count = std::min(n, shape[last] - at[last]);
      stretch(address, strides[last], count);
      if ((n -= count) == 0) return;
      at[last] += count;
      address += count * strides[last];
      for (std::size_t axis = last; at[axis] == shape[axis]; --axis) {
        address += strides[axis - 1] - shape[axis] * strides[axis];
        at[axis] = 0;
        ++at[axis - 1];
      }
    }
  }

  template <class T>
  void gather(std::size_t operand, npy_intp begin, npy_intp n, T* tile) const {
    if (operands[operand].data == nullptr) return;
    const bool swapped = operands[operand].swapped;
    along(operand, begin, n, [&tile, swapped](const char* address, npy_intp stride, npy_intp count) {
      for (npy_intp i = 0; i < count; ++i) *tile++ = in_order<T>(address + i * stride, swapped);
    });
  }
  template <class T>
  void scatter(std::size_t operand, npy_intp begin, npy_intp n, const T* tile) const {
    if (operands[operand].data == nullptr) return;
    const bool swapped = operands[operand].swapped;
    along(operand, begin, n, [&tile, swapped](char* address, npy_intp stride, npy_intp count) {
      for (npy_intp i = 0; i < count; ++i, ++tile) {
        const T value = in_order<T>(reinterpret_cast<const char*>(tile), swapped);
        std::memcpy(address + i * stride, &value, sizeof value);
      }
    });
  }
  template <class T>
  T* pointer(std::size_t operand, npy_intp i) const {
    if (operands[operand].data == nullptr) return nullptr;
    if (plain) return reinterpret_cast<T*>(operands[operand].data) + i;
    T* result = nullptr;
    along(operand, i, 1, [&result](char* address, npy_intp, npy_intp) { result = reinterpret_cast<T*>(address); });
    return result;
  }

  // Calls row(pointers, count) over the elements [begin, end): on the arrays themselves where they are contiguous, else on
  // tiles. T: the element of each array, const where it is only read; the pointer to a missing array is nullptr.
  template <class... T, class Row>
  void rows(npy_intp begin, npy_intp end, const Row& row) const {
    rows<T...>(begin, end, row, std::index_sequence_for<T...>());
  }

 private:
  template <class... T, class Row, std::size_t... k>
  void rows(npy_intp begin, npy_intp end, const Row& row, std::index_sequence<k...>) const {
    if (plain || direct) {
      for (npy_intp n; begin < end; begin += n) {
        n = plain ? end - begin : std::min(end - begin, shape.back() - begin % shape.back());
        row(pointer<T>(k, begin)..., n);
      }
      return;
    }
    std::tuple<std::array<std::remove_const_t<T>, tile_length>...> tiles;
    for (npy_intp n; begin < end; begin += n) {
      n = std::min(end - begin, tile_length);
      (gather(k, begin, n, std::get<k>(tiles).data()), ...);
      row((operands[k].data != nullptr ? std::get<k>(tiles).data() : nullptr)..., n);
      ((std::is_const_v<T> ? void() : scatter(k, begin, n, std::get<k>(tiles).data())), ...);
    }
  }

  template <class T>
  static T in_order(const char* address, bool swapped) {
    using Bits = std::conditional_t<sizeof(T) == 2, std::uint16_t,
                                    std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>;
    Bits bits;
    std::memcpy(&bits, address, sizeof bits);
    if (swapped) {
      if constexpr (sizeof(T) == 2)
        bits = __builtin_bswap16(bits);
      else if constexpr (sizeof(T) == 4)
        bits = __builtin_bswap32(bits);
      else
        bits = __builtin_bswap64(bits);
    }
    T value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
};

}  // namespace numact

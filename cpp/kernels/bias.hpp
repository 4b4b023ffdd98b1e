// The bias of a fully connected layer.
#pragma once
#include "kernel.hpp"

namespace numact {
namespace {

// To each of the rows, which follow one another in y.
template <class T>
__attribute__((noinline)) void add_bias_loop(T* y, const T* bias, ptrdiff_t rows, ptrdiff_t n) {
  for (ptrdiff_t r = 0; r < rows; ++r) {
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i) y[i] += bias[i];
    y += n;
  }
}

}  // namespace
}  // namespace numact

// What becomes of the softmax p of a row in the gradient of cross-entropy.
#pragma once
#include "kernel.hpp"

namespace numact {
namespace {

// The sum of p, and p times the factor in its place.
template <class T>
__attribute__((noinline)) double sum_and_scale_loop(T* p, ptrdiff_t n, double factor) {
  constexpr int lanes = row_lanes;
  double sum[lanes];
  for (double& each : sum) each = 0;
  ptrdiff_t i = 0;
  for (; i + lanes <= n; i += lanes) {
#pragma omp simd
    for (int k = 0; k < lanes; ++k) {
      sum[k] += double(p[i + k]);
      p[i + k] = T(double(p[i + k]) * factor);
    }
  }
  for (int k = 0; i + k < n; ++k) {
    sum[k] += double(p[i + k]);
    p[i + k] = T(double(p[i + k]) * factor);
  }
  return folded_sum(sum);
}

// p - 1 of the label is what the others sum to, which has all its digits where p is near 1.
template <class T>
double cross_entropy_row(T* p, ptrdiff_t n, ptrdiff_t label, double factor) {
  p[label] = 0;
  const double others = sum_and_scale_loop(p, n, factor);
  p[label] = T(-others * factor);
  return others;
}

}  // namespace
}  // namespace numact

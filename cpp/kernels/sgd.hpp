// The SGD step with momentum in one pass (Polyak 1964; Nesterov's form after Sutskever et al. 2013), and the sum of
// squares that clipping by the global norm needs.
#pragma once
#include "../lanes/arithmetic.hpp"
#include "sgd_step.hpp"

namespace numact {
namespace {

template <class T, bool decays>
struct Sgd {
  NUMACT_LANE static T gradient(const SgdStep<T>& step, T param, T grad) {
    const T scaled = step.gradient_scale * grad;
    if constexpr (decays) return madd(step.weight_decay, param, scaled);
    return scaled;
  }

  __attribute__((noinline)) static void plain(SgdStep<T> step, T* param, const T* grad, ptrdiff_t n) {
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i)
      param[i] = madd(-step.learning_rate, gradient(step, param[i], grad[i]), param[i]);
  }

  template <bool nesterov>
  __attribute__((noinline)) static void with_velocity(SgdStep<T> step, T* param, const T* grad, T* velocity,
                                                      ptrdiff_t n) {
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i) {
      const T g = gradient(step, param[i], grad[i]);
      const T v = madd(step.momentum, velocity[i], step.undampened * g);
      velocity[i] = v;
      param[i] = madd(-step.learning_rate, nesterov ? madd(step.momentum, v, g) : v, param[i]);
    }
  }

  static void row(const SgdStep<T>& step, T* param, const T* grad, T* velocity, ptrdiff_t n) {
    if (velocity == nullptr)
      plain(step, param, grad, n);
    else if (step.nesterov)
      with_velocity<true>(step, param, grad, velocity, n);
    else
      with_velocity<false>(step, param, grad, velocity, n);
  }
};

template <class T>
void sgd_row(const SgdStep<T>& step, T* param, const T* grad, T* velocity, ptrdiff_t n) {
  if (step.weight_decay != 0)
    Sgd<T, true>::row(step, param, grad, velocity, n);
  else
    Sgd<T, false>::row(step, param, grad, velocity, n);
}

// No madd: the sum may not depend on the level.
template <class T>
void square_sum(const T* x, ptrdiff_t n, double scale, double* partial) {
  double sum[square_sum_lanes];
  for (int k = 0; k < square_sum_lanes; ++k) sum[k] = partial[k];
  ptrdiff_t i = 0;
  for (; i + square_sum_lanes <= n; i += square_sum_lanes) {
#pragma omp simd
    for (int k = 0; k < square_sum_lanes; ++k) {
      const double value = scale * double(x[i + k]);
      sum[k] += value * value;
    }
  }
  for (int k = 0; i + k < n; ++k) {
    const double value = scale * double(x[i + k]);
    sum[k] += value * value;
  }
  for (int k = 0; k < square_sum_lanes; ++k) partial[k] = sum[k];
}

}  // namespace
}  // namespace numact

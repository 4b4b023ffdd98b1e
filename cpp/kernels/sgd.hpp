// The SGD step with momentum in one pass (Polyak 1964; Nesterov's form after Sutskever et al. 2013), and the sum of
// squares that clipping by the global norm needs.
#pragma once
#include "sgd_step.hpp"
#include "tile.hpp"

namespace numact {
namespace {

// Whether the first-level cache of Zen processors keeps only one line of both: it finds lines by their place within a page and a
// hash of the higher address bits (Lipp et al. 2020, "Take A Way").
NUMACT_LANE bool collide(const void* a, const void* b) {
  const uintptr_t x = reinterpret_cast<uintptr_t>(a) ^ reinterpret_cast<uintptr_t>(b);
  const auto equal = [x](int low, int high) { return ((x >> low ^ x >> high) & 1) == 0; };
  return (x & 0xfc0) == 0 && ((x >> 15 ^ x >> 20) & 31) == 0 && equal(12, 27) && equal(13, 26) && equal(14, 25);
}

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

  // All `n` elements are read before any is written.
  template <bool nesterov, bool past_cache, int n>
  NUMACT_LANE static void together_with_velocity(const SgdStep<T>& step, T* param, const T* grad, T* velocity) {
    T p[n], g[n], v[n];
#pragma omp simd
    for (int i = 0; i < n; ++i) p[i] = param[i];
#pragma omp simd
    for (int i = 0; i < n; ++i) g[i] = gradient(step, p[i], grad[i]);
#pragma omp simd
    for (int i = 0; i < n; ++i) v[i] = madd(step.momentum, velocity[i], step.undampened * g[i]);
#pragma omp simd
    for (int i = 0; i < n; ++i) velocity[i] = v[i];
    alignas(64) T next[n];
    T* const target = past_cache ? next : param;
#pragma omp simd
    for (int i = 0; i < n; ++i)
      target[i] = madd(-step.learning_rate, nesterov ? madd(step.momentum, v[i], g[i]) : v[i], p[i]);
    if constexpr (past_cache) copy_past_cache(next, reinterpret_cast<char*>(param), sizeof next);
  }
  // By cache lines, as param and velocity may collide. past_cache: param begins with a line.
  template <bool nesterov, bool past_cache>
  __attribute__((noinline)) static void with_velocity(SgdStep<T> step, T* param, const T* grad, T* velocity,
                                                      ptrdiff_t n) {
    constexpr int line = 64 / sizeof(T), few = 4;
    for (; n >= line; n -= line, param += line, grad += line, velocity += line)
      together_with_velocity<nesterov, past_cache, line>(step, param, grad, velocity);
    for (; n >= few; n -= few, param += few, grad += few, velocity += few)
      together_with_velocity<nesterov, false, few>(step, param, grad, velocity);
    for (; n > 0; --n) together_with_velocity<nesterov, false, 1>(step, param++, grad++, velocity++);
  }

  // Whether param and velocity collide is the same for a page.
  template <bool nesterov>
  static void by_pages(const SgdStep<T>& step, T* param, const T* grad, T* velocity, ptrdiff_t n) {
    constexpr ptrdiff_t page = 4096;
    const bool may_pass = step.past_cache && has_stores_past_cache && reinterpret_cast<uintptr_t>(param) % 64 == 0;
    while (n > 0) {
      const ptrdiff_t left = (page - ptrdiff_t(reinterpret_cast<uintptr_t>(param) % page)) / ptrdiff_t(sizeof(T));
      const ptrdiff_t length = may_pass && left < n ? left : n;
      const bool past_cache = may_pass && collide(param, velocity);
      (past_cache ? with_velocity<nesterov, true> : with_velocity<nesterov, false>)(step, param, grad, velocity, length);
      param += length, grad += length, velocity += length, n -= length;
    }
    if (may_pass) stores_done();
  }

  static void row(const SgdStep<T>& step, T* param, const T* grad, T* velocity, ptrdiff_t n) {
    if (velocity == nullptr)
      plain(step, param, grad, n);
    else
      (step.nesterov ? by_pages<true> : by_pages<false>)(step, param, grad, velocity, n);
  }
};

template <class T>
void sgd_row(const SgdStep<T>& step, T* param, const T* grad, T* velocity, ptrdiff_t n) {
  const auto row = step.weight_decay != 0 ? Sgd<T, true>::row : Sgd<T, false>::row;
  // The first elements apart, so that no vector stored to param lies across two cache lines.
  constexpr ptrdiff_t line = 64, worth_it = 256;  // bytes, elements
  const ptrdiff_t misaligned = ptrdiff_t(reinterpret_cast<uintptr_t>(param) % line);
  const ptrdiff_t first = (line - misaligned) % line / ptrdiff_t(sizeof(T));
  if (first > 0 && n >= worth_it) {
    row(step, param, grad, velocity, first);
    param += first, grad += first, n -= first;
    if (velocity != nullptr) velocity += first;
  }
  row(step, param, grad, velocity, n);
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

// The step of a half-precision parameter, H, is the float32 step of its master, tile by tile, and its rounding.
template <class H>
struct SgdHalf {
  static_assert(tile_length % square_sum_lanes == 0, "tiles of one array continue each other's partial sums");

  // A stored half that is no longer the rounding of its master was edited, and the master takes its value.
  __attribute__((noinline)) static void take_edits(const H* param, float* master, ptrdiff_t n) {
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; ++i)
      master[i] = select(narrowed(master[i], H{}) == param[i], master[i], widened(param[i]));
  }

  static void row(const SgdStep<float>& step, uint16_t* param_bits, const uint16_t* half_grad, const float* grad,
                  float* velocity, float* master, ptrdiff_t n) {
    float grad_tile[tile_length], master_tile[tile_length];
    for (ptrdiff_t i = 0; i < n; i += tile_length) {
      const ptrdiff_t length = n - i < tile_length ? n - i : tile_length;
      H* const param = reinterpret_cast<H*>(param_bits) + i;
      float* const exact = master != nullptr ? master + i : master_tile;
      if (master != nullptr)
        take_edits(param, exact, length);
      else
        widen_loop(param, exact, length);
      if (half_grad != nullptr) widen_loop(reinterpret_cast<const H*>(half_grad) + i, grad_tile, length);
      sgd_row(step, exact, half_grad != nullptr ? grad_tile : grad + i, velocity != nullptr ? velocity + i : nullptr,
              length);
      narrow_loop(exact, param, length);
    }
  }

  static void add_squares(const uint16_t* x, ptrdiff_t n, double scale, double* partial) {
    float tile[tile_length];
    for (ptrdiff_t i = 0; i < n; i += tile_length) {
      const ptrdiff_t length = n - i < tile_length ? n - i : tile_length;
      widen_loop(reinterpret_cast<const H*>(x) + i, tile, length);
      square_sum(tile, length, scale, partial);
    }
  }
};

}  // namespace
}  // namespace numact

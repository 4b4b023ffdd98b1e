// What the SGD kernels of every level and their callers share.
#pragma once
#include <cstddef>

namespace numact {

//   g = gradient_scale * grad + weight_decay * param      (weight_decay 0: nothing is added, be param finite or not)
//   v = momentum * v + undampened * g                     (undampened: 1 - dampening, and 1 in the first step)
//   param -= learning_rate * (nesterov ? g + momentum * v : v)
template <class T>
struct SgdStep {
  T learning_rate, momentum, undampened, weight_decay, gradient_scale;
  bool nesterov;
};

// Without a velocity (nullptr): param -= learning_rate * g. The three arrays may not share memory.
template <class T>
using SgdRow = void (*)(const SgdStep<T>& step, T* param, const T* grad, T* velocity, std::ptrdiff_t n);

// Adds (scale * x[i])^2 to partial[i % square_sum_lanes]; the same bits at every level.
constexpr int square_sum_lanes = 16;
template <class T>
using SquareSum = void (*)(const T* x, std::ptrdiff_t n, double scale, double* partial);

}  // namespace numact

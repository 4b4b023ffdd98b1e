// What the SGD kernels of every level and their callers share.
#pragma once
#include <cstddef>
#include <cstdint>

namespace numact {

//   g = gradient_scale * grad + weight_decay * param      (weight_decay 0: nothing is added, be param finite or not)
//   v = momentum * v + undampened * g                     (undampened: 1 - dampening, and 1 in the first step)
//   param -= learning_rate * (nesterov ? g + momentum * v : v)
template <class T>
struct SgdStep {
  T learning_rate, momentum, undampened, weight_decay, gradient_scale;
  bool nesterov;
  bool past_cache = false;  // param is written around the caches where that avoids a collision with velocity
};

// Without a velocity (nullptr): param -= learning_rate * g. The three arrays may not share memory.
template <class T>
using SgdRow = void (*)(const SgdStep<T>& step, T* param, const T* grad, T* velocity, std::ptrdiff_t n);

// The step of a float16 or bfloat16 parameter in float32. Either of the gradients is nullptr. Without a master the parameter
// itself is stepped and rounded.
using SgdHalfRow = void (*)(const SgdStep<float>& step, std::uint16_t* param, const std::uint16_t* half_grad,
                            const float* grad, float* velocity, float* master, std::ptrdiff_t n);

// Adds (scale * x[i])^2 to partial[i % square_sum_lanes]; the same bits at every level.
constexpr int square_sum_lanes = 16;
template <class T>
using SquareSum = void (*)(const T* x, std::ptrdiff_t n, double scale, double* partial);

}  // namespace numact

// THE list of activations. Kernels of every dtype and ISA level, ufuncs, the Python catalogue, tests and benchmarks iterate
// over it.
#pragma once
#include <limits>

namespace numact {

// What a scalar parameter may be; NaN never. The last two compare it with the parameter before it.
enum class Domain { any, positive, nonnegative, at_least_previous, at_most_previous };

struct ParameterRecord {
  const char* name;
  double fallback;  // NaN: the parameter has no default
  Domain domain;
  Domain domain_from_output;  // where the output still tells the input's side
};

constexpr int most_parameters = 2;

struct Record {
  const char* name;
  double cost;  // rough nanoseconds per float32 element, forward, on one core at x86-64-v3: decides when threads pay
  int arrays, parameters;
  ParameterRecord parameter[most_parameters];
};

constexpr double required = std::numeric_limits<double>::quiet_NaN();

// X(type, name, float32 forward, float32 backward, float64 forward, float64 backward, cost, parameters, {records})
// The arithmetics are those of lanes/arithmetic.hpp: the faster that holds the bound.
#define NUMACT_ELEMENTWISE(X)                                                                                          \
  X(Relu, "relu", Single, Single, Wide, Wide, 0.1, 0, {})                                                              \
  X(Relu6, "relu6", Single, Single, Wide, Wide, 0.1, 0, {})                                                            \
  X(SquaredRelu, "squared_relu", Single, Single, Wide, Wide, 0.1, 0, {})                                               \
  X(LeakyRelu, "leaky_relu", Single, Single, Wide, Wide, 0.1, 1,                                                       \
    {{"negative_slope", 0.01, Domain::any, Domain::nonnegative}})                                                      \
  X(Prelu, "prelu", Single, Single, Wide, Wide, 0.1, 1, {{"weight", required, Domain::any, Domain::any}})              \
  X(Threshold, "threshold", Single, Single, Wide, Wide, 0.1, 2,                                                        \
    {{"threshold", 1.0, Domain::any, Domain::any}, {"value", 0.0, Domain::any, Domain::at_most_previous}})             \
  X(HardShrink, "hard_shrink", Single, Single, Wide, Wide, 0.1, 1,                                                     \
    {{"lambd", 0.5, Domain::nonnegative, Domain::nonnegative}})                                                        \
  X(SoftShrink, "soft_shrink", Single, Single, Wide, Wide, 0.1, 1,                                                     \
    {{"lambd", 0.5, Domain::nonnegative, Domain::nonnegative}})                                                        \
  X(Elu, "elu", Single, Single, Double, Double, 0.4, 1, {{"alpha", 1.0, Domain::any, Domain::nonnegative}})          \
  X(Selu, "selu", Single, Single, Double, Double, 0.4, 0, {})                                                          \
  X(Celu, "celu", FusedSingle, Single, Double, Double, 0.5, 1, {{"alpha", 1.0, Domain::positive, Domain::positive}})   \
  X(Sigmoid, "sigmoid", Single, Single, Double, Double, 0.4, 0, {})                                                    \
  X(LogSigmoid, "log_sigmoid", Single, Single, Double, Double, 1.2, 0, {})                                             \
  X(HardSigmoid, "hard_sigmoid", Single, Single, Wide, Wide, 0.1, 0, {})                                               \
  X(Tanh, "tanh", Single, Single, Double, Double, 0.45, 0, {})                                                         \
  X(HardTanh, "hard_tanh", Single, Single, Double, Double, 0.1, 2,                                                     \
    {{"min_val", -1.0, Domain::any, Domain::any},                                                                      \
     {"max_val", 1.0, Domain::at_least_previous, Domain::at_least_previous}})                                          \
  X(TanhShrink, "tanh_shrink", FusedSingle, Single, Double, Double, 1.0, 0, {})                                        \
  X(Softsign, "softsign", Single, Single, Double, Double, 0.15, 0, {})                                                 \
  X(Softplus, "softplus", FusedSingle, Single, Double, Double, 1.3, 1,                                                        \
    {{"beta", 1.0, Domain::positive, Domain::positive}})                                                               \
  X(Squareplus, "squareplus", Single, Single, Double, Double, 0.4, 1,                                                  \
    {{"b", 4.0, Domain::nonnegative, Domain::nonnegative}})                                                            \
  X(Gelu, "gelu", FusedSingle, FusedSingle, Double, Double, 1.0, 0, {})                                                     \
  X(GeluTanh, "gelu_tanh", FusedSingle, FusedSingle, Double, Double, 0.8, 0, {})                                              \
  X(QuickGelu, "quick_gelu", Single, FusedSingle, Double, Double, 0.5, 0, {})                                                 \
  X(Silu, "silu", Single, FusedSingle, Double, Double, 0.4, 0, {})                                                     \
  X(Swish, "swish", Single, Wide, Double, Double, 0.7, 1, {{"beta", 1.0, Domain::any, Domain::any}})                   \
  X(HardSwish, "hard_swish", Single, Single, Wide, Wide, 0.12, 0, {})                                                  \
  X(Mish, "mish", Single, Wide, Double, Double, 1.1, 0, {})                                                            \
  X(Dish, "dish", FusedSingle, FusedSingle, Double, Double, 0.4, 0, {})

// X(type, name, float32 forward, float32 backward, float64 forward, float64 backward, cost): act(gate) * value, the backward
// with two outputs.
#define NUMACT_GATED(X)                                                                                                \
  X(Glu, "glu", Single, DeepSingle, Double, DeepDouble, 0.6)                                                           \
  X(Reglu, "reglu", Single, Single, Wide, Wide, 0.12)                                                                  \
  X(Geglu, "geglu", Single, DeepSingle, Double, DeepDouble, 1.3)                                                       \
  X(Swiglu, "swiglu", Single, DeepSingle, Double, DeepDouble, 0.7)

// X(name, kind): with kernels of their own, over an axis.
#define NUMACT_ROWS(X) X("softmax", "axis") X("log_softmax", "axis") X("softmin", "axis") X("maxout", "axis")

// X(name, kind, parameters, {records}): made of the elementwise ones.
#define NUMACT_COMPOSED(X)                                                                                             \
  X("rrelu", "random", 2,                                                                                              \
    {{"lower", 1.0 / 8, Domain::any, Domain::any},                                                                     \
     {"upper", 1.0 / 3, Domain::at_least_previous, Domain::any}})                                                      \
  X("crelu", "axis", 0, {})

}  // namespace numact

// Compiled once per ISA level, with that level's flags. Everything but the table is in anonymous namespaces: code of one
// level must never be picked by the linker for another.
#include "../activations/clip.hpp"
#include "../activations/dish.hpp"
#include "../activations/elu.hpp"
#include "../activations/gated.hpp"
#include "../activations/gelu.hpp"
#include "../activations/gelu_tanh.hpp"
#include "../activations/hard_swish.hpp"
#include "../activations/leaky_relu.hpp"
#include "../activations/mish.hpp"
#include "../activations/relu.hpp"
#include "../activations/sigmoid.hpp"
#include "../activations/softmax.hpp"
#include "../activations/softplus.hpp"
#include "../activations/softsign.hpp"
#include "../activations/squareplus.hpp"
#include "../activations/swish.hpp"
#include "../activations/tanh.hpp"
#include "../activations/tanh_shrink.hpp"
#include "../activations/threshold.hpp"
#include "../catalogue.hpp"
#include "../kernels/bias.hpp"
#include "../kernels/cross_entropy.hpp"
#include "../kernels/elementwise.hpp"
#include "../kernels/maxout.hpp"
#include "../kernels/parameter_gradient.hpp"
#include "../kernels/rows.hpp"
#include "../kernels/sgd.hpp"
#include "../kernels/stats.hpp"
#include "table.hpp"

namespace numact {
namespace {

template <class T>
constexpr Type type_of = sizeof(T) == sizeof(float) ? Type::float32 : Type::float64;

NUMACT_DETECTOR(has_from_output, backward_from_output)
NUMACT_DETECTOR(has_parameter_gradient, parameter_term)
NUMACT_DETECTOR(has_slope, slope)

// A record's kernels that do not exist have no loops.
template <class F, class A, Direction direction, class T, class P, int inputs, int parameters>
constexpr ElementwiseKernel elementwise(int record, Tier tier) {
  constexpr bool with_slope = direction == Direction::forward_with_slope;
  constexpr int arrays = inputs + (direction == Direction::forward || with_slope ? 0 : 1);
  constexpr int outputs = with_slope ? 2 : direction == Direction::backward ? inputs : 1;
  using Loops = Elementwise<F, A, direction, T, P, arrays, parameters, outputs>;
  ElementwiseRow fixed = nullptr, streams = nullptr;
  if constexpr (with_slope ? has_slope<F>(0) : direction != Direction::backward_from_output || has_from_output<F>(0)) {
    fixed = Loops::template row<true>;
    if constexpr (parameters > 0) streams = Loops::template row<false>;
  }
  return {uint8_t(record), direction, tier, type_of<T>, type_of<P>, arrays, parameters, outputs, fixed, streams};
}
template <class F, class A, class B, class T, class P>
constexpr ParameterGradientKernel parameter_gradient(int record, Tier tier) {
  ParameterGradientKernel kernel = {record, tier, type_of<T>, type_of<P>, nullptr, nullptr, nullptr};
  if constexpr (has_parameter_gradient<F>(0)) {
    kernel.together = ParameterGradient<F, A, B, T, P>::together;
    kernel.apart = ParameterGradient<F, A, B, T, P>::apart;
    if constexpr (has_limit<F>(0)) kernel.limits = ParameterGradient<F, A, B, T, P>::limits;
  }
  return kernel;
}
template <class S, class T>
constexpr ParameterGradientWalk parameter_gradient_walk = {ParameterGradientWalker<S, T>::together,
                                                           ParameterGradientWalker<S, T>::apart};

// The arithmetic of the precise tier: Portable, unless the function names another.
template <class...>
using Void = void;
template <class F, Direction direction, class = void>
struct Precise {
  using type = Portable;
};
template <class F, Direction direction>
struct Precise<F, direction, Void<typename F::precise>> {
  using type = typename F::precise;
};
template <class F>
struct Precise<F, Direction::forward, Void<typename F::precise_forward>> {
  using type = typename F::precise_forward;
};

#define NUMACT_INDEX(type, ...) index_of_##type,
enum { NUMACT_ELEMENTWISE(NUMACT_INDEX) NUMACT_GATED(NUMACT_INDEX) };

#define NUMACT_DIRECTION(F, A32, A64, inputs, parameters, direction)                                         \
  elementwise<F, A32, direction, float, float, inputs, parameters>(index_of_##F, Tier::standard),            \
      elementwise<F, A64, direction, double, double, inputs, parameters>(index_of_##F, Tier::standard),      \
      elementwise<F, Precise<F, direction>::type, direction, float, double, inputs, parameters>(index_of_##F, Tier::precise),

#define NUMACT_KERNELS(F, name, forward32, backward32, forward64, backward64, cost, parameters, ...) \
  NUMACT_DIRECTION(F, forward32, forward64, 1, parameters, Direction::forward)           \
  NUMACT_DIRECTION(F, backward32, backward64, 1, parameters, Direction::backward)         \
  NUMACT_DIRECTION(F, backward32, backward64, 1, parameters, Direction::backward_from_output)
#define NUMACT_GATED_KERNELS(F, name, forward32, backward32, forward64, backward64, cost) \
  NUMACT_DIRECTION(F, forward32, forward64, 2, 0, Direction::forward)         \
  NUMACT_DIRECTION(F, backward32, backward64, 2, 0, Direction::backward)
constexpr ElementwiseKernel elementwise_kernels[] = {NUMACT_ELEMENTWISE(NUMACT_KERNELS)
                                                         NUMACT_GATED(NUMACT_GATED_KERNELS)};

#define NUMACT_PARAMETER_KERNELS(F, name, forward32, backward32, forward64, backward64, cost, parameters, ...)                       \
  parameter_gradient<F, backward32, Wide, float, float>(index_of_##F, Tier::standard),                               \
      parameter_gradient<F, backward64, Paired, double, double>(index_of_##F, Tier::standard),                             \
      parameter_gradient<F, Portable, Portable, float, double>(index_of_##F, Tier::precise),
constexpr ParameterGradientKernel parameter_gradient_kernels[] = {NUMACT_ELEMENTWISE(NUMACT_PARAMETER_KERNELS)};

#define NUMACT_ROWS_DIRECTION(F, A32, name, direction, negated)              \
  RowLoops<F, A32>::kernel(name, direction, Tier::standard, negated),        \
      RowLoops<F, Double>::kernel(name, direction, Tier::standard, negated), \
      RowLoops<F, Portable>::kernel(name, direction, Tier::precise, negated),
// Which operands are negated, as bits, of forward, backward and backward from the output.
#define NUMACT_ROWS_KERNELS(F, name, negated, negated_back, negated_from_output)    \
  NUMACT_ROWS_DIRECTION(F::Forward, Single, name, Direction::forward, negated)      \
  NUMACT_ROWS_DIRECTION(F::Backward, DeepSingle, name, Direction::backward, negated_back) \
  NUMACT_ROWS_DIRECTION(F::BackwardFromOutput, Single, name, Direction::backward_from_output, negated_from_output)
constexpr RowsKernel rows_kernels[] = {NUMACT_ROWS_KERNELS(Softmax, "softmax", 0, 0, 0)
                                           NUMACT_ROWS_KERNELS(LogSoftmax, "log_softmax", 0, 0, 0)
                                               NUMACT_ROWS_KERNELS(Softmax, "softmin", 1, 3, 1)};

#define NUMACT_SLOPE_KERNELS(F, name, forward32, backward32, forward64, backward64, cost, parameters, ...)                      \
  elementwise<F, forward32, Direction::forward_with_slope, float, float, 1, parameters>(index_of_##F, Tier::standard),       \
      elementwise<F, forward64, Direction::forward_with_slope, double, double, 1, parameters>(index_of_##F, Tier::standard),
constexpr ElementwiseKernel slope_kernels[] = {NUMACT_ELEMENTWISE(NUMACT_SLOPE_KERNELS)};

template <class A, Direction direction, class T, int arrays, int outputs>
constexpr ElementwiseKernel crelu = {
    index_of_Relu, direction, Tier::standard, type_of<T>, type_of<T>, arrays, 0, outputs,
    Elementwise<Crelu, A, direction, T, T, arrays, 0, outputs>::template row<true>, nullptr};
#define NUMACT_CRELU(A, T)                                                                \
  crelu<A, Direction::forward, T, 1, 2>, crelu<A, Direction::backward, T, 3, 1>, \
      crelu<A, Direction::backward_from_output, T, 4, 1>
constexpr ElementwiseKernel crelu_kernels[] = {NUMACT_CRELU(Single, float), NUMACT_CRELU(Wide, double)};

template <class T, int n>
constexpr int count(const T (&)[n]) {
  return n;
}

}  // namespace

extern const Table NUMACT_LEVEL_TABLE;
const Table NUMACT_LEVEL_TABLE = {NUMACT_LEVEL_NAME,
                                  elementwise_kernels,
                                  count(elementwise_kernels),
                                  parameter_gradient_kernels,
                                  count(parameter_gradient_kernels),
                                  rows_kernels,
                                  count(rows_kernels),
                                  crelu_kernels,
                                  count(crelu_kernels),
                                  slope_kernels,
                                  count(slope_kernels),
                                  {ElementwiseWalker<float, float>::walk, ElementwiseWalker<double, double>::walk,
                                   ElementwiseWalker<Half, float>::walk, ElementwiseWalker<Bfloat16, float>::walk},
                                  {parameter_gradient_walk<float, float>, parameter_gradient_walk<double, double>,
                                   parameter_gradient_walk<Half, float>, parameter_gradient_walk<Bfloat16, float>},
                                  {RowsWalker<float, float>::walk, RowsWalker<double, double>::walk,
                                   RowsWalker<Half, float>::walk, RowsWalker<Bfloat16, float>::walk},
                                  {RowsWalker<float, float>::part, RowsWalker<double, double>::part,
                                   RowsWalker<Half, float>::part, RowsWalker<Bfloat16, float>::part},
                                  {Maxout<float, float>::forward, Maxout<double, double>::forward,
                                   Maxout<Half, float>::forward, Maxout<Bfloat16, float>::forward},
                                  {Maxout<float, float>::backward, Maxout<double, double>::backward,
                                   Maxout<Half, float>::backward, Maxout<Bfloat16, float>::backward},
                                  {StatsWalker<float, float>::walk, StatsWalker<double, double>::walk,
                                   StatsWalker<Half, float>::walk, StatsWalker<Bfloat16, float>::walk},
                                  finish_stats,
                                  cross_entropy_row<float>,
                                  cross_entropy_row<double>,
                                  add_bias_loop<float>,
                                  add_bias_loop<double>,
                                  sgd_row<float>,
                                  sgd_row<double>,
                                  SgdHalf<Half>::row,
                                  SgdHalf<Bfloat16>::row,
                                  square_sum<float>,
                                  square_sum<double>,
                                  SgdHalf<Half>::add_squares,
                                  SgdHalf<Bfloat16>::add_squares};

}  // namespace numact

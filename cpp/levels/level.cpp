// Compiled once per ISA level, with that level's flags. Everything but the table is in anonymous namespaces: code of one
// level must never be picked by the linker for another.
#include "../activations/elu.hpp"
#include "../activations/leaky_relu.hpp"
#include "../activations/relu.hpp"
#include "../activations/sigmoid.hpp"
#include "../activations/swish.hpp"
#include "../activations/tanh.hpp"
#include "../catalogue.hpp"
#include "../kernels/elementwise.hpp"
#include "../kernels/maxout.hpp"
#include "../kernels/sgd.hpp"

namespace numact {
namespace {

template <class T>
constexpr Type type_of = sizeof(T) == sizeof(float) ? Type::float32 : Type::float64;

template <class F>
constexpr auto has_from_output(int) -> decltype(&F::template backward_from_output<Wide, double>, true) {
  return true;
}
template <class F>
constexpr bool has_from_output(...) {
  return false;
}
template <class F>
constexpr auto has_parameter_gradient(int) -> decltype(&F::template parameter_term<Wide, double>, true) {
  return true;
}
template <class F>
constexpr bool has_parameter_gradient(...) {
  return false;
}

// A record's kernels that do not exist have no run.
template <class F, class A, Direction direction, class T, class P, int parameters>
constexpr ElementwiseKernel elementwise(int record, Tier tier) {
  constexpr int arrays = direction == Direction::forward ? 1 : 2;
  ElementwiseRun run = nullptr;
  if constexpr (direction != Direction::backward_from_output || has_from_output<F>(0))
    run = Elementwise<F, A, direction, T, P, arrays, parameters>::run;
  return {record, direction, tier, type_of<T>, type_of<P>, arrays, parameters, run};
}
template <class F, class A, class B, class T, class P>
constexpr ParameterGradientKernel parameter_gradient(int record, Tier tier) {
  ParameterGradientRun run = nullptr;
  if constexpr (has_parameter_gradient<F>(0)) run = ParameterGradient<F, A, B, T, P>::run;
  return {record, tier, type_of<T>, type_of<P>, run};
}

#define NUMACT_INDEX(type, ...) index_of_##type,
enum { NUMACT_ELEMENTWISE(NUMACT_INDEX) };

#define NUMACT_DIRECTION(F, A32, A64, parameters, direction)                                                 \
  elementwise<F, A32, direction, float, float, parameters>(index_of_##F, Tier::standard),                    \
      elementwise<F, A64, direction, double, double, parameters>(index_of_##F, Tier::standard),              \
      elementwise<F, Portable, direction, float, double, parameters>(index_of_##F, Tier::precise),

#define NUMACT_KERNELS(F, name, forward32, backward32, any64, cost, parameters, ...)     \
  NUMACT_DIRECTION(F, forward32, any64, parameters, Direction::forward)                  \
  NUMACT_DIRECTION(F, backward32, any64, parameters, Direction::backward)                \
  NUMACT_DIRECTION(F, backward32, any64, parameters, Direction::backward_from_output)
constexpr ElementwiseKernel elementwise_kernels[] = {NUMACT_ELEMENTWISE(NUMACT_KERNELS)};

#define NUMACT_PARAMETER_KERNELS(F, name, forward32, backward32, any64, cost, parameters, ...)                       \
  parameter_gradient<F, backward32, Wide, float, float>(index_of_##F, Tier::standard),                               \
      parameter_gradient<F, any64, Double, double, double>(index_of_##F, Tier::standard),                             \
      parameter_gradient<F, Portable, Portable, float, double>(index_of_##F, Tier::precise),
constexpr ParameterGradientKernel parameter_gradient_kernels[] = {NUMACT_ELEMENTWISE(NUMACT_PARAMETER_KERNELS)};

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
                                  Maxout<float>::forward,
                                  Maxout<double>::forward,
                                  Maxout<float>::backward,
                                  Maxout<double>::backward,
                                  sgd_row<float>,
                                  sgd_row<double>,
                                  square_sum<float>,
                                  square_sum<double>};

}  // namespace numact

// The catalogue as data.
#pragma once
#include <algorithm>
#include <stdexcept>
#include <string>

#include "../catalogue.hpp"
#include "../levels/table.hpp"

namespace numact {

#define NUMACT_RECORD(type, name, forward32, backward32, forward64, backward64, cost, parameters, ...) \
  {name, cost, 1, parameters, __VA_ARGS__},
#define NUMACT_GATED_RECORD(type, name, forward32, backward32, forward64, backward64, cost) {name, cost, 2, 0, {}},
inline constexpr Record elementwise_records[] = {NUMACT_ELEMENTWISE(NUMACT_RECORD) NUMACT_GATED(NUMACT_GATED_RECORD)};
#undef NUMACT_RECORD
#undef NUMACT_GATED_RECORD

// What is not elementwise.
struct OtherRecord {
  const char *name, *kind;
  int parameters;
  ParameterRecord parameter[most_parameters];
};
#define NUMACT_ROW_RECORD(name, kind) {name, kind, 0, {}},
#define NUMACT_COMPOSED_RECORD(name, kind, parameters, ...) {name, kind, parameters, __VA_ARGS__},
inline constexpr OtherRecord other_records[] = {NUMACT_ROWS(NUMACT_ROW_RECORD)
                                                    NUMACT_COMPOSED(NUMACT_COMPOSED_RECORD)};
#undef NUMACT_ROW_RECORD
#undef NUMACT_COMPOSED_RECORD

// What a function's name adds to that of its activation.
inline const char* suffix(Direction direction) {
  switch (direction) {
    case Direction::backward: return "_backward";
    case Direction::backward_from_output: return "_backward_from_output";
    default: return "";
  }
}

// The kernel for data of one type among those that `is_wanted` names. float32 has one in each tier; the others of the precise
// tier are the standard ones.
template <class Kernel, class Wanted>
const Kernel& find_kernel(const Kernel* kernels, int count, bool precise, Type data, const Wanted& is_wanted) {
  const Type computed = data == Type::float64 ? Type::float64 : Type::float32;
  const Tier tier = precise && data == Type::float32 ? Tier::precise : Tier::standard;
  for (const Kernel* kernel = kernels; kernel < kernels + count; ++kernel)
    if (kernel->computed == computed && kernel->tier == tier && is_wanted(*kernel)) return *kernel;
  throw std::runtime_error("numact: a kernel is missing");
}

// Rough nanoseconds per element of a kernel.
inline double cost(const ElementwiseKernel& kernel) {
  double ns = elementwise_records[kernel.record].cost;  // of forward in float32
  if (kernel.direction == Direction::backward) ns *= 1.3;
  if (kernel.direction == Direction::forward_with_slope) ns *= 1.5;
  if (kernel.direction == Direction::backward_from_output) ns = std::max(0.15, 0.4 * ns);  // most need no exponential
  return ns * (kernel.computed == Type::float64 ? 3 : 1) * (kernel.tier == Tier::precise ? 2.5 : 1);
}

// One of the levels this CPU can run.
inline const Table& level_table(const std::string& name) {
  for (int i = 0; i < levels().count; ++i)
    if (name == levels().supported[i]->name) return *levels().supported[i];
  throw std::invalid_argument("unknown ISA level '" + name + "'");
}

}  // namespace numact

// The catalogue as data.
#pragma once
#include <stdexcept>
#include <string>

#include "../catalogue.hpp"
#include "../levels/table.hpp"

namespace numact {

#define NUMACT_RECORD(type, name, forward32, backward32, any64, cost, parameters, ...) \
  {name, cost, parameters, __VA_ARGS__},
inline constexpr Record elementwise_records[] = {NUMACT_ELEMENTWISE(NUMACT_RECORD)};
#undef NUMACT_RECORD

#define NUMACT_ROW_NAME(name) name,
inline constexpr const char* row_names[] = {NUMACT_ROWS(NUMACT_ROW_NAME)};
#undef NUMACT_ROW_NAME

// One of the levels this CPU can run.
inline const Table& level_table(const std::string& name) {
  for (int i = 0; i < levels().count; ++i)
    if (name == levels().supported[i]->name) return *levels().supported[i];
  throw std::invalid_argument("unknown ISA level '" + name + "'");
}

}  // namespace numact

// The catalogue as data.
#pragma once
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

inline const Table* find_level(const char* name) {
  for (int i = 0; i < levels().count; ++i)
    if (__builtin_strcmp(levels().supported[i]->name, name) == 0) return levels().supported[i];
  return nullptr;
}

}  // namespace numact

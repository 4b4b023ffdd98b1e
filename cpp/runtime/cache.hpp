// The size of the last-level cache.
#pragma once
#include <cstddef>

namespace numact {

// In bytes, of what the first CPU sees; a guess where the system does not tell.
std::ptrdiff_t last_level_cache();

}  // namespace numact

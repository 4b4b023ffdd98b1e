// Memory that kernels work in.
#pragma once

namespace numact {

// room_size bytes (kernels/kernel.hpp) of this thread, aligned to cache lines, the same at each call.
void* room();

}  // namespace numact

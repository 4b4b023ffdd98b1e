#include "room.hpp"

#include <cstdlib>
#include <exception>
#include <memory>

#include "../kernels/kernel.hpp"

namespace numact {
namespace {

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

// In the middle of a page: large arrays begin with one, and addresses a multiple of its size apart hinder each other.
void* first_room() {
  constexpr std::size_t page = 1 << 12;
  thread_local const std::unique_ptr<void, Free> owned(std::aligned_alloc(page, room_size + page));
  if (owned == nullptr) std::terminate();  // half a megabyte; a task may not throw
  return static_cast<char*>(owned.get()) + page / 2;
}

}  // namespace

void* room() {
  thread_local void* known = nullptr;  // no initialiser to look after at each call
  if (known == nullptr) known = first_room();
  return known;
}

}  // namespace numact

// NumPy gives a loop no data of its own, so each has a C function of its own that knows its place in an array.
#pragma once
#include <array>
#include <stdexcept>
#include <utility>

#include "numpy_api.hpp"

namespace numact {

template <class Loop, size_t most, int (*run)(const Loop&, char* const* data, const npy_intp* dimensions, const npy_intp* strides)>
class NumberedLoops {
 public:
  // Where the loop stands, entered or found: the same kernel and walk are the same loop.
  static size_t place_of(const Loop& loop) {
    for (size_t place = 0; place < used; ++place)
      if (loops[place].kernel == loop.kernel && loops[place].walk == loop.walk) return place;
    if (used == most) throw std::runtime_error("numact: too many loops");
    loops[used] = loop;
    return used++;
  }
  static const Loop& at(size_t place) { return loops[place]; }
  static void* function(size_t place) { return reinterpret_cast<void*>(functions[place]); }

 private:
  template <size_t place>
  static int call(PyArrayMethod_Context*, char* const* data, const npy_intp* dimensions, const npy_intp* strides,
                  NpyAuxData*) {
    return run(loops[place], data, dimensions, strides);
  }
  template <size_t... place>
  static constexpr std::array<PyArrayMethod_StridedLoop*, most> all(std::index_sequence<place...>) {
    return {{call<place>...}};
  }

  static inline std::array<Loop, most> loops;
  static inline size_t used = 0;
  static constexpr std::array<PyArrayMethod_StridedLoop*, most> functions = all(std::make_index_sequence<most>{});
};

}  // namespace numact

// Copies of memory for the benchmarks: what any function of an array must at least cost.
#include "numpy_api.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "../runtime/threads.hpp"
#include "gil.hpp"
#include "register.hpp"

namespace py = pybind11;
namespace threads = numact::threads;

namespace {

constexpr std::ptrdiff_t line = 64;

struct Copy {
  const char* source;
  char* target;
  std::ptrdiff_t bytes, chunk;
  bool streaming;
};

// Bytes up to the next multiple of a line go the plain way, as does what is left at the end.
void copy_chunk(void* argument, std::ptrdiff_t index) {
  const Copy& copy = *static_cast<const Copy*>(argument);
  const std::ptrdiff_t begin = index * copy.chunk;
  const std::ptrdiff_t bytes = std::min(copy.chunk, copy.bytes - begin);
  const char* source = copy.source + begin;
  char* target = copy.target + begin;
  std::ptrdiff_t done = 0;
#if defined(__SSE2__)
  const auto vector = [](auto* pointer) { return reinterpret_cast<__m128i*>(const_cast<char*>(pointer)); };
  constexpr std::ptrdiff_t width = sizeof(__m128i);
  done = std::min(bytes, (line - reinterpret_cast<std::intptr_t>(target) % line) % line);
  std::memcpy(target, source, static_cast<std::size_t>(done));
  const auto lines = [&](const auto& store) {
    for (; done + line <= bytes; done += line)
      for (std::ptrdiff_t i = 0; i < line; i += width)
        store(vector(target + done + i), _mm_loadu_si128(vector(source + done + i)));
  };
  if (copy.streaming) {
    lines([](__m128i* to, __m128i value) { _mm_stream_si128(to, value); });
    _mm_sfence();
  } else {
    lines([](__m128i* to, __m128i value) { _mm_store_si128(to, value); });
  }
#endif
  std::memcpy(target + done, source + done, static_cast<std::size_t>(bytes - done));
}

PyArrayObject* contiguous(const py::object& object) {
  if (!PyArray_Check(object.ptr())) throw py::type_error("source and target must be arrays");
  auto* array = reinterpret_cast<PyArrayObject*>(object.ptr());
  if (!PyArray_IS_C_CONTIGUOUS(array)) throw py::value_error("source and target must be contiguous");
  return array;
}

void copy(const py::object& source, const py::object& target, bool streaming, int number) {
  PyArrayObject* const from = contiguous(source);
  PyArrayObject* const to = contiguous(target);
  const std::ptrdiff_t bytes = PyArray_NBYTES(from);
  if (bytes != PyArray_NBYTES(to)) throw py::value_error("source and target must have the same number of bytes");
  if (PyArray_FailUnlessWriteable(to, "target") < 0) throw py::error_already_set();
  if (number < 1) throw py::value_error("threads must be at least 1");
  // Equal parts of whole lines, one for each thread.
  const std::ptrdiff_t lines = (bytes + line - 1) / line;
  const std::ptrdiff_t chunk = std::max<std::ptrdiff_t>((lines + number - 1) / number, 1) * line;
  Copy job{PyArray_BYTES(from), PyArray_BYTES(to), bytes, chunk, streaming};
  const numact::WithoutGil released;
  threads::run((bytes + chunk - 1) / chunk, number, copy_chunk, &job);
}

}  // namespace

void numact::register_limits(py::module_& m) {
  m.def("copy", copy, py::arg("source"), py::arg("target"), py::arg("streaming"), py::arg("threads"),
        "Copies bytes with plain stores, or with streaming ones (x86-64) that go past the caches.");
}

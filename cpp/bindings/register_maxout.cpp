// Maxout over arrays of any strides. The Python side has checked shapes and dtypes and split off the axis of the pieces.
#include "numpy_api.hpp"

#include <algorithm>
#include <memory>
#include <string>

#include "../runtime/threads.hpp"
#include "records.hpp"
#include "register.hpp"

namespace py = pybind11;

namespace numact {
namespace {

using threads::chunk_length;

constexpr double cost_per_piece = 0.3;  // rough nanoseconds, decides when threads pay

// Calls row(pointers, strides, n) for every run of elements of the three arrays, long runs in parallel.
template <class Row>
struct Runs {
  const Row& row;
  char* const* pointers;
  const npy_intp* strides;
  npy_intp n;

  static void chunk(void* argument, ptrdiff_t index) {
    const Runs& runs = *static_cast<const Runs*>(argument);
    const npy_intp begin = index * chunk_length;
    char* moved[3];
    for (int i = 0; i < 3; ++i) moved[i] = runs.pointers[i] + begin * runs.strides[i];
    runs.row(moved, runs.strides, std::min<npy_intp>(chunk_length, runs.n - begin));
  }
};

template <class Row>
void walk(PyObject* const (&arrays)[3], const bool (&written)[3], int pieces, const Row& row) {
  PyArrayObject* operands[3];
  npy_uint32 flags[3];
  for (int i = 0; i < 3; ++i) {
    operands[i] = reinterpret_cast<PyArrayObject*>(arrays[i]);
    flags[i] = written[i] ? NPY_ITER_WRITEONLY | NPY_ITER_NO_BROADCAST : NPY_ITER_READONLY;
  }
  const auto release = [](NpyIter* iterator) { NpyIter_Deallocate(iterator); };
  const std::unique_ptr<NpyIter, decltype(release)> iterator(
      NpyIter_MultiNew(3, operands, NPY_ITER_EXTERNAL_LOOP | NPY_ITER_ZEROSIZE_OK, NPY_KEEPORDER, NPY_NO_CASTING, flags,
                       nullptr),
      release);
  if (!iterator) throw py::error_already_set();
  if (NpyIter_GetIterSize(iterator.get()) == 0) return;
  NpyIter_IterNextFunc* const next = NpyIter_GetIterNext(iterator.get(), nullptr);
  char** const pointers = NpyIter_GetDataPtrArray(iterator.get());
  const npy_intp* const strides = NpyIter_GetInnerStrideArray(iterator.get());
  const npy_intp* const inner = NpyIter_GetInnerLoopSizePtr(iterator.get());
  const py::gil_scoped_release released;
  do {
    Runs<Row> runs{row, pointers, strides, *inner};
    threads::run((*inner + chunk_length - 1) / chunk_length,
                 threads::worthwhile(double(*inner) * pieces * cost_per_piece), Runs<Row>::chunk, &runs);
  } while (next(iterator.get()));
}

int type_index(const py::object& array) {
  const std::optional<Type> type = type_of(reinterpret_cast<PyArrayObject*>(array.ptr()));
  if (!type) throw py::type_error("arrays of floating-point numbers are needed");
  return static_cast<int>(*type);
}

// x: the first piece; the others lie piece_stride bytes further each.
void maxout(const std::string& level, const py::object& x, ptrdiff_t piece_stride, int pieces, const py::object& y,
            const py::object& which) {
  const auto kernel = level_table(level).maxout[type_index(x)];
  walk({x.ptr(), y.ptr(), which.ptr()}, {false, true, true}, pieces,
       [&](char* const* p, const npy_intp* s, npy_intp n) {
         kernel({p[0], s[0], piece_stride, pieces, p[1], s[1], p[2], s[2]}, n);
       });
}

void maxout_backward(const std::string& level, const py::object& dy, const py::object& which, int pieces,
                     const py::object& dx, ptrdiff_t piece_stride) {
  const auto kernel = level_table(level).maxout_backward[type_index(dy)];
  walk({dy.ptr(), which.ptr(), dx.ptr()}, {false, false, true}, pieces,
       [&](char* const* p, const npy_intp* s, npy_intp n) {
         kernel({p[0], s[0], p[1], s[1], pieces, p[2], s[2], piece_stride}, n);
       });
}

}  // namespace

void register_maxout(py::module_& m) {
  m.def("maxout", maxout, py::arg("level"), py::arg("x"), py::arg("piece_stride"), py::arg("pieces"), py::arg("y"),
        py::arg("which"), "Writes the maximum over the pieces and which piece attains it.");
  m.def("maxout_backward", maxout_backward, py::arg("level"), py::arg("dy"), py::arg("which"), py::arg("pieces"),
        py::arg("dx"), py::arg("piece_stride"), "Writes dy to the piece that was taken, 0 to the others.");
}

}  // namespace numact

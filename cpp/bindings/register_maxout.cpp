// Maxout over arrays of any strides. The Python side has checked shapes and dtypes and split off the axis of the pieces.
#include "numpy_api.hpp"

#include <string>

#include "grid_parts.hpp"
#include "records.hpp"
#include "register.hpp"

namespace py = pybind11;

namespace numact {
namespace {

constexpr double cost_per_piece = 0.3;  // rough nanoseconds, decides when threads pay

// Calls run(pointers, n, rows) for parts of three arrays.
template <class Run>
void walk(Grid& grid, PyObject* const (&arrays)[3], int pieces, const Run& run) {
  Operand operands[3];
  for (int i = 0; i < 3; ++i) operands[i] = Operand(reinterpret_cast<PyArrayObject*>(arrays[i]));
  if (!grid.place(operands, 3)) throw py::value_error("maxout: more than 16 axes");
  if (grid.elements() == 0) return;
  grid.merge();
  const py::gil_scoped_release released;
  run_grid(grid, pieces * cost_per_piece, run);
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
  Grid grid;
  const ptrdiff_t(&step)[Grid::most_axes][Grid::most_arrays] = grid.stride;
  walk(grid, {x.ptr(), y.ptr(), which.ptr()}, pieces, [&](char* const* p, ptrdiff_t n, ptrdiff_t rows) {
    const auto block = [&](int i) { return Block{step[0][i], n, rows == 1 ? 0 : step[1][i], rows}; };
    kernel({p[0], block(0), piece_stride, pieces, p[1], block(1), p[2], block(2)});
  });
}

void maxout_backward(const std::string& level, const py::object& dy, const py::object& which, int pieces,
                     const py::object& dx, ptrdiff_t piece_stride) {
  const auto kernel = level_table(level).maxout_backward[type_index(dy)];
  Grid grid;
  const ptrdiff_t(&step)[Grid::most_axes][Grid::most_arrays] = grid.stride;
  walk(grid, {dy.ptr(), which.ptr(), dx.ptr()}, pieces, [&](char* const* p, ptrdiff_t n, ptrdiff_t rows) {
    const auto block = [&](int i) { return Block{step[0][i], n, rows == 1 ? 0 : step[1][i], rows}; };
    kernel({p[0], block(0), p[1], block(1), pieces, p[2], block(2), piece_stride});
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

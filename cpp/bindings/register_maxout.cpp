// Maxout over arrays of any strides.
#include <algorithm>

#include "direct_call.hpp"
#include "grid_parts.hpp"
#include "records.hpp"
#include "register.hpp"

namespace py = pybind11;

namespace numact {
namespace {

constexpr double cost_per_piece = 0.3;  // rough nanoseconds, decides when threads pay
constexpr long most_pieces = 256;

// Calls run(pointers, n, rows) for parts of three arrays; the rows of array i lie as block(i, n, rows).
template <class Run>
void walk(const Operand (&operands)[3], ptrdiff_t pieces, const Run& run) {
  Grid grid;
  if (!grid.place(operands, 3)) throw py::value_error("maxout: shapes do not match");
  if (grid.elements() == 0) return;
  grid.merge();
  const auto block = [&](int i, ptrdiff_t n, ptrdiff_t rows) {
    return Block{grid.stride[0][i], n, rows == 1 ? 0 : grid.stride[1][i], rows};
  };
  const WithoutGil released(double(grid.elements()) * double(pieces) * cost_per_piece);
  run_grid(grid, double(pieces) * cost_per_piece, [&](char* const* p, ptrdiff_t n, ptrdiff_t rows) {
    run(p, block(0, n, rows), block(1, n, rows), block(2, n, rows));
  });
}

// x, axis, out -> y, which
py::object maxout(const Table& table, PyObject* const* args) {
  PyArrayObject* const x = plain_array(args[0]);
  const std::optional<Type> type = x != nullptr ? type_of(x) : std::nullopt;
  const Outputs outputs(args[2]);
  if (!type || !outputs.alone) return {};
  const int axes = PyArray_NDIM(x), axis = core_axis(args[1], axes);
  if (axis < 0) return {};
  const ptrdiff_t pieces = PyArray_DIM(x, axis), step = PyArray_STRIDE(x, axis);
  if (pieces < 1 || pieces > most_pieces) return {};

  Outer outer;
  const Operand first = outer.without(Operand(x), axis);
  const int types[] = {PyArray_TYPE(x), NPY_UINT8};
  py::object results[2];
  Operand operands[3] = {first};
  for (int k = 0; k < 2; ++k) {
    results[k] = output_array(outputs.given[k], types[k], axes - 1, first.lengths);
    if (!results[k]) return {};
    auto* const array = reinterpret_cast<PyArrayObject*>(results[k].ptr());
    operands[k + 1] = Operand(array);
    if (outputs.given[k] == nullptr) continue;
    if (Extent(array).meets(Extent(x))) return {};
    if (k == 1 && Extent(array).meets(Extent(reinterpret_cast<PyArrayObject*>(results[0].ptr())))) return {};
  }
  const auto kernel = table.maxout[static_cast<int>(*type)];
  walk(operands, pieces, [&](char* const* p, const Block& x_block, const Block& y_block, const Block& which_block) {
    kernel({p[0], x_block, step, int(pieces), p[1], y_block, p[2], which_block});
  });
  return py::make_tuple(returned(std::move(results[0]), outputs.given[0]),
                        returned(std::move(results[1]), outputs.given[1]));
}

// The largest piece that is named.
int largest(const Operand& which) {
  Grid grid;
  grid.place(&which, 1);
  if (grid.elements() == 0) return 0;
  grid.merge();
  const ptrdiff_t n = grid.length[0], stride = grid.stride[0][0], rows = grid.rows();
  uint8_t found = 0;
  for (ptrdiff_t row = 0; row < rows; ++row) {
    char* data;
    grid.row(row, &data);
    const auto* const at = reinterpret_cast<const uint8_t*>(data);
    if (stride == 1) {
#pragma omp simd reduction(max : found)
      for (ptrdiff_t i = 0; i < n; ++i) found = at[i] > found ? at[i] : found;  // of std::max GCC makes no vectors
    } else {
      for (ptrdiff_t i = 0; i < n; ++i) found = std::max(found, at[i * stride]);
    }
  }
  return found;
}

// dy, which, pieces, axis, out -> dx
py::object maxout_backward(const Table& table, PyObject* const* args) {
  PyArrayObject *const dy = plain_array(args[0]), *const which = plain_array(args[1], &PyArray_UByteDType);
  const std::optional<Type> type = dy != nullptr ? type_of(dy) : std::nullopt;
  if (!type || which == nullptr || !PyArray_SAMESHAPE(which, dy) || !PyLong_CheckExact(args[2])) return {};
  int overflow;
  const long pieces = PyLong_AsLongAndOverflow(args[2], &overflow);
  const int axes = PyArray_NDIM(dy) + 1, axis = core_axis(args[3], axes);
  if (overflow != 0 || pieces < 1 || pieces > most_pieces || axis < 0 || axes > NPY_MAXDIMS) return {};
  if (largest(Operand(which)) >= pieces) return {};

  npy_intp lengths[NPY_MAXDIMS];
  std::copy_n(PyArray_DIMS(dy) + axis, axes - 1 - axis, std::copy_n(PyArray_DIMS(dy), axis, lengths) + 1);
  lengths[axis] = pieces;
  PyObject* const given = args[4] == Py_None ? nullptr : args[4];
  py::object result = output_array(given, PyArray_TYPE(dy), axes, lengths);
  if (!result) return {};
  auto* const dx = reinterpret_cast<PyArrayObject*>(result.ptr());
  if (given != nullptr && (Extent(dx).meets(Extent(dy)) || Extent(dx).meets(Extent(which)))) return {};

  Outer outer;
  const ptrdiff_t step = PyArray_STRIDE(dx, axis);
  const auto kernel = table.maxout_backward[static_cast<int>(*type)];
  walk({Operand(dy), Operand(which), outer.without(Operand(dx), axis)}, pieces,
       [&](char* const* p, const Block& dy_block, const Block& which_block, const Block& dx_block) {
         kernel({p[0], dy_block, p[1], which_block, int(pieces), p[2], dx_block, step});
       });
  return result;
}

py::dict make_maxout(const std::string& level) {
  const Table& table = level_table(level);
  py::dict functions;
  functions["maxout"] = make_direct_function("maxout", 3, [&](PyObject* const* args) { return maxout(table, args); });
  functions["maxout_backward"] =
      make_direct_function("maxout_backward", 5, [&](PyObject* const* args) { return maxout_backward(table, args); });
  return functions;
}

}  // namespace

void register_maxout(py::module_& m) {
  m.def("make_maxout", make_maxout, py::arg("level"), "maxout and its gradient at one ISA level, for their front ends.");
}

}  // namespace numact

// rrelu, which is leaky_relu with slopes that are drawn, crelu, which is relu of both signs, and functions with their derivative.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "../lanes/half.hpp"
#include "elementwise_loop.hpp"
#include "register.hpp"

namespace py = pybind11;

namespace numact {
namespace {

constexpr Type all_types[] = {Type::float32, Type::float64, Type::float16, Type::bfloat16};

// The loops of a function by the type of the data.
struct Loops {
  Loop of[type_count];

  const Loop* over(PyArrayObject* data) const {
    const std::optional<Type> type = type_of(data);
    return type ? &of[static_cast<int>(*type)] : nullptr;
  }
};

// ---- rrelu ----

Loops leaky_relu_loops(const Table& table, bool precise, Direction direction) {
  Loops loops;
  for (const Type type : all_types) {
    const ElementwiseKernel& kernel =
        find_kernel(table.elementwise, table.elementwise_count, precise, type, [&](const ElementwiseKernel& each) {
          return std::strcmp(elementwise_records[each.record].name, "leaky_relu") == 0 && each.direction == direction;
        });
    loops.of[static_cast<int>(type)] = Loop::over(table, kernel, type);
  }
  return loops;
}

// A slope rounded once to the type of the data.
struct Slope {
  union {
    double float64;
    float float32;
    Half float16;
    Bfloat16 bfloat16;
  };
  double number;
};

__attribute__((noinline)) void round_slope(double slope, Type type, Slope& rounded) {
  switch (type) {
    case Type::float64: rounded.number = rounded.float64 = slope; return;
    case Type::float32: rounded.number = rounded.float32 = float(slope); return;
    case Type::float16: rounded.number = widened(rounded.float16 = narrowed(rounded_to_odd(slope), Half{})); return;
    case Type::bfloat16: rounded.number = widened(rounded.bfloat16 = narrowed(rounded_to_odd(slope), Bfloat16{})); return;
  }
}

// x, slope, out -> y, slope
py::object rrelu(const Loops& loops, PyObject* const* args) {
  Operand operands[most_operands];
  PyArrayObject* const x = plain_arrays(args, 1, operands);
  const Loop* const loop = x != nullptr ? loops.over(x) : nullptr;
  const Outputs outputs(args[2]);
  if (loop == nullptr || !outputs.alone || !PyFloat_CheckExact(args[1])) return {};

  Slope slope;
  {
    static void (*const volatile round)(double, Type, Slope&) = round_slope;
    const FpScope scope;
    round(PyFloat_AS_DOUBLE(args[1]), *type_of(x), slope);
  }
  const int type = PyArray_TYPE(x);
  py::object slope_result;
  if (PyObject* const given = outputs.given[1]) {
    slope_result = output_array(given, type, 0, nullptr);
    if (!slope_result) return {};
    const Extent place(reinterpret_cast<PyArrayObject*>(given));
    if (place.meets(Extent(x))) return {};
    if (outputs.given[0] != nullptr && PyArray_Check(outputs.given[0]) &&
        place.meets(Extent(reinterpret_cast<PyArrayObject*>(outputs.given[0]))))
      return {};
  }
  Scalar parameter(slope.number);
  operands[1] = parameter.as(loop->kernel->parameter);
  py::object y = compute(*loop, type, operands, outputs.given);
  if (!y) return {};
  if (slope_result)
    std::memcpy(PyArray_DATA(reinterpret_cast<PyArrayObject*>(slope_result.ptr())), &slope, size_t(PyArray_ITEMSIZE(x)));
  else
    slope_result = checked(PyArray_Scalar(&slope, PyArray_DESCR(x), nullptr));
  return py::make_tuple(std::move(y), std::move(slope_result));
}

// dy, x, slope, out -> dx
py::object rrelu_backward(const Loops& loops, PyObject* const* args) {
  Operand operands[most_operands];
  PyArrayObject* const dy = plain_arrays(args, 2, operands);
  const Loop* const loop = dy != nullptr ? loops.over(dy) : nullptr;
  if (loop == nullptr) return {};
  const Type parameter = loop->kernel->parameter;
  Scalar scalar;
  if (double number; is_number(args[2], number)) {
    if (std::isnan(number)) return {};
    scalar = Scalar(number);
    operands[2] = scalar.as(parameter);
  } else if (PyArrayObject* const slope = plain_array(args[2], dtype_of(parameter))) {
    if (is_nan(slope)) return {};
    operands[2] = Operand(slope);
  } else {
    return {};
  }
  PyObject* const given = args[3] == Py_None ? nullptr : args[3];
  return compute(*loop, PyArray_TYPE(dy), operands, &given);
}

py::dict make_rrelu(const std::string& level, bool precise) {
  const Table& table = level_table(level);
  py::dict functions;
  functions["rrelu"] = make_direct_function(
      "rrelu", 3, [loops = leaky_relu_loops(table, precise, Direction::forward)](PyObject* const* args) {
        return rrelu(loops, args);
      });
  functions["rrelu_backward"] = make_direct_function(
      "rrelu_backward", 4, [loops = leaky_relu_loops(table, precise, Direction::backward)](PyObject* const* args) {
        return rrelu_backward(loops, args);
      });
  return functions;
}

// ---- crelu ----

Loops crelu_loops(const Table& table, Direction direction) {
  Loops loops;
  for (const Type type : all_types) {
    const ElementwiseKernel& kernel = find_kernel(table.crelu, table.crelu_count, false, type, [&](const ElementwiseKernel& each) {
      return each.direction == direction;
    });
    loops.of[static_cast<int>(type)] = Loop::over(table, kernel, type);
  }
  return loops;
}

// Both halves of an array along an axis.
struct Halves {
  npy_intp lengths[NPY_MAXDIMS];

  Halves(PyArrayObject* array, int axis, Operand* halves) {
    halves[0] = Operand(array);
    std::copy_n(halves[0].lengths, halves[0].axes, lengths);
    lengths[axis] /= 2;
    halves[0].lengths = lengths;
    halves[1] = halves[0];
    halves[1].data += lengths[axis] * halves[0].strides[axis];
  }
  Halves(const Halves&) = delete;
  Halves& operator=(const Halves&) = delete;
};

// x, axis, out -> y
py::object crelu(const Loops& loops, PyObject* const* args) {
  Operand operands[3];
  PyArrayObject* const x = plain_arrays(args, 1, operands);
  const Loop* const loop = x != nullptr ? loops.over(x) : nullptr;
  if (loop == nullptr) return {};
  const int axes = PyArray_NDIM(x), axis = core_axis(args[1], axes);
  if (axis < 0) return {};
  npy_intp lengths[NPY_MAXDIMS];
  std::copy_n(PyArray_DIMS(x), axes, lengths);
  lengths[axis] *= 2;
  PyObject* const given = args[2] == Py_None ? nullptr : args[2];
  py::object result = output_array(given, PyArray_TYPE(x), axes, lengths);
  if (!result) return {};
  auto* const y = reinterpret_cast<PyArrayObject*>(result.ptr());

  const Halves halves(y, axis, operands + 1);
  Grid grid;
  grid.place(operands, 3);
  grid.merge();
  if (given != nullptr) {
    const Operand all(y);
    Grid whole;
    whole.place(&all, 1);
    whole.merge();
    if (!whole.distinct(0) || !grid.same_or_apart(0, 1) || !grid.same_or_apart(0, 2)) return {};
  }
  run_loop(*loop, grid);
  return result;
}

// (dy, x, axis, out) or, from the output, (dy, y, axis, out) -> dx
py::object crelu_backward(const Loops& loops, bool from_output, PyObject* const* args) {
  Operand operands[most_operands];
  PyArrayObject* const dy = plain_arrays(args, 2, operands);
  const Loop* const loop = dy != nullptr ? loops.over(dy) : nullptr;
  if (loop == nullptr) return {};
  auto* const other = reinterpret_cast<PyArrayObject*>(args[1]);
  const int axes = PyArray_NDIM(other), axis = core_axis(args[2], axes);
  if (axis < 0 || PyArray_NDIM(dy) != axes || PyArray_DIM(dy, axis) % 2 != 0) return {};
  for (int i = 0; i < axes; ++i)
    if (PyArray_DIM(dy, i) != (i == axis && !from_output ? 2 : 1) * PyArray_DIM(other, i)) return {};
  const Halves of_dy(dy, axis, operands);
  operands[2] = Operand(other);
  std::optional<Halves> of_y;
  if (from_output) of_y.emplace(other, axis, operands + 2);
  PyObject* const given = args[3] == Py_None ? nullptr : args[3];
  return compute(*loop, PyArray_TYPE(dy), operands, &given);
}

py::dict make_crelu(const std::string& level) {
  const Table& table = level_table(level);
  py::dict functions;
  functions["crelu"] =
      make_direct_function("crelu", 3, [loops = crelu_loops(table, Direction::forward)](PyObject* const* args) {
        return crelu(loops, args);
      });
  for (const Direction direction : {Direction::backward, Direction::backward_from_output}) {
    const bool from_output = direction == Direction::backward_from_output;
    const char* const name = from_output ? "crelu_backward_from_output" : "crelu_backward";
    functions[name] = make_direct_function(name, 4, [loops = crelu_loops(table, direction), from_output](PyObject* const* args) {
      return crelu_backward(loops, from_output, args);
    });
  }
  return functions;
}

// ---- a function with its derivative ----

// Of an activation without parameters: x, y, slope -> (y, slope), both given. None where no formula shares work between them.
py::object make_forward_with_slope(const std::string& level, const std::string& name) {
  const Table& table = level_table(level);
  Loops loops = {};
  bool found = false;
  for (int k = 0; k < table.with_slope_count; ++k) {
    const ElementwiseKernel& kernel = table.with_slope[k];
    if (!kernel.exists() || elementwise_records[kernel.record].name != name) continue;
    loops.of[static_cast<int>(kernel.computed)] = Loop::over(table, kernel, kernel.computed);
    found = true;
  }
  if (!found) return py::none();
  return make_direct_function("forward_with_slope", 3, [loops](PyObject* const* args) -> py::object {
    Operand operands[3];
    PyArrayObject* const x = plain_arrays(args, 1, operands);
    const Loop* const loop = x != nullptr ? loops.over(x) : nullptr;
    if (loop == nullptr || loop->kernel == nullptr) return {};
    return compute(*loop, PyArray_TYPE(x), operands, args + 1);
  });
}

}  // namespace

void register_composed(py::module_& m) {
  m.def("make_forward_with_slope", make_forward_with_slope, py::arg("level"), py::arg("name"),
        "An activation together with its derivative, for training; None for those without such a kernel.");
  m.def("make_rrelu", make_rrelu, py::arg("level"), py::arg("precise"),
        "rrelu and its gradient of one tier at one ISA level, for their front ends.");
  m.def("make_crelu", make_crelu, py::arg("level"), "crelu and its gradients at one ISA level, for their front ends.");
}

}  // namespace numact

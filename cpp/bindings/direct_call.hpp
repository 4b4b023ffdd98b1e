// Calls without NumPy or Python between a call and its loop: that way takes longer than the loop for a small array, and NumPy
// copies what it cannot walk as one run of elements, or walks it run by run. A function therefore first looks whether its operands
// are plain arrays.
#pragma once
#include "numpy_api.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <type_traits>

#include "../runtime/fp_scope.hpp"
#include "gil.hpp"
#include "grid.hpp"

namespace numact {

// ---- plain arrays ----

// A plain array, native and aligned; nullptr for anything else.
inline PyArrayObject* plain_array(PyObject* object) {
  if (!PyArray_CheckExact(object)) return nullptr;
  auto* const array = reinterpret_cast<PyArrayObject*>(object);
  return PyArray_ISBEHAVED_RO(array) ? array : nullptr;
}
inline PyArrayObject* plain_array(PyObject* object, const PyArray_DTypeMeta* dtype) {
  PyArrayObject* const array = plain_array(object);
  return array != nullptr && NPY_DTYPE(PyArray_DESCR(array)) == dtype ? array : nullptr;
}
// `count` plain arrays of one dtype as operands; returns the first.
inline PyArrayObject* plain_arrays(PyObject* const* objects, int count, Operand* operands) {
  PyArrayObject* const first = plain_array(objects[0]);
  for (int i = 0; i < count && first != nullptr; ++i) {
    PyArrayObject* const array = plain_array(objects[i], NPY_DTYPE(PyArray_DESCR(first)));
    if (array == nullptr) return nullptr;
    operands[i] = Operand(array);
  }
  return first;
}

// The loop for arrays of one dtype, if it was met before; nullptr for anything else.
template <class Function>
std::decay_t<decltype(Function::loops[0])> loop_for(const Function& function, PyObject* const* arrays) {
  const PyArray_DTypeMeta* dtype = nullptr;
  for (int i = 0; i < function.arrays; ++i) {
    if (!PyArray_CheckExact(arrays[i])) return nullptr;
    const PyArray_DTypeMeta* const each = NPY_DTYPE(PyArray_DESCR(reinterpret_cast<PyArrayObject*>(arrays[i])));
    if (i > 0 && each != dtype) return nullptr;
    dtype = each;
  }
  const std::optional<Type> type = dtype == function.bfloat16 ? Type::bfloat16 : type_of(dtype);
  return type ? function.loops[static_cast<int>(*type)] : nullptr;
}

// ---- calls of NumPy ----

// What NumPy makes of a call, its casts as quiet as the loops and in the same floating-point environment.
PyObject* call_numpy(vectorcallfunc call, PyObject* self, PyObject* const* args, size_t nargs, PyObject* keywords);
// The context variable of np.errstate, and its value where all errors are ignored: entering np.errstate would take 2 us.
void set_error_handling(const pybind11::object& variable, const pybind11::object& ignore);

// ---- axes ----

// The axis that the argument, if there is one, names of `axes`; -1 where NumPy or Python shall look at it.
inline int core_axis(PyObject* argument, int axes) {
  if (argument == nullptr) return axes - 1;
  if (!PyLong_CheckExact(argument)) return -1;
  int overflow;
  const long axis = PyLong_AsLongAndOverflow(argument, &overflow);
  if (overflow != 0 || axis < -axes || axis >= axes) return -1;
  return static_cast<int>(axis < 0 ? axis + axes : axis);
}

// An operand without one of its axes.
struct Outer {
  npy_intp lengths[Grid::most_axes], strides[Grid::most_axes];

  Operand without(Operand operand, int axis) {
    const auto remove = [&](const npy_intp* from, npy_intp* to) {
      std::copy(from + axis + 1, from + operand.axes, std::copy_n(from, axis, to));
    };
    remove(operand.lengths, lengths), remove(operand.strides, strides);
    operand.lengths = lengths, operand.strides = strides, --operand.axes;
    return operand;
  }
};

// ---- numbers ----

// The nearest number of another format, also a subnormal one where another library has set flush-to-zero.
template <class To, class From>
__attribute__((noinline)) To plainly_converted(From number) {
  return static_cast<To>(number);
}
template <class To, class From>
To converted(From number) {
  static To (*const volatile convert)(From) = plainly_converted<To, From>;
  const FpScope scope;
  return convert(number);
}

// The number that a Python float, np.float64 or np.float32 is.
inline bool is_number(PyObject* object, double& number) {
  if (PyFloat_Check(object))  // np.float64 is one
    number = PyFloat_AS_DOUBLE(object);
  else if (PyArray_IsScalar(object, Float))
    number = converted<double>(PyArrayScalar_VAL(object, Float));
  else
    return false;
  return true;
}
// Whether an array of float32 or float64 is one number, NaN.
inline bool is_nan(PyArrayObject* array) {
  if (PyArray_NDIM(array) != 0) return false;
  const void* const data = PyArray_DATA(array);
  return PyArray_TYPE(array) == NPY_FLOAT32 ? std::isnan(*static_cast<const float*>(data))
                                            : std::isnan(*static_cast<const double*>(data));
}

// A number as an operand for as long as this lives.
struct Scalar {
  double wide;
  float narrow;

  Scalar() = default;
  explicit Scalar(double number) : wide(number), narrow(converted<float>(number)) {}
  Operand as(Type type) {
    return type == Type::float64 ? Operand(&wide, sizeof wide) : Operand(&narrow, sizeof narrow);
  }
};

// The same as an array: of float64, or of float32.
inline pybind11::object zero_dimensional(Type type, double number) {
  Scalar scalar(number);
  const Operand operand = scalar.as(type);
  pybind11::object array = checked(PyArray_SimpleNew(0, nullptr, type == Type::float64 ? NPY_FLOAT64 : NPY_FLOAT32));
  std::memcpy(PyArray_DATA(reinterpret_cast<PyArrayObject*>(array.ptr())), operand.data, size_t(operand.size));
  return array;
}

// ---- outputs ----

// What a call gives as outputs, nullptr where nothing.
struct Outputs {
  static constexpr int most = 2;
  PyObject* given[most] = {};
  bool alone = true;  // no other keyword, nothing wrong

  // By position: the arguments after the inputs.
  Outputs(int inputs, int outputs, PyObject* const* args, Py_ssize_t nargs) : count_(outputs) {
    const Py_ssize_t positional = nargs - inputs;
    by_position_ = positional > 0;
    alone = positional == 0 || positional == count_;
    for (Py_ssize_t k = 0; k < std::min<Py_ssize_t>(positional, count_); ++k) give(k, args[inputs + k]);
  }
  // Two, as one argument.
  explicit Outputs(PyObject* pair) : count_(2), by_position_(false) {
    if (pair != Py_None) take(pair);
  }
  void keyword(PyObject* name, PyObject* value) {
    if (PyUnicode_CompareWithASCIIString(name, "out") != 0 || by_position_)
      alone = false;
    else
      take(value);
  }

 private:
  int count_;
  bool by_position_;

  void take(PyObject* value) {
    if (PyTuple_CheckExact(value) && PyTuple_GET_SIZE(value) == count_)
      for (Py_ssize_t k = 0; k < count_; ++k) give(k, PyTuple_GET_ITEM(value, k));
    else if (count_ == 1)
      give(0, value);
    else
      alone = false;
  }
  void give(Py_ssize_t k, PyObject* array) { given[k] = array == Py_None ? nullptr : array; }
};

// An array of a NumPy type that can be written to as it is; nullptr for anything else.
inline PyArrayObject* plain_output(PyObject* object, int type) {
  PyArrayObject* const array = plain_array(object);
  return array != nullptr && PyArray_TYPE(array) == type && PyArray_ISWRITEABLE(array) ? array : nullptr;
}
// What is given as an output of that type and shape, if it is a plain array of them; a new array where nothing is.
inline pybind11::object output_array(PyObject* given, int type, int axes, const npy_intp* lengths) {
  if (given == nullptr) return checked(PyArray_EMPTY(axes, lengths, type, 0));
  PyArrayObject* const array = plain_output(given, type);
  if (array == nullptr || PyArray_NDIM(array) != axes || !PyArray_CompareLists(PyArray_DIMS(array), lengths, axes)) return {};
  if (!PyArray_ISONESEGMENT(array)) {
    const Operand operand(array);
    Grid grid;
    grid.place(&operand, 1);
    grid.merge();
    if (!grid.distinct(0)) return {};
  }
  return pybind11::reinterpret_borrow<pybind11::object>(given);
}
// What a call returns of an output: a new array without dimensions becomes a scalar.
inline pybind11::object returned(pybind11::object output, const PyObject* given) {
  if (given != nullptr) return output;
  return checked(PyArray_Return(reinterpret_cast<PyArrayObject*>(output.release().ptr())));
}

// ---- calls ----

// A function of a number of arguments that is no ufunc, for its front end in Python. It returns nothing, for Python None, where an
// argument is not what it can use as it is; then the front end says what is wrong, or mends it and calls again.
using DirectFunction = std::function<pybind11::object(PyObject* const* args)>;
pybind11::object make_direct_function(const char* name, int arguments, DirectFunction function);

}  // namespace numact

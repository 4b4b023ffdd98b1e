// NumPy's C API, one import for the whole module (module.cpp defines NUMACT_IMPORT_NUMPY).
#pragma once
#include <pybind11/pybind11.h>

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL numact_array_api
#define PY_UFUNC_UNIQUE_SYMBOL numact_ufunc_api
#ifndef NUMACT_IMPORT_NUMPY
#define NO_IMPORT_ARRAY
#define NO_IMPORT_UFUNC
#endif
#include <numpy/arrayobject.h>
#include <numpy/arrayscalars.h>
#include <numpy/ufuncobject.h>

#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "../levels/table.hpp"

namespace numact {

// NumPy's own dtypes only: bfloat16 belongs to another package.
inline PyArray_DTypeMeta* dtype_of(Type type) {
  switch (type) {
    case Type::float16: return &PyArray_HalfDType;
    case Type::float32: return &PyArray_FloatDType;
    case Type::float64: return &PyArray_DoubleDType;
    default: return nullptr;
  }
}

// The type that data of a dtype is stored as; a user-defined dtype whose scalars are called bfloat16 is one, whoever brings it.
inline std::optional<Type> type_of(const PyArray_DTypeMeta* dtype) {
  for (const Type type : {Type::float16, Type::float32, Type::float64})
    if (dtype == dtype_of(type)) return type;
  if (!PyTypeNum_ISUSERDEF(dtype->type_num) || dtype->scalar_type == nullptr) return std::nullopt;
  const std::string_view name = dtype->scalar_type->tp_name;
  if (name.substr(name.rfind('.') + 1) == "bfloat16") return Type::bfloat16;
  return std::nullopt;
}
inline std::optional<Type> type_of(PyArrayObject* array) { return type_of(NPY_DTYPE(PyArray_DESCR(array))); }

// The bytes [low, high) that an array's elements lie in.
struct Extent {
  char *low, *high;
  explicit Extent(PyArrayObject* array) : low(PyArray_BYTES(array)), high(low) {
    if (PyArray_SIZE(array) == 0) return;
    high += PyArray_ITEMSIZE(array);
    for (int axis = 0; axis < PyArray_NDIM(array); ++axis) {
      const ptrdiff_t reach = (PyArray_DIM(array, axis) - 1) * PyArray_STRIDE(array, axis);
      (reach < 0 ? low : high) += reach;
    }
  }
  bool empty() const { return low == high; }
  bool meets(const Extent& other) const { return !empty() && !other.empty() && low < other.high && other.low < high; }
};

// A new reference as an object, or the Python error that is set as an exception.
inline pybind11::object checked(PyObject* result) {
  if (result == nullptr) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::object>(result);
}
inline void check(int status) {
  if (status < 0) throw pybind11::error_already_set();
}

inline bool is_masked(PyObject* object) {
  return PyArray_Check(object) && !PyArray_CheckExact(object) && PyObject_HasAttrString(object, "mask") == 1;
}

// What `call` returns; a C++ exception, which CPython must not see, becomes a Python error and `failed`.
template <class Result, class Call>
Result translated(Result failed, const Call& call) {
  try {
    return call();
  } catch (pybind11::error_already_set& error) {
    error.restore();
  } catch (const pybind11::builtin_exception& error) {
    error.set_error();
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return failed;
}

// NumPy and Python keep pointers to names and docstrings for as long as the objects live: for ever.
inline const char* kept(const std::string& text) { return (new std::string(text))->c_str(); }

}  // namespace numact

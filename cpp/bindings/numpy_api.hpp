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
#include <numpy/ufuncobject.h>

namespace numact {

// A new reference as an object, or the Python error that is set as an exception.
inline pybind11::object checked(PyObject* result) {
  if (result == nullptr) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::object>(result);
}
inline void check(int status) {
  if (status < 0) throw pybind11::error_already_set();
}

}  // namespace numact

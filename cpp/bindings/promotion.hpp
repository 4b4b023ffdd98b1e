// Which dtype a ufunc computes in. A ufunc is made without loops; they are added as array methods, and its promoter sends every
// other combination of dtypes to them.
#pragma once
#include <algorithm>

#include "numpy_api.hpp"

namespace numact {

inline bool is_weak(const PyArray_DTypeMeta* dtype) {
  return dtype == &PyArray_PyFloatDType || dtype == &PyArray_PyLongDType;
}

[[noreturn]] inline void refuse(const PyObject* ufunc, PyArray_DTypeMeta* dtype) {
  const PyTypeObject* const scalar = dtype->scalar_type;  // abstract dtypes have none
  PyErr_Format(PyExc_TypeError,
               "%s: no loop for arrays of %s; expected float16, bfloat16, float32, float64, integers or bool (which give "
               "float64)",
               reinterpret_cast<const PyUFuncObject*>(ufunc)->name,
               (scalar != nullptr ? scalar : reinterpret_cast<const PyTypeObject*>(dtype))->tp_name);
  throw pybind11::error_already_set();
}

// dtype= or a signature decides; else the arrays, the first operands, promote together as NumPy does, Python scalars among them
// weak; integers and bool give float64. Refused unless it is a Type, for which `function` then has a loop; those DTypes live for
// ever.
template <class Function>
PyArray_DTypeMeta* data_dtype(PyObject* ufunc, Function& function, PyArray_DTypeMeta* const given[],
                              PyArray_DTypeMeta* const signature[]) {
  const auto borrowed = [](PyArray_DTypeMeta* dtype) {
    return pybind11::reinterpret_borrow<pybind11::object>(reinterpret_cast<PyObject*>(dtype));
  };
  const auto as_dtype = [](const pybind11::object& object) { return reinterpret_cast<PyArray_DTypeMeta*>(object.ptr()); };
  PyArray_DTypeMeta* asked = nullptr;
  for (int i = function.inputs(); i < function.operands() && asked == nullptr; ++i) asked = signature[i];
  pybind11::object common;
  if (asked != nullptr) common = borrowed(asked);
  for (int i = 0; i < function.arrays && asked == nullptr; ++i) {
    PyArray_DTypeMeta* dtype = signature[i] != nullptr ? signature[i] : given[i];
    if (dtype == nullptr) dtype = given[1];  // reduce and accumulate without out: the array is the second operand
    if (is_weak(dtype)) continue;
    if (!common) {
      common = borrowed(dtype);
    } else {
      common = checked(reinterpret_cast<PyObject*>(PyArray_CommonDType(as_dtype(common), dtype)));
    }
  }
  if (!common) common = borrowed(&PyArray_DoubleDType);
  const int number = as_dtype(common)->type_num;
  if (asked == nullptr && (PyTypeNum_ISINTEGER(number) || PyTypeNum_ISBOOL(number))) common = borrowed(&PyArray_DoubleDType);
  PyArray_DTypeMeta* const data = as_dtype(common);
  const std::optional<Type> type = type_of(data);
  if (!type) refuse(ufunc, data);
  if (*type == Type::bfloat16 && function.bfloat16 != data) {
    add_loop(ufunc, function, *type, data);
    function.bfloat16 = data;
  }
  return data;
}

// Hands the promoter's answer to NumPy, which gives up where it repeats the question, as it does when the loop that was asked for
// is new: then an output is left open, which the loop decides.
inline int answered(PyArray_DTypeMeta* const given[], PyArray_DTypeMeta* result[], int operands) {
  if (std::equal(result, result + operands, given)) result[operands - 1] = nullptr;
  for (int i = 0; i < operands; ++i) Py_XINCREF(result[i]);
  return 0;
}

inline void add_promoter(const pybind11::object& ufunc, PyArrayMethod_PromoterFunction* promoter, int operands) {
  pybind11::tuple dtypes(static_cast<size_t>(operands));
  for (size_t i = 0; i < dtypes.size(); ++i) dtypes[i] = pybind11::none();
  const pybind11::object capsule =
      checked(PyCapsule_New(reinterpret_cast<void*>(promoter), "numpy._ufunc_promoter", nullptr));
  check(PyUFunc_AddPromoter(ufunc.ptr(), dtypes.ptr(), capsule.ptr()));
}

}  // namespace numact

#include "direct_call.hpp"

namespace py = pybind11;

namespace numact {
namespace {

struct Direct {
  PyMethodDef definition;
  int arguments;
  DirectFunction function;
};

// NumPy's context variable of np.errstate, and its value where all errors are ignored. Kept for ever.
PyObject *error_handling = nullptr, *ignoring = nullptr;

PyObject* call(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  return translated<PyObject*>(nullptr, [&] {
    const Direct& direct = *static_cast<const Direct*>(PyCapsule_GetPointer(self, nullptr));
    if (nargs != direct.arguments)
      throw py::value_error(std::string(direct.definition.ml_name) + ": wrong number of arguments");
    py::object result = direct.function(args);
    return (result ? std::move(result) : py::none()).release().ptr();
  });
}

// Whether NumPy hands a call with this argument to the argument's class.
bool is_handed_over(PyObject* argument) {
  if (PyArray_CheckExact(argument) || PyArray_IsPythonNumber(argument) || PyArray_IsScalar(argument, Generic)) return false;
  if (PyTuple_CheckExact(argument)) {  // outputs
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(argument); ++k)
      if (is_handed_over(PyTuple_GET_ITEM(argument, k))) return true;
    return false;
  }
  const auto method = [](PyTypeObject* type) {
    PyObject* const found = PyObject_GetAttrString(reinterpret_cast<PyObject*>(type), "__array_ufunc__");
    if (found == nullptr) PyErr_Clear();
    return py::reinterpret_steal<py::object>(found);
  };
  const py::object found = method(Py_TYPE(argument));
  return found && found.ptr() != method(&PyArray_Type).ptr();
}

}  // namespace

PyObject* call_numpy(vectorcallfunc call, PyObject* self, PyObject* const* args, size_t nargs, PyObject* keywords) {
  const Py_ssize_t count = PyVectorcall_NARGS(nargs) + (keywords != nullptr ? PyTuple_GET_SIZE(keywords) : 0);
  if (std::any_of(args, args + count, is_handed_over)) return call(self, args, nargs, keywords);  // its errors are the caller's
  const FpScope scope;
  const py::object before = checked(PyContextVar_Set(error_handling, ignoring));
  PyObject* const result = call(self, args, nargs, keywords);
  const py::error_scope kept;
  check(PyContextVar_Reset(error_handling, before.ptr()));
  return result;
}

void set_error_handling(const py::object& variable, const py::object& ignore) {
  if (!PyContextVar_CheckExact(variable.ptr())) throw py::type_error("a ContextVar is needed");
  error_handling = variable.inc_ref().ptr(), ignoring = ignore.inc_ref().ptr();
}

py::object make_direct_function(const char* name, int arguments, DirectFunction function) {
  auto* const direct = new Direct{{name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(call)), METH_FASTCALL, nullptr},
                                  arguments,
                                  std::move(function)};  // lives for ever, as the front ends do
  const py::object self = checked(PyCapsule_New(direct, nullptr, nullptr));
  return checked(PyCFunction_NewEx(&direct->definition, self.ptr(), nullptr));
}

}  // namespace numact

#include "direct_call.hpp"

namespace py = pybind11;

namespace numact {
namespace {

struct Direct {
  PyMethodDef definition;
  int arguments;
  DirectFunction function;
};

PyObject* call(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  return translated<PyObject*>(nullptr, [&] {
    const Direct& direct = *static_cast<const Direct*>(PyCapsule_GetPointer(self, nullptr));
    if (nargs != direct.arguments)
      throw py::value_error(std::string(direct.definition.ml_name) + ": wrong number of arguments");
    py::object result = direct.function(args);
    return (result ? std::move(result) : py::none()).release().ptr();
  });
}

}  // namespace

PyObject* call_numpy(vectorcallfunc call, PyObject* self, PyObject* const* args, size_t nargs, PyObject* keywords) {
  const FpScope scope;
  const py::object quiet = py::module_::import("numpy").attr("errstate")(py::arg("all") = "ignore");
  quiet.attr("__enter__")();
  PyObject* const result = call(self, args, nargs, keywords);
  const py::error_scope kept;
  quiet.attr("__exit__")(py::none(), py::none(), py::none());
  return result;
}

py::object make_direct_function(const char* name, int arguments, DirectFunction function) {
  auto* const direct = new Direct{{name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(call)), METH_FASTCALL, nullptr},
                                  arguments,
                                  std::move(function)};  // lives for ever, as the front ends do
  const py::object self = checked(PyCapsule_New(direct, nullptr, nullptr));
  return checked(PyCFunction_NewEx(&direct->definition, self.ptr(), nullptr));
}

}  // namespace numact

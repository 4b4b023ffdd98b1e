// Threads and build information for Python: private functions that numact._runtime wraps.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "../runtime/fp_scope.hpp"
#include "../runtime/threads.hpp"
#include "direct_call.hpp"
#include "gil.hpp"
#include "register.hpp"

namespace py = pybind11;
namespace threads = numact::threads;

namespace {

#if defined(__clang__)
constexpr const char* compiler = __VERSION__;  // names Clang itself
#else
constexpr const char* compiler = "GCC " __VERSION__;
#endif

// Given by the build: looking it up in the installed metadata takes longer than the rest of the import.
#if defined(NUMACT_VERSION)
constexpr const char* version = NUMACT_VERSION;
#else
constexpr const char* version = "";
#endif

// The context variable of num_threads(): a tuple of the numbers asked for, innermost last. Kept for ever.
PyObject* context_variable = nullptr;

// Called with and without the GIL.
int threads_of_context() {
  const PyGILState_STATE state = numact::ask_for_gil(PyGILState_Ensure);
  PyObject* stack = nullptr;
  int threads = 0;
  if (PyContextVar_Get(context_variable, nullptr, &stack) < 0) {
    PyErr_Clear();
  } else if (stack != nullptr) {
    if (const Py_ssize_t depth = PyTuple_GET_SIZE(stack); depth > 0)
      threads = static_cast<int>(PyLong_AsLong(PyTuple_GET_ITEM(stack, depth - 1)));
    Py_DECREF(stack);
  }
  PyGILState_Release(state);
  return threads;
}

void set_context_variable(const py::object& variable) {
  if (!PyContextVar_CheckExact(variable.ptr())) throw py::type_error("a ContextVar is needed");
  PyObject* before = context_variable;
  context_variable = variable.inc_ref().ptr();
  threads::context_override = threads_of_context;
  Py_XDECREF(before);
}

struct Probe {
  std::vector<int> runs;
  std::vector<std::size_t> thread;     // who ran each chunk
  std::vector<char> subnormal_kept;    // whether it ran without flush-to-zero
  std::chrono::microseconds duration;  // of a chunk, so that others get a share
};

void probe_chunk(void* argument, std::ptrdiff_t chunk) {
  Probe& probe = *static_cast<Probe*>(argument);
  const auto i = static_cast<std::size_t>(chunk);
  ++probe.runs[i];
  probe.thread[i] = std::hash<std::thread::id>{}(std::this_thread::get_id());
  volatile float tiny = 1e-40f;
  tiny = tiny * 0.5f;
  probe.subnormal_kept[i] = tiny != 0.0f;
  if (probe.duration.count() > 0) std::this_thread::sleep_for(probe.duration);
}

// How often each chunk ran, the threads that took part, and whether every chunk kept subnormal numbers.
std::tuple<std::vector<int>, std::set<std::size_t>, bool> run_chunks(std::ptrdiff_t chunks, int number,
                                                                     int microseconds) {
  const auto size = static_cast<std::size_t>(chunks < 0 ? 0 : chunks);
  Probe probe{std::vector<int>(size), std::vector<std::size_t>(size), std::vector<char>(size),
              std::chrono::microseconds(microseconds)};
  threads::run(static_cast<std::ptrdiff_t>(size), number, probe_chunk, &probe);
  bool kept = true;
  for (const char each : probe.subnormal_kept) kept = kept && each != 0;
  return {probe.runs, {probe.thread.begin(), probe.thread.end()}, kept};
}

}  // namespace

void numact::register_runtime(py::module_& m) {
  m.def(
      "in_default_mode",
      [](const py::object& function, const py::args& arguments) {
        const numact::FpScope scope;
        return function(*arguments);
      },
      "Calls a NumPy function in the default floating-point environment: a subnormal stays one, no flag is raised.");
  m.attr("_version") = version;
  m.attr("_compiler") = compiler;
  m.attr("_openmp_built") = threads::openmp_built();
  m.def("_openmp_runtime", threads::openmp_runtime);
  m.def("_configure_threads", threads::configure, py::arg("forced"), py::arg("runtimes_loaded_before"));
  m.def("_thread_backend", threads::backend);
  m.def("_thread_backend_reason", threads::reason);
  m.def("_available_threads", threads::available);
  m.def("_set_default_threads", threads::set_default, py::arg("threads"));
  m.def("_set_context_variable", set_context_variable, py::arg("variable"));
  m.def("_set_error_handling", numact::set_error_handling, py::arg("variable"), py::arg("ignore"));
  m.def("_override_entered", threads::override_entered);
  m.def("_override_left", threads::override_left);
  m.def("_pretend_cpus", threads::pretend_cpus, py::arg("cpus"));
  m.def("_run_chunks", run_chunks, py::arg("chunks"), py::arg("threads"), py::arg("microseconds") = 0,
        py::call_guard<numact::WithoutGil>());
}

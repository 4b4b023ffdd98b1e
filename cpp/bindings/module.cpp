// The native module numact._native: private; the public names are in src/numact.
#define NUMACT_IMPORT_NUMPY
#include "numpy_api.hpp"
#include "register.hpp"

namespace py = pybind11;

PYBIND11_MODULE(_native, m) {
  if (_import_array() < 0 || _import_umath() < 0) throw py::error_already_set();
  numact::register_levels(m);
  numact::register_ufuncs(m);
  numact::register_parameter_gradients(m);
  numact::register_rows(m);
  numact::register_composed(m);
  numact::register_maxout(m);
  numact::register_stats(m);
  numact::register_training(m);
  numact::register_sgd(m);
  numact::register_runtime(m);
  numact::register_limits(m);
}

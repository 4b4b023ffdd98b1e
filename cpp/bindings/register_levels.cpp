// ISA levels and the catalogue for Python.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cmath>
#include <string>
#include <vector>

#include "records.hpp"
#include "register.hpp"

namespace py = pybind11;

namespace numact {
namespace {

std::string domain_name(Domain domain, const ParameterRecord& previous) {
  switch (domain) {
    case Domain::positive: return "positive";
    case Domain::nonnegative: return "nonnegative";
    case Domain::at_least_previous: return std::string("at least ") + previous.name;
    case Domain::at_most_previous: return std::string("at most ") + previous.name;
    default: return "any";
  }
}

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (int i = 0; i < levels().count; ++i) names.emplace_back(levels().supported[i]->name);
  return names;
}

void choose_isa(const std::string& name) {
  if (choose_level(name.c_str())) return;
  std::string valid;
  for (const std::string& each : available_isas()) valid += (valid.empty() ? "" : ", ") + each;
  throw py::value_error("'" + name + "' is not an ISA level this build and CPU can run; valid: " + valid);
}

// ((parameter, default or None, domain, domain from output), ...)
py::tuple parameters_of(const ParameterRecord* parameter, int count) {
  py::list result;
  for (int j = 0; j < count; ++j) {
    const ParameterRecord &p = parameter[j], &previous = parameter[j > 0 ? j - 1 : 0];
    py::object fallback = py::none();
    if (!std::isnan(p.fallback)) fallback = py::float_(p.fallback);
    result.append(py::make_tuple(p.name, fallback, domain_name(p.domain, previous),
                                 domain_name(p.domain_from_output, previous)));
  }
  return py::tuple(result);
}

// (name, kind, parameters) in the order of the catalogue.
py::list catalogue() {
  py::list result;
  for (const Record& record : elementwise_records)
    result.append(py::make_tuple(record.name, record.arrays == 2 ? "gated" : "elementwise",
                                 parameters_of(record.parameter, record.parameters)));
  for (const OtherRecord& record : other_records)
    result.append(py::make_tuple(record.name, record.kind, parameters_of(record.parameter, record.parameters)));
  return result;
}

}  // namespace

void register_levels(py::module_& m) {
  m.def("available_isas", available_isas, "ISA levels this build and CPU can run, best last.");
  m.def("isa", [] { return std::string(active_table().name); }, "The ISA level in use.");
  m.def("choose_isa", choose_isa, py::arg("name"), "Before the first use of a kernel: the ISA level to use.");
  m.def("catalogue", catalogue, "Name, kind and parameters of every activation.");
}

}  // namespace numact

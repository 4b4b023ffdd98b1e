// What module.cpp calls, one per category.
#pragma once
#include <pybind11/pybind11.h>

namespace numact {

void register_levels(pybind11::module_& m);
void register_ufuncs(pybind11::module_& m);
void register_parameter_gradients(pybind11::module_& m);
void register_rows(pybind11::module_& m);
void register_composed(pybind11::module_& m);
void register_maxout(pybind11::module_& m);
void register_stats(pybind11::module_& m);
void register_training(pybind11::module_& m);
void register_sgd(pybind11::module_& m);
void register_runtime(pybind11::module_& m);
void register_limits(pybind11::module_& m);

}  // namespace numact

// The elementwise kernels as NumPy ufuncs, and the call front end of those with parameters.
//
// A ufunc is made without loops; loops for float16, float32 and float64 are added as array methods, and one promoter sends
// every other combination of dtypes to them: the arrays promote together as NumPy does, parameters never count. The loop for
// bfloat16, a dtype that another package brings, is added when the promoter first meets it.
#include "numpy_api.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "elementwise_loop.hpp"
#include "promotion.hpp"
#include "records.hpp"
#include "register.hpp"
#include "ufunc_function.hpp"

namespace py = pybind11;

namespace numact {
namespace {

// ---- promotion ----

// What a ufunc computes: one function of the catalogue at one level and in one tier.
struct Function {
  const Table* table;
  int record;
  Direction direction;
  bool precise;
  int arrays, parameters, outputs;
  const Loop* loops[type_count] = {};           // by the type of the data, once they were added
  const PyArray_DTypeMeta* bfloat16 = nullptr;  // for which a loop was added

  int inputs() const { return arrays + parameters; }
  int operands() const { return inputs() + outputs; }
};

void add_loop(PyObject* ufunc, Function& function, Type data, PyArray_DTypeMeta* dtype) {
  const Table& table = *function.table;
  const ElementwiseKernel& kernel =
      find_kernel(table.elementwise, table.elementwise_count, function.precise, data, [&](const ElementwiseKernel& each) {
        return each.exists() && each.record == function.record && each.direction == function.direction;
      });
  PyArray_DTypeMeta* dtypes[most_operands];
  for (int i = 0; i < function.operands(); ++i)
    dtypes[i] = i >= function.arrays && i < function.inputs() ? dtype_of(kernel.parameter) : dtype;
  PyType_Slot slots[] = {{NPY_METH_strided_loop, strided_loop_of<Function>(data)}, {0, nullptr}};
  PyArrayMethod_Spec spec = {elementwise_records[kernel.record].name,
                             function.inputs(),
                             function.outputs,
                             NPY_NO_CASTING,
                             NPY_METH_NO_FLOATINGPOINT_ERRORS,
                             dtypes,
                             slots};
  check(PyUFunc_AddLoopFromSpec(ufunc, &spec));
  function.loops[static_cast<int>(data)] = new Loop(Loop::over(table, kernel, data));
}

// Parameters follow the data: float32 for halves and float32, float64 for float64, and for float32 in the precise tier.
int promote(PyObject* ufunc, PyArray_DTypeMeta* const given[], PyArray_DTypeMeta* const signature[],
            PyArray_DTypeMeta* result[]) {
  return translated(-1, [&] {
    Function& function = function_of<Function>(ufunc);
    PyArray_DTypeMeta* const data = data_dtype(ufunc, function, given, signature);
    PyArray_DTypeMeta* const parameter = dtype_of(function.loops[static_cast<int>(*type_of(data))]->kernel->parameter);
    for (int i = 0; i < function.operands(); ++i)
      result[i] = i >= function.arrays && i < function.inputs() ? parameter : data;
    return answered(given, result, function.operands());
  });
}

// ---- calls without NumPy ----

// The result, or nothing where NumPy shall do it.
py::object call_directly(const Function& function, const Loop& loop, PyObject* const* arrays, const Operand* parameters,
                         PyObject* const* given) {
  Operand operands[most_operands];
  PyArrayObject* const first = plain_arrays(arrays, function.arrays, operands);
  if (first == nullptr) return {};
  std::copy(parameters, parameters + function.parameters, operands + function.arrays);
  return compute(loop, PyArray_TYPE(first), operands, given);
}

vectorcallfunc numpy_call = nullptr;  // of every ufunc

// Both gradients in one array would leave the second alone.
void check_outputs(const PyObject* self, PyObject* one, PyObject* other) {
  if (one == nullptr || other == nullptr || !PyArray_Check(one) || !PyArray_Check(other)) return;
  if (!Extent(reinterpret_cast<PyArrayObject*>(one)).meets(Extent(reinterpret_cast<PyArrayObject*>(other)))) return;
  if (py::module_::import("numpy").attr("shares_memory")(py::handle(one), py::handle(other)).cast<bool>())
    throw py::value_error(std::string(reinterpret_cast<const PyUFuncObject*>(self)->name) +
                          ": the two arrays of out share memory");
}

PyObject* call_ufunc(PyObject* self, PyObject* const* args, size_t nargs, PyObject* keywords) {
  return translated<PyObject*>(nullptr, [&] {
    const Function& function = function_of<Function>(self);
    const Py_ssize_t positional = PyVectorcall_NARGS(nargs);
    Outputs outputs(function.inputs(), function.outputs, args, positional);
    for (Py_ssize_t k = 0; keywords != nullptr && k < PyTuple_GET_SIZE(keywords); ++k)
      outputs.keyword(PyTuple_GET_ITEM(keywords, k), args[positional + k]);
    check_outputs(self, outputs.given[0], outputs.given[1]);
    const Loop* const loop = outputs.alone && positional >= function.inputs() ? loop_for(function, args) : nullptr;
    bool plain = loop != nullptr;
    Operand parameters[most_parameters];
    for (int j = 0; j < function.parameters && plain; ++j) {
      PyArrayObject* const array = plain_array(args[function.arrays + j], dtype_of(loop->kernel->parameter));
      plain = array != nullptr;
      if (plain) parameters[j] = Operand(array);
    }
    if (plain)
      if (py::object result = call_directly(function, *loop, args, parameters, outputs.given)) return result.release().ptr();
    return call_numpy(numpy_call, self, args, nargs, keywords);
  });
}

// ---- construction ----

py::object make_ufunc(const std::string& name, const std::string& doc, const Function& described) {
  py::object ufunc = checked(PyUFunc_FromFuncAndData(nullptr, kept_function(described), nullptr, 0, described.inputs(),
                                                     described.outputs, PyUFunc_None, kept(name), kept(doc), 0));
  Function& function = function_of<Function>(ufunc.ptr());
  vectorcallfunc& call = reinterpret_cast<PyUFuncObject*>(ufunc.ptr())->vectorcall;
  numpy_call = call;
  call = call_ufunc;
  for (const Type type : {Type::float16, Type::float32, Type::float64})
    add_loop(ufunc.ptr(), function, type, dtype_of(type));
  add_promoter(ufunc, promote, function.operands());
  return ufunc;
}

// ---- functions with parameters ----

// f(x, parameter=default, ...) over the ufunc f(x, parameter, ...). A parameter that is a Python float or left out is a number
// of the right type at once, which is what makes the call cheap; everything else is the ufunc's business.
struct FrontEnd {
  PyMethodDef definition;
  PyObject* ufunc;
  const Record* record;
  bool from_output;
  PyObject* names[most_parameters];
  PyObject* defaults[most_parameters];  // Python floats; nullptr: required
};

// By its bits: where another library lets subnormal numbers count as 0, comparing would call them 0.
bool is_zero(double number) {
  uint64_t bits;
  std::memcpy(&bits, &number, sizeof bits);
  return bits << 1 == 0;
}

bool within(double number, Domain domain, double previous) {
  switch (domain) {
    case Domain::positive: return !std::isnan(number) && !std::signbit(number) && !is_zero(number);
    case Domain::nonnegative: return !std::isnan(number) && (!std::signbit(number) || is_zero(number));
    case Domain::at_least_previous: return !(number < previous) && !std::isnan(number);
    case Domain::at_most_previous: return !(number > previous) && !std::isnan(number);
    default: return !std::isnan(number);
  }
}

std::string requirement(Domain domain, const char* previous_name, double previous) {
  const auto compared = [&](const char* how) {
    if (std::isnan(previous)) return std::string("a number, not NaN");
    return std::string(how) + " " + previous_name + " (" + std::string(py::repr(py::float_(previous))) + ")";
  };
  switch (domain) {
    case Domain::positive: return "greater than 0";
    case Domain::nonnegative: return "at least 0";
    case Domain::at_least_previous: return compared("at least");
    case Domain::at_most_previous: return compared("at most");
    default: return "a number, not NaN";
  }
}

// Whether any other value is a real number, a 0-d array too.
bool is_scalar(PyObject* value, double& number) {
  if (PyArray_Check(value)) {
    auto* const array = reinterpret_cast<PyArrayObject*>(value);
    const bool is_real = PyArray_ISINTEGER(array) || PyArray_ISFLOAT(array) || PyArray_ISBOOL(array) || type_of(array);
    if (!PyArray_IsZeroDim(value) || !is_real) return false;
  } else if (PyArray_CheckScalar(value)) {
    const py::object array = checked(PyArray_FromScalar(value, nullptr));
    return is_scalar(array.ptr(), number);
  } else if (!PyLong_Check(value)) {
    return false;
  }
  const FpScope scope;
  number = PyFloat_AsDouble(value);
  if (number == -1 && PyErr_Occurred()) throw py::error_already_set();
  return true;
}

// Scalars are checked against the domain; arrays follow the formula. Leaves the scalar in numbers[j], NaN for an array:
// the next parameter may have to be compared with it. as_float: it is cast to float32. Returns whether the value is a number that
// needs no further look.
bool check_domain(const FrontEnd& front, int j, PyObject* value, double* numbers, bool as_float) {
  const ParameterRecord& parameter = front.record->parameter[j];
  double& number = numbers[j];
  number = std::numeric_limits<double>::quiet_NaN();
  if (PyComplex_Check(value) || PyArray_IsScalar(value, ComplexFloating) || PyUnicode_Check(value) || value == Py_None) {
    const py::str text = py::repr(value);
    PyErr_Format(PyExc_TypeError, "%s: %s must be a real number, got %U", front.definition.ml_name, parameter.name,
                 text.ptr());
    throw py::error_already_set();
  }
  const bool simple = is_number(value, number);
  if (!simple && !is_scalar(value, number)) return false;
  const Domain domain = front.from_output ? parameter.domain_from_output : parameter.domain;
  const int before = j > 0 ? j - 1 : 0;
  const double previous = j > 0 ? numbers[before] : std::numeric_limits<double>::quiet_NaN();
  const bool vanishes = as_float && domain == Domain::positive && number <= 0x1p-150;  // which is rounded to 0
  if (within(number, domain, previous) && !vanishes) return simple;
  const py::str text = py::repr(value);
  PyErr_Format(PyExc_ValueError, "%s: %s must be %s%s, got %U", front.definition.ml_name, parameter.name,
               requirement(domain, front.record->parameter[before].name, previous).c_str(), vanishes ? " in float32" : "",
               text.ptr());
  throw py::error_already_set();
}

// Which parameter a keyword names, -1: none.
int parameter_named(const FrontEnd& front, PyObject* keyword) {
  for (int j = 0; j < function_of<Function>(front.ufunc).parameters; ++j) {
    const int same = keyword == front.names[j] ? 1 : PyObject_RichCompareBool(keyword, front.names[j], Py_EQ);
    check(same);
    if (same == 1) return j;
  }
  return -1;
}

// Parameters take their places before the outputs, the other keywords go on.
py::object call_of_ufunc(const FrontEnd& front, PyObject* const* args, Py_ssize_t nargs, PyObject* keywords,
                         PyObject* const* parameters) {
  const Function& function = function_of<Function>(front.ufunc);
  std::vector<PyObject*> passed = {nullptr};  // PY_VECTORCALL_ARGUMENTS_OFFSET
  passed.insert(passed.end(), args, args + function.arrays);
  passed.insert(passed.end(), parameters, parameters + function.parameters);
  if (nargs > function.inputs()) passed.insert(passed.end(), args + function.inputs(), args + nargs);
  const size_t positional = passed.size() - 1;
  py::list names;
  for (Py_ssize_t k = 0; keywords != nullptr && k < PyTuple_GET_SIZE(keywords); ++k) {
    PyObject* const keyword = PyTuple_GET_ITEM(keywords, k);
    if (parameter_named(front, keyword) >= 0) continue;
    names.append(py::handle(keyword));
    passed.push_back(args[nargs + k]);
  }
  const py::tuple rest(names);
  return checked(PyObject_Vectorcall(front.ufunc, passed.data() + 1, positional | PY_VECTORCALL_ARGUMENTS_OFFSET,
                                     rest.empty() ? nullptr : rest.ptr()));
}

py::object call_front_end(const FrontEnd& front, PyObject* const* args, Py_ssize_t nargs, PyObject* keywords) {
  const Function& function = function_of<Function>(front.ufunc);
  if (nargs < function.arrays) {
    PyErr_Format(PyExc_TypeError, "%s() takes %d positional-only array%s, got %zd positional arguments",
                 front.definition.ml_name, function.arrays, function.arrays == 1 ? "" : "s", nargs);
    throw py::error_already_set();
  }
  PyObject* values[most_parameters] = {};
  for (int j = 0; j < function.parameters && function.arrays + j < nargs; ++j) values[j] = args[function.arrays + j];
  Outputs outputs(function.inputs(), function.outputs, args, std::max<Py_ssize_t>(nargs, function.inputs()));
  bool typed = false;  // in another type than that of the data
  for (Py_ssize_t k = 0; keywords != nullptr && k < PyTuple_GET_SIZE(keywords); ++k) {
    PyObject* const keyword = PyTuple_GET_ITEM(keywords, k);
    const int named = parameter_named(front, keyword);
    if (named < 0) {
      outputs.keyword(keyword, args[nargs + k]);
      for (const char* const each : {"dtype", "signature", "sig"})
        typed |= PyUnicode_CompareWithASCIIString(keyword, each) == 0;
    } else if (values[named] == nullptr) {
      values[named] = args[nargs + k];
    } else {
      PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument %R", front.definition.ml_name, keyword);
      throw py::error_already_set();
    }
  }

  const Loop* const loop = loop_for(function, args);
  bool plain = loop != nullptr && outputs.alone;
  const bool as_float = loop != nullptr && !typed && loop->kernel->parameter == Type::float32;
  double numbers[most_parameters];
  Scalar scalars[most_parameters];
  Operand parameters[most_parameters];
  for (int j = 0; j < function.parameters; ++j) {
    PyObject* const value = values[j] != nullptr ? values[j] : front.defaults[j];
    if (value == nullptr) {
      PyErr_Format(PyExc_TypeError, "%s() missing required argument '%s'", front.definition.ml_name,
                   front.record->parameter[j].name);
      throw py::error_already_set();
    }
    const bool number = check_domain(front, j, value, numbers, as_float);
    if (!plain) continue;
    if (number) {
      scalars[j] = Scalar(numbers[j]);
      parameters[j] = scalars[j].as(loop->kernel->parameter);
    } else if (PyArrayObject* const array = plain_array(value, dtype_of(loop->kernel->parameter))) {
      parameters[j] = Operand(array);
    } else {
      plain = false;
    }
  }
  if (plain)
    if (py::object result = call_directly(function, *loop, args, parameters, outputs.given)) return result;

  py::object kept[most_parameters];
  PyObject* passed[most_parameters];
  for (int j = 0; j < function.parameters; ++j) {
    passed[j] = values[j] != nullptr ? values[j] : front.defaults[j];
    if (loop == nullptr || typed || !PyFloat_Check(passed[j])) continue;
    kept[j] = zero_dimensional(loop->kernel->parameter, numbers[j]);
    passed[j] = kept[j].ptr();
  }
  return call_of_ufunc(front, args, nargs, keywords, passed);
}

PyObject* front_end(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* keywords) {
  return translated<PyObject*>(nullptr, [&] {
    return call_front_end(**static_cast<FrontEnd**>(PyModule_GetState(self)), args, nargs, keywords).release().ptr();
  });
}

// A built-in function is pickled by name and shown without "method of" when what it is bound to is a module: so each is
// bound to an anonymous one whose state is its FrontEnd.
PyModuleDef front_end_holder = {PyModuleDef_HEAD_INIT, "numact", nullptr, sizeof(FrontEnd*), nullptr, nullptr,
                                nullptr,               nullptr,  nullptr};

py::object make_front_end(const std::string& name, const std::string& doc, const py::object& ufunc, const Record& record,
                          bool from_output, const std::string& module) {
  auto* const front = new FrontEnd{};
  const Function& function = function_of<Function>(ufunc.ptr());
  std::string signature = name + "(" + (function.arrays == 1 ? "x" : from_output ? "dy, y" : "dy, x") + ", /";
  front->ufunc = ufunc.inc_ref().ptr();
  front->record = &record;
  front->from_output = from_output;
  for (int j = 0; j < function.parameters; ++j) {
    const ParameterRecord& parameter = record.parameter[j];
    front->names[j] = checked(PyUnicode_InternFromString(parameter.name)).release().ptr();
    signature += std::string(", ") + parameter.name;
    if (std::isnan(parameter.fallback)) continue;
    front->defaults[j] = checked(PyFloat_FromDouble(parameter.fallback)).release().ptr();
    signature += "=" + std::string(py::repr(py::float_(parameter.fallback)));
  }
  signature += ", out=None, **kwargs)\n--\n\n";
  front->definition = {kept(name), reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(front_end)),
                       METH_FASTCALL | METH_KEYWORDS, kept(signature + doc)};
  const py::object self = checked(PyModule_Create(&front_end_holder));
  *static_cast<FrontEnd**>(PyModule_GetState(self.ptr())) = front;
  const py::str module_name(module);
  return checked(PyCFunction_NewEx(&front->definition, self.ptr(), module_name.ptr()));
}

// Makes the functions of one tier at one level: (ufuncs, functions), both by name. `functions` holds the ufunc itself
// where there are no parameters; `ufunc_docs` are the docstrings of the ufuncs that have some.
py::tuple make_functions(const std::string& level, bool precise, const py::dict& docs, const py::dict& ufunc_docs,
                         const std::string& module) {
  const Table& table = level_table(level);
  py::dict ufuncs, functions;
  for (int k = 0; k < table.elementwise_count; ++k) {
    const ElementwiseKernel& kernel = table.elementwise[k];
    if (!kernel.exists() || kernel.tier != Tier::standard || kernel.computed != Type::float32) continue;
    const Record& record = elementwise_records[kernel.record];
    const std::string name = std::string(record.name) + suffix(kernel.direction);
    const py::str key(name);
    const Function function{&table,        kernel.record,     kernel.direction, precise,
                      kernel.arrays, kernel.parameters, kernel.outputs,   {},               nullptr};
    const std::string doc = docs.contains(key) ? std::string(py::str(docs[key])) : std::string();
    ufuncs[key] = make_ufunc(name, ufunc_docs.contains(key) ? std::string(py::str(ufunc_docs[key])) : doc, function);
    if (kernel.parameters == 0)
      functions[key] = ufuncs[key];
    else
      functions[key] = make_front_end(name, doc, ufuncs[key], record,
                                      kernel.direction == Direction::backward_from_output, module);
  }
  return py::make_tuple(ufuncs, functions);
}

}  // namespace

void register_ufuncs(py::module_& m) {
  m.def("make_functions", make_functions, py::arg("level"), py::arg("precise"), py::arg("docs"), py::arg("ufunc_docs"),
        py::arg("module"), "Ufuncs and public functions of one tier at one ISA level, by name.");
}

}  // namespace numact

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
#include <unordered_map>
#include <vector>

#include "../runtime/fp_scope.hpp"
#include "../runtime/threads.hpp"
#include "grid.hpp"
#include "numbered_loops.hpp"
#include "promotion.hpp"
#include "records.hpp"
#include "register.hpp"

namespace py = pybind11;

namespace numact {
namespace {

constexpr int most_outputs = 2, most_operands = 3 + most_parameters + most_outputs;

// ---- the loop NumPy calls ----

struct Loop {
  const ElementwiseKernel* kernel;
  ElementwiseWalk walk;
  int inputs, operands;
  ptrdiff_t sizes[most_operands];
  double cost;

  void run(char* const* data, const ptrdiff_t* strides, ptrdiff_t n) const { walk(*kernel, data, strides, n); }
};

struct Job {
  const Loop* loop;
  char* const* operands;
  const npy_intp* strides;
  ptrdiff_t n;
};

using threads::chunk_length;

void run_chunk(void* argument, ptrdiff_t chunk) {
  const Job& job = *static_cast<const Job*>(argument);
  const ptrdiff_t begin = chunk * chunk_length;
  char* moved[most_operands];
  for (int i = 0; i < job.loop->operands; ++i) moved[i] = job.operands[i] + begin * job.strides[i];
  job.loop->run(moved, job.strides, std::min(chunk_length, job.n - begin));
}

// Whether writing an output may change an input that is read later: reduce, accumulate and at hand the output in as an
// input at another offset or with stride 0. The same memory element by element is fine, and so are interleaved arrays.
bool feeds_back(const Loop& loop, int output, char* const* operands, const npy_intp* strides, ptrdiff_t n) {
  const char* const out = operands[output];
  const ptrdiff_t out_stride = strides[output], out_size = loop.sizes[output], last = n - 1;
  for (int i = 0; i < loop.inputs; ++i) {
    const ptrdiff_t stride = strides[i], distance = operands[i] - out;
    if (stride == out_stride && stride != 0) {
      const ptrdiff_t step = std::abs(stride), offset = ((distance % step) + step) % step;
      if (distance == 0 || (offset >= out_size && step - offset >= loop.sizes[i])) continue;
    }
    const char* const in = operands[i];
    const char* const in_low = in + std::min<ptrdiff_t>(0, last * stride);
    const char* const in_high = in + std::max<ptrdiff_t>(0, last * stride) + loop.sizes[i];
    const char* const out_low = out + std::min<ptrdiff_t>(0, last * out_stride);
    const char* const out_high = out + std::max<ptrdiff_t>(0, last * out_stride) + out_size;
    if (in_low < out_high && out_low < in_high) return true;
  }
  return false;
}

int run_loop(const Loop& loop, char* const* operands, const npy_intp* dimensions, const npy_intp* strides) {
  const FpScope scope;
  const ptrdiff_t n = dimensions[0];
  bool one_by_one = false;
  for (int k = loop.inputs; k < loop.operands && n > 1; ++k)
    one_by_one = one_by_one || feeds_back(loop, k, operands, strides, n);
  if (one_by_one) {
    char* moved[most_operands];
    for (int i = 0; i < loop.operands; ++i) moved[i] = operands[i];
    for (ptrdiff_t k = 0; k < n; ++k) {
      loop.run(moved, strides, 1);
      for (int i = 0; i < loop.operands; ++i) moved[i] += strides[i];
    }
    return 0;
  }
  // Elements of an output that lie on each other are written in order.
  bool apart = true;
  for (int k = loop.inputs; k < loop.operands; ++k) apart = apart && std::abs(strides[k]) >= loop.sizes[k];
  const int team = n > chunk_length && apart ? threads::worthwhile(double(n) * loop.cost) : 1;
  if (team == 1) {
    loop.run(operands, strides, n);
  } else {
    Job job{&loop, operands, strides, n};
    threads::run((n + chunk_length - 1) / chunk_length, team, run_chunk, &job);
  }
  return 0;
}

using Loops = NumberedLoops<Loop, 2048, run_loop>;

// ---- promotion ----

// What a ufunc computes: one function of the catalogue at one level and in one tier.
struct Shape {
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
// make_ufunc keeps its ufuncs alive as long as the process: an address never stands for another one.
std::unordered_map<const PyObject*, Shape>& shapes() {
  static auto* const all = new std::unordered_map<const PyObject*, Shape>;
  return *all;
}

void add_loop(PyObject* ufunc, Shape& shape, Type data, PyArray_DTypeMeta* dtype) {
  const ElementwiseKernel& kernel = find_kernel(
      shape.table->elementwise, shape.table->elementwise_count, shape.precise, data, [&](const ElementwiseKernel& each) {
        return each.exists() && each.record == shape.record && each.direction == shape.direction;
      });
  Loop loop = {&kernel,          shape.table->elementwise_walk[static_cast<int>(data)],
               shape.inputs(),   shape.operands(),
               {},               elementwise_records[kernel.record].cost};
  for (int i = 0; i < loop.operands; ++i)
    loop.sizes[i] = size_of(i >= shape.arrays && i < loop.inputs ? kernel.parameter : data);
  const size_t place = Loops::place_of(loop);
  PyArray_DTypeMeta* dtypes[most_operands];
  for (int i = 0; i < shape.operands(); ++i)
    dtypes[i] = i >= shape.arrays && i < shape.inputs() ? dtype_of(kernel.parameter) : dtype;
  PyType_Slot slots[] = {{NPY_METH_strided_loop, Loops::function(place)}, {0, nullptr}};
  PyArrayMethod_Spec spec = {elementwise_records[kernel.record].name,
                             shape.inputs(),
                             shape.outputs,
                             NPY_NO_CASTING,
                             NPY_METH_NO_FLOATINGPOINT_ERRORS,
                             dtypes,
                             slots};
  check(PyUFunc_AddLoopFromSpec(ufunc, &spec));
  shape.loops[static_cast<int>(data)] = &Loops::at(place);
}

// Parameters follow the data: float32 for halves and float32, float64 for float64, and for float32 in the precise tier.
int promote(PyObject* ufunc, PyArray_DTypeMeta* const given[], PyArray_DTypeMeta* const signature[],
            PyArray_DTypeMeta* result[]) {
  return translated(-1, [&] {
    Shape& shape = shapes().at(ufunc);
    PyArray_DTypeMeta* const data = data_dtype(ufunc, shape, given, signature);
    PyArray_DTypeMeta* const parameter = dtype_of(shape.loops[static_cast<int>(*type_of(data))]->kernel->parameter);
    for (int i = 0; i < shape.operands(); ++i) {
      result[i] = i >= shape.arrays && i < shape.inputs() ? parameter : data;
      Py_INCREF(result[i]);
    }
    return 0;
  });
}

// ---- arrays made of rows ----

// NumPy copies what it cannot walk as one run of elements, such as the halves of a packed array, through buffers, and never
// hands out more of it than they hold. A ufunc therefore first looks whether its operands are plain arrays of long rows.

constexpr ptrdiff_t shortest_row = 32, fewest_elements = 1024;

struct GridJob {
  const Loop* loop;
  const Grid* grid;
  ptrdiff_t rows, rows_per_chunk;
};

void run_rows(void* argument, ptrdiff_t chunk) {
  const GridJob& job = *static_cast<const GridJob*>(argument);
  const FpScope scope;
  char* pointers[Grid::most_arrays];
  const ptrdiff_t begin = chunk * job.rows_per_chunk, end = std::min(job.rows, begin + job.rows_per_chunk);
  for (ptrdiff_t row = begin, left = 0; row < end; ++row, --left) {  // left: rows before the next axis moves on
    if (left == 0)
      left = job.grid->row(row, pointers);
    else
      for (int k = 0; k < job.grid->arrays; ++k) pointers[k] += job.grid->stride[1][k];
    job.loop->run(pointers, job.grid->stride[0], job.grid->length[0]);
  }
}

// The dtype and shape of a plain array, or nothing.
bool is_plain(PyObject* object, PyArray_DTypeMeta* dtype, PyArrayObject* like) {
  if (!PyArray_CheckExact(object)) return false;
  auto* const array = reinterpret_cast<PyArrayObject*>(object);
  return NPY_DTYPE(PyArray_DESCR(array)) == dtype && PyArray_ISBEHAVED_RO(array) && PyArray_SAMESHAPE(array, like);
}

// Whether all arrays have their axes in the same order, which then is that of a new array too.
bool same_order(PyArrayObject* const* arrays, int count) {
  const int axes = PyArray_NDIM(arrays[0]);
  const auto step = [&](int k, int axis) { return std::abs(PyArray_STRIDE(arrays[k], axis)); };
  for (int a = 0; a < axes; ++a) {
    if (PyArray_DIM(arrays[0], a) == 1) continue;
    for (int k = 0; k < count; ++k) {
      if (step(k, a) == 0) return false;
      for (int b = 0; b < a; ++b)
        if (PyArray_DIM(arrays[0], b) != 1 && (step(k, a) < step(k, b)) != (step(0, a) < step(0, b))) return false;
    }
  }
  return true;
}

// The result, or nothing where NumPy shall do it.
py::object call_by_rows(const Shape& shape, PyObject* const* args, Py_ssize_t nargs, PyObject* keywords) {
  if (nargs < shape.inputs() || !PyArray_CheckExact(args[0])) return {};
  auto* const first = reinterpret_cast<PyArrayObject*>(args[0]);
  if (PyArray_NDIM(first) < 2 || PyArray_SIZE(first) < fewest_elements) return {};
  const std::optional<Type> type = type_of(first);
  if (!type || shape.loops[static_cast<int>(*type)] == nullptr) return {};
  PyArray_DTypeMeta* const dtype = NPY_DTYPE(PyArray_DESCR(first));
  const Loop& loop = *shape.loops[static_cast<int>(*type)];

  PyArrayObject* operands[Grid::most_arrays];
  bool one_run = true;
  for (int i = 0; i < shape.arrays; ++i) {
    if (!is_plain(args[i], dtype, first)) return {};
    operands[i] = reinterpret_cast<PyArrayObject*>(args[i]);
    one_run = one_run && PyArray_IS_C_CONTIGUOUS(operands[i]);
  }
  if (one_run && nargs == shape.inputs() && keywords == nullptr) return {};
  char* parameters[most_parameters] = {};
  for (int j = 0; j < shape.parameters; ++j) {
    PyObject* const parameter = args[shape.arrays + j];
    if (!PyArray_CheckExact(parameter) || !PyArray_IsZeroDim(parameter)) return {};
    auto* const array = reinterpret_cast<PyArrayObject*>(parameter);
    if (NPY_DTYPE(PyArray_DESCR(array)) != dtype_of(loop.kernel->parameter) || !PyArray_ISBEHAVED_RO(array)) return {};
    parameters[j] = PyArray_BYTES(array);
  }

  PyObject* given[most_outputs] = {};
  if (nargs > shape.inputs()) {
    if (keywords != nullptr || nargs != shape.operands()) return {};
    for (int k = 0; k < shape.outputs; ++k) given[k] = args[shape.inputs() + k];
  } else if (keywords != nullptr) {
    if (PyTuple_GET_SIZE(keywords) != 1 ||
        PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(keywords, 0), "out") != 0)
      return {};
    PyObject* const out = args[nargs];
    if (PyTuple_CheckExact(out) && PyTuple_GET_SIZE(out) == shape.outputs)
      for (int k = 0; k < shape.outputs; ++k) given[k] = PyTuple_GET_ITEM(out, k);
    else if (shape.outputs == 1)
      given[0] = out;
    else
      return {};
  }
  py::tuple results(static_cast<size_t>(shape.outputs));
  for (int k = 0; k < shape.outputs; ++k) {
    if (given[k] == nullptr) {
      if (!same_order(operands, shape.arrays)) return {};
      auto* const descr = PyArray_DESCR(first);
      Py_INCREF(descr);
      results[static_cast<size_t>(k)] =
          checked(PyArray_NewLikeArray(first, NPY_KEEPORDER, descr, /*subok=*/0));
    } else {
      if (!is_plain(given[k], dtype, first) || !PyArray_ISWRITEABLE(reinterpret_cast<PyArrayObject*>(given[k]))) return {};
      results[static_cast<size_t>(k)] = py::reinterpret_borrow<py::object>(given[k]);
    }
  }

  // Parameters are operands too, of stride 0.
  const int inputs = shape.inputs();
  for (int k = 0; k < shape.outputs; ++k)
    operands[shape.arrays + k] = reinterpret_cast<PyArrayObject*>(results[static_cast<size_t>(k)].ptr());
  Grid grid;
  if (!grid.set(operands, shape.arrays + shape.outputs)) return {};
  if (grid.axes < 2 || grid.length[0] < shortest_row) return {};
  for (int k = shape.arrays; k < grid.arrays; ++k) {
    if (!grid.distinct(k, size_of(*type))) return {};
    for (int i = 0; i < k; ++i)
      if (!grid.same_or_apart(i, k, size_of(*type))) return {};
  }
  for (int k = shape.outputs - 1; k >= 0 && shape.parameters > 0; --k) {
    grid.data[inputs + k] = grid.data[shape.arrays + k];
    for (int i = 0; i < grid.axes; ++i) grid.stride[i][inputs + k] = grid.stride[i][shape.arrays + k];
  }
  for (int j = 0; j < shape.parameters; ++j) {
    grid.data[shape.arrays + j] = parameters[j];
    for (int i = 0; i < grid.axes; ++i) grid.stride[i][shape.arrays + j] = 0;
  }
  grid.arrays = shape.operands();

  GridJob job{&loop, &grid, grid.rows(), std::max<ptrdiff_t>(1, chunk_length / grid.length[0])};
  {
    const py::gil_scoped_release released;
    threads::run((job.rows + job.rows_per_chunk - 1) / job.rows_per_chunk,
                 threads::worthwhile(double(PyArray_SIZE(first)) * loop.cost), run_rows, &job);
  }
  return shape.outputs == 1 ? py::object(results[0]) : py::object(std::move(results));
}

vectorcallfunc numpy_call = nullptr;  // of every ufunc

// Both gradients in one array would leave the second alone.
void check_outputs(const PyObject* self, PyObject* one, PyObject* other) {
  if (!PyArray_Check(one) || !PyArray_Check(other)) return;
  if (py::module_::import("numpy").attr("shares_memory")(py::handle(one), py::handle(other)).cast<bool>())
    throw py::value_error(std::string(reinterpret_cast<const PyUFuncObject*>(self)->name) +
                          ": the two arrays of out share memory");
}

PyObject* call_ufunc(PyObject* self, PyObject* const* args, size_t nargs, PyObject* keywords) {
  return translated<PyObject*>(nullptr, [&] {
    const Shape& shape = shapes().at(self);
    const Py_ssize_t positional = PyVectorcall_NARGS(nargs);
    if (shape.outputs == 2 && positional == shape.operands()) {
      check_outputs(self, args[shape.inputs()], args[shape.inputs() + 1]);
    } else if (shape.outputs == 2 && keywords != nullptr) {
      for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(keywords); ++k) {
        PyObject* const out = args[positional + k];
        if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(keywords, k), "out") == 0 && PyTuple_CheckExact(out) &&
            PyTuple_GET_SIZE(out) == 2)
          check_outputs(self, PyTuple_GET_ITEM(out, 0), PyTuple_GET_ITEM(out, 1));
      }
    }
    py::object result = call_by_rows(shape, args, positional, keywords);
    return result ? result.release().ptr() : numpy_call(self, args, nargs, keywords);
  });
}

// ---- construction ----

py::object make_ufunc(const std::string& name, const std::string& doc, const Shape& described) {
  Shape shape = described;
  py::object ufunc = checked(PyUFunc_FromFuncAndData(nullptr, nullptr, nullptr, 0, shape.inputs(), shape.outputs,
                                                     PyUFunc_None, kept(name), kept(doc), 0));
  vectorcallfunc& call = reinterpret_cast<PyUFuncObject*>(ufunc.ptr())->vectorcall;
  numpy_call = call;
  call = call_ufunc;
  for (const Type type : {Type::float16, Type::float32, Type::float64})
    add_loop(ufunc.ptr(), shape, type, dtype_of(type));
  shapes().emplace(ufunc.inc_ref().ptr(), shape);
  add_promoter(ufunc, promote, shape.operands());
  return ufunc;
}

// ---- functions with parameters ----

// f(x, parameter=default, ...) over the ufunc f(x, parameter, ...). A parameter that is a Python float or left out becomes
// a 0-d array of the right dtype at once, which is what makes the call cheap; everything else is the ufunc's business.
struct FrontEnd {
  PyMethodDef definition;
  PyObject* ufunc;
  Shape shape;
  const Record* record;
  bool from_output;
  PyObject* names[most_parameters];
  PyObject* defaults[most_parameters];    // Python floats; nullptr: required
  PyObject* defaults32[most_parameters];  // 0-d arrays
  PyObject* defaults64[most_parameters];
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

// Scalars are checked against the domain; arrays follow the formula. Leaves the scalar in numbers[j], NaN for an array:
// the next parameter may have to be compared with it. -1 with an error set.
int check_domain(const FrontEnd& front, int j, PyObject* value, double* numbers) {
  const ParameterRecord& parameter = front.record->parameter[j];
  double& number = numbers[j];
  number = std::numeric_limits<double>::quiet_NaN();
  if (PyComplex_Check(value) || PyArray_IsScalar(value, ComplexFloating)) {
    const py::str text = py::repr(value);
    PyErr_Format(PyExc_TypeError, "%s: %s must be a real number, got %U", front.definition.ml_name, parameter.name,
                 text.ptr());
    return -1;
  }
  if (PyFloat_Check(value)) {
    number = PyFloat_AS_DOUBLE(value);
  } else if (PyLong_Check(value) || PyArray_IsScalar(value, Floating) || PyArray_IsZeroDim(value) ||
             (PyArray_IsScalar(value, Integer) && !PyArray_IsScalar(value, Timedelta))) {
    if (PyArray_Check(value) && !PyArray_ISINTEGER(reinterpret_cast<PyArrayObject*>(value)) &&
        !PyArray_ISFLOAT(reinterpret_cast<PyArrayObject*>(value)))
      return 0;
    number = PyFloat_AsDouble(value);
    if (number == -1 && PyErr_Occurred()) return -1;
  } else {
    return 0;
  }
  const Domain domain = front.from_output ? parameter.domain_from_output : parameter.domain;
  const int before = j > 0 ? j - 1 : 0;
  const double previous = j > 0 ? numbers[before] : std::numeric_limits<double>::quiet_NaN();
  if (within(number, domain, previous)) return 0;
  const py::str text = py::repr(value);
  PyErr_Format(PyExc_ValueError, "%s: %s must be %s, got %U", front.definition.ml_name, parameter.name,
               requirement(domain, front.record->parameter[before].name, previous).c_str(), text.ptr());
  return -1;
}

// The nearest float, also a subnormal one where another library has set flush-to-zero.
__attribute__((noinline)) float plain_narrowed(double value) { return static_cast<float>(value); }
float narrowed(double value) {
  static float (*const volatile convert)(double) = plain_narrowed;
  const FpScope scope;
  return convert(value);
}

PyObject* zero_dimensional(int type, double value) {
  PyObject* array = PyArray_SimpleNew(0, nullptr, type);
  if (array == nullptr) return nullptr;
  void* data = PyArray_DATA(reinterpret_cast<PyArrayObject*>(array));
  if (type == NPY_FLOAT32)
    *static_cast<float*>(data) = narrowed(value);
  else
    *static_cast<double*>(data) = value;
  return array;
}

PyObject* call_front_end(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* keywords) {
  const FrontEnd& front = **static_cast<FrontEnd**>(PyModule_GetState(self));
  const Shape& shape = front.shape;
  const int inputs = shape.inputs();
  if (nargs < shape.arrays) {
    PyErr_Format(PyExc_TypeError, "%s() takes %d positional-only array%s, got %zd positional arguments",
                 front.definition.ml_name, shape.arrays, shape.arrays == 1 ? "" : "s", nargs);
    return nullptr;
  }
  const Py_ssize_t given_keywords = keywords == nullptr ? 0 : PyTuple_GET_SIZE(keywords);
  PyObject* values[most_parameters] = {};
  for (int j = 0; j < shape.parameters && shape.arrays + j < nargs; ++j) values[j] = args[shape.arrays + j];

  // Keywords that name a parameter are taken out; the rest goes on to the ufunc.
  std::vector<PyObject*> passed;
  passed.reserve(static_cast<size_t>(nargs + given_keywords + shape.parameters + 1));
  passed.push_back(nullptr);  // PY_VECTORCALL_ARGUMENTS_OFFSET
  py::object rest;            // names of the keywords that go on, once one was taken out
  std::vector<PyObject*> rest_values;
  for (Py_ssize_t k = 0; k < given_keywords; ++k) {
    PyObject* keyword = PyTuple_GET_ITEM(keywords, k);
    int taken = -1;
    for (int j = 0; j < shape.parameters && taken < 0; ++j) {
      const int same = keyword == front.names[j] ? 1 : PyObject_RichCompareBool(keyword, front.names[j], Py_EQ);
      if (same < 0) return nullptr;
      if (same == 1) taken = j;
    }
    if (taken < 0) {
      rest_values.push_back(args[nargs + k]);
      if (rest) check(PyList_Append(rest.ptr(), keyword));
      continue;
    }
    if (values[taken] != nullptr) {
      PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument %R", front.definition.ml_name, keyword);
      return nullptr;
    }
    values[taken] = args[nargs + k];
    if (!rest) rest = checked(PySequence_List(checked(PyTuple_GetSlice(keywords, 0, k)).ptr()));
  }
  if (rest) rest = checked(PyList_AsTuple(rest.ptr()));

  // The dtype the arrays have in common when they are plain arrays.
  int type = NPY_NOTYPE;
  for (int i = 0; i < shape.arrays; ++i) {
    const int each = PyArray_CheckExact(args[i]) ? PyArray_TYPE(reinterpret_cast<PyArrayObject*>(args[i])) : NPY_NOTYPE;
    type = i == 0 || each == type ? each : NPY_NOTYPE;
  }
  const bool plain = type == NPY_FLOAT16 || type == NPY_FLOAT32 || type == NPY_FLOAT64;
  const int wanted = type == NPY_FLOAT64 || (type == NPY_FLOAT32 && shape.precise) ? NPY_FLOAT64 : NPY_FLOAT32;

  for (int i = 0; i < shape.arrays; ++i) passed.push_back(args[i]);
  py::object converted[most_parameters];
  double numbers[most_parameters];
  for (int j = 0; j < shape.parameters; ++j) {
    PyObject* value = values[j] != nullptr ? values[j] : front.defaults[j];
    if (value == nullptr) {
      PyErr_Format(PyExc_TypeError, "%s() missing required argument '%s'", front.definition.ml_name,
                   front.record->parameter[j].name);
      return nullptr;
    }
    if (check_domain(front, j, value, numbers) < 0) return nullptr;
    if (plain && values[j] == nullptr) {
      value = wanted == NPY_FLOAT32 ? front.defaults32[j] : front.defaults64[j];
    } else if (plain && PyFloat_Check(value)) {  // np.float64 is one
      value = zero_dimensional(wanted, PyFloat_AS_DOUBLE(value));
      if (value == nullptr) return nullptr;
      converted[j] = py::reinterpret_steal<py::object>(value);
    }
    passed.push_back(value);
  }
  for (Py_ssize_t i = inputs; i < nargs; ++i) passed.push_back(args[i]);
  const size_t positional = passed.size() - 1;
  passed.insert(passed.end(), rest_values.begin(), rest_values.end());
  return PyObject_Vectorcall(front.ufunc, passed.data() + 1, positional | PY_VECTORCALL_ARGUMENTS_OFFSET,
                             rest_values.empty() ? nullptr : (rest ? rest.ptr() : keywords));
}

PyObject* front_end(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* keywords) {
  return translated<PyObject*>(nullptr, [&] { return call_front_end(self, args, nargs, keywords); });
}

// A built-in function is pickled by name and shown without "method of" when what it is bound to is a module: so each is
// bound to an anonymous one whose state is its FrontEnd.
PyModuleDef front_end_holder = {PyModuleDef_HEAD_INIT, "numact", nullptr, sizeof(FrontEnd*), nullptr, nullptr,
                                nullptr,               nullptr,  nullptr};

py::object make_front_end(const std::string& name, const std::string& doc, const py::object& ufunc, const Shape& shape,
                          const Record& record, bool from_output, const std::string& module) {
  auto* const front = new FrontEnd{};
  std::string signature = name + "(" + (shape.arrays == 1 ? "x" : from_output ? "dy, y" : "dy, x") + ", /";
  front->ufunc = ufunc.inc_ref().ptr();
  front->shape = shape;
  front->record = &record;
  front->from_output = from_output;
  for (int j = 0; j < shape.parameters; ++j) {
    const ParameterRecord& parameter = record.parameter[j];
    front->names[j] = checked(PyUnicode_InternFromString(parameter.name)).release().ptr();
    signature += std::string(", ") + parameter.name;
    if (std::isnan(parameter.fallback)) continue;
    front->defaults[j] = checked(PyFloat_FromDouble(parameter.fallback)).release().ptr();
    front->defaults32[j] = checked(zero_dimensional(NPY_FLOAT32, parameter.fallback)).release().ptr();
    front->defaults64[j] = checked(zero_dimensional(NPY_FLOAT64, parameter.fallback)).release().ptr();
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
// where there are no parameters.
py::tuple make_functions(const std::string& level, bool precise, const py::dict& docs, const std::string& module) {
  const Table& table = level_table(level);
  py::dict ufuncs, functions;
  for (int k = 0; k < table.elementwise_count; ++k) {
    const ElementwiseKernel& kernel = table.elementwise[k];
    if (!kernel.exists() || kernel.tier != Tier::standard || kernel.computed != Type::float32) continue;
    const Record& record = elementwise_records[kernel.record];
    const std::string name = std::string(record.name) + suffix(kernel.direction);
    const py::str key(name);
    const Shape shape{&table,        kernel.record,     kernel.direction, precise,
                      kernel.arrays, kernel.parameters, kernel.outputs,   {},               nullptr};
    const std::string doc = docs.contains(key) ? std::string(py::str(docs[key])) : std::string();
    ufuncs[key] = make_ufunc(name, doc, shape);
    if (kernel.parameters == 0)
      functions[key] = ufuncs[key];
    else
      functions[key] = make_front_end(name, doc, ufuncs[key], shape, record,
                                      kernel.direction == Direction::backward_from_output, module);
  }
  return py::make_tuple(ufuncs, functions);
}

}  // namespace

void register_ufuncs(py::module_& m) {
  m.def("make_functions", make_functions, py::arg("level"), py::arg("precise"), py::arg("docs"), py::arg("module"),
        "Ufuncs and public functions of one tier at one ISA level, by name.");
}

}  // namespace numact

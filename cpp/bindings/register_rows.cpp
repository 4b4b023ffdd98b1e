// The activations over rows as NumPy's generalized ufuncs: softmax, log_softmax, softmin and their gradients.
#include "numpy_api.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "../runtime/fp_scope.hpp"
#include "../runtime/room.hpp"
#include "../runtime/threads.hpp"
#include "direct_call.hpp"
#include "grid.hpp"
#include "promotion.hpp"
#include "records.hpp"
#include "register.hpp"
#include "ufunc_function.hpp"

namespace py = pybind11;

namespace numact {
namespace {

constexpr int most_operands = 3;

// ---- the loop NumPy calls ----

struct Loop {
  const RowsKernel* kernel;
  RowsWalk walk;
  RowsPart part;

  int operands() const { return kernel->arrays + 1; }
};

// Rows of n elements each. They lie in runs of rows at equal distances.
struct Rows {
  const Loop* loop;
  const Grid* grid;  // its innermost axis leads through a run
  ptrdiff_t n, strides[2 * most_operands];  // from row to row of a run, then from element to element

  Rows(const Loop& loop_given, const Grid& grid_given, ptrdiff_t n_given, const ptrdiff_t* element_strides)
      : loop(&loop_given), grid(&grid_given), n(n_given) {
    std::copy_n(grid->stride[0], grid->arrays, strides);
    std::copy_n(element_strides, grid->arrays, strides + grid->arrays);
  }
  ptrdiff_t rows_of_run() const { return grid->length[0]; }
  ptrdiff_t runs() const { return grid->rows(); }
  void place(ptrdiff_t run, ptrdiff_t row, char** operands) const {
    grid->row(run, operands);
    for (int i = 0; i < grid->arrays; ++i) operands[i] += row * strides[i];
  }
  // `count` rows of a run from `first` on.
  void walk(ptrdiff_t run, ptrdiff_t first, ptrdiff_t count) const {
    char* operands[Grid::most_arrays];
    place(run, first, operands);
    loop->walk(*loop->kernel, operands, strides, count, n, room());
  }
};

// Many rows: a chunk is some of a run, or some runs.
struct RowsJob : Rows {
  ptrdiff_t rows_per_chunk, runs_per_chunk, chunks_per_run;

  RowsJob(const Rows& rows, int team) : Rows(rows) {
    const ptrdiff_t each = rows_of_run(), line = 16;
    const bool strips = loop->kernel->whole_strip != nullptr && std::abs(strides[0]) < std::abs(strides[grid->arrays]);
    const ptrdiff_t least = strips ? most_strip_rows : 1;
    // Whole cache lines of rows that lie side by side.
    const ptrdiff_t wanted = (std::max(least, threads::long_chunk(each * runs() * n, team) / n) + line - 1) / line * line;
    const ptrdiff_t share = (each * runs() + team - 1) / team;
    const ptrdiff_t together = std::min(wanted, strips ? (share + line - 1) / line * line : share);
    rows_per_chunk = std::min(together, each);
    runs_per_chunk = together / rows_per_chunk;
    chunks_per_run = (each + rows_per_chunk - 1) / rows_per_chunk;
  }
  void run(int team) {
    threads::run((runs() + runs_per_chunk - 1) / runs_per_chunk * chunks_per_run, team, run_chunk, this);
  }
  static void run_chunk(void* argument, ptrdiff_t chunk) {
    const RowsJob& job = *static_cast<const RowsJob*>(argument);
    const ptrdiff_t first = chunk % job.chunks_per_run * job.rows_per_chunk;
    const ptrdiff_t count = std::min(job.rows_per_chunk, job.rows_of_run() - first);
    const ptrdiff_t run = chunk / job.chunks_per_run * job.runs_per_chunk, end = std::min(job.runs(), run + job.runs_per_chunk);
    for (ptrdiff_t k = run; k < end; ++k) job.walk(k, first, count);
  }
};

// One long row: the chunks in which it is summed in any case.
struct LongRowJob : Rows {
  char* operands[Grid::most_arrays];
  RowStep step = row_maximum;
  RowFacts<1> facts;
  RowFacts<1> parts[most_row_chunks];

  LongRowJob(const Rows& rows, ptrdiff_t run, ptrdiff_t row) : Rows(rows) { place(run, row, operands); }
  static void run_chunk(void* argument, ptrdiff_t chunk) {
    LongRowJob& job = *static_cast<LongRowJob*>(argument);
    const ptrdiff_t length = row_chunk_length(job.n), begin = chunk * length;
    job.parts[chunk] = job.loop->part(*job.loop->kernel, job.step, job.operands, job.strides, begin,
                                      std::min(job.n, begin + length), job.facts, room());
  }
  void run(int team) {
    const RowsKernel& kernel = *loop->kernel;
    const ptrdiff_t length = row_chunk_length(n), chunks = (n + length - 1) / length;
    clear(facts);
    for (int which = kernel.first(); which <= row_output; ++which) {
      step = static_cast<RowStep>(which);
      do {
        threads::run(chunks, team, run_chunk, this);
        for (ptrdiff_t k = 0; k < chunks; ++k) merge(facts, parts[k], step);
      } while (step == row_sum && kernel.smaller_dy != 1 && start_again(facts, kernel.smaller_dy));
    }
  }
};

// Rows of the output that lie on each other, not apart, are written in order.
void run_rows(const Rows& rows, bool apart) {
  const FpScope scope;
  const ptrdiff_t runs = rows.runs(), each = rows.rows_of_run(), n = rows.n;
  const int team = apart ? threads::worthwhile(rows.loop->kernel->work(runs * each, n)) : 1;
  if (team == 1) {
    for (ptrdiff_t run = 0; run < runs; ++run) rows.walk(run, 0, each);
  } else if (runs * each < 2 * team && n > row_chunk_length(n)) {
    for (ptrdiff_t k = 0; k < runs * each; ++k) LongRowJob(rows, k / each, k % each).run(team);
  } else {
    RowsJob(rows, team).run(team);
  }
}

int run_loop(const Loop& loop, char* const* operands, const npy_intp* dimensions, const npy_intp* strides) {
  const ptrdiff_t rows = dimensions[0], n = dimensions[1];
  if (rows == 0 || n == 0) return 0;
  const int out = loop.operands() - 1;
  const ptrdiff_t outer = std::abs(strides[out]), inner = std::abs(strides[loop.operands() + out]);
  const bool apart = inner > 0 && (rows == 1 || (outer > 0 && (outer >= n * inner || inner >= rows * outer)));
  Grid grid;
  grid.arrays = loop.operands();
  grid.axes = 1;
  grid.length[0] = rows;
  std::copy_n(strides, grid.arrays, grid.stride[0]);
  std::copy_n(operands, grid.arrays, grid.data);
  run_rows(Rows(loop, grid, n, strides + grid.arrays), apart);
  return 0;
}

// ---- promotion ----

struct Function {
  const Table* table;
  const char* name;
  Direction direction;
  bool precise;
  int arrays;
  const Loop* loops[type_count] = {};           // by the type of the data, once they were added
  const PyArray_DTypeMeta* bfloat16 = nullptr;  // for which a loop was added

  int inputs() const { return arrays; }
  int operands() const { return arrays + 1; }
};

void add_loop(PyObject* ufunc, Function& function, Type data, PyArray_DTypeMeta* dtype) {
  const int type = static_cast<int>(data);
  const RowsKernel& kernel = find_kernel(
      function.table->rows, function.table->rows_count, function.precise, data, [&](const RowsKernel& each) {
        return std::strcmp(each.name, function.name) == 0 && each.direction == function.direction;
      });
  PyArray_DTypeMeta* dtypes[most_operands];
  for (int i = 0; i < function.operands(); ++i) dtypes[i] = dtype;
  PyType_Slot slots[] = {{NPY_METH_strided_loop, strided_loop_of<Function>(data)}, {0, nullptr}};
  PyArrayMethod_Spec spec = {function.name,  function.arrays, 1,    NPY_NO_CASTING, NPY_METH_NO_FLOATINGPOINT_ERRORS,
                             dtypes, slots};
  check(PyUFunc_AddLoopFromSpec(ufunc, &spec));
  function.loops[type] = new Loop{&kernel, function.table->rows_walk[type], function.table->rows_part[type]};
}

int promote(PyObject* ufunc, PyArray_DTypeMeta* const given[], PyArray_DTypeMeta* const signature[],
            PyArray_DTypeMeta* result[]) {
  return translated(-1, [&] {
    Function& function = function_of<Function>(ufunc);
    PyArray_DTypeMeta* const data = data_dtype(ufunc, function, given, signature);
    std::fill_n(result, function.operands(), data);
    return answered(given, result, function.operands());
  });
}

// ---- calls without NumPy ----

// The result, or nothing where NumPy shall do it. A new array is laid out as the first.
py::object call_directly(const Function& function, PyObject* const* args, PyObject* axis_keyword, PyObject* out) {
  const Loop* const loop = loop_for(function, args);
  if (loop == nullptr) return {};
  auto* const first = reinterpret_cast<PyArrayObject*>(args[0]);
  const PyArray_DTypeMeta* const dtype = NPY_DTYPE(PyArray_DESCR(first));
  const int axes = PyArray_NDIM(first), axis = core_axis(axis_keyword, axes);
  if (axes == 0 || axis < 0 || PyArray_SIZE(first) == 0) return {};
  py::object result;
  Operand operands[most_operands];
  for (int i = 0; i < function.operands(); ++i) {
    const bool fresh = i == function.arrays && out == nullptr;
    if (fresh) result = checked(PyArray_NewLikeArray(first, NPY_KEEPORDER, nullptr, 0));
    PyArrayObject* const array = plain_array(i < function.arrays ? args[i] : fresh ? result.ptr() : out, dtype);
    if (array == nullptr || !PyArray_SAMESHAPE(array, first)) return {};
    operands[i] = Operand(array);
    if (i == function.arrays && !PyArray_ISWRITEABLE(array)) return {};
  }
  if (out != nullptr) {
    Grid whole;
    whole.place(operands, function.operands());
    whole.merge();
    if (!whole.distinct(function.arrays)) return {};
    for (int i = 0; i < function.arrays; ++i)
      if (!whole.same_or_apart(i, function.arrays)) return {};
    result = py::reinterpret_borrow<py::object>(out);
  }

  Outer outer[most_operands];
  ptrdiff_t element_strides[most_operands];
  for (int i = 0; i < function.operands(); ++i) {
    element_strides[i] = operands[i].strides[axis];
    operands[i] = outer[i].without(operands[i], axis);
  }
  Grid grid;
  grid.place(operands, function.operands());
  grid.merge();
  const FpScope scope;
  const ptrdiff_t n = PyArray_DIM(first, axis);
  const WithoutGil released(loop->kernel->work(PyArray_SIZE(first) / n, n));
  run_rows(Rows(*loop, grid, n, element_strides), true);
  return result;
}

vectorcallfunc numpy_call = nullptr;  // of every ufunc

// A call with the axis as one more keyword, and the first arguments alone.
PyObject* call_with_axis(vectorcallfunc call, PyObject* self, PyObject* const* args, Py_ssize_t kept, Py_ssize_t positional,
                         PyObject* keywords, PyObject* axis) {
  py::list names;
  if (keywords != nullptr) names = py::reinterpret_borrow<py::tuple>(keywords);
  std::vector<PyObject*> passed(args, args + kept);
  passed.insert(passed.end(), args + positional, args + positional + static_cast<Py_ssize_t>(names.size()));
  passed.push_back(axis);
  names.append("axis");
  return call(self, passed.data(), static_cast<size_t>(kept), py::tuple(names).ptr());
}

bool is_foreign(PyObject* object) {
  return !PyArray_Check(object) && !PyArray_CheckAnyScalar(object) && PyObject_HasAttrString(object, "__array_ufunc__") == 1;
}

[[noreturn]] void refuse(PyObject* ufunc, const char* what, const char* more = "") {
  PyErr_Format(PyExc_TypeError, "%s: %s%s", reinterpret_cast<PyUFuncObject*>(ufunc)->name, what, more);
  throw py::error_already_set();
}

PyObject* call_ufunc(PyObject* self, PyObject* const* args, size_t nargs, PyObject* keywords) {
  return translated<PyObject*>(nullptr, [&] {
    const Function& function = function_of<Function>(self);
    const Py_ssize_t positional = PyVectorcall_NARGS(nargs), inputs = function.inputs();
    Outputs outputs(function.inputs(), 1, args, positional);
    PyObject* axis = nullptr;
    bool has_axes = false;
    for (Py_ssize_t k = 0; keywords != nullptr && k < PyTuple_GET_SIZE(keywords); ++k) {
      PyObject* const keyword = PyTuple_GET_ITEM(keywords, k);
      if (PyUnicode_CompareWithASCIIString(keyword, "axis") == 0)
        axis = args[positional + k];
      else
        outputs.keyword(keyword, args[positional + k]);
      has_axes |= PyUnicode_CompareWithASCIIString(keyword, "axes") == 0;
    }
    for (Py_ssize_t i = 0; i < std::min(inputs, positional); ++i)
      if (is_masked(args[i])) refuse(self, "the mask of a masked array would be lost; pass its .data or .filled()");
    // An axis may stand where the output may.
    PyObject* const last = positional == inputs + 1 ? args[inputs] : Py_None;
    const bool is_output = last == Py_None || PyArray_Check(last) || is_foreign(last);
    if (!is_output && axis != nullptr) refuse(self, "axis is given by position and by keyword");
    PyObject* const given = is_output ? axis : last;
    if (given != nullptr && (!PyIndex_Check(given) || PyBool_Check(given) || PyArray_IsScalar(given, Bool)))
      refuse(self, "axis must be an integer, not ", Py_TYPE(given)->tp_name);
    if (!is_output) return call_with_axis(call_ufunc, self, args, inputs, positional, keywords, last);
    if (outputs.alone && positional >= inputs)
      if (py::object result = call_directly(function, args, axis, outputs.given[0])) return result.release().ptr();
    // pandas would go along the rows of its transposed blocks where no keyword is given.
    if (axis == nullptr && !has_axes && positional >= inputs && is_foreign(args[0]))
      return call_with_axis(numpy_call, self, args, positional, positional, keywords, py::int_(-1).ptr());
    return call_numpy(numpy_call, self, args, nargs, keywords);
  });
}

// ---- construction ----

py::object make_function(const std::string& name, const std::string& doc, const Function& described) {
  const char* const signature = described.arrays == 1 ? "(n)->(n)" : "(n),(n)->(n)";
  py::object ufunc = checked(PyUFunc_FromFuncAndDataAndSignature(nullptr, kept_function(described), nullptr, 0,
                                                                 described.arrays, 1, PyUFunc_None, kept(name), kept(doc), 0,
                                                                 signature));
  Function& function = function_of<Function>(ufunc.ptr());
  vectorcallfunc& call = reinterpret_cast<PyUFuncObject*>(ufunc.ptr())->vectorcall;
  numpy_call = call;
  call = call_ufunc;
  for (const Type type : {Type::float16, Type::float32, Type::float64})
    add_loop(ufunc.ptr(), function, type, dtype_of(type));
  add_promoter(ufunc, promote, function.operands());
  return ufunc;
}

// The functions of one tier at one level, by name.
py::dict make_row_functions(const std::string& level, bool precise, const py::dict& docs) {
  const Table& table = level_table(level);
  py::dict functions;
  for (int k = 0; k < table.rows_count; ++k) {
    const RowsKernel& kernel = table.rows[k];
    const py::str name(std::string(kernel.name) + suffix(kernel.direction));
    if (!functions.contains(name))
      functions[name] = make_function(
          name, py::str(docs[name]), {&table, kernel.name, kernel.direction, precise, kernel.arrays, {}, nullptr});
  }
  return functions;
}

}  // namespace

void register_rows(py::module_& m) {
  m.def("make_row_functions", make_row_functions, py::arg("level"), py::arg("precise"), py::arg("docs"),
        "The functions over rows of one tier at one ISA level, by name.");
}

}  // namespace numact

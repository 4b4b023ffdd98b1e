// The activations over rows as NumPy's generalized ufuncs: softmax, log_softmax, softmin and their gradients.
#include "numpy_api.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <unordered_map>

#include "../runtime/fp_scope.hpp"
#include "../runtime/threads.hpp"
#include "numbered_loops.hpp"
#include "promotion.hpp"
#include "records.hpp"
#include "register.hpp"

namespace py = pybind11;

namespace numact {
namespace {

using threads::chunk_length;

constexpr int most_operands = 3;

// ---- the loop NumPy calls ----

struct Loop {
  const RowsKernel* kernel;
  RowsWalk walk;
  RowsPart part;

  int operands() const { return kernel->arrays + 1; }
};

struct Job {
  const Loop* loop;
  char* const* operands;
  const npy_intp* strides;
  ptrdiff_t rows, n;
};

// Many rows: a chunk is some of them.
struct RowsJob : Job {
  ptrdiff_t rows_per_chunk;

  static void run_chunk(void* argument, ptrdiff_t chunk) {
    const RowsJob& job = *static_cast<const RowsJob*>(argument);
    const ptrdiff_t begin = chunk * job.rows_per_chunk;
    char* moved[most_operands];
    for (int i = 0; i < job.loop->operands(); ++i) moved[i] = job.operands[i] + begin * job.strides[i];
    job.loop->walk(*job.loop->kernel, moved, job.strides, std::min(job.rows_per_chunk, job.rows - begin), job.n);
  }
};

// One long row: the chunks in which it is summed in any case.
struct LongRowJob : Job {
  RowStep step;
  RowFacts<1> row;
  RowFacts<1> parts[most_row_chunks];

  static void run_chunk(void* argument, ptrdiff_t chunk) {
    LongRowJob& job = *static_cast<LongRowJob*>(argument);
    const ptrdiff_t length = row_chunk_length(job.n), begin = chunk * length;
    job.parts[chunk] = job.loop->part(*job.loop->kernel, job.step, job.operands, job.strides, begin,
                                      std::min(job.n, begin + length), job.row);
  }
  void run(int team) {
    const RowsKernel& kernel = *loop->kernel;
    const ptrdiff_t length = row_chunk_length(n), chunks = (n + length - 1) / length;
    clear(row);
    for (int which = kernel.first(); which <= row_output; ++which) {
      step = static_cast<RowStep>(which);
      do {
        threads::run(chunks, team, run_chunk, this);
        for (ptrdiff_t k = 0; k < chunks; ++k) merge(row, parts[k], step);
      } while (step == row_sum && kernel.smaller_dy != 1 && start_again(row, kernel.smaller_dy));
    }
  }
};

int run_loop(const Loop& loop, char* const* operands, const npy_intp* dimensions, const npy_intp* strides) {
  const FpScope scope;
  const ptrdiff_t rows = dimensions[0], n = dimensions[1];
  if (rows == 0 || n == 0) return 0;
  const Job job{&loop, operands, strides, rows, n};
  // Rows of the output that lie on each other are written in order.
  const int out = loop.operands() - 1;
  const ptrdiff_t outer = std::abs(strides[out]), inner = std::abs(strides[loop.operands() + out]);
  const bool apart = rows == 1 || (outer > 0 && inner > 0 && (outer >= n * inner || inner >= rows * outer));
  const int team = apart ? threads::worthwhile(double(rows) * double(n) * loop.kernel->cost) : 1;
  if (team == 1) {
    loop.walk(*loop.kernel, operands, strides, rows, n);
  } else if (rows < 2 * team && n > row_chunk_length(n)) {
    for (ptrdiff_t k = 0; k < rows; ++k) {
      char* moved[most_operands];
      for (int i = 0; i < loop.operands(); ++i) moved[i] = operands[i] + k * strides[i];
      LongRowJob row_job{{&loop, moved, strides, 1, n}, row_maximum, {}, {}};
      row_job.run(team);
    }
  } else {
    // Whole cache lines of rows that lie side by side.
    const ptrdiff_t wanted = std::max<ptrdiff_t>(1, chunk_length / n), line = 16;
    RowsJob rows_job{job, (wanted + line - 1) / line * line};
    rows_job.rows_per_chunk = std::min(rows_job.rows_per_chunk, (rows + team - 1) / team);
    threads::run((rows + rows_job.rows_per_chunk - 1) / rows_job.rows_per_chunk, team, RowsJob::run_chunk, &rows_job);
  }
  return 0;
}

using Loops = NumberedLoops<Loop, 256, run_loop>;

// ---- construction ----

struct Function {
  const Table* table;
  const char* name;
  Direction direction;
  bool precise;
  int arrays;
  const PyArray_DTypeMeta* bfloat16 = nullptr;  // for which a loop was added

  int inputs() const { return arrays; }
  int operands() const { return arrays + 1; }
};
// They live as long as the process: an address never stands for another one.
std::unordered_map<const PyObject*, Function>& row_functions() {
  static auto* const all = new std::unordered_map<const PyObject*, Function>;
  return *all;
}

void add_loop(PyObject* ufunc, const Function& function, Type data, PyArray_DTypeMeta* dtype) {
  const int type = static_cast<int>(data);
  const RowsKernel& kernel = find_kernel(
      function.table->rows, function.table->rows_count, function.precise, data, [&](const RowsKernel& each) {
        return std::strcmp(each.name, function.name) == 0 && each.direction == function.direction;
      });
  const size_t place = Loops::place_of({&kernel, function.table->rows_walk[type], function.table->rows_part[type]});
  PyArray_DTypeMeta* dtypes[most_operands];
  for (int i = 0; i < function.operands(); ++i) dtypes[i] = dtype;
  PyType_Slot slots[] = {{NPY_METH_strided_loop, Loops::function(place)}, {0, nullptr}};
  PyArrayMethod_Spec spec = {function.name,  function.arrays, 1,    NPY_NO_CASTING, NPY_METH_NO_FLOATINGPOINT_ERRORS,
                             dtypes, slots};
  check(PyUFunc_AddLoopFromSpec(ufunc, &spec));
}

int promote(PyObject* ufunc, PyArray_DTypeMeta* const given[], PyArray_DTypeMeta* const signature[],
            PyArray_DTypeMeta* result[]) {
  return translated(-1, [&] {
    Function& function = row_functions().at(ufunc);
    PyArray_DTypeMeta* const data = data_dtype(ufunc, function, given, signature);
    for (int i = 0; i < function.operands(); ++i) {
      result[i] = data;
      Py_INCREF(result[i]);
    }
    return 0;
  });
}

py::object make_function(const std::string& name, const std::string& doc, const Function& function) {
  const char* const signature = function.arrays == 1 ? "(n)->(n)" : "(n),(n)->(n)";
  py::object ufunc = checked(PyUFunc_FromFuncAndDataAndSignature(nullptr, nullptr, nullptr, 0, function.arrays, 1,
                                                                 PyUFunc_None, kept(name), kept(doc), 0, signature));
  for (const Type type : {Type::float16, Type::float32, Type::float64})
    add_loop(ufunc.ptr(), function, type, dtype_of(type));
  row_functions().emplace(ufunc.inc_ref().ptr(), function);
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
      functions[name] = make_function(name, py::str(docs[name]), {&table, kernel.name, kernel.direction, precise, kernel.arrays});
  }
  return functions;
}

}  // namespace

void register_rows(py::module_& m) {
  m.def("make_row_functions", make_row_functions, py::arg("level"), py::arg("precise"), py::arg("docs"),
        "The functions over rows of one tier at one ISA level, by name.");
}

}  // namespace numact

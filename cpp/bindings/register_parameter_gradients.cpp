// Gradients of learned parameters: dx elementwise, and the terms dy * df/dparameter summed to the parameter's shape.
//
// The elements are walked in C order of the data's shape whatever the memory layout, in ranges that depend on the shape
// alone. A range keeps sums of its own; terms of a row that go to one sum go by index to a fixed number of lanes that are
// combined in a fixed tree, rows and ranges are added in order: the same bits for every layout and number of threads.
#include "numpy_api.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "../runtime/fp_scope.hpp"
#include "../runtime/threads.hpp"
#include "records.hpp"
#include "register.hpp"

namespace py = pybind11;

namespace numact {
namespace {

// A sum and what rounding has left out of it so far (Knuth's two-sum), so that adding costs no accuracy.
struct Sum {
  double value = 0, rest = 0;
  void add(double term) {
    const double sum = value + term, from_term = sum - value;
    rest += (value - (sum - from_term)) + (term - from_term);
    value = sum;
  }
  void add(const Sum& other) {
    add(other.value);
    rest += other.rest;
  }
  double total() const { return std::isfinite(value) ? value + rest : value; }
};

constexpr npy_intp stage_length = 1024;

Sum sum_of(const SumLanes& lanes) {
  Sum partial[row_lanes];
  for (int k = 0; k < row_lanes; ++k) partial[k] = {lanes.sum[k], lanes.low[k]};
  for (int half = row_lanes / 2; half > 0; half /= 2)
    for (int k = 0; k < half; ++k) partial[k].add(partial[k + half]);
  return partial[0];
}

// How the data's elements map to the parameter's: the trailing axes of one kind form rows.
struct Layout {
  npy_intp size = 1, row = 1, parameter_size = 1;
  bool summed = true;  // a row goes to one sum, or its elements to neighbouring ones
  struct Axis {
    npy_intp length, step;  // step in the parameter, 0 where it is broadcast
  };
  std::vector<Axis> outer;  // innermost first

  Layout(PyArrayObject* data, PyArrayObject* parameter) {
    const int axes = PyArray_NDIM(data), own = PyArray_NDIM(parameter);
    bool in_row = true, first = true;
    for (int i = 0; i < axes; ++i) {
      const npy_intp length = PyArray_DIM(data, axes - 1 - i);
      const npy_intp kept = i < own ? PyArray_DIM(parameter, own - 1 - i) : 1;
      size *= length;
      if (length == 1) continue;
      if (first) summed = kept == 1;
      first = false;
      in_row = in_row && (kept == 1) == summed;
      if (in_row)
        row *= length;
      else
        outer.push_back({length, kept == 1 ? 0 : parameter_size});
      parameter_size *= kept;
    }
  }
  npy_intp place_of_row(npy_intp index) const {
    npy_intp place = 0;
    if (parameter_size == (summed ? 1 : row)) return place;
    for (const Axis& axis : outer) {
      place += index % axis.length * axis.step;
      index /= axis.length;
    }
    return place;
  }
};

// One for each element of the parameter.
struct Sums {
  std::vector<double> value, rest;

  explicit Sums(npy_intp n) : value(static_cast<size_t>(n)), rest(static_cast<size_t>(n)) {}
  void add(npy_intp place, const Sum& other) {
    const auto i = static_cast<size_t>(place);
    Sum sum{value[i], rest[i]};
    sum.add(other);
    value[i] = sum.value, rest[i] = sum.rest;
  }
};

struct Task {
  const Layout* layout;
  const ParameterGradientKernel* kernel;
  ParameterGradientWalk walk;
  npy_intp range;
  std::vector<NpyIter*> iterators;
  std::vector<Sums> sums;
};

// The elements of a range, a run of the iterator at a time.
template <class Run>
void for_each_run(const Task& task, ptrdiff_t index, Run run) {
  NpyIter* const iterator = task.iterators[static_cast<size_t>(index)];
  npy_intp position = index * task.range;
  NpyIter_IterNextFunc* const next = NpyIter_GetIterNext(iterator, nullptr);
  char** const pointers = NpyIter_GetDataPtrArray(iterator);
  const npy_intp* const strides = NpyIter_GetInnerStrideArray(iterator);
  const npy_intp* const inner = NpyIter_GetInnerLoopSizePtr(iterator);
  do {
    char* moved[] = {pointers[0], pointers[1], pointers[2], pointers[3]};
    for (npy_intp left = *inner; left > 0;) {
      const npy_intp n = run(position, moved, strides, left);
      for (int i = 0; i < 4; ++i) moved[i] += n * strides[i];
      position += n;
      left -= n;
    }
  } while (next(iterator));
}

// Each row goes to one sum.
void sum_rows(Task& task, ptrdiff_t index) {
  const Layout& layout = *task.layout;
  Sums& sums = task.sums[static_cast<size_t>(index)];
  SumLanes lanes = {};
  npy_intp row = index * task.range / layout.row;
  for_each_run(task, index, [&](npy_intp position, char* const* operands, const npy_intp* strides, npy_intp left) {
    const npy_intp offset = position - position / layout.row * layout.row, n = std::min(left, layout.row - offset);
    if (position / layout.row != row) {
      sums.add(layout.place_of_row(row), sum_of(lanes));
      lanes = {};
      row = position / layout.row;
    }
    task.walk.together(*task.kernel, operands, strides, static_cast<int>(offset % row_lanes), lanes, n);
    return n;
  });
  sums.add(layout.place_of_row(row), sum_of(lanes));
}

// The elements of a row go to neighbouring sums, those of a short row to a stage of many rows; where all rows go to the same
// sums the stage is kept to the end.
void sum_apart(Task& task, ptrdiff_t index) {
  const Layout& layout = *task.layout;
  Sums& sums = task.sums[static_cast<size_t>(index)];
  const npy_intp begin = index * task.range, row = layout.row, staged = stage_length / row * row;
  if (row >= stage_length / 16) {
    for_each_run(task, index, [&](npy_intp position, char* const* operands, const npy_intp* strides, npy_intp left) {
      const npy_intp offset = position % row, n = std::min(left, row - offset);
      const auto place = static_cast<size_t>(layout.place_of_row(position / row) + offset);
      task.walk.apart(*task.kernel, operands, strides, &sums.value[place], &sums.rest[place], n);
      return n;
    });
    return;
  }
  const bool same_sums = layout.parameter_size == row;
  double terms[stage_length] = {}, rests[stage_length] = {};
  npy_intp first_row = begin / row, filled = 0;
  const auto empty = [&] {
    for (npy_intp i = 0; i < filled; ++i)
      sums.add(layout.place_of_row(first_row + i / row) + i % row, {terms[i], rests[i]});
    std::fill_n(terms, filled, 0.0);
    std::fill_n(rests, filled, 0.0);
  };
  for_each_run(task, index, [&](npy_intp position, char* const* operands, const npy_intp* strides, npy_intp left) {
    const npy_intp place = (position - begin) % staged, n = std::min(left, staged - place);
    if (place == 0 && !same_sums) {
      empty();
      first_row = position / row;
    }
    task.walk.apart(*task.kernel, operands, strides, terms + place, rests + place, n);
    filled = std::max(same_sums ? filled : 0, place + n);
    return n;
  });
  empty();
}

void run_range(void* argument, ptrdiff_t index) {
  const FpScope scope;
  Task& task = *static_cast<Task*>(argument);
  (task.layout->summed ? sum_rows : sum_apart)(task, index);
}

__attribute__((noinline)) void narrow(const double* from, float* to, npy_intp n) {
  for (npy_intp i = 0; i < n; ++i) to[i] = static_cast<float>(from[i]);
}

// Writes dx and returns the parameter's gradient, of its shape: float32 beside float32 data, else float64. dy, x and the
// parameter broadcast to dx, which has the data's dtype.
py::object parameter_gradient(const std::string& level, const std::string& name, bool precise, const py::object& dy,
                              const py::object& x, const py::object& parameter, const py::object& dx) {
  for (const py::object& each : {dy, x, parameter, dx})
    if (!PyArray_Check(each.ptr())) throw py::type_error("arrays are needed");
  const FpScope scope;  // NumPy casts to its buffers already while the iterators are set up
  auto* const out = reinterpret_cast<PyArrayObject*>(dx.ptr());
  const std::optional<Type> data_type = type_of(out);
  if (!data_type) throw py::type_error("arrays of floating-point numbers are needed");
  const Table& table = level_table(level);
  const ParameterGradientKernel& kernel =
      find_kernel(table.parameter_gradients, table.parameter_gradient_count, precise, *data_type,
                  [&](const ParameterGradientKernel& each) {
                    return each.exists() && name == elementwise_records[each.record].name;
                  });
  auto* const values = reinterpret_cast<PyArrayObject*>(parameter.ptr());
  const Layout layout(out, values);

  const bool narrowed = *data_type == Type::float32;
  const py::object result =
      checked(PyArray_ZEROS(PyArray_NDIM(values), PyArray_DIMS(values), narrowed ? NPY_FLOAT32 : NPY_FLOAT64, 0));
  if (layout.size == 0) return result;

  // At most 64 ranges, and no more than half a byte for their sums per element of the data.
  const npy_intp ranges =
      std::clamp<npy_intp>(std::min(layout.size >> 15, layout.size / (32 * layout.parameter_size + 1)), 1, 64);
  const npy_intp unit = layout.summed ? stage_length : layout.row;
  npy_intp range = (layout.size + ranges - 1) / ranges;
  range = std::max<npy_intp>(1, (range + unit - 1) / unit * unit);
  const npy_intp count = (layout.size + range - 1) / range;

  const py::object data_dtype = checked(reinterpret_cast<PyObject*>(PyArray_DescrFromType(PyArray_TYPE(out))));
  const int wanted = kernel.parameter == Type::float32 ? NPY_FLOAT32 : NPY_FLOAT64;
  const py::object parameter_dtype = checked(reinterpret_cast<PyObject*>(PyArray_DescrFromType(wanted)));
  PyArrayObject* operands[] = {
      reinterpret_cast<PyArrayObject*>(dy.ptr()), reinterpret_cast<PyArrayObject*>(x.ptr()),
      reinterpret_cast<PyArrayObject*>(parameter.ptr()), out};
  auto* const data = reinterpret_cast<PyArray_Descr*>(data_dtype.ptr());
  PyArray_Descr* dtypes[] = {data, data, reinterpret_cast<PyArray_Descr*>(parameter_dtype.ptr()), data};
  constexpr npy_uint32 each = NPY_ITER_NBO | NPY_ITER_ALIGNED | NPY_ITER_OVERLAP_ASSUME_ELEMENTWISE;
  npy_uint32 flags[] = {each | NPY_ITER_READONLY, each | NPY_ITER_READONLY, each | NPY_ITER_READONLY,
                        each | NPY_ITER_WRITEONLY | NPY_ITER_NO_BROADCAST};
  const auto release = [](NpyIter* iterator) { NpyIter_Deallocate(iterator); };
  const std::unique_ptr<NpyIter, decltype(release)> whole(
      NpyIter_MultiNew(4, operands,
                       NPY_ITER_EXTERNAL_LOOP | NPY_ITER_BUFFERED | NPY_ITER_GROWINNER | NPY_ITER_RANGED |
                           NPY_ITER_DELAY_BUFALLOC | NPY_ITER_ZEROSIZE_OK | NPY_ITER_COPY_IF_OVERLAP,
                       NPY_CORDER, NPY_SAME_KIND_CASTING, flags, dtypes),
      release);
  if (!whole) throw py::error_already_set();

  Task task{&layout, &kernel, table.parameter_gradient_walk[static_cast<int>(*data_type)], range, {}, {}};
  std::vector<std::unique_ptr<NpyIter, decltype(release)>> owned;
  for (npy_intp k = 0; k < count; ++k) {
    owned.emplace_back(k == 0 ? nullptr : NpyIter_Copy(whole.get()), release);
    NpyIter* const iterator = k == 0 ? whole.get() : owned.back().get();
    if (iterator == nullptr) throw py::error_already_set();
    if (NpyIter_ResetToIterIndexRange(iterator, k * range, std::min(layout.size, (k + 1) * range), nullptr) != NPY_SUCCEED)
      throw py::error_already_set();
    task.iterators.push_back(iterator);
    task.sums.emplace_back(layout.parameter_size);
  }
  void* const gradient = PyArray_DATA(reinterpret_cast<PyArrayObject*>(result.ptr()));
  std::vector<double> wide(narrowed ? static_cast<size_t>(layout.parameter_size) : 0);
  double* const totals = narrowed ? wide.data() : static_cast<double*>(gradient);
  {
    const py::gil_scoped_release released;
    const double work = 2 * double(layout.size) * elementwise_records[kernel.record].cost;
    threads::run(count, threads::worthwhile(work), run_range, &task);
    Sums& all = task.sums[0];
    for (size_t k = 1; k < task.sums.size(); ++k)
      for (npy_intp i = 0; i < layout.parameter_size; ++i)
        all.add(i, {task.sums[k].value[static_cast<size_t>(i)], task.sums[k].rest[static_cast<size_t>(i)]});
    for (npy_intp i = 0; i < layout.parameter_size; ++i)
      totals[i] = Sum{all.value[static_cast<size_t>(i)], all.rest[static_cast<size_t>(i)]}.total();
    if (narrowed) narrow(totals, static_cast<float*>(gradient), layout.parameter_size);
  }
  return result;
}

}  // namespace

void register_parameter_gradients(py::module_& m) {
  m.def("parameter_gradient", parameter_gradient, py::arg("level"), py::arg("name"), py::arg("precise"), py::arg("dy"),
        py::arg("x"), py::arg("parameter"), py::arg("dx"),
        "Writes dx; returns the parameter's gradient, float32 beside float32 data, else float64.");
}

}  // namespace numact

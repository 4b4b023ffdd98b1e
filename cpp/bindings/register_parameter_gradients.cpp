// Gradients of learned parameters: dx elementwise, and the terms dy * df/dparameter summed to the parameter's shape.
//
// The elements are walked in C order of the data's shape whatever the memory layout, in ranges that depend on the shape
// alone. A range keeps sums of its own; terms of a row that go to one sum go by index to a fixed number of lanes that are
// combined in a fixed tree, rows and ranges are added in order: the same bits for every layout and number of threads.
#include "numpy_api.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../lanes/half.hpp"
#include "../runtime/room.hpp"
#include "../runtime/threads.hpp"
#include "direct_call.hpp"
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

  // A parameter of so many axes of its own.
  Layout(PyArrayObject* data, int own, const npy_intp* lengths) {
    const int axes = PyArray_NDIM(data);
    bool in_row = true, first = true;
    for (int i = 0; i < axes; ++i) {
      const npy_intp length = PyArray_DIM(data, axes - 1 - i);
      const npy_intp kept = i < own ? lengths[own - 1 - i] : 1;
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
  explicit Sums(npy_intp n) : n_(n), words_(static_cast<size_t>(2 * n)) {}
  double* values() { return words_.data(); }
  double* rests() { return words_.data() + n_; }
  Sum at(npy_intp place) { return {values()[place], rests()[place]}; }
  void add(npy_intp place, const Sum& other) {
    Sum sum = at(place);
    sum.add(other);
    values()[place] = sum.value, rests()[place] = sum.rest;
  }
  // Leaves 0 there.
  Sum taken(npy_intp place) { return {std::exchange(values()[place], 0), std::exchange(rests()[place], 0)}; }

 private:
  npy_intp n_;
  std::vector<double> words_;
};

constexpr int operand_count = 3;  // dy, x, dx

// Operands as one run of elements.
struct Run {
  char* data[operand_count];
  npy_intp strides[operand_count];
};

struct Task {
  const Layout* layout;
  const ParameterGradientKernel* kernel;
  ParameterGradientWalk walk;
  const char* parameters;  // in C order
  std::vector<double> limits;
  npy_intp range = 0, ranges = 0;
  std::vector<Sums> sums;
  Run run;                          // all elements, if there are no iterators
  std::vector<NpyIter*> iterators;  // one for each range

  const char* parameter(npy_intp place) const { return parameters + place * size_of(kernel->parameter); }
  ParameterColumns columns(npy_intp place, Sums& to) {
    return {parameter(place), limits.empty() ? nullptr : limits.data() + place, to.values() + place, to.rests() + place};
  }
};

// The elements of a range, a run at a time.
template <class Part>
void for_each_run(const Task& task, ptrdiff_t index, Part part) {
  npy_intp position = index * task.range;
  const auto take = [&](char* const* data, const npy_intp* strides, npy_intp left) {
    char* moved[operand_count];
    std::copy_n(data, operand_count, moved);
    while (left > 0) {
      const npy_intp n = part(position, moved, strides, left);
      for (int i = 0; i < operand_count; ++i) moved[i] += n * strides[i];
      position += n;
      left -= n;
    }
  };
  if (task.iterators.empty()) {
    char* data[operand_count];
    for (int i = 0; i < operand_count; ++i) data[i] = task.run.data[i] + position * task.run.strides[i];
    return take(data, task.run.strides, std::min(task.range, task.layout->size - position));
  }
  NpyIter* const iterator = task.iterators[static_cast<size_t>(index)];
  NpyIter_IterNextFunc* const next = NpyIter_GetIterNext(iterator, nullptr);
  char** const pointers = NpyIter_GetDataPtrArray(iterator);
  const npy_intp* const strides = NpyIter_GetInnerStrideArray(iterator);
  const npy_intp* const inner = NpyIter_GetInnerLoopSizePtr(iterator);
  do take(pointers, strides, *inner);
  while (next(iterator));
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
    task.walk.together(*task.kernel, operands, strides, task.parameter(layout.place_of_row(row)),
                       static_cast<int>(offset % row_lanes), lanes, n);
    return n;
  });
  sums.add(layout.place_of_row(row), sum_of(lanes));
}

// Short rows as one: their parameters and sums.
struct Stage {
  double parameters[stage_length], limits[stage_length];
  Sums sums{stage_length};

  ParameterColumns columns() { return {parameters, limits, sums.values(), sums.rests()}; }
};

// The elements of a row go to neighbouring sums, those of a short row to a stage of many rows; where all rows go to the same
// sums the stage is kept to the end.
void sum_apart(Task& task, ptrdiff_t index) {
  const Layout& layout = *task.layout;
  Sums& sums = task.sums[static_cast<size_t>(index)];
  const npy_intp begin = index * task.range, row = layout.row;
  if (row >= stage_length / 16) {
    for_each_run(task, index, [&](npy_intp position, char* const* operands, const npy_intp* strides, npy_intp left) {
      const npy_intp offset = position % row, n = std::min(left, row - offset);
      const npy_intp place = layout.place_of_row(position / row) + offset;
      task.walk.apart(*task.kernel, operands, strides, task.columns(place, sums), n);
      return n;
    });
    return;
  }
  const bool same_sums = layout.parameter_size == row;
  const npy_intp staged = std::min(stage_length / row * row, std::min(layout.size - begin, task.range));
  const npy_intp size = size_of(task.kernel->parameter);
  Stage stage;
  npy_intp first_row = begin / row;
  const auto for_each_row = [&](const auto& part) {
    for (npy_intp k = 0; k < staged; k += row) part(k, layout.place_of_row(first_row + k / row));
  };
  const auto fill = [&] {
    for_each_row([&](npy_intp k, npy_intp place) {
      std::memcpy(reinterpret_cast<char*>(stage.parameters) + k * size, task.parameter(place), size_t(row * size));
      if (!task.limits.empty()) std::copy_n(&task.limits[size_t(place)], row, stage.limits + k);
    });
  };
  const auto empty = [&] {
    for_each_row([&](npy_intp k, npy_intp place) {
      for (npy_intp i = 0; i < row; ++i) sums.add(place + i, stage.sums.taken(k + i));
    });
  };
  fill();
  for_each_run(task, index, [&](npy_intp position, char* const* operands, const npy_intp* strides, npy_intp left) {
    const npy_intp place = (position - begin) % staged, n = std::min(left, staged - place);
    if (place == 0 && !same_sums && position > begin) {
      empty();
      first_row = position / row;
      fill();
    }
    task.walk.apart(*task.kernel, operands, strides, stage.columns().from(place, size), n);
    return n;
  });
  empty();
}

void run_range(void* argument, ptrdiff_t index) {
  Task& task = *static_cast<Task*>(argument);
  (task.layout->summed ? sum_rows : sum_apart)(task, index);
}

// As data of a type, each rounded once.
__attribute__((noinline)) void store(const double* totals, Type type, void* to, npy_intp n) {
  const auto each = [&](auto* stored, const auto& rounded) {
    for (npy_intp i = 0; i < n; ++i) stored[i] = rounded(totals[i]);
  };
  switch (type) {
    case Type::float64: return each(static_cast<double*>(to), [](double x) { return x; });
    case Type::float32: return each(static_cast<float*>(to), [](double x) { return float(x); });
    case Type::float16: return each(static_cast<Half*>(to), [](double x) { return narrowed(rounded_to_odd(x), Half{}); });
    case Type::bfloat16: return each(static_cast<Bfloat16*>(to), [](double x) { return narrowed(rounded_to_odd(x), Bfloat16{}); });
  }
}

double work_of(const Layout& layout, const ParameterGradientKernel& kernel) {
  return double(layout.size) * (kernel.computed == Type::float64 ? 7.5 : 3) * elementwise_records[kernel.record].cost;
}

// Sets up ranges and sums; the totals.
class Summation {
 public:
  // Parameters in C order.
  Summation(const Layout& layout, const ParameterGradientKernel& kernel, ParameterGradientWalk walk, const char* parameters)
      : task_{&layout, &kernel, walk, parameters, {}, 0, 0, {}, {}, {}} {
    if (kernel.limits != nullptr && !layout.summed) {
      task_.limits.resize(static_cast<size_t>(layout.parameter_size));
      kernel.limits(task_.parameters, task_.limits.data(), layout.parameter_size);
    }
    // At most 64 ranges, and no more than half a byte for their sums per element of the data.
    const npy_intp most =
        std::clamp<npy_intp>(std::min(layout.size >> 14, layout.size / (32 * layout.parameter_size + 1)), 1, 64);
    const npy_intp unit = layout.summed ? stage_length : std::max<npy_intp>(1, layout.row), even = (layout.size + most - 1) / most;
    task_.range = std::max<npy_intp>(1, (even + unit - 1) / unit * unit);
    task_.ranges = (layout.size + task_.range - 1) / task_.range;
    task_.sums.assign(static_cast<size_t>(std::max<npy_intp>(1, task_.ranges)), Sums(layout.parameter_size));
  }

  void over(const Run& run) {
    task_.run = run;
    add_up();
  }
  // Operands of any layout that broadcast to the last.
  void over(PyArrayObject** operands) {
    const auto release = [](NpyIter* iterator) { NpyIter_Deallocate(iterator); };
    using Iterator = std::unique_ptr<NpyIter, decltype(release)>;
    constexpr npy_uint32 each = NPY_ITER_OVERLAP_ASSUME_ELEMENTWISE;
    npy_uint32 flags[] = {each | NPY_ITER_READONLY, each | NPY_ITER_READONLY,
                          each | NPY_ITER_WRITEONLY | NPY_ITER_NO_BROADCAST};
    std::vector<Iterator> owned;
    constexpr npy_intp buffered = 1024;  // elements: there are buffers for each range, which shall be little beside the data
    owned.emplace_back(NpyIter_AdvancedNew(operand_count, operands,
                                           NPY_ITER_EXTERNAL_LOOP | NPY_ITER_BUFFERED | NPY_ITER_GROWINNER | NPY_ITER_RANGED |
                                               NPY_ITER_DELAY_BUFALLOC | NPY_ITER_COPY_IF_OVERLAP,
                                           NPY_CORDER, NPY_NO_CASTING, flags, nullptr, -1, nullptr, nullptr, buffered),
                       release);
    for (npy_intp k = 0; k < task_.ranges; ++k) {
      if (k > 0) owned.emplace_back(NpyIter_Copy(owned[0].get()), release);
      NpyIter* const iterator = owned.back().get();
      if (iterator == nullptr) throw py::error_already_set();
      task_.iterators.push_back(iterator);
    }
    for (npy_intp k = 0; k < task_.ranges; ++k) {
      const npy_intp begin = k * task_.range, end = std::min(task_.layout->size, begin + task_.range);
      if (NpyIter_ResetToIterIndexRange(task_.iterators[size_t(k)], begin, end, nullptr) != NPY_SUCCEED)
        throw py::error_already_set();
    }
    add_up();
  }
  // In the place of the sums.
  const double* totals() {
    Sums& all = task_.sums[0];
    for (npy_intp i = 0; i < task_.layout->parameter_size; ++i) all.values()[i] = all.at(i).total();
    return all.values();
  }

 private:
  Task task_;

  void add_up() {
    const double work = work_of(*task_.layout, *task_.kernel);
    const WithoutGil released(work);
    threads::run(task_.ranges, threads::worthwhile(work), run_range, &task_);
    Sums& all = task_.sums[0];
    for (size_t k = 1; k < task_.sums.size(); ++k)
      for (npy_intp i = 0; i < task_.layout->parameter_size; ++i)
        all.add(i, task_.sums[k].at(i));
  }
};

// A few rows that all go to the same sums, which would be many beside the data: a stage of columns at a time, its rows in order.
struct Columns {
  const Layout& layout;
  const ParameterGradientKernel& kernel;
  ParameterGradientWalk walk;
  Type type;
  const char* parameters;
  Run run;
  char* dparameter;

  static constexpr npy_intp length = 4 * stage_length;  // runs of each row that are worth being fetched

  // Summation would have one range, the same order.
  static bool suit(const Layout& layout) {
    return !layout.summed && layout.parameter_size == layout.row && layout.row >= stage_length && layout.size / layout.row < 64;
  }
  void find() {
    const double work = work_of(layout, kernel);
    const WithoutGil released(work);
    threads::run((layout.row + length - 1) / length, threads::worthwhile(work), run_stage, this);
  }
  static void run_stage(void* argument, ptrdiff_t index) {
    const Columns& all = *static_cast<Columns*>(argument);
    const npy_intp begin = index * length, n = std::min(length, all.layout.row - begin);
    const char* const parameters = all.parameters + begin * size_of(all.kernel.parameter);
    static_assert(3 * length * sizeof(double) <= room_size, "is in the room");
    double *const sums = static_cast<double*>(room()), *const rests = sums + length, *const limits = rests + length;
    std::fill_n(sums, 2 * length, 0.0);
    const bool limited = all.kernel.limits != nullptr;
    if (limited) all.kernel.limits(parameters, limits, n);
    for (npy_intp position = begin; position < all.layout.size; position += all.layout.row) {
      char* operands[operand_count];
      for (int i = 0; i < operand_count; ++i) operands[i] = all.run.data[i] + position * all.run.strides[i];
      all.walk.apart(all.kernel, operands, all.run.strides, {parameters, limited ? limits : nullptr, sums, rests}, n);
    }
    for (npy_intp i = 0; i < n; ++i) sums[i] = Sum{sums[i], rests[i]}.total();
    store(sums, all.type, all.dparameter + begin * size_of(all.type), n);
  }
};

// The kernels of one activation by the type of the data.
struct Gradient {
  const ParameterGradientKernel* kernels[type_count];
  ParameterGradientWalk walks[type_count];
};

bool broadcasts_to(PyArrayObject* parameter, PyArrayObject* data) {
  const int own = PyArray_NDIM(parameter), ahead = PyArray_NDIM(data) - own;
  if (ahead < 0) return false;
  for (int i = 0; i < own; ++i)
    if (PyArray_DIM(parameter, i) != 1 && PyArray_DIM(parameter, i) != PyArray_DIM(data, ahead + i)) return false;
  return true;
}

// Whether dx, an array that was given, may be written while another is read from its first element to the last.
bool same_or_apart(PyArrayObject* dx, PyArrayObject* other) {
  return PyArray_DATA(dx) == PyArray_DATA(other) || !Extent(dx).meets(Extent(other));
}

// dy, x, parameter, out -> dx, dparameter
py::object backward(const Gradient& gradient, PyObject* const* args) {
  PyArrayObject* const dy = plain_array(args[0]);
  PyArrayObject* const x = dy != nullptr ? plain_array(args[1], NPY_DTYPE(PyArray_DESCR(dy))) : nullptr;
  if (x == nullptr || !PyArray_SAMESHAPE(dy, x)) return {};
  const std::optional<Type> type = type_of(x);
  const Outputs outputs(args[3]);
  if (!type || !outputs.alone) return {};
  const ParameterGradientKernel& kernel = *gradient.kernels[static_cast<int>(*type)];
  Scalar scalar;
  PyArrayObject* parameter = nullptr;  // none where it is a number
  if (double number; is_number(args[2], number)) {
    if (std::isnan(number)) return {};
    scalar = Scalar(number);
  } else {
    parameter = plain_array(args[2], dtype_of(kernel.parameter));
    if (parameter == nullptr || is_nan(parameter) || !broadcasts_to(parameter, x)) return {};
  }

  const int axes = parameter != nullptr ? PyArray_NDIM(parameter) : 0;
  const npy_intp* const lengths = parameter != nullptr ? PyArray_DIMS(parameter) : nullptr;
  py::object results[] = {output_array(outputs.given[0], PyArray_TYPE(x), PyArray_NDIM(x), PyArray_DIMS(x)),
                          output_array(outputs.given[1], PyArray_TYPE(x), axes, lengths)};
  if (!results[0] || !results[1]) return {};
  auto *const dx = reinterpret_cast<PyArrayObject*>(results[0].ptr()),
       *const dparameter = reinterpret_cast<PyArrayObject*>(results[1].ptr());
  if (outputs.given[1] != nullptr && Extent(dparameter).meets(Extent(dx))) return {};

  const FpScope scope;
  const Layout layout(x, axes, lengths);
  const ParameterGradientWalk walk = gradient.walks[static_cast<int>(*type)];
  py::object copied;
  if (parameter != nullptr && (!PyArray_IS_C_CONTIGUOUS(parameter) || Extent(parameter).meets(Extent(dx)))) {
    copied = checked(PyArray_NewCopy(parameter, NPY_CORDER));
    parameter = reinterpret_cast<PyArrayObject*>(copied.ptr());
  }
  const char* const parameters = parameter != nullptr ? PyArray_BYTES(parameter) : scalar.as(kernel.parameter).data;
  PyArrayObject* operands[operand_count] = {dy, x, dx};
  bool one_run = true;
  for (PyArrayObject* const each : operands) one_run = one_run && PyArray_IS_C_CONTIGUOUS(each);
  for (int i = 0; i < 2 && outputs.given[0] != nullptr; ++i) one_run = one_run && same_or_apart(dx, operands[i]);
  Run run;
  for (int i = 0; i < operand_count; ++i) run.data[i] = PyArray_BYTES(operands[i]), run.strides[i] = PyArray_ITEMSIZE(x);

  bool apart = PyArray_IS_C_CONTIGUOUS(dparameter);
  for (PyArrayObject* const each : {dy, x, parameter})
    apart = apart && (each == nullptr || !Extent(dparameter).meets(Extent(each)));
  const py::object contiguous = apart ? results[1] : checked(PyArray_EMPTY(PyArray_NDIM(dparameter), PyArray_DIMS(dparameter),
                                                                           PyArray_TYPE(dparameter), 0));
  char* const to = PyArray_BYTES(reinterpret_cast<PyArrayObject*>(contiguous.ptr()));
  if (one_run && layout.size > 0 && Columns::suit(layout)) {
    Columns{layout, kernel, walk, *type, parameters, run, to}.find();
  } else {
    Summation summation(layout, kernel, walk, parameters);
    if (layout.size > 0) one_run ? summation.over(run) : summation.over(operands);
    store(summation.totals(), *type, to, layout.parameter_size);
  }
  if (!apart) check(PyArray_CopyInto(dparameter, reinterpret_cast<PyArrayObject*>(contiguous.ptr())));
  return py::make_tuple(returned(std::move(results[0]), outputs.given[0]),
                        returned(std::move(results[1]), outputs.given[1]));
}

py::object make_parameter_gradient(const std::string& level, const std::string& name, bool precise) {
  const Table& table = level_table(level);
  Gradient gradient;
  for (int k = 0; k < type_count; ++k) {
    const Type type = static_cast<Type>(k);
    gradient.kernels[k] = &find_kernel(table.parameter_gradients, table.parameter_gradient_count, precise, type,
                                       [&](const ParameterGradientKernel& each) {
                                         return each.exists() && name == elementwise_records[each.record].name;
                                       });
    gradient.walks[k] = table.parameter_gradient_walk[k];
  }
  return make_direct_function(kept(name + suffix(Direction::backward)), 4,
                              [gradient](PyObject* const* args) { return backward(gradient, args); });
}

}  // namespace

void register_parameter_gradients(py::module_& m) {
  m.def("make_parameter_gradient", make_parameter_gradient, py::arg("level"), py::arg("name"), py::arg("precise"),
        "The gradient with that of a learned parameter, for its front end.");
}

}  // namespace numact

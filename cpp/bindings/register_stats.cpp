// Statistics of activations: one pass over an array, in total or per unit.
//
// Each unit is summed in pieces that depend on the shape alone, which are put together in order: the same bits for every layout,
// ISA level and number of threads.
#include "numpy_api.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "../activations/row_facts.hpp"
#include "../runtime/fp_scope.hpp"
#include "../runtime/threads.hpp"
#include "direct_call.hpp"
#include "gil.hpp"
#include "records.hpp"
#include "register.hpp"

namespace py = pybind11;

namespace numact {
namespace {

constexpr double cost_per_element = 0.3;  // nanoseconds
constexpr ptrdiff_t least_rows = 1 << 10, piece_elements = 1 << 16;
constexpr ptrdiff_t most_near = 1 << 19;  // bytes, half of a usual second-level cache

// Axes of one kind, the innermost first, merged where the strides allow it.
struct Axes {
  int count = 0;
  ptrdiff_t size = 1;
  ptrdiff_t lengths[NPY_MAXDIMS], strides[NPY_MAXDIMS];

  void add(ptrdiff_t length, ptrdiff_t stride) {
    size *= length;
    if (length == 1) return;
    const int last = count - 1;
    if (count > 0 && stride == strides[last] * lengths[last])
      lengths[last] *= length;
    else
      lengths[count] = length, strides[count++] = stride;
  }
  ptrdiff_t offset(ptrdiff_t index) const {
    ptrdiff_t offset = 0;
    for (int i = 0; i < count; ++i) {
      offset += index % lengths[i] * strides[i];
      index /= lengths[i];
    }
    return offset;
  }
};

struct Job {
  StatsWalk walk;
  StatsPart part;  // of the first unit
  Axes outer, rows;
  ptrdiff_t width, piece, panels, tasks_per_chunk;
  ptrdiff_t rows_taken, pieces;  // the first ones
  double* pivots;                // of the units
  double* states;                // by outer unit, piece, field and column

  ptrdiff_t tasks() const { return outer.size * pieces * panels; }
  double* at(ptrdiff_t unit, ptrdiff_t index) {
    return states + (unit * pieces + index) * stats_field_count * width;
  }

  static void run_chunk(void* argument, ptrdiff_t chunk) {
    Job& job = *static_cast<Job*>(argument);
    const ptrdiff_t begin = chunk * job.tasks_per_chunk, end = std::min(job.tasks(), begin + job.tasks_per_chunk);
    for (ptrdiff_t task = begin; task < end; ++task) {
      const ptrdiff_t panel = task % job.panels, index = task / job.panels % job.pieces,
                      unit = task / job.panels / job.pieces;
      StatsPart part = job.part;
      part.x += job.outer.offset(unit);
      if (part.pivots != nullptr) part.pivots += unit * part.columns;
      part.begin = index * job.piece;
      part.end = std::min(job.rows_taken, part.begin + job.piece);
      part.first_group = static_cast<int>(panel) * most_stats_groups;
      part.last_group = std::min(job.part.last_group, part.first_group + most_stats_groups);
      job.walk(part, job.at(unit, index));
    }
  }
  // What is found of each unit is left with its first piece, in the first of the columns that are its own.
  void run(ptrdiff_t count) {
    rows_taken = count;
    pieces = (count + piece - 1) / piece;
    const double work = cost_per_element * double(outer.size) * double(count) * double(part.columns);
    threads::run((tasks() + tasks_per_chunk - 1) / tasks_per_chunk, threads::worthwhile(work), run_chunk, this);
    for (ptrdiff_t unit = 0; unit < outer.size; ++unit)
      for (ptrdiff_t index = 0; index < pieces; ++index)
        for (ptrdiff_t k = index == 0; k < part.together; ++k) merge(at(unit, 0), at(unit, index) + k * part.columns);
  }
  void merge(double* all, const double* more) const {
    for (int field = 0; field < stats_field_count; ++field, all += width, more += width) {
      for (ptrdiff_t j = 0; j < part.columns; ++j) {
        if (field == stats_smallest)
          all[j] = std::min(all[j], more[j]);
        else if (field == stats_largest)
          all[j] = std::max(all[j], more[j]);
        else
          all[j] += more[j];
      }
    }
  }
};

// What is told of each unit: floats, or arrays.
struct Told {
  bool total;
  double numbers[stats_row_count];
  py::tuple result = py::tuple(int{stats_row_count});
  double* values[stats_row_count];

  Told(bool total_given, ptrdiff_t units) : total(total_given) {
    const npy_intp shape[] = {units};
    for (int row = 0; row < stats_row_count; ++row) {
      values[row] = &numbers[row];
      if (total) continue;
      py::object array = checked(PyArray_SimpleNew(1, shape, NPY_FLOAT64));
      values[row] = static_cast<double*>(PyArray_DATA(reinterpret_cast<PyArrayObject*>(array.ptr())));
      PyTuple_SET_ITEM(result.ptr(), row, array.release().ptr());
    }
  }
  py::object get() {
    for (int row = 0; row < stats_row_count && total; ++row)
      PyTuple_SET_ITEM(result.ptr(), row, checked(PyFloat_FromDouble(numbers[row])).release().ptr());
    return std::move(result);
  }
};

// In total, or x has axes of outer units, then those over which is summed, then one of columns. The parts of the result are those
// of StatsRow.
py::object activation_stats(const Table& table, PyArrayObject* array, Type type, bool total, int outer_axes, double low,
                            double high) {
  const int dimensions = PyArray_NDIM(array), axes = total ? dimensions + 1 : dimensions;
  if (outer_axes < 0 || outer_axes >= axes) throw py::value_error("activation_stats: too many outer axes");

  Job job;
  job.walk = table.stats[static_cast<int>(type)];
  for (int i = axes - 2; i >= 0; --i)
    (i < outer_axes ? job.outer : job.rows).add(PyArray_DIM(array, i), PyArray_STRIDE(array, i));
  if (job.rows.count == 0) job.rows.lengths[0] = 1, job.rows.strides[0] = 0, job.rows.count = 1;
  const ptrdiff_t columns = total ? 1 : PyArray_DIM(array, axes - 1), units = job.outer.size * columns, n = job.rows.size;

  Told told(total, units);
  if (n == 0)
    for (double* const values : told.values) std::fill_n(values, units, std::numeric_limits<double>::quiet_NaN());
  if (n == 0 || units == 0) return told.get();

  const int groups = static_cast<int>((columns + row_lanes - 1) / row_lanes);
  const ptrdiff_t column_stride = columns == 1 ? PyArray_ITEMSIZE(array) : PyArray_STRIDE(array, axes - 1);
  const int together = columns < row_lanes ? static_cast<int>(row_lanes / columns) : 1;
  job.width = together * columns;
  job.part = {PyArray_BYTES(array), job.rows.count, job.rows.lengths, job.rows.strides, columns, column_stride, 0, n,
              together, 0, groups, low, high, 1, nullptr, job.width, units * n * PyArray_ITEMSIZE(array) <= most_near};
  job.piece = std::max(least_rows, piece_elements / columns);
  job.piece = (job.piece + together - 1) / together * together;
  const ptrdiff_t pieces = (n + job.piece - 1) / job.piece;
  job.panels = (groups + most_stats_groups - 1) / most_stats_groups;
  const ptrdiff_t task_elements = std::min(n, job.piece) * std::min<ptrdiff_t>(columns, row_lanes * most_stats_groups);
  job.tasks_per_chunk = std::max<ptrdiff_t>(1, threads::chunk_length / task_elements);
  const ptrdiff_t states = job.outer.size * pieces * job.width * stats_field_count;
  const std::unique_ptr<double[]> memory(new double[static_cast<std::size_t>(states + 2 * units)]);  // not filled with 0
  job.states = memory.get(), job.pivots = job.states + states;
  double* const wanted = job.pivots + units;  // at which scale each is still to be found, 0 once it is known
  std::fill_n(wanted, units, 1.0);

  const auto find_all = [&] {
    const WithoutGil released(cost_per_element * double(units) * double(n));
    const FpScope scope;
    for (const double scale : {1.0, StatsUnits::smaller, StatsUnits::larger}) {
      job.part.scale = scale, job.part.pivots = nullptr;
      std::fill_n(job.pivots, units, 0.0);
      for (const StatsStage stage : {StatsStage::sample, StatsStage::all, StatsStage::again}) {
        constexpr ptrdiff_t sampled = 64;  // the first of so many parts of the rows
        const ptrdiff_t rows = stage == StatsStage::sample ? n / sampled : n;
        if (rows < (stage == StatsStage::sample ? 16 : 1)) continue;
        if (std::find(wanted, wanted + units, scale) == wanted + units) break;
        job.run(rows);
        bool left = false;
        for (ptrdiff_t unit = 0; unit < job.outer.size; ++unit) {
          const ptrdiff_t first = unit * columns;
          StatsUnits of{job.at(unit, 0),  job.width,           columns, stage, type == Type::float64, double(rows), scale,
                        wanted + first, job.pivots + first, {}};
          std::transform(told.values, told.values + stats_row_count, of.values, [&](double* at) { return at + first; });
          left |= table.finish_stats(of);
        }
        if (!left) return;
        job.part.pivots = job.pivots;
      }
    }
  };
  find_all();
  return told.get();
}

// Of a plain array: its axes in total where `outer` is None, else as above behind so many axes of outer units.
py::object make_activation_stats(const std::string& level) {
  const Table& table = level_table(level);
  return make_direct_function("activation_stats", 4, [&table](PyObject* const* args) -> py::object {
    PyArrayObject* const array = plain_array(args[0]);
    const std::optional<Type> type = array != nullptr ? type_of(array) : std::nullopt;
    if (!type) return {};
    const bool total = args[1] == Py_None;
    const long outer_axes = total ? 0 : PyLong_AsLong(args[1]);
    const double low = PyFloat_AsDouble(args[2]), high = PyFloat_AsDouble(args[3]);
    if (PyErr_Occurred() != nullptr) throw py::error_already_set();
    return activation_stats(table, array, *type, total, static_cast<int>(outer_axes), low, high);
  });
}

}  // namespace

void register_stats(py::module_& m) {
  m.def("make_activation_stats", make_activation_stats, py::arg("level"), "activation_stats at one ISA level.");
}

}  // namespace numact

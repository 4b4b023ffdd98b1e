// Statistics of activations: one pass over an array, in total or per unit.
//
// Each unit is summed in pieces that depend on the shape alone, which are put together in order: the same bits for every layout,
// ISA level and number of threads.
#include "numpy_api.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "../activations/row_facts.hpp"
#include "../runtime/fp_scope.hpp"
#include "../runtime/threads.hpp"
#include "gil.hpp"
#include "records.hpp"
#include "register.hpp"

namespace py = pybind11;

namespace numact {
namespace {

constexpr double cost_per_element = 0.3;  // nanoseconds
constexpr ptrdiff_t least_rows = 1 << 10, piece_elements = 1 << 16;

// Axes of one kind, the innermost first, merged where the strides allow it.
struct Axes {
  std::vector<ptrdiff_t> lengths, strides;
  ptrdiff_t size = 1;

  void add(ptrdiff_t length, ptrdiff_t stride) {
    size *= length;
    if (length == 1) return;
    if (!lengths.empty() && stride == strides.back() * lengths.back()) {
      lengths.back() *= length;
    } else {
      lengths.push_back(length);
      strides.push_back(stride);
    }
  }
  ptrdiff_t offset(ptrdiff_t index) const {
    ptrdiff_t offset = 0;
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      offset += index % lengths[i] * strides[i];
      index /= lengths[i];
    }
    return offset;
  }
};

// Chan, Golub and LeVeque 1979.
void merge(StatsState& all, const StatsState& part, double scale) {
  if (part.finite > 0 && all.finite > 0) {
    const double n = all.finite + part.finite, share = part.finite / n;
    const double distance = (scale * part.pivot - scale * all.pivot) + (part.offset - all.offset);
    all.squares += part.squares + distance * (distance * (all.finite * share));
    all.offset += distance * share;
    all.smallest = std::min(all.smallest, part.smallest);
    all.largest = std::max(all.largest, part.largest);
    all.finite = n;
  } else if (part.finite > 0) {
    all = {part.finite,  part.pivot, part.offset,    part.squares,  part.smallest,
           part.largest, all.zero,   all.saturated, all.nonfinite};
  }
  all.zero += part.zero;
  all.saturated += part.saturated;
  all.nonfinite += part.nonfinite;
}

struct Job {
  StatsWalk walk;
  StatsPart part;  // of the first unit
  Axes outer, rows;
  ptrdiff_t width, piece, pieces, panels, tasks_per_chunk;
  std::vector<StatsState> states;  // by outer unit, piece and column

  ptrdiff_t tasks() const { return outer.size * pieces * panels; }
  StatsState* at(ptrdiff_t unit, ptrdiff_t index) {
    return states.data() + (unit * pieces + index) * width;
  }

  static void run_chunk(void* argument, ptrdiff_t chunk) {
    const FpScope scope;
    Job& job = *static_cast<Job*>(argument);
    const ptrdiff_t begin = chunk * job.tasks_per_chunk, end = std::min(job.tasks(), begin + job.tasks_per_chunk);
    for (ptrdiff_t task = begin; task < end; ++task) {
      const ptrdiff_t panel = task % job.panels, index = task / job.panels % job.pieces,
                      unit = task / job.panels / job.pieces;
      StatsPart part = job.part;
      part.x += job.outer.offset(unit);
      part.begin = index * job.piece;
      part.end = std::min(job.rows.size, part.begin + job.piece);
      part.first_group = static_cast<int>(panel) * most_stats_groups;
      part.last_group = std::min(job.part.last_group, part.first_group + most_stats_groups);
      job.walk(part, job.at(unit, index));
    }
  }
  void run(double scale) {
    part.scale = scale;
    const double work = cost_per_element * double(outer.size) * double(rows.size) * double(part.columns);
    threads::run((tasks() + tasks_per_chunk - 1) / tasks_per_chunk, threads::worthwhile(work), run_chunk, this);
  }
  // All that is known of one unit.
  StatsState total(ptrdiff_t unit, ptrdiff_t column) {
    StatsState all{};
    for (ptrdiff_t index = 0; index < pieces; ++index)
      for (int k = 0; k < part.together; ++k) merge(all, at(unit, index)[k * part.columns + column], part.scale);
    return all;
  }
};

enum Row { mean, deviation, smallest, largest, zero, saturated, nonfinite, row_count };

// x: axes of the outer units, then those over which is summed, then one of columns.
py::object activation_stats(const std::string& level, const py::object& x, int outer_axes, double low, double high) {
  if (!PyArray_Check(x.ptr())) throw py::type_error("an array is needed");
  auto* const array = reinterpret_cast<PyArrayObject*>(x.ptr());
  const std::optional<Type> type = type_of(array);
  const int axes = PyArray_NDIM(array);
  if (!type || !PyArray_ISBEHAVED_RO(array) || outer_axes < 0 || outer_axes >= axes)
    throw py::type_error("an aligned array of floating-point numbers in native byte order is needed");

  Job job{};
  job.walk = level_table(level).stats[static_cast<int>(*type)];
  for (int i = axes - 2; i >= 0; --i)
    (i < outer_axes ? job.outer : job.rows).add(PyArray_DIM(array, i), PyArray_STRIDE(array, i));
  if (job.rows.lengths.empty()) job.rows.lengths.push_back(1), job.rows.strides.push_back(0);
  const ptrdiff_t columns = PyArray_DIM(array, axes - 1), units = job.outer.size * columns, n = job.rows.size;

  npy_intp shape[] = {row_count, units};
  const py::object result = checked(PyArray_SimpleNew(2, shape, NPY_FLOAT64));
  auto* const values = static_cast<double*>(PyArray_DATA(reinterpret_cast<PyArrayObject*>(result.ptr())));
  if (n == 0) std::fill_n(values, row_count * units, std::numeric_limits<double>::quiet_NaN());
  if (n == 0 || units == 0) return result;

  const int groups = static_cast<int>((columns + row_lanes - 1) / row_lanes);
  const ptrdiff_t column_stride = columns == 1 ? PyArray_ITEMSIZE(array) : PyArray_STRIDE(array, axes - 1);
  const int together = columns < row_lanes ? static_cast<int>(row_lanes / columns) : 1;
  job.part = {PyArray_BYTES(array), static_cast<int>(job.rows.lengths.size()), job.rows.lengths.data(),
              job.rows.strides.data(), columns, column_stride, 0, n, together, 0, groups, low, high, 1};
  job.width = together * columns;
  job.piece = std::max(least_rows, piece_elements / columns);
  job.piece = (job.piece + together - 1) / together * together;
  job.pieces = (n + job.piece - 1) / job.piece;
  job.panels = (groups + most_stats_groups - 1) / most_stats_groups;
  const ptrdiff_t task_elements = std::min(n, job.piece) * std::min<ptrdiff_t>(columns, row_lanes * most_stats_groups);
  job.tasks_per_chunk = std::max<ptrdiff_t>(1, threads::chunk_length / task_elements);
  job.states.resize(static_cast<std::size_t>(job.outer.size * job.pieces * job.width));

  // Squares of float64 may leave the range; such units are taken once more.
  constexpr double smaller = 0x1p-600, larger = 0x1p600, tiny = 0x1p-900;
  std::vector<double> scales(static_cast<std::size_t>(units), 1.0);
  const auto finish = [&](double scale) {
    for (ptrdiff_t unit = 0; unit < units; ++unit) {
      double& wanted = scales[static_cast<std::size_t>(unit)];
      if (wanted != scale) continue;
      const StatsState all = job.total(unit / columns, unit % columns);
      const bool some = all.finite > 0, overflow = some && !std::isfinite(all.squares);
      const bool underflow = some && all.squares < tiny && all.smallest < all.largest;
      if (scale == 1 && *type == Type::float64 && (overflow || underflow)) wanted = overflow ? smaller : larger;
      const double nothing = std::numeric_limits<double>::quiet_NaN();
      const auto set = [&](Row row, double value) { values[row * units + unit] = value; };
      set(mean, some ? (scale * all.pivot + all.offset) / scale : nothing);
      set(deviation, some ? std::sqrt(std::max(all.squares, 0.0) / all.finite) / scale : nothing);
      set(smallest, some ? all.smallest : nothing);
      set(largest, some ? all.largest : nothing);
      set(zero, all.zero / double(n));
      set(saturated, all.saturated / double(n));
      set(nonfinite, all.nonfinite / double(n));
    }
  };
  const WithoutGil released;
  const FpScope scope;
  for (const double scale : {1.0, smaller, larger}) {
    if (std::find(scales.begin(), scales.end(), scale) == scales.end()) continue;
    job.run(scale);
    finish(scale);
  }
  return result;
}

}  // namespace

void register_stats(py::module_& m) {
  m.def("activation_stats", activation_stats, py::arg("level"), py::arg("x"), py::arg("outer_axes"), py::arg("low"),
        py::arg("high"),
        "Mean, deviation, smallest, largest, fractions zero, saturated and not finite, as rows of one column per unit.");
}

}  // namespace numact

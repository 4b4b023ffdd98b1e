// The SGD step over a list of arrays: checks, chunks and clipping. numact._sgd wraps it.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "numpy_api.hpp"
#include "register.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../levels/table.hpp"
#include "../runtime/cache.hpp"
#include "../runtime/fp_scope.hpp"
#include "../runtime/threads.hpp"
#include "direct_call.hpp"
#include "walk.hpp"

namespace py = pybind11;

namespace numact {
namespace {

using threads::chunk_length;
static_assert(Walk::tile_length % square_sum_lanes == 0, "tiles of one array continue each other's partial sums");

PyArrayObject* array(const py::handle& object) { return reinterpret_cast<PyArrayObject*>(object.ptr()); }

bool is_half(Type type) { return type == Type::float16 || type == Type::bfloat16; }

// ---- Shared memory -------------------------------------------------------------------------------------------------

struct Range : Extent {
  PyArrayObject* owner;
  std::string name;
};

// Exact where that is found out quickly, else the careful answer.
bool share_memory(PyArrayObject* a, PyArrayObject* b) {
  constexpr int most_work = 10000;
  const py::handle first(reinterpret_cast<PyObject*>(a)), second(reinterpret_cast<PyObject*>(b));
  try {
    return py::module_::import("numpy").attr("shares_memory")(first, second, most_work).cast<bool>();
  } catch (const py::error_already_set& error) {
    if (error.matches(PyExc_RuntimeError)) return true;  // TooHardError
    throw;
  }
}

// Whether two elements of `a` may lie on the same memory: each axis has to step over all that the finer ones span.
bool overlaps_itself(PyArrayObject* a) {
  std::vector<std::pair<npy_intp, npy_intp>> axes;  // stride, last index
  for (int axis = 0; axis < PyArray_NDIM(a); ++axis) {
    if (PyArray_DIM(a, axis) == 0) return false;
    if (PyArray_DIM(a, axis) > 1) axes.emplace_back(std::abs(PyArray_STRIDE(a, axis)), PyArray_DIM(a, axis) - 1);
  }
  std::sort(axes.begin(), axes.end());
  npy_intp span = PyArray_ITEMSIZE(a);
  for (const auto& [stride, last] : axes) {
    if (stride < span) return true;
    span += stride * last;
  }
  return false;
}

// ---- Checks --------------------------------------------------------------------------------------------------------

std::string text(const py::handle& object) { return py::str(object).cast<std::string>(); }

std::string type_name(const py::handle& object) { return text(py::type::handle_of(object).attr("__name__")); }

std::string dtype_name(PyArrayObject* a) { return text(reinterpret_cast<PyObject*>(PyArray_DESCR(a))); }

std::string shape_text(PyArrayObject* a) {
  return text(py::reinterpret_steal<py::object>(PyArray_IntTupleFromIntp(PyArray_NDIM(a), PyArray_DIMS(a))));
}

void check_is_array(const py::handle& object, const std::string& name) {
  if (!PyArray_Check(object.ptr()))
    throw py::type_error(name + " must be a numpy.ndarray, not " + type_name(object));
  if (is_masked(object.ptr()))
    throw py::type_error(name + " is a masked array, whose mask would be ignored: pass its .data");
}

void check_is_writable(PyArrayObject* a, const std::string& name) {
  if (!PyArray_ISWRITEABLE(a)) throw py::type_error(name + " is read-only, but is updated in place: pass a copy");
  if (overlaps_itself(a))
    throw py::value_error("elements of " + name + " share memory with each other (it is a broadcast or overlapping " +
                          "view), so an update in place has no meaning: pass a copy");
}

bool same_shape(PyArrayObject* a, PyArrayObject* b) {
  return PyArray_NDIM(a) == PyArray_NDIM(b) &&
         std::equal(PyArray_DIMS(a), PyArray_DIMS(a) + PyArray_NDIM(a), PyArray_DIMS(b));
}

[[noreturn]] void refuse_dtype(PyArrayObject* a, const std::string& name, PyArrayObject* param,
                               const std::string& param_name, const char* advice) {
  throw py::type_error(name + " has dtype " + dtype_name(a) + ", but " + param_name + " has dtype " +
                       dtype_name(param) + advice);
}

void check_shape(PyArrayObject* a, const std::string& name, PyArrayObject* param, const std::string& param_name) {
  if (!same_shape(a, param))
    throw py::value_error(name + " has shape " + shape_text(a) + ", but " + param_name + " has shape " +
                          shape_text(param) + ": nothing is broadcast");
}

py::tuple items(const py::object& sequence, const char* name) {
  if (PyArray_Check(sequence.ptr()) || py::isinstance<py::str>(sequence))
    throw py::type_error(std::string(name) + " must be a list of arrays, not one " + type_name(sequence) +
                         ": wrap it in a list");
  if (!py::isinstance<py::iterable>(sequence))
    throw py::type_error(std::string(name) + " must be a list of arrays, not " + type_name(sequence));
  PyObject* tuple = PySequence_Tuple(sequence.ptr());
  if (tuple == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::tuple>(tuple);
}

template <class T>
SgdStep<T> step_in(const SgdStep<double>& step) {
  return {static_cast<T>(step.learning_rate), static_cast<T>(step.momentum),       static_cast<T>(step.undampened),
          static_cast<T>(step.weight_decay),  static_cast<T>(step.gradient_scale), step.nesterov, step.past_cache};
}

// ---- The optimizer -------------------------------------------------------------------------------------------------

class Sgd {
 public:
  Sgd(const py::object& params, const py::object& velocities, const py::object& masters, const std::vector<double>& lr,
      const std::vector<double>& weight_decay, double momentum, double dampening, bool nesterov, bool maximize,
      std::optional<double> max_norm, bool skip_nonfinite, bool single = false)
      : dampening_(dampening), maximize_(maximize), max_norm_(max_norm), skip_nonfinite_(skip_nonfinite),
        single_(single) {
    const py::tuple given = items(params, "params");
    segments_.resize(given.size());
    check_length(weight_decay.size(), "weight decays");
    std::optional<py::tuple> started;
    if (!velocities.is_none()) {
      started = items(velocities, "velocities");
      check_length(started->size(), "velocities");
    }
    const py::tuple kept = items(masters, "masters");
    check_length(kept.size(), "masters");
    begins_.push_back(0);
    for (std::size_t i = 0; i < segments_.size(); ++i) {
      take_param(given[i], i);
      if (started) take_velocity((*started)[i], i);
      take_master(kept[i], i);
      segments_[i].step = {0, momentum, 1, weight_decay[i], 1, nesterov};
      check_fits(momentum, "momentum", i);
      check_fits(dampening, "dampening", i);
      check_fits(weight_decay[i], "weight_decay", i);
    }
    set_learning_rates(lr);
    square_sums_.resize(max_norm_ || skip_nonfinite_ ? static_cast<std::size_t>(chunks(size(), chunk_length)) : 0);
    check_disjoint();
  }

  void set_learning_rates(const std::vector<double>& rates) {
    if (busy_.exchange(true)) throw std::runtime_error("a step of this SGD is running in another thread");
    const Busy busy(busy_);
    check_length(rates.size(), "learning rates");
    for (std::size_t i = 0; i < rates.size(); ++i) check_fits(rates[i], "lr", i);
    for (std::size_t i = 0; i < rates.size(); ++i) segments_[i].step.learning_rate = rates[i];
  }

  // Velocities by array; None where no step has been made yet.
  py::list velocities() const {
    py::list result;
    for (const Segment& s : segments_) result.append(s.started ? s.velocity : py::none());
    return result;
  }

  // Masters by array; None where the parameter is float32 or float64.
  py::list masters() const {
    py::list result;
    for (const Segment& s : segments_) result.append(s.master ? s.master : py::none());
    return result;
  }

  py::object last_norm() const { return last_norm_ ? py::cast(*last_norm_) : py::none(); }

  bool step(const py::object& grads) {
    // The GIL may change hands anywhere in here.
    if (busy_.exchange(true)) throw std::runtime_error("a step of this SGD is running in another thread");
    const Busy busy(busy_);
    const py::tuple given = items(grads, "grads");
    check_length(given.size(), "grads");
    std::vector<py::object> made;
    const bool needs_norm = max_norm_ || skip_nonfinite_;
    double work = 0, reach = 0;
    for (std::size_t i = 0; i < segments_.size(); ++i) {
      Segment& s = segments_[i];
      s.skipped = given[i].is_none();
      if (s.skipped) continue;
      py::object gradient = given[i];
      if (PyArray_IsScalar(gradient.ptr(), Generic)) {  // as the gradient of a number is returned
        gradient = checked(PyArray_FromScalar(gradient.ptr(), nullptr));
        made.push_back(gradient);
      }
      PyArrayObject* const grad = array(gradient);
      check_gradient(gradient, i);
      s.grad_type = *type_of(grad);
      s.update.prepare({array(s.param), grad, array(s.velocity), array(s.master)}, false);
      if (needs_norm) s.squares.prepare({grad}, true);
      s.step.undampened = s.started ? 1 - dampening_ : 1;
      double bytes = static_cast<double>(PyArray_ITEMSIZE(grad)), streams = 1;
      reach += static_cast<double>(s.size) * bytes;
      for (const py::object& updated : {s.param, s.velocity, s.master})
        if (updated) {
          bytes += 2 * static_cast<double>(PyArray_ITEMSIZE(array(updated)));  // read and written
          reach += static_cast<double>(PyArray_NBYTES(array(updated)));
          streams += 2;
        }
      work += static_cast<double>(s.size) * ((s.update.plain ? ns_per_byte * bytes : ns_gathered * streams) +
                                             (is_half(s.type) ? ns_converted : 0));
    }
    const int team = threads::worthwhile(work);
    const bool past_cache = reach > static_cast<double>(last_level_cache());
    for (Segment& s : segments_) s.step.past_cache = past_cache && s.update.plain && !is_half(s.type);

    bool applied = true;
    double norm = 0;
    {
      const WithoutGil released(work);
      const FpScope environment;
      double factor = 1;
      if (needs_norm) {
        bool finite;
        factor = clip(team, finite, norm);
        applied = finite || !skip_nonfinite_;
      }
      if (applied) {
        for (Segment& s : segments_) s.step.gradient_scale = maximize_ ? -factor : factor;
        Parts<&Sgd::update_part>{*this, threads::long_chunk(size(), team)}.run(team);
      }
    }
    if (needs_norm) last_norm_ = norm;
    if (applied)
      for (Segment& s : segments_) s.started = s.started || !s.skipped;
    return applied;
  }

 private:
  // What an array looked like when it was checked. Its owner can still resize or reshape it.
  struct Fixed {
    char* data = nullptr;
    py::object dtype;
    std::vector<npy_intp> shape_and_strides;

    Fixed() = default;
    explicit Fixed(PyArrayObject* a)
        : data(PyArray_BYTES(a)),
          dtype(py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(PyArray_DESCR(a)))),
          shape_and_strides(PyArray_DIMS(a), PyArray_DIMS(a) + PyArray_NDIM(a)) {
      shape_and_strides.insert(shape_and_strides.end(), PyArray_STRIDES(a), PyArray_STRIDES(a) + PyArray_NDIM(a));
    }
    bool holds(PyArrayObject* a) const {
      const auto axes = static_cast<std::size_t>(PyArray_NDIM(a));
      return PyArray_BYTES(a) == data && reinterpret_cast<PyObject*>(PyArray_DESCR(a)) == dtype.ptr() &&
             PyArray_ISWRITEABLE(a) && shape_and_strides.size() == 2 * axes &&
             std::equal(PyArray_DIMS(a), PyArray_DIMS(a) + axes, shape_and_strides.begin()) &&
             std::equal(PyArray_STRIDES(a), PyArray_STRIDES(a) + axes, shape_and_strides.begin() + PyArray_NDIM(a));
    }
  };

  struct Segment {
    py::object param, velocity, master;
    Fixed fixed;
    npy_intp size = 0;
    Type type{};
    bool started = false;
    SgdStep<double> step{};
    // of the step being made
    bool skipped = false;
    Type grad_type{};
    Walk update, squares;
  };

  class Busy {
   public:
    explicit Busy(std::atomic<bool>& flag) : flag_(flag) {}
    ~Busy() { flag_ = false; }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

   private:
    std::atomic<bool>& flag_;
  };

  // Single-threaded estimates that decide whether threads pay.
  static constexpr double ns_per_byte = 0.02, ns_gathered = 1, ns_converted = 0.6;

  std::string label(const std::string& kind, std::size_t i) const {
    return single_ ? kind : kind + "s[" + std::to_string(i) + "]";
  }

  void check_length(std::size_t length, const char* what) const {
    if (length != segments_.size())
      throw py::value_error(std::to_string(length) + " " + what + " for " + std::to_string(segments_.size()) +
                            " params: one for each is needed");
  }

  void check_fits(double value, const char* option, std::size_t i) const {
    if (segments_[i].type != Type::float64 && std::abs(value) > static_cast<double>(std::numeric_limits<float>::max()))
      throw py::value_error(std::string(option) + "=" + text(py::float_(value)) + " is too large for " +
                            label("param", i) + ", whose step is computed in float32");
  }

  void take_param(const py::object& param, std::size_t i) {
    const std::string name = label("param", i);
    check_is_array(param, name);
    PyArrayObject* const a = array(param);
    const std::optional<Type> type = type_of(a);
    if (!type)
      throw py::type_error(name + " has dtype " + dtype_name(a) + ", but the step is made for float16, bfloat16, " +
                           "float32 and float64: keep the parameter in one of them");
    check_is_writable(a, name);
    Segment& s = segments_[i];
    s.param = param;
    s.fixed = Fixed(a);
    s.size = PyArray_SIZE(a);
    s.type = *type;
    begins_.push_back(begins_.back() + s.size);
  }

  // A velocity or master that was handed in: of the parameter's dtype, beside half precision float32.
  void check_kept(const py::handle& object, const std::string& name, std::size_t i) const {
    const Segment& s = segments_[i];
    check_is_array(object, name);
    if (type_of(array(object)) != (is_half(s.type) ? Type::float32 : s.type))
      refuse_dtype(array(object), name, array(s.param), label("param", i),
                   is_half(s.type) ? ", beside which it is kept in float32: convert it with .astype"
                                    : ": convert it with .astype");
    check_shape(array(object), name, array(s.param), label("param", i));
    check_is_writable(array(object), name);
  }

  // Arrays of an earlier state are named as they are in it.
  std::string state_label(const char* one, const char* many, std::size_t i) const {
    return single_ ? one : std::string(many) + "[" + std::to_string(i) + "]";
  }

  void take_velocity(const py::object& velocity, std::size_t i) {
    Segment& s = segments_[i];
    s.started = !velocity.is_none();
    if (s.started) {
      check_kept(velocity, state_label("velocity", "velocities", i), i);
      s.velocity = velocity;
    } else {
      s.velocity = zeros_beside(s);
    }
  }

  // A velocity. That of a contiguous parameter lies as far from a cache line as it: where vectors of the one are within lines,
  // those of the other are too.
  static py::object zeros_beside(const Segment& s) {
    const py::module_ numpy = py::module_::import("numpy");
    PyArrayObject* const param = array(s.param);
    const bool c_order = PyArray_IS_C_CONTIGUOUS(param);
    if (is_half(s.type)) return numpy.attr("zeros_like")(s.param, "float32", "K", false);
    const py::object dtype = s.param.attr("dtype").attr("newbyteorder")("=");
    if (!c_order && !PyArray_IS_F_CONTIGUOUS(param)) return numpy.attr("zeros_like")(s.param, dtype, "K", false);
    constexpr npy_intp line = 64;
    const py::object memory = numpy.attr("zeros")(PyArray_NBYTES(param) + line, "uint8");
    const npy_intp offset = (PyArray_BYTES(param) - PyArray_BYTES(array(memory))) & (line - 1);
    return numpy.attr("ndarray")(s.param.attr("shape"), dtype, memory, offset, py::none(), c_order ? "C" : "F");
  }

  void take_master(const py::object& master, std::size_t i) {
    Segment& s = segments_[i];
    const std::string name = state_label("master", "masters", i);
    if (!master.is_none()) {
      if (!is_half(s.type))
        throw py::type_error(name + " belongs to a half-precision parameter, but " + label("param", i) + " has dtype " +
                             dtype_name(array(s.param)) + ": leave it out");
      check_kept(master, name, i);
      s.master = master;
    } else if (is_half(s.type) && !single_) {
      s.master = s.param.attr("astype")("float32", py::arg("subok") = false);
    }
  }

  void check_disjoint() {
    const auto add = [this](const py::object& object, const std::string& name) {
      Range range{Extent(array(object)), array(object), name};
      if (range.low != range.high) ranges_.push_back(std::move(range));
    };
    for (std::size_t i = 0; i < segments_.size(); ++i) {
      add(segments_[i].param, label("param", i));
      if (const py::object& velocity = segments_[i].velocity)
        add(velocity, single_ ? "velocity" : "the velocity of " + label("param", i));
      if (const py::object& master = segments_[i].master)
        add(master, single_ ? "master" : "the master of " + label("param", i));
    }
    std::sort(ranges_.begin(), ranges_.end(), [](const Range& a, const Range& b) { return a.low < b.low; });
    const char* reach = nullptr;
    for (std::size_t i = 0; i < ranges_.size(); ++i) {
      for (std::size_t j = i + 1; j < ranges_.size() && ranges_[j].low < ranges_[i].high; ++j)
        if (share_memory(ranges_[i].owner, ranges_[j].owner))
          throw py::value_error(ranges_[i].name + " and " + ranges_[j].name +
                                " share memory, which the step would update twice: pass each array once");
      reaches_.push_back(reach = std::max<const char*>(reach, ranges_[i].high));
    }
  }

  void check_gradient(const py::handle& object, std::size_t i) const {
    const Segment& s = segments_[i];
    PyArrayObject* const param = array(s.param);
    if (!s.fixed.holds(param))
      throw py::value_error(label("param", i) + " was resized, reshaped or made read-only since it was handed over");
    if (!PyArray_CheckExact(object.ptr())) check_is_array(object, label("grad", i));
    PyArrayObject* const grad = array(object);
    const std::optional<Type> type = type_of(grad);
    if (type != s.type && !(is_half(s.type) && type == Type::float32))
      refuse_dtype(grad, label("grad", i), param, label("param", i),
                   is_half(s.type) ? ": convert it to that or float32 with .astype" : ": convert it with .astype");
    if (!same_shape(grad, param)) check_shape(grad, label("grad", i), param, label("param", i));

    const Extent extent(grad);
    if (extent.low == extent.high) return;
    const auto after = std::partition_point(ranges_.begin(), ranges_.end(),
                                            [&](const Range& range) { return range.low < extent.high; });
    for (auto k = static_cast<std::size_t>(after - ranges_.begin()); k-- > 0 && reaches_[k] > extent.low;)
      if (ranges_[k].high > extent.low && share_memory(grad, ranges_[k].owner))
        throw py::value_error(label("grad", i) + " and " + ranges_[k].name +
                              " share memory, which the step would change while reading it: pass a copy");
  }

  // The arrays, one after the other, are cut into chunks of equal length; small arrays share one. Calls part(segment, begin,
  // end, chunk) for what a chunk holds of each array.
  template <void (Sgd::*part)(const Segment&, npy_intp, npy_intp, npy_intp)>
  struct Parts {
    Sgd& sgd;
    npy_intp length;

    void run(int team) { threads::run(chunks(sgd.size(), length), team, run_chunk, this); }
    static void run_chunk(void* self, npy_intp chunk) {
      const auto& [sgd, length] = *static_cast<Parts*>(self);
      const npy_intp from = chunk * length, to = std::min(from + length, sgd.size());
      auto i = static_cast<std::size_t>(std::upper_bound(sgd.begins_.begin(), sgd.begins_.end(), from) -
                                        sgd.begins_.begin() - 1);
      for (; i < sgd.segments_.size() && sgd.begins_[i] < to; ++i) {
        const npy_intp begin = std::max(from - sgd.begins_[i], npy_intp(0));
        const npy_intp end = std::min(to - sgd.begins_[i], sgd.segments_[i].size);
        if (begin < end && !sgd.segments_[i].skipped) (sgd.*part)(sgd.segments_[i], begin, end, chunk);
      }
    }
  };
  npy_intp size() const { return begins_.back(); }
  static npy_intp chunks(npy_intp n, npy_intp length) { return (n + length - 1) / length; }

  void update_part(const Segment& s, npy_intp begin, npy_intp end, npy_intp) {
    const Table& table = active_table();
    if (s.type == Type::float64)
      update(table.sgd64, s, begin, end);
    else if (s.type == Type::float32)
      update(table.sgd32, s, begin, end);
    else
      update_half(s.type == Type::float16 ? table.sgd_float16 : table.sgd_bfloat16, s, begin, end);
  }

  template <class T>
  static void update(SgdRow<T> row, const Segment& s, npy_intp begin, npy_intp end) {
    const SgdStep<T> step = step_in<T>(s.step);
    s.update.rows<T, const T, T>(begin, end, [&](T* param, const T* grad, T* velocity, npy_intp n) {
      row(step, param, grad, velocity, n);
    });
  }

  static void update_half(SgdHalfRow row, const Segment& s, npy_intp begin, npy_intp end) {
    using Half = std::uint16_t;
    const SgdStep<float> step = step_in<float>(s.step);
    if (is_half(s.grad_type))
      s.update.rows<Half, const Half, float, float>(
          begin, end, [&](Half* param, const Half* grad, float* velocity, float* master, npy_intp n) {
            row(step, param, grad, nullptr, velocity, master, n);
          });
    else
      s.update.rows<Half, const float, float, float>(
          begin, end, [&](Half* param, const float* grad, float* velocity, float* master, npy_intp n) {
            row(step, param, nullptr, grad, velocity, master, n);
          });
  }

  struct SquareSums {
    double lane[square_sum_lanes];
  };

  void square_part(const Segment& s, npy_intp begin, npy_intp end, npy_intp chunk) {
    double* const lane = square_sums_[static_cast<std::size_t>(chunk)].lane;
    const Table& table = active_table();
    if (s.grad_type == Type::float64)
      add_squares(table.square_sum64, s.squares, begin, end, lane);
    else if (s.grad_type == Type::float32)
      add_squares(table.square_sum32, s.squares, begin, end, lane);
    else
      add_squares(s.grad_type == Type::float16 ? table.square_sum_float16 : table.square_sum_bfloat16, s.squares,
                  begin, end, lane);
  }

  // Which lane an element is added to depends on its place in the array, in C order, and not on the memory layout.
  template <class T>
  void add_squares(SquareSum<T> sum, const Walk& walk, npy_intp begin, npy_intp end, double* lane) const {
    if (walk.plain) return sum(walk.pointer<T>(0, begin), end - begin, square_scale_, lane);
    T tile[Walk::tile_length];
    for (npy_intp n; begin < end; begin += n) {
      n = std::min(end - begin, Walk::tile_length);
      walk.gather(0, begin, n, tile);
      sum(tile, n, square_scale_, lane);
    }
  }

  double sum_squares(int team, double scale) {
    square_scale_ = scale;
    std::fill(square_sums_.begin(), square_sums_.end(), SquareSums{});
    Parts<&Sgd::square_part>{*this, chunk_length}.run(team);
    double total = 0;
    for (SquareSums& sums : square_sums_) {
      for (int half = square_sum_lanes / 2; half > 0; half /= 2)
        for (int k = 0; k < half; ++k) sums.lane[k] += sums.lane[k + half];
      total += sums.lane[0];
    }
    return total;
  }

  // The norm of all gradients, and the factor that brings it down to max_norm.
  double clip(int team, bool& finite, double& found) {
    // Squares of float64 can leave its range: then once more, with the elements scaled into the middle (Blue 1978).
    double scale = 1, total = sum_squares(team, scale);
    if (!std::isfinite(total))
      total = sum_squares(team, scale = 0x1p-600);
    else if (total < 0x1p-900)
      total = sum_squares(team, scale = 0x1p600);
    finite = std::isfinite(total);
    const double norm = std::sqrt(total);  // times scale
    found = norm / scale;
    if (!max_norm_ || std::isinf(*max_norm_)) return 1;
    const double factor = *max_norm_ * scale / (norm + 1e-6 * scale);
    return factor > 1 ? 1 : factor;  // NaN stays
  }

  std::vector<Segment> segments_;
  std::vector<npy_intp> begins_;  // of each array in the sequence of all, and the end
  std::vector<Range> ranges_;     // what is written, by address
  std::vector<const char*> reaches_;  // the highest address of ranges_[0..i]
  std::vector<SquareSums> square_sums_;  // by chunk
  double dampening_, square_scale_ = 1;
  bool maximize_;
  std::optional<double> max_norm_, last_norm_;
  bool skip_nonfinite_, single_;
  std::atomic<bool> busy_{false};
};

void sgd_step(const py::object& param, const py::object& grad, const py::object& velocity, const py::object& master,
              double lr, double momentum, double dampening, double weight_decay, bool nesterov, bool maximize) {
  const py::object velocities = velocity.is_none() ? py::object(py::none()) : py::make_tuple(velocity);
  Sgd sgd(py::make_tuple(param), velocities, py::make_tuple(master), {lr}, {weight_decay}, momentum, dampening, nesterov,
          maximize, std::nullopt, false, true);
  sgd.step(py::make_tuple(grad));
}

// ---- Small arrays --------------------------------------------------------------------------------------------------

// The step of plain arrays of one dtype that one chunk holds. The checks for all others take longer.
template <class T>
struct SmallStep {
  SgdRow<T> row;
  SgdStep<double> step;
  T *param, *velocity;
  const T* grad;
  npy_intp n;

  // param, grad, velocity, master, lr, momentum, dampening, weight_decay, nesterov, maximize; nothing where one of them is
  // anything but what this step takes.
  static std::optional<SmallStep> from(SgdRow<T> row, PyObject* const* args) {
    constexpr int type = sizeof(T) == sizeof(double) ? NPY_FLOAT64 : NPY_FLOAT32;
    double lr, momentum, dampening, weight_decay;
    double* const numbers[] = {&lr, &momentum, &dampening, &weight_decay};
    for (int i = 0; i < 4; ++i)
      if (!is_number(args[4 + i], *numbers[i]) || !(std::abs(*numbers[i]) <= double(std::numeric_limits<T>::max()))) return {};
    const bool nesterov = args[8] == Py_True, maximize = args[9] == Py_True;
    if (lr < 0 || momentum < 0 || weight_decay < 0 || (nesterov && (momentum == 0 || dampening != 0)) || args[3] != Py_None ||
        !PyBool_Check(args[8]) || !PyBool_Check(args[9]))
      return {};
    PyArrayObject* const arrays[] = {plain_output(args[0], type), plain_array(args[1]),
                                     momentum > 0 ? plain_output(args[2], type) : nullptr};
    const int count = momentum > 0 ? 3 : 2;
    for (int i = 0; i < count; ++i) {
      if (arrays[i] == nullptr || PyArray_TYPE(arrays[i]) != type || !PyArray_IS_C_CONTIGUOUS(arrays[i]) ||
          !same_shape(arrays[i], arrays[0]))
        return {};
      for (int j = 0; j < i; ++j)
        if (Extent(arrays[i]).meets(Extent(arrays[j]))) return {};
    }
    const npy_intp n = PyArray_SIZE(arrays[0]);
    if (n > chunk_length) return {};
    return SmallStep{row,
                     {lr, momentum, momentum > 0 ? 1 - dampening : 1, weight_decay, maximize ? -1.0 : 1.0, nesterov},
                     static_cast<T*>(PyArray_DATA(arrays[0])),
                     momentum > 0 ? static_cast<T*>(PyArray_DATA(arrays[2])) : nullptr,
                     static_cast<const T*>(PyArray_DATA(arrays[1])),
                     n};
  }
  static void run(void* self, npy_intp) {
    const SmallStep& small = *static_cast<SmallStep*>(self);
    small.row(step_in<T>(small.step), small.param, small.grad, small.velocity, small.n);
  }
};

template <class T>
py::object step_if_small(SgdRow<T> row, PyObject* const* args) {
  std::optional<SmallStep<T>> small = SmallStep<T>::from(row, args);
  if (!small) return {};
  const FpScope environment;
  threads::run(1, 1, SmallStep<T>::run, &*small);  // through a pointer, so that conversions stay within the scope
  return py::bool_(true);
}

py::object small_sgd_step(PyObject* const* args) {
  PyArrayObject* const param = plain_array(args[0]);
  if (param == nullptr) return {};
  if (PyArray_TYPE(param) == NPY_FLOAT32) return step_if_small(active_table().sgd32, args);
  if (PyArray_TYPE(param) == NPY_FLOAT64) return step_if_small(active_table().sgd64, args);
  return {};
}

}  // namespace

void register_sgd(py::module_& m) {
  m.attr("small_sgd_step") = make_direct_function("small_sgd_step", 10, small_sgd_step);
  m.def("sgd_step", sgd_step, "One step on one array; the numbers have been checked.");
  py::class_<Sgd>(m, "_Sgd")
      .def(py::init<const py::object&, const py::object&, const py::object&, const std::vector<double>&,
                    const std::vector<double>&, double, double, bool, bool, std::optional<double>, bool>(),
           py::arg("params"), py::arg("velocities"), py::arg("masters"), py::kw_only(), py::arg("lr"),
           py::arg("weight_decay"), py::arg("momentum"), py::arg("dampening"), py::arg("nesterov"),
           py::arg("maximize"), py::arg("max_norm"), py::arg("skip_nonfinite"))
      .def("step", &Sgd::step, py::arg("grads"))
      .def("set_learning_rates", &Sgd::set_learning_rates, py::arg("rates"))
      .def("velocities", &Sgd::velocities)
      .def("masters", &Sgd::masters)
      .def_property_readonly("last_norm", &Sgd::last_norm);
}

}  // namespace numact

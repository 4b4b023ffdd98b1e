// What a training step needs beside activations, matrix products and SGD: the bias, and the loss with its gradient. Both go over
// rows, a chunk of them at a time.
#include "numpy_api.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "../runtime/room.hpp"
#include "../runtime/threads.hpp"
#include "direct_call.hpp"
#include "records.hpp"
#include "register.hpp"

namespace py = pybind11;

namespace numact {
namespace {

PyArrayObject* array(const py::object& object) { return reinterpret_cast<PyArrayObject*>(object.ptr()); }

// The values as a contiguous array of that type, converted where they are none.
py::object contiguous(const py::object& values, int type, int flags = 0) {
  return checked(PyArray_FromAny(values.ptr(), PyArray_DescrFromType(type), 0, 0,
                                 NPY_ARRAY_CARRAY_RO | NPY_ARRAY_FORCECAST | flags, nullptr));
}

ptrdiff_t rows_of_chunk(ptrdiff_t n) { return std::max<ptrdiff_t>(1, threads::chunk_length / std::max<ptrdiff_t>(1, n)); }

// ---- bias ----

template <class T>
struct BiasJob {
  AddBias<T> add;
  T* y;
  const T* bias;
  ptrdiff_t rows, n;

  BiasJob(AddBias<T> add_given, PyArrayObject* y_given, PyArrayObject* bias_given)
      : add(add_given),
        y(static_cast<T*>(PyArray_DATA(y_given))),
        bias(static_cast<const T*>(PyArray_DATA(bias_given))),
        rows(PyArray_DIM(y_given, 0)),
        n(PyArray_DIM(y_given, 1)) {}
  static void run_chunk(void* argument, ptrdiff_t chunk) {
    const BiasJob& job = *static_cast<const BiasJob*>(argument);
    const ptrdiff_t together = rows_of_chunk(job.n), first = chunk * together;
    job.add(job.y + first * job.n, job.bias, std::min(together, job.rows - first), job.n);
  }
  void run() {
    constexpr double cost = 0.08;  // nanoseconds for each element
    const double work = double(rows) * double(n) * cost;
    const ptrdiff_t together = rows_of_chunk(n);
    const WithoutGil released(work);
    threads::run((rows + together - 1) / together, threads::worthwhile(work), run_chunk, this);
  }
};

void add_bias(const py::object& y, const py::object& bias) {
  PyArrayObject *const to = array(y), *const from = array(bias);
  if (!PyArray_Check(y.ptr()) || !PyArray_Check(bias.ptr()) || PyArray_NDIM(to) != 2 || PyArray_NDIM(from) != 1 ||
      PyArray_DIM(to, 1) != PyArray_DIM(from, 0) || !PyArray_ISCARRAY(to) || !PyArray_ISCARRAY_RO(from) ||
      PyArray_TYPE(to) != PyArray_TYPE(from))
    throw py::type_error("contiguous arrays of one dtype are needed, of shapes (rows, units) and (units,)");
  if (PyArray_TYPE(to) == NPY_FLOAT64)
    BiasJob<double>(active_table().add_bias64, to, from).run();
  else if (PyArray_TYPE(to) == NPY_FLOAT32)
    BiasJob<float>(active_table().add_bias32, to, from).run();
  else
    throw py::type_error("arrays of float32 or float64 are needed");
}

// ---- softmax and cross-entropy ----

template <class T>
struct LossJob {
  const RowsKernel& softmax;
  RowsWalk walk;
  CrossEntropyRow<T> finish;
  const T* logits;
  T* gradient;
  const npy_int64* labels;
  const double* shares;  // of the rows in the mean, nullptr where they count alike
  ptrdiff_t rows, n, rows_per_chunk;
  std::vector<double> sums;  // by chunk

  static void run_chunk(void* argument, ptrdiff_t chunk) {
    LossJob& job = *static_cast<LossJob*>(argument);
    const ptrdiff_t n = job.n, first = chunk * job.rows_per_chunk, end = std::min(job.rows, first + job.rows_per_chunk);
    char* const operands[] = {reinterpret_cast<char*>(const_cast<T*>(job.logits + first * n)),
                              reinterpret_cast<char*>(job.gradient + first * n)};
    constexpr ptrdiff_t size = sizeof(T);
    const ptrdiff_t strides[] = {n * size, n * size, size, size};
    job.walk(job.softmax, operands, strides, end - first, n, room());
    double sum = 0;
    for (ptrdiff_t r = first; r < end; ++r) {
      const T* const x = job.logits + r * n;
      T* const p = job.gradient + r * n;
      const ptrdiff_t label = job.labels[r];
      const double share = job.shares != nullptr ? job.shares[r] : 1 / double(job.rows);
      // Where p of the label has lost its digits, the largest p and the distance of the logits tell it.
      const double right = p[label];
      const ptrdiff_t known = right >= std::numeric_limits<T>::min() ? label : std::max_element(x, x + n) - x;
      const double p_known = p[known], others = job.finish(p, n, label, share);
      const double log_p = right >= 0.5 ? std::log1p(-others) : std::log(p_known) - (double(x[known]) - double(x[label]));
      sum -= share * log_p;
    }
    job.sums[static_cast<std::size_t>(chunk)] = sum;
  }
};

template <class T>
double mean_loss(Type type, CrossEntropyRow<T> finish, const py::object& logits, const npy_int64* labels, const double* shares,
                 PyArrayObject* out) {
  const Table& table = active_table();
  const RowsKernel& softmax = find_kernel(table.rows, table.rows_count, false, type, [](const RowsKernel& kernel) {
    return std::strcmp(kernel.name, "softmax") == 0 && kernel.direction == Direction::forward;
  });
  const py::object values = contiguous(logits, PyArray_TYPE(out));
  const ptrdiff_t rows = PyArray_DIM(out, 0), n = PyArray_DIM(out, 1);
  const ptrdiff_t together = rows_of_chunk(n), chunks = (rows + together - 1) / together;
  LossJob<T> job = {softmax,
                table.rows_walk[static_cast<int>(type)],
                finish,
                static_cast<const T*>(PyArray_DATA(array(values))),
                static_cast<T*>(PyArray_DATA(out)),
                labels,
                shares,
                rows,
                n,
                together,
                std::vector<double>(static_cast<std::size_t>(chunks))};
  constexpr double cost_of_row = 50, more_per_element = 0.2;  // nanoseconds
  const double work = double(rows) * (cost_of_row + double(n) * (softmax.cost + more_per_element));
  const WithoutGil released(work);
  threads::run(chunks, threads::worthwhile(work), LossJob<T>::run_chunk, &job);
  return std::accumulate(job.sums.begin(), job.sums.end(), 0.0);
}

// The mean, and its gradient to `out`, which has the shape of the logits and shares no memory with them. Shares are float64.
double softmax_cross_entropy(const py::object& logits, const py::object& labels, const py::object& shares,
                             const py::object& out) {
  PyArrayObject* const gradient = array(out);
  const ptrdiff_t rows = PyArray_DIM(gradient, 0), classes = PyArray_DIM(gradient, 1);
  // A copy: memory is indexed by them, and theirs may be that of `out` or change meanwhile.
  const py::object numbers = contiguous(labels, NPY_INT64, NPY_ARRAY_ENSURECOPY);
  const auto* const number = static_cast<const npy_int64*>(PyArray_DATA(array(numbers)));
  const npy_int64* const wrong = std::find_if_not(number, number + rows, [=](npy_int64 k) { return 0 <= k && k < classes; });
  if (wrong != number + rows) {
    const ptrdiff_t row = wrong - number;
    throw py::value_error("labels must lie in 0.." + std::to_string(classes - 1) + ", the number of columns of the logits; " +
                          "label " + std::to_string(row) + " is " + py::str(labels[py::int_(row)]).cast<std::string>());
  }
  const double* const share = shares.is_none() ? nullptr : static_cast<const double*>(PyArray_DATA(array(shares)));
  if (PyArray_TYPE(gradient) == NPY_FLOAT64)
    return mean_loss(Type::float64, active_table().cross_entropy64, logits, number, share, gradient);
  return mean_loss(Type::float32, active_table().cross_entropy32, logits, number, share, gradient);
}

}  // namespace

void register_training(py::module_& m) {
  m.def("add_bias", add_bias, py::arg("y"), py::arg("bias"), "Add the bias to every row of y.");
  m.def("softmax_cross_entropy", softmax_cross_entropy, py::arg("logits"), py::arg("labels"), py::arg("shares"),
        py::arg("out"), "The mean loss; its gradient goes to out, a contiguous array of float32 or float64.");
}

}  // namespace numact

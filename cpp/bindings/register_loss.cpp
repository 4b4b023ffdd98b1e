// softmax_cross_entropy: the mean loss over rows and its gradient, a chunk of rows at a time.
#include "numpy_api.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "../runtime/threads.hpp"
#include "direct_call.hpp"
#include "records.hpp"
#include "register.hpp"

namespace py = pybind11;

namespace numact {
namespace {

PyArrayObject* array(const py::object& object) { return reinterpret_cast<PyArrayObject*>(object.ptr()); }

// The values as a contiguous array of that type, converted where they are none.
py::object contiguous(const py::object& values, int type) {
  return checked(PyArray_FromAny(values.ptr(), PyArray_DescrFromType(type), 0, 0,
                                 NPY_ARRAY_CARRAY_RO | NPY_ARRAY_FORCECAST, nullptr));
}

template <class T>
struct Job {
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
    Job& job = *static_cast<Job*>(argument);
    const ptrdiff_t n = job.n, first = chunk * job.rows_per_chunk, end = std::min(job.rows, first + job.rows_per_chunk);
    char* const operands[] = {reinterpret_cast<char*>(const_cast<T*>(job.logits + first * n)),
                              reinterpret_cast<char*>(job.gradient + first * n)};
    constexpr ptrdiff_t size = sizeof(T);
    const ptrdiff_t strides[] = {n * size, n * size, size, size};
    job.walk(job.softmax, operands, strides, end - first, n);
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
  const ptrdiff_t together = std::max<ptrdiff_t>(1, threads::chunk_length / n), chunks = (rows + together - 1) / together;
  Job<T> job = {softmax,
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
  threads::run(chunks, threads::worthwhile(work), Job<T>::run_chunk, &job);
  return std::accumulate(job.sums.begin(), job.sums.end(), 0.0);
}

// The mean, and its gradient to `out`, which has the shape of the logits and shares no memory with them. Shares are float64.
double softmax_cross_entropy(const py::object& logits, const py::object& labels, const py::object& shares,
                             const py::object& out) {
  PyArrayObject* const gradient = array(out);
  const ptrdiff_t rows = PyArray_DIM(gradient, 0), classes = PyArray_DIM(gradient, 1);
  const py::object numbers = contiguous(labels, NPY_INT64);
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

void register_loss(py::module_& m) {
  m.def("softmax_cross_entropy", softmax_cross_entropy, py::arg("logits"), py::arg("labels"), py::arg("shares"),
        py::arg("out"), "The mean loss; its gradient goes to out, a contiguous array of float32 or float64.");
}

}  // namespace numact

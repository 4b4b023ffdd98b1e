// A loop over one elementwise kernel: as NumPy calls it, and over plain arrays that broadcast.
#pragma once
#include <algorithm>
#include <cstdlib>

#include "../runtime/cache.hpp"
#include "../runtime/room.hpp"
#include "direct_call.hpp"
#include "grid_parts.hpp"
#include "records.hpp"

namespace numact {

constexpr int most_outputs = Outputs::most, most_operands = Grid::most_arrays;

struct Loop {
  const ElementwiseKernel* kernel;
  ElementwiseWalk walk;
  int inputs, operands;
  ptrdiff_t sizes[most_operands];
  double cost;  // ns per element

  // Of data stored as a type.
  static Loop over(const Table& table, const ElementwiseKernel& kernel, Type data) {
    const int inputs = kernel.arrays + kernel.parameters;
    Loop loop = {&kernel, table.elementwise_walk[static_cast<int>(data)], inputs, inputs + kernel.outputs, {}, numact::cost(kernel)};
    for (int i = 0; i < loop.operands; ++i)
      loop.sizes[i] = size_of(i >= kernel.arrays && i < inputs ? kernel.parameter : data);
    return loop;
  }
  void run(char* const* data, const ptrdiff_t* strides, ptrdiff_t n, const ptrdiff_t* row_strides = nullptr,
           ptrdiff_t rows = 1, bool past_cache = false) const {
    walk(*kernel, data, strides, n, row_strides, rows, past_cache, rows > 1 ? room() : nullptr);
  }
  // Whether the outputs shall go around the caches: where they do not fit there beside the inputs, and the memory, not the
  // arithmetic, takes the time.
  bool past_cache(const ptrdiff_t* strides, ptrdiff_t elements) const {
    constexpr double time_of_byte = 0.03;  // ns
    ptrdiff_t bytes = 0;
    for (int i = 0; i < operands; ++i) bytes += strides[i] != 0 ? sizes[i] : 0;
    return cost < time_of_byte * double(bytes) && elements > last_level_cache() / bytes;
  }
};

struct Job {
  const Loop* loop;
  char* const* operands;
  const npy_intp* strides;
  ptrdiff_t n, chunk_length;
  bool past_cache;

  static void run_chunk(void* argument, ptrdiff_t chunk) {
    const Job& job = *static_cast<const Job*>(argument);
    const ptrdiff_t begin = chunk * job.chunk_length;
    char* moved[most_operands];
    for (int i = 0; i < job.loop->operands; ++i) moved[i] = job.operands[i] + begin * job.strides[i];
    job.loop->run(moved, job.strides, std::min(job.chunk_length, job.n - begin), nullptr, 1, job.past_cache);
  }
};

// Whether writing an output may change an input that is read later: reduce, accumulate and at hand the output in as an
// input at another offset or with stride 0. The same memory element by element is fine, and so are interleaved arrays.
inline bool feeds_back(const Loop& loop, int output, char* const* operands, const npy_intp* strides, ptrdiff_t n) {
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

inline int run_loop(const Loop& loop, char* const* operands, const npy_intp* dimensions, const npy_intp* strides) {
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
  const int team = n > threads::chunk_length && apart ? threads::worthwhile(double(n) * loop.cost) : 1;
  const bool past_cache = loop.past_cache(strides, n);
  if (team == 1) {
    loop.run(operands, strides, n, nullptr, 1, past_cache);
  } else {
    const ptrdiff_t length = threads::long_chunk(n, team);
    Job job{&loop, operands, strides, n, length, past_cache};
    threads::run((n + length - 1) / length, team, Job::run_chunk, &job);
  }
  return 0;
}

// All elements of a grid of its operands.
inline void run_loop(const Loop& loop, const Grid& grid) {
  const ptrdiff_t elements = grid.elements();
  if (elements == 0) return;
  const FpScope scope;  // also for what threads are worth
  const WithoutGil released(double(elements) * loop.cost);
  if (grid.axes <= 1) {
    run_loop(loop, grid.data, grid.length, grid.stride[0]);
    return;
  }
  const bool past_cache = loop.past_cache(grid.stride[0], elements);
  run_grid(grid, loop.cost, [&](char* const* data, ptrdiff_t n, ptrdiff_t rows) {
    loop.run(data, grid.stride[0], n, grid.stride[1], rows, past_cache);
  });
}

// The outputs, into what is given or new arrays laid out as the inputs, which stand in front of them in operands; data of a NumPy
// type. Nothing where shapes do not broadcast or an array that is given cannot be written to as it is.
inline pybind11::object compute(const Loop& loop, int type, Operand* operands, PyObject* const* given) {
  const int outputs = loop.operands - loop.inputs;
  for (int k = 0; k < outputs; ++k) {
    if ((given[k] == nullptr) != (given[0] == nullptr)) return {};
    if (given[k] == nullptr) continue;
    PyArrayObject* const array = plain_output(given[k], type);
    if (array == nullptr) return {};
    operands[loop.inputs + k] = Operand(array);
  }
  Grid grid;
  if (!grid.place(operands, given[0] == nullptr ? loop.inputs : loop.operands)) return {};
  pybind11::object results[most_outputs];
  for (int k = 0; k < outputs; ++k) {
    if (given[k] != nullptr) {
      if (!grid.is_whole(operands[loop.inputs + k])) return {};
      results[k] = pybind11::reinterpret_borrow<pybind11::object>(given[k]);
      continue;
    }
    npy_intp lengths[Grid::most_axes], strides[Grid::most_axes];
    grid.lay_out(loop.sizes[loop.inputs + k], lengths, strides);
    results[k] = checked(PyArray_NewFromDescr(&PyArray_Type, PyArray_DescrFromType(type), grid.shape_axes(), lengths, strides,
                                              nullptr, 0, nullptr));
    grid.add(Operand(reinterpret_cast<PyArrayObject*>(results[k].ptr())));
  }
  grid.merge();
  for (int k = loop.inputs; k < loop.operands && given[0] != nullptr; ++k) {
    if (!grid.distinct(k)) return {};
    for (int i = 0; i < k; ++i)
      if (!grid.same_or_apart(i, k)) return {};
  }
  run_loop(loop, grid);
  if (outputs == 1) return returned(std::move(results[0]), given[0]);
  return pybind11::make_tuple(returned(std::move(results[0]), given[0]), returned(std::move(results[1]), given[1]));
}

}  // namespace numact

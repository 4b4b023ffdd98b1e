// What one ISA level offers: the kernels of the catalogue, compiled for it. Serial, on raw memory, no Python.
#pragma once
#include <cstddef>
#include <cstdint>

#include "../kernels/sgd_step.hpp"

namespace numact {

enum class Direction : uint8_t { forward, backward, backward_from_output };
enum class Type : uint8_t { float32, float64 };
enum class Tier : uint8_t { standard, precise };

// Operands in the order arrays, parameters, output; strides in bytes.
using ElementwiseRun = void (*)(char* const* operands, const ptrdiff_t* strides, ptrdiff_t n);

struct ElementwiseKernel {
  int record;  // index in the catalogue
  Direction direction;
  Tier tier;
  Type data, parameter;
  int arrays, parameters;
  ElementwiseRun run;
};

// dx, and each element's term of the parameter's gradient. Operands dy, x, parameter, dx. Only kernels for float64 data write
// the rests: what the terms' rounding left out.
using ParameterGradientRun = void (*)(char* const* operands, const ptrdiff_t* strides, double* terms, double* rests,
                                      ptrdiff_t n);
struct ParameterGradientKernel {
  int record;
  Tier tier;
  Type data, parameter;
  ParameterGradientRun run;
};

// y = max over `pieces` inputs `piece_stride` apart, `which` the first that attains it.
struct MaxoutRow {
  const char* x;
  ptrdiff_t x_stride, piece_stride;
  int pieces;
  char* y;
  ptrdiff_t y_stride;
  char* which;
  ptrdiff_t which_stride;
};
// dx at each piece is dy where `which` names the piece, else 0.
struct MaxoutBackwardRow {
  const char* dy;
  ptrdiff_t dy_stride;
  const char* which;
  ptrdiff_t which_stride;
  int pieces;
  char* dx;
  ptrdiff_t dx_stride, piece_stride;
};

struct Table {
  const char* name;
  const ElementwiseKernel* elementwise;
  int elementwise_count;
  const ParameterGradientKernel* parameter_gradients;
  int parameter_gradient_count;
  void (*maxout32)(const MaxoutRow&, ptrdiff_t n);
  void (*maxout64)(const MaxoutRow&, ptrdiff_t n);
  void (*maxout_backward32)(const MaxoutBackwardRow&, ptrdiff_t n);
  void (*maxout_backward64)(const MaxoutBackwardRow&, ptrdiff_t n);
  SgdRow<float> sgd32;
  SgdRow<double> sgd64;
  SquareSum<float> square_sum32;
  SquareSum<double> square_sum64;
};

// The levels this CPU can run, best last, and the one chosen at import.
struct Levels {
  const Table* supported[8];
  int count;
  const Table* active;
};
const Levels& levels();
const Table& active_table();
// Picks the named level; false if the CPU or the build does not have it.
bool choose_level(const char* name);

}  // namespace numact

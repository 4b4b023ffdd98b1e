// What one ISA level offers: the kernels of the catalogue, compiled for it.
#pragma once
#include "../kernels/kernel.hpp"

namespace numact {

struct Table {
  const char* name;
  const ElementwiseKernel* elementwise;
  int elementwise_count;
  const ParameterGradientKernel* parameter_gradients;
  int parameter_gradient_count;
  const RowsKernel* rows;
  int rows_count;
  const ElementwiseKernel* crelu;  // of x; of both halves of dy and x; of both halves of dy and y
  int crelu_count;
  const ElementwiseKernel* with_slope;  // of x: the output and the derivative
  int with_slope_count;
  // By the type that the data is stored as.
  ElementwiseWalk elementwise_walk[type_count];
  ParameterGradientWalk parameter_gradient_walk[type_count];
  RowsWalk rows_walk[type_count];
  RowsPart rows_part[type_count];
  void (*maxout[type_count])(const MaxoutBlocks&);
  void (*maxout_backward[type_count])(const MaxoutBackwardBlocks&);
  StatsWalk stats[type_count];
  StatsFinish finish_stats;
  CrossEntropyRow<float> cross_entropy32;
  CrossEntropyRow<double> cross_entropy64;
  AddBias<float> add_bias32;
  AddBias<double> add_bias64;
  SgdRow<float> sgd32;
  SgdRow<double> sgd64;
  SgdHalfRow sgd_float16;
  SgdHalfRow sgd_bfloat16;
  SquareSum<float> square_sum32;
  SquareSum<double> square_sum64;
  SquareSum<uint16_t> square_sum_float16;
  SquareSum<uint16_t> square_sum_bfloat16;
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

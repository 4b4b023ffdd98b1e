// What a ufunc computes, kept where NumPy's own keep the data of their loops: a loop is told nothing else of its own than who
// called it.
#pragma once
#include "numpy_api.hpp"

namespace numact {

// As the `data` of a ufunc, for as long as the process.
template <class Function>
void* const* kept_function(const Function& function) {
  return new void*(new Function(function));
}
template <class Function>
Function& function_of(PyObject* ufunc) {
  return *static_cast<Function*>(*reinterpret_cast<PyUFuncObject*>(ufunc)->data);
}

// What NumPy calls for data of a type: one of the `loops` of the ufunc's Function.
template <class Function, Type data>
int strided_loop(PyArrayMethod_Context* context, char* const* operands, const npy_intp* dimensions, const npy_intp* strides,
                 NpyAuxData*) {
  return run_loop(*function_of<Function>(context->caller).loops[static_cast<int>(data)], operands, dimensions, strides);
}
template <class Function>
void* strided_loop_of(Type data) {
  PyArrayMethod_StridedLoop* const loop = data == Type::float16   ? strided_loop<Function, Type::float16>
                                          : data == Type::bfloat16 ? strided_loop<Function, Type::bfloat16>
                                          : data == Type::float32  ? strided_loop<Function, Type::float32>
                                                                   : strided_loop<Function, Type::float64>;
  return reinterpret_cast<void*>(loop);
}

}  // namespace numact

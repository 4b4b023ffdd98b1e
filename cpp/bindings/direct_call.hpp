// Calls of ufuncs without NumPy. Its way from a call to its loop takes longer than the loop for a small array, and it copies
// what it cannot walk as one run of elements, or walks it run by run. A ufunc therefore first looks whether its operands are
// plain arrays.
#pragma once
#include "numpy_api.hpp"

#include <algorithm>
#include <type_traits>

namespace numact {

// A plain array of a dtype, native and aligned; nullptr for anything else.
inline PyArrayObject* plain_array(PyObject* object, const PyArray_DTypeMeta* dtype) {
  if (!PyArray_CheckExact(object)) return nullptr;
  auto* const array = reinterpret_cast<PyArrayObject*>(object);
  return NPY_DTYPE(PyArray_DESCR(array)) == dtype && PyArray_ISBEHAVED_RO(array) ? array : nullptr;
}

// The loop for arrays of one dtype, if it was met before; nullptr for anything else.
template <class Function>
std::decay_t<decltype(Function::loops[0])> loop_for(const Function& function, PyObject* const* arrays) {
  const PyArray_DTypeMeta* dtype = nullptr;
  for (int i = 0; i < function.arrays; ++i) {
    if (!PyArray_CheckExact(arrays[i])) return nullptr;
    const PyArray_DTypeMeta* const each = NPY_DTYPE(PyArray_DESCR(reinterpret_cast<PyArrayObject*>(arrays[i])));
    if (i > 0 && each != dtype) return nullptr;
    dtype = each;
  }
  const std::optional<Type> type = dtype == function.bfloat16 ? Type::bfloat16 : type_of(dtype);
  return type ? function.loops[static_cast<int>(*type)] : nullptr;
}

// Lets other Python threads run meanwhile, for work that takes longer than their taking turns.
class WithoutGil {
 public:
  explicit WithoutGil(double nanoseconds_of_work)
      : state_(nanoseconds_of_work > worth_releasing ? PyEval_SaveThread() : nullptr) {}
  // A daemon thread that asks for the GIL when the interpreter has ended is unwound.
  ~WithoutGil() noexcept(false) {
    if (state_ != nullptr) PyEval_RestoreThread(state_);
  }
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;

 private:
  static constexpr double worth_releasing = 5e3;
  PyThreadState* state_;
};

// What a call gives as outputs, nullptr where nothing.
struct Outputs {
  static constexpr int most = 2;
  PyObject* given[most] = {};
  bool alone = true;  // no other keyword, nothing wrong

  // By position: the arguments after the inputs.
  Outputs(int inputs, int outputs, PyObject* const* args, Py_ssize_t nargs) : count_(outputs) {
    const Py_ssize_t positional = nargs - inputs;
    by_position_ = positional > 0;
    alone = positional == 0 || positional == count_;
    for (Py_ssize_t k = 0; k < std::min<Py_ssize_t>(positional, count_); ++k) give(k, args[inputs + k]);
  }
  void keyword(PyObject* name, PyObject* value) {
    if (PyUnicode_CompareWithASCIIString(name, "out") != 0 || by_position_)
      alone = false;
    else if (PyTuple_CheckExact(value) && PyTuple_GET_SIZE(value) == count_)
      for (Py_ssize_t k = 0; k < count_; ++k) give(k, PyTuple_GET_ITEM(value, k));
    else if (count_ == 1)
      give(0, value);
    else
      alone = false;
  }

 private:
  int count_;
  bool by_position_;

  void give(Py_ssize_t k, PyObject* array) { given[k] = array == Py_None ? nullptr : array; }
};

}  // namespace numact

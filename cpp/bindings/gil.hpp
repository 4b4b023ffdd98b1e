// The GIL: given up for long work, and asked for.
#pragma once
#include <Python.h>
#include <unistd.h>

#include <limits>

namespace numact {

// CPython before 3.14 ends a daemon thread that asks for the GIL after the interpreter's end by unwinding it, through frames
// that would give back their references. Such a thread waits for the end of the process instead, as under 3.14.
template <class Ask>
auto ask_for_gil(Ask ask) {
  try {
    return ask();
  } catch (...) {
    for (;;) pause();
  }
}

// Lets other Python threads run meanwhile, for work that takes longer than their taking turns.
class WithoutGil {
 public:
  explicit WithoutGil(double nanoseconds_of_work = std::numeric_limits<double>::infinity())
      : state_(nanoseconds_of_work > worth_releasing ? PyEval_SaveThread() : nullptr) {}
  ~WithoutGil() {
    if (state_ != nullptr) ask_for_gil([this] { PyEval_RestoreThread(state_); });
  }
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;

 private:
  static constexpr double worth_releasing = 5e3;
  PyThreadState* state_;
};

}  // namespace numact

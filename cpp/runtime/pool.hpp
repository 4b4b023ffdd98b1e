// A small pool of threads, for where OpenMP cannot or should not be used.
//
// The caller works too and never waits for a worker that has not started on its job: a job costs at most one chunk
// more than running it alone, whatever else keeps the cores busy. Idle workers sleep; only right after a job they watch for
// the next one for a moment (stays_awake), because waking them takes longer than a small job.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>

#include "fp_scope.hpp"
#include "threads.hpp"

namespace numact::threads {

// Stands around each thread's share of a job: a default floating-point environment (a worker inherits that of whoever
// created it) and the mark by which a call from inside a task is known.
class TaskScope {
 public:
  TaskScope() : outer_(inside_) { inside_ = true; }
  ~TaskScope() { inside_ = outer_; }
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;
  static bool inside() { return inside_; }

 private:
  inline static thread_local bool inside_ = false;
  FpScope environment_;
  bool outer_;
};

class Pool {
 public:
  static constexpr double stays_awake = 20e3;  // ns

  // One job at a time: the caller sees to that. Returns when every chunk has run.
  void run(std::ptrdiff_t chunks, int threads, Task task, void* argument);

 private:
  struct Job {
    Task task;
    void* argument;
    std::ptrdiff_t chunks;
    int places;                          // how many more workers may join; guarded by mutex_
    std::atomic<int> at_work{0};         // workers that joined and have not left; changed under mutex_
    std::atomic<std::ptrdiff_t> next{0};

    void work();
  };

  void hire(int workers);
  void serve();
  void watch(unsigned seen) const;

  std::mutex mutex_;
  std::condition_variable job_posted_, job_left_;
  Job* job_ = nullptr;  // open to workers; guarded by mutex_
  std::atomic<unsigned> posted_{0};  // jobs so far; changed under mutex_
  int workers_ = 0;     // touched by run's caller only
};

}  // namespace numact::threads

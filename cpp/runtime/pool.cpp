#include "pool.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <thread>

namespace numact::threads {
namespace {

// A finished caller waits for chunks that take some microseconds, less than going to sleep would.
constexpr int spins_before_sleep = 4000;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  asm volatile("yield");
#endif
}

}  // namespace

void Pool::Job::work() {
  const TaskScope scope;
  for (std::ptrdiff_t chunk; (chunk = next.fetch_add(1, std::memory_order_relaxed)) < chunks;) task(argument, chunk);
}

void Pool::watch(unsigned seen) const {
  using Clock = std::chrono::steady_clock;
  constexpr int pauses = 32;  // between looks at the clock
  const auto end = Clock::now() + std::chrono::nanoseconds(static_cast<int>(stays_awake));
  do {
    for (int i = 0; i < pauses; ++i) {
      if (posted_.load(std::memory_order_relaxed) != seen) return;
      pause();
    }
  } while (Clock::now() < end);
}

void Pool::serve() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    job_posted_.wait(lock, [this] { return job_ != nullptr && job_->places > 0; });
    Job& job = *job_;
    --job.places;
    ++job.at_work;
    lock.unlock();
    job.work();
    lock.lock();
    const unsigned seen = posted_;
    if (--job.at_work == 0) job_left_.notify_one();  // after this the job may be gone
    lock.unlock();
    watch(seen);
    lock.lock();
  }
}

void Pool::hire(int workers) {
  if (workers_ >= workers) return;
  // Signals are for the application's threads; those that report a crash stay.
  sigset_t all, before;
  sigfillset(&all);
  for (const int crash : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) sigdelset(&all, crash);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    for (; workers_ < workers; ++workers_) std::thread(&Pool::serve, this).detach();
  } catch (const std::exception&) {
    // No more threads to be had: those there are (the caller at least) do the work.
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Pool::run(std::ptrdiff_t chunks, int threads, Task task, void* argument) {
  const int helpers = static_cast<int>(std::min<std::ptrdiff_t>(threads, chunks)) - 1;
  hire(helpers);
  Job job{task, argument, chunks, helpers};
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    job_ = &job;
    ++posted_;
  }
  for (int i = 0; i < std::min(helpers, workers_); ++i) job_posted_.notify_one();
  job.work();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    job_ = nullptr;  // who has not joined by now is not waited for
  }
  for (int spins = 0; job.at_work != 0; ++spins) {
    if (spins < spins_before_sleep) {
      pause();
    } else {
      std::unique_lock<std::mutex> lock(mutex_);
      job_left_.wait(lock, [&job] { return job.at_work == 0; });
    }
  }
}

}  // namespace numact::threads

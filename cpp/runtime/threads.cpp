#include "threads.hpp"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <new>
#include <stdexcept>
#include <thread>

#include "pool.hpp"

#ifdef _OPENMP
#include <omp.h>
// The entry point our parallel regions call: its file is the runtime we are bound to.
#if defined(__clang__)
extern "C" void __kmpc_fork_call(void*, int, void (*)(int*, int*, ...), ...);
#define NUMACT_OPENMP_ENTRY __kmpc_fork_call
#else
extern "C" void GOMP_parallel(void (*)(void*), void*, unsigned, unsigned);
#define NUMACT_OPENMP_ENTRY GOMP_parallel
#endif
#endif

namespace numact::threads {

int (*context_override)() = nullptr;

namespace {

enum class Backend { openmp, pool, serial };

std::atomic<Backend> current{Backend::pool};
std::string why = "not configured";  // written by configure only
std::atomic<bool> child_without_team{false};

std::atomic<int> default_threads{0};
std::atomic<int> overrides{0};
std::atomic<int> pretended_cpus{0};
int environment_limit = std::numeric_limits<int>::max();  // OMP_NUM_THREADS, where no OpenMP runtime reads it

// Waking a worker that sleeps takes 30 to 60 us and some of the caller's time; where another library's idle threads
// still hold the cores, sharing gains nothing and costs some 20 us. So it has to be worth it. A team that has just been at
// work is still awake, and starts within a microsecond or two.
constexpr double worth_sharing = 100e3, worth_sharing_awake = 20e3;  // ns of work on one thread
constexpr double least_share = 50e3, least_share_awake = 10e3;       // ns for each thread
constexpr double openmp_stays_awake = 5e3;                           // ns that its idle threads spin, see _runtime.py

constexpr double worth_waking = 200e3;                               // ns of work in calls close after one another

double now() { return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// When a team was last done: the pool's, or OpenMP's, which keeps one for each thread that calls.
constexpr double never = -1e18;
std::atomic<double> pool_left{never};
thread_local double openmp_left = never;

double stays_awake() { return current == Backend::pool ? Pool::stays_awake : openmp_stays_awake; }

bool team_is_awake(double time) {
  return time - (current == Backend::pool ? pool_left.load(std::memory_order_relaxed) : openmp_left) < stays_awake();
}

void team_is_done() {
  if (current == Backend::pool)
    pool_left.store(now(), std::memory_order_relaxed);
  else
    openmp_left = now();
}

// Calls of this thread that a team would have shared had it been awake, and that would have kept it so. Together they may be
// worth waking it.
struct Missed {
  double work = 0, until = never;

  bool worth_waking_with(double more, double time) {
    work = (time < until ? work : 0) + more;
    until = time + 2 * more + stays_awake();  // `more` is a rough guess
    return work >= worth_waking;
  }
};
thread_local Missed missed;

std::atomic<bool> team_busy{false};

// Never destroyed: its threads may outlive static destructors.
alignas(Pool) unsigned char pool_storage[sizeof(Pool)];
Pool* const pool = new (pool_storage) Pool;

// In a forked child the team's threads do not exist and its locks may be held for ever, so a new pool takes the place
// of the old one, and OpenMP, which would wait for its old threads, is left alone.
void after_fork_in_child() {
  new (pool_storage) Pool;
  team_busy = false;
  pool_left = never;
  if (current == Backend::openmp) {
    child_without_team = true;
    current = Backend::pool;
  }
}

int cpus() {
  if (const int pretended = pretended_cpus; pretended > 0) return pretended;
#if defined(__linux__)
  alignas(cpu_set_t) unsigned char set[8192 / 8];  // more CPUs than a cpu_set_t holds
  if (sched_getaffinity(0, sizeof set, reinterpret_cast<cpu_set_t*>(set)) == 0)
    return std::max(1, CPU_COUNT_S(sizeof set, reinterpret_cast<cpu_set_t*>(set)));
#endif
  return std::max(1u, std::thread::hardware_concurrency());
}

int runtime_limit() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return environment_limit;
#endif
}

bool in_foreign_region() {
#ifdef _OPENMP
  return omp_in_parallel() != 0;
#else
  return false;
#endif
}

void run_openmp(std::ptrdiff_t chunks, int threads, Task task, void* argument) {
#ifdef _OPENMP
#pragma omp parallel num_threads(threads)
  {
    const TaskScope scope;
#pragma omp for schedule(dynamic, 1) nowait
    for (std::ptrdiff_t chunk = 0; chunk < chunks; ++chunk) task(argument, chunk);
  }
#else
  pool->run(chunks, threads, task, argument);
#endif
}

// The limit OMP_NUM_THREADS sets, where no OpenMP runtime reads it: its first number.
int limit_in_environment() {
  const char* text = getenv("OMP_NUM_THREADS");
  const long limit = text != nullptr ? strtol(text, nullptr, 10) : 0;
  constexpr int none = std::numeric_limits<int>::max();
  return limit > 0 && limit < none ? static_cast<int>(limit) : none;
}

std::string canonical(const std::string& path) {
  char* resolved = realpath(path.c_str(), nullptr);
  if (resolved == nullptr) return path;
  std::string result = resolved;
  free(resolved);
  return result;
}

}  // namespace

void run(std::ptrdiff_t chunks, int threads, Task task, void* argument) {
  const Backend backend_now = current;
  if (threads < 2 || chunks < 2 || backend_now == Backend::serial || TaskScope::inside() || in_foreign_region() ||
      team_busy.exchange(true, std::memory_order_acquire)) {
    const TaskScope scope;
    for (std::ptrdiff_t chunk = 0; chunk < chunks; ++chunk) task(argument, chunk);
    return;
  }
  threads = static_cast<int>(std::min<std::ptrdiff_t>(threads, chunks));
  if (backend_now == Backend::openmp)
    run_openmp(chunks, threads, task, argument);
  else
    pool->run(chunks, threads, task, argument);
  team_is_done();
  team_busy.store(false, std::memory_order_release);
}

int available() {
  if (current == Backend::serial) return 1;
  int wanted = 0;
  if (overrides > 0 && context_override != nullptr) wanted = context_override();
  if (wanted == 0) wanted = default_threads;
  const int limit = std::min(runtime_limit(), cpus());
  return std::max(1, wanted > 0 ? std::min(wanted, limit) : limit);
}

int worthwhile(double nanoseconds_of_work) {
  if (nanoseconds_of_work < worth_sharing_awake) return 1;
  const double time = now();
  const bool awake = team_is_awake(time) || missed.worth_waking_with(nanoseconds_of_work, time);
  if (!awake && nanoseconds_of_work < worth_sharing) return 1;
  const double threads = nanoseconds_of_work / (awake ? least_share_awake : least_share);
  return static_cast<int>(std::min<double>(threads, available()));
}

void configure(const std::string& forced, const std::vector<std::string>& runtimes_loaded_before) {
  static const bool registered = pthread_atfork(nullptr, nullptr, after_fork_in_child) == 0;
  if (!registered) throw std::runtime_error("pthread_atfork failed");
  environment_limit = limit_in_environment();

  if (!forced.empty()) {
    if (forced == "openmp" && openmp_built())
      current = Backend::openmp;
    else if (forced == "pool")
      current = Backend::pool;
    else if (forced == "serial")
      current = Backend::serial;
    else
      throw std::invalid_argument("NUMACT_THREADING='" + forced + "' is not one of " +
                                  (openmp_built() ? "'openmp', 'pool', 'serial'"
                                                  : "'pool', 'serial' (this numact was built without OpenMP)"));
    why = "NUMACT_THREADING asks for it";
    return;
  }
  if (!openmp_built()) {
    current = Backend::pool;
    why = "numact was built without OpenMP";
    return;
  }
  const std::string ours = openmp_runtime();
  for (const std::string& path : runtimes_loaded_before) {
    if (canonical(path) == ours) {
      current = Backend::pool;
      why = "another library loaded its OpenMP runtime first, whose waiting cannot be set any more";
      return;
    }
  }
  current = Backend::openmp;
  why = "numact loaded its OpenMP runtime first";
}

std::string backend() {
  switch (current) {
    case Backend::openmp: return "openmp";
    case Backend::pool: return "pool";
    default: return "serial";
  }
}

std::string reason() {
  return child_without_team ? "this process was forked: the threads of OpenMP stayed in its parent" : why;
}

bool openmp_built() {
#ifdef _OPENMP
  return true;
#else
  return false;
#endif
}

std::string openmp_runtime() {
#ifdef _OPENMP
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(&NUMACT_OPENMP_ENTRY), &info) != 0 && info.dli_fname != nullptr)
    return canonical(info.dli_fname);
#endif
  return "";
}

void set_default(int threads) { default_threads = std::max(0, threads); }
void override_entered() { ++overrides; }
void override_left() { --overrides; }
void pretend_cpus(int number) { pretended_cpus = number; }

}  // namespace numact::threads

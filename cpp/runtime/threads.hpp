// Threads: the one place where numact runs anything in parallel.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace numact::threads {

// One piece of a job: `argument` is what run() was given, `chunk` counts from 0.
// A task may not throw and may not touch Python. It runs in a default floating-point environment (fp_scope.hpp).
using Task = void (*)(void* argument, std::ptrdiff_t chunk);

// How many elements of an array one chunk takes, as a rule: some microseconds of work, and whole vectors.
constexpr std::ptrdiff_t chunk_length = 1 << 14;

// The same of an array of n elements that `threads` share, where results do not depend on it. Beyond the caches threads that
// stay longer in one place are up to 25 % faster; each still gets some sixteen pieces.
inline std::ptrdiff_t long_chunk(std::ptrdiff_t n, int threads) {
  const std::ptrdiff_t share = n / threads / 16 / chunk_length * chunk_length;
  return share < chunk_length ? chunk_length : share > 16 * chunk_length ? 16 * chunk_length : share;
}

// How many threads a call from this thread may use now: what num_threads() or set_default() asked for, limited by the
// OpenMP runtime's own limit for this thread (OMP_NUM_THREADS, threadpoolctl) and by the CPU affinity.
int available();

// How many threads (1 to available()) to use for a call that takes `nanoseconds_of_work` on one thread.
// Cheap when the answer is 1 because there is little work.
int worthwhile(double nanoseconds_of_work);

// Runs task(argument, c) once for every c in [0, chunks), on at most `threads` threads (the caller is one of them),
// and returns when all are done. Chunks are handed out dynamically, so results may not depend on who runs which.
// Runs everything on the caller when called from inside a task or a foreign OpenMP region, or while another thread
// of the process has the team.
void run(std::ptrdiff_t chunks, int threads, Task task, void* argument);

// Process default for the number of threads; 0 means "as many as available".
void set_default(int threads);

// Chooses the backend; called once, at import. `forced` is "openmp", "pool", "serial" or empty; anything else, and
// "openmp" where it was not built in, is a std::invalid_argument. `runtimes_loaded_before`: the paths of the OpenMP
// runtimes that were in the process before numact.
void configure(const std::string& forced, const std::vector<std::string>& runtimes_loaded_before);

// "openmp", "pool" or "serial" now in use, and one sentence that says why.
std::string backend();
std::string reason();

// Whether OpenMP was built in, and the file of the runtime we are bound to (empty without OpenMP).
bool openmp_built();
std::string openmp_runtime();

// A number of threads for the calling context only (0: none asked for), installed by the bindings because it lives in
// a Python context variable. Asked only while override_entered() calls outnumber override_left() calls.
extern int (*context_override)();
void override_entered();
void override_left();

// For tests: believe in this many CPUs (0: ask the system).
void pretend_cpus(int cpus);

}  // namespace numact::threads

// The choice among the compiled levels. Compiled for the baseline.
#include "table.hpp"

#include <cstring>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace numact {

#if defined(__x86_64__)
extern const Table table_x86_64, table_x86_64_v3, table_x86_64_v4;
#elif defined(__aarch64__)
extern const Table table_arm64;
#else
#error "numact supports x86-64 and arm64; this processor is not supported yet"
#endif

namespace {

#if defined(__x86_64__)
// The builtin asks the operating system too (saved vector registers); what it does not know by name comes from cpuid.
bool supports_v3() {
  unsigned eax, ebx, ecx, edx, extended_ecx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return false;
  if (!__get_cpuid(0x80000001u, &eax, &ebx, &extended_ecx, &edx)) return false;
  const bool movbe = ecx >> 22 & 1, f16c = ecx >> 29 & 1, lzcnt = extended_ecx >> 5 & 1;
  return movbe && f16c && lzcnt && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}
bool supports_v4() {
  return supports_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

Levels detect() {
  Levels found{};
  const auto add = [&found](const Table& table) { found.active = found.supported[found.count++] = &table; };
#if defined(__x86_64__)
  __builtin_cpu_init();
  add(table_x86_64);
  if (supports_v3()) add(table_x86_64_v3);
  if (supports_v4()) add(table_x86_64_v4);
#else
  add(table_arm64);
#endif
  return found;
}

Levels& state() {
  static Levels found = detect();
  return found;
}

}  // namespace

const Levels& levels() { return state(); }

const Table& active_table() { return *state().active; }

bool choose_level(const char* name) {
  for (int i = 0; i < state().count; ++i)
    if (std::strcmp(state().supported[i]->name, name) == 0) {
      state().active = state().supported[i];
      return true;
    }
  return false;
}

}  // namespace numact

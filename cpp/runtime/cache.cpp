#include "cache.hpp"

#if defined(__APPLE__)
#include <sys/sysctl.h>
#endif

#include <algorithm>
#include <fstream>
#include <string>

namespace numact {
namespace {

constexpr std::ptrdiff_t guess = 32 << 20;

// The largest of the caches that Linux lists, such as "32768K".
std::ptrdiff_t read_size() {
  std::ptrdiff_t largest = 0;
#if defined(__APPLE__)
  for (const char* const name : {"hw.l3cachesize", "hw.perflevel0.l2cachesize"}) {
    std::size_t length = sizeof largest;
    if (sysctlbyname(name, &largest, &length, nullptr, 0) == 0 && largest > 0) return largest;
  }
#else
  for (int i = 0; i < 8; ++i) {
    std::ifstream file("/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(i) + "/size");
    std::ptrdiff_t size = 0;
    char unit = 0;
    if (!(file >> size)) break;
    file >> unit;
    largest = std::max(largest, size * (unit == 'K' ? 1 << 10 : unit == 'M' ? 1 << 20 : 1));
  }
#endif
  return largest > 0 ? largest : guess;
}

}  // namespace

std::ptrdiff_t last_level_cache() {
  static const std::ptrdiff_t size = read_size();
  return size;
}

}  // namespace numact

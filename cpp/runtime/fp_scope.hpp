// FpScope: the default floating-point environment for as long as it lives.
//
// Inside: round to nearest, no flush-to-zero, no denormals-are-zero, all exceptions masked, so results do not depend
// on what another library has set. At the end the caller's control bits *and* status flags come back, so NumPy never
// sees a flag raised in between. Every loop entry and every worker thread's share of a job stands in one.
//
// The compiler does not know that arithmetic depends on these registers: call the arithmetic through something it
// cannot inline into the same function (a function pointer, another translation unit).
#pragma once
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#elif !defined(__aarch64__)
#error "numact supports x86-64 and arm64"
#endif

namespace numact {

#if defined(__x86_64__)

class FpScope {
 public:
  FpScope() : saved_(_mm_getcsr()) {
    if ((saved_ & ~status) != standard) _mm_setcsr(standard);
  }
  ~FpScope() {
    if (_mm_getcsr() != saved_) _mm_setcsr(saved_);  // writing costs more than reading
  }
  FpScope(const FpScope&) = delete;
  FpScope& operator=(const FpScope&) = delete;

 private:
  static constexpr unsigned status = 0x003f;    // the six sticky exception flags
  static constexpr unsigned standard = 0x1f80;  // the six masks set, everything else clear
  unsigned saved_;
};

#else

class FpScope {
 public:
  FpScope() : control_(control()), status_(status()) {
    if (control_ != 0) set_control(0);  // 0: nearest, no flushing, no traps
  }
  ~FpScope() {
    if (control() != control_) set_control(control_);
    if (status() != status_) set_status(status_);
  }
  FpScope(const FpScope&) = delete;
  FpScope& operator=(const FpScope&) = delete;

 private:
  static std::uint64_t control() {
    std::uint64_t value;
    asm volatile("mrs %0, fpcr" : "=r"(value)::"memory");
    return value;
  }
  static std::uint64_t status() {
    std::uint64_t value;
    asm volatile("mrs %0, fpsr" : "=r"(value)::"memory");
    return value;
  }
  static void set_control(std::uint64_t value) { asm volatile("msr fpcr, %0" ::"r"(value) : "memory"); }
  static void set_status(std::uint64_t value) { asm volatile("msr fpsr, %0" ::"r"(value) : "memory"); }
  std::uint64_t control_, status_;
};

#endif

}  // namespace numact

#pragma once
#include <cfenv>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace cupg {

/// IEEE arithmetic as the numerics contract has it, for the time of a call: rounding to nearest, subnormal numbers kept, no traps. Puts the
/// caller's environment back. Threads that are started meanwhile inherit it. What computes between must be a function of its own: the
/// compiler does not know that an operation depends on the environment.
class IeeeArithmetic {
 public:
  IeeeArithmetic() {
    if (usual_) return;
    std::fegetenv(&before_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~IeeeArithmetic() {
#if defined(__x86_64__)
    if (usual_) {
      _mm_setcsr(flags_);
      return;
    }
#endif
    std::fesetenv(&before_);
  }
  IeeeArithmetic(const IeeeArithmetic&) = delete;
  IeeeArithmetic& operator=(const IeeeArithmetic&) = delete;

 private:
#if defined(__x86_64__)
  /// Whether the caller's environment is the right one already: changing it and back takes as long as a small batch's step.
  static bool is_usual(unsigned mxcsr) {
    unsigned short x87 = 0;
    asm volatile("fnstcw %0" : "=m"(x87));
    return (mxcsr & 0xffc0u) == 0x1f80u && x87 == 0x37fu;
  }
  const unsigned flags_ = _mm_getcsr();
  const bool usual_ = is_usual(flags_);
#else
  static constexpr bool usual_ = false;
#endif
  std::fenv_t before_;
};

}  // namespace cupg

#pragma once
#include <cfenv>

namespace cupg {

/// IEEE arithmetic as the numerics contract has it, for the time of a call: rounding to nearest, subnormal numbers kept, no traps. Puts the
/// caller's environment back. Threads that are started meanwhile inherit it. What computes between must be a function of its own: the
/// compiler does not know that an operation depends on the environment.
class IeeeArithmetic {
 public:
  IeeeArithmetic() {
    std::fegetenv(&before_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~IeeeArithmetic() { std::fesetenv(&before_); }
  IeeeArithmetic(const IeeeArithmetic&) = delete;
  IeeeArithmetic& operator=(const IeeeArithmetic&) = delete;

 private:
  std::fenv_t before_;
};

}  // namespace cupg

#pragma once
#include <cstddef>

#ifndef __CUDACC__
#include "kernels/simt/simt.hpp"
#endif

namespace cupg_test {

/// Options of the host executor for a scope: seed 0 runs threads in ascending order, others shuffle blocks, starts and wake-ups. A
/// device has a schedule of its own.
class Schedule {
 public:
#ifdef __CUDACC__
  explicit Schedule(std::size_t) {}
#else
  explicit Schedule(std::size_t seed) : scope_({.seed = seed}) {}

 private:
  cupg::simt::WithOptions scope_;
#endif
};
inline constexpr std::size_t kSchedules = 3;

}  // namespace cupg_test

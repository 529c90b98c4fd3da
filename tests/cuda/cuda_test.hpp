// What the kernel tests share: they run on the host executor, or, compiled by nvcc, on a device where there is one.
#pragma once
#include <gtest/gtest.h>

#include "tests/cuda/launches.hpp"

namespace cupg_test {

#ifdef __CUDACC__
inline constexpr const char* kEngine = "cuda, device";
#else
inline constexpr const char* kEngine = "cuda, host executor";
#endif

/// Skips, visibly, where kernels cannot run.
struct CudaTest : testing::Test {
  void SetUp() override {
    if (const std::string reason = why_not(); !reason.empty()) GTEST_SKIP() << reason;
  }
};

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

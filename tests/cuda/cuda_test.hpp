// What the kernel tests share: they run on the host executor, or, compiled by nvcc, on a device where there is one.
#pragma once
#include <gtest/gtest.h>

#include "tests/cuda/launches.hpp"
#include "tests/cuda/schedule.hpp"

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

}  // namespace cupg_test

// What the kernel tests share: they run on the host executor, or, compiled by nvcc, on a device where there is one.
#pragma once
#include <gtest/gtest.h>

#include "src/engine/cuda_launch.hpp"
#include "tests/cuda/cuda_engines.hpp"
#include "tests/cuda/schedule.hpp"

namespace cupg_test {

#ifdef __CUDACC__
inline constexpr const char* kEngine = "cuda, device";
#else
inline constexpr const char* kEngine = "cuda, host executor";
#endif

using cupg::Agents;
using cupg::MinibatchNumber;
using cupg::TiledAgents;
using cupg::runtime::Stream;

/// Skips, visibly, where kernels cannot run.
struct CudaTest : testing::Test {
  void SetUp() override {
    if (const std::string reason = why_no_engine(); !reason.empty()) GTEST_SKIP() << reason;
  }
};

}  // namespace cupg_test

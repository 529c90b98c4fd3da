// The whole CUDA engine where these tests run it: on the host executor, or on a device through the plug-in. Which of the two is decided
// when a program is linked, by engines_on_executor.cpp or engines_on_device.cpp, so that the tests are compiled once for both.
#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "src/engine/cuda_plugin.hpp"
#include "src/engine/library_plan.hpp"

namespace cupg_test {

bool on_device();
/// Empty where engines can be made.
std::string why_no_engine();
std::unique_ptr<cupg::Engine> make_cuda_engine(const cupg::Config& config, int agents = 1, cupg::CudaForm form = cupg::CudaForm::automatic);
/// The engine of wide networks, for any network on the executor. A device plans its slabs itself, and has it for wide networks alone.
std::unique_ptr<cupg::Engine> make_cuda_gemm_engine(const cupg::Config& config, int agents, const cupg::LibraryPlan& plan);
/// The executor's schedule until the handle goes (Schedule in schedule.hpp); a device has one of its own.
std::shared_ptr<void> engine_schedule(std::size_t seed);
inline constexpr std::size_t kEngineSchedules = 3;

/// A fixture, or the base of one, that skips where there is no device.
template <class Fixture = testing::Test>
struct CudaEngineTest : Fixture {
  void SetUp() override {
    if (const std::string reason = why_no_engine(); !reason.empty()) GTEST_SKIP() << "no CUDA device: " << reason;
  }
};

}  // namespace cupg_test

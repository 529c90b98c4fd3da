// Kernels that hardware lets hang or gives nonsense: each mistake is an Error, under every schedule.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/simt/schedules.hpp"

namespace {

using namespace cupg_test;
using namespace cupg::simt;

constexpr unsigned kAllLanes = 0xffffffffu;

__global__ void divergent_barrier_kernel() {
  if (threadIdx.x < 40) __syncthreads();
}

__global__ void two_barriers_kernel() {
  if (threadIdx.x % 2 == 0)
    __syncthreads();
  else
    __syncthreads();
}

__global__ void two_kinds_of_barrier_kernel() {
  threadIdx.x == 3 ? __syncthreads() : static_cast<void>(__syncthreads_count(1));  // on one line
}

__global__ void early_exit_kernel(unsigned thread) {
  if (threadIdx.x == thread) return;
  __syncthreads();
}

__global__ void early_exit_from_warp_kernel(unsigned thread) {
  if (threadIdx.x == thread) return;
  __syncwarp();
}

__global__ void divergent_shuffle_kernel(int* out) {
  int value = static_cast<int>(threadIdx.x);
  if (value < 16) value += __shfl_xor_sync(kAllLanes, value, 1);
  out[threadIdx.x] = value;
}

__global__ void two_shuffles_kernel(int* out) {
  const int value = static_cast<int>(threadIdx.x);
  if (value < 16)
    out[value] = __shfl_sync(kAllLanes, value, 0);
  else
    out[value] = __shfl_sync(kAllLanes, value, 1);
}

__global__ void two_widths_kernel(int* out) {
  const int value = static_cast<int>(threadIdx.x);
  out[value] = __shfl_sync(kAllLanes, value, 0, value < 16 ? 16 : 32);
}

__global__ void not_in_mask_kernel(int* out) {
  const int value = static_cast<int>(threadIdx.x);
  out[value] = __shfl_sync(0x0000ffffu, value, 0);
}

__global__ void inactive_lane_kernel(int* out) {
  const int value = static_cast<int>(threadIdx.x);
  if (value < 16) out[value] = __shfl_down_sync(0x0000ffffu, value, 4);  // lane 12 reads lane 16
}

__global__ void missing_lane_kernel(int* out) { out[threadIdx.x] = __shfl_xor_sync(kAllLanes, 1, 8); }

__global__ void odd_width_kernel(int* out) { out[threadIdx.x] = __shfl_sync(kAllLanes, 1, 0, 12); }

__global__ void long_shuffle_kernel(int* out) { out[threadIdx.x] = __shfl_down_sync(kAllLanes, 1, 32); }

__global__ void different_masks_kernel() { __syncwarp(threadIdx.x == 0 ? 0xffffffffu : 0xfffffffeu); }

/// Each of three lanes waits for another one; the others return.
__global__ void circle_kernel() {
  if (threadIdx.x == 0) __syncwarp(0b011);
  if (threadIdx.x == 1) __syncwarp(0b110);
  if (threadIdx.x == 2) __syncwarp(0b101);
}

__global__ void barrier_and_warp_kernel() {
  if (threadIdx.x < 4)
    __syncthreads();
  else
    __syncwarp();
}

/// What the launch must say, under every schedule: all of these texts.
template <class... P, class... A>
void expect_error(const std::vector<std::string>& texts, void (*kernel)(P...), unsigned threads, A... arguments) {
  under_schedules(20, [&](int seed) {
    try {
      launch("broken", kernel, dim3(2), dim3(threads), 0, arguments...);
      ADD_FAILURE() << "nothing was thrown with seed " << seed;
    } catch (const Error& error) {
      const std::string message = error.what();
      for (const std::string& text : texts) EXPECT_NE(message.find(text), std::string::npos) << '"' << text << "\" is not in: " << message;
      EXPECT_EQ(message.rfind("simt: kernel broken: ", 0), 0u) << message;
      EXPECT_NE(message.find(", seed " + std::to_string(seed)), std::string::npos) << message;
    }
  });
}

/// "FILE:LINE" of this file, without the line.
const std::string kHere = "errors_test.cpp:";

TEST(Errors, DivergentBarrier) { expect_error({"early exit", "at __syncthreads ", kHere, "returned"}, divergent_barrier_kernel, 128); }

TEST(Errors, TwoBarriers) {
  expect_error({"different calls", "32 thread(s) at __syncthreads ", kHere, ": 0,2,4,6,8,10,..."}, two_barriers_kernel, 64);
}

TEST(Errors, TwoKindsOfBarrier) { expect_error({"different calls", "__syncthreads_count"}, two_kinds_of_barrier_kernel, 64); }

TEST(Errors, EarlyExit) {
  for (const unsigned thread : {0u, 17u, 63u})
    expect_error({"early exit", " at __syncthreads ", "returned: " + std::to_string(thread)}, early_exit_kernel, 64, thread);
}

TEST(Errors, EarlyExitFromAWarp) {
  for (const unsigned thread : {0u, 17u, 31u})
    expect_error({"early exit", " at __syncwarp mask 0xffffffff ", "returned: " + std::to_string(thread)}, early_exit_from_warp_kernel, 32,
                 thread);
}

class ShuffleErrors : public ::testing::Test {
 protected:
  int out_[128];
};

TEST_F(ShuffleErrors, Divergent) { expect_error({"early exit", "at __shfl_xor_sync mask 0xffffffff"}, divergent_shuffle_kernel, 32, out_); }

TEST_F(ShuffleErrors, TwoShuffles) { expect_error({"different calls", "at __shfl_sync"}, two_shuffles_kernel, 32, out_); }

TEST_F(ShuffleErrors, TwoWidths) { expect_error({"different calls", "at __shfl_sync"}, two_widths_kernel, 32, out_); }

TEST_F(ShuffleErrors, LaneNotInItsMask) { expect_error({"not in its own mask", "mask 0x0000ffff"}, not_in_mask_kernel, 32, out_); }

TEST_F(ShuffleErrors, InactiveLane) {
  expect_error({"reads lane 16, which is outside its mask", "thread (12,0,0) of block"}, inactive_lane_kernel, 32, out_);
}

TEST_F(ShuffleErrors, LaneThatDoesNotExist) { expect_error({"reads lane 8", "thread (32,0,0) of block"}, missing_lane_kernel, 40, out_); }

TEST_F(ShuffleErrors, OddWidth) { expect_error({"not 12"}, odd_width_kernel, 32, out_); }

TEST_F(ShuffleErrors, OverMoreThanAWarp) { expect_error({"over 32 lanes"}, long_shuffle_kernel, 32, out_); }

TEST(Errors, DifferentMasks) {
  expect_error({"early exit", "1 thread(s) at __syncwarp mask 0xffffffff", ": 0"}, different_masks_kernel, 32);
}

TEST(Errors, Deadlock) {
  expect_error({"deadlock", "4 thread(s) at __syncthreads ", ": 0-3", "28 thread(s) at __syncwarp mask 0xffffffff "},
               barrier_and_warp_kernel, 32);
}

TEST(Errors, DeadlockInAWarp) {
  expect_error({"deadlock", "1 thread(s) at __syncwarp mask 0x00000006 ", ": 1", "5 thread(s) returned: 3-7"}, circle_kernel, 8);
}

TEST(Errors, ThreadsThatHaveReturnedMayBeAllowed) {
  under_schedules(6, [&](int seed) {
    const WithOptions scope({.seed = static_cast<std::uint64_t>(seed), .allow_exited = true});
    int out[128];
    EXPECT_NO_THROW(launch("early_exit", early_exit_kernel, dim3(2), dim3(64), 0, 17u));
    EXPECT_NO_THROW(launch("early_exit", early_exit_from_warp_kernel, dim3(2), dim3(64), 0, 33u));
    EXPECT_NO_THROW(launch("divergent", divergent_barrier_kernel, dim3(2), dim3(128), 0));
    EXPECT_NO_THROW(launch("divergent", divergent_shuffle_kernel, dim3(1), dim3(32), 0, out));
    EXPECT_THROW(launch("inactive", inactive_lane_kernel, dim3(2), dim3(32), 0, out), Error);
    EXPECT_THROW(launch("deadlock", barrier_and_warp_kernel, dim3(2), dim3(32), 0), Error);
  });
}

}  // namespace

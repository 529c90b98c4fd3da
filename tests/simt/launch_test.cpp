// Launches: shapes, indices, parameters, options, exceptions, host threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/simt/schedules.hpp"

namespace {

using namespace cupg_test;
using namespace cupg::simt;

__global__ void empty_kernel() {}

/// What launching this shape throws; empty where it works.
std::string error_of(dim3 grid, dim3 block, std::size_t shared_bytes = 0) {
  try {
    launch("empty", empty_kernel, grid, block, shared_bytes);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Launch, RefusesShapesThatADeviceRefuses) {
  for (const dim3 grid : {dim3(0), dim3(1, 0), dim3(1, 1, 0), dim3(1, 65536), dim3(1, 1, 65536), dim3(0x80000000u)})
    EXPECT_NE(error_of(grid, dim3(32)).find("kernel empty: a grid of"), std::string::npos);
  for (const dim3 block :
       {dim3(0), dim3(1, 0), dim3(1, 1, 0), dim3(1025), dim3(41, 25), dim3(1, 1, 65), dim3(1 << 16, 1 << 16), dim3(1, 1u << 31, 2)})
    EXPECT_NE(error_of(dim3(1), block).find("kernel empty: a block of"), std::string::npos);
  EXPECT_NE(error_of(dim3(1), dim3(1), kMaxShared + 1).find("232449 bytes of dynamic shared memory"), std::string::npos);
}

TEST(Launch, TakesTheLargestShapes) {
  EXPECT_EQ(error_of(dim3(70'000), dim3(1)), "");
#ifndef CUPG_TEST_TSAN  // seconds there
  EXPECT_EQ(error_of(dim3(1, 65'535), dim3(1)), "");
  EXPECT_EQ(error_of(dim3(1, 1, 65'535), dim3(1)), "");
#endif
  EXPECT_EQ(error_of(dim3(1), dim3(1024), kMaxShared), "");
  EXPECT_EQ(error_of(dim3(1), dim3(4, 4, 64)), "");
}

struct Visit {
  uint3 thread, block;
  dim3 threads, blocks;
  int count;
};

__global__ void visit_kernel(Visit* visits) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  Visit& mine = visits[block * blockDim.x * blockDim.y * blockDim.z + thread];
  __syncthreads();  // the indices are a thread's own after others have run
  mine = {threadIdx, blockIdx, blockDim, gridDim, mine.count + 1};
}

TEST(Launch, VisitsEveryThreadOfEveryBlockOnce) {
  const dim3 grid(3, 2, 4), block(5, 7, 2);
  under_schedules(6, [&](int) {
    std::vector<Visit> visits(24 * 70);
    launch("visit", visit_kernel, grid, block, 0, visits.data());
    for (unsigned i = 0; i < visits.size(); ++i) {
      const Visit& v = visits[i];
      ASSERT_EQ(v.count, 1);
      ASSERT_EQ(((v.block.z * 2 + v.block.y) * 3 + v.block.x) * 70 + (v.thread.z * 7 + v.thread.y) * 5 + v.thread.x, i);
      ASSERT_TRUE(v.blocks.x == 3 && v.blocks.y == 2 && v.blocks.z == 4 && v.threads.x == 5 && v.threads.y == 7 && v.threads.z == 2);
    }
  });
}

__global__ void order_kernel(unsigned* next, unsigned* order) { order[atomicAdd(next, 1u)] = blockIdx.x * blockDim.x + threadIdx.x; }

std::vector<unsigned> order_with(std::uint64_t seed) {
  const WithOptions scope({.seed = seed});
  unsigned next = 0;
  std::vector<unsigned> order(4 * 40);
  launch("order", order_kernel, dim3(4), dim3(40), 0, &next, order.data());
  return order;
}

TEST(Launch, SeedsChooseTheSchedule) {
  const std::vector<unsigned> ascending = order_with(0);
  EXPECT_TRUE(std::is_sorted(ascending.begin(), ascending.end()));
  EXPECT_EQ(order_with(7), order_with(7));
  EXPECT_NE(order_with(7), order_with(8));
  std::vector<unsigned> shuffled = order_with(7);
  for (std::size_t i = 0; i < shuffled.size(); ++i)
    EXPECT_EQ(shuffled[i] / 40, shuffled[i / 40 * 40] / 40) << "blocks run one after the other";
  EXPECT_FALSE(shuffled[0] < shuffled[40] && shuffled[40] < shuffled[80] && shuffled[80] < shuffled[120]) << "blocks are shuffled";
  EXPECT_FALSE(std::is_sorted(shuffled.begin(), shuffled.begin() + 40)) << "threads are shuffled";
  std::sort(shuffled.begin(), shuffled.end());
  EXPECT_EQ(shuffled, ascending);
}

struct Parameters {
  double scale;
  char letter;
};
__global__ void parameters_kernel(Parameters p, float x, const int* in, int* out) {
  p.scale += in[threadIdx.x];  // every thread has a copy
  out[threadIdx.x] = static_cast<int>(p.scale * static_cast<double>(x)) + p.letter;
}

TEST(Launch, GivesEveryThreadACopyOfTheParameters) {
  std::vector<int> x = {1, 2, 3, 4}, got(4);
  launch("parameters", parameters_kernel, dim3(1), dim3(4), 0, Parameters{10, 'a'}, 2, x.data(), got.data());
  EXPECT_EQ(got, (std::vector<int>{'a' + 22, 'a' + 24, 'a' + 26, 'a' + 28}));
}

__global__ void throwing_kernel(unsigned thread, unsigned block) {
  __syncwarp();
  if (threadIdx.x == thread && blockIdx.x == block) throw std::out_of_range("thrown in a kernel");
  __syncthreads();
}

TEST(Launch, PassesOnWhatAKernelThrows) {
  under_schedules(6, [&](int) {
    for (const unsigned thread : {0u, 33u, 63u}) {
      try {
        launch("throwing", throwing_kernel, dim3(3), dim3(64), 0, thread, 1u);
        FAIL() << "nothing was thrown";
      } catch (const std::out_of_range& error) {
        EXPECT_STREQ(error.what(), "thrown in a kernel");
      }
      EXPECT_EQ(error_of(dim3(2), dim3(64)), "") << "the next launch works";
    }
  });
}

__global__ void catching_kernel(int* out) {
  try {
    if (threadIdx.x % 2 == 0) throw static_cast<int>(threadIdx.x);
    out[threadIdx.x] = -1;
  } catch (int thread) {
    out[threadIdx.x] = thread;
  }
  __syncthreads();
}

TEST(Launch, LetsKernelsCatch) {
  std::vector<int> got(34);
  launch("catching", catching_kernel, dim3(1), dim3(34), 0, got.data());
  for (int i = 0; i < 34; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)], i % 2 == 0 ? i : -1);
}

__global__ void launching_kernel() { launch("inner", empty_kernel, dim3(1), dim3(1), 0); }

TEST(Launch, IsNotForKernels) { EXPECT_THROW(launch("outer", launching_kernel, dim3(1), dim3(1), 0), Error); }

TEST(Launch, OffersBarriersToKernelsOnly) {
  EXPECT_THROW(__syncthreads(), Error);
  EXPECT_THROW(__any_sync(1, 1), Error);
}

__global__ void deep_kernel(int* out, int depth) {
  volatile char frame[512 * 1024];
  frame[0] = static_cast<char>(depth);
  frame[sizeof frame - 1] = static_cast<char>(depth);
  __syncthreads();
  out[threadIdx.x] = frame[0] + frame[sizeof frame - 1];
}

TEST(Options, AskForLargerStacks) {
  std::vector<int> got(100);
  for (const std::size_t stack : {std::size_t{1024} * 1024, std::size_t{2048} * 1024}) {
    const WithOptions scope({.stack = stack});
    launch("deep", deep_kernel, dim3(1), dim3(100), 0, got.data(), 21);
    EXPECT_EQ(got, std::vector<int>(100, 42));
  }
  EXPECT_EQ(error_of(dim3(1), dim3(64)), "");
}

TEST(Options, AreRestored) {
  const Options before = options();
  {
    const WithOptions scope({.seed = 5, .poison = 0});
    EXPECT_EQ(options().seed, 5u);
  }
  EXPECT_EQ(options().seed, before.seed);
  EXPECT_EQ(options().poison, before.poison);
}

__global__ void meeting_kernel() {
  for (int i = 0; i < 3; ++i) __syncthreads();
  __syncwarp();
}

TEST(Stats, Count) {
  const Stats before = stats();
  launch("meeting", meeting_kernel, dim3(2), dim3(64), 0);
  EXPECT_EQ(stats().blocks - before.blocks, 2u);
  EXPECT_EQ(stats().threads - before.threads, 128u);
  EXPECT_EQ(stats().barriers - before.barriers, 6u);
  EXPECT_EQ(stats().warp_operations - before.warp_operations, 4u);
  EXPECT_GE(stats().switches - before.switches, 2u * 64 * 4);
}

__global__ void increment_kernel(int* x) {
  __shared__ int copy[32];
  const unsigned i = threadIdx.x;
  copy[i] = x[i];
  __syncthreads();
  const int other = copy[31 - i];
  __syncthreads();
  x[31 - i] = other + 1;
}

TEST(HostThreads, LaunchOneAfterTheOther) {
  constexpr int kThreads = 4;
  const int launches = scaled(500);
  std::atomic<int> errors = 0, waiting = kThreads;
  std::vector<std::vector<int>> numbers(kThreads, std::vector<int>(32));
  std::vector<std::thread> threads;
  for (std::vector<int>& mine : numbers)
    threads.emplace_back([&mine, &errors, &waiting, launches] {
      for (--waiting; waiting > 0;) std::this_thread::yield();
      for (int i = 0; i < launches; ++i) {
        launch("increment", increment_kernel, dim3(1), dim3(32), 0, mine.data());
        try {
          launch("throwing", throwing_kernel, dim3(1), dim3(64), 0, 40u, 0u);
        } catch (const std::out_of_range&) {
          ++errors;
        }
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<int>& mine : numbers) EXPECT_EQ(mine, std::vector<int>(32, launches));
  EXPECT_EQ(errors, kThreads * launches);
}

}  // namespace

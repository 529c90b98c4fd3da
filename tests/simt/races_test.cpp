// Races that no schedule of fibers may show as a wrong result: ThreadSanitizer reports them, and launch throws.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/simt/schedules.hpp"

/// Reports are expected here, and each of them: without these options only the first one with a stack or an address counts.
extern "C" const char* __tsan_default_options();
const char* __tsan_default_options() { return "exitcode=0 suppress_equal_stacks=0 suppress_equal_addresses=0"; }

namespace {

using namespace cupg_test;
using cupg::simt::Error;
using cupg::simt::launch;

constexpr unsigned kAllLanes = 0xffffffffu;

__global__ void missing_barrier_kernel(const int* x, int* out) {
  __shared__ int copy[64];
  copy[threadIdx.x] = x[threadIdx.x];
  out[threadIdx.x] = copy[63 - threadIdx.x];
}

__global__ void missing_loop_barrier_kernel(const int* x, int* out) {
  __shared__ int copy[64];
  int sum = 0;
  for (int round = 0; round < 3; ++round) {
    copy[threadIdx.x] = x[threadIdx.x] + round;
    __syncthreads();
    sum += copy[(threadIdx.x + 1) % 64];
  }
  out[threadIdx.x] = sum;
}

__global__ void missing_barrier_in_dynamic_kernel(const int* x, int* out) {
  CUPG_DYNAMIC_SHARED(int, copy);
  copy[threadIdx.x] = x[threadIdx.x];
  __syncwarp();  // orders the warp, not the block
  out[threadIdx.x] = copy[63 - threadIdx.x];
}

/// The shuffle makes the lanes meet, so the result is right, but does not order memory.
__global__ void missing_syncwarp_kernel(const int* x, int* out) {
  __shared__ int copy[64];
  const unsigned warp = threadIdx.x & ~31u, lane = threadIdx.x % 32;
  copy[threadIdx.x] = x[threadIdx.x];
  out[threadIdx.x] = __shfl_sync(kAllLanes, 0, 0);
  out[threadIdx.x] += copy[warp + 31 - lane];
}

/// What orders a half does not order the warp. One half only reads, so that no other race is there.
__global__ void syncwarp_of_a_half_kernel(const int* x, int* out) {
  __shared__ int copy[64];
  const bool writes = threadIdx.x % 32 < 16;
  if (writes) copy[threadIdx.x] = x[threadIdx.x];
  __syncwarp(writes ? 0x0000ffffu : 0xffff0000u);
  if (!writes) out[threadIdx.x] = copy[threadIdx.x ^ 16];
}

/// A vote orders nothing either.
__global__ void vote_instead_of_syncwarp_kernel(const int* x, int* out) {
  __shared__ int copy[64];
  copy[threadIdx.x] = x[threadIdx.x];
  __any_sync(kAllLanes, 1);
  out[threadIdx.x] = copy[threadIdx.x ^ 1];
}

/// Fibers change places at barriers only, so no update is lost here.
__global__ void plain_update_kernel(const int* x, int* out) {
  __shared__ int sum;
  if (threadIdx.x == 0) sum = 0;
  __syncthreads();
  sum += x[threadIdx.x];
  __syncthreads();
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

/// The first and the last thread of a block write one number.
__global__ void two_warps_kernel(const int* x, int* out) {
  __shared__ int number;
  __syncthreads();
  __syncwarp();
  if (threadIdx.x == 0 || threadIdx.x == blockDim.x - 1) number = x[0];
  __syncthreads();
  if (threadIdx.x == 0) out[0] = number;
}

/// The lanes of one warp read what the others write.
__global__ void lanes_kernel(const int* x, int* out) {
  __shared__ int copy[32];
  __syncthreads();
  if (threadIdx.x >= 32) return;
  copy[threadIdx.x] = x[threadIdx.x];
  out[threadIdx.x] = copy[threadIdx.x ^ 1];
}

__global__ void half_atomic_update_kernel(const int* x, int* out) {
  if (threadIdx.x == 0)
    out[0] += x[0];
  else
    atomicAdd(out, x[threadIdx.x]);
}

__global__ void blocks_update_kernel(const int* x, int* out) {
  if (threadIdx.x == 0) out[0] += x[blockIdx.x];
}

/// What orders the threads of a block does not order blocks.
__global__ void blocks_update_after_barriers_kernel(const int* x, int* out) {
  __syncthreads();
  __syncwarp();
  __threadfence_block();
  if (threadIdx.x == 0) out[0] += x[blockIdx.x];
  __threadfence_block();
  __syncwarp();
  __syncthreads();
}

/// The last block reads what the others wrote without a fence.
__global__ void missing_fence_kernel(const int* x, int* out) {
  if (threadIdx.x != 0) return;
  out[1 + blockIdx.x] = x[blockIdx.x];
  if (atomicAdd(out, 1) != static_cast<int>(gridDim.x) - 1) return;
  int sum = 0;
  for (unsigned b = 0; b < gridDim.x; ++b) sum += out[1 + b];
  out[1] = sum;
}

/// Every launch above leaves the executor, and what ThreadSanitizer knows, fit for this one.
__global__ void good_kernel(const int* x, int* out) {
  __shared__ int copy[64];
  CUPG_DYNAMIC_SHARED(int, another);
  copy[threadIdx.x] = another[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  out[blockIdx.x * 64 + threadIdx.x] = copy[63 - threadIdx.x] + another[63 - threadIdx.x];
}

class Races : public ::testing::Test {
 protected:
  /// `blocks`: 1 where the race is between threads of a block, so that no other can be found.
  void expect_race(void (*kernel)(const int*, int*), unsigned blocks = 1, unsigned threads = 64) {
    under_schedules(8, [&](int seed) {
      std::vector<int> out(128);
      try {
        launch("racing", kernel, dim3(blocks), dim3(threads), 64 * sizeof(int), x_.data(), out.data());
        ADD_FAILURE() << "no race was found with " << threads << " threads, seed " << seed;
      } catch (const Error& error) {
        EXPECT_EQ(std::string(error.what()).rfind("simt: kernel racing: data race, found in block (", 0), 0u) << error.what();
      }
      EXPECT_NO_THROW(launch("good", good_kernel, dim3(2), dim3(64), 64 * sizeof(int), x_.data(), out.data()));
      EXPECT_EQ(out, std::vector<int>(128, 2 * 3));
    });
  }

  void expect_race_between_blocks(void (*kernel)(const int*, int*)) {
    for (const unsigned threads : {1u, 32u, 64u, 96u, 128u, 256u, 1024u}) expect_race(kernel, 2, threads);
  }

  std::vector<int> x_ = std::vector<int>(64, 3);
};

TEST_F(Races, MissingBarrier) { expect_race(missing_barrier_kernel); }
TEST_F(Races, MissingBarrierInALoop) { expect_race(missing_loop_barrier_kernel); }
TEST_F(Races, MissingBarrierForDynamicSharedMemory) { expect_race(missing_barrier_in_dynamic_kernel); }
TEST_F(Races, MissingSyncwarp) { expect_race(missing_syncwarp_kernel); }
TEST_F(Races, SyncwarpOfAHalf) { expect_race(syncwarp_of_a_half_kernel); }
TEST_F(Races, VoteInsteadOfSyncwarp) { expect_race(vote_instead_of_syncwarp_kernel); }
TEST_F(Races, PlainUpdate) { expect_race(plain_update_kernel); }
TEST_F(Races, UpdateThatIsAtomicInPart) { expect_race(half_atomic_update_kernel); }
TEST_F(Races, BetweenWarpsOfALargeBlock) {
  for (const unsigned threads : {128u, 256u, 1024u}) expect_race(two_warps_kernel, 1, threads);
}
TEST_F(Races, BetweenLanesOfALargeBlock) {
  for (const unsigned threads : {128u, 256u, 1024u}) expect_race(lanes_kernel, 1, threads);
}
TEST_F(Races, BetweenBlocks) { expect_race_between_blocks(blocks_update_kernel); }
TEST_F(Races, BetweenBlocksWithBarriers) { expect_race_between_blocks(blocks_update_after_barriers_kernel); }
TEST_F(Races, MissingFence) { expect_race_between_blocks(missing_fence_kernel); }

}  // namespace

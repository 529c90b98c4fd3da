// AddressSanitizer and UBSan see accesses outside of shared and global memory.
#include <gtest/gtest.h>

#include <vector>

#include "tests/simt/schedules.hpp"

namespace {

using cupg::simt::launch;

// UBSan stops before AddressSanitizer does where it knows the array's size: volatile pointers hide it, so that red zones must tell.
constexpr char kStatic[] = "global-buffer-overflow";
constexpr char kHeap[] = "heap-buffer-overflow";

__global__ void static_kernel(float* out, int shift) {
  __shared__ float first[64];
  __shared__ float second[64];
  float* volatile reader = first;
  const int i = static_cast<int>(threadIdx.x);
  first[i] = 1;
  second[i] = 2;
  __syncthreads();
  out[i] = reader[i + shift] + second[i];
}

template <int kSize>
__global__ void static_in_template_kernel(float* out, int shift) {
  __shared__ float array[kSize];
  float* volatile reader = array;
  const int i = static_cast<int>(threadIdx.x);
  array[i] = 1;
  __syncthreads();
  out[i] = reader[i + shift];
}

__global__ void rows_kernel(float* out, int shift) {
  __shared__ float rows[4][16];
  const int i = static_cast<int>(threadIdx.x);
  rows[i / 16][i % 16] = 1;
  __syncthreads();
  out[i] = rows[i / 16][i % 16 + shift];  // inside of the array, outside of the row
}

__global__ void dynamic_kernel(float* out, int shift) {
  CUPG_DYNAMIC_SHARED(float, array);
  const int i = static_cast<int>(threadIdx.x);
  array[i] = 1;
  __syncthreads();
  out[i] = array[i + shift];
}

__global__ void global_kernel(float* out, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i <= n) out[i] = 1;
}

__global__ void stack_kernel(float* out, int shift) {
  float array[4] = {1, 2, 3, 4};
  float* volatile reader = array;
  __syncthreads();
  out[threadIdx.x] = reader[static_cast<int>(threadIdx.x) % 4 + shift];
}

/// Leaves red zones on stacks that are abandoned.
__global__ void abandoned_kernel(float* out, unsigned depth) {
  volatile float array[16] = {};
  array[threadIdx.x % 16] = 1;
  if (depth > 0) return abandoned_kernel(out, depth - 1);
  if (threadIdx.x == 0) throw 1;
  __syncthreads();
  out[threadIdx.x] = array[1];
}

class OutOfBounds : public ::testing::Test {
 protected:
  void run(void (*kernel)(float*, int), int argument, std::size_t shared_bytes = 0) {
    launch("out_of_bounds", kernel, dim3(1), dim3(64), shared_bytes, out_.data(), argument);
  }
  std::vector<float> out_ = std::vector<float>(64);
};

TEST_F(OutOfBounds, StaticSharedMemory) {
  run(static_kernel, 0);
  EXPECT_DEATH(run(static_kernel, 1), kStatic);
  EXPECT_DEATH(run(static_kernel, -1), kStatic);
}

TEST_F(OutOfBounds, StaticSharedMemoryOfATemplate) {
  run(static_in_template_kernel<64>, 0);
  EXPECT_DEATH(run(static_in_template_kernel<64>, 1), kStatic);
}

TEST_F(OutOfBounds, RowOfASharedArray) {
  run(rows_kernel, 0);
  EXPECT_DEATH(run(rows_kernel, 1), "index 16 out of bounds");
}

TEST_F(OutOfBounds, DynamicSharedMemory) {
  run(dynamic_kernel, 0, 64 * sizeof(float));
  EXPECT_DEATH(run(dynamic_kernel, 1, 64 * sizeof(float)), kHeap);
  EXPECT_DEATH(run(dynamic_kernel, -1, 64 * sizeof(float)), kHeap);
  EXPECT_DEATH(run(dynamic_kernel, 0, 63 * sizeof(float)), kHeap);
}

TEST_F(OutOfBounds, GlobalMemory) {
  run(global_kernel, 63);
  EXPECT_DEATH(launch("global", global_kernel, dim3(2), dim3(64), 0, out_.data(), 64), kHeap);
}

TEST_F(OutOfBounds, StackOfAThread) {
  run(stack_kernel, 0);
  EXPECT_DEATH(run(stack_kernel, 1), "stack-buffer-overflow");
}

TEST_F(OutOfBounds, NothingIsLeftOnAbandonedStacks) {
  for (const unsigned depth : {0u, 3u, 11u}) {
    EXPECT_THROW(launch("abandoned", abandoned_kernel, dim3(2), dim3(64), 0, out_.data(), depth), int);
    EXPECT_NO_THROW(run(stack_kernel, 0));
  }
}

}  // namespace

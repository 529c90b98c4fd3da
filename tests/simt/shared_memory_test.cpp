// Shared memory: fresh for every block, poisoned, of the right size; missing barriers show under some schedule.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "tests/simt/schedules.hpp"

namespace {

using namespace cupg_test;
using cupg::simt::launch;
using cupg::simt::WithOptions;

__global__ void half_initialized_kernel(float* out) {
  __shared__ float fixed[64];
  CUPG_DYNAMIC_SHARED(float, dynamic);
  const unsigned i = threadIdx.x;
  if (i % 2 == 1) fixed[i] = dynamic[i] = 1;
  __syncthreads();
  float* const mine = out + 2 * (blockIdx.x * blockDim.x + i);
  mine[0] = fixed[i];
  mine[1] = dynamic[i];
}

TEST(SharedMemory, IsPoisonedForEveryBlock) {
  under_schedules(4, [&](int) {
    std::vector<float> got(2 * 3 * 64);
    launch("half_initialized", half_initialized_kernel, dim3(3), dim3(64), 64 * sizeof(float), got.data());
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_EQ(std::isnan(got[i]), i / 2 % 2 == 0) << i;
  });
}

TEST(SharedMemory, TakesThePoisonOfTheOptions) {
  const WithOptions scope({.poison = 0});
  std::vector<float> got(2 * 64);
  launch("half_initialized", half_initialized_kernel, dim3(1), dim3(64), 64 * sizeof(float), got.data());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i], i / 2 % 2 == 0 ? 0 : 1) << i;
}

/// *wrong += bytes that are not poison, of a variable whose size is no multiple of a word and that nobody writes.
#define CUPG_TEST_BYTES_KERNEL(name, size)                         \
  __global__ void name(int* wrong) {                               \
    __shared__ unsigned char bytes[size];                          \
    for (const unsigned char byte : bytes) *wrong += byte != 0xFF; \
  }
CUPG_TEST_BYTES_KERNEL(one_byte_kernel, 1)
CUPG_TEST_BYTES_KERNEL(few_bytes_kernel, 7)
CUPG_TEST_BYTES_KERNEL(many_bytes_kernel, 333)
template <int kSize>
CUPG_TEST_BYTES_KERNEL(bytes_kernel, kSize)

TEST(SharedMemory, IsPoisonedToItsLastByte) {
  int wrong = 0;
  launch("bytes", one_byte_kernel, dim3(1), dim3(1), 0, &wrong);
  launch("bytes", few_bytes_kernel, dim3(1), dim3(1), 0, &wrong);
  launch("bytes", many_bytes_kernel, dim3(1), dim3(1), 0, &wrong);
#ifdef __clang__  // g++ 12 ignores sections in templates (keywords.hpp)
  launch("bytes", bytes_kernel<5>, dim3(1), dim3(1), 0, &wrong);
#endif
  EXPECT_EQ(wrong, 0);
}

__global__ void addresses_kernel(std::uintptr_t* address) {
  CUPG_DYNAMIC_SHARED(float4, dynamic);
  *address = reinterpret_cast<std::uintptr_t>(dynamic);
}

TEST(SharedMemory, IsAligned) {
  for (const std::size_t bytes : {std::size_t{4}, std::size_t{20}, std::size_t{4096}}) {
    std::uintptr_t address = 1;
    launch("addresses", addresses_kernel, dim3(1), dim3(1), bytes, &address);
    EXPECT_NE(address, 0u);
    EXPECT_EQ(address % cupg::simt::kSharedAlignment, 0u);
  }
  std::uintptr_t address = 1;
  launch("addresses", addresses_kernel, dim3(1), dim3(1), 0, &address);
  EXPECT_EQ(address, 0u) << "no dynamic shared memory was asked for";
}

/// Static shared memory of kernels that are instances of one template, or have one name, is apart.
template <int kKernel>
__global__ void own_variable_kernel(std::uintptr_t* address) {
  __shared__ int variable;
  *address = reinterpret_cast<std::uintptr_t>(&variable);
}

TEST(SharedMemory, BelongsToItsKernel) {
  std::uintptr_t first = 0, second = 0;
  launch("first", own_variable_kernel<1>, dim3(1), dim3(1), 0, &first);
  launch("second", own_variable_kernel<2>, dim3(1), dim3(1), 0, &second);
  EXPECT_NE(first, second);
}

__global__ void counted_kernel(int* sum) {
  CUPG_STATIC_SHARED(int[6], first);
  CUPG_STATIC_SHARED(char, second);
  CUPG_DYNAMIC_SHARED(int, dynamic);
  if (threadIdx.x < 6) first[threadIdx.x] = 1;
  if (threadIdx.x == 0) second = 1;
  dynamic[threadIdx.x] = 1;
  __syncthreads();
  atomicAdd(sum, first[0] + second + dynamic[0]);
}

TEST(SharedMemory, StaticAndDynamicCountTogether) {
  int sum = 0;
  const auto run = [&](std::size_t dynamic, std::size_t most) {
    launch("counted", counted_kernel, dim3(2), dim3(64), {dynamic, most}, &sum);
  };
  run(1000, 1025);
  EXPECT_EQ(sum, 2 * 64 * 3);
  for (const auto& [most, text] : {std::pair{1024, "1000 bytes of dynamic and 25 of static shared memory; 1024 are possible"},
                                   {1010, "1000 bytes of dynamic and 24 of static"},
                                   {999, "1000 bytes of dynamic shared memory; 999 are possible"}}) {
    try {
      run(1000, static_cast<std::size_t>(most));
      ADD_FAILURE() << "nothing was thrown";
    } catch (const cupg::simt::Error& error) {
      EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
    }
  }
  run(cupg::simt::kMaxShared - 25, cupg::simt::kMaxShared);
}

// Races end in an Error under ThreadSanitizer: races_test.cpp.
#ifndef CUPG_TEST_TSAN

__global__ void missing_barrier_kernel(const int* x, int* out) {
  __shared__ int copy[128];
  copy[threadIdx.x] = x[threadIdx.x];
  out[threadIdx.x] = copy[127 - threadIdx.x];
}

__global__ void missing_loop_barrier_kernel(const int* x, int* out) {
  __shared__ int copy[128];
  int sum = 0;
  for (int round = 0; round < 3; ++round) {
    copy[threadIdx.x] = x[threadIdx.x] + round;
    __syncthreads();
    sum += copy[(threadIdx.x + 1) % 128];
  }
  out[threadIdx.x] = sum;
}

class MissingBarrier : public ::testing::Test {
 protected:
  /// Under how many of 20 schedules the kernel does not give `want`.
  int wrong(void (*kernel)(const int*, int*), const std::vector<int>& want) {
    int count = 0;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const WithOptions scope({.seed = seed});
      std::vector<int> got(128);
      launch("missing_barrier", kernel, dim3(1), dim3(128), 0, x_.data(), got.data());
      count += got != want;
    }
    return count;
  }
  std::vector<int> x_ = [] {
    std::vector<int> x(128);
    std::iota(x.begin(), x.end(), 100);
    return x;
  }();
};

TEST_F(MissingBarrier, ShowsAsWrongResults) { EXPECT_EQ(wrong(missing_barrier_kernel, {x_.rbegin(), x_.rend()}), 20); }

TEST_F(MissingBarrier, InALoopShowsAsWrongResults) {
  std::vector<int> want(128);
  for (std::size_t i = 0; i < 128; ++i) want[i] = 3 * x_[(i + 1) % 128] + 0 + 1 + 2;
  EXPECT_GE(wrong(missing_loop_barrier_kernel, want), 18);
}

#endif

}  // namespace

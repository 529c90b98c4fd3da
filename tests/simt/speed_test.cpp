// What a shuffle and a barrier cost; says so, checks nothing. Runs on request:
//   simt_test --gtest_also_run_disabled_tests --gtest_filter='Speed.*'
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <vector>

#include "kernels/simt/simt.hpp"

namespace {

using cupg::simt::launch;

__global__ void shuffles_kernel(int* out, int count) {
  unsigned sum = threadIdx.x;
  for (int i = 0; i < count; ++i) sum += __shfl_xor_sync(0xffffffffu, sum, i % 32);
  out[blockIdx.x * blockDim.x + threadIdx.x] = static_cast<int>(sum);
}

__global__ void barriers_kernel(int* out, int count) {
  for (int i = 0; i < count; ++i) __syncthreads();
  out[blockIdx.x * blockDim.x + threadIdx.x] = count;
}

void say_speed(const char* what, void (*kernel)(int*, int), unsigned threads) {
  constexpr int kCount = 1000;
  constexpr unsigned kBlocks = 4;
  std::vector<int> out(kBlocks * threads);
  double best = 1e9;
  for (int repetition = 0; repetition < 7; ++repetition) {
    const auto begin = std::chrono::steady_clock::now();
    launch(what, kernel, dim3(kBlocks), dim3(threads), 0, out.data(), kCount);
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  const double operations = static_cast<double>(kBlocks) * threads * kCount;
  std::printf("%s, blocks of %u: %.1f ns a thread, %.2f million a second for a warp\n", what, threads, 1e9 * best / operations,
              1e-6 * operations / 32 / best);
}

TEST(Speed, DISABLED_Shuffles) {
  for (const unsigned threads : {32u, 256u, 1024u}) say_speed("shuffles", shuffles_kernel, threads);
}

TEST(Speed, DISABLED_Barriers) {
  for (const unsigned threads : {32u, 256u, 1024u}) say_speed("barriers", barriers_kernel, threads);
}

}  // namespace

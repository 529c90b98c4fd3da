// Kernels against plain loops: equal bits under every schedule.
#include "tests/simt/sample_kernels.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include "tests/simt/schedules.hpp"

namespace {

using namespace cupg_test;
using namespace cupg_test::samples;
using cupg::simt::launch;

constexpr int kSchedules = 8;

std::vector<int> random_ints(int count, int low, int high, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<int> distribution(low, high);
  std::vector<int> numbers(static_cast<std::size_t>(count));
  for (int& number : numbers) number = distribution(generator);
  return numbers;
}

template <class T>
std::vector<T> random_numbers(int count, unsigned seed) {
  std::vector<T> numbers;
  for (const int number : random_ints(count, -1'000'000, 1'000'000, seed)) numbers.push_back(static_cast<T>(number) / 999'983);
  return numbers;
}

TEST(SampleKernels, BlockSum) {
  for (const int n : {0, 1, 31, 256, 1000}) {
    const std::vector<int> x = random_ints(n, -1000, 1000, 1);
    const int want = std::accumulate(x.begin(), x.end(), 0);
    under_schedules(kSchedules, [&](int seed) {
      for (const unsigned blocks : {1u, 3u}) {
        int sum = 0;
        const auto run = [&](auto kernel, unsigned threads) {
          sum = 0;
          // threads of a warp return while others wait for nobody any more
          launch("block_sum", kernel, dim3(blocks), dim3(threads), 0, x.data(), n, &sum);
          EXPECT_EQ(sum, want) << n << " numbers, " << blocks << " blocks of " << threads << ", seed " << seed;
        };
        run(block_sum_kernel<32>, 32);
        run(block_sum_kernel<128>, 128);
      }
    });
  }
}

TEST(SampleKernels, Matmul) {
  for (const auto& [m, n, k] : {std::tuple{1, 1, 1}, std::tuple{16, 16, 16}, std::tuple{17, 33, 20}}) {
    const std::vector<float> a = random_numbers<float>(m * k, 2), b = random_numbers<float>(k * n, 3);
    std::vector<float> want(static_cast<std::size_t>(m * n)), got(want.size());
    for (int i = 0; i < m; ++i)
      for (int j = 0; j < n; ++j) {
        float sum = 0;
        for (int l = 0; l < k; ++l) sum = std::fma(a.data()[i * k + l], b.data()[l * n + j], sum);
        want.data()[i * n + j] = sum;
      }
    under_schedules(kSchedules, [&, m = m, n = n, k = k](int seed) {
      std::fill(got.begin(), got.end(), -1.0f);
      const dim3 grid(static_cast<unsigned>((n + kTile - 1) / kTile), static_cast<unsigned>((m + kTile - 1) / kTile));
      launch("matmul", matmul_kernel, grid, dim3(kTile, kTile), 0, Matmul{a.data(), b.data(), got.data(), m, n, k});
      EXPECT_EQ(got, want) << m << " x " << n << " x " << k << ", seed " << seed;
    });
  }
}

template <class T>
class SegmentSum : public ::testing::Test {};
using Numbers = ::testing::Types<float, double, int, unsigned, long long>;
TYPED_TEST_SUITE(SegmentSum, Numbers);

TYPED_TEST(SegmentSum, IsTheButterfly) {
  constexpr int kThreads = 96, kBlocks = 2;
  std::vector<TypeParam> x;
  for (const double number : random_numbers<double>(kThreads * kBlocks, 4)) x.push_back(static_cast<TypeParam>(1000 * (number + 2)));
  for (const int width : {1, 2, 4, 8, 16, 32}) {
    std::vector<TypeParam> want = x, got(x.size());
    for (int half = width / 2; half > 0; half /= 2) {
      const std::vector<TypeParam> before = want;
      for (std::size_t i = 0; i < want.size(); ++i) want[i] = before[i] + before[i ^ static_cast<std::size_t>(half)];
    }
    under_schedules(kSchedules, [&](int seed) {
      launch("segment_sum", segment_sum_kernel<TypeParam>, dim3(kBlocks), dim3(kThreads), 0, x.data(), got.data(), width);
      EXPECT_EQ(got, want) << "width " << width << ", seed " << seed;
    });
  }
}

TEST(SampleKernels, PrefixSum) {
  for (const int threads : {1, 31, 32, 40, 257}) {
    const std::vector<int> x = random_ints(2 * threads, -9, 9, 5);
    std::vector<int> want(x.size()), got(x.size());
    std::partial_sum(x.begin(), x.begin() + threads, want.begin());
    std::partial_sum(x.begin() + threads, x.end(), want.begin() + threads);
    under_schedules(kSchedules, [&](int seed) {
      const std::size_t warps = static_cast<std::size_t>((threads + 31) / 32);
      launch("prefix_sum", prefix_sum_kernel, dim3(2), dim3(static_cast<unsigned>(threads)), warps * sizeof(int), x.data(), got.data());
      EXPECT_EQ(got, want) << threads << " threads, seed " << seed;
    });
  }
}

TEST(SampleKernels, Histogram) {
  constexpr int kBins = 77, kNumbers = 500;
  const std::vector<int> x = random_ints(kNumbers, 0, kBins - 1, 6);
  std::vector<int> want(kBins);
  for (const int number : x) ++want[static_cast<std::size_t>(number)];
  under_schedules(kSchedules, [&](int seed) {
    std::vector<int> counts(kBins);
    int most = 0;
    launch("histogram", histogram_kernel, dim3(8), dim3(64), kBins * sizeof(int), x.data(), kNumbers, kBins, counts.data(), &most);
    EXPECT_EQ(counts, want) << "seed " << seed;
    EXPECT_EQ(most, *std::max_element(x.begin(), x.end())) << "seed " << seed;
  });
}

TEST(SampleKernels, HalfWarpsGoTheirOwnWays) {
  std::vector<int> x(32), got(32);
  std::iota(x.begin(), x.end(), 100);
  under_schedules(kSchedules, [&](int seed) {
    for (const auto& [low, high] : {std::pair{0, 0}, std::pair{1, 4}, std::pair{5, 2}}) {
      launch("half_warps", half_warps_kernel, dim3(1), dim3(32), 0, x.data(), got.data(), low, high);
      for (int lane = 0; lane < 32; ++lane) {
        const int source = lane ^ 16, rounds = source < 16 ? low : high;
        EXPECT_EQ(got[static_cast<std::size_t>(lane)], 100 + source / 16 * 16 + (source + rounds) % 16)
            << "lane " << lane << ", seed " << seed;
      }
    }
  });
}

TEST(SampleKernels, LastBlockAddsWhatTheOthersLeft) {
  const std::vector<int> x = random_ints(6 * 64, 0, 1, 7);
  under_schedules(kSchedules, [&](int seed) {
    std::vector<int> partial(6, -1);
    unsigned ticket = 0;
    int sum = -1;
    launch("last_block_sum", last_block_sum_kernel, dim3(6), dim3(64), 0, x.data(), partial.data(), &ticket, &sum);
    EXPECT_EQ(sum, std::accumulate(x.begin(), x.end(), 0)) << "seed " << seed;
    EXPECT_EQ(ticket, 0u);
  });
}

}  // namespace

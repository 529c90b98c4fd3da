// What updates of small networks do beside the network: the order of an epoch, and the moments of advantages. For every target, against
// what the definitions say of one number after the other.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "src/engine/aligned.hpp"
#include "src/engine/isa.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/shapes.hpp"

namespace {

using namespace cupg_test;

TEST(Rows, EveryCopyPermutesAlike) {
  for (const std::uint32_t n : {1u, 3u, 63u, 64u, 65u, 1000u, 4096u, 12345u, 65536u, 65537u}) {
    const cupg::Permutation p = cupg::make_permutation(n, 7, 2, 0x123456789abcdefull);
    std::vector<std::uint32_t> expected(n);
    for (std::uint32_t i = 0; i < n; ++i) expected[i] = cupg::permuted(p, i);
    for (const cupg::Isa isa : cupg::available_isas()) {
      cupg::AlignedArray<std::uint32_t> order((n + 31) / 32 * 32);
      cupg::cpu_ops_for(isa).permute(p, order.data());
      EXPECT_EQ(std::vector<std::uint32_t>(order.data(), order.data() + n), expected) << n;
      count_comparison("permute", cupg::isa_name(cupg::cpu_ops_for(isa)));
    }
  }
}

TEST(Rows, MomentsAreSummedInOrderOf64) {
  for (const int n : {1, 63, 64, 65, 511, 512, 513, 1025, 5000}) {
    const std::vector<float> x = random_floats(static_cast<std::size_t>(n), 3.0f, 11);
    for (const bool square : {false, true}) {
      const float center = square ? 0.7f : 0.0f;
      std::vector<float> expected(static_cast<std::size_t>((n + 63) / 64));
      for (int i = 0; i < n; ++i) {
        const float a = x[static_cast<std::size_t>(i)] - center;
        float& sum = expected[static_cast<std::size_t>(i / 64)];
        sum = square ? std::fma(a, a, sum) : sum + a;
      }
      for (const cupg::Isa isa : cupg::available_isas()) {
        std::vector<float> sums(expected.size());
        cupg::cpu_ops_for(isa).tile_moments(x.data(), n, center, square, sums.data());
        EXPECT_EQ(sums, expected) << n << ' ' << square;
        count_comparison("moments", cupg::isa_name(cupg::cpu_ops_for(isa)));
      }
    }
  }
}

}  // namespace

// Mean and deviation of the advantages.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/moments/op.hpp"
#include "src/engine/isa.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/guarded.hpp"
#include "tests/support/shapes.hpp"

namespace {

using namespace cupg_test;
using cupg::kWarp;

/// Advantages of `envs` environments over `horizon` steps in rows of 32; idle lanes are NaN and must not be looked at.
Guarded<float> advantages(int envs, int horizon, const std::vector<float>& numbers) {
  const int warps = (envs + kWarp - 1) / kWarp;
  Guarded<float> a(warps * horizon * kWarp, std::nanf(""));
  std::size_t next = 0;
  for (int e = 0; e < envs; ++e)
    for (int t = 0; t < horizon; ++t) a[(e / kWarp * horizon + t) * kWarp + e % kWarp] = numbers[next++];
  return a;
}

/// The engines' order: warp by warp, then the tree; the mean first, then the squared deviations.
cupg::Moments moments(const cupg::CpuOps& ops, const Guarded<float>& a, int envs, int horizon) {
  const int warps = (envs + kWarp - 1) / kWarp;
  const float count = static_cast<float>(envs * horizon);
  const auto sum = [&](float center, bool square) {
    Guarded<float> partials(warps);
    for (int w = 0; w < warps; ++w)
      partials[w] = ops.warp_moment(a.data() + w * horizon * kWarp, horizon, cupg::lanes_in_use(envs, w), center, square);
    ops.tree(partials.data(), warps, 1, 1);
    EXPECT_TRUE(partials.guards_intact());
    return partials[0];
  };
  const float mean = sum(0, false) / count;
  return cupg::finish_moments(mean, sum(mean, true), count);
}

TEST(Moments, ByHand) {
  // 1 2 3 6 over two environments: mean 3, squares 4 1 0 9, population variance 3.5
  const cupg::Moments m = moments(cupg::cpu_ops_for(cupg::Isa::automatic), advantages(2, 2, {1, 2, 3, 6}), 2, 2);
  EXPECT_EQ(m.mean, 3.0f);
  EXPECT_FLOAT_EQ(m.inverse_sd, 1 / std::sqrt(3.5f));
}

TEST(Moments, NormalisedAdvantagesHaveMeanZeroAndDeviationOne) {
  for (const int envs : {1, 4, 31, 32, 33, 70})
    for (const int horizon : {3, 7, 8}) {
      const std::vector<float> numbers = random_floats(static_cast<std::size_t>(envs * horizon), 5.0f, 21);
      const cupg::Moments m = moments(cupg::cpu_ops_for(cupg::Isa::automatic), advantages(envs, horizon, numbers), envs, horizon);
      double mean = 0, square = 0;
      for (const float a : numbers) {
        const double normalised = (static_cast<double>(a) - static_cast<double>(m.mean)) * static_cast<double>(m.inverse_sd);
        mean += normalised / static_cast<double>(numbers.size());
        square += normalised * normalised / static_cast<double>(numbers.size());
      }
      // sums of at most 560 numbers: some 20 roundings on the longest path
      EXPECT_FALSE(!(std::abs(mean) <= 20 * 0x1p-24)) << envs << " x " << horizon;
      EXPECT_FALSE(!(std::abs(square - 1) <= 40 * 0x1p-24)) << envs << " x " << horizon;
    }
}

TEST(Moments, ABatchOfOneBecomesZeroNotNaN) {
  const cupg::Moments m = moments(cupg::cpu_ops_for(cupg::Isa::automatic), advantages(1, 1, {0.3f}), 1, 1);
  EXPECT_EQ((0.3f - m.mean) * m.inverse_sd, 0.0f);
  EXPECT_TRUE(std::isfinite(m.inverse_sd));
}

TEST(Moments, EqualAdvantagesStayFinite) {
  for (const float value : {0.0f, 1.0f, 0.1f, -1e10f, 1e-30f})
    for (const int envs : {1, 7, 33}) {
      const std::vector<float> numbers(static_cast<std::size_t>(envs * 5), value);
      const cupg::Moments m = moments(cupg::cpu_ops_for(cupg::Isa::automatic), advantages(envs, 5, numbers), envs, 5);
      EXPECT_TRUE(std::isfinite(m.inverse_sd)) << value;
      // where the mean is rounded, what is left of A - mean is divided by itself
      EXPECT_FALSE(!(std::abs((value - m.mean) * m.inverse_sd) <= 1.001f)) << value;
    }
}

TEST(Moments, TheDefaultLeavesAdvantagesAlone) {
  const cupg::Moments m;
  for (const float a : random_floats(100, 3.0f, 22)) EXPECT_EQ(bits_of((a - m.mean) * m.inverse_sd), bits_of(a));
}

TEST(Moments, NaNStaysVisible) {
  const cupg::Moments m = moments(cupg::cpu_ops_for(cupg::Isa::automatic), advantages(2, 2, {1, 2, std::nanf(""), 6}), 2, 2);
  EXPECT_TRUE(std::isnan(m.mean) && std::isnan(m.inverse_sd));
}

TEST(Moments, HaveTheSameBitsInEveryLaneTypeWhateverLiesInIdleLanes) {
  for (const int envs : {1, 4, 31, 32, 33, 70, 1000})
    for (const int horizon : {1, 3, 8}) {
      count_shape(std::to_string(envs) + " x " + std::to_string(horizon));
      const Guarded<float> a = advantages(envs, horizon, random_floats(static_cast<std::size_t>(envs * horizon), 5.0f, 23));
      const cupg::Moments want = moments(cupg::cpu_ops_for(cupg::Isa::scalar), a, envs, horizon);
      EXPECT_TRUE(std::isfinite(want.mean) && std::isfinite(want.inverse_sd));
      for (const cupg::Isa isa : cupg::available_isas()) {
        const cupg::Moments got = moments(cupg::cpu_ops_for(isa), a, envs, horizon);
        EXPECT_EQ(bits_of(want.mean), bits_of(got.mean));
        EXPECT_EQ(bits_of(want.inverse_sd), bits_of(got.inverse_sd));
        count_comparison("moments", cupg::isa_name(cupg::cpu_ops_for(isa)), 2);
      }
    }
}

}  // namespace

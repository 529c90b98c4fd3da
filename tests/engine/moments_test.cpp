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

/// Advantages of `envs` environments over `horizon` steps in rows of 32, `stride` floats apart; idle lanes are NaN and must not be looked
/// at.
struct Advantages {
  int envs, horizon, stride, warps;
  Guarded<float> x;
  Guarded<std::uint32_t> used;  // [warps][horizon]

  Advantages(int envs_, int horizon_, const std::vector<float>& numbers, int stride_ = kWarp)
      : envs(envs_),
        horizon(horizon_),
        stride(stride_),
        warps((envs + kWarp - 1) / kWarp),
        x(warps * horizon * stride, std::nanf("")),
        used(warps * horizon) {
    std::size_t next = 0;
    for (int e = 0; e < envs; ++e)
      for (int t = 0; t < horizon; ++t) x[(e / kWarp * horizon + t) * stride + e % kWarp] = numbers[next++];
    for (int i = 0; i < warps * horizon; ++i) used[i] = cupg::lanes_in_use(envs, i / horizon);
  }
  /// Each lane's sum over a warp's rows.
  Guarded<float> sums(const cupg::CpuOps& ops, int warp, const std::vector<float>& center, bool square) const {
    Guarded<float> lanes(kWarp), from(center);
    ops.row_moments(x.data() + warp * horizon * stride, stride, used.data() + warp * horizon, horizon, from.data(), square, lanes.data());
    EXPECT_TRUE(lanes.guards_intact() && x.guards_intact() && used.guards_intact());
    return lanes;
  }
};

/// The engines' order: lane by lane, the butterfly, then the tree over warps; the mean first, then the squared deviations.
cupg::Moments moments(const cupg::CpuOps& ops, const Advantages& a) {
  const float count = static_cast<float>(a.envs * a.horizon);
  const auto sum = [&](float center, bool square) {
    Guarded<float> partials(a.warps);
    for (int w = 0; w < a.warps; ++w) partials[w] = cupg::butterfly(a.sums(ops, w, std::vector<float>(kWarp, center), square).data());
    ops.tree(partials.data(), a.warps, 1, 1);
    EXPECT_TRUE(partials.guards_intact());
    return partials[0];
  };
  const float mean = sum(0, false) / count;
  return cupg::finish_moments(mean, sum(mean, true), count);
}

TEST(Moments, ByHand) {
  // 1 2 3 6 over two environments: mean 3, squares 4 1 0 9, population variance 3.5
  const cupg::Moments m = moments(cupg::cpu_ops_for(cupg::Isa::automatic), Advantages(2, 2, {1, 2, 3, 6}));
  EXPECT_EQ(m.mean, 3.0f);
  EXPECT_FLOAT_EQ(m.inverse_sd, 1 / std::sqrt(3.5f));
}

TEST(Moments, NormalizedAdvantagesHaveMeanZeroAndDeviationOne) {
  for (const int envs : {1, 4, 31, 32, 33, 70})
    for (const int horizon : {3, 7, 8}) {
      const std::vector<float> numbers = random_floats(static_cast<std::size_t>(envs * horizon), 5.0f, 21);
      const cupg::Moments m = moments(cupg::cpu_ops_for(cupg::Isa::automatic), Advantages(envs, horizon, numbers));
      double mean = 0, square = 0;
      for (const float a : numbers) {
        const double normalized = (static_cast<double>(a) - static_cast<double>(m.mean)) * static_cast<double>(m.inverse_sd);
        mean += normalized / static_cast<double>(numbers.size());
        square += normalized * normalized / static_cast<double>(numbers.size());
      }
      // sums of at most 560 numbers: some 20 roundings on the longest path
      EXPECT_FALSE(!(std::abs(mean) <= 20 * 0x1p-24)) << envs << " x " << horizon;
      EXPECT_FALSE(!(std::abs(square - 1) <= 40 * 0x1p-24)) << envs << " x " << horizon;
    }
}

TEST(Moments, ABatchOfOneBecomesZeroNotNaN) {
  const cupg::Moments m = moments(cupg::cpu_ops_for(cupg::Isa::automatic), Advantages(1, 1, {0.3f}));
  EXPECT_EQ((0.3f - m.mean) * m.inverse_sd, 0.0f);
  EXPECT_TRUE(std::isfinite(m.inverse_sd));
}

TEST(Moments, EqualAdvantagesStayFinite) {
  for (const float value : {0.0f, 1.0f, 0.1f, -1e10f, 1e-30f})
    for (const int envs : {1, 7, 33}) {
      const std::vector<float> numbers(static_cast<std::size_t>(envs * 5), value);
      const cupg::Moments m = moments(cupg::cpu_ops_for(cupg::Isa::automatic), Advantages(envs, 5, numbers));
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
  const cupg::Moments m = moments(cupg::cpu_ops_for(cupg::Isa::automatic), Advantages(2, 2, {1, 2, std::nanf(""), 6}));
  EXPECT_TRUE(std::isnan(m.mean) && std::isnan(m.inverse_sd));
}

TEST(Moments, HaveTheSameBitsInEveryLaneTypeWhateverLiesInIdleLanes) {
  for (const int envs : {1, 4, 31, 32, 33, 70, 1000})
    for (const int horizon : {1, 3, 8}) {
      count_shape(std::to_string(envs) + " x " + std::to_string(horizon));
      const std::vector<float> numbers = random_floats(static_cast<std::size_t>(envs * horizon), 5.0f, 23);
      const cupg::Moments want = moments(cupg::cpu_ops_for(cupg::Isa::scalar), Advantages(envs, horizon, numbers));
      EXPECT_TRUE(std::isfinite(want.mean) && std::isfinite(want.inverse_sd));
      for (const cupg::Isa isa : cupg::available_isas())
        for (const int stride : {kWarp, 13 * kWarp}) {
          const cupg::Moments got = moments(cupg::cpu_ops_for(isa), Advantages(envs, horizon, numbers, stride));
          EXPECT_EQ(bits_of(want.mean), bits_of(got.mean));
          EXPECT_EQ(bits_of(want.inverse_sd), bits_of(got.inverse_sd));
          count_comparison("moments", cupg::isa_name(cupg::cpu_ops_for(isa)), 2);
        }
    }
}

TEST(Moments, OfEpisodesAreALanesOwnSumsInOrder) {
  constexpr int kSteps = 9;
  const std::vector<float> numbers = random_floats(kWarp * kSteps, 5.0f, 24), center = random_floats(kWarp, 1.0f, 25);
  Advantages a(kWarp, kSteps, numbers);
  for (int t = 0; t < kSteps; ++t) a.used[t] = ~0u << (3 * t);  // lane l is there for its first l / 3 + 1 steps
  for (const bool square : {false, true}) {
    std::vector<float> want(kWarp, 0.0f);
    for (int l = 0; l < kWarp; ++l)
      for (int t = 0; t < kSteps && l >= 3 * t; ++t) {
        float& sum = want[static_cast<std::size_t>(l)];
        const float x = a.x[t * kWarp + l] - center[static_cast<std::size_t>(l)];
        sum = square ? std::fma(x, x, sum) : sum + x;
      }
    for (const cupg::Isa isa : cupg::available_isas())
      EXPECT_TRUE(same_bits(want, a.sums(cupg::cpu_ops_for(isa), 0, center, square))) << cupg::isa_name(cupg::cpu_ops_for(isa));
  }
}

TEST(Moments, OfTilesAreSummedInOrderOf64) {
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

// Tolerance intervals: by hand, and against SciPy (tests/golden/statistics_scipy.json).
#include "src/train/tolerance.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "tests/support/golden.hpp"

namespace {

using cupg::Duration;
using cupg::tolerance_interval;
using cupg::tolerance_ranks;
using cupg::ToleranceInterval;

constexpr double kNever = std::numeric_limits<double>::infinity();

TEST(Tolerance, ByHand) {
  // P(B < 2), B ~ Binomial(n, 0.1): 0.9^45 (1 + 45 / 9) = 0.0524, 0.9^46 (1 + 46 / 9) = 0.0480
  EXPECT_FALSE(tolerance_ranks(cupg::kToleranceAgents - 1).has_value());
  const auto ranks = tolerance_ranks(cupg::kToleranceAgents);
  ASSERT_TRUE(ranks.has_value());
  EXPECT_EQ(ranks->low, 1) << "all of them";
  EXPECT_EQ(ranks->high, 46);
  for (const int n : {-1, 0, 1}) EXPECT_FALSE(tolerance_ranks(n).has_value());
}

TEST(Tolerance, HasScipysRanks) {
  const auto golden = cupg_test::golden_json("statistics_scipy.json");
  ASSERT_GT(golden.at("tolerance").size(), 10u);
  for (const auto& c : golden.at("tolerance")) {
    const auto ranks = tolerance_ranks(c.at("n").get<int>());
    ASSERT_EQ(ranks.has_value(), !c.at("low").is_null()) << c;
    if (!ranks) continue;
    EXPECT_EQ(ranks->low, c.at("low").get<int>()) << c;
    EXPECT_EQ(ranks->high, c.at("high").get<int>()) << c;
  }
}

TEST(Tolerance, OfAMillionLeavesOutATenth) {
  const auto ranks = tolerance_ranks(1'000'000);
  ASSERT_TRUE(ranks.has_value());
  EXPECT_NEAR(ranks->low, 50'000 - 1.645 * 300 / 2, 2) << "the normal approximation: sd sqrt(0.1 * 0.9 n) = 300";
  EXPECT_NEAR(ranks->high, 950'000 + 1.645 * 300 / 2, 2);
}

TEST(Tolerance, TakesTheValuesInOrder) {
  std::vector<double> values;
  for (int i = 0; i < 100; ++i) values.push_back((i * 37) % 100);
  const ToleranceInterval t = tolerance_interval(values);
  EXPECT_EQ(t.low, 1);
  EXPECT_EQ(t.high, 97);
  EXPECT_FALSE(tolerance_interval(std::vector<double>(45, 7.0)).low.has_value());
}

TEST(Tolerance, TakesTheCensoredAtTheirWorst) {
  std::vector<Duration> durations;
  for (int i = 1; i <= 100; ++i) durations.push_back({10.0 * i, true});
  const auto interval = [&] { return tolerance_interval(durations); };
  EXPECT_EQ(interval().low, 20);
  EXPECT_EQ(interval().high, 980);
  durations[50] = {5, false}, durations[51] = {6, false};  // watched for a moment: they may have it then, or never
  EXPECT_EQ(interval().low, 6);
  EXPECT_EQ(interval().high, 1000);
  durations[50] = durations[51] = {kNever, false};  // diverged
  EXPECT_EQ(interval().low, 20);
  durations[52] = {kNever, false};
  EXPECT_FALSE(interval().high.has_value()) << "three of a hundred never have it";
  std::fill(durations.begin(), durations.end(), Duration{kNever, false});
  EXPECT_FALSE(interval().low || interval().high);
}

}  // namespace

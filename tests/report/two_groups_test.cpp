// Two groups of agents: by hand, and against SciPy and rliable (tests/golden/comparison_scipy.json).
#include "src/report/two_groups.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/golden.hpp"

namespace cupg {
namespace {

TEST(TwoGroups, ByHand) {
  // 1 > nothing, 3 > 2 and = 3, 5 > both: (0 + 1.5 + 2) / 6
  const GroupDifference d = compare_groups({5, 1, 3}, {3, 2}, false);
  EXPECT_EQ(d.n_x, 3);
  EXPECT_EQ(d.n_y, 2);
  EXPECT_EQ(d.difference.value, 0.5);
  EXPECT_DOUBLE_EQ(*d.probability.value, 3.5 / 6);
  // v_x = 4, v_y = 0.5: se^2 = 4/3 + 1/4, f = se^4 / ((4/3)^2 / 2 + (1/4)^2) = 2.635036, t = 0.397360
  EXPECT_NEAR(*d.welch_p, 0.7210611, 1e-7);
}

TEST(TwoGroups, TheOtherWayRoundIsTheOtherSign) {
  const std::vector<double> x{500, 480, 500, 20, 333}, y{500, 100, 90, 480};
  const GroupDifference a = compare_groups(x, y, false), b = compare_groups(y, x, false);
  EXPECT_DOUBLE_EQ(*a.difference.value, -*b.difference.value);
  EXPECT_DOUBLE_EQ(*a.probability.value, 1 - *b.probability.value);
  EXPECT_DOUBLE_EQ(*a.welch_p, *b.welch_p);
  EXPECT_DOUBLE_EQ(*a.detectable_difference, *b.detectable_difference);
}

TEST(TwoGroups, IsScipysAndRliables) {
  const auto golden = cupg_test::golden_json("comparison_scipy.json");
  for (const auto& c : golden.at("groups")) {
    const auto x = c.at("x").get<std::vector<double>>(), y = c.at("y").get<std::vector<double>>();
    SCOPED_TRACE(testing::Message() << x.size() << " and " << y.size());
    const GroupDifference d = compare_groups(x, y, c.at("paired"));
    EXPECT_FALSE(!(std::abs(*d.difference.value - c.at("difference").get<double>()) <= 1e-12 * 500)) << "sums of up to 40 numbers to 500";
    EXPECT_FALSE(!(std::abs(*d.probability.value - c.at("probability").get<double>()) <= 1e-14)) << "a sum of halves, divided";
    // both to some 1e-12 where the density of t is largest, SciPy's root to 1e-12
    EXPECT_FALSE(!(std::abs(*d.welch_p - c.at("welch_p").get<double>()) <= 1e-10));
    EXPECT_FALSE(!(std::abs(*d.detectable_difference / c.at("detectable").get<double>() - 1) <= 1e-8));
    for (const auto& [estimate, key] : {std::pair(d.difference, "difference_ci"), std::pair(d.probability, "probability_ci")}) {
      // ends of up to 1,000, t's quantile to 1e-12; roots to 1e-14 of a function that is flat at 0 and 1
      const double limit = key[0] == 'd' ? 1e-7 : 1e-9;
      EXPECT_FALSE(!(std::abs(*estimate.ci95_low - c.at(key).at("low").get<double>()) <= limit)) << key;
      EXPECT_FALSE(!(std::abs(*estimate.ci95_high - c.at(key).at("high").get<double>()) <= limit)) << key;
    }
  }
}

TEST(TwoGroups, PairsTakeAwayWhatTheirSeedsShare) {
  // the seeds spread by hundreds, the groups differ by 1 to 3
  const std::vector<double> y{10, 400, 250, 90, 330, 180}, x{11, 402, 253, 92, 331, 183};
  const GroupDifference paired = compare_groups(x, y, true), not_paired = compare_groups(x, y, false);
  EXPECT_EQ(*paired.difference.value, *not_paired.difference.value);
  EXPECT_GE(*paired.difference.ci95_low, 1);
  EXPECT_LE(*paired.difference.ci95_high, 3);
  EXPECT_LT(*not_paired.difference.ci95_low, -50);
  EXPECT_GT(*not_paired.difference.ci95_high, 50);
}

TEST(TwoGroups, ThatAreTheSameDoNotDiffer) {
  const std::vector<double> x{10, 400, 250, 90, 250};
  const GroupDifference d = compare_groups(x, x, true);
  EXPECT_EQ(d.difference.value, 0);
  EXPECT_FALSE(d.difference.ci95_low || d.difference.ci95_high) << "pairs without spread";
  EXPECT_EQ(d.probability.value, 0.5);
  EXPECT_EQ(d.welch_p, 1);
}

TEST(TwoGroups, ThatDoNotMeetLeaveRoomForThoseThatWould) {
  // P = 1 of 5 and 5: N = 25 / (1 + 4 / 2) = 8.333333, Wilson's lower end N / (N + 1.96^2) = 0.684474
  const GroupDifference d = compare_groups({10, 11, 12, 13, 14}, {1, 2, 3, 4, 5}, false);
  EXPECT_EQ(d.probability.value, 1);
  EXPECT_NEAR(*d.probability.ci95_low, 0.684474, 1e-6);
  EXPECT_DOUBLE_EQ(*d.probability.ci95_high, 1);
  const GroupDifference many = compare_groups(std::vector<double>(200, 2.0), std::vector<double>(200, 1.0), false);
  EXPECT_GT(*many.probability.ci95_low, 0.98);
}

TEST(TwoGroups, OfASingleAgentHasNoIntervalAndNoTest) {
  for (const auto& d : {compare_groups({7}, {1, 2, 3}, false), compare_groups({1, 2, 3}, {7}, false), compare_groups({7}, {7}, true)}) {
    EXPECT_TRUE(d.difference.value && d.probability.value);
    for (const Estimate& e : {d.difference, d.probability}) EXPECT_FALSE(e.ci95_low || e.ci95_high);
    EXPECT_FALSE(d.welch_p || d.detectable_difference);
  }
  const GroupDifference nothing = compare_groups({}, {1, 2}, false);
  EXPECT_FALSE(nothing.difference.value || nothing.probability.value || nothing.welch_p);
}

TEST(TwoGroups, WithoutSpreadHaveNoTest) {
  const GroupDifference d = compare_groups({500, 500, 500}, {500, 500}, false);
  EXPECT_FALSE(d.difference.ci95_low || d.difference.ci95_high);
  EXPECT_EQ(d.probability.value, 0.5);
  EXPECT_FALSE(d.welch_p || d.detectable_difference);
  EXPECT_TRUE(compare_groups({500, 500, 500}, {500, 400}, false).welch_p.has_value()) << "one of them has";
}

TEST(TwoGroups, MoreAgentsDetectSmallerDifferences) {
  double before = 1e9;
  for (const int n : {2, 3, 5, 10, 30, 100, 1000, 10000}) {
    std::vector<double> x, y;
    for (int i = 0; i < n; ++i) x.push_back(i % 2), y.push_back(i % 2);
    const double now = *compare_groups(x, y, true).detectable_difference;
    EXPECT_LT(now, before) << n;
    before = now;
    // the normal approximation, (1.96 + 0.8416) sqrt(2 v / n), is what it comes to
    if (n < 1000) continue;
    EXPECT_NEAR(now / ((1.959964 + 0.841621) * std::sqrt(2 * 0.25 / (n - 1))), 1, 2e-3);
  }
}

}  // namespace
}  // namespace cupg

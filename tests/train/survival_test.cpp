// Survival curves: by hand, and against SciPy and lifelines (tests/golden/statistics_scipy.json).
#include "src/train/survival.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/golden.hpp"

namespace {

using cupg::Duration;
using cupg::Estimate;
using cupg::kaplan_meier;
using cupg::log_rank_p;
using cupg::survival_quantile;
using Curve = std::vector<cupg::SurvivalPoint>;

TEST(KaplanMeier, ByHand) {
  // at 10 two of six: 4/6; 20 is censored; at 30 one of three: 4/6 * 2/3; at 40 one of the two left, the other is censored there
  const Curve curve = kaplan_meier({{30, true}, {10, true}, {40, false}, {10, true}, {20, false}, {40, true}});
  ASSERT_EQ(curve.size(), 3u);
  const std::int64_t steps[] = {10, 30, 40};
  const int at_risk[] = {6, 3, 2}, solved[] = {2, 1, 1};
  const double unsolved[] = {4 / 6.0, 4 / 9.0, 2 / 9.0};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(curve[i].env_steps, steps[i]);
    EXPECT_EQ(curve[i].at_risk, at_risk[i]);
    EXPECT_EQ(curve[i].solved, solved[i]);
    EXPECT_DOUBLE_EQ(curve[i].unsolved, unsolved[i]);
  }
  // sd of log(-log S) at 10: sqrt(2 / (6 * 4)) / |log(2/3)| = 0.288675 / 0.405465 = 0.711960; exp(1.95996 * it) = 4.036657
  EXPECT_NEAR(*curve[0].ci95_low, std::pow(2 / 3.0, 4.036657), 1e-6);
  EXPECT_NEAR(*curve[0].ci95_high, std::pow(2 / 3.0, 1 / 4.036657), 1e-6);
}

TEST(KaplanMeier, WithoutCensoringIsTheShareThatIsLeft) {
  std::vector<Duration> durations;
  for (int i = 1; i <= 1000; ++i) durations.push_back({static_cast<double>(i * 7919 % 1009), true});
  const Curve curve = kaplan_meier(durations);
  ASSERT_EQ(curve.size(), 1000u);
  for (std::size_t i = 0; i < curve.size(); ++i)
    EXPECT_FALSE(!(std::abs(curve[i].unsolved - (999 - static_cast<double>(i)) / 1000) <= 1e-12)) << i;  // 1,000 roundings
}

TEST(KaplanMeier, OfNobodyAndOfTheCensoredAloneIsEmpty) {
  EXPECT_TRUE(kaplan_meier({}).empty());
  EXPECT_TRUE(kaplan_meier({{5, false}, {7, false}}).empty());
  const Estimate e = survival_quantile({}, 0.5);
  EXPECT_FALSE(e.value || e.ci95_low || e.ci95_high);
}

TEST(KaplanMeier, WhereNobodyIsLeftThereIsNoInterval) {
  const Curve curve = kaplan_meier({{5, true}, {7, true}});
  EXPECT_TRUE(curve[0].ci95_low && curve[0].ci95_high);
  EXPECT_EQ(curve[1].unsolved, 0);
  EXPECT_FALSE(curve[1].ci95_low || curve[1].ci95_high);
}

TEST(KaplanMeier, WhoNeverHasTheEventStaysAtRisk) {
  const Curve curve = kaplan_meier({{5, true}, {std::numeric_limits<double>::infinity(), false}, {7, true}, {6, false}});
  ASSERT_EQ(curve.size(), 2u);
  EXPECT_EQ(curve[1].at_risk, 2);
  EXPECT_DOUBLE_EQ(curve[1].unsolved, 3 / 4.0 / 2);
}

TEST(SurvivalQuantile, IsTheFirstTimeByWhichTheShareHasTheEvent) {
  std::vector<Duration> ten;
  for (int i = 1; i <= 10; ++i) ten.push_back({100.0 * i, true});
  const Curve curve = kaplan_meier(ten);  // 0.9, 0.8, ...
  EXPECT_EQ(survival_quantile(curve, 0.5).value, 500) << "5 of 10 are a half, whatever the product's rounding";
  EXPECT_EQ(survival_quantile(curve, 0.25).value, 300);
  EXPECT_EQ(survival_quantile(curve, 0.99).value, 1000);
  for (int i = 1; i < 10; ++i) EXPECT_EQ(survival_quantile(curve, i / 10.0).value, 100 * i) << i;
}

TEST(SurvivalQuantile, HasNoIntervalForFewAndThenNoUpperEnd) {
  std::vector<Duration> durations{{5, true}, {7, true}, {8, true}, {9, true}};
  const Estimate four = survival_quantile(kaplan_meier(durations), 0.5);
  EXPECT_EQ(four.value, 7);
  EXPECT_FALSE(four.ci95_low || four.ci95_high) << "all four are later than the median with 1/16";
  durations.push_back({12, true});
  const Estimate five = survival_quantile(kaplan_meier(durations), 0.5);
  EXPECT_EQ(five.ci95_low, 5);
  EXPECT_FALSE(five.ci95_high.has_value());
  EXPECT_FALSE(survival_quantile(kaplan_meier(durations), 0.25).ci95_low.has_value()) << "0.75^5";
  EXPECT_TRUE(survival_quantile(kaplan_meier(durations), 0.75).ci95_low.has_value()) << "0.25^5";
}

TEST(SurvivalQuantile, IsNotReachedWhereTooFewHadTheEvent) {
  const Estimate e = survival_quantile(kaplan_meier({{5, true}, {9, false}, {9, false}, {9, false}, {9, false}}), 0.5);
  EXPECT_FALSE(e.value.has_value());
  EXPECT_EQ(e.ci95_low, 5) << "the lower curve is below a half at once";
  EXPECT_FALSE(e.ci95_high.has_value());
}

std::optional<double> number(const nlohmann::json& x) { return x.is_null() ? std::nullopt : std::optional(x.get<double>()); }

TEST(Survival, IsScipysAndLifelines) {
  int points = 0, quantiles = 0;
  const auto golden = cupg_test::golden_json("statistics_scipy.json");
  for (const auto& c : golden.at("survival")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    std::vector<Duration> durations;
    for (std::size_t i = 0; i < c.at("time").size(); ++i)
      durations.push_back({c.at("time")[i].get<double>(), c.at("event")[i].get<bool>()});
    const Curve curve = kaplan_meier(durations);
    ASSERT_EQ(curve.size(), c.at("curve").size());
    for (std::size_t i = 0; i < curve.size(); ++i, ++points) {
      const auto& want = c.at("curve")[i];
      EXPECT_EQ(static_cast<double>(curve[i].env_steps), want.at("time").get<double>());
      EXPECT_EQ(curve[i].at_risk, want.at("at_risk").get<int>());
      EXPECT_EQ(curve[i].solved, want.at("events").get<int>());
      EXPECT_FALSE(!(std::abs(curve[i].unsolved - want.at("survival").get<double>()) <= 1e-12)) << i;  // up to 250 roundings
      for (const auto& [have, key] : {std::pair(curve[i].ci95_low, "low"), std::pair(curve[i].ci95_high, "high")}) {
        ASSERT_EQ(have.has_value(), !want.at(key).is_null()) << i << key;
        if (!have) continue;
        EXPECT_FALSE(!(std::abs(*have - want.at(key).get<double>()) <= 1e-9)) << i << key;  // SciPy's z and ours, in double
      }
    }
    for (const auto& want : c.at("quantiles")) {
      ++quantiles;
      const Estimate e = survival_quantile(curve, want.at("share").get<double>());
      EXPECT_EQ(e.value, number(want.at("time"))) << want;
      // lifelines cuts a curve of few, too
      if (curve.empty() || std::pow(1 - want.at("share").get<double>(), curve.front().at_risk) > 0.05) {
        EXPECT_FALSE(e.ci95_low || e.ci95_high) << want;
        continue;
      }
      EXPECT_EQ(e.ci95_low, number(want.at("low"))) << want;
      EXPECT_EQ(e.ci95_high, number(want.at("high"))) << want;
    }
  }
  EXPECT_GT(points, 120);
  EXPECT_GT(quantiles, 40);
}

TEST(LogRank, ByHand) {
  // at 1: 2 of 4 at risk are x's, x has it: E = 1/2, V = 1/4; at 2: 1 of 3, y has it: E = 1/3, V = 2/9; at 3: 1 of 2 ...: E = 1/2, V = 1/4;
  // at 4: y alone. O - E = 2 - 4/3, V = 13/18: chi-squared = 0.615385
  const std::optional<double> p = log_rank_p({{1, true}, {3, true}}, {{2, true}, {4, true}});
  EXPECT_NEAR(*p, 0.432768, 1e-6);
}

TEST(LogRank, OfNoEventsSaysNothing) {
  EXPECT_FALSE(log_rank_p({{1, false}}, {{2, false}}).has_value());
  EXPECT_FALSE(log_rank_p({}, {{2, true}}).has_value());
  EXPECT_FALSE(log_rank_p({{1, false}}, {{2, true}}).has_value()) << "nobody to compare with was left";
  EXPECT_TRUE(log_rank_p({{std::numeric_limits<double>::infinity(), false}}, {{2, true}}).has_value());
}

TEST(LogRank, IsScipys) {
  const auto golden = cupg_test::golden_json("comparison_scipy.json");
  for (const auto& c : golden.at("log_rank")) {
    const auto durations = [&](const char* times, const char* events) {
      std::vector<Duration> all;
      for (std::size_t i = 0; i < c.at(times).size(); ++i) all.push_back({c.at(times)[i].get<double>(), c.at(events)[i].get<bool>()});
      return all;
    };
    const std::optional<double> p = log_rank_p(durations("x", "event_x"), durations("y", "event_y"));
    ASSERT_TRUE(p.has_value());
    EXPECT_FALSE(!(std::abs(*p - c.at("p").get<double>()) <= 1e-12)) << c.at("x").size();  // sums of up to 100 terms
  }
}

}  // namespace

// Confidence intervals: against tabulated quantiles and SciPy, and by hand.
#include "src/train/intervals.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/golden.hpp"

namespace {

using cupg::Interval;

TEST(StudentT, HasTheTabulatedQuantiles) {
  // 97.5 % quantiles as in every table of the distribution; the expansion is good to 0.1 % from 4 degrees of freedom on
  const std::pair<int, double> table[] = {{4, 2.7764},  {5, 2.5706},  {6, 2.4469},  {7, 2.3646},   {8, 2.3060},   {9, 2.2622},
                                          {10, 2.2281}, {12, 2.1788}, {14, 2.1448}, {19, 2.0930},  {24, 2.0639},  {29, 2.0452},
                                          {49, 2.0096}, {60, 2.0003}, {99, 1.9842}, {120, 1.9799}, {1000, 1.9623}};
  for (const auto& [freedom, quantile] : table)
    EXPECT_FALSE(!(std::abs(cupg::student_t975(freedom) / quantile - 1) <= 1e-3)) << freedom << ": " << cupg::student_t975(freedom);
  EXPECT_FALSE(!(std::abs(cupg::student_t975(1e9) - 1.959964) <= 1e-6)) << "the normal distribution's";
  for (int f = 4; f < 300; ++f) EXPECT_GT(cupg::student_t975(f), cupg::student_t975(f + 1));
}

TEST(StudentT, IsScipysFrom4DegreesOn) {
  const auto golden = cupg_test::golden_json("statistics_scipy.json");
  for (const auto& c : golden.at("student")) {
    const double want = c.at("t975").get<double>(), have = cupg::student_t975(c.at("freedom").get<double>());
    EXPECT_FALSE(!(std::abs(have / want - 1) <= 1e-3)) << c;  // the expansion's promise
  }
}

TEST(MeanInterval, ByHand) {
  // 1 ... 10: mean 5.5, sum of squares 82.5, s^2 = 82.5 / 9, standard error sqrt(82.5 / 9 / 10) = 0.957427; t(9) = 2.2622
  const Interval i = cupg::mean_interval({1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  EXPECT_NEAR(i.value, 5.5, 1e-14);
  EXPECT_NEAR(i.high - i.value, 2.2622 * 0.957427, 3e-3);
  EXPECT_NEAR(i.value - i.low, i.high - i.value, 1e-14);
  const Interval same = cupg::mean_interval({3, 3, 3, 3, 3});
  EXPECT_NEAR(same.low, 3, 1e-14);
  EXPECT_NEAR(same.high, 3, 1e-14);
}

TEST(MeanInterval, OneNumberSaysNothingOfTheOthers) {
  const Interval i = cupg::mean_interval({7});
  EXPECT_EQ(i.value, 7);
  EXPECT_EQ(i.low, -INFINITY);
  EXPECT_EQ(i.high, INFINITY);
  EXPECT_EQ(cupg::mean_interval({}).high, INFINITY);
}

TEST(ProportionInterval, IsWilsonsByHand) {
  // 8 of 10: p = 0.8, z^2 = 3.8415: center (0.8 + 0.19207) / 1.38415 = 0.716738; half sqrt(3.8415 (0.016 + 0.0096036)) / 1.38415 = 0.226578
  const Interval i = cupg::proportion_interval(8, 10);
  EXPECT_EQ(i.value, 0.8);
  EXPECT_NEAR(i.low, 0.490162, 1e-5);
  EXPECT_NEAR(i.high, 0.943318, 1e-5);
}

TEST(ProportionInterval, IsScipysWilson) {
  const auto golden = cupg_test::golden_json("statistics_scipy.json");
  for (const auto& c : golden.at("wilson")) {
    const Interval i = cupg::proportion_interval(c.at("hits").get<double>(), c.at("n").get<double>());
    EXPECT_FALSE(!(std::abs(i.low - c.at("low").get<double>()) <= 1e-12)) << c;  // a dozen roundings of numbers to 1
    EXPECT_FALSE(!(std::abs(i.high - c.at("high").get<double>()) <= 1e-12)) << c;
  }
}

TEST(ProportionInterval, StaysWithinZeroAndOne) {
  // none of n: 0 to z^2 / (n + z^2); all of n: the mirror image
  for (const double n : {1.0, 10.0, 1000.0}) {
    const Interval none = cupg::proportion_interval(0, n), all = cupg::proportion_interval(n, n);
    EXPECT_NEAR(none.low, 0, 1e-15);
    EXPECT_NEAR(none.high, 3.841459 / (n + 3.841459), 1e-6);
    EXPECT_NEAR(all.high, 1, 1e-15);
    EXPECT_NEAR(all.low, 1 - none.high, 1e-12);
  }
  const Interval some = cupg::proportion_interval(30, 100), others = cupg::proportion_interval(70, 100);
  EXPECT_NEAR(some.low, 1 - others.high, 1e-12);
  EXPECT_NEAR(some.high, 1 - others.low, 1e-12);
}

}  // namespace

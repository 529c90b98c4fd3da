#include "src/train/statistics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/shapes.hpp"

namespace {

using cupg::interquartile_mean;
using cupg::quantile;

TEST(InterquartileMean, ByHand) {
  EXPECT_EQ(interquartile_mean({7}), 7);
  EXPECT_EQ(interquartile_mean({1, 3}), 2);
  EXPECT_EQ(interquartile_mean({100, 2, 3, -50}), 2.5);                                // the middle two of four
  EXPECT_EQ(interquartile_mean({8, 1, 2, 3, 4, 5, 6, 7}), 4.5);                        // the middle four of eight
  EXPECT_NEAR(interquartile_mean({1, 2, 9}), (0.25 * 1 + 2 + 0.25 * 9) / 1.5, 1e-15);  // 3/4 is cut off each end
  EXPECT_NEAR(interquartile_mean({1, 2, 3, 4, 10}), (0.75 * 2 + 3 + 0.75 * 4) / 2.5, 1e-15);
}

TEST(InterquartileMean, IgnoresTheOuterQuarters) {
  std::vector<double> x = {0, 0, 1, 2, 3, 4, 0, 0}, y = x;
  x[0] = -1e9, x[1] = -7, x[6] = 1e9, x[7] = 50;
  y[0] = -1, y[1] = 0.5, y[6] = 5, y[7] = 6;
  EXPECT_EQ(interquartile_mean(x), interquartile_mean(y));
}

TEST(InterquartileMean, OfNothingIsZero) { EXPECT_EQ(interquartile_mean({}), 0); }

TEST(Quantile, InterpolatesLinearly) {
  const std::vector<double> x = {40, 10, 30, 20};
  EXPECT_EQ(quantile(x, 0), 10);
  EXPECT_EQ(quantile(x, 1), 40);
  EXPECT_EQ(quantile(x, 0.5), 25);
  EXPECT_DOUBLE_EQ(quantile(x, 0.1), 13);
  EXPECT_EQ(quantile({5}, 0.99), 5);
  EXPECT_EQ(quantile({}, 0.5), 0);
}

std::vector<cupg::AgentResult> agents(const std::vector<double>& returns) {
  std::vector<cupg::AgentResult> all;
  for (const double r : returns) {
    cupg::AgentResult a;
    a.final_return = r;
    all.push_back(a);
  }
  return all;
}

TEST(Summary, ByHand) {
  auto a = agents({500, 480, 20, 490});
  a[0].outcome = a[1].outcome = a[3].outcome = cupg::Outcome::solved;
  a[0].solved_env_steps = a[1].solved_env_steps = a[3].solved_env_steps = 1;
  a[0].solved_seconds = 1, a[1].solved_seconds = 2, a[3].solved_seconds = 4;
  a[2].outcome = cupg::Outcome::diverged;
  const cupg::Summary s = cupg::summarise(a);
  EXPECT_EQ(s.n, 4);
  EXPECT_EQ(s.iqm, 485);
  EXPECT_EQ(s.solved_fraction, 0.75);
  EXPECT_EQ(s.worst, 20);
  EXPECT_EQ(s.solved_seconds_median, 2);
  EXPECT_DOUBLE_EQ(s.solved_seconds_p99, 3.96);
  EXPECT_LE(s.ci95_low, s.iqm);
  EXPECT_GE(s.ci95_high, s.iqm);
}

TEST(Summary, OfEqualReturnsHasNoWidth) {
  const cupg::Summary s = cupg::summarise(agents({200, 200, 200}));
  EXPECT_EQ(s.ci95_low, 200);
  EXPECT_EQ(s.ci95_high, 200);
}

TEST(Summary, OfNobodyIsEmpty) {
  const cupg::Summary s = cupg::summarise({});
  EXPECT_EQ(s.n, 0);
  EXPECT_EQ(s.iqm, 0);
}

TEST(Summary, TheBootstrapIsDeterministic) {
  const auto a = agents({100, 300, 250, 470, 480, 20, 77});
  const cupg::Summary one = cupg::summarise(a), two = cupg::summarise(a);
  EXPECT_EQ(one.ci95_low, two.ci95_low);
  EXPECT_EQ(one.ci95_high, two.ci95_high);
}

TEST(Summary, TheIntervalIsThatOfTheMean) {
  // for n uniform numbers on [0, 1] the middle half has a mean with standard error near sqrt(1/12 * 0.75 / n) to sqrt(1/12 * 1.2 / n)
  std::vector<double> returns;
  for (const float x : cupg_test::random_floats(400, 0.5f, 3)) returns.push_back(static_cast<double>(x) + 0.5);
  const cupg::Summary s = cupg::summarise(agents(returns));
  const double width = (s.ci95_high - s.ci95_low) / (2 * 1.96) * std::sqrt(400.0) * std::sqrt(12.0);
  EXPECT_GT(width, 0.8);
  EXPECT_LT(width, 1.6);
}

}  // namespace

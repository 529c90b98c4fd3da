// Statistics over agents: by hand, and against SciPy (tests/golden/statistics_scipy.json).
#include "src/train/statistics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/golden.hpp"
#include "tests/support/shapes.hpp"

namespace {

using cupg::interquartile_mean;
using cupg::quantile;
using cupg_test::golden_json;

double iqm(std::vector<double> x) {
  std::sort(x.begin(), x.end());
  return interquartile_mean(x);
}

TEST(InterquartileMean, ByHand) {
  EXPECT_EQ(iqm({7}), 7);
  EXPECT_EQ(iqm({1, 3}), 2);
  EXPECT_EQ(iqm({1, 2, 9}), 4);                             // a quarter of three, rounded down, is nobody
  EXPECT_EQ(iqm({100, 2, 3, -50}), 2.5);                    // the middle two of four
  EXPECT_EQ(iqm({1, 2, 3, 4, 10}), 3);                      // three of five
  EXPECT_EQ(iqm({8, 1, 2, 3, 4, 5, 6, 7}), 4.5);            // four of eight
  EXPECT_EQ(iqm({0, 0, 1, 2, 3, 4, 5, 6, 100, 200}), 3.5);  // six of ten: whole values are left out, none in part
}

TEST(InterquartileMean, IgnoresTheOuterQuarters) {
  const std::vector<double> inner = {0, 1, 2, 3};
  std::vector<double> x = inner, y = inner;
  x.insert(x.end(), {-1e9, -7, 1e9, 50});
  y.insert(y.end(), {-1, -0.5, 5, 6});
  EXPECT_EQ(iqm(x), iqm(y));
}

TEST(InterquartileMean, IsScipysTrimmedMean) {
  const auto golden = golden_json("statistics_scipy.json");
  for (const auto& c : golden.at("trimmed")) {
    const auto x = c.at("values").get<std::vector<double>>();
    EXPECT_FALSE(!(std::abs(iqm(x) - c.at("trim_mean").get<double>()) <= 1e-12 * 500)) << x.size();  // a sum of up to 51 numbers to 500
  }
}

TEST(Quantile, InterpolatesLinearly) {
  const std::vector<double> x = {40, 10, 30, 20};
  EXPECT_EQ(quantile(x, 0), 10);
  EXPECT_EQ(quantile(x, 1), 40);
  EXPECT_EQ(quantile(x, 0.5), 25);
  EXPECT_DOUBLE_EQ(quantile(x, 0.1), 13);
  EXPECT_EQ(quantile({5}, 0.99), 5);
  EXPECT_TRUE(std::isnan(quantile({}, 0.5)));
}

TEST(Bootstrap, AgreesWithScipysOfAHundredTimesAsManyResamples) {
  const auto golden = golden_json("statistics_scipy.json");
  for (const auto& c : golden.at("bootstrap")) {
    const auto x = c.at("values").get<std::vector<double>>();
    const cupg::Estimate e = cupg::bootstrap(x, interquartile_mean);
    // a quantile of 2,000: sd sqrt(a (1 - a) / 2000) / density; of a normal tail 0.11 sd at a = 0.004 (n = 7), less at 0.025, and
    // twice that where the tail thins out towards the largest value; 3 of them
    const double limit = 0.66 * c.at("sd").get<double>();
    EXPECT_FALSE(!(std::abs(*e.ci95_low - c.at("low").get<double>()) <= limit)) << x.size();
    EXPECT_FALSE(!(std::abs(*e.ci95_high - c.at("high").get<double>()) <= limit)) << x.size();
  }
}

TEST(Bootstrap, HasNoIntervalWhereNoneWouldHoldNinetyFivePercent) {
  const auto has = [](const std::vector<double>& values) { return cupg::bootstrap(values, interquartile_mean).ci95_low.has_value(); };
  EXPECT_FALSE(has({1, 2, 3, 4, 5}));
  EXPECT_TRUE(has({1, 2, 3, 4, 5, 6}));
  EXPECT_FALSE(has(std::vector<double>(10, 500)));
  EXPECT_TRUE(has(std::vector<double>(11, 500))) << "0.75^11 = 0.042";
  EXPECT_TRUE(has({500, 500, 500, 500, 500, 499}));
}

TEST(Bootstrap, OfOneValueHasNoIntervalAndOfNoneNothing) {
  const cupg::Estimate one = cupg::bootstrap({3}, interquartile_mean), none = cupg::bootstrap({}, interquartile_mean);
  EXPECT_EQ(one.value, 3);
  EXPECT_FALSE(one.ci95_low || one.ci95_high);
  EXPECT_FALSE(none.value || none.ci95_low || none.ci95_high);
}

TEST(Bootstrap, DrawsEveryValueEquallyOftenAndTellsThemInOrder) {
  std::vector<double> total(6, 0.0);
  int samples = 0;
  cupg::bootstrap({4, 0, 3, 1, 2, 5}, [&](std::span<const double> sorted) {
    EXPECT_TRUE(sorted.size() == 6 && std::is_sorted(sorted.begin(), sorted.end()));
    if (++samples == 1) return 0.0;  // the values themselves
    for (const double x : sorted) total[static_cast<std::size_t>(x)] += 1;
    return 0.0;
  });
  EXPECT_EQ(samples, 2001);
  for (const double times : total) EXPECT_NEAR(times, 2000, 4 * std::sqrt(12000 / 6.0 * 5 / 6)) << "four standard deviations; fixed seed";
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

void solve(cupg::AgentResult& a, std::int64_t steps, double seconds) {
  a.outcome = cupg::Outcome::solved;
  a.env_steps = a.solved_env_steps = steps;
  a.solved_seconds = seconds;
}

TEST(Summary, ByHand) {
  auto a = agents({500, 480, 20, 490});
  solve(a[0], 100, 1), solve(a[1], 300, 2), solve(a[3], 200, 4);
  a[2].outcome = cupg::Outcome::finished, a[2].env_steps = 250;
  const cupg::Summary s = cupg::summarize(a);
  EXPECT_EQ(s.n, 4);
  EXPECT_EQ(s.measured, 4);
  EXPECT_EQ(s.censored, 1);
  EXPECT_EQ(s.iqm.value, 485);
  EXPECT_FALSE(s.iqm.ci95_low || s.iqm.ci95_high) << "of four";
  EXPECT_FALSE(s.return_tolerance.low || s.steps_tolerance.low);
  EXPECT_EQ(s.worst, 20);
  EXPECT_EQ(s.solved_fraction.value, 0.75);
  EXPECT_NEAR(*s.solved_fraction.ci95_low, 0.300642, 1e-6);  // Wilson: (0.75 + 0.480182) / 1.960365 -+ 0.326893
  EXPECT_NEAR(*s.solved_fraction.ci95_high, 0.954413, 1e-6);
  EXPECT_EQ(*s.solved_seconds_median, 2);
  EXPECT_DOUBLE_EQ(*s.solved_seconds_p99, 3.96);
  // 100: 3 of 4 left, 200: 2 of 3 of these, 300: the third is censored at 250, so nobody is left
  ASSERT_EQ(s.survival.size(), 3u);
  EXPECT_DOUBLE_EQ(s.survival[1].unsolved, 0.5);
  EXPECT_EQ(s.survival[2].at_risk, 1);
  EXPECT_EQ(s.survival[2].unsolved, 0);
  EXPECT_EQ(s.median_steps_to_solve().value, 200);
  EXPECT_EQ(s.steps_to_solve[2].value, 300) << "75 %";
}

TEST(Summary, ADivergedAgentNeverSolves) {
  auto a = agents({500, 9, 500});
  solve(a[0], 100, 1), solve(a[2], 300, 1);
  a[1].outcome = cupg::Outcome::diverged, a[1].env_steps = 200;
  EXPECT_EQ(cupg::summarize(a).median_steps_to_solve().value, 300);
  EXPECT_EQ(cupg::summarize(a).survival.back().at_risk, 2) << "it is still there";
  EXPECT_FALSE(cupg::summarize(a).steps_to_solve[2].value.has_value()) << "two thirds solve, not three quarters";
  a[1].outcome = cupg::Outcome::finished;
  EXPECT_EQ(cupg::summarize(a).survival.back().at_risk, 1) << "one that merely ended might have solved";
}

TEST(Summary, ASolvedPolicyThatWasLostAgainDoesNotHold) {
  auto a = agents({500, 30, 499, 20});
  for (auto& agent : a) solve(agent, 100, 1);
  a[1].outcome = cupg::Outcome::finished;
  a[3].outcome = cupg::Outcome::interrupted, a[3].final_return.reset();
  const cupg::Summary s = cupg::summarize(a);
  EXPECT_EQ(s.solved_fraction.value, 1);
  EXPECT_DOUBLE_EQ(*s.holding_fraction.value, 2 / 3.0);
  EXPECT_EQ(s.measured, 3);
  EXPECT_EQ(s.worst, 30) << "what was not measured is left out";
}

TEST(Summary, AnInterruptLeavesTheSolvedShareWithoutInterval) {
  auto a = agents({500, 500});
  solve(a[0], 100, 1);
  a[1].outcome = cupg::Outcome::interrupted;
  EXPECT_EQ(cupg::summarize(a).solved_fraction.value, 0.5);
  EXPECT_FALSE(cupg::summarize(a).solved_fraction.ci95_low.has_value());
  a[1].solved_env_steps = 50;  // it went on after it had solved
  EXPECT_TRUE(cupg::summarize(a).solved_fraction.ci95_low.has_value());
}

TEST(Summary, OfOneAgentHasNoIntervals) {
  auto a = agents({480});
  solve(a[0], 100, 1);
  const cupg::Summary s = cupg::summarize(a);
  EXPECT_EQ(s.iqm.value, 480);
  EXPECT_EQ(s.median_steps_to_solve().value, 100);
  for (const cupg::Estimate& e : {s.iqm, s.solved_fraction, s.median_steps_to_solve()}) {
    EXPECT_TRUE(e.value.has_value());
    EXPECT_FALSE(e.ci95_low || e.ci95_high);
  }
}

TEST(Summary, OfEqualReturnsHasNoWidth) {
  const cupg::Summary s = cupg::summarize(agents(std::vector<double>(12, 200)));
  EXPECT_EQ(s.iqm.ci95_low, 200);
  EXPECT_EQ(s.iqm.ci95_high, 200);
  EXPECT_EQ(s.censored, 12);
  EXPECT_FALSE(s.median_steps_to_solve().value || s.solved_seconds_median || s.solved_seconds_p99) << "nobody solved";
}

TEST(Summary, SaysWhereMostAgentsLie) {
  std::vector<double> returns;
  for (int i = 1; i <= 100; ++i) returns.push_back(i);
  auto a = agents(returns);
  for (int i = 0; i < 100; ++i) solve(a[static_cast<std::size_t>(i)], 1000 * (i + 1), 1);
  EXPECT_EQ(cupg::summarize(a).return_tolerance.low, 2);
  EXPECT_EQ(cupg::summarize(a).return_tolerance.high, 98);
  EXPECT_EQ(cupg::summarize(a).steps_tolerance.low, 2000);
  EXPECT_EQ(cupg::summarize(a).steps_tolerance.high, 98'000);
  for (int i = 97; i < 100; ++i) {
    a[static_cast<std::size_t>(i)].solved_env_steps = 0;
    a[static_cast<std::size_t>(i)].outcome = cupg::Outcome::finished;
  }
  EXPECT_EQ(cupg::summarize(a).steps_tolerance.low, 2000);
  EXPECT_FALSE(cupg::summarize(a).steps_tolerance.high.has_value()) << "three did not solve it";
}

TEST(Summary, OfNobodyIsEmpty) {
  const cupg::Summary s = cupg::summarize({});
  EXPECT_EQ(s.n, 0);
  EXPECT_FALSE(s.iqm.value || s.worst || s.solved_fraction.value || s.median_steps_to_solve().value || s.solved_seconds_median);
}

TEST(Summary, TheBootstrapIsDeterministic) {
  const auto a = agents({100, 300, 250, 470, 480, 20, 77});
  const cupg::Summary one = cupg::summarize(a), two = cupg::summarize(a);
  EXPECT_EQ(one.iqm.ci95_low, two.iqm.ci95_low);
  EXPECT_EQ(one.iqm.ci95_high, two.iqm.ci95_high);
}

TEST(Summary, TheIntervalIsThatOfTheMean) {
  // for n uniform numbers on [0, 1] the middle half has a mean with standard error near sqrt(1/12 * 0.75 / n) to sqrt(1/12 * 1.2 / n)
  std::vector<double> returns;
  for (const float x : cupg_test::random_floats(400, 0.5f, 3)) returns.push_back(static_cast<double>(x) + 0.5);
  const cupg::Summary s = cupg::summarize(agents(returns));
  const double width = (*s.iqm.ci95_high - *s.iqm.ci95_low) / (2 * 1.96) * std::sqrt(400.0) * std::sqrt(12.0);
  EXPECT_GT(width, 0.8);
  EXPECT_LT(width, 1.6);
}

}  // namespace

// By what points are ranked, and how much settings matter: cases worked by hand.
#include "src/sweep/score.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "src/sweep/marginal.hpp"

namespace {

using namespace cupg;

SweepRow solved(std::int64_t steps) {
  SweepRow row;
  row.outcome = Outcome::solved;
  row.solved_env_steps = row.env_steps = steps;
  row.final_return = 500;
  return row;
}
SweepRow unsolved(double final_return) {
  SweepRow row;
  row.env_steps = 1000;
  row.final_return = final_return;
  return row;
}
SweepRow diverged() {
  SweepRow row;
  row.outcome = Outcome::diverged;
  row.env_steps = 10;
  return row;
}

SweepScore score(const Config& config, const std::vector<SweepRow>& rows) {
  std::vector<const SweepRow*> agents;
  for (const SweepRow& row : rows) agents.push_back(&row);
  return score_of(config, 1000, agents);
}

Config stops() { return {}; }
Config goes_on() {
  Config c;
  c.stop_when_solved = false;
  return c;
}

TEST(SweepScore, IsTheRestrictedMeanOfTheStepsToSolve) {
  const SweepScore s = score(stops(), {solved(100), solved(300), unsolved(20), diverged()});
  EXPECT_EQ(s.figure, (100 + 300 + 1000 + 1000) / 4.0) << "who did not solve, and who never will, counts as the limit";
  EXPECT_EQ(s.agents, 4);
  EXPECT_EQ(s.solved, 2);
}

TEST(SweepScore, RanksByReturnsWhereNobodySolves) {
  const SweepScore good = score(stops(), {unsolved(200), unsolved(100)}), bad = score(stops(), {unsolved(20), unsolved(10)}),
                   one = score(stops(), {solved(990), unsolved(10)});
  EXPECT_EQ(good.figure, bad.figure);
  EXPECT_TRUE(is_better(stops(), good, bad));
  EXPECT_FALSE(is_better(stops(), bad, good));
  EXPECT_TRUE(is_better(stops(), one, good)) << "steps come first";
}

TEST(SweepScore, CountsADivergedAgentAsTheLeastReturn) {
  EXPECT_EQ(score(goes_on(), {unsolved(400), unsolved(500), unsolved(300), unsolved(10)}).figure, 350) << "the middle half";
  // CartPole returns at least 1: (1 + 1) / 2; without the diverged ones it would be the best of all
  const double least = find_environment("CartPole-v1").min_return;
  EXPECT_EQ(score(goes_on(), {diverged(), diverged(), diverged(), unsolved(500)}).figure, least);
  EXPECT_TRUE(is_better(goes_on(), {.figure = 2}, {.figure = 1}));
}

TEST(SweepScore, HasIntervalsThatHoldIt) {
  std::vector<SweepRow> rows;
  for (int i = 1; i <= 20; ++i) rows.push_back(solved(40 * i));
  std::vector<const SweepRow*> agents;
  for (const SweepRow& row : rows) agents.push_back(&row);
  const SweepReport r = report_of(stops(), 1000, 7, agents);
  EXPECT_EQ(r.point, 7);
  EXPECT_EQ(r.figure.value, 420);
  // sd of the mean: 40 sqrt((20^2 - 1) / 12 / 20) = 51.6; two of them, within a tenth
  EXPECT_NEAR(*r.figure.ci95_low, 420 - 1.96 * 51.6, 12);
  EXPECT_NEAR(*r.figure.ci95_high, 420 + 1.96 * 51.6, 12);
  EXPECT_EQ(r.solved.value, 1);
  EXPECT_EQ(r.median_steps.value, 400);
}

TEST(SweepScore, TellsWhetherIntervalsOverlap) {
  EXPECT_TRUE(overlap({1, 0, 2}, {3, 2, 4}));
  EXPECT_FALSE(overlap({1, 0, 2}, {3, 2.5, 4}));
  EXPECT_FALSE(overlap({3, 2.5, 4}, {1, 0, 2}));
  EXPECT_TRUE(overlap({1, {}, {}}, {100, 99, 101})) << "nobody knows";
}

TEST(SweepScore, RanksWhatOverlapsWithAnother) {
  std::vector<SweepReport> reports(3);
  reports[0].figure = {1, 0, 2};
  reports[1].figure = {5, 4, 6};
  reports[2].figure = {3, 2, 4};
  using Ranks = std::vector<std::size_t>;
  EXPECT_EQ(overlapping(reports, 0), Ranks{3});
  EXPECT_EQ(overlapping(reports, 1), Ranks{3});
  EXPECT_EQ(overlapping(reports, 2), (Ranks{1, 2}));
}

TEST(Sensitivity, IsNearWithinFivePercent) {
  EXPECT_TRUE(is_near(stops(), 100, 95));
  EXPECT_FALSE(is_near(stops(), 100.1, 95));
  Config acrobot = goes_on();
  acrobot.environment = "Acrobot-v1";  // -500 at the least: 95 % of the way to -100 is -120
  EXPECT_TRUE(is_near(acrobot, -119.9, -100));
  EXPECT_FALSE(is_near(acrobot, -120.1, -100));
}

/// gamma 0.9, 1 by learning-rate 0.1, 0.2, 0.3; the configuration has 1 and 0.19, so that 1 and 0.2 are the references.
SweepPlan grid() {
  SweepPlan plan;
  plan.config.advantage.gamma = 1;
  plan.config.optimizer.learning_rate = 0.19f;
  plan.axes = {read_axis(*find_option("gamma"), "0.9,1"), read_axis(*find_option("learning-rate"), "0.1,0.2,0.3")};
  return plan;
}
std::vector<SweepScore> scores(const std::vector<double>& figures) {
  std::vector<SweepScore> all;
  for (const double f : figures) all.push_back({.figure = f});
  return all;
}

TEST(Sensitivity, CountsTheFewestSettingsThatMustBeTuned) {
  const SweepPlan plan = grid();
  const auto points = sweep_points(plan);
  const auto needed = [&](const std::vector<double>& figures, int best, double reported) {
    return sensitivity(plan, points, scores(figures),
                       {.point = best, .score = {.figure = reported}, .figure = {}, .solved = {}, .mean_return = {}, .median_steps = {}});
  };
  const Sensitivity both = needed({100, 900, 900, 900, 900, 900}, 0, 110);
  EXPECT_EQ(both.references, (std::vector<std::string>{"1", "0.2"}));
  EXPECT_EQ(both.settings, 6);
  EXPECT_EQ(both.near, 1);
  EXPECT_EQ(both.needed, 2);
  EXPECT_EQ(needed({100, 900, 900, 900, 900, 104}, 0, 100).needed, 1) << "gamma may stay";
  EXPECT_EQ(needed({100, 900, 900, 900, 115, 104}, 0, 110).needed, 0) << "115 is within 5 % of what the best reports";
  EXPECT_EQ(needed({100, 900, 900, 900, 115, 104}, 0, 110).near, 3);
  EXPECT_EQ(needed({300, 900, 900, 900, 900, 900}, 0, 110).near, 1) << "the best itself, always";
}

TEST(Sensitivity, OfDrawnPointsHasNoReference) {
  SweepPlan plan = grid();
  plan.settings.points = 3;
  plan.axes[1] = read_axis(*find_option("learning-rate"), "log:0.1:0.3");
  SweepReport best;
  best.point = 1;
  best.score.figure = 100;
  const Sensitivity s = sensitivity(plan, sweep_points(plan), scores({200, 100, 101}), best);
  EXPECT_EQ(s.near, 2);
  EXPECT_FALSE(s.needed.has_value());
}

TEST(Marginal, IsTheMedianAndTheQuartilesOverTheOthers) {
  SweepPlan plan = grid();
  const auto of_rates = marginal(plan, sweep_points(plan), {1, 2, 3, 4, 5, 9}, true, 1);
  ASSERT_EQ(of_rates.size(), 3u);
  EXPECT_EQ(of_rates[2].label, "0.3");
  EXPECT_EQ(of_rates[2].middle, 6) << "of 3 and 9";
  EXPECT_EQ(of_rates[2].low, 4.5);
  EXPECT_EQ(of_rates[2].high, 7.5);
  EXPECT_EQ(of_rates[2].best, 3) << "fewer steps are better";
  const auto of_gamma = marginal(plan, sweep_points(plan), {1, 2, 3, 4, 5, 9}, false, 0);
  EXPECT_EQ(of_gamma[1].middle, 5);
  EXPECT_EQ(of_gamma[1].best, 9) << "larger returns are better";
  plan.settings.points = 100;
  plan.axes[1] = read_axis(*find_option("learning-rate"), "log:0.1:0.3");
  const auto points = sweep_points(plan);
  std::vector<double> own;  // a point's figure is its learning rate, so that groups of neighbors must rise
  for (const SweepPoint& p : points) own.push_back(static_cast<double>(std::get<float>(p[1])));
  const auto drawn = marginal(plan, points, own, true, 1);
  ASSERT_EQ(drawn.size(), kMarginalBins);
  for (std::size_t i = 1; i < drawn.size(); ++i) EXPECT_LT(drawn[i - 1].middle, drawn[i].middle);
}

}  // namespace

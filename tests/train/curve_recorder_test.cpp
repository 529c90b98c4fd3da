#include "src/train/curve_recorder.hpp"

#include <gtest/gtest.h>

namespace {

using cupg::CurveRecorder;
using cupg::Watch;

/// Episodes whose returns are their lengths.
cupg::EpisodeTally tally(std::int64_t episodes, std::int64_t steps) { return {episodes, episodes, steps, steps * cupg::kReturnUnit}; }

/// An agent of updates of 10 steps, watched at every `every`th.
struct Agent {
  Watch watch;
  CurveRecorder curve;
  explicit Agent(std::int64_t spacing, int every = 1, std::int64_t batch = 10) {
    watch.every = every;
    watch.updates = watch.steps = std::numeric_limits<std::int64_t>::max();
    watch.batch = batch;
    watch.may_improve = 0;
    watch.curve.spacing = spacing;
  }
  /// As many updates as there are up to the next look; whether the last of them is to be measured.
  bool train(std::int64_t episodes, std::int64_t steps, std::int64_t batch = 10) {
    const bool measured = watch.measures_next();
    cupg::Progressed now = watch.last;
    now.updates += watch.to_go();
    now.taken += watch.to_go() * batch;
    now.episodes += tally(episodes, steps);
    watch.look(now);
    watch.looks = 0;
    EXPECT_EQ(watch.measured != 0, measured);
    curve.add(tally(episodes, steps));
    if (watch.has_point != 0) curve.point(now.taken, 0, {});
    return measured;
  }
};

TEST(Curve, APointIsTheMeanOfTheEpisodesSinceTheLast) {
  Agent agent(40);
  agent.train(2, 30);
  for (int i = 0; i < 4; ++i) agent.train(1, 10 * i);
  const auto& points = agent.curve.points();
  ASSERT_EQ(points.size(), 2u);
  EXPECT_EQ(points[0].env_steps, 10);
  EXPECT_EQ(points[0].mean_return, 15);
  EXPECT_EQ(points[0].mean_length, 15);
  EXPECT_EQ(points[1].env_steps, 50);
  EXPECT_EQ(points[1].episodes, 4);
  EXPECT_EQ(points[1].mean_return, 15);
}

TEST(Curve, HasNoPointWithoutAnEpisode) {
  Agent agent(10);
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(agent.train(0, 0)) << "the next update may end one";
  EXPECT_TRUE(agent.curve.points().empty());
  EXPECT_FALSE(agent.curve.end(500, 0));
}

TEST(Curve, EndsWithTheEpisodesThatNoPointHas) {
  Agent agent(100);
  agent.train(2, 30);
  agent.train(1, 7);
  EXPECT_TRUE(agent.curve.end(20, 0.75));
  ASSERT_EQ(agent.curve.points().size(), 2u);
  const cupg::CurvePoint& last = agent.curve.points()[1];
  EXPECT_EQ(last.env_steps, 20);
  EXPECT_EQ(last.seconds, 0.75);
  EXPECT_EQ(last.mean_return, 7);
  EXPECT_TRUE(std::isnan(last.metrics.entropy)) << "nobody has measured it";
}

TEST(Curve, OfALongTrainingHasFewPointsAndLosesNoEpisode) {
  Agent agent(40);
  std::int64_t episodes = 0, returns = 0, measured = 0;
  const std::int64_t updates = 100'000;
  for (std::int64_t i = 1; i <= updates; ++i) {
    const std::int64_t ended = 1 + i % 3, steps = ended * (10 + i % 7);
    measured += agent.train(ended, steps);
    episodes += ended;
    returns += steps;
  }
  agent.curve.end(10 * updates, 0);
  const auto& points = agent.curve.points();
  EXPECT_EQ(measured, std::ssize(points) - 1) << "no update is measured in vain; the last point is the end's";
  EXPECT_LE(std::ssize(points), cupg::most_points(10 * updates, 10));
  EXPECT_GE(std::ssize(points), cupg::most_points(10 * updates, 10) * 97 / 100) << "looks are whole updates";
  EXPECT_LT(points.size(), 900u);
  double sum = 0;
  std::int64_t all = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    all += points[i].episodes;
    sum += points[i].mean_return * static_cast<double>(points[i].episodes);
    if (i == 0 || i + 1 == points.size()) continue;
    EXPECT_GE(points[i].env_steps - points[i - 1].env_steps, std::max<std::int64_t>(40, points[i - 1].env_steps / 128));
  }
  EXPECT_EQ(all, episodes);
  EXPECT_NEAR(sum, static_cast<double>(returns), 1e-9 * static_cast<double>(returns));
}

TEST(Curve, HasMetricsAtAWiderSpacing) {
  Agent agent(40);
  agent.watch.curve.measured_spacing = 160;
  std::vector<std::int64_t> measured;
  for (int i = 1; i <= 50; ++i)
    if (agent.train(1, 5)) measured.push_back(agent.watch.last.taken);
  EXPECT_EQ(measured, (std::vector<std::int64_t>{10, 170, 330, 490}));
  EXPECT_EQ(agent.curve.points().size(), 13u);
  EXPECT_EQ(agent.curve.points()[4].env_steps, 170);
}

TEST(Curve, OfTheLongestTrainingIsWithinTheBound) {
  for (const std::int64_t batch : {1, 512, 65'536})
    EXPECT_LT(cupg::most_points(std::int64_t{1} << 52, batch), static_cast<std::int64_t>(CurveRecorder::kMost)) << batch;
}

TEST(Curve, IsLookedAtWhereSomebodyLooks) {
  Agent agent(40, 7);  // looks after 70, 140 ...
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(agent.train(1, 5));
  ASSERT_EQ(agent.curve.points().size(), 20u);
  EXPECT_EQ(agent.curve.points()[3].env_steps, 280);
}

TEST(Curve, WhereUpdatesHaveNoSizeBeforehandAPointFollowsTheFirstLookBeyondIt) {
  Agent agent(100, 1, 0);
  std::vector<std::int64_t> measured;
  for (int i = 1; i <= 12; ++i)
    if (agent.train(1, 5, 30)) measured.push_back(agent.watch.last.taken);
  EXPECT_EQ(measured, (std::vector<std::int64_t>{30, 180, 330}));
}

}  // namespace

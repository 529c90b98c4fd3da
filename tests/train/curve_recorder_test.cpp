#include "src/train/curve_recorder.hpp"

#include <gtest/gtest.h>

namespace {

using cupg::CurvePoint;
using cupg::CurveRecorder;

/// Episodes whose returns are their lengths.
cupg::EpisodeTally tally(std::int64_t episodes, std::int64_t terminated, std::int64_t steps) {
  return {episodes, terminated, steps, steps * cupg::kReturnUnit};
}

TEST(CurveRecorder, APointIsTheMeanOfTheEpisodesSinceTheLast) {
  CurveRecorder recorder(100);
  recorder.add(10, 0.5, tally(2, 2, 30));
  recorder.add(50, 0.6, tally(1, 1, 7));  // within the spacing: waits
  recorder.add(110, 0.7, tally(1, 0, 13));
  const auto points = recorder.take(110, 0.7);
  ASSERT_EQ(points.size(), 2u);
  EXPECT_EQ(points[0].env_steps, 10);
  EXPECT_EQ(points[0].mean_return, 15);
  EXPECT_EQ(points[0].seconds, 0.5);
  EXPECT_EQ(points[1].env_steps, 110);
  EXPECT_EQ(points[1].episodes, 2);
  EXPECT_EQ(points[1].mean_return, 10);
}

TEST(CurveRecorder, NoPointWithoutAnEpisode) {
  CurveRecorder recorder(10);
  for (int i = 1; i < 50; ++i) recorder.add(10 * i, 0, {});
  EXPECT_TRUE(recorder.take(490, 0).empty());
}

TEST(CurveRecorder, TheLastPointIsAtTheEnd) {
  CurveRecorder recorder(100);
  recorder.add(10, 0.5, tally(2, 2, 30));
  recorder.add(50, 0.6, tally(1, 1, 7));  // within the spacing: the end must not lose it
  recorder.add(90, 0.7, {});
  auto points = recorder.take(90, 0.75);
  ASSERT_EQ(points.size(), 2u);
  EXPECT_EQ(points[1].env_steps, 90);
  EXPECT_EQ(points[1].seconds, 0.75);
  EXPECT_EQ(points[1].mean_return, 7);
  EXPECT_EQ(points[1].episodes, 1);

  // no episode ended since the first point: its episodes are still the last ones
  CurveRecorder quiet(100);
  quiet.add(10, 0.5, tally(2, 2, 30));
  quiet.add(500, 0.6, {});
  points = quiet.take(500, 0.6);
  ASSERT_EQ(points.size(), 1u);
  EXPECT_EQ(points[0].env_steps, 500);
  EXPECT_EQ(points[0].episodes, 2);
}

TEST(CurveRecorder, ALongRunKeepsFewPointsAndLosesNoEpisode) {
  CurveRecorder recorder(1);
  std::int64_t episodes = 0;
  double returns = 0;
  const int updates = 100000;
  for (int i = 1; i <= updates; ++i) {
    recorder.add(i, i, tally(1 + i % 3, 0, (1 + i % 3) * (10 + i % 7)));
    episodes += 1 + i % 3;
    returns += (1 + i % 3) * (10 + i % 7);
  }
  const auto points = recorder.take(updates, updates);
  EXPECT_LE(points.size(), 512u);
  EXPECT_GE(points.size(), 128u);
  std::int64_t sum = 0;
  double weighted = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    sum += points[i].episodes;
    weighted += points[i].mean_return * static_cast<double>(points[i].episodes);
    EXPECT_TRUE(i == 0 || points[i].env_steps > points[i - 1].env_steps);
  }
  EXPECT_EQ(sum, episodes);
  EXPECT_NEAR(weighted, returns, 1e-9 * returns);
  EXPECT_EQ(points.back().env_steps, updates);
}

TEST(CurveRecorder, MergedPointsAreWeightedByTheirEpisodes) {
  // points of 1 episode of 10 steps and of 3 episodes of 110 take turns, long enough to be merged once
  CurveRecorder recorder(1);
  for (int i = 1; i <= 512; ++i) recorder.add(i, i, i % 2 == 1 ? tally(1, 1, 10) : tally(3, 3, 330));
  const auto points = recorder.take(512, 512);
  ASSERT_EQ(points.size(), 256u);
  for (const CurvePoint& p : points) {
    EXPECT_EQ(p.episodes, 4);
    EXPECT_EQ(p.mean_return, 85);
    EXPECT_EQ(p.env_steps % 2, 0) << "a merged point stands where its second half stood";
  }
}

TEST(CurveRecorder, EqualRunsHaveEqualCurves) {
  const auto run = [] {
    CurveRecorder recorder(4);
    for (int i = 1; i <= 5000; ++i) recorder.add(i, 0, tally(1, 1, i % 100));
    return recorder.take(5000, 0);
  };
  const auto a = run(), b = run();
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i].mean_return, b[i].mean_return);
}

}  // namespace

#include "kernels/agent/check_schedule.hpp"

#include <gtest/gtest.h>

namespace {

using cupg::CheckSchedule;

const cupg::EnvironmentInfo& cartpole() { return cupg::find_environment("CartPole-v1"); }

/// `steps` steps in which an episode terminated every `length` steps.
void live(CheckSchedule& schedule, int steps, int length) {
  for (int s = 0; s < steps; s += 1000) schedule.add(1000, {1000 / length, 1000 / length, 1000, 1000 * cupg::kReturnUnit});
}

TEST(CheckSchedule, ABeginnerIsNotChecked) {
  CheckSchedule schedule(cartpole());
  EXPECT_FALSE(schedule.due());
  live(schedule, 100000, 20);
  EXPECT_FALSE(schedule.due());
}

TEST(CheckSchedule, LongEpisodesMakeACheckDue) {
  CheckSchedule schedule(cartpole());
  live(schedule, 20000, 20);
  live(schedule, 100000, 1000);
  EXPECT_TRUE(schedule.due());
}

TEST(CheckSchedule, TruncatedEpisodesAreNoFailures) {
  CheckSchedule schedule(cartpole());
  for (int i = 0; i < 100; ++i) schedule.add(1000, {50, 0, 1000, 1000 * cupg::kReturnUnit});
  EXPECT_TRUE(schedule.due());
}

/// `steps` steps of Acrobot, rewarded with -1 each, in which the goal was reached every `length` steps; the limit cut episodes in between.
void swing(CheckSchedule& schedule, int steps, int length) {
  for (int s = 0; s < steps; s += 5000) {
    const std::int64_t goals = 5000 / length, all = std::max<std::int64_t>(10, goals);
    schedule.add(5000, {all, goals, 5000, (goals - 5000) * cupg::kReturnUnit});
  }
}

TEST(CheckSchedule, WhereATerminationIsTheGoalManyMakeACheckDue) {
  CheckSchedule schedule(cupg::find_environment("Acrobot-v1"));
  swing(schedule, 100000, 10000);  // never
  EXPECT_FALSE(schedule.due());
  swing(schedule, 100000, 1000);
  EXPECT_FALSE(schedule.due());
  swing(schedule, 100000, 100);
  EXPECT_TRUE(schedule.due());
}

TEST(CheckSchedule, TheFirstStepsAreTooFewToJudge) {
  CheckSchedule schedule(cartpole());
  schedule.add(100, {0, 0, 0});
  EXPECT_FALSE(schedule.due()) << "nobody failed yet, but nobody had the time to";
}

TEST(CheckSchedule, AFailedCheckPauses) {
  CheckSchedule schedule(cartpole());
  live(schedule, 100000, 1000);
  ASSERT_TRUE(schedule.due());
  schedule.failed();
  EXPECT_FALSE(schedule.due());
  int waited = 0;
  while (!schedule.due() && waited < 1000000) live(schedule, 1000, 1000), waited += 1000;
  EXPECT_GT(waited, 0);
  EXPECT_LE(waited, cupg::CheckSettings().most_pause_steps);
}

TEST(CheckSchedule, PausesGrowToTheirLimit) {
  const cupg::CheckSettings settings{.pause_steps = 2000, .pause_growth = 2, .most_pause_steps = 7000};
  CheckSchedule schedule(cartpole(), settings);
  live(schedule, 100000, 1000);
  std::vector<int> pauses;
  for (int k = 0; k < 5; ++k) {
    schedule.failed();
    int waited = 0;
    while (!schedule.due()) live(schedule, 1000, 1000), waited += 1000;
    pauses.push_back(waited);
  }
  EXPECT_EQ(pauses, (std::vector<int>{2000, 4000, 7000, 7000, 7000}));
}

TEST(CheckSchedule, AfterItWasSolvedItLooksMoreAndMoreSeldom) {
  CheckSchedule schedule(cartpole());
  live(schedule, 100000, 1000);
  int total = 100000;
  for (int k = 0; k < 5; ++k) {
    ASSERT_TRUE(schedule.due());
    schedule.solved();
    int waited = 0;
    while (!schedule.due()) live(schedule, 1000, 1000), waited += 1000;
    EXPECT_NEAR(waited, total / 10, 1000);
    total += waited;
  }
}

TEST(CheckSchedule, ARelapseIsNoticed) {
  CheckSchedule schedule(cartpole());
  live(schedule, 100000, 1000);
  live(schedule, 30000, 20);
  EXPECT_FALSE(schedule.due());
}

}  // namespace

// Acrobot's dynamics against Gymnasium (tests/golden/acrobot_*_gymnasium.csv.gz) and by hand.
#include "envs/acrobot.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "tests/support/golden.hpp"

namespace {

using cupg::Acrobot;
using cupg_test::Csv;
using Four = std::array<double, 4>;

const char* const kFields[] = {"theta1", "theta2", "dtheta1", "dtheta2"};
const char* const kObservations[] = {"obs_cos1", "obs_sin1", "obs_cos2", "obs_sin2", "obs_dtheta1", "obs_dtheta2"};

const Csv& random_steps() {
  static const Csv csv(cupg_test::golden_path("acrobot_random_gymnasium.csv.gz"));
  return csv;
}
const Csv& goal_steps() {
  static const Csv csv(cupg_test::golden_path("acrobot_goal_gymnasium.csv.gz"));
  return csv;
}

template <class S>
Acrobot::State<S> state(const Csv& csv, const std::string& prefix, std::size_t row) {
  return {static_cast<S>(csv.number(prefix + "theta1", row)), static_cast<S>(csv.number(prefix + "theta2", row)),
          static_cast<S>(csv.number(prefix + "dtheta1", row)), static_cast<S>(csv.number(prefix + "dtheta2", row))};
}
template <class S>
Four numbers(const Acrobot::State<S>& s) {
  return {static_cast<double>(s.theta1), static_cast<double>(s.theta2), static_cast<double>(s.theta1_dot),
          static_cast<double>(s.theta2_dot)};
}
std::uint32_t action(const Csv& csv, std::size_t row) { return static_cast<std::uint32_t>(csv.number("action", row)); }

TEST(Acrobot, EveryDoubleStepIsGymnasiums) {
  int goals = 0, turns = 0;
  for (const Csv* csv : {&random_steps(), &goal_steps()})
    for (std::size_t row = 0; row < csv->rows(); ++row) {
      auto s = state<double>(*csv, "", row);
      const auto [reward, terminated] = Acrobot::step(s, {action(*csv, row)});
      const Four want = numbers(state<double>(*csv, "next_", row)), got = numbers(s);
      for (std::size_t i = 0; i < 4; ++i)
        // velocities reach 10 and accelerations 100, each of some 30 roundings of 1e-16; a step adds four of them
        EXPECT_FALSE(!(std::abs(got[i] - want[i]) <= 2e-13)) << "row " << row << " " << kFields[i] << ": " << got[i] - want[i];
      EXPECT_EQ(reward, csv->number("reward", row)) << row;
      EXPECT_EQ(terminated, csv->text("terminated", row) == "1") << row;
      double x[6];
      Acrobot::observe(s, x);
      for (std::size_t i = 0; i < 6; ++i)  // Gymnasium's are rounded to float
        EXPECT_FALSE(!(std::abs(x[i] - csv->number(kObservations[i], row)) <= 0x1p-24 * std::max(1.0, std::abs(x[i])))) << row << " " << i;
      goals += terminated;
      turns += std::abs(want[0] - csv->number("theta1", row)) > 4 || std::abs(want[1] - csv->number("theta2", row)) > 4;
    }
  EXPECT_GT(goals, 0);
  EXPECT_GT(turns, 0) << "an angle is wrapped in some step";
}

TEST(Acrobot, EveryFloatStepIsExactToItsRounding) {
  for (const Csv* csv : {&random_steps(), &goal_steps()})
    for (std::size_t row = 0; row < csv->rows(); ++row) {
      auto s = state<float>(*csv, "", row);
      const Four start = numbers(s);
      Acrobot::State<double> exact{start[0], start[1], start[2], start[3]};
      const bool terminated = Acrobot::step(s, {action(*csv, row)}).terminated;
      Acrobot::step(exact, {action(*csv, row)});
      const Four want = numbers(exact), got = numbers(s);
      // as above with roundings of 6e-8; and an angle beside pi may be wrapped in one of them alone
      for (std::size_t i = 0; i < 4; ++i) {
        const double off = std::abs(got[i] - want[i]), wrapped = i < 2 ? std::abs(off - 2 * Acrobot::kPi) : off;
        EXPECT_FALSE(!(std::min(off, wrapped) <= 5e-5)) << "row " << row << " " << kFields[i] << ": " << off;
      }
      EXPECT_EQ(terminated, csv->text("terminated", row) == "1") << row;
    }
}

TEST(Acrobot, ByHand) {
  // it hangs at rest: nothing moves without a torque
  Acrobot::State<double> s{0, 0, 0, 0};
  const auto [reward, terminated] = Acrobot::step(s, {1});
  EXPECT_EQ(numbers(s), (Four{0, 0, 0, 0}));
  EXPECT_EQ(reward, -1);
  EXPECT_FALSE(terminated);
  // opposite torques move it to opposite sides
  Acrobot::State<double> left{0, 0, 0, 0}, right{0, 0, 0, 0};
  Acrobot::step(left, {0});
  Acrobot::step(right, {2});
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(numbers(left)[i], -numbers(right)[i], 1e-15);
  // det = 45/16 - 1/4 = 41/16, d1 = 9/2: theta2_acc = 72/41 for a torque of 1 at first
  EXPECT_NEAR(right.theta2_dot, 0.2 * 72 / 41, 0.1);
  // upright and at rest it has passed the height: -cos pi - cos pi = 2 > 1
  Acrobot::State<double> up{Acrobot::kPi, 0, 0, 0};
  const auto goal = Acrobot::step(up, {1});
  EXPECT_TRUE(goal.terminated);
  EXPECT_EQ(goal.reward, 0) << "the step to the goal costs nothing";
}

TEST(Acrobot, AnglesAndVelocitiesStayWithinTheirLimits) {
  // from everywhere within the limits, and beyond them in a lane that goes on after its end
  for (const float a : {-3.14159f, -1.0f, 0.0f, 2.0f, 3.14159f})
    for (const float v : {-1.0f, 0.3f, 1.0f})
      for (const std::uint32_t torque : {0u, 1u, 2u}) {
        Acrobot::State<float> s{a, -0.7f * a, v * 12.56637f, v * -28.27433f};
        for (int t = 0; t < 50; ++t) {
          Acrobot::step(s, {torque});
          ASSERT_FALSE(!(std::abs(s.theta1) <= 3.1415928f && std::abs(s.theta2) <= 3.1415928f)) << a << " " << v << " " << t;
          ASSERT_FALSE(!(std::abs(s.theta1_dot) <= 12.566371f && std::abs(s.theta2_dot) <= 28.274334f));
        }
      }
}

TEST(Acrobot, ResetMapsUniformNumbersOntoItsRange) {
  const float largest = 1.0f - 0x1p-24f;
  const auto low = Acrobot::reset<float>({0, 0, 0, 0}), high = Acrobot::reset<float>({largest, largest, largest, largest});
  EXPECT_EQ(low.theta1, -0.1f);
  EXPECT_LT(high.theta2_dot, 0.1f);
}

}  // namespace

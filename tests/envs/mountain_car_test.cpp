// MountainCar's dynamics against Gymnasium (tests/golden/mountaincar_gymnasium.csv.gz), by hand, and in every engine.
#include "envs/mountain_car.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/golden.hpp"

namespace {

using cupg::MountainCar;
using cupg_test::Csv;

const Csv& oracle() {
  static const Csv csv(cupg_test::golden_path("mountaincar_gymnasium.csv.gz"));
  return csv;
}
template <class S>
MountainCar::State<S> state(std::size_t row) {
  return {static_cast<S>(oracle().number("position", row)), static_cast<S>(oracle().number("velocity", row))};
}
std::uint32_t action(std::size_t row) { return static_cast<std::uint32_t>(oracle().number("action", row)); }

TEST(MountainCar, EveryDoubleStepIsGymnasiums) {
  int goals = 0, walls = 0;
  for (std::size_t row = 0; row < oracle().rows(); ++row) {
    auto s = state<double>(row);
    const auto [reward, terminated] = MountainCar::step(s, {action(row)});
    // positions stay below 1.2, where an ulp is 2.2e-16; cos of 3 times the position, rounded otherwise, is multiplied by 0.0025
    EXPECT_FALSE(!(std::abs(s.position - oracle().number("next_position", row)) <= 1e-15)) << row;
    EXPECT_FALSE(!(std::abs(s.velocity - oracle().number("next_velocity", row)) <= 1e-17)) << row;
    EXPECT_EQ(reward, oracle().number("reward", row)) << row;
    EXPECT_EQ(terminated, oracle().text("terminated", row) == "1") << row;
    goals += terminated;
    walls += s.position == MountainCar::kLeft;
  }
  EXPECT_GE(goals, 3);
  EXPECT_GT(walls, 0) << "the wall is among the steps";
}

TEST(MountainCar, EveryFloatStepIsExactToItsRounding) {
  for (std::size_t row = 0; row < oracle().rows(); ++row) {
    auto s = state<float>(row);
    MountainCar::State<double> exact{static_cast<double>(s.position), static_cast<double>(s.velocity)};
    MountainCar::step(s, {action(row)});
    MountainCar::step(exact, {action(row)});
    // the velocity, at most 0.07: two roundings of 2^-28, 0.0025 times the cosine's 2 ulp and three times the rounding of its argument,
    // force and limits as floats; the position, at most 1.2, a rounding of 2^-24 beside it
    EXPECT_FALSE(!(std::abs(static_cast<double>(s.velocity) - exact.velocity) <= 8e-9)) << row;
    EXPECT_FALSE(!(std::abs(static_cast<double>(s.position) - exact.position) <= 8e-9 + 0x1p-24)) << row;
  }
}

template <class S>
void by_hand() {
  // cos(3 p) = 0 at p = -pi / 6: force alone
  MountainCar::State<S> s{static_cast<S>(-3.14159265358979323846 / 6), S(0)};
  EXPECT_FALSE(MountainCar::step(s, {2}).terminated);
  EXPECT_NEAR(static_cast<double>(s.velocity), 0.001, 1e-9);
  s.velocity = S(0);
  MountainCar::step(s, {1});
  EXPECT_NEAR(static_cast<double>(s.velocity), -0.0025 * std::cos(3 * (-3.14159265358979323846 / 6 + 0.001)), 1e-9);
  // against the left wall it stops; from there it may go on
  s = {S(-1.19), S(-0.06)};
  EXPECT_FALSE(MountainCar::step(s, {0}).terminated);
  EXPECT_EQ(s.position, S(-1.2));
  EXPECT_EQ(s.velocity, S(0));
  MountainCar::step(s, {2});
  EXPECT_GT(s.position, S(-1.2));
  // the flag must be passed forwards
  s = {S(0.46), S(0.07)};
  const auto [reward, terminated] = MountainCar::step(s, {2});
  EXPECT_TRUE(terminated);
  EXPECT_EQ(reward, S(-1)) << "the step to the goal costs as much as any";
  s = {S(0.59), S(-0.05)};
  EXPECT_FALSE(MountainCar::step(s, {0}).terminated);
  EXPECT_GT(s.position, S(0.5));
}
TEST(MountainCar, ByHandInDouble) { by_hand<double>(); }
TEST(MountainCar, ByHandInFloat) { by_hand<float>(); }

TEST(MountainCar, ResetStandsInTheValley) {
  const float largest = 1.0f - 0x1p-24f;
  const auto low = MountainCar::reset<float>({0}), high = MountainCar::reset<float>({largest});
  EXPECT_EQ(low.position, -0.6f);
  EXPECT_LT(high.position, -0.4f);
  EXPECT_GT(high.position, -0.40001f);
  EXPECT_EQ(low.velocity, 0.0f);
}

TEST(MountainCar, NaNReachesNoGoal) {
  MountainCar::State<float> s{std::nanf(""), 0};
  EXPECT_FALSE(MountainCar::step(s, {1}).terminated);
}

}  // namespace

// CartPole's dynamics against Gymnasium (tests/golden/cartpole_gymnasium.csv.gz) and against its own equations.
#include "envs/cartpole.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <map>

#include "cupg/environment.hpp"
#include "cupg/error.hpp"
#include "envs/registry.hpp"
#include "tests/support/golden.hpp"

namespace {

using cupg::CartPole;
using cupg_test::Csv;
template <class S>
using State = CartPole::State<S>;
using Four = std::array<double, 4>;

const char* const kFields[] = {"x", "x_dot", "theta", "theta_dot"};

const Csv& oracle() {
  static const Csv csv(cupg_test::golden_path("cartpole_gymnasium.csv.gz"));
  return csv;
}
Four oracle_state(const std::string& prefix, std::size_t row) {
  Four s;
  for (std::size_t i = 0; i < 4; ++i) s[i] = oracle().number(prefix + kFields[i], row);
  return s;
}
bool oracle_flag(const std::string& column, std::size_t row) { return oracle().text(column, row) == "1"; }

template <class S>
State<S> make_state(const Four& s) {
  return {static_cast<S>(s[0]), static_cast<S>(s[1]), static_cast<S>(s[2]), static_cast<S>(s[3])};
}
template <class S>
Four numbers(State<S> s) {
  return {static_cast<double>(s.x), static_cast<double>(s.x_dot), static_cast<double>(s.theta), static_cast<double>(s.theta_dot)};
}
template <class S>
State<S> stepped(State<S> s, bool right) {
  CartPole::step(s, {right});
  return s;
}

/// How far one float step from a float state may end from the exact step: half an ulp of each result, and for the velocities
/// tau times the rounding of the accelerations. On the longest path to theta_acc lie 16 roundings (sine and cosine count two
/// each, the Newton reciprocal five), to x_acc four more; each is at most 2^-24 of the sum of the terms' magnitudes.
Four float_step_bound(const Four& s, const Four& next) {
  constexpr double kUnit = 0x1p-24, kPole = CartPole::kPoleMass * CartPole::kHalfLength / CartPole::kMass;
  const double sine = std::abs(std::sin(s[2])), cosine = std::cos(s[2]);
  const double temp = CartPole::kForce / CartPole::kMass + kPole * s[3] * s[3] * sine;
  const double theta_acc = (CartPole::kGravity * sine + cosine * temp) / (CartPole::kHalfLength * 4 / 3 - kPole * cosine * cosine);
  const double x_acc = temp + kPole * theta_acc * cosine;
  Four bound;
  for (std::size_t i = 0; i < 4; ++i) {
    const float result = std::abs(static_cast<float>(next[i]));
    bound[i] = 0.5 * static_cast<double>(std::nextafter(result, 1e9f) - result);
  }
  bound[0] += CartPole::kTau * kUnit * std::abs(s[1]);  // tau itself is rounded
  bound[2] += CartPole::kTau * kUnit * std::abs(s[3]);
  bound[1] += CartPole::kTau * kUnit * 20 * x_acc;
  bound[3] += CartPole::kTau * kUnit * 17 * theta_acc;
  return bound;
}

TEST(CartPole, EveryDoubleStepIsGymnasiums) {
  double worst = 0;
  for (std::size_t row = 0; row < oracle().rows(); ++row) {
    State<double> s = make_state<double>(oracle_state("", row));
    const auto [reward, terminated] = CartPole::step(s, {oracle().text("action", row) == "1"});
    EXPECT_EQ(terminated, oracle_flag("terminated", row)) << "row " << row;
    EXPECT_EQ(reward, oracle().number("reward", row));
    const Four want = oracle_state("next_", row), got = numbers(s);
    for (std::size_t i = 0; i < 4; ++i) {
      worst = std::max(worst, std::abs(got[i] - want[i]));
      // velocities stay below 4, where an ulp is 4.4e-16; the two forms of the equations round some ten times each
      EXPECT_FALSE(!(std::abs(got[i] - want[i]) <= 1e-14)) << "row " << row << " " << kFields[i] << ": " << got[i] << " for " << want[i];
    }
  }
  RecordProperty("worst_difference", std::to_string(worst));
}

TEST(CartPole, EveryFloatStepIsExactToItsRounding) {
  double nearest_limit = 1;
  for (std::size_t row = 0; row < oracle().rows(); ++row) {
    const State<float> start = make_state<float>(oracle_state("", row));
    const bool right = oracle().text("action", row) == "1";
    const Four exact = numbers(stepped(make_state<double>(numbers(start)), right)), bound = float_step_bound(numbers(start), exact);
    State<float> s = start;
    const bool terminated = CartPole::step(s, {right}).terminated;
    const Four got = numbers(s);
    for (std::size_t i = 0; i < 4; ++i)
      EXPECT_FALSE(!(std::abs(got[i] - exact[i]) <= bound[i]))
          << "row " << row << " " << kFields[i] << ": " << got[i] - exact[i] << " with " << bound[i];
    EXPECT_EQ(terminated, oracle_flag("terminated", row)) << "row " << row;
    nearest_limit =
        std::min({nearest_limit, std::abs(std::abs(exact[0]) - CartPole::kXLimit), std::abs(std::abs(exact[2]) - CartPole::kThetaLimit)});
  }
  EXPECT_GT(nearest_limit, 1e-6) << "no verdict hangs on a rounding";
}

TEST(CartPole, WholeDoubleEpisodesAreGymnasiums) {
  // balanced and drifting episodes are long, and the pole amplifies rounding: those are compared step by step above
  int episodes = 0;
  State<double> s{};
  for (std::size_t row = 0; row < oracle().rows(); ++row) {
    const std::string& policy = oracle().text("policy", row);
    if (policy != "random" && policy != "left" && policy != "right") continue;
    if (oracle().text("t", row) == "0") s = make_state<double>(oracle_state("", row)), ++episodes;
    const bool terminated = CartPole::step(s, {oracle().text("action", row) == "1"}).terminated;
    EXPECT_EQ(terminated, oracle_flag("terminated", row)) << "row " << row;
    const Four want = oracle_state("next_", row), got = numbers(s);
    for (std::size_t i = 0; i < 4; ++i)
      // 66 steps at most; a difference of 1e-15 grows e-fold in some 15 steps
      EXPECT_FALSE(!(std::abs(got[i] - want[i]) <= 1e-12)) << "row " << row << " " << kFields[i];
  }
  EXPECT_GE(episodes, 30);
}

TEST(CartPole, OneStepFromRestByHand) {
  // At rest: temp = 10/1.1 = 100/11; theta_acc = -(100/11) / (1/2 (4/3 - 0.1/1.1)) = -(100/11)(66/41) = -600/41;
  // x_acc = 100/11 + (0.05/1.1)(600/41) = 400/41. Positions use the old velocities, so they stay.
  State<double> s{0, 0, 0, 0};
  EXPECT_FALSE(CartPole::step(s, {true}).terminated);
  EXPECT_EQ(s.x, 0.0);
  EXPECT_EQ(s.theta, 0.0);
  EXPECT_NEAR(s.x_dot, 0.02 * 400 / 41, 1e-16);
  EXPECT_NEAR(s.theta_dot, -0.02 * 600 / 41, 1e-16);
}

TEST(CartPole, PositionsAdvanceWithTheOldVelocities) {
  for (const bool right : {false, true}) {
    const State<double> s = stepped(State<double>{0.5, 1, 0.0625, -2}, right);
    EXPECT_DOUBLE_EQ(s.x, 0.52);
    EXPECT_DOUBLE_EQ(s.theta, 0.0225);
  }
}

TEST(CartPole, TheMirroredStateWithTheOtherPushMirrorsToTheBit) {
  for (std::size_t row = 0; row < oracle().rows(); row += 7) {
    const State<float> s = make_state<float>(oracle_state("", row));
    const State<float> a = stepped(s, true), b = stepped(State<float>{-s.x, -s.x_dot, -s.theta, -s.theta_dot}, false);
    EXPECT_EQ(a.x, -b.x);
    EXPECT_EQ(a.x_dot, -b.x_dot);
    EXPECT_EQ(a.theta, -b.theta);
    EXPECT_EQ(a.theta_dot, -b.theta_dot);
  }
}

template <class S>
void expect_strict_limits() {
  constexpr S kInfinity = std::numeric_limits<S>::infinity();
  const S x = S(CartPole::kXLimit), theta = S(CartPole::kThetaLimit);
  for (const S sign : {S(1), S(-1)})
    for (const bool right : {false, true}) {
      State<S> at_x{sign * x, 0, 0, 0}, past_x{sign * std::nextafter(x, kInfinity), 0, 0, 0};
      EXPECT_FALSE(CartPole::step(at_x, {right}).terminated) << "|x| = 2.4 is inside";
      EXPECT_TRUE(CartPole::step(past_x, {right}).terminated);
      State<S> at_theta{0, 0, sign * theta, 0}, past_theta{0, 0, sign * std::nextafter(theta, kInfinity), 0};
      EXPECT_FALSE(CartPole::step(at_theta, {right}).terminated) << "|theta| = 12 degrees is inside";
      EXPECT_TRUE(CartPole::step(past_theta, {right}).terminated);
    }
}
TEST(CartPole, LimitsAreStrictInDouble) { expect_strict_limits<double>(); }
TEST(CartPole, LimitsAreStrictInFloat) { expect_strict_limits<float>(); }

TEST(CartPole, ConstantsAreGymnasiums) {
  EXPECT_EQ(CartPole::kThetaLimit, 0.20943951023931953);
  EXPECT_EQ(CartPole::kMinReward, 1.0);
  EXPECT_EQ(CartPole::kMaxReward, 1.0);
  EXPECT_EQ(CartPole::kObservations, 4);
  EXPECT_EQ(CartPole::kActions, 2);
}

TEST(CartPole, ObservationIsTheState) {
  float observation[4];
  CartPole::observe(State<float>{1, 2, 3, 4}, observation);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(observation[i], static_cast<float>(i + 1));
}

TEST(CartPole, ResetMapsUniformNumbersOntoItsRange) {
  const float largest = 1.0f - 0x1p-24f;
  const State<float> low = CartPole::reset<float>({0, 0, 0, 0}), high = CartPole::reset<float>({largest, largest, largest, largest});
  const State<double> mixed = CartPole::reset<double>({0.25, 0.5, 0.75, 0.125});
  EXPECT_EQ(low.x, -0.05f);
  EXPECT_EQ(low.theta_dot, -0.05f);
  EXPECT_LT(high.x, 0.05f);
  EXPECT_NEAR(mixed.x, -0.025, 1e-17);
  EXPECT_NEAR(mixed.x_dot, 0.0, 1e-17);
  EXPECT_NEAR(mixed.theta, 0.025, 1e-17);
  EXPECT_NEAR(mixed.theta_dot, -0.0375, 1e-17);
}

TEST(Environments, LimitsAndThresholdsAreGymnasiums) {
  const cupg::EnvironmentInfo &v0 = cupg::find_environment("CartPole-v0"), &v1 = cupg::find_environment("CartPole-v1");
  EXPECT_EQ(v0.max_episode_steps, 200);
  EXPECT_EQ(v0.reward_threshold, 195.0);
  EXPECT_EQ(v0.max_return, 200.0);
  EXPECT_EQ(v1.max_episode_steps, 500);
  EXPECT_EQ(v1.reward_threshold, 475.0);
  EXPECT_EQ(v1.max_return, 500.0);
  const cupg::EnvironmentInfo &car = cupg::find_environment("MountainCar-v0"), &acrobot = cupg::find_environment("Acrobot-v1");
  EXPECT_EQ(car.max_episode_steps, 200);
  EXPECT_EQ(car.reward_threshold, -110.0);
  EXPECT_EQ(car.min_return, -200.0);
  EXPECT_EQ(car.max_return, -1.0) << "a step has been taken";
  EXPECT_EQ(acrobot.max_episode_steps, 500);
  EXPECT_EQ(acrobot.reward_threshold, -100.0);
  EXPECT_EQ(acrobot.min_return, -500.0);
  EXPECT_EQ(acrobot.max_return, 0.0) << "the step that reaches the goal costs nothing";
}

TEST(Environments, ANumberThatNoneHasThrows) {
  const auto nothing = []<class Env>() {};
  for (const int id : {-1, static_cast<int>(cupg::environments().size()), 1 << 30}) {
    EXPECT_THROW(cupg::with_environment(id, nothing), cupg::Error) << id;
    EXPECT_THROW(cupg::with_counting_environment(id, nothing), cupg::Error) << id;
  }
  EXPECT_THROW(cupg::with_counting_environment(cupg::find_environment("Acrobot-v1").id, nothing), cupg::Error);
  EXPECT_NO_THROW(cupg::with_counting_environment(cupg::find_environment("CartPole-v1").id, nothing));
}

TEST(Environments, EachKnowsItsPlace) {
  int id = 0;
  for (const cupg::EnvironmentInfo& e : cupg::environments()) {
    EXPECT_EQ(e.id, id++);
    EXPECT_EQ(&cupg::find_environment(e.name), &e);
  }
  EXPECT_GE(id, 2);
}

}  // namespace

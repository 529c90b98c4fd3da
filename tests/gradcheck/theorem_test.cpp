// The policy gradient theorem: by hand, against differences of the enumerated return, by sampling, and on CartPole.
#include "src/gradcheck/theorem.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "cupg/error.hpp"
#include "envs/cartpole.hpp"
#include "kernels/math/philox.hpp"
#include "kernels/math/softmax.hpp"
#include "src/engine/isa.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/scale.hpp"

namespace {

using namespace cupg_test;
using cupg::Baseline;
using cupg::CartPoleCheck;
using cupg::CartPoleTheoremSettings;
using cupg::GradientEstimate;
using cupg::TabularMdp;
using Vector = std::vector<double>;

/// One state, one step, two arms with fixed rewards.
TabularMdp bandit(double first, double second) {
  TabularMdp m;
  m.states = 1;
  m.actions = 2;
  m.horizon = 1;
  m.start = {1};
  m.next = {1, 1};
  m.high = m.low = {first, second};
  m.high_probability = {0.5, 0.5};
  return m;
}

void expect_near(const Vector& got, const Vector& want, double tolerance, const char* what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_FALSE(!(std::abs(got[i] - want[i]) <= tolerance)) << what << ", component " << i << ": " << got[i] << ", not " << want[i];
}

TEST(Theorem, ABanditByHand) {
  // pi = (1/4, 3/4), rewards (1, -1): J = -1/2, dJ/dtheta_a = pi_a (r_a - J) = (3/8, -3/8)
  const TabularMdp m = bandit(1, -1);
  const Vector logits = {0, std::log(3.0)};
  const cupg::Enumeration e = cupg::enumerate(m, logits);
  EXPECT_EQ(e.trajectories, 4);  // two arms, two (equal) rewards each
  expect_near({e.probability, e.expected_return}, {1, -0.5}, 1e-15, "enumerated");
  expect_near(e.gradient, {0.375, -0.375}, 1e-15, "enumerated");
  expect_near(cupg::theorem_gradient(m, logits), {0.375, -0.375}, 1e-15, "theorem");
  expect_near(cupg::state_values(m, logits), {-0.5, 0}, 1e-15, "values");
}

TEST(Theorem, AChainOfTwoStepsByHand) {
  // s0: action 0 goes to s1, 1 to s2, both for nothing; in s1 every action gives 4, in s2 action 0 gives 0 and 1 gives 8. Fair coins:
  // V(s1) = V(s2) = 4, so the first choice has no gradient; the second is made in s2 half of the time, d/dtheta(s2, 1) =
  // 1/2 pi (8 - 4) = 1
  TabularMdp m;
  m.states = 3;
  m.actions = 2;
  m.horizon = 2;
  m.start = {1, 0, 0};
  m.next = {0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0};
  m.high = m.low = {0, 0, 4, 4, 0, 8};
  m.high_probability = Vector(6, 1.0);
  const Vector logits(6, 0.0), want = {0, 0, 0, 0, -1, 1};
  const cupg::Enumeration e = cupg::enumerate(m, logits);
  EXPECT_DOUBLE_EQ(e.expected_return, 4);
  expect_near(e.gradient, want, 1e-14, "enumerated");
  expect_near(cupg::theorem_gradient(m, logits), want, 1e-14, "theorem");
  expect_near(cupg::state_values(m, logits), {4, 4, 4, 0, 4, 4, 0, 0, 0}, 1e-14, "values");
}

TEST(Theorem, ABaselineCanTakeAllTheVarianceOfABandit) {
  // a fair coin between 1 and 3. First component without a baseline: 1/2 * 1 or -1/2 * 3, mean -1/2, variance 1. With V = 2:
  // 1/2 * (1 - 2) or -1/2 * (3 - 2), always -1/2
  const TabularMdp m = bandit(1, 3);
  const Vector logits = {0, 0};
  const std::int64_t n = scaled(100000);
  const GradientEstimate plain = cupg::sample_gradient(m, logits, Baseline::none, n, 1);
  const GradientEstimate value = cupg::sample_gradient(m, logits, Baseline::state_value, n, 1);
  expect_near(plain.mean, {-0.5, 0.5}, 3 / std::sqrt(static_cast<double>(n)), "without a baseline");
  expect_near(plain.variance, {1, 1}, 0.01, "without a baseline");  // p (1 - p) of a coin near 1/2: second order in its error
  expect_near(plain.standard_error, Vector(2, 1 / std::sqrt(static_cast<double>(n))), 0.01 / std::sqrt(static_cast<double>(n)), "");
  expect_near(value.mean, {-0.5, 0.5}, 1e-15, "with a baseline");
  expect_near(value.variance, {0, 0}, 1e-15, "with a baseline");
  EXPECT_EQ(value.episodes, n);
}

TEST(Theorem, VarianceOfTwoEpisodesByHand) {
  // the bandit above, each arm once: 1/2 and -3/2, mean -1/2, squared deviations 1 + 1 over n - 1 = 1
  for (std::uint64_t seed = 1; seed < 50; ++seed) {
    const GradientEstimate e = cupg::sample_gradient(bandit(1, 3), Vector{0, 0}, Baseline::none, 2, seed);
    if (e.mean[0] != -0.5) continue;
    EXPECT_EQ(e.variance, (Vector{2, 2}));
    EXPECT_EQ(e.standard_error, (Vector{1, 1}));
    EXPECT_EQ(e.total_variance, 4);
    return;
  }
  FAIL() << "no seed played each arm once";
}

TEST(Theorem, TheEnumeratedGradientIsTheDerivativeOfTheEnumeratedReturn) {
  const TabularMdp m = cupg::tiny_mdp();
  for (const double size : {0.5, 1.0, 3.0}) {
    Vector logits = cupg::tiny_logits();
    for (double& z : logits) z *= size;
    const cupg::Enumeration e = cupg::enumerate(m, logits);
    EXPECT_EQ(e.trajectories, 3 * 12 * 12 * 12 * 12 * 4);
    EXPECT_NEAR(e.probability, 1, 1e-12);  // 248,832 terms
    EXPECT_NEAR(e.expected_return,
                0.5 * cupg::state_values(m, logits)[0] + 0.3 * cupg::state_values(m, logits)[1] + 0.2 * cupg::state_values(m, logits)[2],
                1e-11);
    constexpr double h = 1e-4;  // error h^2 J''' / 6 ~ 2e-9 and some 1e-12 / h of rounding
    for (std::size_t i = 0; i < logits.size(); ++i) {
      Vector up = logits, down = logits;
      up[i] += h, down[i] -= h;
      const double slope = (cupg::enumerate(m, up).expected_return - cupg::enumerate(m, down).expected_return) / (up[i] - down[i]);
      EXPECT_FALSE(!(std::abs(slope - e.gradient[i]) <= 2e-8)) << i << ": " << slope << ", not " << e.gradient[i];
    }
    expect_near(cupg::theorem_gradient(m, logits), e.gradient, 1e-11, "the theorem's form");
  }
}

TEST(Theorem, SampledEstimatesMeetTheExactGradientAndABaselineLowersTheVariance) {
  for (const std::uint64_t seed : {11u, 12u, 13u}) {
    const cupg::TabularCheck check = cupg::check_tabular_theorem(cupg::tiny_mdp(), cupg::tiny_logits(), scaled(200000), seed);
    ASSERT_EQ(check.sampled.size(), 3u);
    EXPECT_EQ(check.names[3], "state 1, action 1");
    EXPECT_FALSE(!(check.theorem_error <= 1e-11));
    double before = 1e30;
    for (const cupg::SampledGradient& s : check.sampled) {
      EXPECT_FALSE(!(s.largest_z <= 3)) << "seed " << seed << ", baseline " << static_cast<int>(s.baseline) << ": " << s.largest_z;
      EXPECT_LT(s.estimate.total_variance, 0.95 * before);  // 21.2, 15.4, 13.8 at 5e6 episodes
      before = s.estimate.total_variance;
      for (std::size_t i = 0; i < s.z.size(); ++i)
        EXPECT_DOUBLE_EQ(s.z[i], (s.estimate.mean[i] - check.exact.gradient[i]) / s.estimate.standard_error[i]);
    }
    for (std::size_t i = 0; i < check.names.size(); ++i)  // component by component
      EXPECT_LT(check.sampled[2].estimate.variance[i], check.sampled[0].estimate.variance[i]) << check.names[i];
  }
}

TEST(Theorem, StandardErrorsAreThoseOfRepeatedSamples) {
  // z of independent repetitions has mean 0 and mean square 1
  const TabularMdp m = cupg::tiny_mdp();
  const Vector logits = cupg::tiny_logits(), exact = cupg::theorem_gradient(m, logits);
  const int repetitions = 300;
  for (const Baseline baseline : {Baseline::none, Baseline::state_constant, Baseline::state_value}) {
    Vector mean(exact.size()), square(exact.size());
    for (int r = 0; r < repetitions; ++r) {
      const GradientEstimate e = cupg::sample_gradient(m, logits, baseline, 500, 1000 + static_cast<std::uint64_t>(r));
      for (std::size_t i = 0; i < exact.size(); ++i) {
        const double z = (e.mean[i] - exact[i]) / e.standard_error[i];
        mean[i] += z / repetitions;
        square[i] += z * z / repetitions;
      }
    }
    expect_near(mean, Vector(exact.size(), 0.0), 4 / std::sqrt(repetitions), "z");
    expect_near(square, Vector(exact.size(), 1.0), 4 * std::sqrt(2.0 / repetitions), "z^2");
  }
}

// ---- CartPole -------------------------------------------------------------------------------------------------------------

TEST(CartPoleTheorem, TheScoreFunctionMeetsTheDifferenceOfTheSampledReturn) {
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    CartPoleTheoremSettings s;
    s.seed = seed;
    s.episodes = scaled(100000);
    const CartPoleCheck check = cupg::check_cartpole_theorem(s);
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_FALSE(!(std::abs(check.z[i]) <= 3))
          << "seed " << seed << ", " << check.names[i] << ": " << check.score.mean[i] << " +- " << check.score.standard_error[i] << " and "
          << check.difference.mean[i] << " +- " << check.difference.standard_error[i];
      EXPECT_GT(std::abs(check.score.mean[i]), 20 * check.score.standard_error[i]);  // agreement on 0 would show nothing
      EXPECT_GT(check.changed[i], 0.1);
      EXPECT_DOUBLE_EQ(check.z[i], (check.score.mean[i] - check.difference.mean[i]) /
                                       std::hypot(check.score.standard_error[i], check.difference.standard_error[i]));
      EXPECT_LE(std::abs(check.z[i]), check.largest_z);
    }
    EXPECT_FALSE(!(std::abs(check.mean_return - 42.73) <= 0.1 + 100 / std::sqrt(static_cast<double>(s.episodes))));
  }
}

/// sum_t score_t (G_t - b_t) of one episode, returns to go added up backwards; without a baseline, the length alone.
double plain_episode(const std::vector<double>& weights, std::uint32_t episode, std::uint64_t seed, const Vector* baseline,
                     double (&gradient)[4]) {
  const auto draw = [&](std::uint32_t step, std::uint32_t block) { return cupg::philox4x32(episode, step, 9, block, seed); };
  float u[4];
  for (int i = 0; i < 4; ++i) u[i] = cupg::uniform01(draw(0, 1).word[i]);
  auto state = cupg::CartPole::reset(u);
  std::vector<Vector> scores;
  for (std::uint32_t t = 0; t < 200; ++t) {
    float x[4], d = 0;
    cupg::CartPole::observe(state, x);
    for (std::size_t i = 0; i < 4; ++i)
      d = i == 0 ? static_cast<float>(weights[0]) * x[0] : std::fma(static_cast<float>(weights[i]), x[i], d);
    const bool right = cupg::TwoActions<float>::sample(d, cupg::uniform01(draw(t / 4, 2).word[t % 4]));
    const double p = 1 / (1 + std::exp(-static_cast<double>(d)));
    Vector& score = scores.emplace_back();
    for (const float value : x) score.push_back(((right ? 1 : 0) - p) * static_cast<double>(value));
    if (cupg::CartPole::step(state, {right}).terminated) break;
  }
  double to_go = 0;
  for (std::size_t t = scores.size(); t-- > 0;) {
    to_go += 1;
    if (baseline != nullptr)
      for (int i = 0; i < 4; ++i) gradient[i] += scores[t][static_cast<std::size_t>(i)] * (to_go - (*baseline)[t]);
  }
  return to_go;
}

TEST(CartPoleTheorem, EqualsThePlainSumOverStepsInEveryLaneType) {
  CartPoleTheoremSettings s;
  s.seed = 77;
  s.episodes = 333;
  double unused[4];
  // the baseline: episodes from 2 n on
  Vector sum(200), count(200);
  for (std::uint32_t e = 666; e < 666 + 34; ++e) {
    const int length = static_cast<int>(plain_episode(s.weights, e, s.seed, nullptr, unused));
    for (int t = 0; t < length; ++t) sum[static_cast<std::size_t>(t)] += length - t, ++count[static_cast<std::size_t>(t)];
  }
  Vector baseline(200);
  for (std::size_t t = 0; t < 200; ++t) baseline[t] = count[t] > 0 ? sum[t] / count[t] : 0;
  Vector score(4), difference(4);
  double mean_return = 0;
  for (std::uint32_t e = 0; e < 333; ++e) {
    double gradient[4] = {};
    mean_return += plain_episode(s.weights, e, s.seed, &baseline, gradient) / 333;
    for (std::size_t i = 0; i < 4; ++i) {
      score[i] += gradient[i] / 333;
      std::vector<double> up = s.weights, down = s.weights;
      up[i] += s.step, down[i] -= s.step;
      difference[i] += (plain_episode(up, 333 + e, s.seed, nullptr, unused) - plain_episode(down, 333 + e, s.seed, nullptr, unused)) /
                       (2 * s.step) / 333;
    }
  }
  CartPoleCheck first;
  for (const cupg::Isa isa : cupg::available_isas()) {
    s.isa = isa;
    const CartPoleCheck check = cupg::check_cartpole_theorem(s);
    EXPECT_NEAR(check.mean_return, mean_return, 1e-9);
    // float sums of at most 200 terms, the largest some 20 times the result
    for (std::size_t i = 0; i < 4; ++i) EXPECT_FALSE(!(std::abs(check.score.mean[i] / score[i] - 1) <= 1e-4)) << check.names[i];
    expect_near(check.difference.mean, difference, 1e-9, "difference");
    if (first.names.empty()) first = check;
    EXPECT_EQ(check.score.mean, first.score.mean);
    EXPECT_EQ(check.score.variance, first.score.variance);
    EXPECT_EQ(check.difference.mean, first.difference.mean);
    EXPECT_EQ(check.z, first.z);
    count_comparison("theorem", cupg::isa_name(cupg::cpu_ops_for(isa)), 3);
  }
}

TEST(CartPoleTheorem, ATinyStepChangesNoEpisode) {
  CartPoleTheoremSettings s;
  s.episodes = 1000;
  s.step = 1e-6;
  const CartPoleCheck tiny = cupg::check_cartpole_theorem(s);
  for (const double share : tiny.changed) EXPECT_LE(share, 0.002);
  s.episodes = scaled(100000);
  s.step = 1.0 / 8;
  const CartPoleCheck eighth = cupg::check_cartpole_theorem(s);
  s.step = 1.0 / 64;
  const CartPoleCheck sixty_fourth = cupg::check_cartpole_theorem(s);
  for (std::size_t i = 0; i < 4; ++i) {  // variance as 1 / h: 8 times, less where an eighth changes half of the episodes already
    EXPECT_LT(sixty_fourth.changed[i], 0.3 * eighth.changed[i]);
    EXPECT_GT(sixty_fourth.difference.variance[i], 4 * eighth.difference.variance[i]);
  }
}

std::string message(auto f) {
  try {
    f();
  } catch (const cupg::Error& e) {
    EXPECT_EQ(e.kind(), cupg::ErrorKind::usage);
    return e.what();
  }
  return "no error";
}

TEST(Theorem, MisuseIsToldByName) {
  const TabularMdp m = cupg::tiny_mdp();
  EXPECT_EQ(message([&] { cupg::check_tabular_theorem(m, cupg::tiny_logits(), 1, 1); }), "episodes: 1; expected 2 to 1e9");
  EXPECT_EQ(message([&] { cupg::enumerate(m, Vector(5)); }), "logits: 5 numbers; expected 6");
  TabularMdp wrong = m;
  wrong.next.pop_back();
  EXPECT_EQ(message([&] { cupg::state_values(wrong, cupg::tiny_logits()); }), "next: 17 numbers; expected 18");
  const auto cartpole = [](auto change) {
    CartPoleTheoremSettings s;
    change(s);
    return message([&] { cupg::check_cartpole_theorem(s); });
  };
  EXPECT_EQ(cartpole([](auto& s) { s.weights.pop_back(); }), "weights: 3 of them; expected 4");
  EXPECT_EQ(cartpole([](auto& s) { s.step = 0; }), "step: 0; expected above 0, at most 1");
  EXPECT_EQ(cartpole([](auto& s) { s.step = std::nan(""); }), "step: nan; expected above 0, at most 1");
  EXPECT_EQ(cartpole([](auto& s) { s.episodes = 0; }), "episodes: 0; expected 2 to 1e9");
}

}  // namespace

// PPO's loss and its hand-written derivatives: by hand on both sides of every clip, against PyTorch, against central differences, at
// the extremes.
#include "objectives/ppo.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "objectives/a2c.hpp"
#include "tests/support/objective_checks.hpp"
#include "tests/support/scale.hpp"

namespace {

using namespace cupg_test;
using cupg::Ppo;
using Coefficients = cupg::Coefficients<double>;

/// Equal logits, so that p = 1/2, and an old probability of 1 / (2 r).
struct ByHand {
  double z[2] = {0.3, 0.3};
  double loss, grad[2], grad_value;
  ByHand(double ratio, double advantage, const Coefficients& c, double value = 0, double target = 0, double old_value = 0) {
    const auto s = loss_sample(z, value, 1, advantage, target, std::log(0.5) - std::log(ratio), old_value);
    loss = Ppo::loss(s, c);
    Ppo::gradient(s, c, grad, grad_value);
  }
};

TEST(Ppo, ARatioOfOneIsTheActorCritic) {
  // r = 1, A = 2, V = 3, R = 1, c_e = 0.1, c_v = 0.5, e = 0.2: J = -2 - 0.1 ln 2 + 0.5 * 4 / 2; dJ/dz = -2 * 1 * ([a = j] - 1/2)
  const Coefficients c{0.1, 0.5, 0.2, 0};
  const ByHand x(1, 2, c, 3, 1);
  EXPECT_NEAR(x.loss, -2 - 0.1 * std::log(2.0) + 1, 1e-15);
  EXPECT_NEAR(x.grad[0], 1, 1e-15);
  EXPECT_NEAR(x.grad[1], -1, 1e-15);
  EXPECT_EQ(x.grad_value, 1);
  // ... for any logits, to the bit where the old log-probability is today's
  for (std::uint32_t i = 0; i < 200; ++i) {
    auto s = random_sample<3>(i, 5);
    double log_p[3], p[3], ppo[3], a2c[3], unused;
    cupg::softmax(s.logits, log_p, p);
    s.old_log_probability = log_p[s.action];
    Ppo::gradient(s, c, ppo, unused);
    cupg::A2c::gradient(s, c, a2c, unused);
    for (int j = 0; j < 3; ++j) EXPECT_EQ(ppo[j], a2c[j]);
  }
}

TEST(Ppo, AGoodActionThatBecameLikelierIsLeftAlone) {
  // A = 2, r = 3/2 > 1.2: min(3, 2.4) = 2.4, and nothing depends on z
  const ByHand x(1.5, 2, {0, 0, 0.2, 0});
  EXPECT_NEAR(x.loss, -2.4, 1e-15);
  EXPECT_EQ(x.grad[0], 0);
  EXPECT_EQ(x.grad[1], 0);
}
TEST(Ppo, ABadActionThatBecameRarerIsLeftAlone) {
  // A = -2, r = 1/2 < 0.8: min(-1, -1.6) = -1.6
  const ByHand x(0.5, -2, {0, 0, 0.2, 0});
  EXPECT_NEAR(x.loss, 1.6, 1e-15);
  EXPECT_EQ(x.grad[0], 0);
  EXPECT_EQ(x.grad[1], 0);
}
TEST(Ppo, AMoveInTheWrongDirectionIsNotClipped) {
  // A = 2, r = 1/2: min(1, 1.6) = 1; dJ/dz_1 = -2 * 1/2 * (1 - 1/2).  A = -2, r = 3/2: min(-3, -2.4) = -3; dJ/dz_1 = 2 * 3/2 * 1/2
  const ByHand rarer(0.5, 2, {0, 0, 0.2, 0}), likelier(1.5, -2, {0, 0, 0.2, 0});
  EXPECT_NEAR(rarer.loss, -1, 1e-15);
  EXPECT_NEAR(rarer.grad[0], 0.5, 1e-15);
  EXPECT_NEAR(rarer.grad[1], -0.5, 1e-15);
  EXPECT_NEAR(likelier.loss, 3, 1e-15);
  EXPECT_NEAR(likelier.grad[0], -1.5, 1e-15);
  EXPECT_NEAR(likelier.grad[1], 1.5, 1e-15);
}

TEST(Ppo, AtTheClipItStillLearns) {
  // e = r - 1 and e = 1 - r are exact for r within a factor 2 of 1, and 1 +- e is r again: neither r > 1 + e nor r < 1 - e
  for (const double ratio : {1.25, 0.75}) {
    const double z[2] = {0.3, 0.3}, old = std::log(0.5) - std::log(ratio);
    double log_p[2], p[2];
    cupg::softmax(z, log_p, p);
    const double r = cupg::exp(log_p[1] - old), advantage = ratio > 1 ? 2 : -2;
    ASSERT_EQ(1 + (r - 1), r);
    double grad[2], unused;
    Ppo::gradient(loss_sample(z, 0.0, 1, advantage, 0.0, old), {0, 0, std::abs(r - 1), 0}, grad, unused);
    EXPECT_NEAR(grad[1], -advantage * ratio / 2, 1e-15);
  }
}

TEST(Ppo, ValueClipByHand) {
  // V_old = 1, e_v = 1/2, c_v = 2: dJ/dV = 2 dL/dV
  const Coefficients c{0, 2, 0.2, 0.5};
  const auto value = [&](double v, double target) { return ByHand(1, 0, c, v, target, 1); };
  // inside the clip: V_c = V
  EXPECT_NEAR(value(1.25, 3).loss, 1.75 * 1.75, 1e-15);
  EXPECT_EQ(value(1.25, 3).grad_value, 2 * -1.75);
  // moved by 1 toward R = 3: V_c = 1.5, and 1.5^2 > 1^2: the clipped one, which does not depend on V
  EXPECT_NEAR(value(2, 3).loss, 1.5 * 1.5, 1e-15);
  EXPECT_EQ(value(2, 3).grad_value, 0);
  // moved by 1 away from R = 0: V_c = 1.5, and 2^2 > 1.5^2
  EXPECT_NEAR(value(2, 0).loss, 4, 1e-15);
  EXPECT_EQ(value(2, 0).grad_value, 4);
  // downwards: V = -1, V_c = 1/2; toward R = -3 it is clipped (3.5^2 > 2^2), away from R = 2 it is not
  EXPECT_NEAR(value(-1, -3).loss, 3.5 * 3.5, 1e-15);
  EXPECT_EQ(value(-1, -3).grad_value, 0);
  EXPECT_NEAR(value(-1, 2).loss, 9, 1e-15);
  EXPECT_EQ(value(-1, 2).grad_value, -6);
  // exactly at the clip: V_c = V, the errors are equal, and the first counts
  EXPECT_EQ(value(1.5, 3).grad_value, 2 * -1.5);
  // equal errors on both sides of R: V = 2, V_c = 1.5, R = 1.75
  EXPECT_EQ(value(2, 1.75).grad_value, 2 * 0.25);
  // without a clip
  EXPECT_EQ(ByHand(1, 0, {0, 2, 0.2, 0}, 2, 3, 1).grad_value, -2);
  EXPECT_NEAR(ByHand(1, 0, {0, 2, 0.2, 0}, 2, 3, 1).loss, 1, 1e-15);
}

TEST(Ppo, TheEntropyBonusIsTheActorCriticsAndNotClipped) {
  // p = (1/2, 1/4, 1/4), H = 1.5 ln 2, c_e = 1, blocked by the clip: dJ/dz = p (log p + H) = ln 2 (1/4, -1/8, -1/8)
  const double z[3] = {1 + std::log(2.0), 1, 1}, old = std::log(0.25) - std::log(2.0);
  const Coefficients c{1, 0, 0.2, 0};
  double grad[3], unused;
  const auto s = loss_sample(z, 0.0, 1, 4.0, 0.0, old);
  Ppo::gradient(s, c, grad, unused);
  EXPECT_NEAR(grad[0], std::log(2.0) / 4, 1e-15);
  EXPECT_NEAR(grad[1], -std::log(2.0) / 8, 1e-15);
  EXPECT_NEAR(grad[2], -std::log(2.0) / 8, 1e-15);
  EXPECT_NEAR(Ppo::loss(s, c), -4.8 - 1.5 * std::log(2.0), 1e-15);
}

/// Whether a branch of the loss changes close by.
template <int A>
bool near_kink(const cupg::LossSample<A, double>& s, const Coefficients& c) {
  double log_p[A], p[A];
  cupg::softmax(s.logits, log_p, p);
  const double r = std::exp(log_p[s.action] - s.old_log_probability), moved = s.value - s.old_value;
  const double clipped = s.old_value + std::clamp(moved, -c.value_clip, c.value_clip) - s.target, error = s.value - s.target;
  constexpr double kNear = 1e-3;
  const bool at_value_clip =
      c.value_clip > 0 && (std::abs(std::abs(moved) - c.value_clip) < kNear ||
                           (std::abs(moved) > c.value_clip && std::abs(std::abs(error) - std::abs(clipped)) < kNear));
  return std::abs(r - 1 - c.clip) < kNear || std::abs(r - 1 + c.clip) < kNear || at_value_clip;
}

TEST(Ppo, DerivativesAreTheCentralDifferencesOfTheLoss) {
  const int count = scaled(2000, 200);
  for (const double value_clip : {0.0, 0.3}) {
    const Coefficients c{0.25, 0.5, 0.2, value_clip};
    const auto near = [&](const auto& s) { return near_kink(s, c); };
    expect_central_differences<Ppo, 2>(count, 21, c, near);
    expect_central_differences<Ppo, 3>(count, 22, c, near);
    expect_central_differences<Ppo, 5>(count, 23, c, near);
  }
}

TEST(Ppo, HugeLogitsStayFinite) {
  expect_finite_at_extremes<Ppo>(cupg::Coefficients<float>{0.1f, 0.5f, 0.2f, 0.3f});
  expect_finite_at_extremes<Ppo>(cupg::Coefficients<double>{0.1, 0.5, 0.2, 0});
}

TEST(Ppo, NaNStaysVisible) {
  expect_visible_nan<Ppo>({0.01f, 0.5f, 0.2f, 0}, true);
  expect_visible_nan<Ppo>({0.01f, 0.5f, 0.2f, 0.3f}, true);
}

TEST(Ppo, IsPyTorchsInDouble) {
  const Coefficients c{0.01, 1, 0.2, 0}, bare{0, 1, 0.2, 0};
  int blocked = 0;
  expect_pytorchs<Ppo>("ppo", c, [&](const GoldenCase& g, std::size_t b, const double(&z)[2], double value) {
    const auto s = loss_sample(z, value, g.action[b], g.advantage[b], g.target[b], g.old_log_p[b], 0.0);
    double only[2], unused;  // without the entropy bonus
    Ppo::gradient(s, bare, only, unused);
    blocked += only[0] == 0;
    return s;
  });
  EXPECT_GT(blocked, 5) << "the golden batches should meet the clip";
}

}  // namespace

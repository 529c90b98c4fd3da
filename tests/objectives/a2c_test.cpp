// A2C's loss and its hand-written derivatives: by hand, against PyTorch, against central differences, at the extremes.
#include "objectives/a2c.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "tests/support/golden_case.hpp"
#include "tests/support/loss.hpp"
#include "tests/support/shapes.hpp"

namespace {

using namespace cupg_test;
using cupg::A2c;
template <class Real>
using Coefficients = cupg::Coefficients<Real>;

TEST(A2c, LossAndDerivativesByHand) {
  // Equal logits: p = 1/2, H = ln 2. A = 2, V = 3, R = 1, c_e = 0.1, c_v = 0.5:
  // J = 2 ln 2 - 0.1 ln 2 + 0.5 * 4 / 2; dJ/dz_a = 2 (1/2 - 1) = -1; the entropy term vanishes; dJ/dV = 0.5 * 2.
  const double z[2] = {0.3, 0.3};
  const Coefficients<double> c{0.1, 0.5};
  double grad[2];
  EXPECT_NEAR((cupg_test::loss<A2c>(z, 3.0, 1, 2.0, 1.0, c)), 1.9 * std::log(2.0) + 1, 1e-15);
  cupg_test::grad_logits<A2c>(z, 1, 2.0, c, grad);
  EXPECT_NEAR(grad[0], 1, 1e-15);
  EXPECT_NEAR(grad[1], -1, 1e-15);
  EXPECT_EQ(A2c::grad_two_actions(0.0, true, 2.0, c), -1.0);
  EXPECT_EQ(A2c::grad_two_actions(0.0, false, 2.0, c), 1.0);
  EXPECT_EQ(A2c::grad_value(3.0, 1.0, c), 1.0);
}

TEST(A2c, ThreeActionsByHand) {
  // p = (1/2, 1/4, 1/4): log p = -ln 2, -2 ln 2, -2 ln 2, H = 1.5 ln 2. A = 4, action 1, c_e = 1:
  // dJ/dz = 4 (1/2, 1/4 - 1, 1/4) + p (log p + H) = (2, -3, 1) + ln 2 (1/4, -1/8, -1/8)
  const double z[3] = {1 + std::log(2.0), 1, 1};
  double grad[3];
  cupg_test::grad_logits<A2c>(z, 1, 4.0, Coefficients<double>{1, 0}, grad);
  EXPECT_NEAR(grad[0], 2 + std::log(2.0) / 4, 1e-15);
  EXPECT_NEAR(grad[1], -3 - std::log(2.0) / 8, 1e-15);
  EXPECT_NEAR(grad[2], 1 - std::log(2.0) / 8, 1e-15);
}

/// Mean loss over a golden batch and the gradients of the heads' biases, which are the means of dJ/dz and dJ/dV.
template <class Real>
struct GoldenMeans {
  double loss = 0, grad_z0 = 0, grad_z1 = 0, grad_value = 0, size = 0;  // size: mean of the magnitudes that were summed
  GoldenMeans(const GoldenCase& c, bool reinforce) {
    const Coefficients<Real> coefficients{Real(reinforce ? 0 : 0.01), Real(reinforce ? 0 : 1)};
    const double n = static_cast<double>(c.batch);
    for (std::size_t b = 0; b < c.batch; ++b) {
      const Real z[2] = {static_cast<Real>(c.logits[2 * b]), static_cast<Real>(c.logits[2 * b + 1])}, value = static_cast<Real>(c.value[b]);
      const Real target = static_cast<Real>(c.target[b]), advantage = reinforce ? target : static_cast<Real>(c.advantage[b]);
      Real grad[2];
      cupg_test::grad_logits<A2c>(z, c.action[b], advantage, coefficients, grad);
      const Real grad_d = A2c::grad_two_actions(z[1] - z[0], c.action[b] == 1, advantage, coefficients);
      EXPECT_FALSE(!(std::abs(grad_d - grad[1]) <= (std::abs(grad_d) + 1) * 16 * std::numeric_limits<Real>::epsilon()));
      loss += static_cast<double>(cupg_test::loss<A2c>(z, value, c.action[b], advantage, target, coefficients)) / n;
      grad_z0 += static_cast<double>(grad[0]) / n;
      grad_z1 += static_cast<double>(grad[1]) / n;
      grad_value += static_cast<double>(A2c::grad_value(value, target, coefficients)) / n;
      size += (std::abs(static_cast<double>(advantage)) + std::abs(static_cast<double>(value - target))) / n;
    }
  }
};

template <class Real>
void expect_golden(double tolerance) {
  for (const GoldenCase& c : golden_cases())
    for (const char* objective : {"a2c", "reinforce"}) {
      const bool reinforce = std::string(objective) == "reinforce";
      const GoldenMeans<Real> got(c, reinforce);
      const auto& want = c.losses.at(objective);
      const auto bp = want.at("grads").at("bp").at("data"), bv = want.at("grads").at("bv").at("data");
      const auto near = [&](double a, const nlohmann::json& b, double size, const char* what) {
        EXPECT_FALSE(!(std::abs(a - b.get<double>()) <= tolerance * size))
            << c.name << " " << objective << " " << what << ": " << a << " for " << b;
      };
      near(got.loss, want.at("loss"), std::abs(want.at("loss").get<double>()) + got.size, "loss");
      near(got.grad_z0, bp[0], got.size, "d/dz0");
      near(got.grad_z1, bp[1], got.size, "d/dz1");
      near(got.grad_value, bv[0], got.size, "d/dV");
    }
}
TEST(A2c, IsPyTorchsInDouble) { expect_golden<double>(1e-12); }
// logits, advantages and targets are rounded to float, and some ten operations of at most a unit (2^-24) follow: 16 units of the magnitudes
TEST(A2c, IsPyTorchsInFloatToItsRounding) { expect_golden<float>(0x1p-20); }

TEST(A2c, TwoActionsAreTheGeneralForm) {
  const std::vector<double> random = to_double(random_floats(3000, 1.0f, 17));
  for (std::size_t i = 0; i < 1000; ++i) {
    const double z[2] = {8.0 * random[3 * i], 8.0 * random[3 * i + 1]}, advantage = 20.0 * random[3 * i + 2];
    for (const int action : {0, 1}) {
      const Coefficients<double> c{0.3, 0.5};
      double grad[2];
      cupg_test::grad_logits<A2c>(z, action, advantage, c, grad);
      const double grad_d = A2c::grad_two_actions(z[1] - z[0], action == 1, advantage, c);
      EXPECT_FALSE(!(std::abs(grad_d - grad[1]) <= 1e-13)) << z[1] - z[0];  // magnitudes up to 20, some ten roundings of 1e-16
      EXPECT_FALSE(!(std::abs(grad_d + grad[0]) <= 1e-13)) << z[1] - z[0];
    }
  }
}

TEST(A2c, DerivativesSumToZeroOverTheLogits) {
  const std::vector<double> random = to_double(random_floats(6000, 1.0f, 18));
  for (std::size_t i = 0; i < 1000; ++i) {
    double z[5], grad[5], sum = 0;
    for (std::size_t j = 0; j < 5; ++j) z[j] = 6.0 * random[6 * i + j];
    cupg_test::grad_logits<A2c>(z, static_cast<int>(i % 5), 10.0 * random[6 * i + 5], Coefficients<double>{0.2, 0.5}, grad);
    for (const double g : grad) sum += g;
    EXPECT_FALSE(!(std::abs(sum) <= 1e-13));  // five numbers up to 10
  }
}

TEST(A2c, DerivativesAreTheCentralDifferencesOfTheLoss) {
  const std::vector<double> random = to_double(random_floats(6000, 1.0f, 19));
  const Coefficients<double> c{0.25, 0.5};
  const double h = 1e-5;
  for (std::size_t i = 0; i < 600; ++i) {
    double z[3], grad[3];
    for (std::size_t j = 0; j < 3; ++j) z[j] = 5.0 * random[6 * i + j];  // far from the clamp at 30
    const double value = 3.0 * random[6 * i + 3], target = 3.0 * random[6 * i + 4], advantage = 4.0 * random[6 * i + 5];
    const int action = static_cast<int>(i % 3);
    cupg_test::grad_logits<A2c>(z, action, advantage, c, grad);
    // error: h^2 J'''/6 ~ 1e-10 and 1e-16 |J| / h ~ 3e-10
    for (std::size_t j = 0; j < 3; ++j) {
      double up[3] = {z[0], z[1], z[2]}, down[3] = {z[0], z[1], z[2]};
      up[j] += h;
      down[j] -= h;
      const double difference = (cupg_test::loss<A2c>(up, value, action, advantage, target, c) -
                                 cupg_test::loss<A2c>(down, value, action, advantage, target, c)) /
                                (up[j] - down[j]);
      EXPECT_FALSE(!(std::abs(difference - grad[j]) <= 1e-8)) << "logit " << j;
    }
    const double difference = (cupg_test::loss<A2c>(z, value + h, action, advantage, target, c) -
                               cupg_test::loss<A2c>(z, value - h, action, advantage, target, c)) /
                              (2 * h);
    EXPECT_FALSE(!(std::abs(difference - A2c::grad_value(value, target, c)) <= 1e-8));
  }
}

template <class Real>
void expect_finite_at_extremes() {
  for (const Real big : {Real(31), Real(1e4), Real(1e30)})
    for (const Real sign : {Real(1), Real(-1)})
      for (const int action : {0, 1}) {
        const Coefficients<Real> c{Real(0.1), Real(0.5)};
        const Real z[2] = {Real(0), sign * big}, three[3] = {-sign * big, Real(0), sign * big};
        Real grad[2], grad3[3];
        cupg_test::grad_logits<A2c>(z, action, Real(-3), c, grad);
        cupg_test::grad_logits<A2c>(three, action, Real(-3), c, grad3);
        EXPECT_TRUE(std::isfinite(cupg_test::loss<A2c>(z, Real(1), action, Real(-3), Real(2), c)));
        EXPECT_TRUE(std::isfinite(cupg_test::loss<A2c>(three, Real(1), action, Real(-3), Real(2), c)));
        for (const Real g : grad) EXPECT_TRUE(std::isfinite(g));
        for (const Real g : grad3) EXPECT_TRUE(std::isfinite(g));
        EXPECT_TRUE(std::isfinite(A2c::grad_two_actions(z[1] - z[0], action == 1, Real(-3), c)));
      }
}
TEST(A2c, HugeLogitsStayFiniteInFloat) { expect_finite_at_extremes<float>(); }
TEST(A2c, HugeLogitsStayFiniteInDouble) { expect_finite_at_extremes<double>(); }

TEST(A2c, ASaturatedPolicyStillLearnsFromTheActionThatItAvoids) {
  const Coefficients<float> c{0.01f, 0.5f};
  // p1 = 1: the sure action teaches nothing, the avoided one (bad by A = -2) pushes on with its whole advantage
  EXPECT_NEAR(static_cast<double>(A2c::grad_two_actions(200.0f, true, -2.0f, c)), 0, 1e-6);
  EXPECT_NEAR(static_cast<double>(A2c::grad_two_actions(200.0f, false, -2.0f, c)), -2, 1e-6);
  EXPECT_NEAR(static_cast<double>(A2c::grad_two_actions(-200.0f, true, 2.0f, c)), -2, 1e-6);
  EXPECT_NEAR(static_cast<double>(A2c::grad_two_actions(-200.0f, false, 2.0f, c)), 0, 1e-6);
}

TEST(A2c, NaNStaysVisible) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Coefficients<float> c{0.01f, 0.5f};
  EXPECT_TRUE(std::isnan(A2c::grad_two_actions(nan, true, 1.0f, c)));
  EXPECT_TRUE(std::isnan(A2c::grad_two_actions(0.0f, true, nan, c)));
  EXPECT_TRUE(std::isnan(A2c::grad_value(nan, 1.0f, c)));
  const float z[2] = {0, nan};
  float grad[2];
  cupg_test::grad_logits<A2c>(z, 0, 1.0f, c, grad);
  EXPECT_TRUE(std::isnan(grad[0]) && std::isnan(grad[1]));
}

TEST(A2c, EntropyPullsTowardsTheUniformPolicy) {
  for (const double d : {0.5, 2.0, 10.0}) {
    EXPECT_GT(A2c::grad_two_actions(d, true, 0.0, Coefficients<double>{1, 0}), 0) << "descent lowers the larger logit";
    EXPECT_LT(A2c::grad_two_actions(-d, true, 0.0, Coefficients<double>{1, 0}), 0);
  }
  const double z[4] = {2, 2, 2, 2};
  double log_p[4], p[4];
  cupg::softmax(z, log_p, p);
  EXPECT_NEAR(cupg::entropy(log_p, p), std::log(4.0), 1e-15);
}

}  // namespace

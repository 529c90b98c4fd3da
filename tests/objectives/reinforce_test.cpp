// REINFORCE and REINFORCE with a baseline: by hand, against PyTorch, against central differences, at the extremes.
#include "objectives/reinforce.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "objectives/reinforce_baseline.hpp"
#include "tests/support/objective_checks.hpp"
#include "tests/support/scale.hpp"

namespace {

using namespace cupg_test;
using cupg::Reinforce;
using cupg::ReinforceBaseline;
using Coefficients = cupg::Coefficients<double>;

TEST(Reinforce, ByHand) {
  // p = (1/2, 1/4, 1/4), a = 1, G = 4: J = -4 ln 1/4 = 8 ln 2, dJ/dz = 4 (1/2, 1/4 - 1, 1/4); the value, an entropy or any other
  // coefficient has no part in it
  const double z[3] = {1 + std::log(2.0), 1, 1};
  double grad[3], grad_value = 17;
  for (const Coefficients& c : {Coefficients{}, Coefficients{1, 1, 0.2, 0.2}}) {
    const auto s = loss_sample(z, 5.0, 1, 4.0, 4.0, -0.3, 2.0);
    EXPECT_NEAR(Reinforce::loss(s, c), 8 * std::log(2.0), 1e-14);
    Reinforce::gradient(s, c, grad, grad_value);
    EXPECT_NEAR(grad[0], 2, 1e-15);
    EXPECT_NEAR(grad[1], -3, 1e-15);
    EXPECT_NEAR(grad[2], 1, 1e-15);
    EXPECT_EQ(grad_value, 0);
  }
}

TEST(ReinforceBaseline, ByHand) {
  // the same policy term, and c_v = 3 times (5 - 1)^2 / 2
  const double z[3] = {1 + std::log(2.0), 1, 1};
  double grad[3], grad_value = 17;
  const auto s = loss_sample(z, 5.0, 1, 4.0, 1.0, -0.3, 2.0);
  EXPECT_NEAR(ReinforceBaseline::loss(s, Coefficients{1, 3, 0, 0}), 8 * std::log(2.0) + 24, 1e-14);
  ReinforceBaseline::gradient(s, Coefficients{1, 3, 0, 0}, grad, grad_value);
  EXPECT_NEAR(grad[0], 2, 1e-15);
  EXPECT_NEAR(grad[1], -3, 1e-15);
  EXPECT_NEAR(grad[2], 1, 1e-15);
  EXPECT_EQ(grad_value, 12);
}

template <class Objective>
void expect_differences(std::uint64_t seed) {
  const int count = scaled(1000, 100);
  const Coefficients c{0.3, 0.5, 0.2, 0.1};
  expect_central_differences<Objective, 2>(count, seed, c);
  expect_central_differences<Objective, 3>(count, seed + 1, c);
  expect_central_differences<Objective, 5>(count, seed + 2, c);
}
TEST(Reinforce, DerivativesAreTheCentralDifferencesOfTheLoss) { expect_differences<Reinforce>(31); }
TEST(ReinforceBaseline, DerivativesAreTheCentralDifferencesOfTheLoss) { expect_differences<ReinforceBaseline>(41); }

template <class Objective>
void expect_extremes(bool learns_value) {
  expect_finite_at_extremes<Objective>(cupg::Coefficients<float>{0.1f, 0.5f, 0.2f, 0.3f});
  expect_finite_at_extremes<Objective>(cupg::Coefficients<double>{0.1, 0.5, 0.2, 0.3});
  expect_visible_nan<Objective>({0.01f, 0.5f, 0.2f, 0.3f}, learns_value);
}
TEST(Reinforce, HugeLogitsStayFiniteAndNaNStaysVisible) { expect_extremes<Reinforce>(false); }
TEST(ReinforceBaseline, HugeLogitsStayFiniteAndNaNStaysVisible) { expect_extremes<ReinforceBaseline>(true); }

TEST(Reinforce, IsPyTorchsInDouble) {
  expect_pytorchs<Reinforce>("reinforce", {}, [](const GoldenCase& g, std::size_t b, const double(&z)[2], double value) {
    return loss_sample(z, value, g.action[b], g.target[b], g.target[b]);
  });
}

}  // namespace

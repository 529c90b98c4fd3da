// Every registered objective: its hand-written derivatives against those that duals take from its loss. What duals cannot tell (that the
// loss is the right one) is in the objectives' own tests.
#include "objectives/derivative.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "objectives/registry.hpp"
#include "tests/support/shapes.hpp"

namespace {

using namespace cupg_test;

template <int A, class S>
struct Drawn {
  cupg::LossSample<A, S> sample;
  cupg::Coefficients<S> coefficients;
};

/// Logits, advantages of both signs, ratios and values on both sides of their clips.
template <int A, class S>
Drawn<A, S> draw(std::uint64_t seed) {
  const std::vector<float> x = random_floats(8 + A, 1.0f, seed);
  Drawn<A, S> d{};
  for (int j = 0; j < A; ++j) d.sample.logits[j] = S(2 * x[static_cast<std::size_t>(j)]);
  S log_p[A], p[A];
  cupg::softmax(d.sample.logits, log_p, p);
  d.sample.action = static_cast<std::uint32_t>(seed % A);
  d.sample.value = S(x[A]);
  d.sample.advantage = S(3 * x[A + 1]);
  d.sample.target = d.sample.value + S(x[A + 2]);
  d.sample.old_log_probability = log_p[d.sample.action] + S(0.5f * x[A + 3]);
  d.sample.old_value = d.sample.value + S(0.5f * x[A + 4]);
  d.coefficients = {S(0.01f), S(0.5f), S(0.2f), seed % 3 == 0 ? S(0) : S(0.2f)};
  return d;
}

/// The case that PPO's clips make of a sample.
template <int A, class S>
std::string clip_case(const Drawn<A, S>& d) {
  S log_p[A], p[A];
  cupg::softmax(d.sample.logits, log_p, p);
  const double ratio = std::exp(static_cast<double>(log_p[d.sample.action] - d.sample.old_log_probability));
  const double moved = static_cast<double>(d.sample.value - d.sample.old_value), clip = static_cast<double>(d.coefficients.value_clip);
  const char* const side = ratio > 1.2 ? "above" : ratio < 0.8 ? "below" : "inside";
  const char* const value = clip == 0 ? "no value clip" : std::abs(moved) > clip ? "value outside" : "value inside";
  return std::string(d.sample.advantage > 0 ? "A > 0, " : "A < 0, ") + side + ", " + value;
}

template <class Objective, int A, class S>
void expect_equal_derivatives() {
  std::map<std::string, int> cases;
  double largest = 0;
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    const Drawn<A, S> d = draw<A, S>(seed);
    cases[clip_case(d)] += 1;
    S by_hand[A], by_duals[A], value_by_hand, value_by_duals;
    Objective::gradient(d.sample, d.coefficients, by_hand, value_by_hand);
    const S loss = cupg::dual_gradient<Objective>(d.sample, d.coefficients, by_duals, value_by_duals);
    EXPECT_EQ(loss, Objective::loss(d.sample, d.coefficients));
    // some ten roundings of numbers below |A| r + 1
    const double size = 8, tolerance = 16 * size * static_cast<double>(std::numeric_limits<S>::epsilon());
    S sum = 0;
    for (int j = 0; j < A; ++j) {
      const double error = std::abs(static_cast<double>(by_hand[j] - by_duals[j]));
      ASSERT_FALSE(!(error <= tolerance)) << Objective::kTraits.name << ", " << clip_case(d) << ", seed " << seed << ", logit " << j;
      sum += by_duals[j];
      largest = std::max(largest, std::abs(static_cast<double>(by_duals[j])));
    }
    ASSERT_FALSE(!(std::abs(static_cast<double>(sum)) <= tolerance)) << "a shift of all logits changes nothing";
    const double error = std::abs(static_cast<double>(value_by_hand - value_by_duals));
    ASSERT_FALSE(!(error <= tolerance)) << Objective::kTraits.name << ", " << clip_case(d) << ", seed " << seed << ", value";
  }
  EXPECT_GT(largest, 1);
  EXPECT_EQ(cases.size(), 18u) << "2 signs x 3 ratios x 3 values";
  for (const auto& [name, count] : cases) EXPECT_GE(count, 20) << name;
}

template <class Objective>
struct Derivative : testing::Test {};
#define CUPG_TYPE(OBJECTIVE) , cupg::OBJECTIVE
template <class None, class... Objectives>
using TypesOf = testing::Types<Objectives...>;
using All = TypesOf<void CUPG_OBJECTIVES(CUPG_TYPE)>;
TYPED_TEST_SUITE(Derivative, All);

TYPED_TEST(Derivative, OfTwoActionsByHandIsThatByDuals) {
  expect_equal_derivatives<TypeParam, 2, double>();
  expect_equal_derivatives<TypeParam, 2, float>();
}
TYPED_TEST(Derivative, OfThreeActionsByHandIsThatByDuals) {
  expect_equal_derivatives<TypeParam, 3, double>();
  expect_equal_derivatives<TypeParam, 3, float>();
}

/// Without a gradient of its own, as a newly written objective may be.
struct NoGradient {
  template <int A, class S>
  static CUPG_FN S loss(const cupg::LossSample<A, S>& s, const cupg::Coefficients<cupg::Scalar<S>>& c) {
    return cupg::splat<S>(c.value) * s.value * s.value + s.logits[0] * s.advantage;
  }
};
TEST(Derivative, AnObjectiveWithoutOneGetsThatOfDuals) {
  static_assert(!cupg::HasGradient<NoGradient, 2, double> && cupg::HasGradient<cupg::Ppo, 2, double>);
  cupg::LossSample<2, double> s{{0.5, 0.25}, 3, 0, 7, 0, 0, 0};
  double grad[2], grad_value;
  cupg::objective_gradient<NoGradient>(s, cupg::Coefficients<double>{.value = 0.5}, grad, grad_value);
  EXPECT_EQ(grad[0], 7);
  EXPECT_EQ(grad[1], 0);
  EXPECT_EQ(grad_value, 3);
}

}  // namespace

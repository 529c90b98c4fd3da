// Every registered objective: its hand-written derivatives against those that duals take from its loss. What duals cannot tell (that the
// loss is the right one) is in the objectives' own tests.
#include "objectives/derivative.hpp"

#include <gtest/gtest.h>

#include <algorithm>
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

/// Whether a clip is so near that float and double may fall on different sides.
bool near_clip(const cupg::LossSample<2, double>& s, double ratio, const cupg::Coefficients<double>& c) {
  const double moved = std::abs(s.value - s.old_value), error = std::abs(s.value - s.target);
  const double away = std::abs(s.old_value + std::clamp(s.value - s.old_value, -c.value_clip, c.value_clip) - s.target);
  const bool value = c.value_clip > 0 && (std::abs(moved - c.value_clip) < 1e-3 || (moved > c.value_clip && std::abs(error - away) < 1e-3));
  return value || std::abs(ratio - 1 - c.clip) < 1e-3 || std::abs(ratio - 1 + c.clip) < 1e-3;
}

TYPED_TEST(Derivative, OfOneOutputInFloatIsThatOfTheDoubleSoftmax) {
  int compared = 0;
  for (std::uint64_t seed = 0; seed < 6000; ++seed) {
    const Drawn<2, float> d = draw<2, float>(seed);
    const float z[1] = {(seed % 2 == 0 ? 1.0f : 6.0f) * (d.sample.logits[1] - d.sample.logits[0])};  // up to +-24
    cupg::LossSample<2, float> s = d.sample;
    cupg::LossSample<2, double> x{{0, static_cast<double>(z[0])},   static_cast<double>(s.value),  s.action,
                                  static_cast<double>(s.advantage), static_cast<double>(s.target), 0,
                                  static_cast<double>(s.old_value)};
    double log_p[2], p[2], want[2], want_value;
    cupg::softmax(x.logits, log_p, p);
    s.old_log_probability = static_cast<float>(log_p[s.action]) + random_floats(1, 0.5f, seed + 10000)[0];
    x.old_log_probability = static_cast<double>(s.old_log_probability);
    const cupg::Coefficients<double> c{static_cast<double>(d.coefficients.entropy), static_cast<double>(d.coefficients.value),
                                       static_cast<double>(d.coefficients.clip), static_cast<double>(d.coefficients.value_clip)};
    const double log_ratio = log_p[s.action] - x.old_log_probability, ratio = std::exp(log_ratio);
    if (near_clip(x, ratio, c)) continue;
    ++compared;
    TypeParam::gradient(x, c, want, want_value);
    float grad[1], grad_value;
    cupg::output_gradient<TypeParam>(z, s, d.coefficients, grad, grad_value);
    // a ratio errs by what log p does, some four roundings and one of its size; A r stays below 5
    const double unit = 0x1p-24 * (16 - log_p[s.action]);
    EXPECT_FALSE(!(std::abs(static_cast<double>(grad[0]) - want[1]) <= 5 * unit)) << TypeParam::kTraits.name << ", seed " << seed;
    EXPECT_FALSE(!(std::abs(static_cast<double>(grad_value) - want_value) <= 8 * 0x1p-24)) << TypeParam::kTraits.name << ", seed " << seed;
    const auto kl = static_cast<double>(cupg::kl_estimate<2>(z, s.action, s.old_log_probability));
    EXPECT_FALSE(!(std::abs(kl - (ratio - 1 - log_ratio)) <= 4 * unit)) << "seed " << seed;
  }
  EXPECT_GT(compared, 5000);
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
/// Without a form for one output.
struct OfLogits {
  template <int A, class S>
  static CUPG_FN void gradient(const cupg::LossSample<A, S>& s, const cupg::Coefficients<cupg::Scalar<S>>&, S (&grad)[A], S& grad_value) {
    for (int j = 0; j < A; ++j) grad[j] = s.logits[j] + S(j);
    grad_value = S(3);
  }
};
TEST(Derivative, AnObjectiveWithoutOneOfOneOutputGetsThatOfTheLogits) {
  static_assert(!cupg::HasTwoActionForm<OfLogits, double> && cupg::HasTwoActionForm<cupg::Ppo, double>);
  const double z[1] = {0.5};
  double grad[1], grad_value;
  cupg::output_gradient<OfLogits>(z, cupg::LossSample<2, double>{{9, 9}, 0, 0, 0, 0, 0, 0}, {}, grad, grad_value);
  EXPECT_EQ(grad[0], 1.5) << "z_0 = 0, z_1 = d";
  EXPECT_EQ(grad_value, 3);
}

}  // namespace

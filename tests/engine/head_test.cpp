// The categorical head: actions are drawn through the cumulative distribution in index order, the greedy one is the first of the largest.
#include "kernels/transition/head.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace {

using cupg::Action;
using cupg::draw_action;
using cupg::PolicyHead;

template <int A>
std::uint32_t draw(const float (&z)[A], float u, float epsilon = 0) {
  float log_p[A], p[A];
  cupg::softmax(z, log_p, p);
  return draw_action(z, p, u, epsilon).number();
}
/// Half, a quarter, an eighth, an eighth.
constexpr float kHalves[] = {0, -0.6931472f, -1.3862944f, -1.3862944f};
const float kNan = std::nanf(""), kLast = 1 - 0x1p-24f;

TEST(Head, DrawsThroughTheCumulativeDistributionInIndexOrder) {
  EXPECT_EQ(draw(kHalves, 0), 0u);
  EXPECT_EQ(draw(kHalves, 0.49f), 0u);
  EXPECT_EQ(draw(kHalves, 0.51f), 1u);
  EXPECT_EQ(draw(kHalves, 0.74f), 1u);
  EXPECT_EQ(draw(kHalves, 0.76f), 2u);
  EXPECT_EQ(draw(kHalves, 0.87f), 2u);
  EXPECT_EQ(draw(kHalves, 0.88f), 3u);
  EXPECT_EQ(draw(kHalves, kLast), 3u);
}
TEST(Head, EpsilonMixesWithTheUniformDistribution) {
  // q = 3/8, 1/4, 3/16, 3/16 at epsilon 1/2, a quarter each at 1
  EXPECT_EQ(draw(kHalves, 0.374f, 0.5f), 0u);
  EXPECT_EQ(draw(kHalves, 0.376f, 0.5f), 1u);
  EXPECT_EQ(draw(kHalves, 0.626f, 0.5f), 2u);
  EXPECT_EQ(draw(kHalves, 0.813f, 0.5f), 3u);
  for (std::uint32_t a = 0; a < 4; ++a) {
    EXPECT_EQ(draw(kHalves, 0.25f * static_cast<float>(a), 1), a);
    EXPECT_EQ(draw(kHalves, 0.25f * static_cast<float>(a) + 0.249f, 1), a);
  }
}
TEST(Head, FrequenciesAreTheProbabilities) {
  const float z[] = {0.3f, -1.2f, 0.9f};
  float log_p[3], p[3];
  cupg::softmax(z, log_p, p);
  int count[3] = {};
  constexpr int kDraws = 1 << 16;
  for (int i = 0; i < kDraws; ++i) ++count[draw_action(z, p, (static_cast<float>(i) + 0.5f) / kDraws, 0.0f).number()];
  for (int a = 0; a < 3; ++a) EXPECT_NEAR(static_cast<double>(count[a]) / kDraws, static_cast<double>(p[a]), 2.0 / kDraws) << a;
}
TEST(Head, TwoActionsKeepTheirRule) {
  for (const float d : {-40.0f, -3.0f, -0.2f, 0.0f, 0.7f, 40.0f})
    for (const float u : {0.0f, 0.1f, 0.49f, 0.5f, 0.9f, kLast})
      for (const float epsilon : {0.0f, 0.3f, 1.0f}) {
        const float z[] = {1.0f, 1.0f + d}, p[] = {0, 0};
        EXPECT_EQ(draw_action(z, p, u, epsilon).second, cupg::TwoActions<float>::sample_mixed(z[1] - z[0], u, epsilon));
        EXPECT_EQ((PolicyHead<2, float>::draw(&d, u).second), cupg::TwoActions<float>::sample(d, u));
        EXPECT_EQ((PolicyHead<2, float>::greedy(&d).number()), d > 0 ? 1u : 0u);
      }
}
TEST(Head, GreedyTakesTheFirstOfTheLargest) {
  const auto greedy = [](float a, float b, float c) {
    const float z[] = {a, b, c};
    return PolicyHead<3, float>::greedy(z).number();
  };
  EXPECT_EQ(greedy(1, 2, 3), 2u);
  EXPECT_EQ(greedy(1, 3, 2), 1u);
  EXPECT_EQ(greedy(3, 2, 3), 0u);
  EXPECT_EQ(greedy(2, 3, 3), 1u);
  EXPECT_EQ(greedy(0, 0, 0), 0u);
  EXPECT_EQ(greedy(-0.0f, 0, 0), 0u);
}
TEST(Head, WhateverTheLogitsTheActionIsOneOfThem) {
  const float infinity = std::numeric_limits<float>::infinity();
  const float extremes[] = {kNan, infinity, -infinity, 1e30f, -1e30f, 0};
  for (const float a : extremes)
    for (const float b : extremes)
      for (const float c : extremes)
        for (const float u : {0.0f, 0.5f, kLast, kNan}) {
          const float z[] = {a, b, c};
          EXPECT_LT(draw(z, u), 3u);
          EXPECT_LT(draw(z, u, 0.5f), 3u);
          EXPECT_LT((PolicyHead<3, float>::draw(z, u).number()), 3u);
          EXPECT_LT((PolicyHead<3, float>::greedy(z).number()), 3u);
        }
  const float sure[] = {-1e4f, 1e4f, -1e4f};
  for (const float u : {0.0f, 0.5f, 1 - 0x1p-20f})
    EXPECT_EQ(draw(sure, u), u == 0 ? 0u : 1u) << "e^-30 is what the clamp leaves of the others";
}
TEST(Action, KnowsWhatItIs) {
  for (std::uint32_t j = 0; j < 3; ++j) {
    const auto a = Action<3, float>::of(j);
    for (int k = 0; k < 3; ++k) EXPECT_EQ(a.is(k), static_cast<std::uint32_t>(k) == j);
    EXPECT_EQ(a.number(), j);
  }
  for (std::uint32_t j = 0; j < 2; ++j) {
    const auto a = Action<2, float>::of(j);
    EXPECT_EQ(a.is(0), j == 0);
    EXPECT_EQ(a.is(1), j == 1);
    EXPECT_EQ(a.number(), j);
  }
}

}  // namespace

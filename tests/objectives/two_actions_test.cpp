// Two actions by the difference of their logits: probabilities against double precision, drawing, the greedy action.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/math/softmax.hpp"
#include "tests/support/shapes.hpp"

namespace {

using namespace cupg_test;
template <class S>
using TwoActions = cupg::TwoActions<S>;

/// f(d) of differences over and beyond the clamp, dense near 0.
template <class F>
void each_difference(F f) {
  for (const float size : {1e-6f, 1.0f, 30.0f, 45.0f})
    for (const float d : random_floats(20000, size, 61)) f(d);
  for (const float d : {0.0f, -0.0f, 30.0f, -30.0f, 31.0f, -31.0f, 1e4f, -1e4f, 1e30f, -1e30f}) f(d);
}

TEST(TwoActions, ProbabilitiesAreAccurateHoweverSmall) {
  each_difference([](float d) {
    const double clamped = std::max(-30.0, std::min(30.0, static_cast<double>(d)));
    const double p1 = 1 / (1 + std::exp(-clamped)), p0 = 1 / (1 + std::exp(clamped));
    const auto b = TwoActions<float>::both(d);
    // exp to a unit (2^-23), a sum, a division, a product
    EXPECT_FALSE(!(std::abs(static_cast<double>(b.p0) - p0) <= 6 * 0x1p-24 * p0)) << d;
    EXPECT_FALSE(!(std::abs(static_cast<double>(b.p1) - p1) <= 6 * 0x1p-24 * p1)) << d;
    EXPECT_FALSE(!(std::abs(static_cast<double>(TwoActions<float>::probability(d)) - p1) <= 6 * 0x1p-24 * p1)) << d;
  });
}

TEST(TwoActions, LogProbabilitiesAreThoseOfTheDoubleSoftmax) {
  each_difference([](float d) {
    const double z[2] = {0, static_cast<double>(d)};
    double log_p[2], p[2];
    cupg::softmax(z, log_p, p);
    for (const bool second : {false, true}) {
      const float got = TwoActions<float>::log_probability(d, second);
      // log(1 + e) below 0.7 to four roundings, and that of the difference
      EXPECT_FALSE(!(std::abs(static_cast<double>(got) - log_p[second]) <= 0x1p-24 * (4 - log_p[second]))) << d;
      EXPECT_EQ(got, TwoActions<float>::both(d).log_probability(second)) << d;
      EXPECT_LE(got, 0) << d;
    }
  });
}

TEST(TwoActions, ChangePlacesWithTheSignOfTheDifference) {
  each_difference([](float d) {
    const auto a = TwoActions<float>::both(d), b = TwoActions<float>::both(-d);
    EXPECT_TRUE(d == 0 || (a.p0 == b.p1 && a.p1 == b.p0)) << d;
    EXPECT_EQ(a.log_probability(true), b.log_probability(false)) << d;
  });
}

TEST(TwoActions, NaNStaysVisible) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto b = TwoActions<float>::both(nan);
  EXPECT_TRUE(std::isnan(b.p0) && std::isnan(b.p1));
  for (const bool second : {false, true})
    EXPECT_TRUE(std::isnan(b.log_probability(second)) && std::isnan(TwoActions<float>::log_probability(nan, second)));
}

TEST(TwoActions, DrawsTheRightActionBelowItsProbability) {
  for (int i = -120; i <= 120; ++i)
    for (int k = 0; k < 64; ++k) {
      const float d = static_cast<float>(i) / 8, u = static_cast<float>(k) / 64;
      const double p1 = 1 / (1 + std::exp(-static_cast<double>(d)));
      if (std::abs(static_cast<double>(u) - p1) < 0x1p-22) continue;  // within rounding of the edge
      EXPECT_EQ(TwoActions<float>::sample(d, u), static_cast<double>(u) < p1) << "d = " << d << ", u = " << u;
    }
}

TEST(TwoActions, ExtremesDrawTheSureAction) {
  const float largest = 1.0f - 0x1p-24f;
  EXPECT_TRUE(TwoActions<float>::sample(1e4f, 0.0f));
  EXPECT_TRUE(TwoActions<float>::sample(1e4f, largest));
  EXPECT_FALSE(TwoActions<float>::sample(-1e4f, largest));
  EXPECT_FALSE(TwoActions<float>::sample(-1e4f, 0x1p-24f));
}

TEST(TwoActions, FrequenciesAreTheProbabilities) {
  const int n = 100000;
  for (const float d : {-2.0f, 0.0f, 0.7f}) {
    int right = 0;
    for (int i = 0; i < n; ++i)
      right += TwoActions<float>::sample(d, cupg::uniform01(cupg::philox4x32(static_cast<std::uint32_t>(i), 0, 2, 0, 99).word[0]));
    const double p = 1 / (1 + std::exp(-static_cast<double>(d)));
    EXPECT_FALSE(!(std::abs(right / static_cast<double>(n) - p) <= 4 * std::sqrt(p * (1 - p) / n)));  // four standard errors, fixed seed
  }
}

TEST(TwoActions, ATieIsActionZero) {
  EXPECT_FALSE(TwoActions<float>::greedy(0.0f));
  EXPECT_FALSE(TwoActions<float>::greedy(-0.0f));
  EXPECT_TRUE(TwoActions<float>::greedy(1e-38f));
}

}  // namespace

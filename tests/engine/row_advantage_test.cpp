// Advantages and targets of stored rows: by hand, by identities, against the oracle, at the edges.
#include "kernels/advantage/rows.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/golden.hpp"
#include "tests/support/guarded.hpp"
#include "tests/support/shapes.hpp"

namespace {

using namespace cupg_test;
using cupg::Estimator;
constexpr cupg::SampleRow kRow{4};

/// One environment's samples; advantage, target and everything that is no input are poison.
struct Problem {
  Guarded<float> samples;
  explicit Problem(std::int64_t count) : samples(count * kRow.stride()) {}
  Problem(const std::vector<float>& values, const std::vector<float>& next_values, const std::vector<bool>& done)
      : Problem(static_cast<std::int64_t>(values.size())) {
    for (std::size_t t = 0; t < values.size(); ++t) set(static_cast<std::int64_t>(t), values[t], next_values[t], done[t]);
  }
  static Problem random(std::int64_t count, std::uint64_t seed, bool terminate = true) {
    Problem p(count);
    const std::vector<float> x = random_floats(static_cast<std::size_t>(2 * count), 4, seed);
    for (std::int64_t t = 0; t < count; ++t) {
      const std::uint32_t word = cupg::philox4x32(static_cast<std::uint32_t>(t), 0, 0, 0, seed).word[0];
      const bool done = word % 6 == 0;
      p.set(t, x[static_cast<std::size_t>(t)], terminate && word % 12 == 0 ? 0 : x[static_cast<std::size_t>(count + t)], done);
    }
    for (std::int64_t t = 0; t + 1 < count; ++t)  // V(s_{t+1}) is that of the next sample, unless an episode ended in between
      if (!p.done(t)) p.at(t, kRow.next_value()) = p.at(t + 1, kRow.value());
    return p;
  }

  float& at(std::int64_t t, int field) { return samples[t * kRow.stride() + field]; }
  float at(std::int64_t t, int field) const { return samples[t * kRow.stride() + field]; }
  bool done(std::int64_t t) const { return cupg::float_bits(at(t, kRow.done())) != 0; }
  std::int64_t count() const { return samples.size() / kRow.stride(); }
  void set(std::int64_t t, float value, float next, bool done) {
    at(t, kRow.value()) = value;
    at(t, kRow.next_value()) = next;
    at(t, kRow.done()) = cupg::bits_float(done ? 1u : 0u);
    at(t, kRow.reward()) = 1;
  }

  struct Result {
    std::vector<float> advantage, target;
  };
  Result solve(Estimator estimator, float gamma, float lambda, int nstep = 1, bool has_value = true) const {
    Problem p = *this;
    cupg::RowAdvantageArgs a;
    a.row = kRow;
    a.samples = p.samples.data();
    a.count = count();
    a.estimator = estimator;
    a.has_value = has_value;
    a.gamma = gamma;
    a.gamma_lambda = gamma * lambda;
    a.nstep = nstep;
    cupg::row_advantages(a);
    EXPECT_TRUE(p.samples.guards_intact());
    Result r;
    for (std::int64_t t = 0; t < count(); ++t) {
      r.advantage.push_back(p.at(t, kRow.advantage()));
      r.target.push_back(p.at(t, kRow.target()));
      p.at(t, kRow.advantage()) = at(t, kRow.advantage());
      p.at(t, kRow.target()) = at(t, kRow.target());
    }
    EXPECT_TRUE(same_bits(samples, p.samples)) << "something else was written";
    return r;
  }
};
using Floats = std::vector<float>;

TEST(RowAdvantage, GaeByHand) {
  // gamma = lambda = 1/2, r = 1, V = 1 2 3, V' = 2 3 4: delta = 1+1-1, 1+1.5-2, 1+2-3 = 1, 0.5, 0; A = delta + A'/4; R = A + V
  const Problem::Result r = Problem({1, 2, 3}, {2, 3, 4}, {false, false, false}).solve(Estimator::gae, 0.5f, 0.5f);
  EXPECT_EQ(r.advantage, (Floats{1.125f, 0.5f, 0}));
  EXPECT_EQ(r.target, (Floats{2.125f, 2.5f, 3}));
}
TEST(RowAdvantage, ACutBootstrapsAndEndsTheChain) {
  // cut after step 1 in a state of value 8: delta_1 = 1 + 4 - 2 = 3 = A_1, A_0 = 1 + 3/4;  n-step and returns: 1 + 8/2, 1 + 5/2
  const Problem p({1, 2, 3}, {2, 8, 4}, {false, true, false});
  EXPECT_EQ(p.solve(Estimator::gae, 0.5f, 0.5f).advantage, (Floats{1.75f, 3, 0}));
  EXPECT_EQ(p.solve(Estimator::nstep, 0.5f, 0, 3).advantage, (Floats{2.5f, 3, 0}));
  EXPECT_EQ(p.solve(Estimator::returns, 0.5f, 0).advantage, (Floats{2.5f, 3, 0}));
  EXPECT_EQ(p.solve(Estimator::returns, 0.5f, 0).target, (Floats{3.5f, 5, 3}));
}
TEST(RowAdvantage, ATerminationHasNoFuture) {
  // V' = 0 after step 1: delta_1 = 1 - 2, A_0 = 1 - 1/4;  returns: 1, 1 + 1/2
  const Problem p({1, 2, 3}, {2, 0, 4}, {false, true, false});
  EXPECT_EQ(p.solve(Estimator::gae, 0.5f, 0.5f).advantage, (Floats{0.75f, -1, 0}));
  EXPECT_EQ(p.solve(Estimator::nstep, 0.5f, 0, 2).advantage, (Floats{0.5f, -1, 0}));
  EXPECT_EQ(p.solve(Estimator::returns, 0.5f, 0).advantage, (Floats{0.5f, -1, 0}));
}
TEST(RowAdvantage, NstepByHand) {
  // r = 1, gamma = 1/2, V' = 8 16 32. n = 2: 1 + 1/2 + 16/4, 1 + 1/2 + 32/4, and one reward left: 1 + 32/2
  const Problem p({1, 2, 3}, {8, 16, 32}, {false, false, false});
  EXPECT_EQ(p.solve(Estimator::nstep, 0.5f, 0, 2).target, (Floats{5.5f, 9.5f, 17}));
  EXPECT_EQ(p.solve(Estimator::nstep, 0.5f, 0, 1).target, (Floats{5, 9, 17}));
  EXPECT_EQ(p.solve(Estimator::nstep, 0.5f, 0, 3).target, (Floats{5.75f, 9.5f, 17}));
  EXPECT_EQ(p.solve(Estimator::nstep, 0.5f, 0, 2).advantage, (Floats{4.5f, 7.5f, 14}));
}
TEST(RowAdvantage, ReturnsOfAnObjectiveWithoutAValueAreAdvantageAndTarget) {
  // two whole episodes: 1 + 1/2 + 1/4, 1 + 1/2, 1 | 1 + 1/2, 1; the values in the rows have no part in it
  const Problem p({9, 9, 9, 9, 9}, {7, 7, 0, 7, 0}, {false, false, true, false, true});
  const Problem::Result r = p.solve(Estimator::returns, 0.5f, 0, 1, false);
  EXPECT_EQ(r.advantage, (Floats{1.75f, 1.5f, 1, 1.5f, 1}));
  EXPECT_EQ(r.target, r.advantage);
}
TEST(RowAdvantage, OneStepAndNone) {
  for (const Estimator e : {Estimator::gae, Estimator::nstep, Estimator::returns}) {
    EXPECT_EQ(Problem({1}, {4}, {false}).solve(e, 0.5f, 0.5f, 5).advantage, Floats{2});
    EXPECT_EQ(Problem({1}, {4}, {true}).solve(e, 0.5f, 0.5f, 5).advantage, Floats{2});
    EXPECT_EQ(Problem({1}, {0}, {true}).solve(e, 0.5f, 0.5f, 5).advantage, Floats{0});
    EXPECT_TRUE(Problem(0).solve(e, 0.5f, 0.5f).advantage.empty());
  }
}
TEST(RowAdvantage, TheRewardIsTheEnvironments) {
  // -3 + 8/2 = 1, then 8; each step has its own
  Problem p({0, 0}, {0, 0}, {false, true});
  p.at(0, kRow.reward()) = -3;
  p.at(1, kRow.reward()) = 8;
  for (const Estimator e : {Estimator::gae, Estimator::nstep, Estimator::returns})
    EXPECT_EQ(p.solve(e, 0.5f, 1, 2).advantage, (Floats{1, 8}));
}

TEST(RowAdvantage, LambdaZeroIsTheTemporalDifferenceToTheBit) {
  for (const std::int64_t count : {1, 2, 65}) {
    const Problem p = Problem::random(count, 1);
    const Floats a = p.solve(Estimator::gae, 0.9f, 0).advantage;
    for (std::int64_t t = 0; t < count; ++t)
      EXPECT_EQ(a[static_cast<std::size_t>(t)], std::fma(0.9f, p.at(t, kRow.next_value()), 1.0f) - p.at(t, kRow.value()));
    EXPECT_EQ(a, p.solve(Estimator::nstep, 0.9f, 0, 1).advantage) << "one step is the same";
  }
}
TEST(RowAdvantage, LambdaOneIsTheReturnMinusTheValue) {
  for (const std::int64_t count : {1, 2, 65, 200}) {
    const Problem p = Problem::random(count, 2);
    const Floats gae = p.solve(Estimator::gae, 0.9f, 1).advantage, whole = p.solve(Estimator::returns, 0.9f, 0).advantage;
    // both sum numbers below 4 (GAE: differences up to 12) with weights 0.9^k, two roundings a step
    for (std::size_t t = 0; t < gae.size(); ++t) EXPECT_FALSE(!(std::abs(gae[t] - whole[t]) <= 2 * 240 * 0x1p-24f)) << t;
  }
}
TEST(RowAdvantage, AsManyStepsAsThereAreAreTheReturnToTheBit) {
  for (const std::int64_t count : {1, 2, 65}) {
    const Problem p = Problem::random(count, 3);
    const Problem::Result whole = p.solve(Estimator::returns, 0.9f, 0);
    for (const int n : {static_cast<int>(count), static_cast<int>(count) + 1, 1 << 20}) {
      EXPECT_EQ(p.solve(Estimator::nstep, 0.9f, 0, n).advantage, whole.advantage);
      EXPECT_EQ(p.solve(Estimator::nstep, 0.9f, 0, n).target, whole.target);
    }
  }
}
TEST(RowAdvantage, TargetsAreAdvantagesPlusValues) {
  const Problem p = Problem::random(65, 4);
  for (const Estimator e : {Estimator::gae, Estimator::nstep, Estimator::returns}) {
    const Problem::Result r = p.solve(e, 0.97f, 0.8f, 7);
    for (std::size_t t = 0; t < r.target.size(); ++t)
      EXPECT_EQ(r.target[t], r.advantage[t] + p.at(static_cast<std::int64_t>(t), kRow.value()));
  }
}
TEST(RowAdvantage, AnEpisodeDoesNotDependOnWhatFollowsIt) {
  const Problem p = Problem::random(65, 5);
  std::int64_t end = 30;
  while (!p.done(end)) ++end;
  ASSERT_LT(end, 64);
  Problem other = p;
  for (std::int64_t t = end + 1; t < 65; ++t) other.set(t, 100, -100, t % 3 == 0);
  Problem alone(end + 1);
  for (std::int64_t t = 0; t <= end; ++t) alone.set(t, p.at(t, kRow.value()), p.at(t, kRow.next_value()), p.done(t));
  for (const Estimator e : {Estimator::gae, Estimator::nstep, Estimator::returns}) {
    const Floats a = p.solve(e, 0.9f, 0.9f, 9).advantage, b = other.solve(e, 0.9f, 0.9f, 9).advantage,
                 c = alone.solve(e, 0.9f, 0.9f, 9).advantage;
    for (std::size_t t = 0; t <= static_cast<std::size_t>(end); ++t) {
      EXPECT_EQ(bits_of(a[t]), bits_of(b[t]));
      EXPECT_EQ(bits_of(a[t]), bits_of(c[t]));
    }
  }
}
TEST(RowAdvantage, GammaZeroSeesOneReward) {
  const Problem p = Problem::random(9, 6);
  for (const Estimator e : {Estimator::gae, Estimator::nstep, Estimator::returns}) {
    const Floats a = p.solve(e, 0, 0.7f, 4).advantage;
    for (std::size_t t = 0; t < a.size(); ++t) EXPECT_EQ(a[t], 1 - p.at(static_cast<std::int64_t>(t), kRow.value()));
  }
}
TEST(RowAdvantage, NaNStaysVisibleInItsEpisodeAlone) {
  Problem p({1, 2, 3, 4}, {2, 0, 4, 5}, {false, true, false, false});
  p.at(2, kRow.value()) = std::nanf("");
  const Problem::Result r = p.solve(Estimator::gae, 0.5f, 0.5f);
  for (std::size_t t = 0; t < 4; ++t) EXPECT_EQ(std::isnan(r.advantage[t]), t == 2) << t;
  p.at(3, kRow.next_value()) = std::nanf("");
  for (const Estimator e : {Estimator::gae, Estimator::nstep, Estimator::returns})
    for (std::size_t t = 0; t < 4; ++t) EXPECT_EQ(std::isnan(p.solve(e, 0.5f, 0.5f, 4).target[t]), t >= 2) << t;
}

}  // namespace

// Advantages and targets, of rows and of samples one beside the other: by hand, by identities, against the oracle, at the edges.
#include <gtest/gtest.h>

#include <cmath>

#include "src/engine/isa.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/guarded.hpp"
#include "tests/support/shapes.hpp"

namespace {

using namespace cupg_test;
using cupg::Estimator;
using cupg::kWarp;
constexpr cupg::SampleRow kRow{4};
constexpr cupg::RowFeatures kFeatures{kRow, 2};
constexpr int kWhole = 1 << 20;  // steps beyond any rollout: the whole return
using Floats = std::vector<float>;

/// One environment's samples; everything that is no input is poison.
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
    Floats advantage, target;
  };
  /// Of the samples, and of rows that have them in one lane: every instruction set must give the same bits.
  Result solve(Estimator estimator, float gamma, float lambda, int nstep = 1, bool has_value = true) const {
    const cupg::AdvantageArgs a{kRow, estimator, has_value, gamma, gamma * lambda, nstep};
    Result r;
    for (const cupg::Isa isa : cupg::available_isas()) {
      const cupg::CpuOps& ops = cupg::cpu_ops_for(isa);
      Problem p = *this;
      ops.sample_advantages(a, p.samples.data(), count());
      EXPECT_TRUE(p.samples.guards_intact());
      const Result got = p.take(*this);
      EXPECT_TRUE(same_bits(samples, p.samples)) << "something else was written";
      if (isa == cupg::available_isas()[0]) r = got;
      EXPECT_TRUE(same_bits(r.advantage, got.advantage) && same_bits(r.target, got.target)) << ops.isa;
      for (const int lane : {0, 13, 31}) {
        const Result of_rows = p.solve_rows(ops, a, lane);
        EXPECT_TRUE(same_bits(r.advantage, of_rows.advantage)) << ops.isa << ", lane " << lane;
        EXPECT_TRUE(same_bits(r.target, of_rows.target)) << ops.isa << ", lane " << lane;
      }
      count_comparison("advantage", ops.isa, 4);
    }
    return r;
  }

 private:
  /// The results, in whose place `before` comes back.
  Result take(const Problem& before) {
    Result r;
    for (std::int64_t t = 0; t < count(); ++t) {
      r.advantage.push_back(at(t, kRow.advantage()));
      r.target.push_back(at(t, kRow.target()));
      at(t, kRow.advantage()) = before.at(t, kRow.advantage());
      at(t, kRow.target()) = before.at(t, kRow.target());
    }
    return r;
  }
  /// The other lanes are poison, and episodes end in them at random.
  Result solve_rows(const cupg::CpuOps& ops, const cupg::AdvantageArgs& a, int lane) const {
    Guarded<float> rows(count() * kFeatures.floats());
    Guarded<std::uint32_t> ends(count());
    const auto index = [&](std::int64_t t, int field) { return t * kFeatures.floats() + field * kWarp + lane; };
    for (std::int64_t t = 0; t < count(); ++t) {
      for (const int field : {kRow.value(), kRow.next_value(), kRow.reward()}) rows[index(t, field)] = at(t, field);
      const std::uint32_t others = cupg::philox4x32(static_cast<std::uint32_t>(t), 1, 0, 0, 9).word[0];
      ends[t] = (others & ~(1u << lane)) | (done(t) ? 1u << lane : 0u);
    }
    const Guarded<float> before = rows;
    ops.row_advantages(a, kFeatures, rows.data(), ends.data(), count());
    EXPECT_TRUE(rows.guards_intact() && ends.guards_intact());
    Result r;
    for (std::int64_t t = 0; t < count(); ++t) {
      r.advantage.push_back(rows[index(t, kRow.advantage())]);
      r.target.push_back(rows[index(t, kRow.target())]);
      for (const int field : {kRow.advantage(), kRow.target()}) rows[index(t, field)] = before[index(t, field)];
      for (const int field : {0, 1, 2, 3, kRow.action(), kRow.log_probability(), kRow.value(), kRow.done(), kFeatures.output()})
        EXPECT_EQ(bits_of(rows[index(t, field)]), bits_of(before[index(t, field)])) << "something else was written";
    }
    return r;
  }
};

TEST(Advantage, GaeByHand) {
  // gamma = lambda = 1/2, r = 1, V = 1 2 3, V' = 2 3 4: delta = 1+1-1, 1+1.5-2, 1+2-3 = 1, 0.5, 0; A = delta + A'/4; R = A + V
  const Problem::Result r = Problem({1, 2, 3}, {2, 3, 4}, {false, false, false}).solve(Estimator::gae, 0.5f, 0.5f);
  EXPECT_EQ(r.advantage, (Floats{1.125f, 0.5f, 0}));
  EXPECT_EQ(r.target, (Floats{2.125f, 2.5f, 3}));
}
TEST(Advantage, ACutBootstrapsAndEndsTheChain) {
  // cut after step 1 in a state of value 8: delta_1 = 1 + 4 - 2 = 3 = A_1, A_0 = 1 + 3/4;  n-step and returns: 1 + 8/2, 1 + 5/2
  const Problem p({1, 2, 3}, {2, 8, 4}, {false, true, false});
  EXPECT_EQ(p.solve(Estimator::gae, 0.5f, 0.5f).advantage, (Floats{1.75f, 3, 0}));
  EXPECT_EQ(p.solve(Estimator::nstep, 0.5f, 0, 3).advantage, (Floats{2.5f, 3, 0}));
  EXPECT_EQ(p.solve(Estimator::returns, 0.5f, 0).advantage, (Floats{2.5f, 3, 0}));
  EXPECT_EQ(p.solve(Estimator::returns, 0.5f, 0).target, (Floats{3.5f, 5, 3}));
}
TEST(Advantage, ATerminationHasNoFuture) {
  // V' = 0 after step 1: delta_1 = 1 - 2, A_0 = 1 - 1/4;  returns: 1, 1 + 1/2
  const Problem p({1, 2, 3}, {2, 0, 4}, {false, true, false});
  EXPECT_EQ(p.solve(Estimator::gae, 0.5f, 0.5f).advantage, (Floats{0.75f, -1, 0}));
  EXPECT_EQ(p.solve(Estimator::nstep, 0.5f, 0, 2).advantage, (Floats{0.5f, -1, 0}));
  EXPECT_EQ(p.solve(Estimator::returns, 0.5f, 0).advantage, (Floats{0.5f, -1, 0}));
}
TEST(Advantage, NstepByHand) {
  // r = 1, gamma = 1/2, V' = 8 16 32. n = 2: 1 + 1/2 + 16/4, 1 + 1/2 + 32/4, and one reward left: 1 + 32/2
  const Problem p({1, 2, 3}, {8, 16, 32}, {false, false, false});
  EXPECT_EQ(p.solve(Estimator::nstep, 0.5f, 0, 2).target, (Floats{5.5f, 9.5f, 17}));
  EXPECT_EQ(p.solve(Estimator::nstep, 0.5f, 0, 1).target, (Floats{5, 9, 17}));
  EXPECT_EQ(p.solve(Estimator::nstep, 0.5f, 0, 3).target, (Floats{5.75f, 9.5f, 17}));
  EXPECT_EQ(p.solve(Estimator::nstep, 0.5f, 0, 2).advantage, (Floats{4.5f, 7.5f, 14}));
}
TEST(Advantage, ReturnsOfAnObjectiveWithoutAValueAreAdvantageAndTarget) {
  // two whole episodes: 1 + 1/2 + 1/4, 1 + 1/2, 1 | 1 + 1/2, 1; the values in the rows have no part in it
  const Problem p({9, 9, 9, 9, 9}, {7, 7, 0, 7, 0}, {false, false, true, false, true});
  const Problem::Result r = p.solve(Estimator::returns, 0.5f, 0, 1, false);
  EXPECT_EQ(r.advantage, (Floats{1.75f, 1.5f, 1, 1.5f, 1}));
  EXPECT_EQ(r.target, r.advantage);
}
TEST(Advantage, OneStepAndNone) {
  for (const Estimator e : {Estimator::gae, Estimator::nstep, Estimator::returns}) {
    EXPECT_EQ(Problem({1}, {4}, {false}).solve(e, 0.5f, 0.5f, 5).advantage, Floats{2});
    EXPECT_EQ(Problem({1}, {4}, {true}).solve(e, 0.5f, 0.5f, 5).advantage, Floats{2});
    EXPECT_EQ(Problem({1}, {0}, {true}).solve(e, 0.5f, 0.5f, 5).advantage, Floats{0});
    EXPECT_TRUE(Problem(0).solve(e, 0.5f, 0.5f).advantage.empty());
  }
}
TEST(Advantage, TheRewardIsTheEnvironments) {
  // -3 + 8/2 = 1, then 8; each step has its own
  Problem p({0, 0}, {0, 0}, {false, true});
  p.at(0, kRow.reward()) = -3;
  p.at(1, kRow.reward()) = 8;
  for (const Estimator e : {Estimator::gae, Estimator::nstep, Estimator::returns})
    EXPECT_EQ(p.solve(e, 0.5f, 1, 2).advantage, (Floats{1, 8}));
}

/// The oracle's rollout; `simple` counts every end as a termination, `timelimit` goes on from final_values where only time ran out.
TEST(Advantage, IsTheOraclesForTimeLimitsAndForTerminations) {
  const nlohmann::json json = golden_json("returns_numpy.json");
  const int horizon = json.at("rewards").at("shape")[0].get<int>(), envs = json.at("rewards").at("shape")[1].get<int>();
  const auto gamma = json.at("gamma").get<float>(), lambda = json.at("lambda").get<float>();
  const auto numbers = [&](const char* name) { return array(json.at(name)); };
  const auto rewards = numbers("rewards"), values = numbers("values"), terminated = numbers("terminated"), truncated = numbers("truncated"),
             final_values = numbers("final_values"), last_values = numbers("last_values");
  const auto at = [&](int e, int t) { return static_cast<std::size_t>(t * envs + e); };
  // Rewards and values below 8, rounded to float. Each step of a chain adds at most four roundings of numbers below 16 + 1 and
  // passes on gamma lambda (GAE; the sum of the weights is 1 / (1 - 0.9405) = 17) or gamma (n-step; at most min(n, 64)) of them.
  const double unit = 4 * 17 * 0x1p-24;
  for (const bool time_limit : {true, false}) {
    const auto& want = json.at(time_limit ? "timelimit" : "simple");
    for (int e = 0; e < envs; ++e) {
      Problem p(horizon);
      for (int t = 0; t < horizon; ++t) {
        const bool end = terminated[at(e, t)] != 0 || truncated[at(e, t)] != 0, cut = terminated[at(e, t)] != 0 || (end && !time_limit);
        const double after = t + 1 < horizon ? values[at(e, t + 1)] : last_values[static_cast<std::size_t>(e)];
        p.set(t, static_cast<float>(values[at(e, t)]), static_cast<float>(cut ? 0 : end ? final_values[at(e, t)] : after), end);
        p.at(t, kRow.reward()) = static_cast<float>(rewards[at(e, t)]);
      }
      const auto expect = [&](const Floats& got, const char* name, double tolerance) {
        const std::vector<double> numbers_of = array(want.at(name));
        for (int t = 0; t < horizon; ++t)
          EXPECT_FALSE(!(std::abs(static_cast<double>(got[static_cast<std::size_t>(t)]) - numbers_of[at(e, t)]) <= tolerance))
              << name << ", t = " << t << ", environment " << e;
      };
      const Problem::Result gae = p.solve(Estimator::gae, gamma, lambda);
      expect(gae.advantage, "gae_advantages", 17 * unit);
      expect(gae.target, "gae_returns", 17 * unit);
      expect(p.solve(Estimator::nstep, gamma, 0, 5).target, "nstep5", 5 * unit);
      expect(p.solve(Estimator::nstep, gamma, 0, 20).target, "nstep20", 20 * unit);
      expect(p.solve(Estimator::nstep, gamma, 0, kWhole).target, "nstep_all", 64 * unit);
    }
  }
}

TEST(Advantage, LambdaZeroIsTheTemporalDifferenceToTheBit) {
  for (const std::int64_t count : {1, 2, 65}) {
    const Problem p = Problem::random(count, 1);
    const Floats a = p.solve(Estimator::gae, 0.9f, 0).advantage;
    for (std::int64_t t = 0; t < count; ++t)
      EXPECT_EQ(a[static_cast<std::size_t>(t)], std::fma(0.9f, p.at(t, kRow.next_value()), 1.0f) - p.at(t, kRow.value()));
    EXPECT_EQ(a, p.solve(Estimator::nstep, 0.9f, 0, 1).advantage) << "one step is the same";
  }
}
TEST(Advantage, LambdaOneIsTheReturnMinusTheValue) {
  for (const std::int64_t count : {1, 2, 65, 200}) {
    const Problem p = Problem::random(count, 2);
    const Floats gae = p.solve(Estimator::gae, 0.9f, 1).advantage, whole = p.solve(Estimator::returns, 0.9f, 0).advantage;
    // both sum numbers below 4 (GAE: differences up to 12) with weights 0.9^k, two roundings a step
    for (std::size_t t = 0; t < gae.size(); ++t) EXPECT_FALSE(!(std::abs(gae[t] - whole[t]) <= 2 * 240 * 0x1p-24f)) << t;
  }
}
TEST(Advantage, AsManyStepsAsThereAreAreTheReturnToTheBit) {
  for (const std::int64_t count : {1, 2, 65}) {
    const Problem p = Problem::random(count, 3);
    const Problem::Result whole = p.solve(Estimator::returns, 0.9f, 0);
    for (const int n : {static_cast<int>(count), static_cast<int>(count) + 1, kWhole}) {
      EXPECT_EQ(p.solve(Estimator::nstep, 0.9f, 0, n).advantage, whole.advantage);
      EXPECT_EQ(p.solve(Estimator::nstep, 0.9f, 0, n).target, whole.target);
    }
  }
}
TEST(Advantage, TargetsAreAdvantagesPlusValues) {
  const Problem p = Problem::random(65, 4);
  for (const Estimator e : {Estimator::gae, Estimator::nstep, Estimator::returns}) {
    const Problem::Result r = p.solve(e, 0.97f, 0.8f, 7);
    for (std::size_t t = 0; t < r.target.size(); ++t)
      EXPECT_EQ(r.target[t], r.advantage[t] + p.at(static_cast<std::int64_t>(t), kRow.value()));
  }
}
TEST(Advantage, AnEpisodeDoesNotDependOnWhatFollowsIt) {
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
TEST(Advantage, GammaZeroSeesOneReward) {
  const Problem p = Problem::random(9, 6);
  for (const Estimator e : {Estimator::gae, Estimator::nstep, Estimator::returns}) {
    const Floats a = p.solve(e, 0, 0.7f, 4).advantage;
    for (std::size_t t = 0; t < a.size(); ++t) EXPECT_EQ(a[t], 1 - p.at(static_cast<std::int64_t>(t), kRow.value()));
  }
}
TEST(Advantage, NaNStaysVisibleInItsEpisodeAlone) {
  Problem p({1, 2, 3, 4}, {2, 0, 4, 5}, {false, true, false, false});
  p.at(2, kRow.value()) = std::nanf("");
  const Problem::Result r = p.solve(Estimator::gae, 0.5f, 0.5f);
  for (std::size_t t = 0; t < 4; ++t) EXPECT_EQ(std::isnan(r.advantage[t]), t == 2) << t;
  p.at(3, kRow.next_value()) = std::nanf("");
  for (const Estimator e : {Estimator::gae, Estimator::nstep, Estimator::returns})
    for (std::size_t t = 0; t < 4; ++t) EXPECT_EQ(std::isnan(p.solve(e, 0.5f, 0.5f, 4).target[t]), t >= 2) << t;
}

}  // namespace

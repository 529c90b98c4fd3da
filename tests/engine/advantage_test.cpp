// The advantage op: generalized advantage estimation and n-step returns.
#include <gtest/gtest.h>

#include <cmath>

#include "src/engine/isa.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/rows.hpp"
#include "tests/support/shapes.hpp"

namespace {

using namespace cupg_test;
using cupg::kWarp;
constexpr int kGae = 0, kWhole = 1 << 20;  // nstep: 0 is GAE; beyond any rollout, the whole return

/// One warp's input: V(s_t), V(s_{t+1}) (0 where that is terminal), rewards and ends.
struct Problem {
  Rows rows;
  Guarded<float> reward;

  explicit Problem(int horizon) : rows(1, horizon), reward(horizon * kWarp, 0.0f) {
    rows.value = Guarded<float>(horizon * kWarp, 0.0f);
    rows.advantage = rows.value;
    rows.done = Guarded<std::uint32_t>(horizon, 0u);
  }
  /// The same in every lane, step by step.
  Problem(const std::vector<float>& rewards, const std::vector<float>& values, const std::vector<float>& next_values,
          const std::vector<bool>& done)
      : Problem(static_cast<int>(rewards.size())) {
    for (int t = 0; t < rows.horizon; ++t)
      for (int e = 0; e < kWarp; ++e) {
        const auto i = static_cast<std::size_t>(t);
        reward[rows.at(e, t)] = rewards[i];
        rows.value[rows.at(e, t)] = values[i];
        rows.advantage[rows.at(e, t)] = next_values[i];
        rows.set_flag(rows.done, e, t, done[i]);
      }
  }
  static Problem random(int horizon, std::uint64_t seed) {
    Problem p(horizon);
    const auto count = static_cast<std::size_t>(horizon * kWarp);
    const std::vector<float> numbers = random_floats(3 * count, 4.0f, seed);
    for (std::size_t i = 0; i < count; ++i) {
      const auto at = static_cast<std::int64_t>(i);
      p.reward[at] = numbers[i];
      p.rows.value[at] = numbers[count + i];
      p.rows.advantage[at] = numbers[2 * count + i];
    }
    for (int t = 0; t < horizon; ++t)
      for (int e = 0; e < kWarp; ++e) {
        const std::uint32_t word = cupg::philox4x32(static_cast<std::uint32_t>(t), static_cast<std::uint32_t>(e), 0, 0, seed).word[0];
        p.rows.set_flag(p.rows.done, e, t, word % 6 == 0);
        if (word % 12 == 0) p.rows.advantage[p.rows.at(e, t)] = 0;  // terminated
      }
    return p;
  }

  /// Advantages [T][32].
  Guarded<float> solve(cupg::Isa isa, float gamma, float lambda, int nstep, bool constant_reward = false) const {
    Problem p = *this;
    cupg::AdvantageArgs a;
    a.data = p.rows.view();
    a.reward = constant_reward ? nullptr : p.reward.data();
    a.constant_reward = 1;
    a.gamma = gamma;
    a.gamma_lambda = gamma * lambda;
    a.nstep = nstep;
    a.horizon = rows.horizon;
    cupg::cpu_ops_for(isa).advantage(a, 0);
    EXPECT_TRUE(p.rows.guards_intact() && p.reward.guards_intact());
    EXPECT_TRUE(same_bits(rows.value, p.rows.value)) << "an input was written";
    return p.rows.advantage;
  }
};

std::vector<float> lane0(const Guarded<float>& x) {
  std::vector<float> column;
  for (std::int64_t i = 0; i < x.size(); i += kWarp) column.push_back(x[i]);
  return column;
}

TEST(Advantage, GaeByHand) {
  // gamma = lambda = 1/2, r = 1, V = 1 2 3, V' = 2 3 4: delta = 1+1-1, 1+1.5-2, 1+2-3 = 1, 0.5, 0; A = delta + A'/4
  const Problem p({1, 1, 1}, {1, 2, 3}, {2, 3, 4}, {false, false, false});
  EXPECT_EQ(lane0(p.solve(cupg::Isa::automatic, 0.5f, 0.5f, kGae)), (std::vector<float>{1.125f, 0.5f, 0}));
}

TEST(Advantage, TruncationBootstrapsAndCutsTheChain) {
  // as above, but the episode was cut after step 1 in a state of value 8: delta_1 = 1 + 4 - 2, and A_1 = delta_1
  const Problem p({1, 1, 1}, {1, 2, 3}, {2, 8, 4}, {false, true, false});
  EXPECT_EQ(lane0(p.solve(cupg::Isa::automatic, 0.5f, 0.5f, kGae)), (std::vector<float>{1.75f, 3, 0}));
  EXPECT_EQ(lane0(p.solve(cupg::Isa::automatic, 0.5f, 0.5f, kWhole)), (std::vector<float>{1 + 0.5f * 5 - 1, 1 + 0.5f * 8 - 2, 0}));
}

TEST(Advantage, TerminationHasNoFuture) {
  const Problem p({1, 1, 1}, {1, 2, 3}, {2, 0, 4}, {false, true, false});
  EXPECT_EQ(lane0(p.solve(cupg::Isa::automatic, 0.5f, 0.5f, kGae)), (std::vector<float>{0.75f, -1, 0}));
  EXPECT_EQ(lane0(p.solve(cupg::Isa::automatic, 0.5f, 0.5f, kWhole)), (std::vector<float>{1 + 0.5f * 1 - 1, 1 - 2, 0}));
}

TEST(Advantage, NstepByHand) {
  // gamma = 1/2, n = 2: G_0 = r0 + r1/2 + V'(s_2)/4, G_1 likewise, G_2 has one reward left
  const Problem p({1, 2, 4}, {1, 2, 3}, {8, 16, 32}, {false, false, false});
  EXPECT_EQ(lane0(p.solve(cupg::Isa::automatic, 0.5f, 1, 2)), (std::vector<float>{1 + 1 + 4 - 1, 2 + 2 + 8 - 2, 4 + 16 - 3}));
  EXPECT_EQ(lane0(p.solve(cupg::Isa::automatic, 0.5f, 1, 1)), (std::vector<float>{1 + 4 - 1, 2 + 8 - 2, 4 + 16 - 3}));
  EXPECT_EQ(lane0(p.solve(cupg::Isa::automatic, 0.5f, 1, 3)), (std::vector<float>{1 + 1 + 1 + 4 - 1, 2 + 2 + 8 - 2, 4 + 16 - 3}));
}

TEST(Advantage, LambdaZeroIsTheTemporalDifferenceToTheBit) {
  for (const int horizon : {1, 2, 19}) {
    const Problem p = Problem::random(horizon, 1);
    const Guarded<float> a = p.solve(cupg::Isa::automatic, 0.9f, 0, kGae), one = p.solve(cupg::Isa::automatic, 0.9f, 0, 1);
    for (std::int64_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i], std::fma(0.9f, p.rows.advantage[i], p.reward[i]) - p.rows.value[i]);
    EXPECT_TRUE(same_bits(one, a)) << "one step is the same";
  }
}

TEST(Advantage, LambdaOneIsTheReturnMinusTheValue) {
  const int horizon = 40;
  Problem p = Problem::random(horizon, 2);
  for (int e = 0; e < kWarp; ++e)  // the value after a step is that of the next, unless an episode ended in between
    for (int t = 0; t + 1 < horizon; ++t)
      if (!p.rows.flag(p.rows.done, e, t)) p.rows.advantage[p.rows.at(e, t)] = p.rows.value[p.rows.at(e, t + 1)];
  const Guarded<float> gae = p.solve(cupg::Isa::automatic, 0.9f, 1, kGae), whole = p.solve(cupg::Isa::automatic, 0.9f, 1, kWhole);
  // Both sum numbers below 4 (GAE: differences up to 12) with weights 0.9^k, two roundings a step: 2^-24 * 2 * 12 / 0.1 each
  for (std::int64_t i = 0; i < gae.size(); ++i) EXPECT_FALSE(!(std::abs(gae[i] - whole[i]) <= 2 * 240 * 0x1p-24f));
}

TEST(Advantage, GammaZeroSeesOneReward) {
  const Problem p = Problem::random(7, 3);
  for (const int nstep : {kGae, 1, 5, kWhole}) {
    const Guarded<float> a = p.solve(cupg::Isa::automatic, 0, 0.7f, nstep);
    for (std::int64_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i], p.reward[i] - p.rows.value[i]);
  }
}

TEST(Advantage, ConstantRewardIsAnArrayOfIt) {
  Problem p = Problem::random(13, 4);
  for (float& r : p.reward.span()) r = 1;
  for (const int nstep : {kGae, 4})
    EXPECT_TRUE(same_bits(p.solve(cupg::Isa::automatic, 0.99f, 0.95f, nstep), p.solve(cupg::Isa::automatic, 0.99f, 0.95f, nstep, true)));
}

/// The oracle's rollout; `simple` counts every end as a termination, `timelimit` goes on from final_values where only time ran out.
struct Golden {
  nlohmann::json json = golden_json("returns_numpy.json");
  int horizon = json.at("rewards").at("shape")[0].get<int>(), envs = json.at("rewards").at("shape")[1].get<int>();

  std::vector<double> numbers(const char* name) const { return array(json.at(name)); }
  Problem problem(bool time_limit) const {
    const auto rewards = numbers("rewards"), values = numbers("values"), terminated = numbers("terminated"),
               truncated = numbers("truncated"), final_values = numbers("final_values"), last_values = numbers("last_values");
    Problem p(horizon);
    for (int e = 0; e < envs; ++e)
      for (int t = 0; t < horizon; ++t) {
        const auto i = static_cast<std::size_t>(t * envs + e);
        const bool end = terminated[i] != 0 || truncated[i] != 0, cut = terminated[i] != 0 || (end && !time_limit);
        const double after = t + 1 < horizon ? values[i + static_cast<std::size_t>(envs)] : last_values[static_cast<std::size_t>(e)];
        p.reward[p.rows.at(e, t)] = static_cast<float>(rewards[i]);
        p.rows.value[p.rows.at(e, t)] = static_cast<float>(values[i]);
        p.rows.advantage[p.rows.at(e, t)] = static_cast<float>(cut ? 0 : end ? final_values[i] : after);
        p.rows.set_flag(p.rows.done, e, t, end);
      }
    return p;
  }
  /// `plus_value`: the golden file holds returns, the op gives advantages.
  void expect(const Guarded<float>& got, const Problem& p, const nlohmann::json& want_json, bool plus_value, double tolerance) const {
    const std::vector<double> want = array(want_json), values = numbers("values");
    for (int e = 0; e < envs; ++e)
      for (int t = 0; t < horizon; ++t) {
        const auto i = static_cast<std::size_t>(t * envs + e);
        const double advantage = static_cast<double>(got[p.rows.at(e, t)]);
        EXPECT_FALSE(!(std::abs(advantage + (plus_value ? values[i] : 0) - want[i]) <= tolerance)) << "t = " << t << ", environment " << e;
      }
  }
};

TEST(Advantage, IsTheOraclesForTimeLimitsAndForTerminations) {
  const Golden golden;
  const auto gamma = golden.json.at("gamma").get<float>(), lambda = golden.json.at("lambda").get<float>();
  // Rewards and values below 8, rounded to float. Each step of a chain adds at most four roundings of numbers below 16 + 1 and
  // passes on gamma lambda (GAE; the sum of the weights is 1 / (1 - 0.9405) = 17) or gamma (n-step; at most min(n, 64)) of them.
  const double unit = 4 * 17 * 0x1p-24;
  for (const bool time_limit : {true, false}) {
    const Problem p = golden.problem(time_limit);
    const auto& want = golden.json.at(time_limit ? "timelimit" : "simple");
    for (const cupg::Isa isa : cupg::available_isas()) {
      golden.expect(p.solve(isa, gamma, lambda, kGae), p, want.at("gae_advantages"), false, 17 * unit);
      golden.expect(p.solve(isa, gamma, lambda, kGae), p, want.at("gae_returns"), true, 17 * unit);
      golden.expect(p.solve(isa, gamma, lambda, 5), p, want.at("nstep5"), true, 5 * unit);
      golden.expect(p.solve(isa, gamma, lambda, 20), p, want.at("nstep20"), true, 20 * unit);
      golden.expect(p.solve(isa, gamma, lambda, kWhole), p, want.at("nstep_all"), true, 64 * unit);
    }
  }
}

TEST(Advantage, HasTheSameBitsInEveryLaneType) {
  for (const int horizon : {1, 2, 3, 8, 33, 128})
    for (const int nstep : {kGae, 1, 5, kWhole}) {
      const Problem p = Problem::random(horizon, static_cast<std::uint64_t>(horizon));
      count_shape("horizon " + std::to_string(horizon));
      const Guarded<float> want = p.solve(cupg::Isa::scalar, 0.99f, 0.95f, nstep);
      for (const cupg::Isa isa : cupg::available_isas()) {
        EXPECT_TRUE(same_bits(want, p.solve(isa, 0.99f, 0.95f, nstep))) << "horizon " << horizon << ", n " << nstep;
        count_comparison("advantage", cupg::isa_name(cupg::cpu_ops_for(isa)));
      }
    }
}

TEST(Advantage, WorksOnItsOwnRowsOnly) {
  // the second warp of two: rows 5 .. 9 of ten
  for (const cupg::Isa isa : cupg::available_isas()) {
    Rows rows(2, 5);
    rows.value = Guarded<float>(10 * kWarp, 1.0f);
    rows.done = Guarded<std::uint32_t>(10, 0u);
    for (std::int64_t i = 5 * kWarp; i < 10 * kWarp; ++i) rows.advantage[i] = 2;
    cupg::AdvantageArgs a;
    a.data = rows.view();
    a.constant_reward = 1;
    a.gamma = 0.5f;
    a.horizon = 5;
    cupg::cpu_ops_for(isa).advantage(a, 5);
    EXPECT_EQ(rows.advantage.untouched(), 5 * kWarp);
    EXPECT_TRUE(rows.guards_intact());
    EXPECT_EQ(rows.advantage[5 * kWarp], 1.0f);
  }
}

TEST(Advantage, NaNStaysVisibleInItsLaneAlone) {
  Problem p({1, 1, 1}, {1, 2, 3}, {2, 3, 4}, {false, false, false});
  p.rows.value[p.rows.at(5, 1)] = std::nanf("");
  const Guarded<float> a = p.solve(cupg::Isa::automatic, 0.5f, 0.5f, kGae);
  for (int e = 0; e < kWarp; ++e)
    for (int t = 0; t < 3; ++t) EXPECT_EQ(std::isnan(a[p.rows.at(e, t)]), e == 5 && t <= 1);
}

}  // namespace

// Environments through the CPU engine's tables: the distribution of fresh states, and the same bits in every lane type.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "cupg/environment.hpp"
#include "envs/cartpole.hpp"
#include "kernels/math/philox.hpp"
#include "src/engine/isa.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/guarded.hpp"
#include "tests/support/scale.hpp"

namespace {

using namespace cupg_test;
using cupg::kWarp;
constexpr int kCartPole = 0;  // id
constexpr int kState = cupg::CartPole::kStateSize;

struct Warps {
  Guarded<float> state;
  Guarded<std::uint32_t> age;
  explicit Warps(int warps) : state(warps * kState * kWarp), age(warps * kWarp) {}
  float at(int environment, int field) const { return state[(environment / kWarp * kState + field) * kWarp + environment % kWarp]; }
};

Warps fresh(const cupg::CpuOps& ops, int warps, std::uint64_t seed) {
  Warps w(warps);
  for (int i = 0; i < warps; ++i) ops.reset(kCartPole, w.state.data(), w.age.data(), seed, i);
  return w;
}

TEST(Reset, DrawsEveryCoordinateUniformlyAndIndependently) {
  const int warps = 4096, n = warps * kWarp;
  const Warps w = fresh(cupg::cpu_ops_for(cupg::Isa::scalar), warps, 20240607);
  double mean[kState] = {}, product[kState][kState] = {}, neighbor[kState] = {};
  int bins[kState][20] = {};
  for (int e = 0; e < n; ++e)
    for (int i = 0; i < kState; ++i) {
      const double x = static_cast<double>(w.at(e, i));
      ASSERT_GE(x, -0.05 - 1e-9);  // -0.05f itself lies 7e-10 below
      ASSERT_LT(x, 0.05);
      mean[i] += x / n;
      for (int j = 0; j < kState; ++j) product[i][j] += x * static_cast<double>(w.at(e, j)) / n;
      neighbor[i] += x * static_cast<double>(w.at((e + 1) % n, i)) / n;
      ++bins[i][static_cast<int>((x + 0.05 + 1e-9) / 0.1 * 20)];
    }
  // five standard errors of n draws; the seed is fixed, so a pass stays a pass
  const double variance = 0.1 * 0.1 / 12, error = 5 / std::sqrt(static_cast<double>(n));
  for (int i = 0; i < kState; ++i) {
    EXPECT_FALSE(!(std::abs(mean[i]) <= error * std::sqrt(variance)));
    EXPECT_FALSE(
        !(std::abs(product[i][i] / variance - 1) <= error * std::sqrt(0.8)));  // the square of a uniform number has relative variance 4/5
    EXPECT_FALSE(!(std::abs(neighbor[i]) <= error * variance)) << "between environments";
    for (int j = 0; j < i; ++j) EXPECT_FALSE(!(std::abs(product[i][j]) <= error * variance)) << "between coordinates " << i << " and " << j;
    double chi2 = 0;
    for (const int count : bins[i]) chi2 += (count - n / 20.0) * (count - n / 20.0) / (n / 20.0);
    EXPECT_FALSE(!(chi2 <= 19 + 5 * std::sqrt(2 * 19.0))) << "20 bins, coordinate " << i;
  }
}

TEST(Reset, TakesItsDrawsFromTheCounterOfTheEnvironment) {
  const std::uint64_t seed = 0x0123456789abcdefu;
  const Warps w = fresh(cupg::cpu_ops_for(cupg::Isa::scalar), 3, seed);
  for (int e = 0; e < 3 * kWarp; ++e) {
    const cupg::Philox4 words = cupg::philox4x32(static_cast<std::uint32_t>(e), 0, 1, 1, seed);  // step 0, purpose reset, block 1
    for (int i = 0; i < kState; ++i) {
      const float u = static_cast<float>(words.word[i] >> 8) * 0x1p-24f;
      EXPECT_EQ(w.at(e, i), std::fma(u, 0.1f, -0.05f));
    }
    EXPECT_EQ(w.age[e], 0u);
  }
}

TEST(Reset, SeedsDiffer) {
  const cupg::CpuOps& ops = cupg::cpu_ops_for(cupg::Isa::scalar);
  const Warps a = fresh(ops, 1, 1), b = fresh(ops, 1, 2), high = fresh(ops, 1, 1 + (std::uint64_t{1} << 32));
  EXPECT_FALSE(same_bits(a.state, b.state));
  EXPECT_FALSE(same_bits(a.state, high.state)) << "the upper half of the seed counts";
}

TEST(Reset, HasTheSameBitsInEveryLaneType) {
  const Warps want = fresh(cupg::cpu_ops_generic(), 3, 7);
  EXPECT_EQ(want.state.untouched() + want.age.untouched(), 0);
  for (const cupg::Isa isa : cupg::available_isas()) {
    const Warps got = fresh(cupg::cpu_ops_for(isa), 3, 7);
    EXPECT_TRUE(same_bits(want.state, got.state));
    EXPECT_TRUE(same_bits(want.age, got.age));
    EXPECT_TRUE(got.state.guards_intact() && got.age.guards_intact());
    count_comparison("reset", cupg::isa_name(cupg::cpu_ops_for(isa)));
  }
}

/// What a run of bench_env leaves.
struct Stepping {
  Warps warps;
  Guarded<float> observation;
  Guarded<std::uint32_t> terminated, truncated;
};

Stepping step_many(const cupg::CpuOps& ops, bool balance, int warps, int calls, int steps, std::uint64_t seed, int limit) {
  Stepping s{fresh(ops, warps, seed), Guarded<float>(warps * steps * 4 * kWarp), Guarded<std::uint32_t>(warps * steps),
             Guarded<std::uint32_t>(warps * steps)};
  cupg::BenchEnvArgs args;
  args.state = s.warps.state.data();
  args.age = s.warps.age.data();
  args.observation = s.observation.data();
  args.terminated = s.terminated.data();
  args.truncated = s.truncated.data();
  args.steps = steps;
  args.max_episode_steps = limit;
  args.balance = balance;
  args.key = seed;
  for (int c = 0; c < calls; ++c, args.step += static_cast<std::uint32_t>(steps))
    for (int w = 0; w < warps; ++w) ops.bench_env(kCartPole, args, w);
  return s;
}

TEST(Stepping, HasTheSameBitsInEveryLaneType) {
  for (const bool balance : {false, true})
    for (const int limit : {1, 9, 500}) {
      const int steps = 97, calls = scaled(8, 2);
      const Stepping want = step_many(cupg::cpu_ops_generic(), balance, 3, calls, steps, 11, limit);
      EXPECT_EQ(want.observation.untouched() + want.terminated.untouched() + want.truncated.untouched(), 0);
      count_shape("stepping, limit " + std::to_string(limit));
      for (const cupg::Isa isa : cupg::available_isas()) {
        const Stepping got = step_many(cupg::cpu_ops_for(isa), balance, 3, calls, steps, 11, limit);
        EXPECT_TRUE(same_bits(want.observation, got.observation));
        EXPECT_TRUE(same_bits(want.terminated, got.terminated));
        EXPECT_TRUE(same_bits(want.truncated, got.truncated));
        EXPECT_TRUE(same_bits(want.warps.state, got.warps.state));
        EXPECT_TRUE(same_bits(want.warps.age, got.warps.age));
        EXPECT_TRUE(got.observation.guards_intact() && got.terminated.guards_intact() && got.truncated.guards_intact());
        EXPECT_TRUE(got.warps.state.guards_intact() && got.warps.age.guards_intact());
        count_comparison("step", cupg::isa_name(cupg::cpu_ops_for(isa)), 3 * calls);
      }
    }
}

TEST(Stepping, EndsEpisodesAtTheLimitOrAtTheEdgeAndStartsAfresh) {
  // one environment followed with plain float steps: random actions are bits of Philox, each row holds the state before any reset
  const int steps = 200, limit = 20;
  const std::uint64_t seed = 5;
  const Stepping s = step_many(cupg::cpu_ops_for(cupg::Isa::automatic), false, 2, 1, steps, seed, limit);
  int terminations = 0, truncations = 0;
  for (const int e : {0, 31, 40}) {
    const int warp = e / kWarp, lane = e % kWarp;
    const auto draw = [&](std::uint32_t step, std::uint32_t purpose, std::uint32_t block) {
      return cupg::philox4x32(static_cast<std::uint32_t>(e), step, purpose, block, seed);
    };
    const auto reset = [](const cupg::Philox4& p) {
      float u[4];
      for (int i = 0; i < 4; ++i) u[i] = cupg::uniform01(p.word[i]);
      return cupg::CartPole::reset(u);
    };
    auto state = reset(draw(0, 1, 1));
    int age = 0;
    for (int t = 0; t < steps; ++t) {
      const std::uint32_t now = static_cast<std::uint32_t>(t);
      const bool right = (draw(now / 128, 5, 0).word[now / 32 % 4] >> (now % 32) & 1u) == 0;
      const bool terminated = cupg::CartPole::step(state, {right}).terminated, truncated = ++age >= limit;
      const std::int64_t row = warp * steps + t;
      float x[4];
      cupg::CartPole::observe(state, x);
      for (int i = 0; i < 4; ++i)
        ASSERT_EQ(bits_of(x[i]), bits_of(s.observation[(row * 4 + i) * kWarp + lane])) << "environment " << e << ", step " << t;
      ASSERT_EQ((s.terminated[row] >> lane & 1u) != 0, terminated);
      ASSERT_EQ((s.truncated[row] >> lane & 1u) != 0, truncated);
      terminations += terminated;
      truncations += truncated;
      if (terminated || truncated) state = reset(draw(now, 1, 0)), age = 0;
    }
  }
  EXPECT_GT(terminations, 5);
  EXPECT_GT(truncations, 5);
}

}  // namespace

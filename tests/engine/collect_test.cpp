// Collecting samples: the op step by step against plain CartPole, whole episodes, limits, random actions, and the values of the states
// before a reset.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "envs/cartpole.hpp"
#include "src/engine/reference.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/guarded.hpp"
#include "tests/support/scale.hpp"
#include "tests/support/shapes.hpp"

namespace {

using namespace cupg_test;
using cupg::CartPole;
using cupg::Config;
using cupg::kWarp;

constexpr std::uint32_t kReset = 1, kAction = 2;  // purposes, as frozen in the counter
constexpr cupg::SampleRow kRow{4};
constexpr int kStride = cupg::tile_padded(4);

/// Environments and everything that a step of them touches, between guards.
struct Scene {
  int envs, warps;
  std::int64_t capacity;
  std::uint64_t seed;
  Guarded<float> state, samples, outputs, observation, before, episode_return;
  Guarded<std::uint32_t> age, playing, done, truncated;
  std::uint32_t step = 0;

  Scene(int envs_, std::int64_t capacity_, std::uint64_t seed_)
      : envs(envs_),
        warps((envs_ + kWarp - 1) / kWarp),
        capacity(capacity_),
        seed(seed_),
        state(warps * 4 * kWarp),
        samples(envs * capacity * kRow.stride()),
        outputs(3 * warps * kWarp),
        observation(envs * kStride),
        before(envs * kStride),
        episode_return(warps * kWarp, 0.0f),
        age(warps * kWarp),
        playing(warps, 0u),
        done(warps),
        truncated(warps) {
    const cupg::CpuOps& ops = cupg::cpu_ops_for(cupg::Isa::automatic);
    for (int w = 0; w < warps; ++w) {
      ops.reset(0, state.data(), age.data(), seed, w);
      ops.observe_padded(0, state.data(), w, envs, observation.data());
    }
  }
  cupg::EpisodeTally collect(const cupg::CpuOps& ops, std::int64_t t, std::uint32_t limit, float epsilon, bool all) {
    cupg::CollectArgs a;
    a.state = state.data();
    a.age = age.data();
    a.episode_return = episode_return.data();
    a.samples = samples.data();
    a.capacity = capacity;
    a.t = t;
    a.envs = envs;
    a.episode_limit = limit;
    a.key = seed;
    a.step = step;
    a.epsilon = epsilon;
    a.outputs = outputs.data();
    a.outputs_stride = warps * kWarp;
    a.observation = observation.data();
    a.before = before.data();
    a.playing = all ? nullptr : playing.data();
    a.done = done.data();
    a.truncated = truncated.data();
    cupg::EpisodeTally tally;
    for (int w = 0; w < warps; ++w) tally += ops.collect(0, a, w);
    EXPECT_TRUE(state.guards_intact() && samples.guards_intact() && outputs.guards_intact() && observation.guards_intact() &&
                before.guards_intact() && episode_return.guards_intact() && age.guards_intact() && playing.guards_intact() &&
                done.guards_intact() && truncated.guards_intact());
    return tally;
  }
  float* sample(int e, std::int64_t t) { return samples.data() + (e * capacity + t) * kRow.stride(); }
  float& number(int e, int i) { return state[(e / kWarp * 4 + i) * kWarp + e % kWarp]; }
  bool bit(const Guarded<std::uint32_t>& flags, int e) const { return (flags[e / kWarp] >> (e % kWarp) & 1u) != 0; }
};

/// What a step should leave of one environment, from the contract.
struct Expected {
  CartPole::State<float> state;
  std::uint32_t age, length;
  float log_probability;
  bool right, terminated, truncated;
  float after[4], next[4];  // before a reset; what the next step sees

  Expected(Scene& s, int e, std::uint32_t limit, float epsilon) : state{s.number(e, 0), s.number(e, 1), s.number(e, 2), s.number(e, 3)} {
    const auto environment = static_cast<std::uint32_t>(e);
    const float z[2] = {s.outputs[e], s.outputs[s.warps * kWarp + e]};
    float log_p[2], p[2];
    cupg::softmax(z, log_p, p);
    const float u = static_cast<float>(cupg::philox4x32(environment, s.step / 4, kAction, 0, s.seed).word[s.step % 4] >> 8) * 0x1p-24f;
    right = cupg::TwoActions<float>::sample_mixed(z[1] - z[0], u, epsilon);
    const double mixed = 0.5 * static_cast<double>(epsilon) + (1 - static_cast<double>(epsilon)) * static_cast<double>(p[1]);
    if (std::abs(static_cast<double>(u) - mixed) > 1e-5) {  // beyond rounding
      EXPECT_EQ(right, static_cast<double>(u) < mixed);
    }
    log_probability = log_p[right ? 1 : 0];
    terminated = CartPole::step(state, {right}).terminated;
    length = age = s.age[e] + 1;
    truncated = !terminated && limit > 0 && age >= limit;
    CartPole::observe(state, after);
    if (terminated || truncated) {
      const cupg::Philox4 fresh = cupg::philox4x32(environment, s.step, kReset, 0, s.seed);
      float numbers[4];
      for (int i = 0; i < 4; ++i) numbers[i] = static_cast<float>(fresh.word[i] >> 8) * 0x1p-24f;
      state = CartPole::reset(numbers);
      age = 0;
    }
    CartPole::observe(state, next);
  }
};

template <class T>
std::vector<T> copy_of(const Guarded<T>& x) {
  return {x.span().begin(), x.span().end()};
}

TEST(Collect, EveryStepIsTheContractsAndIdleEnvironmentsDoNothing) {
  int ends = 0, cuts = 0, idle = 0;
  for (const int envs : {1, 7, 32, 37, 70})
    for (const cupg::Isa isa : cupg::available_isas())
      for (const bool all : {true, false})
        for (const std::uint32_t limit : {0u, 11u}) {
          const int steps = 40;
          const float epsilon = all ? 0.0f : 0.3f;
          Scene s(envs, steps, 17);
          s.step = 5;
          count_comparison("collect", text(isa));
          for (int t = 0; t < steps; ++t) {
            const std::vector<float> u =
                random_floats(static_cast<std::size_t>(s.outputs.size()), 3, static_cast<std::uint64_t>(1000 * envs + t));
            std::copy(u.begin(), u.end(), s.outputs.data());
            for (int w = 0; w < s.warps; ++w)  // a third of the lanes idle, some that are no environment named too
              s.playing[w] = cupg::philox4x32(static_cast<std::uint32_t>(w), static_cast<std::uint32_t>(t), 9, 9, 9).word[0] |
                             cupg::philox4x32(static_cast<std::uint32_t>(w), static_cast<std::uint32_t>(t), 9, 9, 9).word[1];
            if (t % 10 == 9)
              for (std::uint32_t& word : s.playing.span()) word = 0;
            for (std::uint32_t& word : s.done.span()) word = ~0u;
            for (std::uint32_t& word : s.truncated.span()) word = ~0u;
            std::vector<Expected> expected;
            for (int e = 0; e < envs; ++e) expected.emplace_back(s, e, limit, epsilon);
            const std::vector<float> state = copy_of(s.state), observation = copy_of(s.observation);
            const std::vector<std::uint32_t> age = copy_of(s.age);
            Scene was = s;
            const cupg::EpisodeTally tally = s.collect(cupg::cpu_ops_for(isa), t, limit, epsilon, all);
            ++s.step;
            cupg::EpisodeTally want;
            for (int e = 0; e < envs; ++e) {
              const Expected& x = expected[static_cast<std::size_t>(e)];
              float* const row = s.sample(e, t);
              if (!all && !s.bit(s.playing, e)) {
                ++idle;
                for (int i = 0; i < 4; ++i) ASSERT_EQ(bits_of(s.number(e, i)), bits_of(was.number(e, i)));
                ASSERT_EQ(s.age[e], was.age[e]);
                for (int i = 0; i < kStride; ++i)
                  ASSERT_EQ(bits_of(s.observation[e * kStride + i]), bits_of(was.observation[e * kStride + i]));
                for (int i = 0; i < kRow.stride(); ++i) ASSERT_EQ(bits_of(row[i]), bits_of(was.sample(e, t)[i]));
                ASSERT_FALSE(s.bit(s.done, e) || s.bit(s.truncated, e));
                continue;
              }
              const bool done = x.terminated || x.truncated;
              for (int i = 0; i < 4; ++i) {
                ASSERT_EQ(bits_of(row[i]), bits_of(observation[static_cast<std::size_t>(e * kStride + i)]));
                ASSERT_EQ(bits_of(s.observation[e * kStride + i]), bits_of(x.next[i]));
                if (!x.truncated) continue;
                ASSERT_EQ(bits_of(s.before[e * kStride + i]), bits_of(x.after[i])) << "s' before the reset";
              }
              ASSERT_EQ(cupg::float_bits(row[kRow.action()]), x.right ? 1u : 0u);
              ASSERT_EQ(cupg::float_bits(row[kRow.done()]), done ? 1u : 0u);
              ASSERT_EQ(bits_of(row[kRow.value()]), bits_of(s.outputs[2 * s.warps * kWarp + e]));
              ASSERT_EQ(bits_of(row[kRow.next_value()]), 0u);
              ASSERT_EQ(bits_of(row[kRow.log_probability()]), bits_of(x.log_probability));
              ASSERT_EQ(row[kRow.reward()], 1.0f);
              const float after[] = {x.state.x, x.state.x_dot, x.state.theta, x.state.theta_dot};
              for (int i = 0; i < 4; ++i) ASSERT_EQ(bits_of(s.number(e, i)), bits_of(after[i]));
              ASSERT_EQ(s.age[e], x.age);
              ASSERT_EQ(s.bit(s.done, e), done);
              ASSERT_EQ(s.bit(s.truncated, e), x.truncated);
              if (done) want += cupg::EpisodeTally{1, x.terminated ? 1 : 0, x.length, x.length * cupg::kReturnUnit};
              ends += x.terminated, cuts += x.truncated;
            }
            if (envs % kWarp != 0) {
              ASSERT_EQ(s.done[s.warps - 1] >> (envs % kWarp), 0u) << "lanes that are no environment never end";
            }
            ASSERT_EQ(tally.episodes, want.episodes);
            ASSERT_EQ(tally.terminated, want.terminated);
            ASSERT_EQ(tally.steps, want.steps);
            ASSERT_EQ(tally.returns, want.returns);
          }
        }
  EXPECT_GT(ends, 100);
  EXPECT_GT(cuts, 100);
  EXPECT_GT(idle, 100);
}

TEST(Collect, RandomActionsMixWithThePolicys) {
  // P(1) = 0.9 by the policy, epsilon 0.4: 0.2 + 0.6 * 0.9 = 0.74; the stored log-probability stays the policy's
  const int n = 20000;
  for (const cupg::Isa isa : cupg::available_isas())
    for (const float epsilon : {0.0f, 0.4f, 1.0f}) {
      Scene s(n, 1, 23);
      for (int e = 0; e < s.warps * kWarp; ++e) s.outputs[e] = 0.5f, s.outputs[s.warps * kWarp + e] = 0.5f + std::log(9.0f);
      s.collect(cupg::cpu_ops_for(isa), 0, 0, epsilon, true);
      int right = 0;
      for (int e = 0; e < n; ++e) {
        const bool one = cupg::float_bits(s.sample(e, 0)[kRow.action()]) == 1;
        right += one;
        EXPECT_NEAR(static_cast<double>(s.sample(e, 0)[kRow.log_probability()]), std::log(one ? 0.9 : 0.1), 1e-6);
      }
      const double p = 0.5 * static_cast<double>(epsilon) + (1 - static_cast<double>(epsilon)) * 0.9;
      EXPECT_FALSE(!(std::abs(right / static_cast<double>(n) - p) <= 4 * std::sqrt(p * (1 - p) / n))) << epsilon;  // four standard errors
    }
}

TEST(Collect, TheBehaviorBecomesThePolicyLinearly) {
  const cupg::Exploration e{.start = 0.4f, .end = 0.15f, .steps = 75000};
  EXPECT_EQ(cupg::behavior_epsilon(e, 0), 0.4f);
  EXPECT_NEAR(static_cast<double>(cupg::behavior_epsilon(e, 37500)), 0.275, 1e-7);
  EXPECT_NEAR(static_cast<double>(cupg::behavior_epsilon(e, 74999)), 0.15, 1e-5);
  EXPECT_NEAR(static_cast<double>(cupg::behavior_epsilon(e, 75000)), 0.15, 1e-7);
  EXPECT_EQ(cupg::behavior_epsilon(e, 75000), cupg::behavior_epsilon(e, 10'000'000));
  EXPECT_EQ(cupg::behavior_epsilon({}, 12345), 0);
}

// ---- whole updates ---------------------------------------------------------------------------------------------------

/// A linear policy that stays as it is.
Config frozen(Config c) {
  c.hidden = {};
  c.optimizer.kind = cupg::OptimizerKind::sgd;
  c.optimizer.learning_rate = 1e-30f;
  return c;
}

using Agent = cupg::reference::Agent<CartPole, cupg::ReinforceBaseline, float>;

TEST(Collect, AnUpdateHasOneWholeEpisodeOfEachEnvironment) {
  for (const int envs : {1, 5, 33}) {
    const Config c = episodes_config(envs);
    for (const auto& engine : {cpu_engine(c, cupg::Isa::automatic, 2), cpu_engine(c, cupg::Isa::scalar), reference_engine(c)}) {
      engine->reset(0, 3);
      for (int k = 0; k < scaled(20, 5); ++k) {
        const cupg::UpdateReport r = update(*engine, 1);
        EXPECT_EQ(r.episodes.episodes, envs);
        EXPECT_EQ(r.episodes.steps, r.env_steps) << "no step belongs to no episode";
        EXPECT_GE(r.env_steps, 8 * envs) << "CartPole stands for eight steps at least";
      }
    }
  }
}

TEST(Collect, EpisodesAreWholeAndStartAfresh) {
  const Config c = episodes_config(6);
  Agent agent(c, cupg::find_environment(c.environment));
  agent.reset(8);
  for (int k = 0; k < 5; ++k) {
    cupg::EpisodeTally tally;
    agent.collect(tally);
    int ended = 0;
    bool first = true;
    for (const auto& s : agent.samples) {
      for (const float x : s.observation) EXPECT_TRUE(!first || std::abs(x) <= 0.05f) << "the reset's range";
      first = s.done;
      ended += s.done;
    }
    EXPECT_TRUE(first) << "the last sample ends an episode";
    EXPECT_EQ(ended, 6);
    EXPECT_EQ(tally.episodes, 6);
  }
}

TEST(Collect, SamplesHoldThePolicysLogProbabilitiesAndTheValuesBeforeTheReset) {
  // CartPole's observation is its state, so that s' follows from the stored sample: V(s') is that of the state before any reset, 0
  // after a termination, and after a cut only where a cut counts as one
  for (const bool whole : {true, false})
    for (const cupg::Truncation truncation : {cupg::Truncation::bootstrap, cupg::Truncation::terminal}) {
      Config c = episodes_config(6);
      c.episode_limit = 17;
      c.advantage.truncation = truncation;
      if (!whole) c.collect = cupg::Collect::steps, c.horizon = 30;
      Agent agent(c, cupg::find_environment(c.environment));
      agent.reset(8);
      int cuts = 0, terminations = 0, open = 0;
      for (int k = 0; k < 10; ++k) {
        cupg::EpisodeTally tally;
        agent.collect(tally);
        for (const auto& s : agent.samples) {
          float d, value;
          agent.network().forward(agent.parameters.data(), s.observation, d, value);
          EXPECT_EQ(bits_of(s.value), bits_of(value));
          EXPECT_EQ(bits_of(s.log_probability), bits_of(cupg::TwoActions<float>::log_probability(d, s.action == 1)));
          CartPole::State<float> state{s.observation[0], s.observation[1], s.observation[2], s.observation[3]};
          const bool terminated = CartPole::step(state, {s.action == 1}).terminated;
          float after[4];
          CartPole::observe(state, after);
          value = agent.network().value(agent.parameters.data(), after);
          const bool future = !s.done || (!terminated && truncation == cupg::Truncation::bootstrap);
          EXPECT_EQ(bits_of(s.next_value), bits_of(future ? value : 0.0f));
          cuts += s.done && !terminated, terminations += terminated, open += !s.done;
        }
      }
      EXPECT_GT(cuts, 5);
      EXPECT_GT(terminations, 5);
      EXPECT_GT(open, 100);
    }
}

TEST(Collect, TheEpisodeLimitIsTheTrainingsOwn) {
  // a policy that balances: every episode is cut by the limit
  Config c = frozen(episodes_config(5));
  for (const std::int64_t limit : {1, 13, 700}) {
    c.episode_limit = limit;
    for (const auto& engine : {cpu_engine(c), reference_engine(c)}) {
      engine->reset(0, 1);
      engine->set_parameters(0, balancing(10));
      const cupg::UpdateReport r = update(*engine, 2);
      EXPECT_EQ(r.env_steps, 2 * 5 * limit);
      EXPECT_EQ(r.episodes.episodes, 10);
      EXPECT_EQ(r.episodes.terminated, 0);
    }
  }
  c.episode_limit.reset();
  const auto engine = cpu_engine(c);
  engine->reset(0, 1);
  engine->set_parameters(0, balancing(10));
  EXPECT_EQ(update(*engine, 1).env_steps, 5 * 500) << "the environment's own";
}

TEST(Collect, WithoutALimitAnEpisodeGoesOn) {
  Config c = frozen(episodes_config(4));
  c.collect = cupg::Collect::steps;
  c.horizon = 1300;
  for (const std::int64_t limit : {0, 600}) {
    c.episode_limit = limit;
    const auto engine = cpu_engine(c);
    engine->reset(0, 1);
    engine->set_parameters(0, balancing(10));
    const cupg::UpdateReport r = update(*engine, 2);  // 2,600 steps of each
    EXPECT_EQ(r.episodes.episodes, limit == 0 ? 0 : 4 * 4);
    EXPECT_EQ(r.env_steps, 4 * 2600);
  }
}

}  // namespace

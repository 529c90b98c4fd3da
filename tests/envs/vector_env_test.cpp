// VectorEnv: followed environment by environment with plain float steps, in every lane type; the same bits as a training's rollout; its
// steps against Gymnasium's (tests/golden); what it refuses, and that a step allocates nothing.
#include "cupg/vector_env.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <new>

#include "cupg/environment.hpp"
#include "cupg/error.hpp"
#include "envs/registry.hpp"
#include "kernels/math/philox.hpp"
#include "src/engine/isa.hpp"
#include "src/engine/network_plan.hpp"
#include "src/engine/warp_memory.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/guarded.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/rows.hpp"
#include "tests/support/scale.hpp"
#include "tests/support/shapes.hpp"

namespace {
std::atomic<int> allocations{0};
}
// not inlined: g++ 12 takes them for the library's
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* const memory = std::malloc(bytes); memory != nullptr) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

using namespace cupg_test;
using cupg::Isa;
using cupg::kWarp;
using cupg::VectorEnv;
using cupg::VectorStep;

constexpr std::uint64_t kSeed = 0x0123456789abcdefu;

/// Actions that depend on environment and step alone.
std::vector<int> some_actions(int envs, int actions, std::uint32_t t) {
  std::vector<int> chosen;
  for (int e = 0; e < envs; ++e)
    chosen.push_back(
        static_cast<int>(cupg::philox4x32(static_cast<std::uint32_t>(e), t, 1234, 0, 5).word[0] % static_cast<unsigned>(actions)));
  return chosen;
}

/// One environment, written from the contract: reset draws are those of (environment, step, reset, block).
template <class Env>
struct Follower {
  static constexpr int O = Env::kObservations;
  std::uint32_t environment, limit, step = 0, age = 0;
  std::uint64_t seed;
  typename Env::template State<float> state{};
  float observation[O], last[O] = {}, reward = 0;
  bool terminated = false, truncated = false;

  Follower(int e, std::uint32_t limit_, std::uint64_t seed_) : environment(static_cast<std::uint32_t>(e)), limit(limit_), seed(seed_) {
    reset(1);
    Env::observe(state, observation);
  }
  void reset(std::uint32_t block) {
    const cupg::Philox4 words = cupg::philox4x32(environment, step, 1, block, seed);
    float u[Env::kResetDraws];
    for (int i = 0; i < Env::kResetDraws; ++i) u[i] = static_cast<float>(words.word[i] >> 8) * 0x1p-24f;
    state = Env::reset(u);
    age = 0;
  }
  void take(int action) {
    const auto result = Env::step(state, cupg::Action<Env::kActions, float>::of(static_cast<std::uint32_t>(action)));
    reward = result.reward;
    terminated = result.terminated;
    truncated = ++age >= limit;
    if (terminated || truncated) {
      Env::observe(state, last);
      reset(0);
    }
    Env::observe(state, observation);
    ++step;
  }
};

struct Ends {
  int terminated = 0, truncated = 0, both = 0;
};

template <class Env>
Ends expect_followed(const cupg::EnvironmentInfo& info, int envs, std::optional<std::int64_t> limit, Isa isa, int steps) {
  constexpr std::size_t O = Env::kObservations;
  VectorEnv env(info.name, envs, kSeed, limit, isa);
  EXPECT_EQ(env.size(), envs);
  EXPECT_EQ(&env.environment(), &info);
  const std::int64_t longest = limit.value_or(info.max_episode_steps);
  std::vector<Follower<Env>> followers;
  for (int e = 0; e < envs; ++e) followers.emplace_back(e, longest == 0 ? ~0u : static_cast<std::uint32_t>(longest), kSeed);
  Ends ends;
  const auto expect_rows = [&](std::span<const float> rows, bool last) {
    ASSERT_EQ(rows.size(), followers.size() * O);
    for (std::size_t e = 0; e < followers.size(); ++e)
      ASSERT_TRUE(same_bits(std::span<const float>(last ? followers[e].last : followers[e].observation, O), rows.subspan(e * O, O))) << e;
  };
  expect_rows(env.observations(), false);
  for (int t = 0; t < steps; ++t) {
    SCOPED_TRACE(testing::Message() << info.name << ", " << envs << " environments, step " << t);
    const std::vector<int> actions = some_actions(envs, Env::kActions, static_cast<std::uint32_t>(t));
    const VectorStep& s = env.step(actions);
    EXPECT_EQ(s.rewards.size() + s.terminated.size() + s.truncated.size(), 3 * followers.size());
    for (std::size_t e = 0; e < followers.size(); ++e) {
      Follower<Env>& f = followers[e];
      f.take(actions[e]);
      EXPECT_EQ(bits_of(s.rewards[e]), bits_of(f.reward)) << e;
      EXPECT_EQ(s.terminated[e], f.terminated) << e;
      EXPECT_EQ(s.truncated[e], f.truncated) << e;
      ends.terminated += f.terminated;
      ends.truncated += f.truncated;
      ends.both += f.terminated && f.truncated;
    }
    expect_rows(s.observations, false);
    expect_rows(s.final_observations, true);
    if (testing::Test::HasFailure()) return ends;
  }
  count_comparison("vector step", isa_name(cupg::cpu_ops_for(isa)), steps);
  return ends;
}

TEST(VectorEnv, EveryEnvironmentDoesWhatItDoesAlone) {
  Ends cartpole, mountain_car;
  for (const cupg::EnvironmentInfo& info : cupg::environments())
    for (const int envs : {1, 31, 33, 2048})
      for (const std::optional<std::int64_t> limit : {std::optional<std::int64_t>{}, {1}, {12}, {0}})
        for (const Isa isa : cupg::available_isas()) {
          const int steps = envs == 2048 ? scaled(40, 14) : 230;  // beyond every limit that can be reached
          const Ends ends =
              cupg::with_environment(info.id, [&]<class Env>() { return expect_followed<Env>(info, envs, limit, isa, steps); });
          if (testing::Test::HasFailure()) return;
          EXPECT_EQ(limit == 0 && ends.truncated > 0, false) << "no limit";
          EXPECT_EQ(limit == 1, ends.truncated == envs * steps) << "every step is a whole episode";
          Ends& sum = info.name == "CartPole-v1" ? cartpole : mountain_car;
          if (limit == 12) sum.both += ends.both;
          if (limit == 12) sum.terminated += ends.terminated;
          if (!limit) sum.truncated += ends.truncated;
        }
  EXPECT_GT(cartpole.terminated, cartpole.both);
  EXPECT_GT(cartpole.both, 0) << "a limit may be reached in a step that terminates";
  EXPECT_GT(mountain_car.truncated, 0) << "the environment's own limit";
}

// A training's rollout acts with its network; VectorEnv with the actions that it took gives every observation, reward and end that it
// stored.
TEST(VectorEnv, SeesWhatTrainingSees) {
  constexpr int kEnvs = 33, kSteps = 90;
  constexpr std::uint32_t kLimit = 40;
  for (const cupg::EnvironmentInfo& info : cupg::environments()) {
    cupg::NetworkShape shape = shared_shape({16});
    shape.observations = info.observations;
    shape.actions = info.actions;
    const cupg::PackedNetwork network(shape);
    std::vector<float> parameters(static_cast<std::size_t>(parameter_count(shape)));
    for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i] = 0.4f * std::sin(static_cast<float>(i));
    cupg::AlignedArray<float> packed(cupg::padded(network.plan().packed));
    network.pack(parameters.data(), packed.data());

    const cupg::CpuOps& ops = cupg::cpu_ops_for(Isa::automatic);
    cupg::WarpMemory memory(info.id, 2);
    std::vector<Rows> rows;
    for (int w = 0; w < 2; ++w) {
      ops.reset(info.id, memory.state.data(), memory.age.data(), kSeed, w);
      rows.emplace_back(cupg::RowFeatures{{info.observations}, network.plan().policy_outputs + 1}, kSteps);
      cupg::RolloutArgs a;
      a.plan = &network.plan();
      a.weights = packed.data();
      a.state = memory.state.data();
      a.age = memory.age.data();
      a.episode_return = memory.episode_return.data();
      a.rows = rows.back().data.data();
      a.done = rows.back().done.data();
      a.used = rows.back().used.data();
      a.envs = kEnvs;
      a.steps = kSteps;
      a.episode_limit = kLimit;
      a.key = kSeed;
      cupg::EpisodeTally tally;
      ops.rollout(info.id, a, w, tally);
    }
    VectorEnv env(info.name, kEnvs, kSeed, kLimit);
    int ends = 0;
    for (int t = 0; t < kSteps; ++t) {
      std::vector<int> actions;
      for (int e = 0; e < kEnvs; ++e) {
        const Rows& r = rows[static_cast<std::size_t>(e / kWarp)];
        for (int i = 0; i < info.observations; ++i)
          ASSERT_EQ(bits_of(env.observations()[static_cast<std::size_t>(e * info.observations + i)]), bits_of(r.at(t, i, e % kWarp)))
              << info.name << ", environment " << e << ", step " << t;
        actions.push_back(static_cast<int>(cupg::float_bits(r.at(t, r.features.sample.action(), e % kWarp))));
      }
      const VectorStep& s = env.step(actions);
      for (int e = 0; e < kEnvs; ++e) {
        const Rows& r = rows[static_cast<std::size_t>(e / kWarp)];
        const auto at = static_cast<std::size_t>(e);
        EXPECT_EQ(s.rewards[at], r.at(t, r.features.sample.reward(), e % kWarp));
        EXPECT_EQ(s.terminated[at] || s.truncated[at], Rows::bit(r.done, t, e % kWarp));
        ends += s.terminated[at] || s.truncated[at];
      }
    }
    EXPECT_GE(ends, 2 * kEnvs) << info.name;
  }
}

/// Steps of Gymnasium, 32 at a time: its states in, its observations, rewards and terminations out. Returns how many terminated.
int expect_gymnasiums(const char* environment, const std::string& file, const std::vector<std::string>& fields,
                      const std::vector<std::string>& observations, double tolerance) {
  const Csv csv(golden_path(file));
  const cupg::EnvironmentInfo& info = cupg::find_environment(environment);
  const std::int64_t state_size = std::ssize(fields), O = info.observations;
  EXPECT_EQ(O, std::ssize(observations));
  int terminations = 0;
  for (const Isa isa : cupg::available_isas())
    for (std::size_t begin = 0; begin < csv.rows(); begin += kWarp) {
      const auto rows = static_cast<std::int64_t>(std::min<std::size_t>(kWarp, csv.rows() - begin));
      Guarded<float> state(state_size * kWarp, 0.0f), reward(kWarp), observation(O * kWarp), last(O * kWarp);
      Guarded<std::uint32_t> age(kWarp, 0u), action(kWarp, 0u);
      bool terminated[kWarp], truncated[kWarp];
      for (std::int64_t l = 0; l < rows; ++l) {
        for (std::int64_t i = 0; i < state_size; ++i)
          state[i * kWarp + l] = static_cast<float>(csv.number(fields[static_cast<std::size_t>(i)], begin + static_cast<std::size_t>(l)));
        action[l] = static_cast<std::uint32_t>(csv.number("action", begin + static_cast<std::size_t>(l)));
      }
      cupg::VectorStepArgs a;
      a.state = state.data();
      a.age = age.data();
      a.action = action.data();
      a.envs = kWarp;
      a.episode_limit = cupg::kNeverCut;
      a.observation = observation.data();
      a.reward = reward.data();
      a.terminated = terminated;
      a.truncated = truncated;
      a.final_observation = last.data();
      cupg::cpu_ops_for(isa).vector_step(info.id, a, 0);
      for (std::int64_t l = 0; l < rows; ++l) {
        const std::size_t row = begin + static_cast<std::size_t>(l);
        EXPECT_EQ(terminated[l], csv.text("terminated", row) == "1") << row;
        EXPECT_FALSE(truncated[l]);
        EXPECT_EQ(static_cast<double>(reward[l]), csv.number("reward", row)) << row;
        const Guarded<float>& got = terminated[l] ? last : observation;  // where it terminated, the other one is a fresh episode's
        for (std::int64_t i = 0; i < O; ++i) {
          const double want = csv.number(observations[static_cast<std::size_t>(i)], row),
                       difference = static_cast<double>(got[l * O + i]) - want;
          EXPECT_FALSE(!(std::abs(difference) <= tolerance))
              << "row " << row << " " << observations[static_cast<std::size_t>(i)] << ": " << difference;
          EXPECT_EQ(terminated[l], bits_of(last[l * O + i]) != kPoison) << "written where an episode ended, nowhere else";
        }
        terminations += terminated[l];
      }
      EXPECT_TRUE(state.guards_intact() && reward.guards_intact() && observation.guards_intact() && last.guards_intact() &&
                  age.guards_intact());
    }
  return terminations;
}

// Tolerances: the state and the step are rounded to float, the environments' own tests say how much that is. CartPole: velocities below 4,
// 2^-23 and an ulp of the acceleration's; MountainCar: positions below 1.2; Acrobot: velocities below 28.3 in four stages.
TEST(VectorEnv, CartPoleStepsAreGymnasiums) {
  EXPECT_GT(expect_gymnasiums("CartPole-v1", "cartpole_gymnasium.csv.gz", {"x", "x_dot", "theta", "theta_dot"},
                              {"obs_x", "obs_x_dot", "obs_theta", "obs_theta_dot"}, 2e-6),
            0);
}
TEST(VectorEnv, MountainCarStepsAreGymnasiums) {
  EXPECT_GT(
      expect_gymnasiums("MountainCar-v0", "mountaincar_gymnasium.csv.gz", {"position", "velocity"}, {"obs_position", "obs_velocity"}, 2e-7),
      0);
}
TEST(VectorEnv, AcrobotStepsAreGymnasiums) {
  int terminations = 0;
  for (const char* file : {"acrobot_random_gymnasium.csv.gz", "acrobot_goal_gymnasium.csv.gz"})
    terminations += expect_gymnasiums("Acrobot-v1", file, {"theta1", "theta2", "dtheta1", "dtheta2"},
                                      {"obs_cos1", "obs_sin1", "obs_cos2", "obs_sin2", "obs_dtheta1", "obs_dtheta2"}, 1e-4);
  EXPECT_GT(terminations, 0);
}

std::vector<float> copied(std::span<const float> x) { return {x.begin(), x.end()}; }

TEST(VectorEnv, ResetStartsFromTheBeginning) {
  VectorEnv env("CartPole-v1", 40, 7), other("CartPole-v1", 40, 8);
  const std::vector<float> first = copied(env.observations()), first_of_8 = copied(other.observations());
  const auto play = [](VectorEnv& e) {
    std::vector<float> all;
    for (std::uint32_t t = 0; t < 60; ++t) {
      const VectorStep& s = e.step(some_actions(40, 2, t));
      all.insert(all.end(), s.observations.begin(), s.observations.end());
      all.insert(all.end(), s.final_observations.begin(), s.final_observations.end());
    }
    return all;
  };
  const std::vector<float> want = play(env), want_of_8 = play(other);
  EXPECT_TRUE(same_bits(first, copied(env.reset())));
  EXPECT_TRUE(same_bits(want, play(env)));
  EXPECT_TRUE(same_bits(first_of_8, copied(env.reset(8))));
  EXPECT_TRUE(same_bits(want_of_8, play(env)));
  EXPECT_TRUE(same_bits(first_of_8, copied(env.reset()))) << "the seed stays";
  EXPECT_FALSE(same_bits(want, want_of_8));

  VectorEnv moved = std::move(other);
  EXPECT_TRUE(same_bits(first_of_8, copied(moved.reset())));
  EXPECT_TRUE(same_bits(want_of_8, play(moved)));
}

TEST(VectorEnv, StepAllocatesNothing) {
  for (const cupg::EnvironmentInfo& info : cupg::environments()) {
    VectorEnv env(info.name, 70, 1, 5);
    const std::vector<int> actions = some_actions(70, info.actions, 0);
    const int before = allocations;
    for (int t = 0; t < 50; ++t) env.step(actions);
    EXPECT_EQ(allocations, before);
    env.reset();
    EXPECT_EQ(allocations, before);
  }
}

TEST(VectorEnv, RefusesActionsThatAreNone) {
  VectorEnv env("MountainCar-v0", 33, 1), untouched("MountainCar-v0", 33, 1);
  const std::vector<int> good(33, 1);
  for (const int bad : {-1, 3, std::numeric_limits<int>::min(), std::numeric_limits<int>::max()})
    for (const std::size_t at : {std::size_t{0}, std::size_t{31}, std::size_t{32}}) {
      std::vector<int> actions(33, 2);
      actions[at] = bad;
      if (at < 32) actions[32] = 77;  // the first one is named
      EXPECT_EQ(message_of([&] { env.step(actions); }),
                "actions: number " + std::to_string(at) + " is " + std::to_string(bad) + "; expected 0 to 2 in MountainCar-v0");
    }
  for (const std::size_t count : {0u, 32u, 34u})
    EXPECT_EQ(message_of([&] { env.step(std::vector<int>(count, 1)); }),
              "actions: " + std::to_string(count) + " numbers; expected 33, one for each environment");
  EXPECT_TRUE(same_bits(copied(untouched.step(good).observations), copied(env.step(good).observations))) << "nothing has changed";
}

TEST(VectorEnv, RefusesWhatNoTrainingTakes) {
  const auto message = [](const char* name, int envs, std::optional<std::int64_t> limit = {}) {
    return message_of([&] { VectorEnv(name, envs, 1, limit); });
  };
  EXPECT_EQ(message("CartPole-v7", 1).substr(0, 34), "environment: unknown \"CartPole-v7\"");
  for (const int envs : {0, -1, 16777217})
    EXPECT_EQ(message("CartPole-v1", envs), "envs: " + std::to_string(envs) + "; expected a whole number from 1 to 16777216");
  for (const std::int64_t limit : {std::int64_t{-1}, std::int64_t{2000000001}})
    EXPECT_EQ(message("CartPole-v1", 1, limit).substr(0, 15 + std::to_string(limit).size()), "episode-limit: " + std::to_string(limit));
  EXPECT_EQ(message("CartPole-v1", 1, 2000000000), "");
}

}  // namespace

// The rollout op, step by step: what is stored, drawn, bootstrapped, counted and carried over, for fixed horizons and whole episodes. The
// simulation in here is written from the op's contract; the network comes from the reference.
#include <gtest/gtest.h>

#include <algorithm>

#include "cupg/environment.hpp"
#include "envs/registry.hpp"
#include "src/engine/isa.hpp"
#include "src/engine/network_plan.hpp"
#include "src/engine/reference.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/rows.hpp"
#include "tests/support/shapes.hpp"

namespace {

using namespace cupg_test;
using cupg::Acrobot;
using cupg::CartPole;
using cupg::kWarp;
using cupg::MountainCar;
using cupg::NetworkShape;

constexpr std::uint32_t kReset = 1, kAction = 2;  // purposes, as frozen in the counter

template <class Env>
int id_of() {
  return cupg::find_environment(std::is_same_v<Env, CartPole>  ? "CartPole-v1"
                                : std::is_same_v<Env, Acrobot> ? "Acrobot-v1"
                                                               : "MountainCar-v0")
      .id;
}
template <class Env>
NetworkShape shaped(NetworkShape shape) {
  shape.observations = Env::kObservations;
  shape.actions = Env::kActions;
  return shape;
}

struct Settings {
  std::int64_t steps = 16;
  std::uint32_t limit = 12;
  bool bootstrap = true, episodes = false, log_probabilities = true;
  float epsilon = 0;
};

/// An agent's environments between guards, and its packed weights.
template <class Env>
struct Scene {
  NetworkShape shape;
  cupg::PackedNetwork network;
  std::vector<float> parameters;
  int envs, warps;
  std::uint64_t seed;
  std::uint32_t step = 0;
  Guarded<float> packed, state, episode_return;
  Guarded<std::uint32_t> age;

  Scene(const NetworkShape& s, int envs_, std::uint64_t seed_)
      : shape(shaped<Env>(s)),
        network(shape),
        parameters(random_floats(static_cast<std::size_t>(parameter_count(shape)), 0.8f, seed_)),
        envs(envs_),
        warps((envs_ + kWarp - 1) / kWarp),
        seed(seed_),
        packed(cupg::padded(network.plan().packed), 0.0f),
        state(warps * Env::kStateSize * kWarp),
        episode_return(warps * kWarp, 0.0f),
        age(warps * kWarp) {
    network.pack(parameters.data(), packed.data());
    for (int w = 0; w < warps; ++w) cupg::cpu_ops_for(cupg::Isa::automatic).reset(id_of<Env>(), state.data(), age.data(), seed, w);
  }

  /// States, ages and returns of the environments, without those of idle lanes.
  std::vector<float> numbers() const {
    std::vector<float> all;
    for (int e = 0; e < envs; ++e) {
      for (int i = 0; i < Env::kStateSize; ++i) all.push_back(state[(e / kWarp * Env::kStateSize + i) * kWarp + e % kWarp]);
      all.push_back(cupg::bits_float(age[e]));
      all.push_back(episode_return[e]);
    }
    return all;
  }

  struct Result {
    std::vector<Rows> warp;
    std::vector<std::int64_t> counts;
    std::vector<std::uint32_t> lengths;
    cupg::EpisodeTally tally;
  };
  Result rollout(const cupg::CpuOps& ops, const Settings& s, bool keep = false) {
    const cupg::NetworkPlan& plan = network.plan();
    Result result;
    for (int w = 0; w < warps; ++w) {
      Rows& rows = result.warp.emplace_back(cupg::RowFeatures{{Env::kObservations}, plan.policy_outputs + 1}, s.steps,
                                            keep ? cupg::hidden_units(plan) : 0);
      Guarded<std::uint32_t> length(kWarp, 0u);
      cupg::RolloutArgs a;
      a.plan = &plan;
      a.weights = packed.data();
      a.state = state.data();
      a.age = age.data();
      a.episode_return = episode_return.data();
      a.rows = rows.data.data();
      a.done = rows.done.data();
      a.used = rows.used.data();
      a.length = length.data();
      a.hidden = rows.activations();
      a.units = rows.units;
      a.envs = envs;
      a.steps = s.steps;
      a.episodes = s.episodes;
      a.episode_limit = s.limit;
      a.bootstrap = s.bootstrap;
      a.log_probabilities = s.log_probabilities;
      a.key = seed;
      a.step = step;
      a.epsilon = s.epsilon;
      result.counts.push_back(ops.rollout(id_of<Env>(), a, w, result.tally));
      for (int l = 0; l < kWarp && w * kWarp + l < envs; ++l) result.lengths.push_back(length[l]);
      EXPECT_TRUE(rows.guards_intact() && length.guards_intact());
    }
    step += static_cast<std::uint32_t>(*std::max_element(result.counts.begin(), result.counts.end()));
    EXPECT_TRUE(packed.guards_intact() && state.guards_intact() && age.guards_intact() && episode_return.guards_intact());
    return result;
  }
};

/// One environment, followed step by step.
template <class Env>
struct Follower {
  static constexpr int O = Env::kObservations, A = Env::kActions, P = cupg::policy_outputs(A);
  const Scene<Env>& scene;
  cupg::reference::Network<float> network;
  std::uint32_t environment, step, age;
  float episode_return;
  typename Env::template State<float> state{};

  Follower(const Scene<Env>& s, int e)
      : scene(s),
        network(s.shape),
        environment(static_cast<std::uint32_t>(e)),
        step(s.step),
        age(s.age[e]),
        episode_return(s.episode_return[e]) {
    Env::each_field(state, [&](float& field, int i) { field = s.state[(e / kWarp * Env::kStateSize + i) * kWarp + e % kWarp]; });
  }
  struct Step {
    float x[O], z[P], value, next_value, log_probability, reward, episode_return;
    std::uint32_t action, length;
    bool done, terminated, truncated;
  };
  Step next(const Settings& settings) {
    Step r{};
    Env::observe(state, r.x);
    network.forward_outputs(scene.parameters.data(), r.x, r.z, r.value);
    const std::uint32_t word = cupg::philox4x32(environment, step / 4, kAction, 0, scene.seed).word[step % 4];
    const auto action = draw(r, static_cast<float>(word >> 8) * 0x1p-24f, settings.epsilon);
    r.action = action.number();
    const auto result = Env::step(state, action);
    r.reward = result.reward;
    r.terminated = result.terminated;
    r.episode_return = episode_return += result.reward;
    r.length = ++age;
    r.truncated = !r.terminated && age >= settings.limit;  // termination on the last step wins
    r.done = r.terminated || r.truncated;
    float after[O];
    Env::observe(state, after);  // before any reset
    r.next_value = r.terminated || (r.truncated && !settings.bootstrap) ? 0 : network.value(scene.parameters.data(), after);
    if (r.done) {
      const cupg::Philox4 fresh = cupg::philox4x32(environment, step, kReset, 0, scene.seed);
      float u[Env::kResetDraws];
      for (int i = 0; i < Env::kResetDraws; ++i) u[i] = static_cast<float>(fresh.word[i] >> 8) * 0x1p-24f;
      state = Env::reset(u);
      age = 0;
      episode_return = 0;
    }
    ++step;
    return r;
  }

 private:
  static cupg::Action<A, float> draw(Step& r, float u, float epsilon) {
    if constexpr (A == 2) {
      const bool second = cupg::TwoActions<float>::sample_mixed(r.z[0], u, epsilon);
      r.log_probability = cupg::TwoActions<float>::log_probability(r.z[0], second);
      return {second};
    } else {
      float log_p[A], p[A];
      cupg::softmax(r.z, log_p, p);
      const auto action = cupg::draw_action(r.z, p, u, epsilon);
      r.log_probability = log_p[action.number()];
      return action;
    }
  }
};

struct Ends {
  int terminated = 0, truncated = 0;
};
/// Every environment of every row against its follower, over several rollouts in a row.
template <class Env>
Ends expect_followed(Scene<Env>& scene, int rollouts, const Settings& settings) {
  using F = Follower<Env>;
  Ends ends;
  for (int k = 0; k < rollouts; ++k) {
    std::vector<F> followers;
    for (int e = 0; e < scene.envs; ++e) followers.emplace_back(scene, e);
    const auto result = scene.rollout(cupg::cpu_ops_for(cupg::Isa::automatic), settings);
    cupg::EpisodeTally want;
    std::vector<std::int64_t> counts(result.counts.size(), settings.episodes ? 0 : settings.steps);
    for (int e = 0; e < scene.envs; ++e) {
      F& f = followers[static_cast<std::size_t>(e)];
      const Rows& rows = result.warp[static_cast<std::size_t>(e / kWarp)];
      const cupg::SampleRow at = rows.features.sample;
      const int lane = e % kWarp;
      bool ended = false;
      std::int64_t t = 0;
      for (; t < settings.steps && !(settings.episodes && ended); ++t) {
        SCOPED_TRACE(testing::Message() << "environment " << e << ", step " << t);
        const typename F::Step s = f.next(settings);
        ended = s.done;
        for (int i = 0; i < F::O; ++i) EXPECT_EQ(bits_of(rows.at(t, i, lane)), bits_of(s.x[i]));
        for (int i = 0; i < F::P; ++i) EXPECT_EQ(bits_of(rows.at(t, rows.features.output() + i, lane)), bits_of(s.z[i]));
        EXPECT_EQ(bits_of(rows.at(t, at.value(), lane)), bits_of(s.value));
        EXPECT_EQ(bits_of(rows.at(t, at.next_value(), lane)), bits_of(s.next_value)) << "V(next)";
        EXPECT_EQ(bits_of(rows.at(t, at.reward(), lane)), bits_of(s.reward));
        EXPECT_EQ(cupg::float_bits(rows.at(t, at.action(), lane)), s.action);
        EXPECT_EQ(bits_of(rows.at(t, at.log_probability(), lane)), settings.log_probabilities ? bits_of(s.log_probability) : kPoison);
        EXPECT_EQ(Rows::bit(rows.done, t, lane), s.done);
        EXPECT_TRUE(Rows::bit(rows.used, t, lane));
        if (s.done) want += {1, s.terminated ? 1 : 0, s.length, cupg::counted_return(s.episode_return)};
        ends.terminated += s.terminated;
        ends.truncated += s.truncated;
        if (testing::Test::HasFailure()) return ends;
      }
      for (std::int64_t after = t; after < settings.steps; ++after) EXPECT_FALSE(Rows::bit(rows.used, after, lane)) << "its episode ended";
      if (settings.episodes) {
        EXPECT_EQ(result.lengths[static_cast<std::size_t>(e)], t);
        auto& count = counts[static_cast<std::size_t>(e / kWarp)];
        count = std::max(count, t);
      }
      const Follower carried(scene, e);
      EXPECT_EQ(carried.age, f.age) << "the age is carried over";
      EXPECT_EQ(bits_of(carried.episode_return), bits_of(f.episode_return)) << "the return is carried over";
      auto left = carried.state;
      std::vector<float> fields;
      Env::each_field(f.state, [&](float& field, int) { fields.push_back(field); });
      Env::each_field(left, [&](float& field, int i) {
        EXPECT_EQ(bits_of(field), bits_of(fields[static_cast<std::size_t>(i)])) << "the state is carried over, environment " << e;
      });
    }
    EXPECT_EQ(result.counts, counts);
    for (std::size_t w = 0; w < result.warp.size(); ++w)
      for (std::int64_t t = 0; t < settings.steps; ++t) {
        const Rows& rows = result.warp[w];
        EXPECT_EQ(rows.used[t] & ~cupg::lanes_in_use(scene.envs, static_cast<int>(w)), 0u) << "lanes that are no environment";
        EXPECT_TRUE(t < counts[w] || rows.done[t] == 0) << "a row that nobody fills";
      }
    EXPECT_EQ(result.tally.episodes, want.episodes) << "idle lanes are not counted";
    EXPECT_EQ(result.tally.terminated, want.terminated);
    EXPECT_EQ(result.tally.steps, want.steps);
    EXPECT_EQ(result.tally.returns, want.returns);
  }
  return ends;
}

const std::vector<NetworkShape>& shapes() {
  static const std::vector<NetworkShape> all = {shared_shape({16}), separate_shape({5}, {9}, cupg::Activation::tanh),
                                                separate_shape({6}, {}), shared_shape({}, cupg::Activation::relu, false)};
  return all;
}
template <class Env>
void expect_every_shape(int rollouts, const Settings& settings) {
  for (const NetworkShape& shape : shapes())
    for (const int envs : {1, 33, 40}) {
      SCOPED_TRACE(name(shape));
      Scene<Env> scene(shape, envs, 3);
      const Ends ends = expect_followed(scene, rollouts, settings);
      EXPECT_TRUE(ends.truncated > 0 || envs == 1);
      constexpr bool kFalls = std::is_same_v<Env, CartPole>;
      EXPECT_TRUE(ends.terminated > 0 || envs == 1 || !kFalls);
    }
}

TEST(Rollout, StoresWhatHappenedAndBootstrapsFromTheStateBeforeTheReset) {
  expect_every_shape<CartPole>(3, {});
  expect_every_shape<MountainCar>(2, {});
  expect_every_shape<Acrobot>(2, {});
}

TEST(Rollout, LanesStopAtTheEndOfTheirEpisodeAndGoOnFromItsReset) {
  // episodes of 8 to 13 steps, so that lanes, groups of lanes and warps end at different times
  const Settings whole{.steps = 13, .limit = 13, .episodes = true};
  expect_every_shape<CartPole>(3, whole);
  expect_every_shape<MountainCar>(2, whole);
  expect_every_shape<Acrobot>(2, whole);
}

TEST(Rollout, RandomActionsKeepThePolicysLogProbability) {
  for (const bool episodes : {false, true}) {
    const Settings settings{.steps = 13, .limit = 13, .episodes = episodes, .epsilon = 0.4f};
    Scene<CartPole> two(shared_shape({16}), 33, 13);
    Scene<MountainCar> three(shared_shape({16}), 33, 14);
    expect_followed(two, 2, settings);
    expect_followed(three, 2, settings);
  }
}

TEST(Rollout, WritesNoLogProbabilityThatNobodyReads) {
  Scene<CartPole> scene(shared_shape({16}), 33, 15);
  expect_followed(scene, 1, {.log_probabilities = false});
}

TEST(Rollout, TruncationMayCountAsTerminal) {
  for (const bool episodes : {false, true}) {
    Scene<CartPole> scene(shared_shape({16}), 33, 4);
    const Ends ends = expect_followed(scene, 2, {.steps = 30, .limit = 9, .bootstrap = false, .episodes = episodes});
    EXPECT_GT(ends.truncated, 20);
  }
}

TEST(Rollout, TerminationOnTheLastAllowedStepIsATermination) {
  // every step is the last allowed one, and some of them terminate
  Scene<CartPole> scene(shared_shape({16}), 64, 5);
  for (float& x : scene.state.span()) x = 0.209f;  // close to the limits of the angle, and moving outwards
  const Ends ends = expect_followed(scene, 1, {.steps = 3, .limit = 1});
  EXPECT_GE(ends.terminated, 64);
  EXPECT_GT(ends.truncated, 64);
}

TEST(Rollout, DrawsGoOnWhereAHorizonThatIsNoMultipleOfFourStopped) {
  for (const std::int64_t steps : {1, 2, 3, 5, 7}) {
    Scene<CartPole> scene(shared_shape({8}), 5, 6);
    expect_followed(scene, 6, {.steps = steps, .limit = 500});
  }
}

TEST(Rollout, StepNumbersMayBeLarge) {
  Scene<CartPole> scene(shared_shape({8}), 5, 7);
  scene.step = 0xfffffff0u;
  expect_followed(scene, 1, {.steps = 13, .limit = 500});
}

TEST(Rollout, TwoShortOnesAreOneLong) {
  const cupg::CpuOps& ops = cupg::cpu_ops_for(cupg::Isa::automatic);
  Scene<CartPole> whole(shared_shape({16}), 32, 8), parts(shared_shape({16}), 32, 8);
  const auto all = whole.rollout(ops, {.steps = 11, .limit = 20}), first = parts.rollout(ops, {.steps = 5, .limit = 20}),
             second = parts.rollout(ops, {.steps = 6, .limit = 20});
  EXPECT_TRUE(same_bits(whole.state, parts.state));
  EXPECT_TRUE(same_bits(whole.age, parts.age));
  EXPECT_TRUE(same_bits(whole.episode_return, parts.episode_return));
  const std::span<const float> rows = all.warp[0].data.span();
  const std::size_t split = static_cast<std::size_t>(first.warp[0].data.size());
  EXPECT_TRUE(same_bits(rows.first(split), first.warp[0].data.span()));
  EXPECT_TRUE(same_bits(rows.subspan(split), second.warp[0].data.span()));
}

TEST(Rollout, EnvironmentsDoNotDependOnHowManyThereAre) {
  for (const bool episodes : {false, true}) {
    const cupg::CpuOps& ops = cupg::cpu_ops_for(cupg::Isa::automatic);
    Scene<CartPole> few(shared_shape({16}), 3, 9), many(shared_shape({16}), 64, 9);
    const Settings settings{.steps = 20, .limit = 20, .episodes = episodes};
    const auto a = few.rollout(ops, settings), b = many.rollout(ops, settings);
    for (int e = 0; e < 3; ++e)
      for (std::int64_t t = 0; t < (episodes ? a.lengths[static_cast<std::size_t>(e)] : 20); ++t)
        for (int i = 0; i < a.warp[0].features.count(); ++i) EXPECT_EQ(bits_of(a.warp[0].at(t, i, e)), bits_of(b.warp[0].at(t, i, e)));
  }
}

template <class Env>
void expect_every_lane_type(const Settings& settings) {
  for (const NetworkShape& shape : small_structures(Env::kObservations, Env::kActions)) {
    Scene<Env> plain(shape, 40, 10);
    const auto want = plain.rollout(cupg::cpu_ops_generic(), settings);
    count_shape(name(shape));
    for (const cupg::Isa isa : cupg::available_isas())
      for (const bool keep : {false, true}) {
        Scene<Env> scene(shape, 40, 10);
        if (keep && cupg::hidden_units(scene.network.plan()) == 0) continue;
        const cupg::CpuOps& ops = cupg::cpu_ops_for(isa);
        const auto got = scene.rollout(ops, settings, keep);
        EXPECT_EQ(want.counts, got.counts) << name(shape);
        EXPECT_EQ(want.lengths, got.lengths) << name(shape);
        EXPECT_TRUE(same_bits(plain.numbers(), scene.numbers())) << name(shape);
        for (std::size_t w = 0; w < 2; ++w) EXPECT_TRUE(same_rows(want.warp[w], got.warp[w])) << name(shape) << ", " << ops.isa;
        count_comparison("rollout", ops.isa, 2 * settings.steps);
        if (!keep) continue;
        const cupg::reference::Network<float> network(scene.shape);
        for (int e = 0; e < 40; ++e) {
          const Rows& rows = got.warp[static_cast<std::size_t>(e / kWarp)];
          for (std::int64_t t = 0; t < settings.steps && Rows::bit(rows.used, t, e % kWarp); ++t) {
            float x[Env::kObservations], logits[Env::kActions], value = 0;
            for (int i = 0; i < Env::kObservations; ++i) x[i] = rows.at(t, i, e % kWarp);
            cupg::reference::Network<float>::Activations activations;
            network.forward_logits(scene.parameters.data(), x, logits, value, &activations);
            std::vector<float> h;
            if (shape.policy.layers() > 0) h = activations.policy.back();
            if (!shape.shared && shape.value.layers() > 0)
              h.insert(h.end(), activations.value.back().begin(), activations.value.back().end());
            for (int u = 0; u < rows.units; ++u)
              ASSERT_EQ(bits_of(rows.activation(t, u, e % kWarp)), bits_of(h[static_cast<std::size_t>(u)])) << name(shape);
          }
        }
      }
  }
}
TEST(Rollout, HasTheSameBitsInEveryLaneTypeAndKeepsTheActivations) {
  expect_every_lane_type<CartPole>({.steps = 9, .limit = 7});
  expect_every_lane_type<CartPole>({.steps = 14, .limit = 14, .episodes = true});
  expect_every_lane_type<Acrobot>({.steps = 5, .limit = 4, .epsilon = 0.2f});
}

}  // namespace

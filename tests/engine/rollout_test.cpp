// The rollout op, step by step: what is stored, drawn, bootstrapped, counted and carried over. The simulation in here is written
// from the op's contract; the network comes from the reference.
#include <gtest/gtest.h>

#include "envs/cartpole.hpp"
#include "src/engine/engine.hpp"
#include "src/engine/isa.hpp"
#include "src/engine/network_plan.hpp"
#include "src/engine/reference.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/rows.hpp"
#include "tests/support/shapes.hpp"

namespace {

using namespace cupg_test;
using cupg::kWarp;
using cupg::NetworkShape;

constexpr std::uint32_t kReset = 1, kAction = 2;  // purposes, as frozen in the counter

/// An agent's environments between guards, and its packed weights.
struct Scene {
  NetworkShape shape;
  cupg::PackedNetwork network;
  std::vector<float> parameters;
  int envs, warps;
  std::uint64_t seed;
  std::uint32_t step = 0;
  Guarded<float> packed, state;
  Guarded<std::uint32_t> age;

  Scene(const NetworkShape& s, int envs_, std::uint64_t seed_, float size = 0.8f)
      : shape(s),
        network(s),
        parameters(random_floats(static_cast<std::size_t>(parameter_count(s)), size, seed_)),
        envs(envs_),
        warps((envs_ + kWarp - 1) / kWarp),
        seed(seed_),
        packed(cupg::padded(network.plan().packed), 0.0f),
        state(warps * 4 * kWarp),
        age(warps * kWarp) {
    network.pack(parameters.data(), packed.data());
    for (int w = 0; w < warps; ++w) cupg::cpu_ops_for(cupg::Isa::automatic).reset(0, state.data(), age.data(), seed, w);
  }
  /// Activations that may be kept for the gradient: one-layer trunks only.
  int units() const {
    const cupg::NetworkPlan& plan = network.plan();
    return plan.policy.layers == 1 && (plan.shared || plan.value.layers == 1) ? plan.policy.width1 + plan.value.width1 : 0;
  }

  cupg::EpisodeTally rollout(const cupg::CpuOps& ops, Rows& rows, int limit, bool bootstrap) {
    Guarded<float> scratch(cupg::kMaxFusedWidth * kWarp);
    cupg::RolloutArgs a;
    a.plan = &network.plan();
    a.weights = packed.data();
    a.state = state.data();
    a.age = age.data();
    a.out = rows.view();
    a.envs = envs;
    a.horizon = rows.horizon;
    a.episode_limit = static_cast<std::uint32_t>(limit);
    a.bootstrap = bootstrap;
    a.key = seed;
    a.step = step;
    cupg::EpisodeTally tally;
    for (int w = 0; w < warps; ++w) tally += ops.rollout(0, a, w, scratch.data());
    step += static_cast<std::uint32_t>(rows.horizon);
    EXPECT_TRUE(rows.guards_intact() && state.guards_intact() && age.guards_intact() && scratch.guards_intact() && packed.guards_intact());
    return tally;
  }
};

/// One environment, followed step by step.
struct Follower {
  const Scene& scene;
  cupg::reference::Network<float> network;
  std::uint32_t environment, step, age = 0;
  cupg::CartPole::State<float> state;

  Follower(const Scene& s, int e) : scene(s), network(s.shape), environment(static_cast<std::uint32_t>(e)), step(s.step) {
    const float* at = s.state.data() + (e / kWarp * 4) * kWarp + e % kWarp;
    state = {at[0], at[kWarp], at[2 * kWarp], at[3 * kWarp]};
    age = s.age[e];
  }
  struct Step {
    float x[4], d, value, next_value;
    bool right, done, terminated, truncated;
    std::uint32_t length;
  };
  Step next(int limit, bool bootstrap) {
    Step r{};
    cupg::CartPole::observe(state, r.x);
    network.forward(scene.parameters.data(), r.x, r.d, r.value);
    const std::uint32_t word = cupg::philox4x32(environment, step / 4, kAction, 0, scene.seed).word[step % 4];
    r.right = cupg::TwoActions<float>::sample(r.d, static_cast<float>(word >> 8) * 0x1p-24f);
    r.terminated = cupg::CartPole::step(state, {r.right}).terminated;
    r.length = ++age;
    r.truncated = !r.terminated && age >= static_cast<std::uint32_t>(limit);  // termination on the last step wins
    r.done = r.terminated || r.truncated;
    float after[4], unused = 0;
    cupg::CartPole::observe(state, after);  // before any reset
    network.forward(scene.parameters.data(), after, unused, r.next_value);
    if (r.terminated || (r.truncated && !bootstrap)) r.next_value = 0;
    if (r.done) {
      const cupg::Philox4 fresh = cupg::philox4x32(environment, step, kReset, 0, scene.seed);
      float u[4];
      for (int i = 0; i < 4; ++i) u[i] = static_cast<float>(fresh.word[i] >> 8) * 0x1p-24f;
      state = cupg::CartPole::reset(u);
      age = 0;
    }
    ++step;
    return r;
  }
};

struct Ends {
  int terminated = 0, truncated = 0;
};
/// Every environment of every row against its follower, over several rollouts in a row.
Ends expect_followed(Scene& scene, int horizon, int rollouts, int limit, bool bootstrap) {
  Ends ends;
  for (int k = 0; k < rollouts; ++k) {
    std::vector<Follower> followers;
    for (int e = 0; e < scene.envs; ++e) followers.emplace_back(scene, e);
    Rows rows(scene.warps, horizon);
    const cupg::EpisodeTally tally = scene.rollout(cupg::cpu_ops_for(cupg::Isa::automatic), rows, limit, bootstrap);
    cupg::EpisodeTally want;
    for (int e = 0; e < scene.envs; ++e) {
      Follower& f = followers[static_cast<std::size_t>(e)];
      for (int t = 0; t < horizon; ++t) {
        const Follower::Step s = f.next(limit, bootstrap);
        for (int i = 0; i < 4; ++i) EXPECT_EQ(bits_of(rows.observed(e, t, i)), bits_of(s.x[i])) << "environment " << e << ", step " << t;
        EXPECT_EQ(bits_of(rows.policy[rows.at(e, t)]), bits_of(s.d));
        EXPECT_EQ(bits_of(rows.value[rows.at(e, t)]), bits_of(s.value));
        EXPECT_EQ(bits_of(rows.advantage[rows.at(e, t)]), bits_of(s.next_value)) << "V(next), environment " << e << ", step " << t;
        EXPECT_EQ(rows.flag(rows.action, e, t), s.right);
        EXPECT_EQ(rows.flag(rows.done, e, t), s.done);
        if (s.done) want += {1, s.terminated ? 1 : 0, s.length};
        ends.terminated += s.terminated;
        ends.truncated += s.truncated;
        if (testing::Test::HasFailure()) return ends;
      }
      EXPECT_EQ(scene.age[e], f.age) << "the age is carried over";
      const Follower carried(scene, e);
      EXPECT_EQ(bits_of(carried.state.theta_dot), bits_of(f.state.theta_dot)) << "the state is carried over";
    }
    EXPECT_EQ(tally.episodes, want.episodes) << "idle lanes are not counted";
    EXPECT_EQ(tally.terminated, want.terminated);
    EXPECT_EQ(tally.steps, want.steps);
  }
  return ends;
}

TEST(Rollout, StoresWhatHappenedAndBootstrapsFromTheStateBeforeTheReset) {
  for (const NetworkShape& shape : {shared_shape({16}), separate_shape({5}, {9}, cupg::Activation::tanh), separate_shape({6, 3}, {}),
                                    shared_shape({}, cupg::Activation::relu, false)})
    for (const int envs : {1, 33, 40}) {
      Scene scene(shape, envs, 3);
      const Ends ends = expect_followed(scene, 16, 3, 12, true);
      EXPECT_TRUE(ends.truncated > 0 || envs == 1);
      EXPECT_TRUE(ends.terminated > 0 || envs == 1);
    }
}

TEST(Rollout, TruncationMayCountAsTerminal) {
  Scene scene(shared_shape({16}), 33, 4);
  const Ends ends = expect_followed(scene, 30, 2, 9, false);
  EXPECT_GT(ends.truncated, 20);
}

TEST(Rollout, TerminationOnTheLastAllowedStepIsATermination) {
  // every step is the last allowed one, and some of them terminate
  Scene scene(shared_shape({16}), 64, 5);
  for (float& x : scene.state.span()) x = 0.209f;  // close to the limits of the angle, and moving outwards
  const Ends ends = expect_followed(scene, 3, 1, 1, true);
  EXPECT_GE(ends.terminated, 64);
  EXPECT_GT(ends.truncated, 64);
}

TEST(Rollout, DrawsGoOnWhereAHorizonThatIsNoMultipleOfFourStopped) {
  for (const int horizon : {1, 2, 3, 5, 7}) {
    Scene scene(shared_shape({8}), 5, 6);
    expect_followed(scene, horizon, 6, 500, true);
  }
}

TEST(Rollout, StepNumbersMayBeLarge) {
  Scene scene(shared_shape({8}), 5, 7);
  scene.step = 0xfffffff0u;
  expect_followed(scene, 13, 1, 500, true);
}

TEST(Rollout, TwoShortOnesAreOneLong) {
  const cupg::CpuOps& ops = cupg::cpu_ops_for(cupg::Isa::automatic);
  Scene whole(shared_shape({16}), 32, 8), parts(shared_shape({16}), 32, 8);
  Rows all(1, 11), first(1, 5), second(1, 6);
  whole.rollout(ops, all, 20, true);
  parts.rollout(ops, first, 20, true);
  parts.rollout(ops, second, 20, true);
  EXPECT_TRUE(same_bits(whole.state, parts.state));
  EXPECT_TRUE(same_bits(whole.age, parts.age));
  const std::int64_t split = 5 * kWarp;
  EXPECT_TRUE(same_bits(all.advantage.span().first(static_cast<std::size_t>(split)), std::span<const float>(first.advantage.span())));
  EXPECT_TRUE(same_bits(all.advantage.span().subspan(static_cast<std::size_t>(split)), std::span<const float>(second.advantage.span())));
}

TEST(Rollout, EnvironmentsDoNotDependOnHowManyThereAre) {
  const cupg::CpuOps& ops = cupg::cpu_ops_for(cupg::Isa::automatic);
  Scene few(shared_shape({16}), 3, 9), many(shared_shape({16}), 64, 9);
  Rows a(1, 9), b(2, 9);
  few.rollout(ops, a, 20, true);
  many.rollout(ops, b, 20, true);
  for (int e = 0; e < 3; ++e)
    for (int t = 0; t < 9; ++t) EXPECT_EQ(bits_of(a.value[a.at(e, t)]), bits_of(b.value[b.at(e, t)]));
}

TEST(Rollout, HasTheSameBitsInEveryLaneTypeWithAndWithoutKeptActivations) {
  for (const NetworkShape& shape : all_structures()) {
    const int horizon = 9, limit = 14;
    Scene plain(shape, 40, 10);
    const Scene start(shape, 40, 10);
    Rows want(2, horizon);
    plain.rollout(cupg::cpu_ops_generic(), want, limit, true);
    count_shape(name(shape));
    for (const cupg::Isa isa : cupg::available_isas())
      for (const bool keep : {false, true}) {
        if (keep && start.units() == 0) continue;
        const cupg::CpuOps& ops = cupg::cpu_ops_for(isa);
        Scene scene(shape, 40, 10);
        Rows got(2, horizon, keep ? scene.units() : 0);
        scene.rollout(ops, got, limit, true);
        EXPECT_TRUE(same_bits(want.observation, got.observation)) << name(shape);
        EXPECT_TRUE(same_bits(want.policy, got.policy)) << name(shape);
        EXPECT_TRUE(same_bits(want.value, got.value)) << name(shape);
        EXPECT_TRUE(same_bits(want.advantage, got.advantage)) << name(shape);
        EXPECT_TRUE(same_bits(want.action, got.action)) << name(shape);
        EXPECT_TRUE(same_bits(want.done, got.done)) << name(shape);
        EXPECT_TRUE(same_bits(plain.state, scene.state)) << name(shape);
        EXPECT_TRUE(same_bits(plain.age, scene.age)) << name(shape);
        EXPECT_EQ(got.observation.untouched() + got.policy.untouched() + got.value.untouched() + got.advantage.untouched() +
                      got.hidden.untouched(),
                  0);
        count_comparison("rollout", cupg::isa_name(ops), 2 * horizon);
      }
  }
}

TEST(Rollout, KeptActivationsAreTheForwardPasssAndLeaveTheGradientAsItIs) {
  for (const cupg::Isa isa : cupg::available_isas())
    for (const NetworkShape& shape : {shared_shape({16}), shared_shape({33}, cupg::Activation::tanh), separate_shape({5}, {9}),
                                      separate_shape({1}, {1}, cupg::Activation::tanh, false)}) {
      const cupg::CpuOps& ops = cupg::cpu_ops_for(isa);
      const int horizon = 7, envs = 40;
      const auto partials = [&](bool keep) {
        Scene scene(shape, envs, 11);
        Rows rows(scene.warps, horizon, keep ? scene.units() : 0);
        scene.rollout(ops, rows, 14, true);
        if (keep) {
          const cupg::reference::Network<float> network(shape);
          for (int e = 0; e < envs; ++e)
            for (int t = 0; t < horizon; ++t) {
              const float x[4] = {rows.observed(e, t, 0), rows.observed(e, t, 1), rows.observed(e, t, 2), rows.observed(e, t, 3)};
              float d = 0, value = 0;
              cupg::reference::Network<float>::Activations activations;
              network.forward(scene.parameters.data(), x, d, value, &activations);
              std::vector<float> h = activations.policy.back();
              if (!shape.shared) h.insert(h.end(), activations.value.back().begin(), activations.value.back().end());
              for (int u = 0; u < rows.units; ++u)
                EXPECT_EQ(bits_of(rows.hidden[((e / kWarp * (horizon + 1) + t) * rows.units + u) * kWarp + e % kWarp]),
                          bits_of(h[static_cast<std::size_t>(u)]));
            }
        }
        const cupg::NetworkPlan& plan = scene.network.plan();
        Guarded<float> workspace(cupg::gradient_workspace(plan)), sums(scene.warps * cupg::padded(plan.packed));
        cupg::GradientArgs g;
        g.plan = &plan;
        g.weights = scene.packed.data();
        g.data = rows.view();
        g.envs = envs;
        g.horizon = horizon;
        g.scale = 1.0f / (envs * horizon);
        g.coefficients = {0.01f, 0.5f};
        g.partials = sums.data();
        g.workspace = workspace.data();
        for (int w = 0; w < scene.warps; ++w) ops.gradient(0, g, w);
        EXPECT_TRUE(rows.guards_intact() && workspace.guards_intact() && sums.guards_intact());
        return sums;
      };
      EXPECT_TRUE(same_bits(partials(false), partials(true))) << name(shape);
      count_comparison("gradient", cupg::isa_name(ops), 2);
    }
}

}  // namespace

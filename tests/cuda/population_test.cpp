// The population kernels, many updates in one launch, against the ops one by one: by the CPU, and by the large-batch kernels.
#include <limits>

#include "tests/cuda/scene.hpp"
#include "tests/support/pairwise.hpp"

namespace {

using namespace cupg_test;
using cupg::Estimator;

using cupg::PopulationShape;

struct CudaPopulation : CudaTest {};

/// Of dynamic shared memory of a block.
constexpr std::size_t kMostShared = 227 * 1024 - static_cast<std::size_t>(cupg::kStaticShared);

/// Where an agent has paused for a check: plays it, and lets the agent go on if it fails. Returns whether it does.
bool fails_check(Scene& scene, int slot) {
  const cupg::Watch& watch = scene.agents.watch[slot];
  AgentState& state = scene.state(slot);
  if (state.halted != cupg::kPaused || state.diverged != 0 || watch.at_end() || !watch.due()) return false;
  float returns[128];
  scene.play(slot, {.episodes = cupg::kCheckEpisodes, .block = cupg::check_block(watch.checks)}, returns);
  if (!cupg::check_fails(scene.agents, slot, returns)) return false;
  state.halted = cupg::kRuns;
  return true;
}

int failed_checks = 0;

/// `updates` updates of every chosen agent by the CPU.
void train(Scene& scene, int updates) {
  scene.each_running([&](int slot) {
    for (int k = 0; k < updates && scene.state(slot).halted == 0; ++k) {
      scene.rollout(slot);
      scene.count(slot);
      scene.advantage(slot);
      if (scene.agents.normalize_over != MomentsOver::nothing) scene.moments(slot);
      for (int epoch = 0; epoch < scene.agents.epochs; ++epoch)
        for (int m = 0; m < scene.agents.minibatches && scene.state(slot).halted == 0; ++m) {
          if (scene.state(slot).stopped == 0) scene.gradient(slot, {epoch, m});
          scene.step(slot, {epoch, m});
        }
      failed_checks += fails_check(scene, slot);
    }
  });
}

/// What a population block leaves of agents: neither rows nor sums of single warps, nor moments.
void keep_results(Memory& memory, const Memory& other) {
  memory.rows = other.rows;
  memory.done = other.done;
  memory.used = other.used;
  memory.partials = other.partials;
  memory.moment_sums = other.moment_sums;
  memory.moments = other.moments;
}

/// One launch and its twin. The kernel gets rows for as many warps as it asks for.
void expect_trained(Scene& scene, const PopulationShape& form, int updates, std::size_t seed) {
  Scene start(scene.setting, row_warps(scene.agents, form));
  {
    Memory memory = start.memory;
    TiledAgents unused = start.agents;
    each_pair(memory, scene.memory, unused, scene.setting.slots, [](const char*, auto& to, const auto& from, auto&) {
      if (to.size() == from.size()) to = from;
    });
    start.set_memory(memory);
    start.agents.row_warps = row_warps(scene.agents, form);
  }
  OnDevice device(start);
  const Schedule schedule(seed);
  launch_population(device.stream, scene.environment, device.agents, form, updates, device.count());
  Memory got = device.read();
  if (form.fused && form.keep) {
    EXPECT_TRUE(same_bits(start.memory.partials, got.partials) && same_bits(start.memory.moment_sums, got.moment_sums))
        << "kept in shared memory";
  }
  train(scene, updates);
  form.fused ? keep_results(got, scene.memory) : forget_sums(scene, got);
  EXPECT_TRUE(same_memory(scene, got)) << scene.setting.text() << ", " << updates << " updates, " << form.block_warps << " warps, keep "
                                       << form.keep << ", shared rows " << form.shared_rows << ", fused " << form.fused << ", schedule "
                                       << seed;
  count_comparison("population", kEngine, updates * device.count());
  count_shape("population " + scene.setting.text());
}

TEST_F(CudaPopulation, HasTheCpusBits) {
  const int envs[] = {1, 31, 33, 64, 140, 1100}, horizons[] = {1, 3, 7, 20};
  const char* const algorithms[] = {"a2c", "ppo", "reinforce-baseline"};
  int launches = 0, paused = 0, epochs = 0, episodes = 0, forms[2][2] = {};
  failed_checks = 0;
  // shapes; the first two of these rows are the fused kernel's
  for (const auto& row : pairwise_table({kSmallShapes + 2, std::size(envs), std::size(horizons), 4, 4, 4, 3, kSchedules, 3, 3, 3, 3})) {
    Setting s;
    const bool fused = row[0] < 2;
    s.network(fused ? shared_shape({16}) : kernel_shapes()[row[0] - 2]);
    s.config.envs = envs[row[1]];
    s.config.horizon = horizons[row[2]];
    s.choose(row[3] % 2 == 1);
    s.config.advantage.normalize = row[3] >= 2;
    s.config.advantage.estimator = std::array{Estimator::gae, Estimator::nstep, Estimator::returns}[row[6]];
    PopulationShape form{static_cast<int>(row[5]) + 1, row[4] % 2 == 1, row[4] >= 2, fused};
    s.config.optimizer.kind = std::array{cupg::OptimizerKind::adam, cupg::OptimizerKind::rmsprop, cupg::OptimizerKind::sgd}[row[8]];
    s.config.algorithm = algorithms[row[9]];
    if (!fused) s.config.environment = std::array{"CartPole-v1", "MountainCar-v0", "Acrobot-v1"}[row[10]];
    if (!fused && row[9] == 1) {
      s.config.epochs = 2;
      s.config.minibatches = s.config.envs * s.config.horizon % 3 == 0 ? 3 : 1;
      s.config.objective.target_kl = row[5] == 0 ? 1e-4f : 0.0f;
      if (row[4] == 1) s.config.advantage.normalize_over = cupg::NormalizeOver::minibatch;
    }
    if (!fused && row[11] == 1) {
      s.whole_episodes();
      if (row[4] == 2) s.config.advantage.normalize_over = cupg::NormalizeOver::episode;
    }
    if (row[8] == 2) s.config.advantage.truncation = cupg::Truncation::terminal;
    if (row[8] == 1 && row[3] % 2 == 1) s.halted = {s.chosen[1]};
    if (row[6] == 1) s.config.optimizer.schedule = cupg::Schedule::exponential, s.config.optimizer.decay = 0.75f;
    if (row[6] == 2) s.config.optimizer.schedule = cupg::Schedule::linear, s.config.objective.loss = cupg::LossSum::sum;
    if (row[9] == 0) s.config.exploration = {.start = 0.5f, .end = 0.25f, .steps = 5000};
    const int updates = 1 + static_cast<int>(row[1] + row[2]) % 4;
    s.every = static_cast<int>(row[1] + row[6]) % 3;
    limit_work(s, (row[10] == 2 ? 5e6 : 3e7) * scale());
    Scene scene(s);
    if (fused) {
      ASSERT_TRUE(fuses(scene.environment, scene.agents)) << s.text();
    }
    form.block_warps = std::min(form.block_warps, scene.agents.warps);
    scene.start();
    bool* const parts[] = {&form.keep, &form.shared_rows};  // what does not fit into a block goes to global memory
    for (const int k : {launches % 2, 1 - launches % 2})
      if (population_bytes(scene.agents, form) > kMostShared) *parts[k] = false;
    expect_trained(scene, form, updates, row[7]);
    ++launches;
    if (fused) ++forms[form.keep][form.shared_rows];
    epochs += s.config.epochs > 1, episodes += scene.agents.episodes;
    for (const int slot : s.chosen) paused += scene.state(slot).halted == cupg::kPaused;
    if (HasFatalFailure() || HasNonfatalFailure()) return;
  }
  for (const auto& keep : forms)
    for (const int n : keep) EXPECT_GT(n, 1) << "every form of the fused kernel";
  EXPECT_GT(epochs, 10);
  EXPECT_GT(episodes, 10);
  EXPECT_GT(paused, 10) << "agents that are watched";
  EXPECT_GT(failed_checks, 10);
}

TEST_F(CudaPopulation, IsTheLargeBatchKernels) {
  for (const bool normalize : {false, true})
    for (const NetworkShape& shape : {shared_shape({16}), shared_shape({15}), separate_shape({7}, {5}, Activation::tanh)}) {
      Setting s;
      s.network(shape);
      s.config.envs = 180;  // six warps, four at a time
      s.config.horizon = 5;
      s.config.advantage.normalize = normalize;
      s.choose(true);
      Scene scene(s);
      scene.start();
      OnDevice one(scene), many(scene);
      constexpr int kUpdates = 3;
      const bool fused = fuses(scene.environment, scene.agents);
      launch_population(one.stream, scene.environment, one.agents, {4, true, false, fused}, kUpdates, one.count());
      for (int k = 0; k < kUpdates; ++k) {
        launch_rollout(many.stream, scene.environment, many.agents, many.count());
        launch_count(many.stream, many.agents, many.count());
        launch_advantage(many.stream, many.agents, many.count());
        launch_moments(many.stream, many.agents, many.count(), scene.agents.most_moment_partials);
        launch_gradient(many.stream, scene.environment, many.agents, many.count(), scene.agents.most_partials, {});
        launch_optimizer(many.stream, many.agents, many.count(), scene.agents.most_partials, {});
      }
      Memory a = one.read(), b = many.read();
      keep_results(a, b);
      scene.set_memory(a);
      EXPECT_TRUE(same_memory(scene, b)) << s.text();
      count_comparison("population", "large batch", kUpdates * one.count());
    }
}

TEST_F(CudaPopulation, OneLaunchOfManyUpdatesIsManyOfOne) {
  Setting s;
  s.config.envs = 70;
  s.config.horizon = 6;
  Scene scene(s);
  scene.start();
  OnDevice once(scene), often(scene);
  launch_population(once.stream, scene.environment, once.agents, {3, true, true, true}, 9, 1);
  for (int k = 0; k < 3; ++k) launch_population(often.stream, scene.environment, often.agents, {2, k == 1, true, true}, 3, 1);
  Memory a = once.read(), b = often.read();
  keep_results(a, b);
  scene.set_memory(a);
  EXPECT_TRUE(same_memory(scene, b));
}

TEST_F(CudaPopulation, AnAgentThatBreaksDownStopsThereAndTheOthersGoOn) {
  for (const bool keep : {true, false}) {
    Setting s;
    s.choose(true);
    s.config.optimizer.kind = cupg::OptimizerKind::sgd;
    s.config.optimizer.max_grad_norm = 0;
    s.config.optimizer.learning_rate = 1;
    Scene scene(s);
    scene.start();
    // so large weights that the second gradient or the third is not finite
    for (int i = 0; i < scene.agents.plan.parameters; ++i) scene.parameters(3)[i] *= 1e9f;
    scene.pack(3);
    expect_trained(scene, {2, keep, true, true}, 6, 1);
    EXPECT_EQ(scene.state(3).halted, 1u);
    EXPECT_LT(scene.state(3).updates, 3 + 6);
    EXPECT_EQ(scene.state(2).updates, 3 + 6);
  }
}

TEST_F(CudaPopulation, AParameterThatIsNotFiniteIsTold) {
  for (const bool fused : {true, false}) {
    Setting s;
    s.choose(true);
    s.every = 1;
    Scene scene(s);
    scene.start();
    // the second of two biases of the policy's head: packed weights have the difference, and the gradients stay finite
    scene.parameters(2)[60] = std::numeric_limits<float>::infinity();
    OnDevice device(scene);
    launch_population(device.stream, scene.environment, device.agents, {2, true, true, fused}, 3, device.count());
    scene.set_memory(device.read());
    EXPECT_EQ(scene.state(2).diverged, 1u);
    EXPECT_EQ(scene.state(2).halted, cupg::kPaused);
    EXPECT_EQ(scene.state(2).updates, 3 + 1);
    EXPECT_EQ(scene.state(6).diverged, 0u);
    EXPECT_EQ(scene.state(6).updates, 3 + 2) << "where its training ends";
  }
}

}  // namespace

// The population kernel, many updates in one launch, against the ops one by one: by the CPU, and by the large-batch kernels.
#include <limits>

#include "tests/cuda/scene.hpp"
#include "tests/support/pairwise.hpp"

namespace {

using namespace cupg_test;

struct CudaPopulation : CudaTest {};

/// `updates` updates of every chosen agent by the CPU.
void train(Scene& scene, int updates) {
  scene.each_running([&](int slot) {
    for (int k = 0; k < updates && scene.state(slot).halted == 0; ++k) {
      scene.rollout(slot);
      scene.advantage(slot);
      cupg::Moments moments;
      float mean = 0;
      if (scene.setting.normalize) moments = scene.moments(slot, mean);
      scene.gradient(slot, moments);
      scene.reduce(slot);
      scene.optimize(slot);
    }
  });
}

/// What lies in these arrays after a launch is nobody's business: rows and sums of single warps.
void forget_scratch(Memory& memory) {
  for (auto* array : {&memory.observation, &memory.policy, &memory.value, &memory.advantage, &memory.partials, &memory.moment_sums})
    *array = Guarded<float>();
  memory.action = memory.done = Guarded<std::uint32_t>();
}

/// One launch and its twin. The scene's trajectory has room for all warps; the kernel gets one with as much room as it asks for.
void expect_trained(Scene& scene, const PopulationForm& form, int updates, std::size_t seed) {
  Setting mine = scene.setting;
  cupg::Agents sizes_of = OnDevice(scene).agents;
  mine.kept = form.shared_rows ? 0 : kept_warps(sizes_of, form);
  Scene start(mine);
  start.memory.environments = scene.memory.environments;
  start.memory.age = scene.memory.age;
  start.memory.state = scene.memory.state;
  start.memory.parameters = scene.memory.parameters;
  start.memory.packed = scene.memory.packed;
  start.memory.gradient = scene.memory.gradient;
  start.memory.first_moment = scene.memory.first_moment;
  start.memory.second_moment = scene.memory.second_moment;
  OnDevice device(start, form.block_warps);
  const Schedule schedule(seed);
  launch_population(device.stream, device.agents, form, updates, device.count());
  Memory got = device.read();
  if (form.keep) {
    EXPECT_TRUE(same_bits(start.memory.partials, got.partials) && same_bits(start.memory.moment_sums, got.moment_sums))
        << "kept in shared memory";
  }
  if (form.shared_rows) {
    EXPECT_TRUE(same_bits(start.memory.observation, got.observation) && same_bits(start.memory.done, got.done));
  } else {
    for (int slot = 0; slot < mine.slots; ++slot)
      for (std::int64_t row = (slot + 1) * mine.rows() - 3; row < (slot + 1) * mine.rows(); ++row)
        EXPECT_TRUE(bits_of(got.action[row]) == Guarded<float>::kPoison && bits_of(got.value[row * kWarp + 31]) == Guarded<float>::kPoison)
            << "rows between two agents";
  }
  train(scene, updates);
  Memory want = scene.memory;
  forget_scratch(want);
  forget_scratch(got);
  EXPECT_TRUE(same_memory(want, got)) << scene.setting.text() << ", " << updates << " updates, " << form.block_warps << " warps, keep "
                                      << form.keep << ", shared rows " << form.shared_rows << ", schedule " << seed;
  count_comparison("population", kEngine, updates * device.count());
  count_shape("population " + scene.setting.text());
}

TEST_F(CudaPopulation, HasTheCpusBits) {
  const auto& shapes = kernel_shapes();
  const int envs[] = {1, 31, 33, 64, 140, 1100}, horizons[] = {1, 3, 7, 20}, nsteps[] = {0, 0, 3};
  int launches = 0, forms[2][2] = {};
  for (const auto& row : pairwise_table({shapes.size(), std::size(envs), std::size(horizons), 4, 4, 4, 3, kSchedules, 3})) {
    Setting s;
    s.network = shapes[row[0]];
    s.envs = envs[row[1]];
    s.horizon = horizons[row[2]];
    s.choose(row[3] % 2 == 1);
    s.normalize = row[3] >= 2;
    s.nstep = std::min(nsteps[row[6]], s.horizon);
    PopulationForm form{static_cast<int>(row[5]) + 1, row[4] % 2 == 1, row[4] >= 2};
    s.optimizer.kind = std::array{cupg::OptimizerKind::adam, cupg::OptimizerKind::rmsprop, cupg::OptimizerKind::sgd}[row[8]];
    s.bootstrap = row[8] != 2;
    if (row[8] == 1 && row[3] % 2 == 1) s.halted = {s.chosen[1]};
    const int updates = 1 + static_cast<int>(row[1] + row[2]) % 4;
    limit_work(s, 3e7 * scale());
    s.nstep = std::min(s.nstep, s.horizon);
    form.block_warps = std::min(form.block_warps, s.warps());
    Scene scene(s);
    scene.start();
    const cupg::Agents agents = OnDevice(scene).agents;  // what does not fit into a block goes to global memory
    bool* const parts[] = {&form.keep, &form.shared_rows};
    for (const int k : {launches % 2, 1 - launches % 2})
      if (population_bytes(agents, form) > kMostShared) *parts[k] = false;
    expect_trained(scene, form, updates, row[7]);
    ++launches, ++forms[form.keep][form.shared_rows];
    if (HasFatalFailure() || HasNonfatalFailure()) return;
  }
  for (const auto& keep : forms)
    for (const int n : keep) EXPECT_GT(n, 12) << "every form of the kernel";
}

TEST_F(CudaPopulation, IsTheLargeBatchKernels) {
  for (const bool normalize : {false, true})
    for (const NetworkShape& shape : {shared_shape({16}), separate_shape({7}, {5, 3}, Activation::tanh)}) {
      Setting s;
      s.network = shape;
      s.envs = 180;  // six warps, four at a time
      s.horizon = 5;
      s.normalize = normalize;
      s.choose(true);
      Scene scene(s);
      scene.start();
      OnDevice one(scene, 4), many(scene);
      constexpr int kUpdates = 3;
      launch_population(one.stream, one.agents, {4, true, false}, kUpdates, one.count());
      for (int k = 0; k < kUpdates; ++k) {
        launch_rollout(many.stream, many.agents, many.count());
        launch_advantage(many.stream, many.agents, many.count());
        if (normalize) launch_moments(many.stream, many.agents, many.count());
        launch_gradient(many.stream, many.agents, many.count(), 1000);
        launch_reduce(many.stream, many.agents, many.count());
        launch_optimizer(many.stream, many.agents, many.count());
      }
      Memory a = one.read(), b = many.read();
      forget_scratch(a);
      forget_scratch(b);
      for (int slot = 0; slot < s.slots; ++slot) {  // the large batch remembers its moments there
        const auto forget = [&](Memory& m) {
          scene.memory.state = m.state;
          scene.edit(slot, [](AgentState& x) { x.moments = {}, x.mean = 0; });
          m.state = scene.memory.state;
        };
        forget(a);
        forget(b);
      }
      EXPECT_TRUE(same_memory(a, b)) << s.text();
      count_comparison("population", "large batch", kUpdates * one.count());
    }
}

TEST_F(CudaPopulation, OneLaunchOfManyUpdatesIsManyOfOne) {
  Setting s;
  s.envs = 70;
  s.horizon = 6;
  Scene scene(s);
  scene.start();
  OnDevice once(scene), often(scene);
  launch_population(once.stream, once.agents, {3, true, true}, 9, 1);
  for (int k = 0; k < 3; ++k) {
    launch_population(often.stream, often.agents, {2, k == 1, true}, 3, 1);
  }
  Memory a = once.read(), b = often.read();
  forget_scratch(a);
  forget_scratch(b);
  EXPECT_TRUE(same_memory(a, b));
}

TEST_F(CudaPopulation, AnAgentThatBreaksDownStopsThereAndTheOthersGoOn) {
  for (const bool keep : {true, false}) {
    Setting s;
    s.choose(true);
    s.optimizer.kind = cupg::OptimizerKind::sgd;
    s.optimizer.max_grad_norm = 0;
    s.optimizer.learning_rate = 1;
    Scene scene(s);
    scene.start();
    // so large weights that the second gradient or the third is not finite
    for (int i = 0; i < scene.network.plan().parameters; ++i) scene.memory.parameters[3 * scene.parameter_stride + i] *= 1e9f;
    scene.network.pack(scene.memory.parameters.data() + 3 * scene.parameter_stride, scene.packed(3));
    expect_trained(scene, {2, keep, true}, 6, 1);
    EXPECT_EQ(scene.state(3).halted, 1u);
    EXPECT_LT(scene.state(3).optimizer.updates, 3 + 6);
    EXPECT_EQ(scene.state(2).optimizer.updates, 3 + 6);
  }
}

TEST_F(CudaPopulation, AParameterThatIsNotFiniteIsTold) {
  Setting s;
  s.choose(true);
  Scene scene(s);
  scene.start();
  // the second of two biases of the policy's head: packed weights have the difference, and the gradients stay finite
  scene.memory.parameters[2 * scene.parameter_stride + 60] = std::numeric_limits<float>::infinity();
  OnDevice device(scene);
  launch_population(device.stream, device.agents, {2, true, true}, 1, device.count());
  scene.memory = device.read();
  EXPECT_EQ(scene.state(2).diverged, 1u);
  EXPECT_EQ(scene.state(3).diverged, 0u);
}

}  // namespace

// Partial sums to new parameters: the reduce and optimizer kernels against the CPU's ops.
#include <limits>

#include "tests/cuda/scene.hpp"
#include "tests/support/pairwise.hpp"

namespace {

using namespace cupg_test;
using cupg::OptimizerKind;
using cupg::RmspropEps;
using cupg::Schedule;

struct CudaOptimizer : CudaTest {};
struct CudaReduce : CudaTest {};

/// Sums of different sizes, so that any other order of adding them has other bits.
void draw_partials(Scene& scene, float size) {
  const int columns = scene.agents.partial_columns, stride = cupg::partial_stride(scene.agents);
  for (int slot = 0; slot < scene.setting.slots; ++slot) {
    const int count = scene.partial_count(slot);
    const std::vector<float> x = random_floats(static_cast<std::size_t>(count * columns), size, 99 + static_cast<std::uint64_t>(slot));
    for (int p = 0; p < count; ++p)
      for (int i = 0; i < columns; ++i) {
        float& to = scene.partials(slot)[std::int64_t{p} * stride + i];
        to = x[static_cast<std::size_t>(p * columns + i)] * (p % 5 == 0 ? 256.0f : 1.0f);
        if (i == 3) to = -0.0f;  // stays so, unless a row that is not there is added
      }
  }
}

void expect_step(Scene& scene, MinibatchNumber number, std::size_t seed) {
  OnDevice device(scene);
  const cupg_test::Schedule schedule(seed);
  launch_optimizer(device.stream, device.agents, device.count(), scene.agents.most_partials, number);
  scene.each_running([&](int slot) { scene.step(slot, number); });
  Memory got = device.read();
  forget_sums(scene, got);
  EXPECT_TRUE(same_memory(scene, got)) << scene.setting.text() << ", schedule " << seed;
  count_comparison("optimizer", kEngine, device.count());
  count_shape("optimizer " + scene.setting.text());
}

TEST_F(CudaOptimizer, HasTheCpusBits) {
  for (const auto& row : pairwise_table({kSmallShapes, 4, 3, 3, 2, 2, kSchedules, 2, 2})) {
    Setting s;
    s.network(kernel_shapes()[row[0]]);
    s.config.envs = 40;
    s.choose(row[4] == 1);
    cupg::OptimizerSettings& o = s.config.optimizer;
    o.kind = std::array{OptimizerKind::adam, OptimizerKind::rmsprop, OptimizerKind::rmsprop, OptimizerKind::sgd}[row[1]];
    o.rmsprop_eps = row[1] == 2 ? RmspropEps::inside : RmspropEps::outside;
    o.max_grad_norm = std::array{0.0f, 0.5f, 1e6f}[row[2]];
    o.schedule = std::array{Schedule::constant, Schedule::linear, Schedule::exponential}[row[3]];
    o.decay = 0.75f;
    o.eps = 1e-5f;
    s.config.algorithm = "ppo";
    s.config.epochs = 2;
    s.config.minibatches = row[7] == 1 ? 7 : 1;
    if (row[8] == 1) s.config.objective.target_kl = 0.1f;
    if (row[5] == 1) s.halted = {s.chosen.back()};
    s.every = static_cast<int>(row[1] % 3);
    Scene scene(s);
    draw_partials(scene, 1.0f);
    for (const int slot : s.chosen)  // on either side of the target
      scene.partials(slot)[scene.agents.partial_columns - 1] = slot % 2 == 0 ? 300.0f : -300.0f;
    const MinibatchNumber first{0, s.config.minibatches - 1}, last{1, s.config.minibatches - 1};
    expect_step(scene, row[3] == 1 ? last : first, row[6]);
    if (HasNonfatalFailure()) return;
    for (const int slot : s.chosen) {
      if (scene.state(slot).halted == 0) {
        EXPECT_EQ(scene.state(slot).stopped, row[8] == 1 && slot % 2 == 0 ? 1u : 0u);
      }
    }
  }
}

TEST_F(CudaOptimizer, TheValuesNetworkHasARateOfItsOwn) {
  Setting s;
  s.network(separate_shape({7}, {3}));
  s.config.optimizer.value_learning_rate = 0.003f;
  Scene scene(s);
  draw_partials(scene, 1.0f);
  const std::vector<std::uint32_t> bits = cupg::value_network_bits(s.config.network());
  Stream stream;
  DeviceArray<std::uint32_t> there(stream, Guarded<std::uint32_t>(bits));
  OnDevice device(scene);
  device.agents.value_network = there.data();
  scene.agents.value_network = bits.data();
  launch_optimizer(device.stream, device.agents, 1, scene.agents.most_partials, {});
  scene.step(1, {});
  Memory got = device.read();
  forget_sums(scene, got);
  EXPECT_TRUE(same_memory(scene, got));
}

TEST_F(CudaOptimizer, ManyStepsInARow) {
  Setting s;
  s.network(separate_shape({33}, {5}));
  s.config.optimizer.schedule = Schedule::linear;
  s.config.update_limit = 10;
  Scene scene(s);
  for (int k = 0; k < 6; ++k) {
    draw_partials(scene, 0.1f * static_cast<float>(k));
    expect_step(scene, {}, static_cast<std::size_t>(k) % kSchedules);
  }
}

TEST_F(CudaOptimizer, AGradientThatIsNotFiniteChangesNothingAndHalts) {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity(), 3e38f})
    for (const int at : {0, 40, 113}) {
      Setting s;
      s.choose(true);
      Scene scene(s);
      draw_partials(scene, 1.0f);
      scene.partials(3)[at] = bad;
      const std::vector<float> before(scene.parameters(3), scene.parameters(3) + scene.agents.plan.parameters);
      const AgentState was = scene.state(3);
      expect_step(scene, {}, static_cast<std::size_t>(at) % kSchedules);
      const AgentState is = scene.state(3);
      EXPECT_EQ(is.halted, 1u);
      EXPECT_EQ(is.diverged, 0u);
      EXPECT_EQ(is.updates, was.updates);
      EXPECT_EQ(is.optimizer.updates, was.optimizer.updates);
      EXPECT_EQ(scene.state(2).halted, 0u) << "its neighbors go on";
      EXPECT_EQ(scene.state(2).updates, was.updates + 1);
      EXPECT_TRUE(same_bits(before, std::vector<float>(scene.parameters(3), scene.parameters(3) + scene.agents.plan.parameters)));
    }
}

TEST_F(CudaOptimizer, AParameterThatIsNotFiniteIsTold) {
  for (const int at : {0, 100, 130}) {
    Setting s;
    s.choose(true);
    if (at == 130) s.every = 2;  // a look, where it pauses
    Scene scene(s);
    draw_partials(scene, 1.0f);
    scene.parameters(6)[at] = std::numeric_limits<float>::infinity();
    expect_step(scene, {}, 1);
    EXPECT_EQ(scene.state(6).diverged, 1u);
    EXPECT_EQ(scene.state(6).halted, at == 130 ? cupg::kPaused : cupg::kRuns);
    EXPECT_EQ(scene.state(0).diverged, 0u);
  }
}

TEST_F(CudaReduce, IsTheTreeForAnyNumberOfPartialSums) {
  const int all[] = {1, 2, 3, 31, 32, 33, 63, 64, 65, 1000, 1024, 1025, 1100};
  for (const auto& row : pairwise_table({std::size(all), 4, 2, kSchedules})) {
    Setting s;
    s.network(std::vector{shared_shape({}), shared_shape({16}), separate_shape({33}, {9}), separate_shape({7}, {})}[row[1]]);
    s.config.envs = all[row[0]] * kWarp;
    s.config.horizon = 1;
    s.config.optimizer.max_grad_norm = 0;
    s.choose(row[2] == 1 && s.config.envs < 5000);
    Scene scene(s, 0);
    draw_partials(scene, 1.0f);
    expect_step(scene, {}, row[3]);
    if (HasFatalFailure() || HasNonfatalFailure()) return;
  }
}

}  // namespace

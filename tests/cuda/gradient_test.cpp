// The gradient kernel of small networks against the CPU's ops.
#include "tests/cuda/scene.hpp"
#include "tests/support/pairwise.hpp"

namespace {

using namespace cupg_test;
using cupg::NormalizeOver;

struct CudaGradient : CudaTest {};

void expect_gradient(Scene& scene, MinibatchNumber number, std::size_t seed) {
  OnDevice device(scene);
  const Schedule schedule(seed);
  launch_gradient(device.stream, scene.environment, device.agents, device.count(), scene.agents.most_partials + 1,
                  number);  // one is nobody's
  scene.each_running([&](int slot) {
    if (scene.state(slot).stopped == 0) scene.gradient(slot, number);
  });
  EXPECT_TRUE(same_memory(scene, device.read())) << scene.setting.text() << ", schedule " << seed;
  count_comparison("gradient", kEngine, scene.agents.warps * device.count());
  count_shape("gradient " + scene.setting.text());
}

/// Whole rollouts, in minibatches and not, in the first epoch and later.
TEST_F(CudaGradient, HasTheCpusBits) {
  const int envs[] = {1, 31, 32, 33, 600}, horizons[] = {1, 7, 96}, minibatches[] = {1, 1, 2, 3};
  const char* const algorithms[] = {"a2c", "ppo", "reinforce-baseline", "reinforce"};
  for (const auto& row : pairwise_table({kSmallShapes, std::size(envs), std::size(horizons), 2, 4, kSchedules, 4, 2, 3, 2, 2})) {
    Setting s;
    s.network(kernel_shapes()[row[0]]);
    s.config.envs = envs[row[1]];
    s.config.horizon = horizons[row[2]];
    s.choose(row[3] == 1);
    s.config.algorithm = algorithms[row[4]];
    s.config.epochs = 2;
    s.config.minibatches = minibatches[row[6]];
    s.config.environment = std::array{"CartPole-v1", "MountainCar-v0", "Acrobot-v1"}[row[8]];
    s.config.advantage.normalize = row[7] == 1;
    if (row[7] == 1 && row[5] == 1) s.config.advantage.normalize_over = NormalizeOver::minibatch;
    if (row[9] == 1) s.halted = {s.chosen.back()};
    if (row[10] == 1) s.config.objective.target_kl = 0.01f, s.config.objective.value_clip = 0.1f;
    if (row[10] == 1) s.config.objective.loss = cupg::LossSum::sum, s.config.objective.clip_schedule = cupg::ClipSchedule::linear;
    limit_work(s, (row[8] == 2 ? 1e7 : 5e7) * scale());
    if (row[6] == 1 && row[4] != 1) s.whole_episodes(), s.config.envs = std::min(s.config.envs, 70);
    if (s.config.collect == cupg::Collect::episodes && row[7] == 1) s.config.advantage.normalize_over = NormalizeOver::episode;
    Scene scene(s);
    scene.play_with_advantages();
    const int epoch = row[2] == 1 ? 1 : 0;
    expect_gradient(scene, {epoch, s.config.minibatches - 1}, row[5]);
    if (HasFatalFailure() || HasNonfatalFailure()) return;
  }
}

TEST_F(CudaGradient, OfEveryWidthUpToNine) {
  for (int width = 1; width <= 9; ++width)
    for (const NetworkShape& shape : {shared_shape({width}), separate_shape({width}, {10 - width}, Activation::tanh)}) {
      Setting s;
      s.network(shape);
      s.config.envs = 40;
      s.config.horizon = 3;
      Scene scene(s);
      scene.play_with_advantages();
      expect_gradient(scene, {}, static_cast<std::size_t>(width) % kSchedules);
    }
}

TEST_F(CudaGradient, AnAgentThatHasStoppedIsLeftAlone) {
  Setting s;
  s.choose(true);
  Scene scene(s);
  scene.play_with_advantages();
  scene.state(3).stopped = 1;
  expect_gradient(scene, {1, 0}, 1);
}

TEST_F(CudaGradient, NaNStaysVisible) {
  for (const NetworkShape& shape : {shared_shape({16}), separate_shape({5}, {})}) {
    Setting s;
    s.network(shape);
    Scene scene(s);
    scene.play_with_advantages();
    scene.feature(1, 3, 0, scene.features.sample.advantage()) = std::nanf("");
    OnDevice device(scene);
    launch_gradient(device.stream, scene.environment, device.agents, device.count(), scene.agents.most_partials, {});
    scene.set_memory(device.read());
    EXPECT_TRUE(std::isnan(scene.partials(1)[scene.network.plan().policy.head_bias]));
  }
}

}  // namespace

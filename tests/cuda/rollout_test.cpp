// Reset, rollout and count kernels against the CPU's ops.
#include "tests/cuda/scene.hpp"
#include "tests/support/pairwise.hpp"

namespace {

using namespace cupg_test;

struct CudaReset : CudaTest {};
struct CudaRollout : CudaTest {};

TEST_F(CudaReset, DrawsTheCpusEnvironmentsOfTheChosenAgents) {
  for (const int envs : {1, 31, 32, 33, 127, 129, 1000})
    for (const bool many : {false, true})
      for (std::size_t seed = 0; seed < kSchedules; ++seed) {
        Setting s;
        s.config.envs = envs;
        s.config.environment = std::array{"CartPole-v1", "MountainCar-v0", "Acrobot-v1"}[seed % 3];
        s.choose(many);
        s.halted = {s.chosen[0]};  // a reset is for them, too
        Scene scene(s);
        OnDevice device(scene);
        const Schedule schedule(seed);
        launch_reset(device.stream, scene.environment, device.agents, device.count());
        for (const int slot : s.chosen) scene.reset(slot);
        EXPECT_TRUE(same_memory(scene, device.read())) << s.text();
        count_comparison("reset", kEngine, scene.agents.warps * device.count());
      }
}

/// One rollout against the CPU.
Memory expect_rollout(Scene& scene, std::size_t seed) {
  OnDevice device(scene);
  const Schedule schedule(seed);
  launch_rollout(device.stream, scene.environment, device.agents, device.count());
  launch_count(device.stream, device.agents, device.count());
  scene.each_running([&](int slot) { scene.rollout(slot), scene.count(slot); });
  Memory got = device.read();
  EXPECT_TRUE(same_memory(scene, got)) << scene.setting.text() << ", schedule " << seed;
  count_comparison("rollout", kEngine, scene.agents.warps * static_cast<std::int64_t>(scene.setting.chosen.size()));
  return got;
}

TEST_F(CudaRollout, HasTheCpusBits) {
  const int envs[] = {1, 31, 32, 33, 1000}, horizons[] = {1, 7, 128}, limits[] = {5, 14, 0};
  unsigned long long episodes = 0, truncated = 0;
  for (const auto& row : pairwise_table({kSmallShapes, std::size(envs), std::size(horizons), 2, 2, kSchedules, 3, 2, 3, 2, 2, 2})) {
    Setting s;
    s.network(kernel_shapes()[row[0]]);
    s.config.envs = envs[row[1]];
    s.config.horizon = horizons[row[2]];
    s.choose(row[3] == 1);
    if (row[4] == 0) s.config.advantage.truncation = cupg::Truncation::terminal;
    s.config.episode_limit = limits[row[6]];
    if (row[7] == 1) s.halted = {s.chosen.back()};
    if (row[6] == 1) s.step = 0xfffffffdu;  // wraps
    s.config.environment = std::array{"CartPole-v1", "MountainCar-v0", "Acrobot-v1"}[row[8]];
    if (row[9] == 1) s.config.exploration = {.start = 0.5f, .end = 0.25f, .steps = 5000};
    if (row[10] == 1) s.config.algorithm = "ppo";  // which reads log-probabilities
    limit_work(s, (row[8] == 2 ? 5e6 : 5e7) * scale());
    if (row[11] == 1) s.whole_episodes(), s.config.episode_limit = 30, s.config.envs = std::min(s.config.envs, 70);
    Scene scene(s);
    scene.start();
    expect_rollout(scene, row[5]);
    if (HasFatalFailure() || HasNonfatalFailure()) return;
    for (const int slot : s.chosen) {
      const cupg::EpisodeCounts counts = scene.state(slot).episodes;
      episodes += counts.episodes - 1000;
      truncated += counts.episodes - 1000 - (counts.terminated - 100);
    }
    count_shape(s.text());
  }
  EXPECT_GT(truncated, 100u);
  EXPECT_GT(episodes - truncated, 100u);
}

TEST_F(CudaRollout, WritesAllOfItsRowsAndNoOthers) {
  Setting s;
  s.config.envs = 70;
  s.choose(true);
  Scene scene(s);
  scene.start();
  const Memory got = expect_rollout(scene, 1);
  const std::int64_t agents = std::ssize(s.chosen), idle = s.slots - agents, rows = std::int64_t{scene.agents.warps} * s.config.horizon;
  const int written = scene.features.count() - 4;  // log p, the flag that has words of its own, the value's output, and what makes them odd
  EXPECT_EQ(got.rows.untouched(), (idle * scene.features.count() + agents * (scene.features.count() - written)) * rows * kWarp);
  for (const auto* array : {&got.done, &got.used}) EXPECT_EQ(array->untouched(), idle * rows);
}

TEST_F(CudaRollout, GoesOnWhereTheLastOneStopped) {
  for (const bool episodes : {false, true})
    for (const NetworkShape& shape : {shared_shape({16}), separate_shape({3}, {4})}) {
      Setting s;
      s.network(shape);
      s.config.envs = 70;
      s.config.horizon = 3;
      if (episodes) s.whole_episodes();
      Scene scene(s);
      scene.start();
      for (int k = 0; k < 6; ++k) scene.set_memory(expect_rollout(scene, static_cast<std::size_t>(k) % kSchedules));
    }
}

TEST_F(CudaRollout, NaNParametersStayVisible) {
  Setting s;
  Scene scene(s);
  scene.start();
  scene.packed(1)[7] = std::nanf("");
  OnDevice device(scene);
  launch_rollout(device.stream, scene.environment, device.agents, device.count());
  scene.set_memory(device.read());  // NaNs have many bits, so only ask whether they are there
  for (int e = 0; e < kWarp; ++e)
    EXPECT_TRUE(std::isnan(scene.feature(1, e, 0, scene.features.output())) ||
                std::isnan(scene.feature(1, e, 0, scene.features.sample.value())));
}

}  // namespace

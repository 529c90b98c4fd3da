// Reset and rollout kernels against the CPU's ops.
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
        Setting setting;
        setting.envs = envs;
        setting.choose(many);
        setting.halted = {setting.chosen[0]};  // a reset is for them, too
        Scene scene(setting);
        OnDevice device(scene);
        const Schedule schedule(seed);
        launch_reset(device.stream, device.agents, device.count());
        for (const int slot : setting.chosen) scene.reset(slot);
        EXPECT_TRUE(same_memory(scene.memory, device.read())) << setting.text();
        count_comparison("reset", kEngine, scene.warps * device.count());
      }
}

/// One launch against the CPU.
Memory expect_rollout(Scene& scene, std::size_t seed) {
  OnDevice device(scene);
  const Schedule schedule(seed);
  launch_rollout(device.stream, device.agents, device.count());
  scene.each_running([&](int slot) { scene.rollout(slot); });
  Memory got = device.read();
  EXPECT_TRUE(same_memory(scene.memory, got)) << scene.setting.text() << ", schedule " << seed;
  count_comparison("rollout", kEngine, scene.warps * static_cast<std::int64_t>(scene.setting.chosen.size()));
  return got;
}

TEST_F(CudaRollout, HasTheCpusBits) {
  const auto& shapes = kernel_shapes();
  const auto& envs = kernel_envs();
  const auto& horizons = kernel_horizons();
  const int limits[] = {5, 14, 500};
  unsigned long long episodes = 0, truncated = 0;
  for (const auto& row : pairwise_table({shapes.size(), envs.size(), horizons.size(), 2, 2, kSchedules, 3, 2})) {
    Setting s;
    s.network = shapes[row[0]];
    s.envs = envs[row[1]];
    s.horizon = horizons[row[2]];
    s.choose(row[3] == 1);
    s.bootstrap = row[4] == 1;
    s.limit = limits[row[6]];
    if (row[7] == 1) s.halted = {s.chosen.back()};
    if (row[6] == 1) s.step = 0xfffffffdu;  // wraps
    limit_work(s, 1e8 * scale());
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
  s.envs = 70;
  s.choose(true);
  Scene scene(s);
  scene.start();
  const Memory got = expect_rollout(scene, 1);
  const std::int64_t rows = std::int64_t{s.slots} * s.rows(),
                     written = static_cast<std::int64_t>(s.chosen.size()) * scene.warps * s.horizon;
  EXPECT_EQ(got.observation.untouched(), (rows - written) * 4 * kWarp);
  for (const auto* array : {&got.policy, &got.value, &got.advantage}) EXPECT_EQ(array->untouched(), (rows - written) * kWarp);
  for (const auto* array : {&got.action, &got.done}) EXPECT_EQ(array->untouched(), rows - written);
}

TEST_F(CudaRollout, GoesOnWhereTheLastOneStopped) {
  for (const NetworkShape& shape : {shared_shape({16}), separate_shape({3}, {4, 2})}) {
    Setting s;
    s.network = shape;
    s.envs = 70;
    s.horizon = 3;
    Scene scene(s);
    scene.start();
    for (int k = 0; k < 6; ++k) {
      const Memory got = expect_rollout(scene, static_cast<std::size_t>(k) % kSchedules);
      scene.memory = got;
      for (const int slot : s.chosen) scene.edit(slot, [&](AgentState& a) { a.step += 3; });
    }
  }
}

TEST_F(CudaRollout, NaNParametersStayVisible) {
  Setting s;
  Scene scene(s);
  scene.start();
  scene.packed(1)[7] = std::nanf("");
  OnDevice device(scene);
  launch_rollout(device.stream, device.agents, device.count());
  const Memory got = device.read();  // NaNs have many bits, so only ask whether they are there
  for (int l = 0; l < kWarp; ++l) EXPECT_TRUE(std::isnan(got.policy[s.rows() * kWarp + l]) || std::isnan(got.value[s.rows() * kWarp + l]));
}

}  // namespace

// Advantage and moment kernels against the CPU's ops.
#include "tests/cuda/scene.hpp"
#include "tests/support/pairwise.hpp"

namespace {

using namespace cupg_test;
using cupg::Estimator;
using cupg::NormalizeOver;

struct CudaAdvantage : CudaTest {};
struct CudaMoments : CudaTest {};

TEST_F(CudaAdvantage, HasTheCpusBits) {
  const int envs[] = {1, 31, 32, 33, 1000}, horizons[] = {1, 7, 128}, nsteps[] = {1, 5, 128};  // 128: the whole rollout
  for (const auto& row : pairwise_table({std::size(envs), std::size(horizons), 5, 2, 2, kSchedules, 2, 2})) {
    Setting s;
    s.network(shared_shape({1}));
    s.config.envs = envs[row[0]];
    s.config.horizon = horizons[row[1]];
    if (row[2] >= 2) s.config.advantage.estimator = Estimator::nstep, s.config.advantage.nstep = nsteps[row[2] - 2];
    if (row[2] == 1) s.config.advantage.estimator = Estimator::returns;
    if (row[6] == 1) s.config.algorithm = "reinforce";  // learns no value
    s.choose(row[3] == 1);
    if (row[4] == 1) s.halted = {s.chosen.back()};
    limit_work(s, 5e7 * scale());
    if (row[7] == 1) s.whole_episodes(), s.config.envs = std::min(s.config.envs, 70);
    Scene scene(s);
    scene.play();
    OnDevice device(scene);
    const Schedule schedule(row[5]);
    launch_advantage(device.stream, device.agents, device.count());
    scene.each_running([&](int slot) { scene.advantage(slot); });
    EXPECT_TRUE(same_memory(scene, device.read())) << s.text() << ", schedule " << row[5];
    count_comparison("advantage", kEngine, scene.agents.warps * device.count());
    count_shape("advantage " + s.text());
  }
}

/// Means and deviations of all groups.
void expect_moments(Scene& scene, std::size_t seed) {
  OnDevice device(scene);
  const Schedule schedule(seed);
  launch_moments(device.stream, device.agents, device.count(), scene.agents.most_moment_partials);
  Memory got = device.read();
  scene.each_running([&](int slot) { scene.moments(slot); });
  forget_sums(scene, got);
  EXPECT_TRUE(same_memory(scene, got)) << scene.setting.text() << ", schedule " << seed;
  count_comparison("moments", kEngine, device.count());
  count_shape("moments " + scene.setting.text());
}

/// Advantages of different sizes, so that any other order of adding them has other bits.
void draw_advantages(Scene& scene) {
  for (int slot = 0; slot < scene.setting.slots; ++slot) {
    const std::vector<float> x =
        random_floats(static_cast<std::size_t>(scene.agents.envs * scene.agents.capacity), 3.0f, static_cast<std::uint64_t>(slot));
    std::size_t i = 0;
    for (int e = 0; e < scene.agents.envs; ++e)
      for (int t = 0; t < scene.agents.capacity; ++t, ++i)
        scene.feature(slot, e, t, scene.features.sample.advantage()) = x[i] * (i % 17 == 0 ? 64.0f : 1.0f) + 0.25f;
    for (int w = 0; w < scene.agents.warps && !scene.agents.episodes; ++w)
      std::fill_n(scene.agents.used + cupg::row_index(scene.agents, slot, w), scene.agents.capacity,
                  cupg::lanes_in_use(scene.agents.envs, w));
  }
}

TEST_F(CudaMoments, OfABatchOfAnyNumberOfWarps) {
  for (const auto& row : pairwise_table({9, 3, 2, kSchedules})) {
    const int warps[] = {1, 2, 31, 32, 33, 64, 257, 1000, 1100}, horizons[] = {1, 2, 7};
    Setting s;
    s.network(shared_shape({1}));
    s.config.envs = warps[row[0]] * kWarp - static_cast<int>(row[0] + row[1]) % 5 * 7;  // a full last warp and others
    s.config.horizon = horizons[row[1]];
    s.choose(row[2] == 1 && s.config.envs < 2000);
    s.config.advantage.normalize = true;
    if (row[2] == 1) s.halted = {s.chosen.size() == 1 ? 0 : s.chosen.back()};
    Scene scene(s);
    draw_advantages(scene);
    expect_moments(scene, row[3]);
  }
}

TEST_F(CudaMoments, OfEveryMinibatchOfAllEpochs) {
  const std::pair<int, int> batches[] = {{4, 36}, {33, 12}, {70, 60}, {64, 64}};
  for (const auto& [envs, horizon] : batches)
    for (const int minibatches : {2, 3}) {
      Setting s;
      s.network(shared_shape({1}));
      s.config.algorithm = "ppo";
      s.config.envs = envs;
      s.config.horizon = horizon;
      s.config.epochs = 2;
      s.config.minibatches = minibatches;
      s.config.advantage.normalize = true;
      s.config.advantage.normalize_over = NormalizeOver::minibatch;
      s.choose(minibatches == 3);
      if (s.config.batch() % minibatches != 0) continue;
      Scene scene(s);
      draw_advantages(scene);
      expect_moments(scene, static_cast<std::size_t>(envs) % kSchedules);
    }
}

TEST_F(CudaMoments, OfEveryEpisode) {
  for (const int envs : {1, 33, 70})
    for (const auto over : {NormalizeOver::episode, NormalizeOver::batch}) {
      Setting s;
      s.config.envs = envs;
      s.whole_episodes();
      s.config.advantage.normalize = true;
      s.config.advantage.normalize_over = over;
      s.choose(envs == 33);
      Scene scene(s);
      scene.play_with_advantages();
      expect_moments(scene, 2);
    }
}

TEST_F(CudaMoments, OfEqualAdvantagesAndOfNaN) {
  for (const float value : {0.0f, 2.5f, std::nanf("")}) {
    Setting s;
    s.config.envs = 40;
    s.config.horizon = 3;
    s.config.advantage.normalize = true;
    Scene scene(s);
    draw_advantages(scene);
    for (int e = 0; e < s.config.envs; ++e)
      for (int t = 0; t < s.config.horizon; ++t) scene.feature(1, e, t, scene.features.sample.advantage()) = value;
    expect_moments(scene, 0);
    EXPECT_EQ(std::isnan(value), std::isnan(scene.agents.moments[1].mean));
  }
}

}  // namespace

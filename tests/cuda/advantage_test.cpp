// Advantage and moment kernels against the CPU's ops.
#include "tests/cuda/scene.hpp"
#include "tests/support/pairwise.hpp"

namespace {

using namespace cupg_test;

struct CudaAdvantage : CudaTest {};
struct CudaMoments : CudaTest {};

TEST_F(CudaAdvantage, HasTheCpusBits) {
  const auto& envs = kernel_envs();
  const auto& horizons = kernel_horizons();
  const int nsteps[] = {0, 1, 5, 128};  // GAE, ..., the whole rollout
  for (const auto& row : pairwise_table({envs.size(), horizons.size(), 4, 2, 2, kSchedules})) {
    Setting s;
    s.network = shared_shape({1});
    s.envs = envs[row[0]];
    s.horizon = horizons[row[1]];
    s.nstep = std::min(nsteps[row[2]], s.horizon);
    s.choose(row[3] == 1);
    if (row[4] == 1) s.halted = {s.chosen.back()};
    limit_work(s, 5e7 * scale());
    s.nstep = std::min(s.nstep, s.horizon);
    Scene scene(s);
    scene.play();
    OnDevice device(scene);
    const Schedule schedule(row[5]);
    launch_advantage(device.stream, device.agents, device.count());
    scene.each_running([&](int slot) { scene.advantage(slot); });
    EXPECT_TRUE(same_memory(scene.memory, device.read())) << s.text() << ", schedule " << row[5];
    count_comparison("advantage", kEngine, scene.warps * device.count());
    count_shape("advantage " + s.text());
  }
}

/// Means and deviations; of the sums only the tree's root is promised.
void expect_moments(Scene& scene, std::size_t seed) {
  OnDevice device(scene);
  const Schedule schedule(seed);
  launch_moments(device.stream, device.agents, device.count());
  Memory got = device.read();
  scene.each_running([&](int slot) {
    float mean = 0;
    const cupg::Moments moments = scene.moments(slot, mean);
    scene.edit(slot, [&](AgentState& a) { a.moments = moments, a.mean = mean; });
    for (int w = 1; w < scene.warps; ++w) {
      const std::int64_t at = std::int64_t{slot} * scene.warps + w;
      EXPECT_TRUE(std::isfinite(got.moment_sums[at])) << "every warp has a sum";
      got.moment_sums[at] = scene.memory.moment_sums[at];
    }
  });
  EXPECT_TRUE(same_memory(scene.memory, got)) << scene.setting.text() << ", schedule " << seed;
  count_comparison("moments", kEngine, device.count());
  count_shape("moments " + scene.setting.text());
}

TEST_F(CudaMoments, HaveTheCpusBitsForAnyNumberOfWarps) {
  for (const auto& row : pairwise_table({9, 3, 2, kSchedules})) {
    const int warps[] = {1, 2, 31, 32, 33, 64, 257, 1000, 1100}, horizons[] = {1, 2, 7};
    Setting s;
    s.network = shared_shape({1});
    s.envs = warps[row[0]] * kWarp - static_cast<int>(row[0] + row[1]) % 5 * 7;  // a full last warp and others
    s.horizon = horizons[row[1]];
    s.choose(row[2] == 1 && s.envs < 2000);
    s.normalize = true;
    if (row[2] == 1) s.halted = {s.chosen.back()};
    if (row[2] == 1 && s.chosen.size() == 1) s.halted = {0};
    Scene scene(s);
    // advantages of different sizes, so that any other order of adding them has other bits
    for (int slot = 0; slot < s.slots; ++slot) {
      float* const a = scene.trajectory(slot).advantage;
      const auto count = static_cast<std::size_t>(scene.warps * s.horizon * kWarp);
      const std::vector<float> x = random_floats(count, 3.0f, static_cast<std::uint64_t>(slot));
      for (std::size_t i = 0; i < count; ++i) a[i] = x[i] * (i % 17 == 0 ? 64.0f : 1.0f) + 0.25f;
    }
    expect_moments(scene, row[3]);
  }
}

TEST_F(CudaMoments, OfARollout) {
  for (const auto& [envs, horizon] : {std::pair{1, 1}, {33, 7}, {1000, 7}, {70, 128}}) {
    Setting s;
    s.envs = envs;
    s.horizon = horizon;
    s.normalize = true;
    s.choose(envs == 33);
    Scene scene(s);
    scene.play_with_advantages();
    expect_moments(scene, 2);
  }
}

TEST_F(CudaMoments, OfEqualAdvantagesAndOfNaN) {
  for (const float value : {0.0f, 2.5f, std::nanf("")}) {
    Setting s;
    s.envs = 40;
    s.horizon = 3;
    s.network = shared_shape({1});
    Scene scene(s);
    std::fill_n(scene.trajectory(1).advantage, scene.warps * s.horizon * kWarp, value);
    OnDevice device(scene);
    launch_moments(device.stream, device.agents, device.count());
    float mean = 0;
    const cupg::Moments want = scene.moments(1, mean);
    scene.memory = device.read();
    const AgentState got = scene.state(1);
    EXPECT_TRUE(std::isnan(value) ? std::isnan(got.mean) && std::isnan(got.moments.inverse_sd)
                                  : got.mean == mean && got.moments.inverse_sd == want.inverse_sd);
  }
}

}  // namespace

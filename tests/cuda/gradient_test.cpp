// Gradient and reduce kernels against the CPU's ops.
#include "tests/cuda/scene.hpp"
#include "tests/support/pairwise.hpp"

namespace {

using namespace cupg_test;

struct CudaGradient : CudaTest {};
struct CudaReduce : CudaTest {};

void expect_gradient(Scene& scene, int side_by_side, std::size_t seed) {
  const int at_once = (std::min(scene.warps, side_by_side) + 3) / 4 * 4;
  OnDevice device(scene, at_once);
  const Schedule schedule(seed);
  launch_gradient(device.stream, device.agents, device.count(), side_by_side);
  scene.each_running([&](int slot) { scene.gradient(slot, scene.state(slot).moments); });
  const Memory got = device.read();
  EXPECT_TRUE(same_memory(scene.memory, got)) << scene.setting.text() << ", schedule " << seed << ", " << side_by_side << " side by side";
  count_comparison("gradient", kEngine, scene.warps * device.count());
  // every warp of a running agent has a whole row of sums, and nothing behind it
  std::int64_t rows = 0;
  scene.each_running([&](int) { rows += scene.warps; });
  EXPECT_EQ(got.partials.untouched(), got.partials.size() - rows * scene.network.plan().packed);
}

TEST_F(CudaGradient, HasTheCpusBits) {
  const auto& shapes = kernel_shapes();
  const auto& envs = kernel_envs();
  const auto& horizons = kernel_horizons();
  const int side_by_sides[] = {1000, 4, 1};
  for (const auto& row : pairwise_table({shapes.size(), envs.size(), horizons.size(), 2, 2, kSchedules, 3, 2})) {
    Setting s;
    s.network = shapes[row[0]];
    s.envs = envs[row[1]];
    s.horizon = horizons[row[2]];
    s.choose(row[3] == 1);
    if (row[7] == 1) s.halted = {s.chosen.back()};
    limit_work(s, 1e8 * scale());
    Scene scene(s);
    scene.play_with_advantages();
    if (row[4] == 1)
      for (int slot = 0; slot < s.slots; ++slot)
        scene.edit(slot, [&](AgentState& a) { a.moments = {0.25f * static_cast<float>(slot), 0.75f}; });
    expect_gradient(scene, side_by_sides[row[6]], row[5]);
    if (HasFatalFailure() || HasNonfatalFailure()) return;
    count_shape("gradient " + s.text());
  }
}

TEST_F(CudaGradient, OfEveryWidthUpToNine) {
  for (int width = 1; width <= 9; ++width)
    for (const NetworkShape& shape : {shared_shape({width}), separate_shape({width}, {10 - width}, Activation::tanh)}) {
      Setting s;
      s.network = shape;
      s.envs = 40;
      s.horizon = 3;
      Scene scene(s);
      scene.play_with_advantages();
      expect_gradient(scene, 2, static_cast<std::size_t>(width) % kSchedules);
    }
}

TEST_F(CudaGradient, OfMoreRowsThanTwoLayersTakeAtATime) {
  for (const int horizon : {15, 16, 17, 33}) {
    Setting s;
    s.network = separate_shape({9, 7}, {4, 5});
    s.envs = 33;
    s.horizon = horizon;
    Scene scene(s);
    scene.play_with_advantages();
    expect_gradient(scene, 1, 1);
  }
}

TEST_F(CudaGradient, NaNStaysVisible) {
  for (const NetworkShape& shape : {shared_shape({16}), separate_shape({5}, {3, 4})}) {
    Setting s;
    s.network = shape;
    Scene scene(s);
    scene.play_with_advantages();
    scene.trajectory(1).advantage[3] = std::nanf("");
    OnDevice device(scene);
    launch_gradient(device.stream, device.agents, device.count(), 100);
    scene.memory = device.read();
    EXPECT_TRUE(std::isnan(scene.partials(1)[scene.network.plan().policy.head_bias]));
  }
}

TEST_F(CudaReduce, IsTheTreeForAnyNumberOfRows) {
  const int all[] = {1, 2, 3, 31, 32, 33, 63, 64, 65, 1000, 1024, 1025, 1100};
  for (const auto& row : pairwise_table({std::size(all), 4, 2, kSchedules})) {
    Setting s;
    s.network = std::vector{shared_shape({}), shared_shape({16}), separate_shape({33}, {9}), separate_shape({7, 5}, {})}[row[1]];
    s.envs = all[row[0]] * kWarp;
    s.horizon = 1;
    s.choose(row[2] == 1 && s.envs < 5000);
    s.kept = 0;
    Scene scene(s);
    const int stride = scene.packed_stride, packed = scene.network.plan().packed;
    const std::vector<float> x = random_floats(static_cast<std::size_t>(scene.memory.partials.size()), 2.0f, row[0]);
    for (int slot = 0; slot < s.slots; ++slot)
      for (int w = 0; w < scene.warps; ++w)
        for (int i = 0; i < packed; ++i) {
          const std::int64_t at = (std::int64_t{slot} * scene.warps + w) * stride + i;
          scene.memory.partials[at] = x[static_cast<std::size_t>(at)] * (w % 5 == 0 ? 256.0f : 1.0f);
          if (i == 3) scene.memory.partials[at] = -0.0f;  // stays so, unless a row that is not there is added
        }
    OnDevice device(scene);
    const Schedule schedule(row[3]);
    launch_reduce(device.stream, device.agents, device.count());
    Memory got = device.read();
    for (const int slot : s.chosen) {
      scene.reduce(slot);
      for (int w = 0; w < scene.warps; ++w)  // only the sums are promised
        for (int i = w == 0 ? packed : 0; i < stride; ++i) {
          const std::int64_t at = (std::int64_t{slot} * scene.warps + w) * stride + i;
          got.partials[at] = scene.memory.partials[at];
        }
    }
    EXPECT_TRUE(same_memory(scene.memory, got)) << all[row[0]] << " rows of " << packed << ", schedule " << row[3];
    count_comparison("reduce", kEngine, device.count());
    count_shape("reduce " + s.text());
    if (HasFatalFailure() || HasNonfatalFailure()) return;
  }
}

}  // namespace

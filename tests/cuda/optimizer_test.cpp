// The optimizer kernel against the CPU's op.
#include <limits>

#include "tests/cuda/scene.hpp"
#include "tests/support/pairwise.hpp"

namespace {

using namespace cupg_test;
using cupg::OptimizerKind;
using cupg::RmspropEps;
using cupg::Schedule;

struct CudaOptimizer : CudaTest {};

/// Sums that a reduction might have left in row 0 of every agent's partial sums.
void draw_gradients(Scene& scene, float size) {
  const int packed = scene.network.plan().packed;
  for (int slot = 0; slot < scene.setting.slots; ++slot) {
    const std::vector<float> x = random_floats(static_cast<std::size_t>(packed), size, 99 + static_cast<std::uint64_t>(slot));
    std::copy(x.begin(), x.end(), scene.partials(slot));
  }
}

void expect_update(Scene& scene, std::size_t seed) {
  OnDevice device(scene);
  const cupg_test::Schedule schedule(seed);
  launch_optimizer(device.stream, device.agents, device.count());
  scene.each_running([&](int slot) { scene.optimize(slot); });
  EXPECT_TRUE(same_memory(scene.memory, device.read())) << scene.setting.text() << ", schedule " << seed;
  count_comparison("optimizer", kEngine, device.count());
  count_shape("optimizer " + scene.setting.text());
}

TEST_F(CudaOptimizer, HasTheCpusBits) {
  const auto& shapes = kernel_shapes();
  for (const auto& row : pairwise_table({shapes.size(), 4, 3, 2, 2, 2, kSchedules})) {
    Setting s;
    s.network = shapes[row[0]];
    s.envs = 40;
    s.choose(row[4] == 1);
    s.optimizer.kind = std::array{OptimizerKind::adam, OptimizerKind::rmsprop, OptimizerKind::rmsprop, OptimizerKind::sgd}[row[1]];
    s.optimizer.rmsprop_eps = row[1] == 2 ? RmspropEps::inside : RmspropEps::outside;
    s.optimizer.max_grad_norm = std::array{0.0f, 0.5f, 1e6f}[row[2]];
    s.optimizer.schedule = row[3] == 1 ? Schedule::linear : Schedule::constant;
    s.optimizer.eps = 1e-5f;
    if (row[5] == 1) s.halted = {s.chosen.back()};
    Scene scene(s);
    draw_gradients(scene, 1.0f);
    expect_update(scene, row[6]);
  }
}

TEST_F(CudaOptimizer, ManyUpdatesInARow) {
  Setting s;
  s.network = separate_shape({33}, {5});
  s.optimizer.schedule = Schedule::linear;
  Scene scene(s);
  for (int k = 0; k < 6; ++k) {
    draw_gradients(scene, 0.1f * static_cast<float>(k));
    expect_update(scene, static_cast<std::size_t>(k) % kSchedules);
  }
}

TEST_F(CudaOptimizer, AGradientThatIsNotFiniteChangesNothingAndHalts) {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity(), 3e38f})
    for (const int at : {0, 40, 113}) {
      Setting s;
      s.choose(true);
      Scene scene(s);
      draw_gradients(scene, 1.0f);
      scene.partials(3)[at] = bad;
      const Memory before = scene.memory;
      const AgentState was = scene.state(3);
      expect_update(scene, static_cast<std::size_t>(at) % kSchedules);
      const AgentState is = scene.state(3);
      EXPECT_EQ(is.halted, 1u);
      EXPECT_EQ(is.diverged, 0u);
      EXPECT_EQ(is.step, was.step);
      EXPECT_EQ(is.optimizer.updates, was.optimizer.updates);
      EXPECT_EQ(scene.state(2).halted, 0u) << "its neighbours go on";
      EXPECT_EQ(scene.state(2).optimizer.updates, was.optimizer.updates + 1);
      const auto same = [&](const Guarded<float>& a, const Guarded<float>& b) {
        const auto begin = static_cast<std::size_t>(3 * scene.parameter_stride), count = static_cast<std::size_t>(scene.parameter_stride);
        return same_bits(a.span().subspan(begin, count), b.span().subspan(begin, count));
      };
      EXPECT_TRUE(same(before.parameters, scene.memory.parameters));
      EXPECT_TRUE(same(before.first_moment, scene.memory.first_moment));
      EXPECT_TRUE(same(before.second_moment, scene.memory.second_moment));
    }
}

TEST_F(CudaOptimizer, AParameterThatIsNotFiniteIsTold) {
  for (const int at : {0, 100, 130}) {
    Setting s;  // the last of its 131 parameters belongs to the second round of 128 threads
    s.choose(true);
    Scene scene(s);
    draw_gradients(scene, 1.0f);
    scene.memory.parameters[6 * scene.parameter_stride + at] = std::numeric_limits<float>::infinity();
    expect_update(scene, 1);
    EXPECT_EQ(scene.state(6).diverged, 1u);
    EXPECT_EQ(scene.state(6).halted, 0u);
    EXPECT_EQ(scene.state(0).diverged, 0u);
  }
}

}  // namespace

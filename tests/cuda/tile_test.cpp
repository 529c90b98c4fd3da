// Kernels of tiled networks: the gradient of a tile against the CPU's op, and that the number of threads changes nothing. What they make
// of whole updates: table_engine_test.cpp.
#include <cmath>

#include "src/engine/isa.hpp"
#include "src/engine/tile_plan.hpp"
#include "tests/cuda/cuda_test.hpp"
#include "tests/cuda/device_array.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/scale.hpp"
#include "tests/support/shapes.hpp"

namespace {

using namespace cupg_test;
using cupg::Activation;
using cupg::kTile;
using cupg::NetworkShape;
using cupg::TiledAgents;
using cupg::TilePlan;

constexpr int kEnvironment = 0;  // CartPole

/// Two agents with samples and weights of their own.
struct TileScene {
  static constexpr int kSlots = 2;
  const TilePlan plan;
  const int size;  // samples of an agent
  const int tiles;
  Guarded<float> weights, samples, partials;

  TileScene(const NetworkShape& shape, int n)
      : plan(cupg::make_tile_plan(shape)),
        size(n),
        tiles((n + kTile - 1) / kTile),
        weights(kSlots * plan.packed, 0.0f),
        samples(std::int64_t{kSlots} * n * plan.row().stride()),
        partials(std::int64_t{kSlots} * tiles * stride()) {
    const cupg::SampleRow row = plan.row();
    const cupg::CpuOps& ops = cupg::cpu_ops_for(cupg::Isa::scalar);
    for (int slot = 0; slot < kSlots; ++slot)
      ops.tile_pack(plan, random_floats(static_cast<std::size_t>(plan.parameters), 0.7f, 10u + static_cast<unsigned>(slot)).data(),
                    weights.data() + slot * plan.packed);
    const std::vector<float> x = random_floats(static_cast<std::size_t>(kSlots * n * row.stride()), 1.0f, 3);
    for (int i = 0; i < kSlots * n; ++i) {
      float* const s = samples.data() + static_cast<std::int64_t>(i) * row.stride();
      for (int k = 0; k < row.target() + 1; ++k) s[k] = x[static_cast<std::size_t>(i * row.stride() + k)];
      const std::uint32_t action = i % 3 == 0 ? 1 : 0, done = 0;
      std::memcpy(s + row.action(), &action, 4);
      std::memcpy(s + row.done(), &done, 4);
      s[row.log_probability()] = -0.7f + 0.1f * s[row.log_probability()];
    }
  }
  int stride() const { return cupg::padded(plan.parameters + 1); }

  /// What the CPU makes of a tile: [parameters] of the gradient, and the sum of the estimates of KL.
  std::vector<float> expected(int slot, int tile, int objective, const cupg::ObjectiveSettings& o) {
    const cupg::CpuOps& ops = cupg::cpu_ops_for(cupg::Isa::scalar);
    cupg::AlignedArray<cupg::TileScratch> scratch(1);
    cupg::AlignedArray<float> observation(kTile * cupg::tile_padded(plan.observations)), partial(plan.partial);
    std::vector<std::uint32_t> index;
    for (int i = tile * kTile; i < size && i < (tile + 1) * kTile; ++i) index.push_back(static_cast<std::uint32_t>(slot * size + i));
    cupg::TileGradientArgs g;
    g.plan = &plan;
    g.weights = weights.data() + slot * plan.packed;
    g.samples = samples.data();
    g.index = index.data();
    g.count = static_cast<int>(index.size());
    g.objective = ops.objective(objective);
    g.coefficients = {o.entropy_coef, o.value_coef, o.clip, o.value_clip};
    g.scale = 1.0f / static_cast<float>(size);
    g.observation = observation.data();
    g.scratch = scratch.data();
    g.partial = partial.data();
    ops.tile_gradient(g);
    std::vector<float> want(static_cast<std::size_t>(plan.parameters) + 1);
    ops.tile_unpack(plan, partial.data(), want.data());
    want.back() = partial.data()[plan.kl];
    return want;
  }

  /// The kernel's partials of the agents `chosen`.
  Guarded<float> run(int objective, const cupg::ObjectiveSettings& settings, const std::vector<int>& chosen, unsigned threads,
                     int halted = -1, int stopped = -1) {
    cupg::runtime::Stream stream;
    DeviceArray<float> device_weights(stream, weights), device_samples(stream, samples), device_partials(stream, partials);
    DeviceArray<int> device_chosen(stream, Guarded<int>(chosen));
    cupg::runtime::Buffer<cupg::AgentState> state(kSlots, "a test");
    cupg::AgentState states[kSlots];
    for (int slot = 0; slot < kSlots; ++slot) {
      states[slot].settings.objective = settings;
      states[slot].halted = slot == halted ? 1 : 0;
      states[slot].count = static_cast<std::uint32_t>(size);
      states[slot].stopped = slot == stopped ? 1 : 0;
    }
    cupg::runtime::upload(stream, state.data(), states, kSlots);
    TiledAgents a;
    a.kind = cupg::NetworkKind::tiled;
    a.tile = plan;
    a.gradient = cupg::row_layout(plan, kTile);
    a.loss = settings.loss;
    a.objective_number = objective;
    a.capacity = size;
    a.partial_samples = kTile;
    a.partial_columns = plan.parameters + 1;
    a.most_partials = tiles;
    a.envs = 1;
    a.state = state.data();
    a.chosen = device_chosen.data();
    a.weights = device_weights.data();
    a.samples = device_samples.data();
    a.partials = device_partials.data();
    launch_tile_gradient(stream, kEnvironment, a, static_cast<int>(chosen.size()), tiles + 1, {},
                         threads);  // a tile too many: it is nobody's
    stream.synchronize("a test");
    Guarded<float> got = device_partials.read(stream);
    EXPECT_TRUE(got.guards_intact());
    return got;
  }
};

std::vector<NetworkShape> tile_shapes() {
  return {shared_shape({}),
          shared_shape({16}),
          shared_shape({5, 33}, Activation::tanh),
          separate_shape({64, 64}, {64, 64}, Activation::tanh),
          separate_shape({33, 5}, {7}),
          separate_shape({}, {1, 1}),
          separate_shape({9}, {})};
}

struct CudaTile : CudaTest {};

TEST_F(CudaTile, HasTheCpusBitsWithAnyNumberOfThreads) {
  const int sizes[] = {1, 3, 63, 64, 65, 130};
  const unsigned all_threads[] = {64, 96, 256, 32};
  std::size_t number = 0;
  for (const NetworkShape& shape : tile_shapes())
    for (const int size : sizes) {
      const int objective = static_cast<int>(number % cupg::objectives().size());
      const Schedule schedule(number % kSchedules);
      TileScene scene(shape, size);
      const cupg::ObjectiveSettings settings{
          .entropy_coef = 0.01f, .value_coef = 0.5f, .clip = 0.1f, .value_clip = number % 2 == 0 ? 0.3f : 0.0f};
      const std::vector<int> chosen = number % 3 == 0 ? std::vector<int>{1} : std::vector<int>{1, 0};
      const Guarded<float> got = scene.run(objective, settings, chosen, all_threads[number % std::size(all_threads)]);
      const std::int64_t length = scene.plan.parameters + 1;
      for (const int slot : chosen)
        for (int tile = 0; tile < scene.tiles; ++tile) {
          const float* const row = got.data() + (std::int64_t{slot} * scene.tiles + tile) * scene.stride();
          EXPECT_TRUE(same_bits(scene.expected(slot, tile, objective, settings), std::vector<float>(row, row + length)))
              << describe(shape) << ", " << size << " samples, tile " << tile << " of agent " << slot;
        }
      EXPECT_EQ(got.untouched(), got.size() - static_cast<std::int64_t>(chosen.size()) * scene.tiles * length) << "nothing else is written";
      count_comparison("tile gradient", kEngine, scene.tiles * static_cast<int>(chosen.size()));
      count_shape("tile gradient " + describe(shape));
      ++number;
      if (HasNonfatalFailure()) return;
    }
}

TEST_F(CudaTile, AHaltedAgentAndOneThatStoppedAreLeftAlone) {
  TileScene scene(shared_shape({5}), 70);
  for (const int kind : {0, 1}) {
    const Guarded<float> got = scene.run(0, {}, {0, 1}, 64, kind == 0 ? 0 : -1, kind == 1 ? 0 : -1);
    EXPECT_EQ(got.untouched(), got.size() - scene.tiles * (scene.plan.parameters + 1));
    EXPECT_FALSE(std::isnan(got[std::int64_t{scene.tiles} * scene.stride()])) << "the other one is not";
  }
}

TEST_F(CudaTile, NaNStaysVisible) {
  TileScene scene(shared_shape({5}), 70);
  scene.samples[66 * scene.plan.row().stride() + scene.plan.row().advantage()] = std::nanf("");
  const Guarded<float> got = scene.run(0, {}, {0}, 64);
  EXPECT_TRUE(std::isnan(got[scene.stride() + scene.plan.tower[0].head[0].bias]));
  EXPECT_FALSE(std::isnan(got[scene.plan.tower[0].head[0].bias])) << "in its own tile alone";
}

/// What a collecting block leaves: samples, environments, ages.
struct Collected {
  Guarded<float> samples, environments;
  Guarded<std::uint32_t> age;
};

Collected collect(const NetworkShape& shape, int envs, bool episodes, unsigned threads) {
  constexpr int kSteps = 40;
  const TilePlan plan = cupg::make_tile_plan(shape);
  const int warps = (envs + cupg::kWarp - 1) / cupg::kWarp;
  cupg::runtime::Stream stream;
  Guarded<float> weights(plan.packed, 0.0f);
  cupg::cpu_ops_for(cupg::Isa::scalar)
      .tile_pack(plan, random_floats(static_cast<std::size_t>(plan.parameters), 0.7f, 4).data(), weights.data());
  DeviceArray<float> device_weights(stream, weights);
  DeviceArray<float> samples(stream, Guarded<float>(std::int64_t{envs} * kSteps * plan.row().stride()));
  DeviceArray<float> environments(stream, Guarded<float>(warps * 4 * cupg::kWarp, 0.01f));
  DeviceArray<std::uint32_t> age(stream, Guarded<std::uint32_t>(warps * cupg::kWarp, 7u));
  DeviceArray<float> episode_return(stream, Guarded<float>(warps * cupg::kWarp, 7.0f));
  DeviceArray<std::uint32_t> length(stream, Guarded<std::uint32_t>(envs));
  DeviceArray<int> chosen(stream, Guarded<int>(std::vector<int>{0}));
  cupg::runtime::Buffer<cupg::AgentState> state(1, "a test");
  cupg::AgentState agent;
  agent.key = 5;
  agent.step = 11;
  cupg::runtime::upload(stream, state.data(), &agent, 1);
  TiledAgents a;
  a.kind = cupg::NetworkKind::tiled;
  a.tile = plan;
  a.collect = cupg::row_layout(plan, std::min(envs, cupg::kWarp));
  a.episodes = episodes;
  a.capacity = kSteps;
  a.episode_limit = 30;
  a.envs = envs;
  a.warps = warps;
  a.state_size = 4;
  a.environments = environments.data();
  a.age = age.data();
  a.state = state.data();
  a.chosen = chosen.data();
  a.weights = device_weights.data();
  a.samples = samples.data();
  a.episode_return = episode_return.data();
  a.length = length.data();
  launch_collect(stream, kEnvironment, a, 1, threads);
  stream.synchronize("a test");
  Collected got{samples.read(stream), environments.read(stream), age.read(stream)};
  EXPECT_TRUE(got.samples.guards_intact() && got.environments.guards_intact() && got.age.guards_intact() &&
              length.read(stream).guards_intact());
  return got;
}

TEST_F(CudaTile, CollectsTheSameWithAnyNumberOfThreads) {
  for (const NetworkShape& shape : {shared_shape({}), separate_shape({33, 5}, {7}, Activation::tanh)})
    for (const int envs : {1, 33})
      for (const bool episodes : {false, true}) {
        const Collected want = collect(shape, envs, episodes, 256);
        const std::int64_t rows = want.samples.size() / 16;
        if (!episodes) {
          EXPECT_EQ(want.samples.untouched(), rows * (16 - 10)) << "advantage, target and padding are others'";
        }
        EXPECT_NE(want.age[0], 7u);
        for (const unsigned threads : {32u, 96u}) {
          const Schedule schedule(threads % kSchedules);
          const Collected got = collect(shape, envs, episodes, threads);
          EXPECT_TRUE(same_bits(want.samples, got.samples))
              << describe(shape) << ", " << envs << " environments, " << threads << " threads";
          EXPECT_TRUE(same_bits(want.environments, got.environments));
          EXPECT_TRUE(same_bits(want.age, got.age));
        }
      }
}

}  // namespace

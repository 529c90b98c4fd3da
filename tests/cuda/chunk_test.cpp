// Kernels of updates that run in chunks: the gradient of a chunk against the CPU's op, and that the number of threads changes nothing.
// What they make of whole updates: chunk_engine_test.cpp.
#include <cmath>

#include "src/engine/chunk_plan.hpp"
#include "src/engine/isa.hpp"
#include "tests/cuda/cuda_test.hpp"
#include "tests/cuda/device_array.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/rows.hpp"
#include "tests/support/scale.hpp"
#include "tests/support/shapes.hpp"

namespace {

using namespace cupg_test;
using cupg::Activation;
using cupg::ChunkAgents;
using cupg::ChunkPlan;
using cupg::kChunk;
using cupg::NetworkShape;

/// Two agents with samples and weights of their own.
struct ChunkScene {
  static constexpr int kSlots = 2;
  const ChunkPlan plan;
  const int size;  // samples of an agent
  const int chunks;
  Guarded<float> weights, samples, partials;

  ChunkScene(const NetworkShape& shape, int n)
      : plan(cupg::make_chunk_plan(shape)),
        size(n),
        chunks((n + kChunk - 1) / kChunk),
        weights(kSlots * plan.packed, 0.0f),
        samples(std::int64_t{kSlots} * n * plan.row().stride()),
        partials(std::int64_t{kSlots} * chunks * stride()) {
    const cupg::SampleRow row = plan.row();
    const cupg::CpuOps& ops = cupg::cpu_ops_for(cupg::Isa::scalar);
    for (int slot = 0; slot < kSlots; ++slot)
      ops.chunk_pack(plan, random_floats(static_cast<std::size_t>(plan.parameters), 0.7f, 10u + static_cast<unsigned>(slot)).data(),
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

  /// What the CPU makes of a chunk: [parameters] of the gradient, and the sum of the estimates of KL.
  std::vector<float> expected(int slot, int chunk, int objective, const cupg::ObjectiveSettings& o) {
    const cupg::CpuOps& ops = cupg::cpu_ops_for(cupg::Isa::scalar);
    cupg::AlignedArray<cupg::ChunkScratch> scratch(1);
    cupg::AlignedArray<float> observation(kChunk * cupg::chunk_padded(plan.observations)), partial(plan.partial);
    std::vector<std::uint32_t> index;
    for (int i = chunk * kChunk; i < size && i < (chunk + 1) * kChunk; ++i) index.push_back(static_cast<std::uint32_t>(slot * size + i));
    cupg::ChunkGradientArgs g;
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
    ops.chunk_gradient(g);
    std::vector<float> want(static_cast<std::size_t>(plan.parameters) + 1);
    ops.chunk_unpack(plan, partial.data(), want.data());
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
    cupg::runtime::Buffer<cupg::ChunkState> progress(kSlots, "a test");
    cupg::AgentState states[kSlots];
    cupg::ChunkState progresses[kSlots];
    for (int slot = 0; slot < kSlots; ++slot) {
      states[slot].halted = slot == halted ? 1 : 0;
      progresses[slot].count = static_cast<std::uint32_t>(size);
      progresses[slot].stopped = slot == stopped ? 1 : 0;
    }
    cupg::runtime::upload(stream, state.data(), states, kSlots);
    cupg::runtime::upload(stream, progress.data(), progresses, kSlots);
    ChunkAgents a;
    a.plan = plan;
    a.gradient = cupg::row_layout(plan, kChunk);
    a.objective = settings;
    a.capacity = size;
    a.most_chunks = chunks;
    a.agents.envs = 1;
    a.agents.state = state.data();
    a.agents.chosen = device_chosen.data();
    a.progress = progress.data();
    a.weights = device_weights.data();
    a.samples = device_samples.data();
    a.partials = device_partials.data();
    launch_chunk_gradient(stream, objective, a, static_cast<int>(chosen.size()), chunks + 1, threads);  // a chunk too many: it is nobody's
    stream.synchronize("a test");
    Guarded<float> got = device_partials.read(stream);
    EXPECT_TRUE(got.guards_intact());
    return got;
  }
};

std::vector<NetworkShape> chunk_shapes() {
  return {shared_shape({}),
          shared_shape({16}),
          shared_shape({5, 33}, Activation::tanh),
          separate_shape({64, 64}, {64, 64}, Activation::tanh),
          separate_shape({33, 5}, {7}),
          separate_shape({}, {1, 1}),
          separate_shape({9}, {})};
}

struct CudaChunk : CudaTest {};

TEST_F(CudaChunk, HasTheCpusBitsWithAnyNumberOfThreads) {
  const int sizes[] = {1, 3, 63, 64, 65, 130};
  const unsigned all_threads[] = {64, 96, 256, 32};
  std::size_t number = 0;
  for (const NetworkShape& shape : chunk_shapes())
    for (const int size : sizes) {
      const int objective = static_cast<int>(number % cupg::objectives().size());
      const Schedule schedule(number % kSchedules);
      ChunkScene scene(shape, size);
      const cupg::ObjectiveSettings settings{
          .entropy_coef = 0.01f, .value_coef = 0.5f, .clip = 0.1f, .value_clip = number % 2 == 0 ? 0.3f : 0.0f};
      const std::vector<int> chosen = number % 3 == 0 ? std::vector<int>{1} : std::vector<int>{1, 0};
      const Guarded<float> got = scene.run(objective, settings, chosen, all_threads[number % std::size(all_threads)]);
      const std::int64_t length = scene.plan.parameters + 1;
      for (const int slot : chosen)
        for (int chunk = 0; chunk < scene.chunks; ++chunk) {
          const float* const row = got.data() + (std::int64_t{slot} * scene.chunks + chunk) * scene.stride();
          EXPECT_TRUE(same_bits(scene.expected(slot, chunk, objective, settings), std::vector<float>(row, row + length)))
              << describe(shape) << ", " << size << " samples, chunk " << chunk << " of agent " << slot;
        }
      EXPECT_EQ(got.untouched(), got.size() - static_cast<std::int64_t>(chosen.size()) * scene.chunks * length)
          << "nothing else is written";
      count_comparison("chunk gradient", kEngine, scene.chunks * static_cast<int>(chosen.size()));
      count_shape("chunk gradient " + describe(shape));
      ++number;
      if (HasNonfatalFailure()) return;
    }
}

TEST_F(CudaChunk, AHaltedAgentAndOneThatStoppedAreLeftAlone) {
  ChunkScene scene(shared_shape({5}), 70);
  for (const int kind : {0, 1}) {
    const Guarded<float> got = scene.run(0, {}, {0, 1}, 64, kind == 0 ? 0 : -1, kind == 1 ? 0 : -1);
    EXPECT_EQ(got.untouched(), got.size() - scene.chunks * (scene.plan.parameters + 1));
    EXPECT_FALSE(std::isnan(got[std::int64_t{scene.chunks} * scene.stride()])) << "the other one is not";
  }
}

TEST_F(CudaChunk, NaNStaysVisible) {
  ChunkScene scene(shared_shape({5}), 70);
  scene.samples[66 * scene.plan.row().stride() + scene.plan.row().advantage()] = std::nanf("");
  const Guarded<float> got = scene.run(0, {}, {0}, 64);
  EXPECT_TRUE(std::isnan(got[scene.stride() + scene.plan.tower[0].head[0].bias]));
  EXPECT_FALSE(std::isnan(got[scene.plan.tower[0].head[0].bias])) << "in its own chunk alone";
}

/// What a collecting block leaves: samples, environments, ages.
struct Collected {
  Guarded<float> samples, environments;
  Guarded<std::uint32_t> age;
};

Collected collect(const NetworkShape& shape, int envs, bool episodes, unsigned threads) {
  constexpr int kSteps = 40;
  const ChunkPlan plan = cupg::make_chunk_plan(shape);
  const int warps = (envs + cupg::kWarp - 1) / cupg::kWarp;
  cupg::runtime::Stream stream;
  Guarded<float> weights(plan.packed, 0.0f);
  cupg::cpu_ops_for(cupg::Isa::scalar)
      .chunk_pack(plan, random_floats(static_cast<std::size_t>(plan.parameters), 0.7f, 4).data(), weights.data());
  DeviceArray<float> device_weights(stream, weights);
  DeviceArray<float> samples(stream, Guarded<float>(std::int64_t{envs} * kSteps * plan.row().stride()));
  DeviceArray<float> environments(stream, Guarded<float>(warps * 4 * cupg::kWarp, 0.01f));
  DeviceArray<std::uint32_t> age(stream, Guarded<std::uint32_t>(warps * cupg::kWarp, 7u));
  DeviceArray<float> episode_return(stream, Guarded<float>(warps * cupg::kWarp, 7.0f));
  DeviceArray<std::uint32_t> length(stream, Guarded<std::uint32_t>(envs));
  DeviceArray<int> chosen(stream, Guarded<int>(std::vector<int>{0}));
  cupg::runtime::Buffer<cupg::AgentState> state(1, "a test");
  cupg::runtime::Buffer<cupg::ChunkState> progress(1, "a test");
  cupg::AgentState agent;
  agent.key = 5;
  agent.step = 11;
  cupg::runtime::upload(stream, state.data(), &agent, 1);
  ChunkAgents a;
  a.plan = plan;
  a.collect = cupg::row_layout(plan, std::min(envs, cupg::kWarp));
  a.episodes = episodes;
  a.capacity = kSteps;
  a.episode_limit = 30;
  a.agents.envs = envs;
  a.agents.warps = warps;
  a.agents.horizon = kSteps;
  a.agents.state_size = 4;
  a.agents.environments = environments.data();
  a.agents.age = age.data();
  a.agents.state = state.data();
  a.agents.chosen = chosen.data();
  a.progress = progress.data();
  a.weights = device_weights.data();
  a.samples = samples.data();
  a.episode_return = episode_return.data();
  a.length = length.data();
  launch_collect(stream, a, 1, threads);
  stream.synchronize("a test");
  Collected got{samples.read(stream), environments.read(stream), age.read(stream)};
  EXPECT_TRUE(got.samples.guards_intact() && got.environments.guards_intact() && got.age.guards_intact() &&
              length.read(stream).guards_intact());
  return got;
}

TEST_F(CudaChunk, CollectsTheSameWithAnyNumberOfThreads) {
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

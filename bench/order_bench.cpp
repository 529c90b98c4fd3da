// The two orders of sums, on the gradient of one minibatch of PPO's 128 samples with two separate 64-64 tanh trunks:
//   chunks   64 positions in index order, two partials (kernels/chunk)
//   lanes    32 lanes of four rows each, then the butterfly over lanes (kernels/gradient), without gathering the samples
// Both end in the gradient in the order of the parameters. `share`: of the fma rate measured in the same run; one fma a weight and
// pass, three passes.
#include <benchmark/benchmark.h>

#include "bench/fma_rate.hpp"
#include "src/engine/chunk_plan.hpp"
#include "src/engine/engine.hpp"
#include "src/engine/isa.hpp"
#include "src/engine/network_plan.hpp"
#include "src/engine/warp_memory.hpp"

namespace {

using namespace cupg;

constexpr int kSamples = 128, kRows = kSamples / kWarp;
constexpr double kWeights = 2 * (4 * 64 + 64 * 64) + 3 * 64;

NetworkShape shape_of_ppo() {
  const Trunk trunk{.width = {64, 64}, .activation = Activation::tanh, .bias = true};
  return {.observations = 4, .actions = 2, .shared = false, .policy = trunk, .value = trunk};
}

void report(benchmark::State& state, const CpuOps& ops) {
  const double samples = static_cast<double>(state.iterations()) * kSamples;
  state.counters["samples"] = benchmark::Counter(samples, benchmark::Counter::kIsRate);
  state.counters["share"] = benchmark::Counter(samples * 3 * kWeights / bench::fma_rate(ops), benchmark::Counter::kIsRate);
}

AlignedArray<float> initial_parameters(const NetworkShape& shape) {
  AlignedArray<float> p(padded(parameter_count(shape)));
  initialise_parameters(shape, {}, 1, {p.data(), static_cast<std::size_t>(parameter_count(shape))});
  return p;
}

void chunks(benchmark::State& state, Isa isa) {
  const NetworkShape shape = shape_of_ppo();
  const CpuOps& ops = cpu_ops_for(isa);
  const ChunkPlan plan = make_chunk_plan(shape);
  const AlignedArray<float> parameters = initial_parameters(shape);
  AlignedArray<float> packed(plan.packed), samples(kSamples * plan.row().stride()), observation(kChunk * chunk_padded(4)),
      partials(2 * plan.partial), gradient(padded(plan.parameters));
  AlignedArray<ChunkScratch> scratch(1);
  std::uint32_t rows[kSamples];
  for (std::uint32_t i = 0; i < kSamples; ++i) {
    rows[i] = i * 37 % kSamples;
    for (int k = 0; k < 4; ++k)
      samples.data()[static_cast<int>(i) * plan.row().stride() + k] =
          0.01f * static_cast<float>((i * 7 + static_cast<std::uint32_t>(k)) % 100) - 0.5f;
    samples.data()[static_cast<int>(i) * plan.row().stride() + plan.row().advantage()] = 0.5f;
    samples.data()[static_cast<int>(i) * plan.row().stride() + plan.row().log_probability()] = -0.7f;
  }
  ops.chunk_pack(plan, parameters.data(), packed.data());
  for (auto _ : state) {
    for (int c = 0; c < kSamples / kChunk; ++c) {
      ChunkGradientArgs g;
      g.plan = &plan;
      g.weights = packed.data();
      g.samples = samples.data();
      g.index = rows + c * kChunk;
      g.count = kChunk;
      g.objective = ops.objective(0);
      g.coefficients = {.entropy = 0.01f, .value = 0.5f, .clip = 0.2f, .value_clip = 0.2f};
      g.scale = 1.0f / kSamples;
      g.observation = observation.data();
      g.scratch = scratch.data();
      g.partial = partials + c * plan.partial;
      ops.chunk_gradient(g);
    }
    ops.tree(partials.data(), kSamples / kChunk, plan.partial, plan.partial);
    ops.chunk_unpack(plan, partials.data(), gradient.data());
    benchmark::DoNotOptimize(gradient.data()[0]);
  }
  report(state, ops);
}

void lanes(benchmark::State& state, Isa isa) {
  const NetworkShape shape = shape_of_ppo();
  const CpuOps& ops = cpu_ops_for(isa);
  const PackedNetwork network(shape);
  const NetworkPlan& plan = network.plan();
  const AlignedArray<float> parameters = initial_parameters(shape);
  AlignedArray<float> packed(padded(plan.packed)), workspace(gradient_workspace(plan)), partials(padded(plan.packed)),
      gradient(padded(plan.parameters));
  TrajectoryMemory rows(1, kRows, 4, plan.policy_outputs, 0);
  for (int i = 0; i < rows.observation.size(); ++i) rows.observation.data()[i] = 0.01f * static_cast<float>(i * 7 % 100) - 0.5f;
  network.pack(parameters.data(), packed.data());
  GradientArgs g;
  g.plan = &plan;
  g.weights = packed.data();
  g.data = rows.view();
  g.envs = kWarp;
  g.horizon = kRows;
  g.scale = 1.0f / kSamples;
  g.coefficients = {.entropy = 0.01f, .value = 0.5f};
  g.partials = partials.data();
  g.workspace = workspace.data();
  for (auto _ : state) {
    std::fill_n(rows.policy.data(), rows.policy.size(), 0.1f);
    std::fill_n(rows.value.data(), rows.value.size(), 0.1f);
    std::fill_n(rows.advantage.data(), rows.advantage.size(), 0.5f);
    ops.gradient(0, g, 0);
    network.unpack_gradient(partials.data(), gradient.data());
    benchmark::DoNotOptimize(gradient.data()[0]);
  }
  report(state, ops);
}

}  // namespace

void register_order_benchmarks() {
  for (const Isa isa : available_isas()) {
    const std::string name = isa_name(cpu_ops_for(isa));
    benchmark::RegisterBenchmark(("minibatch_gradient_chunks/" + name).c_str(), chunks, isa);
    benchmark::RegisterBenchmark(("minibatch_gradient_lanes/" + name).c_str(), lanes, isa);
  }
}

// The two orders of sums, on the gradient of one minibatch of PPO's 128 samples with two separate trunks of 64 tanh units:
//   tiles   64 positions in index order, two partials, as tiled networks have it (kernels/network/tiled)
//   lanes    32 lanes of four rows each, then the butterfly over lanes, as small networks have it (kernels/network/small/op.hpp)
// Both gather the samples and end in the gradient in the order of the parameters. `share`: of the fma rate measured in the same run; one
// fma a weight and pass, three passes.
#include <benchmark/benchmark.h>

#include "bench/fma_rate.hpp"
#include "src/engine/aligned.hpp"
#include "src/engine/engine.hpp"
#include "src/engine/isa.hpp"
#include "src/engine/network_plan.hpp"
#include "src/engine/tile_plan.hpp"

namespace {

using namespace cupg;

constexpr int kSamples = 128, kRows = kSamples / kWarp;
constexpr double kWeights = 2 * 4 * 64 + 3 * 64;
constexpr int kPpo = 1, kRecord = 16;
constexpr Coefficients<float> kCoefficients{.entropy = 0.01f, .value = 0.5f, .clip = 0.2f, .value_clip = 0.2f};

NetworkShape shape_of_ppo() {
  const Trunk trunk{.width = {64}, .activation = Activation::tanh, .bias = true};
  return {.observations = 4, .actions = 2, .shared = false, .policy = trunk, .value = trunk};
}

void report(benchmark::State& state, const CpuOps& ops) {
  const double samples = static_cast<double>(state.iterations()) * kSamples;
  state.counters["samples"] = benchmark::Counter(samples, benchmark::Counter::kIsRate);
  state.counters["share"] = benchmark::Counter(samples * 3 * kWeights / bench::fma_rate(ops), benchmark::Counter::kIsRate);
}

AlignedArray<float> initial_parameters(const NetworkShape& shape) {
  AlignedArray<float> p(padded(parameter_count(shape)));
  initialize_parameters(shape, {}, 1, {p.data(), static_cast<std::size_t>(parameter_count(shape))});
  return p;
}

void set_sample(SampleRow at, int i, float* to) {
  for (int k = 0; k < 4; ++k) to[k] = 0.01f * static_cast<float>((i * 7 + k) % 100) - 0.5f;
  to[at.advantage()] = 0.5f;
  to[at.log_probability()] = -0.7f;
}

void tiles(benchmark::State& state, Isa isa) {
  const NetworkShape shape = shape_of_ppo();
  const CpuOps& ops = cpu_ops_for(isa);
  const TilePlan plan = make_tile_plan(shape);
  const AlignedArray<float> parameters = initial_parameters(shape);
  AlignedArray<float> packed(plan.packed), samples(kSamples * plan.row().stride()), observation(kTile * tile_padded(4)),
      partials(2 * plan.partial), gradient(padded(plan.parameters));
  AlignedArray<TileScratch> scratch(1);
  std::uint32_t rows[kSamples];
  for (std::uint32_t i = 0; i < kSamples; ++i) {
    rows[i] = i * 37 % kSamples;
    set_sample(plan.row(), static_cast<int>(i), samples + static_cast<std::int64_t>(i) * plan.row().stride());
  }
  ops.tile_pack(plan, parameters.data(), packed.data());
  for (auto _ : state) {
    for (int c = 0; c < kSamples / kTile; ++c) {
      TileGradientArgs g;
      g.plan = &plan;
      g.weights = packed.data();
      g.samples = samples.data();
      g.index = rows + c * kTile;
      g.count = kTile;
      g.objective = ops.objective(kPpo);
      g.coefficients = kCoefficients;
      g.scale = 1.0f / kSamples;
      g.observation = observation.data();
      g.scratch = scratch.data();
      g.partial = partials + c * plan.partial;
      ops.tile_gradient(g);
    }
    ops.tree(partials.data(), kSamples / kTile, plan.partial, plan.partial);
    ops.tile_unpack(plan, partials.data(), gradient.data());
    benchmark::DoNotOptimize(gradient.data()[0]);
  }
  report(state, ops);
}

void lanes(benchmark::State& state, Isa isa) {
  const NetworkShape shape = shape_of_ppo();
  const CpuOps& ops = cpu_ops_for(isa);
  const PackedNetwork network(shape);
  const NetworkPlan& plan = network.plan();
  const RowFeatures f{{4}, plan.policy_outputs + 1};
  const int environment = find_environment("CartPole-v1").id;
  const AlignedArray<float> parameters = initial_parameters(shape);
  AlignedArray<float> packed(padded(plan.packed)), records(kSamples * kRecord), rows(kRows * f.floats()),
      hidden(kRows * hidden_units(plan) * kWarp), workspace(std::int64_t{small_partial(plan)} * kWarp), partial(small_partial(plan)),
      gradient(padded(plan.parameters));
  std::uint32_t index[kSamples];
  for (std::uint32_t i = 0; i < kSamples; ++i) {
    index[i] = i * 37 % kSamples;
    set_sample(f.sample, static_cast<int>(i), records + static_cast<std::int64_t>(i) * kRecord);
  }
  network.pack(parameters.data(), packed.data());
  const auto row = [&](int feature) { return rows + feature * kWarp; };
  const SampleRow at = f.sample;
  for (auto _ : state) {
    for (int t = 0; t < kRows; ++t)
      ops.gather_row(records.data(), at.done(), kRecord, index + t * kWarp, kWarp, t + 1 < kRows ? kWarp : 0, rows + t * f.floats());
    ops.rows_forward(environment, plan, packed.data(), rows.data(), kRows, hidden.data(), nullptr);
    ops.objective(kPpo)({.count = kWarp,
                         .coefficients = kCoefficients,
                         .scale = 1.0f / kSamples,
                         .policy = row(f.output()),
                         .value = row(f.output() + plan.policy_outputs),
                         .action = row(at.action()),
                         .advantage = row(at.advantage()),
                         .target = row(at.target()),
                         .old_log_probability = row(at.log_probability()),
                         .old_value = row(at.value()),
                         .grad = row(f.output()),
                         .policy_outputs = plan.policy_outputs,
                         .stride = kWarp,
                         .rows = kRows,
                         .row = f.floats()});
    ops.small_backward(environment, {.plan = &plan,
                                     .weights = packed.data(),
                                     .rows = rows.data(),
                                     .count = kRows,
                                     .hidden = hidden.data(),
                                     .workspace = workspace.data(),
                                     .partial = partial.data()});
    network.unpack_gradient(partial.data(), gradient.data());
    benchmark::DoNotOptimize(gradient.data()[0]);
  }
  report(state, ops);
}

}  // namespace

void register_order_benchmarks() {
  for (const Isa isa : available_isas()) {
    const std::string name = isa_name(cpu_ops_for(isa));
    benchmark::RegisterBenchmark(("minibatch_gradient_tiles/" + name).c_str(), tiles, isa);
    benchmark::RegisterBenchmark(("minibatch_gradient_lanes/" + name).c_str(), lanes, isa);
  }
}

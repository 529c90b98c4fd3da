// Each op of the CPU engine alone, on the default network and one warp at a time, beside the processor's limit.
//
//   ./build/release/cupg_microbench [--benchmark_filter=rollout]
//
// `samples` counts environment steps a second; `share` is the part of the processor's limit that is reached: of the fma rate
// measured in the same run for what is bound by arithmetic (adds, multiplications and fma count one each), of the copy rate from
// the same cache for what is bound by memory.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstring>

#include "bench/fma_rate.hpp"
#include "src/engine/engine.hpp"
#include "src/engine/isa.hpp"
#include "src/engine/network_plan.hpp"
#include "src/engine/warp_memory.hpp"

namespace {

using namespace cupg;

constexpr int kHorizon = 32, kWarps = 64;
constexpr double kObservations = 4, kOutputs = 2, kUnits = 16;

// Arithmetic per sample, counted in the source.
constexpr double kForward = kUnits * (kObservations + kOutputs);  // one fma a weight
constexpr double kStep = 5 + 6 + 4 + 4 + 3 + 2 + 4;               // sine, cosine, temp, reciprocal, theta_acc, x_acc, Euler
constexpr double kSample = 13 + 2 + 1;                            // exp, uniform number, decision
constexpr double kLoss = 13 + 4 + 12;                             // exp, division, derivatives
constexpr double kBackward = kUnits * (kOutputs + kObservations + 1 + kOutputs);

/// Bytes a second of memcpy within the first-level cache (read and written counted), the best of five.
double copy_rate() {
  static double best = 0;
  if (best > 0) return best;
  static char from[8192], to[8192];
  for (int i = 0; i < 5; ++i) {
    constexpr int kTimes = 100000;
    const double seconds = bench::seconds_of([&] {
      for (int k = 0; k < kTimes; ++k) {
        benchmark::DoNotOptimize(&from[0]);  // or the compiler sees that nobody reads the copy
        benchmark::DoNotOptimize(&to[0]);
        std::memcpy(to, from, sizeof to);
        benchmark::ClobberMemory();
      }
    });
    best = std::max(best, 2.0 * sizeof to * kTimes / seconds);
  }
  return best;
}

/// One agent's arrays for one warp, after a rollout.
struct Fixture {
  const EnvironmentInfo& environment = find_environment("CartPole-v1");
  Config config;
  const CpuOps& ops;
  PackedNetwork network;
  const RowFeatures features;
  WarpMemory memory;
  AlignedArray<float> rows, parameters, packed, hidden, scratch, workspace, partials, first, second, gradient;
  AlignedArray<std::uint32_t> done, used;
  OptimizerState state;
  RolloutArgs rollout;

  explicit Fixture(Isa isa)
      : ops(cpu_ops_for(isa)),
        network(config.network()),
        features{{environment.observations}, network.plan().policy_outputs + 1},
        memory(environment.id, 1),
        rows(kHorizon * features.floats()),
        parameters(padded(network.plan().parameters)),
        packed(padded(network.plan().packed)),
        hidden((kHorizon + 1) * hidden_units(network.plan()) * kWarp),
        scratch(kMaxFusedWidth * kWarp),
        workspace(std::int64_t{small_partial(network.plan())} * kWarp),
        partials(std::int64_t{kWarps} * small_partial(network.plan())),
        first(parameters.size()),
        second(parameters.size()),
        gradient(parameters.size()),
        done(kHorizon),
        used(kHorizon) {
    initialize_parameters(config.network(), config.init, 1, {parameters.data(), static_cast<std::size_t>(network.plan().parameters)});
    network.pack(parameters.data(), packed.data());
    ops.reset(environment.id, memory.state.data(), memory.age.data(), 1, 0);
    rollout.plan = &network.plan();
    rollout.weights = packed.data();
    rollout.state = memory.state.data();
    rollout.age = memory.age.data();
    rollout.episode_return = memory.episode_return.data();
    rollout.rows = rows.data();
    rollout.done = done.data();
    rollout.used = used.data();
    rollout.hidden = hidden.data();
    rollout.units = hidden_units(network.plan());
    rollout.envs = kWarp;
    rollout.steps = kHorizon;
    rollout.episode_limit = static_cast<std::uint32_t>(environment.max_episode_steps);
    rollout.log_probabilities = false;
    rollout.key = 1;
    collect();
  }
  void collect() {
    EpisodeTally tally;
    ops.rollout(environment.id, rollout, 0, tally);
    rollout.step += kHorizon;
  }
  float* row(int feature) { return rows + feature * kWarp; }
};

void report(benchmark::State& state, const Fixture& f, double samples, double arithmetic, double bytes) {
  const double done = samples * static_cast<double>(state.iterations());
  state.counters["samples"] = benchmark::Counter(done, benchmark::Counter::kIsRate);
  const double limit = arithmetic > 0 ? bench::fma_rate(f.ops) / arithmetic : copy_rate() / bytes;
  state.counters["share"] = benchmark::Counter(done / limit, benchmark::Counter::kIsRate);
}

constexpr double kWarpSamples = kWarp * kHorizon;

void rollout(benchmark::State& state, Isa isa) {
  Fixture f(isa);
  for (auto _ : state) f.collect();
  report(state, f, kWarpSamples, kForward + kStep + kSample, 0);
}
void advantage(benchmark::State& state, Isa isa) {
  Fixture f(isa);
  AdvantageArgs a;
  a.row = f.features.sample;  // the results take their inputs' places; without a discount they stay what they are
  for (auto _ : state) f.ops.row_advantages(a, f.features, f.rows.data(), f.done.data(), kHorizon);
  report(state, f, kWarpSamples, 0, 5 * 4);
}
void moments(benchmark::State& state, Isa isa) {
  Fixture f(isa);
  alignas(64) float center[kWarp], sums[kWarp];
  std::fill_n(center, kWarp, 0.5f);
  for (auto _ : state) {
    f.ops.row_moments(f.row(f.features.sample.advantage()), f.features.floats(), f.used.data(), kHorizon, center, true, sums);
    benchmark::DoNotOptimize(sums[0]);
  }
  report(state, f, kWarpSamples, 0, 4);
}
void gradient(benchmark::State& state, Isa isa, bool keep) {
  Fixture f(isa);
  const NetworkPlan& plan = f.network.plan();
  // the loss overwrites the outputs, so that every round has other numbers, as good as those
  ObjectiveArgs loss = row_objective_args(f.features, f.rows.data(), false);
  loss.coefficients = {0.01f, 0.5f};
  loss.scale = 1.0f / (kWarp * kHorizon);
  loss.kl = nullptr;
  loss.rows = kHorizon;
  loss.used = f.used.data();
  const SmallArgs backward{.plan = &plan,
                           .weights = f.packed.data(),
                           .rows = f.rows.data(),
                           .count = kHorizon,
                           .hidden = keep ? f.hidden.data() : nullptr,
                           .workspace = f.workspace.data(),
                           .partial = f.partials.data()};
  for (auto _ : state) {
    f.ops.objective(0)(loss);
    f.ops.small_backward(f.environment.id, backward);
  }
  report(state, f, kWarpSamples, kLoss + kBackward + (keep ? 0 : kUnits * kObservations), 0);
}
void reduce(benchmark::State& state, Isa isa) {
  Fixture f(isa);
  const int width = small_partial(f.network.plan());
  for (auto _ : state) f.ops.tree(f.partials.data(), kWarps, width, width);
  report(state, f, kWarpSamples * kWarps, 0, 3.0 * 4 * width / kWarpSamples);
}
void optimizer(benchmark::State& state, Isa isa) {
  Fixture f(isa);
  OptimizerArgs o;
  o.total.updates = 1;
  o.count = static_cast<int>(f.parameters.size());
  o.gradient = f.gradient.data();
  o.parameters = f.parameters.data();
  o.first_moment = f.first.data();
  o.second_moment = f.second.data();
  o.state = &f.state;
  for (auto _ : state) benchmark::DoNotOptimize(f.ops.optimize(o));
  report(state, f, 1, 12.0 * o.count, 0);  // an update, not a sample
}
void evaluation(benchmark::State& state, Isa isa) {
  Fixture f(isa);
  AlignedArray<float> returns(kWarp);
  EvaluateArgs e;
  e.plan = &f.network.plan();
  e.weights = f.packed.data();
  e.episodes = kWarp;
  e.max_episode_steps = 500;
  e.allowed_deficit = 1e30;
  e.max_return = 500;
  e.returns = returns.data();
  double longest = 0;
  for (auto _ : state) {
    double deficit = 0;
    f.ops.evaluate(f.environment.id, e, 0, f.scratch.data(), deficit);
    longest = 0;
    for (int i = 0; i < kWarp; ++i) longest = std::max(longest, static_cast<double>(returns.data()[i]));
  }
  report(state, f, longest * kWarp, kForward + kStep, 0);
}
void environment(benchmark::State& state, Isa isa, bool balance) {
  Fixture f(isa);
  AlignedArray<float> observation(kHorizon * 4 * kWarp);
  AlignedArray<std::uint32_t> terminated(kHorizon), truncated(kHorizon);
  BenchEnvArgs b;
  b.state = f.memory.state.data();
  b.age = f.memory.age.data();
  b.observation = observation.data();
  b.terminated = terminated.data();
  b.truncated = truncated.data();
  b.steps = kHorizon;
  b.max_episode_steps = 500;
  b.balance = balance;
  for (auto _ : state) {
    f.ops.bench_env(f.environment.id, b, 0);
    b.step += kHorizon;
  }
  report(state, f, kWarpSamples, kStep + (balance ? 4 : 0), 0);
}
void update(benchmark::State& state, Isa isa) {
  Fixture f(isa);
  f.config.envs = kWarps * kWarp;
  f.config.horizon = kHorizon;
  f.config.isa = isa;
  const auto engine = make_cpu_engine(f.config, 1, 1);
  engine->reset(0, 1);
  constexpr int agent = 0;
  UpdateReport r;
  for (auto _ : state) engine->update(std::span(&agent, 1), 1, std::span(&r, 1));
  report(state, f, kWarpSamples * kWarps, kForward + kStep + kSample + kLoss + kBackward + 4, 0);
}

}  // namespace

void register_gemm_benchmarks();    // gemm_bench.cpp
void register_order_benchmarks();   // order_bench.cpp
void register_search_benchmarks();  // search_bench.cpp

int main(int argc, char** argv) {
  for (const Isa isa : available_isas()) {
    const std::string name = isa_name(cpu_ops_for(isa));
    const auto add = [&](const char* op, auto f, auto... more) {
      benchmark::RegisterBenchmark((std::string(op) + "/" + name).c_str(), f, isa, more...);
    };
    add("environment_random", environment, false);
    add("environment_balance", environment, true);
    add("rollout", rollout);
    add("advantage", advantage);
    add("moments", moments);
    add("gradient", gradient, true);
    add("gradient_forward_again", gradient, false);
    add("reduce", reduce);
    add("optimizer", optimizer);
    add("evaluate", evaluation);
    add("update", update);
  }
  register_gemm_benchmarks();
  register_order_benchmarks();
  register_search_benchmarks();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}

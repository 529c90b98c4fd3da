// Wide networks: whole updates beside the rate of the library's matrix products, measured in the same run.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <ctime>
#include <string>

#include "cupg/error.hpp"
#include "src/engine/cpu_matrix_backend.hpp"
#include "src/engine/engine.hpp"

namespace {

using namespace cupg;

/// flop/s of a product of two square matrices large enough to be bound by arithmetic, the best of five.
double sgemm_rate() {
  static double best = 0;
  if (best > 0) return best;
  constexpr int n = 1536;
  const std::vector<float> a(n * n, 0.5f), b(n * n, 0.25f);
  std::vector<float> c(n * n);
  openblas().set_threads(1);
  for (int i = 0; i < 5; ++i) {
    const std::clock_t start = std::clock();  // processor time, as the rates of Google Benchmark
    openblas().sgemm(0, 1, n, n, n, 1, a.data(), n, b.data(), n, 0, c.data(), n);
    best = std::max(best, 2.0 * n * n * n * CLOCKS_PER_SEC / static_cast<double>(std::clock() - start));
  }
  return best;
}

/// Floating-point operations of the products of one sample: forward, T + 1 times in T steps; in every epoch forward once more, unless the
/// rollout's activations are there, then weights and inputs on the way back.
double flops(const Config& config) {
  const NetworkShape shape = config.network();
  double all = 0, inputs = 0;
  int in = shape.observations;
  for (const int out : shape.policy.width) {
    all += 2.0 * in * out;
    if (in != shape.observations) inputs += 2.0 * in * out;
    in = out;
  }
  const double heads = 2.0 * in * (shape.actions + 1);
  const int forward = config.minibatches == 1 ? config.epochs - 1 : config.epochs;
  return (all + heads) * (1 + 1.0 / config.horizon + forward) + config.epochs * (all + heads + inputs + heads);
}

void update(benchmark::State& state, const std::vector<int>& hidden, Activation activation, int parts) {
  Config config;
  if (parts > 1) config.algorithm = "ppo";
  config.epochs = config.minibatches = parts;
  config.hidden = hidden;
  config.activation = activation;
  config.envs = 256;
  config.horizon = 16;
  config.init.kind = Initialization::xavier;
  const auto engine = make_cpu_engine(config, 1, 1);
  engine->reset(0, 1);
  constexpr int agent = 0;
  UpdateReport r;
  for (auto _ : state) engine->update(std::span(&agent, 1), 1, std::span(&r, 1));
  const double samples = static_cast<double>(state.iterations()) * static_cast<double>(config.batch()), work = flops(config);
  state.counters["samples"] = benchmark::Counter(samples, benchmark::Counter::kIsRate);
  state.counters["flops"] = benchmark::Counter(samples * work, benchmark::Counter::kIsRate);
  state.counters["share"] = benchmark::Counter(samples * work / sgemm_rate(), benchmark::Counter::kIsRate);
  state.counters["sgemm"] = sgemm_rate();
}

}  // namespace

void register_gemm_benchmarks() {
  try {
    openblas();
  } catch (const Error&) {
    return;  // this build has no such plug-in
  }
  const auto add = [](const char* name, std::vector<int> hidden, Activation activation, int parts = 1) {
    benchmark::RegisterBenchmark((std::string("gemm_update/") + name).c_str(), update, hidden, activation, parts);
  };
  add("65", {65}, Activation::relu);
  add("128-128-tanh", {128, 128}, Activation::tanh);
  add("256-256", {256, 256}, Activation::relu);
  add("256-256-ppo", {256, 256}, Activation::relu, 4);
  add("16x8", std::vector<int>(8, 16), Activation::relu);
  add("1024-1024", {1024, 1024}, Activation::relu);
}

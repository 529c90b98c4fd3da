#include "src/gradcheck/kernels.hpp"

#include <fmt/format.h>

#include "kernels/chunk/op.hpp"
#include "src/engine/aligned.hpp"
#include "src/engine/isa.hpp"
#include "src/engine/network_plan.hpp"
#include "src/gradcheck/stopwatch.hpp"

namespace cupg::gradcheck {
namespace {

std::vector<float> float_parameters(const Frozen& f) {
  std::vector<float> p(static_cast<std::size_t>(padded(static_cast<int>(f.parameters.size()))));
  for (std::size_t i = 0; i < f.parameters.size(); ++i) p[i] = static_cast<float>(f.parameters[i]);
  return p;
}

Coefficients<float> float_coefficients(const Frozen& f) {
  const Coefficients<double>& c = f.coefficients;
  return {static_cast<float>(c.entropy), static_cast<float>(c.value), static_cast<float>(c.clip), static_cast<float>(c.value_clip)};
}

/// The rollout as rows of samples.
void store_rows(const Frozen& f, const SampleRow& row, float* samples) {
  for (const FrozenSample& s : f.samples) {
    for (std::size_t o = 0; o < s.observation.size(); ++o) samples[o] = static_cast<float>(s.observation[o]);
    samples[row.action()] = bits_float(s.action);
    samples[row.value()] = static_cast<float>(s.old_value);
    samples[row.log_probability()] = static_cast<float>(s.old_log_probability);
    samples[row.advantage()] = static_cast<float>(s.advantage);
    samples[row.target()] = static_cast<float>(s.target);
    samples += row.stride();
  }
}

/// As ChunkEngine::gradient does it, for one minibatch that is the whole rollout.
std::vector<float> chunk_gradient_of(const Frozen& f, const CpuOps& ops) {
  const ChunkPlan plan = make_chunk_plan(f.network);
  const SampleRow row = plan.row();
  const std::vector<float> parameters = float_parameters(f);
  const auto n = static_cast<int>(f.samples.size());
  const int chunks = (n + kChunk - 1) / kChunk;
  AlignedArray<float> packed(plan.packed), samples(static_cast<std::int64_t>(n) * row.stride()),
      observation(static_cast<std::int64_t>(kChunk) * chunk_padded(plan.observations)),
      partials(static_cast<std::int64_t>(chunks) * plan.partial), gradient(padded(plan.parameters));
  AlignedArray<ChunkScratch> scratch(1);
  ops.chunk_pack(plan, parameters.data(), packed.data());
  store_rows(f, row, samples.data());
  const std::vector<std::uint32_t> index = f.all();
  for (int chunk = 0; chunk < chunks; ++chunk) {
    const int begin = chunk * kChunk;
    ChunkGradientArgs g;
    g.plan = &plan;
    g.weights = packed.data();
    g.samples = samples.data();
    g.index = index.data() + begin;
    g.count = std::min(kChunk, n - begin);
    g.objective = ops.objective(objective_number(f.config.algorithm));
    g.coefficients = float_coefficients(f);
    g.mean = static_cast<float>(f.mean);
    g.inverse_sd = static_cast<float>(f.inverse_sd);
    g.scale = f.config.objective.loss == LossSum::mean ? 1.0f / static_cast<float>(n) : 1.0f;
    g.observation = observation.data();
    g.scratch = scratch.data();
    g.partial = partials + static_cast<std::int64_t>(chunk) * plan.partial;
    ops.chunk_gradient(g);
  }
  ops.tree(partials.data(), chunks, plan.partial, plan.partial);
  ops.chunk_unpack(plan, partials.data(), gradient.data());
  return {gradient.data(), gradient.data() + plan.parameters};
}

/// As CpuEngine does it.
std::vector<float> lane_gradient_of(const Frozen& f, const CpuOps& ops) {
  const PackedNetwork network(f.network);
  const NetworkPlan& plan = network.plan();
  LaneRows rows = lane_rows(f);
  const std::vector<float> parameters = float_parameters(f);
  AlignedArray<float> packed(padded(plan.packed)), partials(static_cast<std::int64_t>(rows.warps) * padded(plan.packed)),
      workspace(gradient_workspace(plan)), gradient(padded(plan.parameters));
  const auto aligned = [](const std::vector<float>& x) {
    AlignedArray<float> y(static_cast<std::int64_t>(x.size()));
    std::copy(x.begin(), x.end(), y.data());
    return y;
  };
  AlignedArray<float> observation = aligned(rows.observation), policy = aligned(rows.policy), value = aligned(rows.value),
                      advantage = aligned(rows.advantage);
  network.pack(parameters.data(), packed.data());
  GradientArgs g;
  g.plan = &plan;
  g.weights = packed.data();
  g.data.observation = observation.data();
  g.data.policy = policy.data();
  g.data.value = value.data();
  g.data.advantage = advantage.data();
  g.data.action = rows.action.data();
  g.envs = rows.envs;
  g.horizon = 1;
  g.mean = static_cast<float>(f.mean);
  g.inverse_sd = static_cast<float>(f.inverse_sd);
  g.scale = static_cast<float>(f.scale());
  g.coefficients = float_coefficients(f);
  g.partials = partials.data();
  g.workspace = workspace.data();
  const int environment = find_environment(f.config.environment).id;
  for (int warp = 0; warp < rows.warps; ++warp) ops.gradient(environment, g, warp);
  ops.tree(partials.data(), rows.warps, plan.packed, padded(plan.packed));
  network.unpack_gradient(partials.data(), gradient.data());
  return {gradient.data(), gradient.data() + plan.parameters};
}

constexpr const char* kWide = "networks beyond two layers of 64 units train by matrix products, which promise a tolerance of their own";

}  // namespace

bool runs_in_lanes(const Frozen& f) { return fused(f.network) && !chunked(f.config); }

LaneRows lane_rows(const Frozen& f) {
  LaneRows r;
  r.envs = static_cast<int>(f.samples.size());
  r.warps = (r.envs + kWarp - 1) / kWarp;
  const auto lanes = static_cast<std::size_t>(r.warps * kWarp), inputs = static_cast<std::size_t>(f.network.observations);
  r.observation.resize(lanes * inputs);
  r.policy.resize(lanes);
  r.value.resize(lanes);
  r.advantage.resize(lanes);
  r.action.resize(static_cast<std::size_t>(r.warps));
  const reference::Network<float> network(f.network);
  const std::vector<float> parameters = float_parameters(f);
  for (std::size_t i = 0; i < f.samples.size(); ++i) {
    const FrozenSample& s = f.samples[i];
    const std::size_t warp = i / kWarp, lane = i % kWarp;
    const std::vector<float> x(s.observation.begin(), s.observation.end());
    for (std::size_t o = 0; o < inputs; ++o) r.observation[(warp * inputs + o) * kWarp + lane] = x[o];
    network.forward(parameters.data(), x.data(), r.policy[i], r.value[i]);
    r.advantage[i] = static_cast<float>(s.advantage);
    r.action[warp] |= s.action << lane;
  }
  return r;
}

ChunkRowsOfRollout chunk_rows(const Frozen& f) {
  ChunkRowsOfRollout r;
  const ChunkPlan plan = make_chunk_plan(f.network);
  r.weights.resize(static_cast<std::size_t>(plan.packed));
  r.samples.resize(f.samples.size() * static_cast<std::size_t>(plan.row().stride()));
  cpu_ops_generic().chunk_pack(plan, float_parameters(f).data(), r.weights.data());
  store_rows(f, plan.row(), r.samples.data());
  r.objective = objective_number(f.config.algorithm);
  const Coefficients<float> c = float_coefficients(f);
  r.settings = {
      .entropy_coef = c.entropy, .value_coef = c.value, .loss = f.config.objective.loss, .clip = c.clip, .value_clip = c.value_clip};
  return r;
}

std::vector<KernelGradient> cpu_gradients(const Frozen& f, Isa isa) {
  if (!fused(f.network)) return {{"kernels", kWide, {}, 0}};
  std::vector<KernelGradient> all;
  for (const bool lanes : {true, false})
    for (const Isa each : isa == Isa::automatic ? available_isas() : std::vector{isa}) {
      if (lanes && !runs_in_lanes(f)) continue;
      const CpuOps& ops = cpu_ops_for(each);
      KernelGradient k{fmt::format("{} kernel, {}", lanes ? "lane" : "chunk", isa_name(ops)), "", {}, 0};
      k.gradient = timed([&] { return lanes ? lane_gradient_of(f, ops) : chunk_gradient_of(f, ops); }, k.seconds);
      all.push_back(k);
    }
  return all;
}

std::vector<KernelGradient> cuda_gradients(const Frozen& f) {
  if (!fused(f.network)) return {{"kernels", kWide, {}, 0}};
#ifdef CUPG_HAVE_SIMT
  std::vector<KernelGradient> all;
  if (runs_in_lanes(f)) {
    KernelGradient& k = all.emplace_back(KernelGradient{"lane kernel, host executor", "", {}, 0});
    k.gradient = timed([&] { return emulated_lane_gradient(f, lane_rows(f)); }, k.seconds);
  }
  KernelGradient& k = all.emplace_back(KernelGradient{"chunk kernel, host executor", "", {}, 0});
  k.gradient = timed([&] { return emulated_chunk_gradient(f, chunk_rows(f)); }, k.seconds);
  return all;
#else
  return {{"kernels", "built without the host executor (libboost-context-dev)", {}, 0}};
#endif
}

}  // namespace cupg::gradcheck

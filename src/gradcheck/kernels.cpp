#include "src/gradcheck/kernels.hpp"

#include <fmt/format.h>

#include "kernels/network/tiled/op.hpp"
#include "src/engine/aligned.hpp"
#include "src/engine/isa.hpp"
#include "src/engine/network_plan.hpp"
#include "src/engine/tile_plan.hpp"
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

AlignedArray<float> aligned(const std::vector<float>& x) {
  AlignedArray<float> y(static_cast<std::int64_t>(x.size()));
  std::copy(x.begin(), x.end(), y.data());
  return y;
}

/// As CpuEngine::samples_gradient does it.
std::vector<float> tile_gradient_of(const Frozen& f, const CpuOps& ops) {
  const TilePlan plan = make_tile_plan(f.network);
  const RolloutArrays rollout = rollout_arrays(f);
  const auto n = static_cast<int>(f.samples.size());
  const int tiles = (n + kTile - 1) / kTile;
  AlignedArray<float> packed = aligned(rollout.weights), samples = aligned(rollout.samples),
                      observation(static_cast<std::int64_t>(kTile) * tile_padded(plan.observations)),
                      partials(static_cast<std::int64_t>(tiles) * plan.partial), gradient(padded(plan.parameters));
  AlignedArray<TileScratch> scratch(1);
  const std::vector<std::uint32_t> index = f.all();
  for (int tile = 0; tile < tiles; ++tile) {
    const int begin = tile * kTile;
    TileGradientArgs g;
    g.plan = &plan;
    g.weights = packed.data();
    g.samples = samples.data();
    g.index = index.data() + begin;
    g.count = std::min(kTile, n - begin);
    g.objective = ops.objective(rollout.objective);
    g.coefficients = float_coefficients(f);
    g.mean = static_cast<float>(f.mean);
    g.inverse_sd = static_cast<float>(f.inverse_sd);
    g.scale = static_cast<float>(f.scale());
    g.observation = observation.data();
    g.scratch = scratch.data();
    g.partial = partials + static_cast<std::int64_t>(tile) * plan.partial;
    ops.tile_gradient(g);
  }
  ops.tree(partials.data(), tiles, plan.partial, plan.partial);
  ops.tile_unpack(plan, partials.data(), gradient.data());
  return {gradient.data(), gradient.data() + plan.parameters};
}

/// As CpuEngine::gathered_gradient does it.
std::vector<float> small_gradient_of(const Frozen& f, const CpuOps& ops) {
  const PackedNetwork network(f.network);
  const NetworkPlan& plan = network.plan();
  const RowFeatures features{{f.network.observations}, plan.policy_outputs + 1};
  const SampleRow at = features.sample;
  const RolloutArrays rollout = rollout_arrays(f);
  const int environment = find_environment(f.config.environment).id, stride = small_partial(plan);
  const auto n = static_cast<int>(f.samples.size());
  const int count = (n + kPartialSamples - 1) / kPartialSamples;
  AlignedArray<float> packed = aligned(rollout.weights), samples = aligned(rollout.samples),
                      rows(std::int64_t{kPartialRows} * features.floats()), sums(std::int64_t{stride} * kWarp),
                      partials(std::int64_t{count} * stride), gradient(padded(plan.parameters));
  const std::vector<std::uint32_t> index = f.all();
  for (int partial = 0; partial < count; ++partial) {
    const int begin = partial * kPartialSamples, here = std::min(kPartialSamples, n - begin), held = (here + kWarp - 1) / kWarp;
    for (int t = 0; t < held; ++t)
      ops.gather_row(samples.data(), at.fields(), at.stride(), index.data() + begin + t * kWarp, std::min(kWarp, here - t * kWarp), 0,
                     rows + t * features.floats());
    ops.rows_forward(environment, plan, packed.data(), rows.data(), held, nullptr, nullptr);
    std::uint32_t used[kPartialRows];
    for (int t = 0; t < held; ++t) used[t] = lanes_in_use(here, t);
    ObjectiveArgs loss = row_objective_args(features, rows.data(), true);
    loss.coefficients = float_coefficients(f);
    loss.mean = static_cast<float>(f.mean);
    loss.inverse_sd = static_cast<float>(f.inverse_sd);
    loss.scale = static_cast<float>(f.scale());
    loss.kl = nullptr;
    loss.rows = held;
    loss.used = used;
    ops.objective(rollout.objective)(loss);
    ops.small_backward(environment, {.plan = &plan,
                                     .weights = packed.data(),
                                     .rows = rows.data(),
                                     .count = held,
                                     .workspace = sums.data(),
                                     .partial = partials + std::int64_t{partial} * stride});
  }
  ops.tree(partials.data(), count, stride, stride);
  network.unpack_gradient(partials.data(), gradient.data());
  return {gradient.data(), gradient.data() + plan.parameters};
}

bool small(const Frozen& f) { return network_kind(f.network) == NetworkKind::small; }

constexpr const char* kWide = "networks beyond two layers of 64 units train by matrix products, which promise a tolerance of their own";

}  // namespace

RolloutArrays rollout_arrays(const Frozen& f) {
  RolloutArrays r;
  const std::vector<float> parameters = float_parameters(f);
  if (small(f)) {
    const PackedNetwork network(f.network);
    r.weights.resize(static_cast<std::size_t>(padded(network.plan().packed)));
    network.pack(parameters.data(), r.weights.data());
  } else {
    const TilePlan plan = make_tile_plan(f.network);
    r.weights.resize(static_cast<std::size_t>(plan.packed));
    cpu_ops_generic().tile_pack(plan, parameters.data(), r.weights.data());
  }
  const SampleRow row{f.network.observations};
  r.samples.resize(f.samples.size() * static_cast<std::size_t>(row.stride()));
  store_rows(f, row, r.samples.data());
  r.objective = objective_number(f.config.algorithm);
  const Coefficients<float> c = float_coefficients(f);
  r.settings = {
      .entropy_coef = c.entropy, .value_coef = c.value, .loss = f.config.objective.loss, .clip = c.clip, .value_clip = c.value_clip};
  return r;
}

std::vector<KernelGradient> cpu_gradients(const Frozen& f, Isa isa) {
  if (!fused(f.network)) return {{"kernels", kWide, {}, 0}};
  std::vector<KernelGradient> all;
  for (const Isa each : isa == Isa::automatic ? available_isas() : std::vector{isa}) {
    const CpuOps& ops = cpu_ops_for(each);
    KernelGradient k{fmt::format("kernel, {}", isa_name(ops)), "", {}, 0};
    k.gradient = timed([&] { return small(f) ? small_gradient_of(f, ops) : tile_gradient_of(f, ops); }, k.seconds);
    all.push_back(k);
  }
  return all;
}

std::vector<KernelGradient> cuda_gradients(const Frozen& f) {
  if (!fused(f.network)) return {{"kernels", kWide, {}, 0}};
#ifdef CUPG_HAVE_SIMT
  KernelGradient k{"kernel, host executor", "", {}, 0};
  const RolloutArrays rollout = rollout_arrays(f);
  k.gradient = timed([&] { return small(f) ? emulated_small_gradient(f, rollout) : emulated_tile_gradient(f, rollout); }, k.seconds);
  return {k};
#else
  return {{"kernels", "built without the host executor (libboost-context-dev)", {}, 0}};
#endif
}

}  // namespace cupg::gradcheck

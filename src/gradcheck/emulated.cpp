// The CUDA kernels that compute gradients, on the frozen rollout, run by the host executor.
#include "cupg/environment.hpp"
#include "src/engine/cuda_launch.hpp"
#include "src/engine/network_plan.hpp"
#include "src/engine/tile_plan.hpp"
#include "src/gradcheck/kernels.hpp"

namespace cupg::gradcheck {
namespace {

constexpr unsigned kGradcheckThreads = 128;  // any number gives the same bits

/// An array in device memory with what is in `host`.
template <class T>
runtime::Buffer<T> on_device(runtime::Stream& stream, const T* host, std::size_t count) {
  runtime::Buffer<T> buffer(static_cast<std::int64_t>(count), "the gradient check");
  runtime::upload(stream, buffer.data(), host, static_cast<std::int64_t>(count));
  return buffer;
}

}  // namespace

std::vector<float> emulated_small_gradient(const Frozen& f, const RolloutArrays& rollout) {
  runtime::Stream stream;
  const PackedNetwork network(f.network);
  const RowFeatures features{{f.network.observations}, network.plan().policy_outputs + 1};
  const int n = static_cast<int>(f.samples.size()), slot = 0, fields = features.sample.fields(), stride = features.sample.stride();
  std::vector<float> rows(static_cast<std::size_t>(n * features.floats()));  // one environment's: a lane
  for (int t = 0; t < n; ++t)
    for (int i = 0; i < fields; ++i)
      rows[static_cast<std::size_t>(t * features.floats() + i * kWarp)] = rollout.samples[static_cast<std::size_t>(t * stride + i)];
  AgentState agent;
  agent.settings.objective = rollout.settings;
  agent.count = static_cast<std::uint32_t>(n);
  const Moments moments{static_cast<float>(f.mean), static_cast<float>(f.inverse_sd)};
  const auto weights = on_device(stream, rollout.weights.data(), rollout.weights.size());
  const auto samples = on_device(stream, rows.data(), rows.size());
  const auto state = on_device(stream, &agent, 1);
  const auto normal = on_device(stream, &moments, 1);
  const auto chosen = on_device(stream, &slot, 1);

  Agents a;
  a.plan = network.plan();
  a.objective_number = rollout.objective;
  a.loss = rollout.settings.loss;
  a.advantage.row = features.sample;
  a.envs = a.warps = a.row_warps = 1;
  a.capacity = n;
  a.partial_samples = kPartialSamples;
  a.partial_columns = a.plan.packed + 1;
  a.most_partials = partials_of_samples(a, agent.count);
  a.normalize_over = MomentsOver::batch;
  a.moment_groups = 1;
  const runtime::Buffer<float> partials(std::int64_t{a.most_partials} * partial_stride(a), "the gradient check");
  const runtime::Buffer<float> gathered(std::int64_t{a.most_partials} * kPartialRows * features.floats(), "the gradient check");
  a.packed = weights.data();
  a.rows = samples.data();
  a.gathered = gathered.data();
  a.partials = partials.data();
  a.moments = normal.data();
  a.state = state.data();
  a.chosen = chosen.data();
  launch_gradient(stream, find_environment(f.config.environment).id, a, 1, a.most_partials, {});
  std::vector<float> sums(static_cast<std::size_t>(partials.size())), gradient(f.parameters.size());
  runtime::download(stream, sums.data(), partials.data(), partials.size());
  stream.synchronize("the gradient check");
  tree_in_place(sums.data(), a.most_partials, partial_stride(a), partial_stride(a));
  network.unpack_gradient(sums.data(), gradient.data());
  return gradient;
}

std::vector<float> emulated_tile_gradient(const Frozen& f, const RolloutArrays& rollout) {
  runtime::Stream stream;
  const int slot = 0;
  AgentState agent;
  agent.settings.objective = rollout.settings;
  agent.count = static_cast<std::uint32_t>(f.samples.size());
  const Moments moments{static_cast<float>(f.mean), static_cast<float>(f.inverse_sd)};
  const auto state = on_device(stream, &agent, 1);
  const auto normal = on_device(stream, &moments, 1);
  const auto chosen = on_device(stream, &slot, 1);
  const auto weights = on_device(stream, rollout.weights.data(), rollout.weights.size());
  const auto samples = on_device(stream, rollout.samples.data(), rollout.samples.size());

  TiledAgents a;
  a.kind = NetworkKind::tiled;
  a.tile = make_tile_plan(f.network);
  a.gradient = row_layout(a.tile, kTile);
  a.objective_number = rollout.objective;
  a.loss = rollout.settings.loss;
  a.envs = 1;
  a.capacity = static_cast<std::int64_t>(f.samples.size());
  a.partial_samples = kTile;
  a.partial_columns = a.tile.parameters + 1;
  a.most_partials = partials_of_samples(a, agent.count);
  a.normalize_over = MomentsOver::batch;
  a.moment_groups = 1;
  const int stride = partial_stride(a);
  const runtime::Buffer<float> partials(std::int64_t{a.most_partials} * stride, "the gradient check");
  a.state = state.data();
  a.chosen = chosen.data();
  a.moments = normal.data();
  a.weights = weights.data();
  a.samples = samples.data();
  a.partials = partials.data();
  launch_tile_gradient(stream, find_environment(f.config.environment).id, a, 1, a.most_partials, {}, kGradcheckThreads);
  std::vector<float> sums(static_cast<std::size_t>(partials.size()));
  runtime::download(stream, sums.data(), partials.data(), partials.size());
  stream.synchronize("the gradient check");
  tree_in_place(sums.data(), a.most_partials, stride, stride);
  sums.resize(f.parameters.size());
  return sums;
}

}  // namespace cupg::gradcheck

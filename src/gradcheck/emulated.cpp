// The CUDA kernels that compute gradients, in lanes and in chunks, on the frozen rollout, run by the host executor.
#include "src/engine/chunk_plan.hpp"
#include "src/engine/cuda_chunk_launch.cuh"
#include "src/engine/cuda_launch.cuh"
#include "src/engine/network_plan.hpp"
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

std::vector<float> emulated_lane_gradient(const Frozen& f, const LaneRows& rows) {
  runtime::Stream stream;
  const PackedNetwork network(f.network);
  const NetworkPlan& plan = network.plan();
  const std::vector<float> parameters(f.parameters.begin(), f.parameters.end());
  std::vector<float> weights(static_cast<std::size_t>(padded(plan.packed)));
  network.pack(parameters.data(), weights.data());
  AgentState agent;
  agent.moments = {static_cast<float>(f.mean), static_cast<float>(f.inverse_sd)};
  const int slot = 0;
  const auto entries = on_device(stream, plan.entries, static_cast<std::size_t>(plan.packed));
  const auto packed = on_device(stream, weights.data(), weights.size());
  const auto observation = on_device(stream, rows.observation.data(), rows.observation.size());
  const auto policy = on_device(stream, rows.policy.data(), rows.policy.size());
  const auto value = on_device(stream, rows.value.data(), rows.value.size());
  const auto advantage = on_device(stream, rows.advantage.data(), rows.advantage.size());
  const auto action = on_device(stream, rows.action.data(), rows.action.size());
  const auto state = on_device(stream, &agent, 1);
  const auto chosen = on_device(stream, &slot, 1);
  const runtime::Buffer<float> partials(static_cast<std::int64_t>(rows.warps) * padded(plan.packed), "the gradient check");
  const int at_once = (rows.warps + kGradientWarps - 1) / kGradientWarps * kGradientWarps;
  const std::int64_t workspace_size = needs_workspace(plan) ? gradient_workspace(plan) : 0;
  const runtime::Buffer<float> workspace(at_once * workspace_size, "the gradient check");

  Agents a;
  a.plan = plan;
  a.plan.entries = entries.data();
  a.coefficients = {static_cast<float>(f.coefficients.entropy), static_cast<float>(f.coefficients.value)};
  a.envs = rows.envs;
  a.warps = rows.warps;
  a.horizon = 1;
  a.batch = static_cast<float>(rows.envs);
  a.gradient_scale = static_cast<float>(f.scale());
  a.packed = packed.data();
  a.trajectory.observation = observation.data();
  a.trajectory.policy = policy.data();
  a.trajectory.value = value.data();
  a.trajectory.advantage = advantage.data();
  a.trajectory.action = action.data();
  a.rows = rows.warps;
  a.partials = partials.data();
  a.workspace = workspace.data();
  a.workspace_size = workspace_size;
  a.state = state.data();
  a.chosen = chosen.data();
  launch_gradient(stream, find_environment(f.config.environment).id, a, 1, rows.warps);
  launch_reduce(stream, a, 1);
  std::vector<float> sums(static_cast<std::size_t>(padded(plan.packed))), gradient(f.parameters.size());
  runtime::download(stream, sums.data(), partials.data(), static_cast<std::int64_t>(sums.size()));
  stream.synchronize("the gradient check");
  network.unpack_gradient(sums.data(), gradient.data());
  return gradient;
}

std::vector<float> emulated_chunk_gradient(const Frozen& f, const ChunkRowsOfRollout& rows) {
  runtime::Stream stream;
  const int slot = 0;
  const AgentState agent;
  ChunkState progress;
  progress.count = static_cast<std::uint32_t>(f.samples.size());
  const Moments moments{static_cast<float>(f.mean), static_cast<float>(f.inverse_sd)};
  const auto state = on_device(stream, &agent, 1);
  const auto count = on_device(stream, &progress, 1);
  const auto normal = on_device(stream, &moments, 1);
  const auto chosen = on_device(stream, &slot, 1);
  const auto weights = on_device(stream, rows.weights.data(), rows.weights.size());
  const auto samples = on_device(stream, rows.samples.data(), rows.samples.size());

  ChunkAgents a;
  a.plan = make_chunk_plan(f.network);
  a.gradient = row_layout(a.plan, kChunk);
  a.objective = rows.settings;
  a.capacity = static_cast<std::int64_t>(f.samples.size());
  a.most_chunks = chunks_of(progress.count);
  a.normalize_over = MomentsOver::batch;
  a.moment_groups = 1;
  const int stride = partial_stride(a);
  const runtime::Buffer<float> partials(static_cast<std::int64_t>(a.most_chunks) * stride, "the gradient check");
  a.agents.envs = 1;
  a.agents.state = state.data();
  a.agents.chosen = chosen.data();
  a.progress = count.data();
  a.moments = normal.data();
  a.weights = weights.data();
  a.samples = samples.data();
  a.partials = partials.data();
  launch_chunk_gradient(stream, find_environment(f.config.environment).id, rows.objective, a, 1, a.most_chunks, 0, 0, kGradcheckThreads);
  std::vector<float> sums(static_cast<std::size_t>(a.most_chunks * stride));
  runtime::download(stream, sums.data(), partials.data(), static_cast<std::int64_t>(sums.size()));
  stream.synchronize("the gradient check");
  tree_in_place(sums.data(), a.most_chunks, stride, stride);
  sums.resize(f.parameters.size());
  return sums;
}

}  // namespace cupg::gradcheck

// Optimizer (op.hpp) by a block for an agent: the last run of the partial sums -> gradient of the parameters -> clip -> step -> packed
// weights; then whether the agent halts, at the end of an epoch whether it stops, and at the end of an update its counters. Each warp
// computes the squared norm for itself, lane l adding the parameters l, l + 32, ... The gradient stays in shared memory.
// Launch: kOptimizerThreads a block, a block an agent. Bound: latency of the norm's chain: parameters / 32 fma one after the other.
#pragma once
#include "kernels/agent/tiled.hpp"
#include "kernels/reduce/reduce.cuh"
#include "kernels/runtime/runtime.hpp"

CUPG_BEGIN_TARGET

inline constexpr int kOptimizerThreads = 256;

/// One step with a.gradient by all threads of the block; returns, in every thread, whether it was made: nothing changes where the
/// gradient is not finite. The block must have met after the last write to the gradient, and has met when this returns.
__device__ __forceinline__ bool step_block(const OptimizerArgs& a) {
  float squares = 0.0f;
  for (int i = lane_index(); i < a.count; i += kWarp) squares = fma(a.gradient[i], a.gradient[i], squares);
  const float norm2 = butterfly_sum(squares);
  OptimizerState state = *a.state;
  __syncthreads();  // all have read the gradient and the state
  if (!usable_norm(norm2)) return false;
  const StepSize step = begin_step(a.settings, a.done, a.total, norm2, state);
  for (int i = static_cast<int>(threadIdx.x); i < a.count; i += static_cast<int>(blockDim.x)) step_parameters<float>(a, step, i);
  if (threadIdx.x == 0) *a.state = state;
  __syncthreads();
  return true;
}

/// The weights that the network kernels read, from the parameters, by all threads of the block.
__device__ __forceinline__ void pack_block(const NetworkPlan& plan, const float* parameters, float* packed) {
  for (int i = static_cast<int>(threadIdx.x); i < plan.packed; i += static_cast<int>(blockDim.x)) {
    const PackEntry e = plan.entries[i];
    const float plus = e.plus < 0 ? 0.0f : parameters[e.plus];
    packed[i] = e.minus < 0 ? plus : plus - parameters[e.minus];
  }
}

/// dJ/d(parameter), padded with zeros, from sum(i) = dJ/d(packed weight i), likewise.
template <class F>
__device__ __forceinline__ void unpack_block(const NetworkPlan& plan, F sum, float* gradient) {
  for (int i = static_cast<int>(threadIdx.x); i < plan.packed; i += static_cast<int>(blockDim.x)) {
    const PackEntry e = plan.entries[i];
    const float g = sum(i);
    if (e.plus >= 0) gradient[e.plus] = g;
    if (e.minus >= 0) gradient[e.minus] = 0.0f - g;
  }
  for (int i = plan.parameters + static_cast<int>(threadIdx.x); i < padded(plan.parameters); i += static_cast<int>(blockDim.x))
    gradient[i] = 0.0f;
}

/// Parameters -> the weights that the tile kernels read, likewise.
__device__ __forceinline__ void pack_tile_weights(const TiledAgents& a, const float* parameters, float* weights) {
  for (int i = static_cast<int>(threadIdx.x); i < a.tile.parameters; i += static_cast<int>(blockDim.x)) {
    const TilePlace place = a.places[i];
    weights[place.forward] = parameters[i];
    if (place.backward >= 0) weights[place.backward] = parameters[i];
  }
}

/// Whether all parameters are finite, by all threads of the block.
__device__ __forceinline__ bool parameters_finite(const float* parameters, int count) {
  bool finite = true;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x))
    finite = finite && parameters[i] - parameters[i] == 0.0f;
  return __syncthreads_and(finite) != 0;
}

/// Whether an update's epochs end with this minibatch, whose estimates of KL have this sum.
CUPG_FN bool ends_epochs(const Agents& a, const AgentState& state, float kl) {
  const std::uint32_t size = minibatch_size(a, state);
  const float target = state.settings.objective.target_kl;
  return target > 0.0f && kl / static_cast<float>(size) > target;
}
/// The agent's counters at the end of an update.
CUPG_FN void count_update(AgentState& state) {
  state.optimizer.decay_power *= state.settings.optimizer.decay;
  state.updates += 1;
  state.taken += state.count;
}

/// The agent's counters at the end of an update, and what becomes of it, by one thread.
CUPG_FN Next end_update(const Agents& a, int slot) {
  AgentState& state = a.state[slot];
  count_update(state);
  return a.watch[slot].looks_after(state.updates) ? look_at(a, slot, state, state.episodes) : Next::train;
}

/// The step with a minibatch by a block, from its partial sums, `spacing` apart, of which at most kRun are left. In shared memory:
/// `gradient` [padded(parameters)], and `kl`, which receives the sum of the estimates. Whether it was made.
__device__ __forceinline__ bool optimizer_block(const TiledAgents& a, int slot, MinibatchNumber number, int spacing, float* gradient,
                                                float& kl) {
  AgentState& state = a.state[slot];
  OptimizerArgs o = optimizer_args(a, slot);
  o.gradient = gradient;
  const int left = (partials_of_samples(a, minibatch_size(a, state)) + spacing - 1) / spacing;
  const float* const partials = partials_of(a, slot);
  const auto sum = [&](int column) { return run_sum(partials + column, left, static_cast<std::int64_t>(spacing) * partial_stride(a)); };
  if (a.kind == NetworkKind::small) {
    unpack_block(a.plan, sum, gradient);
  } else {
    for (int i = static_cast<int>(threadIdx.x); i < o.count; i += static_cast<int>(blockDim.x))
      gradient[i] = i < a.plan.parameters ? sum(i) : 0.0f;
  }
  if (threadIdx.x + 1 == blockDim.x) kl = sum(a.partial_columns - 1);
  __syncthreads();
  const bool made = step_block(o);
  const bool finite = parameters_finite(o.parameters, a.plan.parameters);
  if (made && a.kind == NetworkKind::small) pack_block(a.plan, o.parameters, a.packed + static_cast<std::int64_t>(slot) * packed_stride(a));
  if (made && a.kind != NetworkKind::small) pack_tile_weights(a, o.parameters, weights_of(a, slot));
  if (threadIdx.x == 0) {
    state.halted = made ? kRuns : kNotFinite;
    state.diverged = finite ? 0 : 1;
    if (made && number.minibatch + 1 == a.minibatches && ends_epochs(a, state, kl)) state.stopped = 1;
  }
  return made;
}

/// Shared memory: the gradient.
__global__ void __launch_bounds__(kOptimizerThreads)
    optimizer_kernel(const __grid_constant__ TiledAgents a, const __grid_constant__ MinibatchNumber number, int spacing) {
  CUPG_DYNAMIC_SHARED(float, gradient);
  CUPG_STATIC_SHARED(float, kl);
  const int slot = a.chosen[blockIdx.x];
  AgentState& state = a.state[slot];
  if (state.halted != 0) return;
  if (state.stopped != 0)
    __syncthreads();  // all have read `halted`, which thread 0 sets below
  else if (!optimizer_block(a, slot, number, spacing, gradient, kl))
    return;
  if (number.minibatch + 1 < a.minibatches || number.epoch + 1 < a.epochs || threadIdx.x != 0) return;
  if (end_update(a, slot) != Next::train) state.halted = kPaused;
}

/// Parameters to every packed form, where they came from the host or an evaluation reads them.
__global__ void __launch_bounds__(kOptimizerThreads) pack_kernel(const __grid_constant__ TiledAgents a) {
  const int slot = a.chosen[blockIdx.x];
  const float* const parameters = a.parameters + static_cast<std::int64_t>(slot) * parameter_stride(a);
  pack_block(a.plan, parameters, a.packed + static_cast<std::int64_t>(slot) * packed_stride(a));
  if (a.kind != NetworkKind::small) pack_tile_weights(a, parameters, weights_of(a, slot));
}

CUPG_END_TARGET

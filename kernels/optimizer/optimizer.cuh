// Optimiser (op.hpp) by a block for an agent: gradient of the packed weights -> gradient of the parameters -> clip -> step -> packed
// weights. Each warp computes the squared norm for itself, lane l adding the parameters l, l + 32, ...
// Launch: kOptimizerThreads a block, a block an agent. Bound: latency; a network has few parameters.
#pragma once
#include "kernels/agents.hpp"
#include "kernels/reduce/reduce.cuh"
#include "kernels/runtime/runtime.hpp"

CUPG_BEGIN_TARGET

inline constexpr int kOptimizerThreads = 128;

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

/// One update from the gradient of the packed weights, likewise.
__device__ __forceinline__ bool optimize_block(const OptimizerArgs& a, const NetworkPlan& plan, const float* packed_gradient,
                                               float* packed) {
  for (int i = static_cast<int>(threadIdx.x); i < plan.packed; i += static_cast<int>(blockDim.x)) {
    const PackEntry e = plan.entries[i];
    if (e.plus >= 0) a.gradient[e.plus] = packed_gradient[i];
    if (e.minus >= 0) a.gradient[e.minus] = 0.0f - packed_gradient[i];
  }
  __syncthreads();
  if (!step_block(a)) return false;
  pack_block(plan, a.parameters, packed);
  __syncthreads();
  return true;
}

/// Whether all parameters are finite, by all threads of the block.
__device__ __forceinline__ bool parameters_finite(const float* parameters, int count) {
  bool finite = true;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x))
    finite = finite && parameters[i] - parameters[i] == 0.0f;
  return __syncthreads_and(finite) != 0;
}

__global__ void __launch_bounds__(kOptimizerThreads) optimizer_kernel(const __grid_constant__ Agents agents) {
  const int slot = agents.chosen[blockIdx.x];
  AgentState& state = agents.state[slot];
  if (state.halted != 0) return;
  const float* const packed_gradient = agents.partials + static_cast<std::int64_t>(slot) * agents.warps * packed_stride(agents);
  const OptimizerArgs a = optimizer_args(agents, slot);
  const bool made =
      optimize_block(a, agents.plan, packed_gradient, agents.packed + static_cast<std::int64_t>(slot) * packed_stride(agents));
  const bool finite = parameters_finite(a.parameters, agents.plan.parameters);
  if (threadIdx.x != 0) return;
  if (made) state.step += static_cast<std::uint32_t>(agents.horizon);
  state.halted = made ? 0 : 1;
  state.diverged = finite ? 0 : 1;
}

CUPG_END_TARGET

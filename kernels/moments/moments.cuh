// Moments of the advantages (op.hpp) by CUDA threads: a warp sums its rows, a block joins an agent's warps.
// Launch: moment_kernel kMomentWarps warps a block, grid.x blocks of warps, grid.y agents; finish_moment_kernel a block an agent. Each
// is launched twice, for the mean and for the squared deviations from it. Bound: memory; 4 bytes a sample.
#pragma once
#include "kernels/agents.hpp"
#include "kernels/reduce/reduce.cuh"
#include "kernels/runtime/runtime.hpp"

CUPG_BEGIN_TARGET

inline constexpr int kMomentWarps = 4, kFinishMomentThreads = 256;

/// The warp's sum of (advantage - center), or of its square, in every lane. `advantage` points to the warp's first row.
template <bool Square>
__device__ __forceinline__ float warp_moment_sum(const Agents& agents, const float* advantage, int warp, float center) {
  return butterfly_sum(lane_moment<float, Square>(advantage, lane_index(), agents.horizon, lanes_in_use(agents.envs, warp), center));
}

template <bool Square, int O>
__global__ void __launch_bounds__(kMomentWarps* kWarp) moment_kernel(const __grid_constant__ Agents agents) {
  const int slot = agents.chosen[blockIdx.y], warp = static_cast<int>(blockIdx.x) * kMomentWarps + warp_index();
  if (warp >= agents.warps || agents.state[slot].halted != 0) return;
  const float* const advantage = trajectory_of(agents, slot, O).advantage + static_cast<std::int64_t>(warp) * agents.horizon * kWarp;
  const float sum = warp_moment_sum<Square>(agents, advantage, warp, Square ? agents.state[slot].mean : 0.0f);
  if (lane_index() == 0) agents.moment_sums[static_cast<std::int64_t>(slot) * agents.warps + warp] = sum;
}

template <bool Square>
__global__ void __launch_bounds__(kFinishMomentThreads) finish_moment_kernel(const __grid_constant__ Agents agents) {
  const int slot = agents.chosen[blockIdx.x];
  AgentState& state = agents.state[slot];
  if (state.halted != 0) return;
  float* const sums = agents.moment_sums + static_cast<std::int64_t>(slot) * agents.warps;
  block_tree(sums, agents.warps);
  if (threadIdx.x != 0) return;
  if (Square) {
    state.moments = finish_moments(state.mean, sums[0], agents.batch);
  } else {
    state.mean = sums[0] / agents.batch;
  }
}

CUPG_END_TARGET

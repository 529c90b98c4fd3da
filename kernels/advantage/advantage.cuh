// Advantages (op.hpp) by CUDA threads: a thread is an environment and walks its steps from the last to the first.
// Launch: kAdvantageThreads environments a block, grid.y agents. Bound: memory; 12 bytes read, 8 written a sample, and the latency of
// reading where samples lie one beside the other.
#pragma once
#include "kernels/agent/tiled.hpp"
#include "kernels/reduce/reduce.cuh"
#include "kernels/runtime/runtime.hpp"

CUPG_BEGIN_TARGET

inline constexpr int kAdvantageThreads = 64;

/// Of a warp's rows.
__device__ __forceinline__ void advantage_warp(const Agents& a, int slot, int warp) {
  const RowFeatures f = row_features(a);
  const std::int64_t row = row_index(a, slot, warp);
  row_advantages<float>(advantage_args(a.advantage, a.state[slot].settings), f, a.rows + row * f.floats(), a.done + row,
                        rows_of_warp(a, slot, warp), lane_index());
}
/// Of an environment's samples.
__device__ __forceinline__ void advantage_of(const TiledAgents& a, int slot, int e) {
  const std::int64_t steps = a.episodes ? length_of(a, slot)[e] : a.capacity;
  sample_advantages(advantage_args(a.advantage, a.state[slot].settings), samples_of(a, slot) + e * a.capacity * a.tile.row().stride(),
                    steps);
}

/// Small networks.
__global__ void __launch_bounds__(kAdvantageThreads) row_advantage_kernel(const __grid_constant__ Agents a) {
  const int slot = a.chosen[blockIdx.y], warp = static_cast<int>(blockIdx.x) * (kAdvantageThreads / kWarp) + warp_index();
  if (warp < a.warps && a.state[slot].halted == 0) advantage_warp(a, slot, warp);
}

/// Other networks.
__global__ void __launch_bounds__(kAdvantageThreads) sample_advantage_kernel(const __grid_constant__ TiledAgents a) {
  const int slot = a.chosen[blockIdx.y], e = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (e < a.envs && a.state[slot].halted == 0) advantage_of(a, slot, e);
}

CUPG_END_TARGET

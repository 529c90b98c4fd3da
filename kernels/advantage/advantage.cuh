// Advantages (op.hpp) by CUDA threads: a thread is an environment and walks its rows from the last to the first.
// Launch: kAdvantageWarps warps a block, grid.x blocks of warps, grid.y agents. Bound: memory; 8 bytes read, 4 written a sample.
#pragma once
#include "kernels/agents.hpp"
#include "kernels/reduce/reduce.cuh"
#include "kernels/runtime/runtime.hpp"

CUPG_BEGIN_TARGET

inline constexpr int kAdvantageWarps = 4;

template <int O>
__global__ void __launch_bounds__(kAdvantageWarps* kWarp) advantage_kernel(const __grid_constant__ Agents agents) {
  const int slot = agents.chosen[blockIdx.y], warp = static_cast<int>(blockIdx.x) * kAdvantageWarps + warp_index();
  if (warp >= agents.warps || agents.state[slot].halted != 0) return;
  advantages<float>(advantage_args(agents, trajectory_of(agents, slot, O)), static_cast<std::int64_t>(warp) * agents.horizon, lane_index());
}

CUPG_END_TARGET

// Advantages of stored samples (rows.hpp) by CUDA threads: a thread walks the rows of one environment backwards.
// Launch: kRowAdvantageThreads environments a block, grid.y agents. Bound: memory and its latency; a step reads three floats of a row.
#pragma once
#include "kernels/chunk/agents.hpp"
#include "kernels/runtime/runtime.hpp"

CUPG_BEGIN_TARGET

inline constexpr int kRowAdvantageThreads = 64;

__global__ void __launch_bounds__(kRowAdvantageThreads) row_advantage_kernel(const __grid_constant__ ChunkAgents a) {
  const int slot = a.agents.chosen[blockIdx.y], e = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (e >= a.agents.envs || a.agents.state[slot].halted != 0) return;
  RowAdvantageArgs mine = a.advantage;
  mine.samples = samples_of(a, slot) + e * a.capacity * a.plan.row().stride();
  mine.count = a.episodes ? a.length[static_cast<std::int64_t>(slot) * a.agents.envs + e] : a.capacity;
  row_advantages(mine);
}

CUPG_END_TARGET

// From the chunks' sums to new parameters.
//
//   reduce   the tree over the chunks in runs of 32, as long as more than 32 are left (kernels/reduce/reduce.cuh)
//   step     a block an agent: the last run, clip, step (kernels/optimizer), pack; then whether the agent halts, and at the end of an
//            epoch whether it stops, and at the end of an update its counters. The gradient stays in shared memory
//   pack     parameters to both packed forms, where they came from the host
//
// Launch: reduce kReduceThreads columns a block, grid.x runs, grid.y agents, grid.z blocks of columns; step and pack a block an agent.
// Bound: memory (reduce); latency of the norm's chain (step): parameters / 32 fma one after the other.
#pragma once
#include "kernels/chunk/agents.hpp"
#include "kernels/optimizer/optimizer.cuh"
#include "kernels/runtime/runtime.hpp"

namespace cupg {

/// Which optimizer step of an update.
struct ChunkStepArgs {
  int epoch = 0, minibatch = 0;
  int spacing = 1;  ///< of the partials that are left
};

}  // namespace cupg

CUPG_BEGIN_TARGET

inline constexpr int kChunkStepThreads = 256;

/// As reduce_kernel: row 32 r spacing of an agent's partials receives the tree over its run.
__global__ void __launch_bounds__(kReduceThreads) chunk_reduce_kernel(const __grid_constant__ ChunkAgents a, int spacing) {
  const int slot = a.agents.chosen[blockIdx.y], column = static_cast<int>(blockIdx.z * blockDim.x + threadIdx.x),
            stride = partial_stride(a);
  if (a.agents.state[slot].halted != 0 || a.progress[slot].stopped != 0 || column > a.plan.parameters) return;
  const int chunks = chunks_of(a.progress[slot].count / static_cast<std::uint32_t>(a.minibatches));
  const int first = static_cast<int>(blockIdx.x) * kRun * spacing, rest = (chunks - first + spacing - 1) / spacing;
  if (first >= chunks) return;
  float* const row = partials_of(a, slot) + static_cast<std::int64_t>(first) * stride + column;
  *row = run_sum(row, rest < kRun ? rest : kRun, static_cast<std::int64_t>(spacing) * stride);
}

/// Parameters -> the weights that the chunk kernels read, by all threads of the block.
__device__ __forceinline__ void pack_chunk_weights(const ChunkAgents& a, const float* parameters, float* weights) {
  for (int i = static_cast<int>(threadIdx.x); i < a.plan.parameters; i += static_cast<int>(blockDim.x)) {
    const ChunkPlace place = a.places[i];
    weights[place.forward] = parameters[i];
    if (place.backward >= 0) weights[place.backward] = parameters[i];
  }
}

__global__ void __launch_bounds__(kChunkStepThreads)
    chunk_step_kernel(const __grid_constant__ ChunkAgents a, const __grid_constant__ ChunkStepArgs step) {
  CUPG_DYNAMIC_SHARED(float, gradient);  // [padded(parameters)]
  CUPG_STATIC_SHARED(float, kl);         // the sum of the minibatch's estimates
  const int slot = a.agents.chosen[blockIdx.x];
  AgentState& state = a.agents.state[slot];
  ChunkState& progress = a.progress[slot];
  if (state.halted != 0) return;
  const std::uint32_t size = progress.count / static_cast<std::uint32_t>(a.minibatches);
  const bool ends_epoch = step.minibatch + 1 == a.minibatches, ends_update = ends_epoch && step.epoch + 1 == a.epochs;
  if (progress.stopped == 0) {
    OptimizerArgs o = optimizer_args(a.agents, slot);
    o.gradient = gradient;
    o.done = {progress.updates, progress.taken};
    o.value_network = a.value_network;
    const int left = (chunks_of(size) + step.spacing - 1) / step.spacing;
    const float* const partials = partials_of(a, slot);
    for (int i = static_cast<int>(threadIdx.x); i < partial_stride(a); i += static_cast<int>(blockDim.x)) {
      const float sum =
          i > a.plan.parameters ? 0.0f : run_sum(partials + i, left, static_cast<std::int64_t>(step.spacing) * partial_stride(a));
      if (i == a.plan.parameters) kl = sum;
      if (i < o.count) gradient[i] = i == a.plan.parameters ? 0.0f : sum;
    }
    __syncthreads();
    const bool made = step_block(o);
    const bool finite = parameters_finite(o.parameters, a.plan.parameters);
    if (made) pack_chunk_weights(a, o.parameters, weights_of(a, slot));
    if (threadIdx.x == 0) {
      state.halted = made ? 0 : 1;
      state.diverged = finite ? 0 : 1;
      const float target = a.objective.target_kl;
      if (made && ends_epoch && target > 0.0f && kl / static_cast<float>(size) > target) progress.stopped = 1;
    }
    if (!made) return;
  }
  if (!ends_update || threadIdx.x != 0) return;
  state.optimizer.decay_power *= a.agents.optimizer.decay;
  progress.updates += 1;
  progress.taken += progress.count;
}

__global__ void __launch_bounds__(kChunkStepThreads) chunk_pack_kernel(const __grid_constant__ ChunkAgents a) {
  const int slot = a.agents.chosen[blockIdx.x];
  const float* const parameters = a.agents.parameters + static_cast<std::int64_t>(slot) * parameter_stride(a.agents);
  pack_chunk_weights(a, parameters, weights_of(a, slot));
  pack_block(a.agents.plan, parameters, a.agents.packed + static_cast<std::int64_t>(slot) * packed_stride(a.agents));
}

CUPG_END_TARGET

// Optimizer (op.hpp) for many parameters: three launches over as many blocks as there is work for.
//
//   squares      block b: the sum of squares of its elements, a tree over the block
//   begin_step   one block: the sum of the blocks' sums; the step's size, or the agent halts and nothing changes; then, as in
//                kernels/optimizer/optimizer.cuh, whether the epochs end here, and at the end of an update the agent's counters
//   step         every parameter for itself; a parameter that is not finite is noted
//
// The norm's order is this file's own, the same in every run: networks that come here promise a tolerance, not bits.
// Launch: kWideThreads a block, kWideElements elements a thread, at most kWideBlocks blocks. Bound: memory; 28 bytes a parameter.
#pragma once
#include <algorithm>

#include "kernels/optimizer/optimizer.cuh"
#include "kernels/reduce/reduce.cuh"
#include "kernels/runtime/runtime.hpp"

CUPG_BEGIN_TARGET

struct WideOptimizerArgs {
  OptimizerArgs step;             ///< `state`, and the moments, are found by the agent's slot
  float* squares = nullptr;       ///< [blocks]
  StepSize* size = nullptr;       ///< [1]
  std::uint32_t* made = nullptr;  ///< [1] 1: there is a step, its gradient finite
  const float* kl = nullptr;      ///< [kl_count] sums of the minibatch's estimates
  int kl_count = 0;
};

inline constexpr int kWideThreads = 256, kWideElements = 4, kWideBlocks = 1024;

inline int wide_blocks(int count) {
  constexpr int kBlock = kWideThreads * kWideElements;
  return std::clamp((count + kBlock - 1) / kBlock, 1, kWideBlocks);
}

/// The block's sum of x, in thread 0; `sums` are this sum's own.
__device__ __forceinline__ float wide_block_sum(float x, float* sums) {
  constexpr int kWarps = kWideThreads / kWarp;
  const float warp_sum = butterfly_sum(x);
  if (lane_index() == 0) sums[warp_index()] = warp_sum;
  __syncthreads();
  float total = 0.0f;
  if (threadIdx.x == 0)
    for (int w = 0; w < kWarps; ++w) total = total + sums[w];
  return total;
}

__global__ void __launch_bounds__(kWideThreads) squares_kernel(const float* gradient, int count, float* squares) {
  CUPG_STATIC_SHARED(float[kWideThreads / kWarp], sums);
  float sum = 0.0f;
  for (int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); i < count; i += static_cast<int>(gridDim.x * blockDim.x))
    sum = fma(gradient[i], gradient[i], sum);
  const float total = wide_block_sum(sum, sums);
  if (threadIdx.x == 0) squares[blockIdx.x] = total;
}

/// The agent is chosen[0].
__global__ void __launch_bounds__(kWideThreads)
    begin_step_kernel(const __grid_constant__ TiledAgents a, const __grid_constant__ WideOptimizerArgs w,
                      const __grid_constant__ MinibatchNumber number, int blocks) {
  CUPG_STATIC_SHARED(float[kWideThreads / kWarp], square_sums);
  CUPG_STATIC_SHARED(float[kWideThreads / kWarp], kl_sums);
  float squares = 0.0f, estimates = 0.0f;
  for (int i = static_cast<int>(threadIdx.x); i < blocks; i += kWideThreads) squares = squares + w.squares[i];
  for (int i = static_cast<int>(threadIdx.x); i < w.kl_count; i += kWideThreads) estimates = estimates + w.kl[i];
  const float norm2 = wide_block_sum(squares, square_sums), kl = wide_block_sum(estimates, kl_sums);
  if (threadIdx.x != 0) return;
  const int slot = a.chosen[0];
  AgentState& state = a.state[slot];
  const bool ends_epoch = number.minibatch + 1 == a.minibatches, ends_update = ends_epoch && number.epoch + 1 == a.epochs;
  bool made = state.halted == 0 && state.stopped == 0;
  if (made && !usable_norm(norm2)) {
    state.halted = kNotFinite;
    made = false;
  }
  if (made) {
    *w.size = begin_step(state.settings.optimizer, {state.updates, state.taken}, state.settings.total, norm2, state.optimizer);
    if (ends_epoch && ends_epochs(a, state, kl)) state.stopped = 1;
  }
  *w.made = made ? 1 : 0;
  state.diverged = 0;  // the next launch looks
  if (state.halted == 0 && ends_update) count_update(state);
}

__global__ void __launch_bounds__(kWideThreads)
    wide_step_kernel(const __grid_constant__ Agents agents, const __grid_constant__ WideOptimizerArgs a) {
  const int slot = agents.chosen[0];
  OptimizerArgs o = a.step;
  o.first_moment += static_cast<std::int64_t>(slot) * o.count;
  o.second_moment += static_cast<std::int64_t>(slot) * o.count;
  const bool made = *a.made != 0;
  const StepSize size = *a.size;
  bool finite = true;
  for (int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); i < o.count; i += static_cast<int>(gridDim.x * blockDim.x)) {
    if (made) step_parameters<float>(o, size, i);
    finite = finite && o.parameters[i] - o.parameters[i] == 0.0f;
  }
  if (!finite) atomicOr(&agents.state[slot].diverged, 1u);
}

/// One step of the agent chosen[0] from its gradient.
inline void launch_wide_optimizer(runtime::Stream& stream, const TiledAgents& agents, const WideOptimizerArgs& a, MinibatchNumber number) {
  const int blocks = wide_blocks(a.step.count);
  const dim3 grid(static_cast<unsigned>(blocks)), block(kWideThreads);
  runtime::launch(stream, "squares", squares_kernel, grid, block, 0, a.step.gradient, a.step.count, a.squares);
  runtime::launch(stream, "begin_step", begin_step_kernel, dim3(1), block, 0, agents, a, number, blocks);
  runtime::launch(stream, "wide_step", wide_step_kernel, grid, block, 0, agents, a);
}

CUPG_END_TARGET

// Evaluation (op.hpp) by CUDA threads: a thread plays one episode.
// Launch: kEvaluateWarps warps a block, grid.x blocks of warps, grid.y agents. Bound: latency; a warp plays as long as its longest episode.
#pragma once
#include "kernels/evaluate/op.hpp"
#include "kernels/rollout/rollout.cuh"

CUPG_BEGIN_TARGET

inline constexpr int kEvaluateWarps = 4;

/// Shared memory: packed weights, then each warp's scratch.
template <class Env, class Act, bool Shared, int H>
__global__ void __launch_bounds__(kEvaluateWarps* kWarp, 3)
    evaluate_kernel(const __grid_constant__ Agents agents, const __grid_constant__ EvaluateKernelArgs job) {
  CUPG_DYNAMIC_SHARED(float, shared);
  const EvaluationJob mine = job.jobs[blockIdx.y];
  const int warp = static_cast<int>(blockIdx.x) * kEvaluateWarps + warp_index(), warps = (job.episodes + kWarp - 1) / kWarp;
  copy_weights(agents, mine.slot, shared);
  __syncthreads();
  if (warp >= warps) return;
  EvaluateArgs a;
  a.episodes = job.episodes;
  a.max_episode_steps = agents.max_episode_steps;
  a.greedy = job.greedy;
  a.key = agents.state[mine.slot].key;
  a.block = mine.block;
  a.allowed_deficit = 1e300;  // every episode is played to its end
  a.returns = job.returns + static_cast<std::int64_t>(blockIdx.y) * warps * kWarp;
  float* const h1 = shared + packed_stride(agents) + warp_index() * warp_scratch(agents.plan) + lane_index();
  double deficit = 0;
  if constexpr (H > 0) {
    constexpr FixedPlan<Env::kObservations, H, Shared> plan;
    const ThreadWeights<FixedPlan<Env::kObservations, H, Shared>> w(shared);
    play<Env, Act, Shared, float>(a, plan, w.data, warp, lane_index(), h1, deficit);
  } else {
    play<Env, Act, Shared, float>(a, agents.plan, shared, warp, lane_index(), h1, deficit);
  }
}

CUPG_END_TARGET

// Gradient (op.hpp) by CUDA threads: a thread is a lane of a warp's rows, a warp makes one row of partial sums.
//
// One hidden layer: kUnits units at a time, their weights and sums in registers over all rows (kUnits (2 (O + 1 + K)) of them), then
// the butterflies of all sums at once. The rows are read once for every kUnits units. A last group that is not full begins earlier
// and computes some units twice, to the same bits.
// No hidden layer or two: the lane sums stay in memory, [packed][32] in the warp's workspace, as on the CPU.
// Launch: kGradientWarps warps a block, registers as for the rollout; grid.x blocks that stride over the warps, grid.y agents.
// Bound: instruction issue; two hidden layers: memory.
#pragma once
#include "kernels/agents.hpp"
#include "kernels/reduce/reduce.cuh"
#include "kernels/rollout/rollout.cuh"
#include "kernels/runtime/runtime.hpp"

CUPG_BEGIN_TARGET

inline constexpr int kGradientWarps = 4;
/// Units of a hidden layer in one pass over the rows: what 168 registers hold beside addresses that depend on a run-time width.
template <class Tower>
inline constexpr int kUnits = std::is_same_v<Tower, TowerPlan> ? 4 : 8;

/// Whether the gradient of a tower needs a workspace in memory.
CUPG_FN bool needs_workspace(const NetworkPlan& plan) { return plan.policy.layers != 1 || (!plan.shared && plan.value.layers != 1); }

/// Partial sums of one tower, summed over the lanes, into the warp's row.
template <class Act, int O, int K, class Tower>
__device__ __forceinline__ void tower_partials(const Tower& plan, const float* weights, const TowerRows<K>& rows, float* partials,
                                               float* workspace) {
  constexpr int R = O + 1 + K;
  const int lane = lane_index();
  if (plan.layers == 1) {
    float bias[K];
    head_bias_sums(rows, bias);
    CUPG_UNROLL_FIXED
    for (int k = 0; k < K; ++k) bias[k] = butterfly_sum(bias[k]);
    if (lane == 0)
      for (int k = 0; k < K; ++k) partials[plan.head_bias + k] = bias[k];
    const auto units = [&]<int N>(int first) {
      const int at = plan.last + first * R;
      float acc[N][R];
      accumulate_units<Act, false, O, K>(rows, weights + at, nullptr, acc);
      store_lane_sums<N * R>([&](int i) { return acc[i / R][i % R]; }, partials + at);
    };
    constexpr int U = kUnits<Tower>;
    if (plan.width1 < U) {
      for (int j = 0; j < plan.width1; ++j) units.template operator()<1>(j);
    } else {
#ifdef __CUDA_ARCH__
#pragma unroll 1
#endif
      for (int j = 0; j < plan.width1; j += U) {
        const bool again = j + U > plan.width1;
        if (again) __syncwarp();  // other lanes wrote those sums
        units.template operator()<U>(again ? plan.width1 - U : j);
      }
    }
  } else if constexpr (std::is_same_v<Tower, TowerPlan>) {
    const int begin = plan.layers == 2 ? plan.first : plan.last, end = plan.end;
    tower_backward<Act, O, K, float>(plan, weights, rows, workspace + lane, workspace + end * kWarp + lane);
    for (int i = begin; i < end; i += kWarp) {
      float x[kWarp];
      CUPG_UNROLL_FIXED
      for (int k = 0; k < kWarp; ++k) x[k] = i + k < end ? workspace[(i + k) * kWarp + lane] : 0.0f;
      const float sum = butterfly_sums(x, lane);
      if (i + lane < end) partials[i + lane] = sum;
    }
  }
}

/// The whole gradient of one warp's rows.
template <class Act, int O, bool Shared, class Plan>
__device__ __forceinline__ void gradient_rows(const GradientArgs& a, const Plan& plan, const float* weights, int warp) {
  const int lane = lane_index();
  const std::int64_t row0 = static_cast<std::int64_t>(warp - a.row_warp) * a.horizon;
  loss_rows<float>(a, row0, lane, lanes_in_use(a.envs, warp));
  const float *const x = a.data.observation + row0 * O * kWarp + lane, *const policy = a.data.policy + row0 * kWarp + lane,
                     *const value = a.data.value + row0 * kWarp + lane;
  if constexpr (Shared) {
    tower_partials<Act, O, 2>(plan.policy, weights, TowerRows<2>{a.horizon, x, {policy, value}, nullptr, 0}, a.partials, a.workspace);
  } else {
    tower_partials<Act, O, 1>(plan.policy, weights, TowerRows<1>{a.horizon, x, {policy}, nullptr, 0}, a.partials, a.workspace);
    tower_partials<Act, O, 1>(plan.value, weights, TowerRows<1>{a.horizon, x, {value}, nullptr, 0}, a.partials, a.workspace);
  }
}

/// Shared memory: packed weights.
template <class Act, int O, bool Shared, int H>
__global__ void __launch_bounds__(kGradientWarps* kWarp, 3) gradient_kernel(const __grid_constant__ Agents agents) {
  CUPG_DYNAMIC_SHARED(float, shared);
  const int slot = agents.chosen[blockIdx.y], side_by_side = static_cast<int>(gridDim.x) * kGradientWarps;
  const int first = static_cast<int>(blockIdx.x) * kGradientWarps + warp_index();
  if (agents.state[slot].halted != 0) return;
  copy_weights(agents, slot, shared);
  __syncthreads();
  const Trajectory data = trajectory_of(agents, slot, O);
  float* const workspace = agents.workspace + (static_cast<std::int64_t>(blockIdx.y) * side_by_side + first) * agents.workspace_size;
  for (int warp = first; warp < agents.warps; warp += side_by_side) {
    float* const partials = agents.partials + (static_cast<std::int64_t>(slot) * agents.warps + warp) * packed_stride(agents);
    const GradientArgs a = gradient_args(agents, data, 0, agents.state[slot].moments, partials, workspace);
    if constexpr (H > 0) {
      gradient_rows<Act, O, Shared>(a, FixedPlan<O, H, Shared>{}, shared, warp);
    } else {
      gradient_rows<Act, O, Shared>(a, agents.plan, shared, warp);
    }
  }
}

CUPG_END_TARGET

// The gradient of a small network by CUDA threads: a warp takes rows of 32 samples, a lane a sample, and makes one partial sum of them.
//
//   gather     several minibatches: positions of this one into rows of the warp's own; one: the rows of the rollout, where they are
//   forward    where the outputs are not those of the present weights
//   loss       outputs -> dJ/d(output), in their place, and the estimates of KL
//   backward   kUnits units of a hidden layer at a time, their weights and sums in registers over all rows (kUnits (2 (O + 1 + K)) of
//              them), then the butterflies of all sums at once. The rows are read once for every kUnits units. A last group that is not
//              full begins earlier and computes some units twice, to the same bits
//
// Up to the butterflies a lane reads and writes its own column alone.
// Launch: kGradientWarps warps a block, registers as for the rollout; grid.x blocks of partial sums, grid.y agents. Bound: instruction
// issue.
#pragma once
#include "kernels/loss/device.cuh"
#include "kernels/network/small/op.hpp"
#include "kernels/reduce/reduce.cuh"
#include "kernels/rollout/rollout.cuh"
#include "kernels/runtime/runtime.hpp"

CUPG_BEGIN_TARGET

inline constexpr int kGradientWarps = 4;
/// Units of a hidden layer in one pass over the rows: what 168 registers hold beside addresses that depend on a run-time width.
template <class Tower>
inline constexpr int kUnits = std::is_same_v<Tower, TowerPlan> ? 4 : 8;

/// Rows that make one partial sum.
struct LaneRows {
  float* data = nullptr;                ///< [count][features][32]
  int count = 0;                        ///< rows
  const std::uint32_t* used = nullptr;  ///< [count] bit l: lane l has a sample; null: `samples` lie one behind the other
  int samples = 0;

  __device__ __forceinline__ std::uint32_t used_in(int t) const { return used != nullptr ? used[t] : lanes_in_use(samples, t); }
};

/// The samples of a minibatch among several at the positions [begin, begin + rows.samples), a lane its own; of lanes without a sample the
/// numbers of another one, so that they are finite.
template <int O, int P>
__device__ __forceinline__ void gather_rows(const Agents& a, int slot, const Minibatch& m, std::uint32_t begin, const LaneRows& rows) {
  constexpr RowFeatures f{{O}, P + 1};
  constexpr SampleRow at = f.sample;
  const int lane = lane_index();
  for (int t = 0; t < rows.count; ++t) {
    const int i = t * kWarp + lane;
    const std::uint32_t position = begin + static_cast<std::uint32_t>(i < rows.samples ? i : 0);
    const float* const from = sample_in_rows(a, slot, sample_at(m, position), f.floats());
    float* const to = rows.data + t * f.floats() + lane;
    const auto copy = [&](int feature) { to[feature * kWarp] = from[feature * kWarp]; };
    CUPG_UNROLL_FIXED
    for (int o = 0; o < O; ++o) copy(o);
    copy(at.action());
    copy(at.value());
    copy(at.log_probability());
    copy(at.advantage());
    copy(at.target());
  }
}

/// Outputs of the rows by the present weights.
template <class Act, int O, int P, bool Shared, class Plan>
__device__ __forceinline__ void forward_rows(const Plan& plan, const float* weights, const LaneRows& rows) {
  constexpr RowFeatures f{{O}, P + 1};
  const ThreadWeights<Plan> w(weights);
  float* row = rows.data + lane_index();
  for (int t = 0; t < rows.count; ++t, row += f.floats()) {
    float x[O], z[P], v;
    CUPG_UNROLL_FIXED
    for (int i = 0; i < O; ++i) x[i] = row[i * kWarp];
    network_forward<Act, O, P, Shared>(plan, w.data, x, z, v, static_cast<float*>(nullptr));
    CUPG_UNROLL_FIXED
    for (int k = 0; k < P; ++k) row[(f.output() + k) * kWarp] = z[k];
    row[(f.output() + P) * kWarp] = v;
  }
}

/// What the loss of a minibatch's samples has in common.
struct LossArgs {
  Coefficients<float> coefficients{};
  Moments moments;    ///< of the lane's advantages
  float scale = 1;    ///< of a sample's gradient
  bool stale = true;  ///< the rows have outputs of their own; otherwise their values are those of the rollout
  bool kl = false;    ///< the estimates of KL are wanted
};

/// Outputs -> dJ/d(output).
template <int O, int A>
__device__ __forceinline__ void loss_rows(int objective, const LossArgs& a, const LaneRows& rows) {
  constexpr int P = policy_outputs(A);
  constexpr RowFeatures f{{O}, P + 1};
  ObjectiveArgs o = row_objective_args(f, rows.data, a.stale);
  o.coefficients = a.coefficients;
  o.mean = a.moments.mean;
  o.inverse_sd = a.moments.inverse_sd;
  o.scale = a.scale;
  if (!a.kl) o.kl = nullptr;
  const int lane = lane_index();
  const auto loss = [&]<class Objective>() {
    for (int t = 0; t < rows.count; ++t) {
      const std::uint32_t used = rows.used_in(t);
      objective_lanes<Objective, A, P, float>(o, static_cast<std::int64_t>(t) * f.floats() + lane, used == ~0u ? used : used >> lane);
    }
  };
  with_device_objective(objective, loss);
}

/// Partial sums of one tower, summed over the lanes.
template <class Act, int Row, int O, int K, class Tower>
__device__ __forceinline__ void tower_partials(const Tower& plan, const float* weights, const TowerRows& rows, float* partials) {
  constexpr int R = O + 1 + K;
  float bias[K];
  head_bias_sums<Row>(rows, bias);
  CUPG_UNROLL_FIXED
  for (int k = 0; k < K; ++k) bias[k] = butterfly_sum(bias[k]);
  if (lane_index() == 0)
    for (int k = 0; k < K; ++k) partials[plan.head_bias + k] = bias[k];
  if (plan.layers == 0) {
    for (int k = 0; k < K; ++k) {
      float acc[O];
      linear_output_sums<Row, O>(rows, k, acc);
      store_lane_sums<O>([&](int i) { return acc[i]; }, partials + plan.last + k * O);
    }
    return;
  }
  const auto units = [&]<int N>(int first) {
    const int at = plan.last + first * R;
    float acc[N][R];
    accumulate_units<Act, false, Row, O, K>(rows, weights + at, nullptr, acc);
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
}

/// The sums of rows whose outputs have become dJ/d(output).
template <class Act, int O, int P, bool Shared, class Plan>
__device__ __forceinline__ void backward_rows(const Plan& plan, const float* weights, const LaneRows& rows, float* partials) {
  constexpr RowFeatures f{{O}, P + 1};
  constexpr int Row = f.floats();
  const float* const x = rows.data + lane_index();
  const auto tower = [&](int output) { return TowerRows{rows.count, x, x + (f.output() + output) * kWarp, 0}; };
  if constexpr (Shared) {
    tower_partials<Act, Row, O, P + 1>(plan.policy, weights, tower(0), partials);
  } else {
    tower_partials<Act, Row, O, P>(plan.policy, weights, tower(0), partials);
    tower_partials<Act, Row, O, 1>(plan.value, weights, tower(P), partials);
  }
}

/// The sum of the estimates of KL of rows, in every lane.
template <int O, int P>
__device__ __forceinline__ float kl_rows(const LaneRows& rows) {
  constexpr RowFeatures f{{O}, P + 1};
  const float* at = rows.data + f.kl() * kWarp + lane_index();
  float sum = 0.0f;
  for (int t = 0; t < rows.count; ++t, at += f.floats()) sum = sum + *at;
  return butterfly_sum(sum);
}

/// One partial sum of a minibatch of `size` samples, by a warp.
template <class Env, class Act, bool Shared, class Plan>
__device__ __forceinline__ void gradient_warp(const Agents& a, const Plan& plan, const float* weights, int slot, MinibatchNumber number,
                                              std::uint32_t size, int partial) {
  constexpr int O = Env::kObservations, P = policy_outputs(Env::kActions);
  constexpr RowFeatures f{{O}, P + 1};
  const AgentState& state = a.state[slot];
  const bool gather = a.partial_samples != 0;
  LossArgs loss{
      coefficients_of(state), {}, loss_scale(a.loss, size), gather || number.epoch > 0, state.settings.objective.target_kl > 0.0f};
  LaneRows rows;
  if (gather) {
    const std::uint32_t begin = static_cast<std::uint32_t>(partial * a.partial_samples), left = size - begin;
    rows.samples = static_cast<int>(left) < a.partial_samples ? static_cast<int>(left) : a.partial_samples;
    rows.count = (rows.samples + kWarp - 1) / kWarp;
    rows.data = a.gathered + (static_cast<std::int64_t>(slot) * a.most_partials + partial) * kPartialRows * f.floats();
    gather_rows<O, P>(a, slot, make_minibatch(a, slot, number), begin, rows);
  } else {
    const std::int64_t row = row_index(a, slot, partial);
    rows.count = static_cast<int>(rows_of_warp(a, slot, partial));
    rows.data = a.rows + row * f.floats();
    rows.used = a.used + row;
  }
  const int environment = partial * kWarp + lane_index();  // where a lane is one
  if (a.normalize_over != MomentsOver::nothing && (a.normalize_over != MomentsOver::episode || environment < a.envs))
    loss.moments = moments_of(a, slot)[moment_group(a, number, environment)];
  if (loss.stale) forward_rows<Act, O, P, Shared>(plan, weights, rows);
  loss_rows<O, Env::kActions>(a.objective_number, loss, rows);
  float* const sums = partials_of(a, slot) + static_cast<std::int64_t>(partial) * partial_stride(a);
  backward_rows<Act, O, P, Shared>(plan, weights, rows, sums);
  const float kl = loss.kl ? kl_rows<O, P>(rows) : 0.0f;
  if (lane_index() == 0) sums[a.plan.packed] = kl;
}

/// Shared memory: packed weights.
template <class Env, class Act, bool Shared, int H>
__global__ void __launch_bounds__(kGradientWarps* kWarp, 3)
    gradient_kernel(const __grid_constant__ Agents a, const __grid_constant__ MinibatchNumber number) {
  CUPG_DYNAMIC_SHARED(float, weights);
  const int slot = a.chosen[blockIdx.y], partial = static_cast<int>(blockIdx.x) * kGradientWarps + warp_index();
  const AgentState& state = a.state[slot];
  if (state.halted != 0 || state.stopped != 0) return;
  copy_weights(a, slot, weights);
  __syncthreads();
  const std::uint32_t size = minibatch_size(a, state);
  if (partial >= partials_of_samples(a, size)) return;  // the grid is as large as the largest minibatch
  if constexpr (H > 0) {
    gradient_warp<Env, Act, Shared>(a, FixedPlan<Env::kObservations, H, Shared>{}, weights, slot, number, size, partial);
  } else {
    gradient_warp<Env, Act, Shared>(a, a.plan, weights, slot, number, size, partial);
  }
}

CUPG_END_TARGET

// Many agents at once: a block trains one agent for many updates inside one launch. Nothing but the environments' states and, where
// they do not fit, the trajectories leaves the SM in between.
//
//   every update:  for each of the agent's warps: rollout, advantages, gradient;  tree over the warps;  optimiser step
//   normalised:    rollout and advantages of all warps, moments, then the gradients
//
// A block has up to kPopulationWarps warps; an agent with more environments than they hold has its warps dealt to them in turn.
// Shared memory: weights; parameters, gradient and optimiser state, and the partial sums, where they fit (`keep`); trajectories, with
// SharedRows; scratch. Without normalisation a warp needs its rows for one update only, so the trajectory has one warp's rows for
// each warp of the block.
// Launch: grid.x agents; kPopulationWarps * 32 threads at most, 168 registers each, so that three warps share a scheduler and cover
// each other's latency. Bound: instruction issue; one agent alone: latency.
#pragma once
#include "kernels/gradient/gradient.cuh"
#include "kernels/moments/moments.cuh"
#include "kernels/optimizer/optimizer.cuh"
#include "kernels/rollout/rollout.cuh"

namespace cupg {

inline constexpr int kPopulationWarps = 4;

struct PopulationArgs {
  int updates = 0;
  bool keep = true;  ///< parameters, gradient, optimiser state and partial sums in shared memory
};

/// Where everything lies in the block's shared memory, in floats from its start.
struct PopulationLayout {
  int parameters = 0, first_moment = 0, second_moment = 0, gradient = 0;  ///< [padded(parameters)] each; the weights come first
  int partials = 0;                                                       ///< [warps][padded(packed)]
  int moment_sums = 0;                                                    ///< [warps]
  int scratch = 0;                                                        ///< [warps of the block][warp_scratch]
  int observation = 0, policy = 0, value = 0, advantage = 0, action = 0, done = 0;
  std::int64_t floats = 0;
};

/// Warps whose rows a population block keeps.
CUPG_FN int kept_warps(const Agents& a, int block_warps) { return a.normalize ? a.warps : block_warps; }

CUPG_FN PopulationLayout population_layout(const Agents& a, int block_warps, int observations, int scratch, bool keep, bool shared_rows) {
  PopulationLayout at;
  std::int64_t end = packed_stride(a);
  const auto take = [&end](std::int64_t floats) {
    const std::int64_t begin = end;
    end += (floats + 3) / 4 * 4;
    return static_cast<int>(begin);
  };
  if (keep) {
    at.parameters = take(parameter_stride(a));
    at.first_moment = take(parameter_stride(a));
    at.second_moment = take(parameter_stride(a));
    at.gradient = take(parameter_stride(a));
    at.partials = take(static_cast<std::int64_t>(a.warps) * packed_stride(a));
    at.moment_sums = take(a.warps);
  }
  at.scratch = take(static_cast<std::int64_t>(block_warps) * scratch);
  if (shared_rows) {
    const std::int64_t rows = static_cast<std::int64_t>(kept_warps(a, block_warps)) * a.horizon;
    at.observation = take(rows * observations * kWarp);
    at.policy = take(rows * a.plan.policy_outputs * kWarp);
    at.value = take(rows * kWarp);
    at.advantage = take(rows * kWarp);
    at.action = take(rows);
    at.done = take(rows);
  }
  at.floats = end;
  return at;
}

}  // namespace cupg

CUPG_BEGIN_TARGET

template <class Env, class Act, bool Shared, int H, bool SharedRows>
__global__ void __launch_bounds__(kPopulationWarps* kWarp, 3)
    population_kernel(const __grid_constant__ Agents agents, const __grid_constant__ PopulationArgs launch) {
  constexpr int O = Env::kObservations;
  using Plan = std::conditional_t<(H > 0), FixedPlan<O, H, Shared>, NetworkPlan>;
  CUPG_DYNAMIC_SHARED(float, shared);
  CUPG_STATIC_SHARED(BlockEpisodes, tally);
  CUPG_STATIC_SHARED(AgentState, state);
  const int slot = agents.chosen[blockIdx.x], warp0 = warp_index(), block_warps = static_cast<int>(blockDim.x) / kWarp;
  if (agents.state[slot].halted != 0) return;

  // ---- where things lie
  const int scratch = warp_scratch(agents.plan);
  const PopulationLayout at = population_layout(agents, block_warps, O, scratch, launch.keep, SharedRows);
  float* const weights = shared;
  float* const my_scratch = shared + at.scratch + warp0 * scratch;
  const OptimizerArgs home = optimizer_args(agents, slot);
  OptimizerArgs optimizer = home;
  float* partials = agents.partials + static_cast<std::int64_t>(slot) * agents.warps * packed_stride(agents);
  float* moment_sums = agents.moment_sums + static_cast<std::int64_t>(slot) * agents.warps;
  if (launch.keep) {
    optimizer.parameters = shared + at.parameters;
    optimizer.first_moment = shared + at.first_moment;
    optimizer.second_moment = shared + at.second_moment;
    optimizer.gradient = shared + at.gradient;
    partials = shared + at.partials;
    moment_sums = shared + at.moment_sums;
  }
  optimizer.state = &state.optimizer;
  Trajectory rows;
  if constexpr (SharedRows) {
    rows.observation = shared + at.observation;
    rows.policy = shared + at.policy;
    rows.value = shared + at.value;
    rows.advantage = shared + at.advantage;
    rows.action = reinterpret_cast<std::uint32_t*>(shared + at.action);
    rows.done = reinterpret_cast<std::uint32_t*>(shared + at.done);
  } else {
    rows = trajectory_of(agents, slot, O);
  }
  float* const workspace = agents.workspace + (static_cast<std::int64_t>(blockIdx.x) * block_warps + warp0) * agents.workspace_size;
  const auto plan = [&]() -> decltype(auto) {
    if constexpr (H > 0) {
      return Plan{};
    } else {
      return (agents.plan);
    }
  };
  const auto copy = [&](const float* from, float* to, int count) {
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) to[i] = from[i];
  };

  copy_weights(agents, slot, weights);
  if (launch.keep) {
    copy(home.parameters, optimizer.parameters, home.count);
    copy(home.first_moment, optimizer.first_moment, home.count);
    copy(home.second_moment, optimizer.second_moment, home.count);
    copy(home.gradient, optimizer.gradient, home.count);
  }
  if (threadIdx.x == 0) {
    tally = {};
    state = agents.state[slot];
  }
  __syncthreads();

  // ---- the updates
  bool made = true;
  for (int update = 0; update < launch.updates && made; ++update) {
    const auto collect = [&](int warp, int row_warp) {
      RolloutArgs a = rollout_args(agents, slot, SharedRows ? rows : agents.trajectory);
      a.step = state.step;
      const std::int64_t row0 = static_cast<std::int64_t>(warp - row_warp) * agents.horizon;
      const WarpPlace place{warp, slot * agents.warps + warp, static_cast<int>((SharedRows ? 0 : slot * agents.rows) + row0)};
      collect_rows<Env, Act, Shared>(a, plan(), weights, place, my_scratch, tally);
      advantages<float>(advantage_args(agents, rows), row0, lane_index());
    };
    const auto gradient = [&](int warp, int row_warp, Moments moments) {
      gradient_rows<Act, O, Shared>(gradient_args(agents, rows, row_warp, moments, partials + warp * packed_stride(agents), workspace),
                                    plan(), weights, warp);
    };
    const auto moment_sum = [&]<bool Square>(float center) {
      for (int warp = warp0; warp < agents.warps; warp += block_warps) {
        const float* const advantage = rows.advantage + static_cast<std::int64_t>(warp) * agents.horizon * kWarp;
        const float sum = warp_moment_sum<Square>(agents, advantage, warp, center);
        if (lane_index() == 0) moment_sums[warp] = sum;
      }
      __syncthreads();
      block_tree(moment_sums, agents.warps);
      const float sum = moment_sums[0];
      __syncthreads();  // before the next sums take its place
      return sum;
    };
    if (agents.normalize) {
      for (int warp = warp0; warp < agents.warps; warp += block_warps) collect(warp, 0);
      const float mean = moment_sum.template operator()<false>(0.0f) / agents.batch;
      const Moments moments = finish_moments(mean, moment_sum.template operator()<true>(mean), agents.batch);
      for (int warp = warp0; warp < agents.warps; warp += block_warps) gradient(warp, 0, moments);
    } else {
      for (int warp = warp0; warp < agents.warps; warp += block_warps) {
        collect(warp, warp - warp0);
        gradient(warp, warp - warp0, {});
        __syncwarp();  // the flags, read by all, are written by lane 0
      }
    }
    __syncthreads();
    // a thread reads those columns in the optimiser that it sums here
    for (int i = static_cast<int>(threadIdx.x); i < agents.plan.packed; i += static_cast<int>(blockDim.x))
      column_tree(partials + i, agents.warps, packed_stride(agents));
    made = optimize_block(optimizer, agents.plan, partials, weights);
    if (threadIdx.x == 0 && made) state.step += static_cast<std::uint32_t>(agents.horizon);
    __syncthreads();
  }

  // ---- back to global memory
  copy(weights, agents.packed + static_cast<std::int64_t>(slot) * packed_stride(agents), agents.plan.packed);
  if (launch.keep) {
    copy(optimizer.parameters, home.parameters, home.count);
    copy(optimizer.first_moment, home.first_moment, home.count);
    copy(optimizer.second_moment, home.second_moment, home.count);
    copy(optimizer.gradient, home.gradient, home.count);
  }
  const bool finite = parameters_finite(optimizer.parameters, agents.plan.parameters);
  if (threadIdx.x == 0) {
    state.episodes.episodes += tally.episodes;
    state.episodes.terminated += tally.terminated;
    state.episodes.steps += tally.steps;
    state.episodes.returns += static_cast<unsigned long long>(tally.steps) * kReturnUnit;
    state.halted = made ? 0 : 1;
    state.diverged = finite ? 0 : 1;
    agents.state[slot] = state;
  }
}

CUPG_END_TARGET

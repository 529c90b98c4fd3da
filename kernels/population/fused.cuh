// The population form (population.cuh) of the default network's updates of one pass over a fixed horizon, fused: a warp goes through
// rollout, advantages and gradient while its rows are at hand, and the weights stay in registers. Nothing but the environments' states and,
// where they do not fit, the rows leaves the SM in between.
//
//   every update:  for each of the agent's warps: rollout, advantages, gradient;  tree over the warps;  optimizer step
//   normalized:    rollout and advantages of all warps, moments, then the gradients
//
// A block has up to kPopulationWarps warps; an agent with more environments than they hold has its warps dealt to them in turn.
// Shared memory: weights and gradient; parameters, optimizer state, and the partial sums, where they fit (`keep`); rows, with SharedRows;
// scratch. Without normalization a warp needs its rows for one update only, so there are one warp's rows for each warp of the block.
// Launch: grid.x agents; kPopulationWarps * 32 threads at most, 168 registers each, so that three warps share a scheduler and cover
// each other's latency. Bound: instruction issue; one agent alone: latency.
#pragma once
#include "kernels/population/population.cuh"

namespace cupg {

/// Where everything lies in the block's shared memory, in floats from its start.
struct FusedLayout {
  int gradient = 0, parameters = 0, first_moment = 0, second_moment = 0;  ///< [padded(parameters)] each; the weights come first
  int partials = 0;                                                       ///< [warps][padded(partial_columns)]
  int moment_sums = 0;                                                    ///< [warps]
  int scratch = 0;                                                        ///< [warps of the block][warp_scratch]
  int rows = 0;                                                           ///< [kept warps][capacity][features][32]
  int done = 0, used = 0;                                                 ///< [kept warps][capacity]
  std::int64_t floats = 0;
};

/// Warps whose rows a population block keeps.
CUPG_FN int kept_warps(const Agents& a, int block_warps) { return a.normalize_over == MomentsOver::nothing ? block_warps : a.warps; }

CUPG_FN FusedLayout fused_layout(const Agents& a, int block_warps, bool keep, bool shared_rows) {
  FusedLayout at;
  std::int64_t end = packed_stride(a);
  const auto take = [&end](std::int64_t floats) {
    const std::int64_t begin = end;
    end += (floats + 3) / 4 * 4;
    return static_cast<int>(begin);
  };
  at.gradient = take(parameter_stride(a));
  if (keep) {
    at.parameters = take(parameter_stride(a));
    at.first_moment = take(parameter_stride(a));
    at.second_moment = take(parameter_stride(a));
    at.partials = take(static_cast<std::int64_t>(a.warps) * partial_stride(a));
    at.moment_sums = take(a.warps);
  }
  at.scratch = take(static_cast<std::int64_t>(block_warps) * warp_scratch(a.plan));
  if (shared_rows) {
    const std::int64_t rows = static_cast<std::int64_t>(kept_warps(a, block_warps)) * a.capacity;
    at.rows = take(rows * row_features(a).floats());
    at.done = take(rows);
    at.used = take(rows);
  }
  at.floats = end;
  return at;
}

}  // namespace cupg

CUPG_BEGIN_TARGET

template <class Env, class Act, bool Shared, int H, bool SharedRows>
__global__ void __launch_bounds__(kPopulationWarps* kWarp, 3)
    fused_kernel(const __grid_constant__ Agents agents, const __grid_constant__ PopulationArgs launch) {
  constexpr int O = Env::kObservations, P = policy_outputs(Env::kActions);
  constexpr RowFeatures f{{O}, P + 1};
  constexpr FixedPlan<O, H, Shared> plan;
  CUPG_DYNAMIC_SHARED(float, shared);
  CUPG_STATIC_SHARED(EpisodeCounts, tally);
  CUPG_STATIC_SHARED(AgentState, state);
  CUPG_STATIC_SHARED(Next, next);
  static_assert(sizeof(EpisodeCounts) + sizeof(AgentState) + sizeof(Next) <= kStaticShared);
  const int slot = agents.chosen[blockIdx.x], warp0 = warp_index(), block_warps = static_cast<int>(blockDim.x) / kWarp;
  if (agents.state[slot].halted != 0) return;

  // ---- where things lie
  const FusedLayout at = fused_layout(agents, block_warps, launch.keep, SharedRows);
  float* const weights = shared;
  float* const my_scratch = shared + at.scratch + warp0 * warp_scratch(agents.plan);
  const OptimizerArgs home = optimizer_args(agents, slot);
  OptimizerArgs optimizer = home;
  optimizer.gradient = shared + at.gradient;
  float* partials = partials_of(agents, slot);
  float* moment_sums = agents.moment_sums + static_cast<std::int64_t>(slot) * agents.most_moment_partials;
  if (launch.keep) {
    optimizer.parameters = shared + at.parameters;
    optimizer.first_moment = shared + at.first_moment;
    optimizer.second_moment = shared + at.second_moment;
    partials = shared + at.partials;
    moment_sums = shared + at.moment_sums;
  }
  optimizer.state = &state.optimizer;
  const int steps = static_cast<int>(agents.capacity);
  RowArrays out{agents.rows, agents.done, agents.used};
  if constexpr (SharedRows)
    out = {shared + at.rows, reinterpret_cast<std::uint32_t*>(shared + at.done), reinterpret_cast<std::uint32_t*>(shared + at.used)};
  const auto first_row = [&](int row_warp) { return SharedRows ? row_warp * steps : static_cast<int>(row_index(agents, slot, row_warp)); };
  const auto copy = [&](const float* from, float* to, int count) {
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) to[i] = from[i];
  };

  copy_weights(agents, slot, weights);
  if (launch.keep) {
    copy(home.parameters, optimizer.parameters, home.count);
    copy(home.first_moment, optimizer.first_moment, home.count);
    copy(home.second_moment, optimizer.second_moment, home.count);
  }
  if (threadIdx.x == 0) {
    tally = {};
    state = agents.state[slot];
    state.count = static_cast<std::uint32_t>(agents.envs) * static_cast<std::uint32_t>(steps);
  }
  __syncthreads();
  const float batch = static_cast<float>(state.count), scale = loss_scale(agents.loss, state.count);
  const int every = agents.watch[slot].every;
  const auto last_update = agents.watch[slot].updates;

  // ---- the updates
  bool made = true;
  int since = every > 0 ? static_cast<int>(state.updates % every) : 0;  // the last look
  for (int update = 0; update < launch.updates && made; ++update) {
    const bool log_probabilities = wants_log_probabilities(agents, slot, state);
    const auto collect = [&](int warp, int row_warp) {
      const int row = first_row(row_warp);
      collect_rows<Env, Act, Shared>(agents, plan, weights, state, {slot, warp, row}, out, my_scratch, tally, log_probabilities);
      row_advantages<float>(advantage_args(agents.advantage, state.settings), f, out.data + static_cast<std::int64_t>(row) * f.floats(),
                            out.done + row, steps, lane_index());
    };
    const auto gradient = [&](int warp, int row_warp, Moments moments) {
      const int row = first_row(row_warp);
      const LaneRows rows{out.data + static_cast<std::int64_t>(row) * f.floats(), steps, out.used + row, 0};
      loss_rows<O, Env::kActions>(agents.objective_number, {coefficients_of(state), moments, scale, false, false}, rows);
      backward_rows<Act, O, P, Shared>(plan, weights, rows, partials + warp * partial_stride(agents));
    };
    const auto moment_sum = [&]<bool Square>(float center) {
      for (int warp = warp0; warp < agents.warps; warp += block_warps) {
        const int row = first_row(warp);
        const float* const advantage = out.data + static_cast<std::int64_t>(row) * f.floats() + f.sample.advantage() * kWarp;
        const float sum = butterfly_sum(lane_moment<float, Square>(advantage, f.floats(), out.used + row, steps, lane_index(), center));
        if (lane_index() == 0) moment_sums[warp] = sum;
      }
      __syncthreads();
      block_tree(moment_sums, agents.warps);
      const float sum = moment_sums[0];
      __syncthreads();  // before the next sums take its place
      return sum;
    };
    if (agents.normalize_over == MomentsOver::nothing) {
      // the first warps come last, so that their rows are still there when the update is measured
      for (int warp = warp0 + (agents.warps - 1 - warp0) / block_warps * block_warps; warp >= warp0; warp -= block_warps) {
        collect(warp, warp0);
        gradient(warp, warp0, {});
        __syncwarp();  // the flags, read by all, are written by lane 0
      }
    } else {
      for (int warp = warp0; warp < agents.warps; warp += block_warps) collect(warp, warp);
      const float mean = moment_sum.template operator()<false>(0.0f) / batch;
      const Moments moments = finish_moments(mean, moment_sum.template operator()<true>(mean), batch);
      for (int warp = warp0; warp < agents.warps; warp += block_warps) gradient(warp, warp, moments);
    }
    __syncthreads();
    // a thread reads those columns in the optimizer that it sums here
    for (int i = static_cast<int>(threadIdx.x); i < agents.plan.packed; i += static_cast<int>(blockDim.x))
      column_tree(partials + i, agents.warps, partial_stride(agents));
    unpack_block(
        agents.plan, [&](int i) { return partials[i]; }, optimizer.gradient);
    __syncthreads();
    optimizer.done = {state.updates, state.taken};
    made = step_block(optimizer);
    if (made) pack_block(agents.plan, optimizer.parameters, weights);
    if (threadIdx.x == 0) {
      state.step += static_cast<std::uint32_t>(steps);
      if (made) count_update(state);
    }
    __syncthreads();
    since += 1;
    if (!made || every == 0 || (since < every && state.updates != last_update)) continue;
    since = 0;
    const bool finite = parameters_finite(optimizer.parameters, agents.plan.parameters);
    if (threadIdx.x == 0) {
      state.diverged = finite ? 0 : 1;
      EpisodeCounts all = state.episodes;
      add_counts(all, tally);
      next = look_at(agents, slot, state, all);
      if (agents.watch[slot].measured == 1) next = Next::pause;  // for a kernel whose numbers would crowd this one's registers
    }
    __syncthreads();
    if (next == Next::check) {
      play_check<Env, Act, Shared>(agents, plan, weights, slot, shared + at.scratch, next);
      __syncthreads();
    }
    if (next == Next::pause) {
      if (threadIdx.x == 0) state.halted = kPaused;
      break;
    }
  }

  // ---- back to global memory
  copy(weights, agents.packed + static_cast<std::int64_t>(slot) * packed_stride(agents), agents.plan.packed);
  if (launch.keep) {
    copy(optimizer.parameters, home.parameters, home.count);
    copy(optimizer.first_moment, home.first_moment, home.count);
    copy(optimizer.second_moment, home.second_moment, home.count);
  }
  if constexpr (SharedRows)
    if (agents.watch[slot].measured == 1)
      copy(out.data, agents.rows + row_index(agents, slot, 0) * f.floats(), measured_warps(agents.warps) * steps * f.floats());
  const bool finite = parameters_finite(optimizer.parameters, agents.plan.parameters);
  if (threadIdx.x == 0) {
    add_counts(state.episodes, tally);
    if (!made) state.halted = kNotFinite;
    state.diverged = finite ? 0 : 1;
    agents.state[slot] = state;
  }
}

CUPG_END_TARGET

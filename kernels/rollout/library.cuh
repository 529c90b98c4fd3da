// Collecting samples step by step, where a library's matrix products compute the network between two launches: a thread is an environment
// (Collector in steps.cuh). The network's observations and outputs are rows, an environment a row.
//
// A state that the limit cut goes into a list, by an integer counter whose order does not matter: after the last step one forward pass
// values the whole list, and every value goes to its place.
// Launch: kStepWarps warps a block; the agent is chosen[0]. Bound: latency of a launch; the network beside it has thousands of
// operations a sample.
#pragma once
#include "kernels/rollout/steps.cuh"

namespace cupg {

/// What the steps of a rollout share beside the agent and its samples.
struct LibraryCollectBuffers {
  int outputs = 0;                 ///< K
  const float* output = nullptr;   ///< [N][K] the network's at s_t
  float* observation = nullptr;    ///< [N][padded O] s_t in, s_{t+1} out
  std::uint32_t* left = nullptr;   ///< [1] environments whose episode has not ended, where episodes are whole
  std::uint32_t* cuts = nullptr;   ///< [1] length of the list
  std::int64_t* cut_at = nullptr;  ///< [capacity] rows of the samples
  float* cut_before = nullptr;     ///< [capacity][padded O] observations before the reset
  const float* cut_out = nullptr;  ///< [capacity][K] the network's there
};

}  // namespace cupg

CUPG_BEGIN_TARGET

/// s_0, and an empty list.
template <class Env>
__global__ void __launch_bounds__(kStepWarps* kWarp)
    begin_collect_kernel(const __grid_constant__ TiledAgents a, const __grid_constant__ LibraryCollectBuffers b) {
  const int slot = a.chosen[0], warp = step_warp(), environment = warp * kWarp + lane_index();
  const bool halted = a.state[slot].halted != 0;
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    *b.cuts = 0;
    *b.left = halted ? 0 : static_cast<std::uint32_t>(a.envs);
  }
  if (environment >= a.envs || halted) return;
  observe_row<Env>(load_state<Env, float>(state_of_lane<Env>(a, slot, warp)),
                   b.observation + static_cast<std::int64_t>(environment) * tile_padded(Env::kObservations));
  if (a.episodes) length_of(a, slot)[environment] = 0;
}

/// V(s_t) into the row of step t - 1, where the episode went on.
template <class Env>
__device__ __forceinline__ void store_next_value(float* row, float value) {
  constexpr SampleRow at{Env::kObservations};
  if (float_bits(row[at.done()]) == 0) row[at.next_value()] = value;
}

/// Step t of every environment that plays, from the outputs at s_t.
template <class Env>
__global__ void __launch_bounds__(kStepWarps* kWarp)
    collect_step_kernel(const __grid_constant__ TiledAgents a, const __grid_constant__ LibraryCollectBuffers b, int t) {
  constexpr SampleRow at{Env::kObservations};
  const int slot = a.chosen[0], warp = step_warp(), environment = warp * kWarp + lane_index();
  AgentState& agent = a.state[slot];
  if (environment >= a.envs || agent.halted != 0) return;
  std::uint32_t* const length = a.episodes ? length_of(a, slot) + environment : nullptr;
  if (length != nullptr && *length != 0) return;
  const std::uint32_t number = static_cast<std::uint32_t>(environment), now = agent.step + static_cast<std::uint32_t>(t);
  const float* const output = b.output + static_cast<std::int64_t>(environment) * b.outputs;
  float* const x = b.observation + static_cast<std::int64_t>(environment) * tile_padded(Env::kObservations);
  const std::int64_t row = environment * a.capacity + t;

  Collector<Env> me;
  me.state = load_state<Env, float>(state_of_lane<Env>(a, slot, warp));
  me.age = *age_of_lane(a, slot, warp);
  me.episode_return = returns_of_warp(a, slot, warp)[lane_index()];
  me.row = samples_of(a, slot) + row * at.stride();
  if (t > 0) store_next_value<Env>(me.row - at.stride(), output[b.outputs - 1]);
  const float epsilon = behavior_epsilon(agent.settings.exploration, agent.taken);
  if (me.step(a, agent, number, now, epsilon, x, output, 1) && a.bootstrap) {
    const std::uint32_t cut = atomicAdd(b.cuts, 1u);
    b.cut_at[cut] = row;
    me.observe(b.cut_before + static_cast<std::int64_t>(cut) * tile_padded(Env::kObservations), 1);
  }
  if (!me.open) {
    me.restart(number, now, agent.key);
    if (length != nullptr) {
      *length = static_cast<std::uint32_t>(t) + 1;
      atomicSub(b.left, 1u);
    }
  }
  me.observe(x, 1);
  store_state<Env, float>(state_of_lane<Env>(a, slot, warp), me.state);
  *age_of_lane(a, slot, warp) = me.age;
  returns_of_warp(a, slot, warp)[lane_index()] = me.episode_return;
  atomicMax(&agent.longest, static_cast<std::uint32_t>(t) + 1);
}

/// V(s_T) of a fixed horizon, from the outputs there.
template <class Env>
__global__ void __launch_bounds__(kStepWarps* kWarp)
    last_value_kernel(const __grid_constant__ TiledAgents a, const __grid_constant__ LibraryCollectBuffers b) {
  const int slot = a.chosen[0], environment = step_warp() * kWarp + lane_index();
  if (environment >= a.envs || a.state[slot].halted != 0) return;
  const std::int64_t row = (environment + 1) * a.capacity - 1;
  store_next_value<Env>(samples_of(a, slot) + row * a.tile.row().stride(),
                        b.output[(static_cast<std::int64_t>(environment) + 1) * b.outputs - 1]);
}

/// The values of the list, from the outputs there, into their places.
__global__ void __launch_bounds__(kStepWarps* kWarp)
    cut_value_kernel(const __grid_constant__ TiledAgents a, const __grid_constant__ LibraryCollectBuffers b) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const int slot = a.chosen[0];
  if (i >= *b.cuts || a.state[slot].halted != 0) return;
  const SampleRow at = a.tile.row();
  samples_of(a, slot)[b.cut_at[i] * at.stride() + at.next_value()] = b.cut_out[(i + 1) * b.outputs - 1];
}

CUPG_END_TARGET

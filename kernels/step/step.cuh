// Steps of all environments of one agent (op.hpp) by CUDA threads, where matrix products compute the network: a thread is an
// environment, or an episode of an evaluation. The network's samples are rows: (t, e) is row t N + e of the observations.
//
// A state that the time limit cut goes into a list, by an integer counter whose order does not matter: after the last step one forward
// pass values the whole list, and every value goes to its place.
// Launch: kStepWarps warps a block, a thread an environment; the agent is chosen[0], and rows belong to it alone. Bound: latency of a
// launch; the network beside it has thousands of operations a sample.
#pragma once
#include "kernels/agents.hpp"
#include "kernels/rollout/rollout.cuh"
#include "kernels/runtime/runtime.hpp"
#include "kernels/step/op.hpp"

namespace cupg {

/// What the steps of a rollout share beside the agent and its trajectory.
struct StepBuffers {
  int outputs = 0;                 ///< K
  const float* output = nullptr;   ///< [N][K] the network's at s_t
  float* observation = nullptr;    ///< [T + 1][N][O]
  float* grad_output = nullptr;    ///< [T N][K] out: dJ/d(output)
  std::uint32_t* cuts = nullptr;   ///< [1] length of the list
  std::int64_t* cut_at = nullptr;  ///< [capacity] places in the trajectory's rows
  float* cut_before = nullptr;     ///< [capacity][O] observations before the reset
  const float* cut_out = nullptr;  ///< [capacity][K] the network's there
};

/// Episodes of an evaluation, side by side.
struct PlayBuffers {
  int episodes = 0;
  int outputs = 0;  ///< K
  bool greedy = true;
  std::uint32_t block = 0;           ///< which evaluation of the agent this is
  float* state = nullptr;            ///< [warps][kStateSize][32]
  std::uint32_t* playing = nullptr;  ///< [warps] lanes that have not ended
  std::uint32_t* left = nullptr;     ///< [1] how many they are
  float* observation = nullptr;      ///< [episodes][O]
  const float* output = nullptr;     ///< [episodes][K]
  float* returns = nullptr;          ///< [episodes]
};

}  // namespace cupg

CUPG_BEGIN_COPY

inline constexpr int kStepWarps = 4;

/// The warp of the agent, or of the evaluation, that this warp is.
__device__ __forceinline__ int step_warp() { return static_cast<int>(blockIdx.x) * kStepWarps + warp_index(); }

/// The draw of step `now` from its call; a choice, since an array with a run-time index would lie in memory.
__device__ __forceinline__ float uniform_at(const Philox4& draw, std::uint32_t now) {
  const std::uint32_t low = (now & 1u) != 0 ? draw.word[1] : draw.word[0], high = (now & 1u) != 0 ? draw.word[3] : draw.word[2];
  return uniform01((now & 2u) != 0 ? high : low);
}

template <class Env>
__device__ __forceinline__ void observe_row(const typename Env::template State<float>& s, float* row) {
  float x[Env::kObservations];
  Env::observe(s, x);
  CUPG_UNROLL_FIXED
  for (int i = 0; i < Env::kObservations; ++i) row[i] = x[i];
}

/// Where the state of this lane of the slot's warp lies, and its age.
template <class Env>
__device__ __forceinline__ float* state_of_lane(const Agents& a, int slot, int warp) {
  return a.environments + (static_cast<std::int64_t>(slot) * a.warps + warp) * Env::kStateSize * kWarp + lane_index();
}
__device__ __forceinline__ std::uint32_t* age_of_lane(const Agents& a, int slot, int warp) {
  return a.age + (static_cast<std::int64_t>(slot) * a.warps + warp) * kWarp + lane_index();
}

/// s_0, and an empty list.
template <class Env>
__global__ void __launch_bounds__(kStepWarps* kWarp)
    observe_kernel(const __grid_constant__ Agents agents, const __grid_constant__ StepBuffers b) {
  const int slot = agents.chosen[0], warp = step_warp(), environment = warp * kWarp + lane_index();
  if (blockIdx.x == 0 && threadIdx.x == 0) *b.cuts = 0;
  if (environment >= agents.envs || agents.state[slot].halted != 0) return;
  observe_row<Env>(load_state<Env, float>(state_of_lane<Env>(agents, slot, warp)),
                   b.observation + static_cast<std::int64_t>(environment) * Env::kObservations);
}

/// V(s_t), from the outputs, into row t - 1 where the episode went on.
__device__ __forceinline__ void store_next_value(const Agents& agents, int t, int warp, float value) {
  const std::int64_t row = static_cast<std::int64_t>(warp) * agents.horizon + t - 1;
  if ((agents.trajectory.done[row] >> lane_index() & 1u) == 0) agents.trajectory.advantage[row * kWarp + lane_index()] = value;
}

/// One lane of step_kernel.
template <class Env>
__device__ __forceinline__ void step_lane(const Agents& agents, const StepBuffers& b, int t, int slot, int warp, BlockEpisodes& tally) {
  constexpr int O = Env::kObservations;
  static_assert(Env::kActions == 2, "a step draws between two actions");
  const int lane = lane_index(), environment = warp * kWarp + lane;
  const bool used = environment < agents.envs;
  const Trajectory& out = agents.trajectory;
  const std::int64_t row = static_cast<std::int64_t>(warp) * agents.horizon + t, at = row * kWarp + lane;
  const std::uint64_t key = agents.state[slot].key;
  const std::uint32_t now = agents.state[slot].step + static_cast<std::uint32_t>(t), number = static_cast<std::uint32_t>(environment);
  float *const state_at = state_of_lane<Env>(agents, slot, warp), *const next =
                                                                      b.observation + (static_cast<std::int64_t>(t) + 1) * agents.envs * O;

  float d = 0.0f, value = 0.0f;
  if (used) {
    const float* const output = b.output + static_cast<std::int64_t>(environment) * b.outputs;
    d = output[0];
    value = output[b.outputs - 1];
    if (t > 0) store_next_value(agents, t, warp, value);
  }
  out.policy[at] = d;
  out.value[at] = value;
  out.advantage[at] = 0.0f;  // V(s_{t+1}) where the episode ends; elsewhere the next step knows

  auto s = load_state<Env, float>(state_at);
  const Philox4 draw = philox4x32_lanes(number, now >> 2, static_cast<std::uint32_t>(Purpose::action), 0u, key);
  const bool right = TwoActions<float>::sample(d, uniform_at(draw, now));
  const bool terminated = Env::step(s, right);
  std::uint32_t age = *age_of_lane(agents, slot, warp) + 1;
  const bool truncated = !terminated && age >= agents.episode_limit, done = terminated || truncated;
  const std::uint32_t action_bits = __ballot_sync(kAllLanes, right), done_bits = __ballot_sync(kAllLanes, done);
  if (lane == 0) {
    out.action[row] = action_bits;
    out.done[row] = done_bits;
  }
  if (done) {
    if (used) {
      if (truncated && agents.bootstrap) {
        const std::uint32_t cut = atomicAdd(b.cuts, 1u);
        b.cut_at[cut] = at;
        observe_row<Env>(s, b.cut_before + static_cast<std::int64_t>(cut) * O);
      }
      atomicAdd(&tally.episodes, 1u);
      atomicAdd(&tally.terminated, terminated ? 1u : 0u);
      atomicAdd(&tally.steps, age);
    }
    age = 0;
    s = draw_state<Env, float>(number, now, Purpose::reset, 0, key);
  }
  if (used) observe_row<Env>(s, next + static_cast<std::int64_t>(environment) * O);
  store_state<Env, float>(state_at, s);
  *age_of_lane(agents, slot, warp) = age;
}

/// Step t of every environment, from the outputs at s_t.
template <class Env>
__global__ void __launch_bounds__(kStepWarps* kWarp)
    step_kernel(const __grid_constant__ Agents agents, const __grid_constant__ StepBuffers b, int t) {
  CUPG_STATIC_SHARED(BlockEpisodes, tally);
  const int slot = agents.chosen[0], warp = step_warp();
  if (agents.state[slot].halted != 0) return;
  if (threadIdx.x == 0) tally = {};
  __syncthreads();
  if (warp < agents.warps) step_lane<Env>(agents, b, t, slot, warp, tally);
  __syncthreads();
  if (threadIdx.x != 0 || tally.episodes == 0) return;
  EpisodeCounts& total = agents.state[slot].episodes;
  atomicAdd(&total.episodes, static_cast<unsigned long long>(tally.episodes));
  atomicAdd(&total.terminated, static_cast<unsigned long long>(tally.terminated));
  atomicAdd(&total.steps, static_cast<unsigned long long>(tally.steps));
}

/// V(s_T), from the outputs there.
__global__ void __launch_bounds__(kStepWarps* kWarp)
    last_value_kernel(const __grid_constant__ Agents agents, const __grid_constant__ StepBuffers b) {
  const int warp = step_warp(), environment = warp * kWarp + lane_index();
  if (environment >= agents.envs || agents.state[agents.chosen[0]].halted != 0) return;
  store_next_value(agents, agents.horizon, warp, b.output[(static_cast<std::int64_t>(environment) + 1) * b.outputs - 1]);
}

/// The values of the list, from the outputs there, into their places.
__global__ void __launch_bounds__(kStepWarps* kWarp)
    cut_value_kernel(const __grid_constant__ Agents agents, const __grid_constant__ StepBuffers b) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= *b.cuts || agents.state[agents.chosen[0]].halted != 0) return;
  agents.trajectory.advantage[b.cut_at[i]] = b.cut_out[(i + 1) * b.outputs - 1];
}

/// dJ/d(output) of every row, over the outputs and into the network's order: a warp a row.
__global__ void __launch_bounds__(kStepWarps* kWarp)
    loss_kernel(const __grid_constant__ Agents agents, const __grid_constant__ StepBuffers b) {
  const int slot = agents.chosen[0], lane = lane_index();
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kStepWarps + warp_index();
  if (row >= static_cast<std::int64_t>(agents.warps) * agents.horizon || agents.state[slot].halted != 0) return;
  const int warp = static_cast<int>(row / agents.horizon), t = static_cast<int>(row % agents.horizon), environment = warp * kWarp + lane;
  GradientArgs g = gradient_args(agents, agents.trajectory, 0, agents.state[slot].moments, nullptr, nullptr);
  g.horizon = 1;  // this row alone
  loss_rows<float>(g, row, lane, lanes_in_use(agents.envs, warp));
  if (environment >= agents.envs) return;
  float* const out = b.grad_output + (static_cast<std::int64_t>(t) * agents.envs + environment) * b.outputs;
  out[0] = agents.trajectory.policy[row * kWarp + lane];
  out[b.outputs - 1] = agents.trajectory.value[row * kWarp + lane];
}

/// First states of an evaluation's episodes.
template <class Env>
__global__ void __launch_bounds__(kStepWarps* kWarp)
    play_reset_kernel(const __grid_constant__ Agents agents, const __grid_constant__ PlayBuffers b) {
  const int warp = step_warp(), lane = lane_index(), episode = warp * kWarp + lane;
  if (blockIdx.x == 0 && threadIdx.x == 0) *b.left = static_cast<std::uint32_t>(b.episodes);
  if (warp * kWarp >= b.episodes) return;
  auto s =
      draw_state<Env, float>(static_cast<std::uint32_t>(episode), 0, Purpose::evaluate_reset, b.block, agents.state[agents.chosen[0]].key);
  store_state<Env, float>(b.state + static_cast<std::int64_t>(warp) * Env::kStateSize * kWarp + lane, s);
  if (lane == 0) b.playing[warp] = lanes_in_use(b.episodes, warp);
  if (episode < b.episodes) observe_row<Env>(s, b.observation + static_cast<std::int64_t>(episode) * Env::kObservations);
}

/// Step t of the episodes that have not ended; the others stay where they are.
template <class Env>
__global__ void __launch_bounds__(kStepWarps* kWarp)
    play_step_kernel(const __grid_constant__ Agents agents, const __grid_constant__ PlayBuffers b, int t) {
  const int warp = step_warp(), lane = lane_index(), episode = warp * kWarp + lane;
  if (warp * kWarp >= b.episodes) return;
  const std::uint32_t playing = b.playing[warp];
  bool ended = false;
  if ((playing >> lane & 1u) != 0) {
    float* const state_at = b.state + static_cast<std::int64_t>(warp) * Env::kStateSize * kWarp + lane;
    auto s = load_state<Env, float>(state_at);
    const float d = b.output[static_cast<std::int64_t>(episode) * b.outputs];
    bool right = TwoActions<float>::greedy(d);
    if (!b.greedy) {
      const std::uint32_t now = static_cast<std::uint32_t>(t);
      const Philox4 draw =
          philox4x32_lanes(static_cast<std::uint32_t>(episode), now >> 2, static_cast<std::uint32_t>(Purpose::evaluate_action), b.block,
                           agents.state[agents.chosen[0]].key);
      right = TwoActions<float>::sample(d, uniform_at(draw, now));
    }
    ended = Env::step(s, right) || t + 1 == agents.max_episode_steps;
    store_state<Env, float>(state_at, s);
    observe_row<Env>(s, b.observation + static_cast<std::int64_t>(episode) * Env::kObservations);
    if (ended) b.returns[episode] = static_cast<float>(Env::kReward) * static_cast<float>(t + 1);
  }
  const std::uint32_t ended_bits = __ballot_sync(kAllLanes, ended);
  __syncwarp();  // all have read which play
  if (lane != 0 || ended_bits == 0) return;
  b.playing[warp] = playing & ~ended_bits;
  atomicSub(b.left, static_cast<std::uint32_t>(__popc(ended_bits)));
}

CUPG_END_COPY

// What the kernels that step environments have in common, a thread an environment; and the steps of an evaluation whose network is a
// library's: a thread an episode.
//
// Launch: kStepWarps warps a block; the agent is chosen[0]. Bound: latency of a launch; the network beside it has thousands of
// operations a sample.
#pragma once
#include "kernels/agent/agents.hpp"
#include "kernels/evaluate/step.hpp"
#include "kernels/network/tiled/plan.hpp"
#include "kernels/rollout/rollout.cuh"
#include "kernels/runtime/runtime.hpp"

namespace cupg {

/// Episodes of an evaluation, side by side.
struct PlayBuffers {
  int episodes = 0;
  int outputs = 0;  ///< K
  bool greedy = true;
  std::uint32_t block = 0;           ///< which evaluation of the agent this is
  float* state = nullptr;            ///< [warps][kStateSize][32]
  std::uint32_t* playing = nullptr;  ///< [warps] lanes that have not ended
  std::uint32_t* left = nullptr;     ///< [1] how many they are
  float* observation = nullptr;      ///< [episodes][padded O]
  const float* output = nullptr;     ///< [episodes][K]
  float* returns = nullptr;          ///< [episodes] rewards so far
};

}  // namespace cupg

CUPG_BEGIN_TARGET

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
  if (episode >= b.episodes) return;
  observe_row<Env>(s, b.observation + static_cast<std::int64_t>(episode) * tile_padded(Env::kObservations));
  b.returns[episode] = 0;
}

/// Step t of the episodes that have not ended; the others stay where they are.
template <class Env>
__global__ void __launch_bounds__(kStepWarps* kWarp)
    play_step_kernel(const __grid_constant__ Agents agents, const __grid_constant__ PlayBuffers b, int t) {
  const int warp = step_warp(), lane = lane_index(), episode = warp * kWarp + lane;
  if (warp * kWarp >= b.episodes) return;
  using Head = PolicyHead<Env::kActions, float>;
  const std::uint32_t playing = b.playing[warp];
  bool ended = false;
  if ((playing >> lane & 1u) != 0) {
    float* const state_at = b.state + static_cast<std::int64_t>(warp) * Env::kStateSize * kWarp + lane;
    auto s = load_state<Env, float>(state_at);
    const float* const logits = b.output + static_cast<std::int64_t>(episode) * b.outputs;
    float z[Head::kOutputs];
    Head::from_logits(logits, 1, z);
    Action<Env::kActions, float> action = Head::greedy(z);
    if (!b.greedy) {
      const std::uint32_t now = static_cast<std::uint32_t>(t);
      const Philox4 draw =
          philox4x32_lanes(static_cast<std::uint32_t>(episode), now >> 2, static_cast<std::uint32_t>(Purpose::evaluate_action), b.block,
                           agents.state[agents.chosen[0]].key);
      action = Head::draw(z, uniform_at(draw, now));
    }
    const StepResult<float> result = Env::step(s, action);
    ended = result.terminated || t + 1 == agents.max_episode_steps;
    store_state<Env, float>(state_at, s);
    observe_row<Env>(s, b.observation + static_cast<std::int64_t>(episode) * tile_padded(Env::kObservations));
    b.returns[episode] += result.reward;
  }
  const std::uint32_t ended_bits = __ballot_sync(kAllLanes, ended);
  __syncwarp();  // all have read which play
  if (lane != 0 || ended_bits == 0) return;
  b.playing[warp] = playing & ~ended_bits;
  atomicSub(b.left, static_cast<std::uint32_t>(__popc(ended_bits)));
}

CUPG_END_TARGET

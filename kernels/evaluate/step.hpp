// One step of 32 episodes (a warp) of an evaluation whose logits somebody else has computed. Draws and dynamics are those of
// kernels/evaluate. Bound: nothing; the network beside it has thousands of operations a sample.
#pragma once
#include "kernels/rollout/op.hpp"

namespace cupg {

struct PlayStepArgs {
  float* state = nullptr;         ///< [warps][kStateSize][32], in and out
  const float* logits = nullptr;  ///< [A][stride], an episode beside the other
  int stride = 0;
  int t = 0;  ///< steps taken before this one
  bool greedy = true;
  std::uint64_t key = 0;     ///< the agent's seed
  std::uint32_t block = 0;   ///< which evaluation of the agent this is
  float* returns = nullptr;  ///< [warps][32] rewards so far, in and out
};

}  // namespace cupg

CUPG_BEGIN_TARGET

/// One step of an evaluation; returns the lanes that terminated.
template <class Env, class S>
CUPG_FN std::uint32_t play_step_lanes(const PlayStepArgs& a, int warp, int first_lane) {
  using Head = PolicyHead<Env::kActions, S>;
  const std::uint32_t environment = static_cast<std::uint32_t>(warp * kWarp + first_lane), now = static_cast<std::uint32_t>(a.t);
  float* const state = a.state + warp * Env::kStateSize * kWarp + first_lane;
  auto s = load_state<Env, S>(state);
  S z[Head::kOutputs];
  Head::from_logits(a.logits + environment, a.stride, z);
  Action<Env::kActions, S> action = Head::greedy(z);
  if (!a.greedy) {
    const auto draw =
        philox4x32_lanes(iota<S>(environment), now >> 2, static_cast<std::uint32_t>(Purpose::evaluate_action), a.block, a.key);
    action = Head::draw(z, uniform01<S>(draw.word[now & 3u]));
  }
  const StepResult<S> result = Env::step(s, action);
  float* const sum = a.returns + environment;
  store(sum, load<S>(sum) + result.reward);
  const std::uint32_t terminated = to_bits(result.terminated);
  store_state<Env, S>(state, s);
  return terminated << first_lane;
}

CUPG_END_TARGET

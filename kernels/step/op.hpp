// One step of 32 environments (a warp) whose policy outputs somebody else has computed: the rollout and the evaluation of
// networks that run as matrix products. Draws, dynamics, ends and restarts are those of kernels/rollout and kernels/evaluate.
// Bound: nothing; the network beside it has thousands of operations a sample.
#pragma once
#include "kernels/rollout/op.hpp"

namespace cupg {

struct StepArgs {
  float* state = nullptr;              ///< [warps][kStateSize][32] of the environments, in and out
  std::uint32_t* age = nullptr;        ///< [warps][32] steps of the running episode, in and out
  Trajectory out;                      ///< policy in, action and done out, at row warp * horizon + t
  int t = 0;                           ///< the step within the rollout
  int horizon = 0;                     ///< T
  int envs = 0;                        ///< N; lanes beyond it are simulated but never counted nor observed
  std::uint32_t episode_limit = 0;     ///< steps after which an episode is cut; kNeverCut: never
  std::uint64_t key = 0;               ///< the agent's seed
  std::uint32_t step = 0;              ///< steps that every environment has taken before this one
  float* observation = nullptr;        ///< [N][O] out: s_{t+1}, a fresh episode's where one ended
  float* before = nullptr;             ///< [N][O] out: s_{t+1} before the reset, for the lanes of `truncated`
  std::uint32_t* truncated = nullptr;  ///< [warps] out: the lanes that the time limit cut
};

struct PlayStepArgs {
  float* state = nullptr;         ///< [warps][kStateSize][32], in and out
  const float* policy = nullptr;  ///< [warps][32] d = z1 - z0
  int t = 0;                      ///< steps taken before this one
  bool greedy = true;
  std::uint64_t key = 0;    ///< the agent's seed
  std::uint32_t block = 0;  ///< which evaluation of the agent this is
};

}  // namespace cupg

CUPG_BEGIN_COPY

/// observation[sample][O] of the lanes of s that are samples below `count`.
template <class Env, class S>
CUPG_FN void observe_rows(const typename Env::template State<S>& s, int first_sample, int count, float* observation) {
  constexpr int O = Env::kObservations, W = kWidth<S>;
  alignas(64) float buffer[O * W];
  S x[O];
  Env::observe(s, x);
  for (int i = 0; i < O; ++i) store(buffer + i * W, x[i]);
  for (int l = 0; l < W && first_sample + l < count; ++l)
    for (int i = 0; i < O; ++i) observation[static_cast<std::int64_t>(first_sample + l) * O + i] = buffer[i * W + l];
}

/// The lanes [first_lane, first_lane + kWidth<S>) of one warp.
template <class Env, class S>
CUPG_FN void step_lanes(const StepArgs& a, int warp, int first_lane, EpisodeTally& tally) {
  static_assert(Env::kActions == 2, "a step draws between two actions");
  const int first = warp * kWarp + first_lane;
  const std::uint32_t environment = static_cast<std::uint32_t>(first);
  const std::uint32_t in_use = lanes_in_use(a.envs, warp) >> first_lane, limit = a.episode_limit;
  const std::int64_t row = static_cast<std::int64_t>(warp) * a.horizon + a.t;
  float* const state = a.state + warp * Env::kStateSize * kWarp + first_lane;
  std::uint32_t* const age_at = a.age + warp * kWarp + first_lane;

  auto s = load_state<Env, S>(state);
  const auto draw = philox4x32_lanes(iota<S>(environment), a.step >> 2, static_cast<std::uint32_t>(Purpose::action), 0u, a.key);
  const Mask<S> right = TwoActions<S>::sample(load<S>(a.out.policy + row * kWarp + first_lane), uniform01<S>(draw.word[a.step & 3u]));
  const std::uint32_t terminated = to_bits(Env::step(s, right));
  Int<S> age = load_int<S>(age_at) + Int<S>(1u);
  const std::uint32_t truncated = to_bits(at_least(age, Int<S>(limit))) & ~terminated, done = terminated | truncated;
  const auto put = [&](std::uint32_t* bits, std::uint32_t mine) { *bits = first_lane == 0 ? mine : *bits | mine << first_lane; };
  put(a.out.action + row, to_bits(right));
  put(a.out.done + row, done);
  put(a.truncated + warp, truncated);
  if (done != 0) {
    if (truncated != 0) observe_rows<Env, S>(s, first, a.envs, a.before);
    count_episodes<S>(age, done & in_use, terminated & in_use, tally);
    age = select(from_bits<S>(done), Int<S>(0u), age);
    restart_lanes<Env, S>(s, done, environment, a.step, a.key);
  }
  observe_rows<Env, S>(s, first, a.envs, a.observation);
  store_state<Env, S>(state, s);
  store_int(age_at, age);
}

/// One step of an evaluation; returns the lanes that terminated.
template <class Env, class S>
CUPG_FN std::uint32_t play_step_lanes(const PlayStepArgs& a, int warp, int first_lane) {
  const std::uint32_t environment = static_cast<std::uint32_t>(warp * kWarp + first_lane), now = static_cast<std::uint32_t>(a.t);
  float* const state = a.state + warp * Env::kStateSize * kWarp + first_lane;
  auto s = load_state<Env, S>(state);
  const S d = load<S>(a.policy + warp * kWarp + first_lane);
  Mask<S> right = TwoActions<S>::greedy(d);
  if (!a.greedy) {
    const auto draw =
        philox4x32_lanes(iota<S>(environment), now >> 2, static_cast<std::uint32_t>(Purpose::evaluate_action), a.block, a.key);
    right = TwoActions<S>::sample(d, uniform01<S>(draw.word[now & 3u]));
  }
  const std::uint32_t terminated = to_bits(Env::step(s, right));
  store_state<Env, S>(state, s);
  return terminated << first_lane;
}

CUPG_END_COPY

// One step of 32 environments (a warp) whose logits somebody else has computed, stored as rows of samples: the rollout of updates that
// go step by step.
//   u ~ U[0,1) from Philox(key; environment, step / 4, action)[step mod 4]
//   a_t drawn by u from (1 - epsilon) p(. | s_t) + epsilon / A (kernels/transition/head.hpp),  s_{t+1}, r_t = step(s_t, a_t); an episode
//   that ends is followed by a fresh one
// Bound: latency; small beside the network.
#pragma once
#include "cupg/objective.hpp"
#include "kernels/evaluate/step.hpp"
#include "kernels/network/tiled/plan.hpp"
#include "objectives/sample.hpp"

namespace cupg {

struct CollectArgs {
  float* state = nullptr;              ///< [warps][kStateSize][32] of the environments, in and out
  std::uint32_t* age = nullptr;        ///< [warps][32] steps of the running episode, in and out
  float* episode_return = nullptr;     ///< [warps][32] rewards of the running episode so far, in and out
  float* samples = nullptr;            ///< rows; environment e's step t is row e * capacity + t, out
  std::int64_t capacity = 0;           ///< rows of an environment
  std::int64_t t = 0;                  ///< the step within the update
  int envs = 0;                        ///< N
  std::uint32_t episode_limit = 0;     ///< steps after which an episode is cut; 0: never
  std::uint64_t key = 0;               ///< the agent's seed
  std::uint32_t step = 0;              ///< steps that every environment has been through before this one
  float epsilon = 0;                   ///< of the policy that acts
  const float* outputs = nullptr;      ///< [A + 1][padded N] logits and value of s_t
  int outputs_stride = 0;              ///< padded N
  float* observation = nullptr;        ///< [N][padded O] in: s_t; out: s_{t+1}, a fresh episode's where one ended
  float* before = nullptr;             ///< [N][padded O] out: s_{t+1} before the reset, for the lanes of `truncated`
  std::uint32_t* playing = nullptr;    ///< [warps] in: the lanes that step; null: all of them
  std::uint32_t* done = nullptr;       ///< [warps] out: lanes whose episode ended with this step
  std::uint32_t* truncated = nullptr;  ///< [warps] out: lanes that the limit cut
};

}  // namespace cupg

CUPG_BEGIN_TARGET

/// The lanes [first_lane, first_lane + kWidth<S>) of one warp.
template <class Env, class S>
CUPG_FN void collect_lanes(const CollectArgs& a, int warp, int first_lane, EpisodeTally& tally) {
  constexpr int O = Env::kObservations, A = Env::kActions, W = kWidth<S>;
  constexpr SampleRow row{O};
  const int first = warp * kWarp + first_lane;
  std::uint32_t in_use = lanes_in_use(a.envs, warp);
  if (a.playing != nullptr) in_use &= a.playing[warp];
  in_use >>= first_lane;
  if (W < 32) in_use &= (1u << (W % 32)) - 1u;
  if (first_lane == 0) a.done[warp] = a.truncated[warp] = 0;
  if (in_use == 0) return;
  float* const state = a.state + warp * Env::kStateSize * kWarp + first_lane;
  std::uint32_t* const age_at = a.age + warp * kWarp + first_lane;
  float* const returns_at = a.episode_return + warp * kWarp + first_lane;

  auto s = load_state<Env, S>(state);
  S z[A], log_p[A], p[A];
  for (int j = 0; j < A; ++j) z[j] = load<S>(a.outputs + j * a.outputs_stride + first);
  softmax(z, log_p, p);
  const std::uint32_t environment = static_cast<std::uint32_t>(first);
  const auto draw = philox4x32_lanes(iota<S>(environment), a.step >> 2, static_cast<std::uint32_t>(Purpose::action), 0u, a.key);
  const Action<A, S> action = draw_action(z, p, uniform01<S>(draw.word[a.step & 3u]), splat<S>(a.epsilon));
  const StepResult<S> result = Env::step(s, action);
  const std::uint32_t terminated = to_bits(result.terminated);
  const Int<S> age = load_int<S>(age_at) + Int<S>(1u);
  const std::uint32_t late = a.episode_limit == 0 ? 0u : to_bits(at_least(age, Int<S>(a.episode_limit)));
  const std::uint32_t truncated = late & ~terminated & in_use, done = (late | terminated) & in_use;
  a.done[warp] |= done << first_lane;
  a.truncated[warp] |= truncated << first_lane;

  alignas(64) float log_probability[W], rewards[W], returns[W];
  alignas(64) std::uint32_t actions[W];
  store(log_probability, chosen(log_p, action.number()));
  store_int(actions, action.number());
  store(rewards, result.reward);
  store(returns, load<S>(returns_at) + result.reward);
  const int stride = tile_padded(O);
  for (std::uint32_t left = in_use; left != 0; left &= left - 1) {
    const int l = lowest_bit(left), e = first + l;
    float* const out = a.samples + (e * a.capacity + a.t) * row.stride();
    for (int i = 0; i < O; ++i) out[i] = a.observation[static_cast<std::int64_t>(e) * stride + i];
    out[row.action()] = bits_float(actions[l]);
    out[row.done()] = bits_float(done >> l & 1u);
    out[row.value()] = a.outputs[A * a.outputs_stride + e];
    out[row.next_value()] = 0;
    out[row.log_probability()] = log_probability[l];
    out[row.reward()] = rewards[l];
  }

  alignas(64) std::uint32_t ages[W];
  store_int(ages, age);
  alignas(64) float fields[Env::kStateSize * W];
  Env::each_field(s, [&](S& field, int i) { store(fields + i * W, field); });
  const auto observe = [&](int l, float* to) {
    typename Env::template State<float> one;
    Env::each_field(one, [&](float& field, int i) { field = fields[i * W + l]; });
    float x[O];
    Env::observe(one, x);
    for (int i = 0; i < O; ++i) to[i] = x[i];
  };
  for (std::uint32_t left = in_use; left != 0; left &= left - 1) {
    const int l = lowest_bit(left);
    const std::int64_t e = first + l;
    if ((done >> l & 1u) != 0) {
      if ((truncated >> l & 1u) != 0) observe(l, a.before + e * stride);
      tally += EpisodeTally{1, static_cast<std::int64_t>(terminated >> l & 1u), ages[l], counted_return(returns[l])};
      ages[l] = 0;
      returns[l] = 0;
      auto fresh = draw_state<Env, float>(static_cast<std::uint32_t>(e), a.step, Purpose::reset, 0, a.key);
      Env::each_field(fresh, [&](float& field, int i) { fields[i * W + l] = field; });
    }
    observe(l, a.observation + e * stride);
    age_at[l] = ages[l];
    returns_at[l] = returns[l];
    for (int i = 0; i < Env::kStateSize; ++i) state[i * kWarp + l] = fields[i * W + l];
  }
}

/// [N][padded O] observations of the states of one warp.
template <class Env>
CUPG_FN void observe_warp(const float* states, int warp, int envs, float* observation) {
  constexpr int O = Env::kObservations;
  for (int l = 0; l < kWarp && warp * kWarp + l < envs; ++l) {
    auto s = load_state<Env, float>(states + warp * Env::kStateSize * kWarp + l);
    float x[O];
    Env::observe(s, x);
    for (int i = 0; i < O; ++i) observation[static_cast<std::int64_t>(warp * kWarp + l) * tile_padded(O) + i] = x[i];
  }
}

CUPG_END_TARGET

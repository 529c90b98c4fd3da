// Evaluation: a rollout that stores nothing. Evaluation environment i plays exactly one episode (never the first to finish),
// with the greedy or the sampled policy, and its return is recorded. Bound: fma and latency, as the rollout.
#pragma once
#include "kernels/rollout/op.hpp"

namespace cupg {

struct EvaluateArgs {
  const NetworkPlan* plan = nullptr;
  const float* weights = nullptr;  ///< [plan.packed]
  int episodes = 0;
  int max_episode_steps = 0;
  bool greedy = true;
  std::uint64_t key = 0;       ///< the agent's seed
  std::uint32_t block = 0;     ///< which evaluation of the agent this is: fresh episodes for each
  double allowed_deficit = 0;  ///< stop once the returns are so far below the largest possible; infinite: never
  double max_return = 0;       ///< of an episode
  float* returns = nullptr;    ///< [warps * 32] out
};

}  // namespace cupg

CUPG_BEGIN_COPY

/// Plays the lanes [first_lane, first_lane + kWidth<S>) of `warp`; `deficit` gathers max_return - return of finished episodes.
/// Returns false if it stopped early.
template <class Env, class Act, bool Shared, class S, class Plan>
CUPG_FN bool play(const EvaluateArgs& a, const Plan& plan, const float* weights, int warp, int first_lane, float* h1, double& deficit) {
  constexpr int O = Env::kObservations;
  const std::uint32_t environment = static_cast<std::uint32_t>(warp * kWarp + first_lane);
  std::uint32_t playing = lanes_in_use(a.episodes, warp) >> first_lane;
  if constexpr (kWidth<S> < kWarp) playing &= (1u << kWidth<S>)-1u;
  float* const returns = a.returns + warp * kWarp + first_lane;
  auto s = draw_state<Env, S>(iota<S>(environment), 0, Purpose::evaluate_reset, a.block, a.key);
  PhiloxWords<Int<S>> draw{};
  for (int t = 0; t < a.max_episode_steps && playing != 0; ++t) {
    S x[O], z[Shared ? 2 : 1];
    Env::observe(s, x);
    tower_forward<Act>(plan.policy, weights, x, z, h1);
    Mask<S> right = TwoActions<S>::greedy(z[0]);
    if (!a.greedy) {
      const std::uint32_t now = static_cast<std::uint32_t>(t);
      if ((now & 3u) == 0)
        draw = philox4x32_lanes(iota<S>(environment), now >> 2, static_cast<std::uint32_t>(Purpose::evaluate_action), a.block, a.key);
      right = TwoActions<S>::sample(z[0], uniform01<S>(draw.word[now & 3u]));
    }
    std::uint32_t ended = to_bits(Env::step(s, right)) & playing;
    if (t + 1 == a.max_episode_steps) ended = playing;
    if (ended != 0) [[unlikely]] {
      playing &= ~ended;
      // lanes that are done fall on, unobserved
      for (; ended != 0; ended &= ended - 1) {
        returns[lowest_bit(ended)] = static_cast<float>(Env::kReward) * static_cast<float>(t + 1);
        deficit += a.max_return - static_cast<double>(Env::kReward) * (t + 1);
      }
      if (deficit > a.allowed_deficit) return false;
    }
  }
  return true;
}

CUPG_END_COPY

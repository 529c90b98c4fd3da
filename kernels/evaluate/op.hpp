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

/// One agent's evaluation.
struct EvaluationJob {
  int slot = 0;
  std::uint32_t block = 0;  ///< numbers the evaluations of an agent
};

struct EvaluateKernelArgs {
  const EvaluationJob* jobs = nullptr;  ///< [grid.y]
  int episodes = 0;                     ///< of each
  bool greedy = true;
  float* returns = nullptr;  ///< [grid.y][warps * 32] out, warps = ceil(episodes / 32)
};

}  // namespace cupg

CUPG_BEGIN_TARGET

/// Plays the lanes [first_lane, first_lane + kWidth<S>) of `warp`; `deficit` gathers max_return - return of finished episodes.
/// Returns false if it stopped early.
template <class Env, class Act, bool Shared, class S, class Plan>
CUPG_FN bool play(const EvaluateArgs& a, const Plan& plan, const float* weights, int warp, int first_lane, float* h1, double& deficit) {
  constexpr int O = Env::kObservations, A = Env::kActions;
  using Head = PolicyHead<A, S>;
  const std::uint32_t environment = static_cast<std::uint32_t>(warp * kWarp + first_lane);
  std::uint32_t playing = lanes_in_use(a.episodes, warp) >> first_lane;
  if constexpr (kWidth<S> < kWarp) playing &= (1u << kWidth<S>)-1u;
  float* const returns = a.returns + warp * kWarp + first_lane;
  auto s = draw_state<Env, S>(iota<S>(environment), 0, Purpose::evaluate_reset, a.block, a.key);
  S sum = S(0.0);  // of an episode's rewards
  PhiloxWords<Int<S>> draw{};
  for (int t = 0; t < a.max_episode_steps && playing != 0; ++t) {
    S x[O], z[Head::kOutputs + (Shared ? 1 : 0)];
    Env::observe(s, x);
    tower_forward<Act>(plan.policy, weights, x, z, h1);
    Action<A, S> action = Head::greedy(z);
    if (!a.greedy) {
      const std::uint32_t now = static_cast<std::uint32_t>(t);
      if ((now & 3u) == 0)
        draw = philox4x32_lanes(iota<S>(environment), now >> 2, static_cast<std::uint32_t>(Purpose::evaluate_action), a.block, a.key);
      action = Head::draw(z, uniform01<S>(draw.word[now & 3u]));
    }
    const StepResult<S> result = Env::step(s, action);
    sum = sum + result.reward;
    std::uint32_t ended = to_bits(result.terminated) & playing;
    if (t + 1 == a.max_episode_steps) ended = playing;
    if (ended != 0) [[unlikely]] {
      playing &= ~ended;
      alignas(64) float sums[kWidth<S>];
      store(sums, sum);
      // lanes that are done go on, unobserved
      for (; ended != 0; ended &= ended - 1) {
        const float reached = returns[lowest_bit(ended)] = sums[lowest_bit(ended)];
        deficit += a.max_return - static_cast<double>(reached);
      }
      if (deficit > a.allowed_deficit) return false;
    }
  }
  return true;
}

CUPG_END_TARGET

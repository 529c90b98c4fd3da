// Rollout: act, step, store, for 32 environments (a warp), a lane an environment.
//
//   u ~ U[0,1) from Philox(key; environment, step / 4, action)[step mod 4]
//   a_t drawn by u from (1 - epsilon) p(. | s_t) + epsilon / A (kernels/transition/head.hpp),  s_{t+1}, r_t = step(s_t, a_t); an episode
//   that ends is followed by a fresh one
//
// Fixed horizons: every lane takes T steps. Whole episodes: a lane stops at its first end, and its later rows are not used.
// Stores rows (kernels/trajectory.hpp). V(s_{t+1}) is 0 where s_{t+1} is terminal and the value of the observation BEFORE the reset where
// the limit cut the episode (unless truncation counts as terminal).
// Bound: fma; one group of lanes is a chain of some 200 cycles a step, which is why a lane group holds two registers.
#pragma once
#include "cupg/objective.hpp"
#include "kernels/math/philox.hpp"
#include "kernels/math/softmax.hpp"
#include "kernels/network/forward.hpp"
#include "kernels/trajectory.hpp"
#include "kernels/transition/head.hpp"

namespace cupg {

/// An episode limit that no episode reaches: an environment takes fewer steps in a whole training.
inline constexpr std::uint32_t kNeverCut = 0xffffffffu;

struct RolloutArgs {
  const NetworkPlan* plan = nullptr;  ///< at most one hidden layer
  const float* weights = nullptr;     ///< [plan.packed]
  float* state = nullptr;             ///< [warps][kStateSize][32] of the environments, in and out
  std::uint32_t* age = nullptr;       ///< [warps][32] steps of the running episode, in and out
  float* episode_return = nullptr;    ///< [warps][32] rewards of the running episode so far, in and out
  float* rows = nullptr;              ///< [steps][features][32] of this warp, out
  std::uint32_t* done = nullptr;      ///< [steps] bit l: lane l's episode ended with this step, out
  std::uint32_t* used = nullptr;      ///< [steps] bit l: lane l took this step, out
  std::uint32_t* length = nullptr;    ///< [32] whole episodes: steps that each lane took, out
  float* hidden = nullptr;            ///< [steps + 1][units][32] activations of one-layer trunks at s_t, out; or null
  int units = 0;                      ///< of all towers
  int envs = 0;                       ///< N; lanes beyond it are simulated but never counted
  std::int64_t steps = 0;             ///< T, or what an episode has at most
  bool episodes = false;              ///< whole ones
  std::uint32_t episode_limit = 0;    ///< steps after which an episode is cut; kNeverCut: never
  bool bootstrap = true;              ///< false: a truncated episode counts as terminated in the target
  bool log_probabilities = true;      ///< false: nobody reads them
  std::uint64_t key = 0;              ///< the agent's seed
  std::uint32_t step = 0;             ///< steps that every environment has been through before
  float epsilon = 0;                  ///< of the policy that acts
};

/// The lanes of `warp` that are environments: bit l is set where warp * 32 + l < envs.
CUPG_FN std::uint32_t lanes_in_use(int envs, int warp) {
  const int left = envs - warp * kWarp;
  return left >= kWarp ? ~0u : (1u << left) - 1u;
}

}  // namespace cupg

CUPG_BEGIN_TARGET

/// The behavior's epsilon in an update before which the agent has taken `taken` steps.
CUPG_FN float behavior_epsilon(const Exploration& e, std::int64_t taken) {
  const float fraction = taken >= e.steps ? 1.0f : static_cast<float>(taken) / static_cast<float>(e.steps);
  return fma(e.end - e.start, fraction, e.start);
}

/// Index of the lowest set bit.
CUPG_FN int lowest_bit(std::uint32_t bits) {
#ifdef __CUDA_ARCH__
  return __ffs(static_cast<int>(bits)) - 1;
#else
  return __builtin_ctz(bits);
#endif
}

/// A fresh state from the counter (environment, step, purpose, block).
template <class Env, class S>
CUPG_FN typename Env::template State<S> draw_state(Int<S> environment, std::uint32_t step, Purpose purpose, std::uint32_t block,
                                                   std::uint64_t key) {
  static_assert(Env::kResetDraws <= 4, "one Philox call serves a reset");
  const auto draw = philox4x32_lanes(environment, step, static_cast<std::uint32_t>(purpose), block, key);
  S u[Env::kResetDraws];
  for (int i = 0; i < Env::kResetDraws; ++i) u[i] = uniform01<S>(draw.word[i]);
  return Env::reset(u);
}

template <class Env, class S>
CUPG_FN typename Env::template State<S> load_state(const float* at) {
  typename Env::template State<S> s;
  Env::each_field(s, [&](S& field, int i) { field = load<S>(at + i * kWarp); });
  return s;
}
template <class Env, class S>
CUPG_FN void store_state(float* at, typename Env::template State<S>& s) {
  Env::each_field(s, [&](S& field, int i) { store(at + i * kWarp, field); });
}

/// Starts the lanes of `bits` afresh. Few lanes end in one step, so they are drawn one by one.
template <class Env, class S>
CUPG_FN void restart_lanes(typename Env::template State<S>& s, std::uint32_t bits, std::uint32_t first_environment, std::uint32_t step,
                           std::uint64_t key) {
  alignas(64) float buffer[Env::kStateSize * kWidth<S>];
  Env::each_field(s, [&](S& field, int i) { store(buffer + i * kWidth<S>, field); });
  for (; bits != 0; bits &= bits - 1) {
    const int lane = lowest_bit(bits);
    auto fresh = draw_state<Env, float>(first_environment + static_cast<std::uint32_t>(lane), step, Purpose::reset, 0, key);
    Env::each_field(fresh, [&](float& field, int i) { buffer[i * kWidth<S> + lane] = field; });
  }
  Env::each_field(s, [&](S& field, int i) { field = load<S>(buffer + i * kWidth<S>); });
}

/// Adds the episodes that ended in the lanes of `done`, of these lengths and returns.
template <class S>
CUPG_FN void count_episodes(Int<S> age, S sum, std::uint32_t done, std::uint32_t terminated, EpisodeTally& tally) {
  alignas(64) std::uint32_t ages[kWidth<S>];
  alignas(64) float sums[kWidth<S>];
  store_int(ages, age);
  store(sums, sum);
  for (; done != 0; done &= done - 1) {
    const int l = lowest_bit(done);
    tally += EpisodeTally{1, static_cast<std::int64_t>(terminated >> l & 1u), ages[l], counted_return(sums[l])};
  }
}

/// The value of the state before the reset.
template <class Env, class Act, bool Shared, class S>
CUPG_COLD S cut_value(const RolloutArgs& a, const typename Env::template State<S>& s) {
  constexpr int O = Env::kObservations, P = policy_outputs(Env::kActions);
  S x[O], unused[P], value;
  Env::observe(s, x);
  network_forward<Act, O, P, Shared>(*a.plan, a.weights, x, unused, value, static_cast<Scalar<S>*>(nullptr));
  return value;
}

/// The lanes [first_lane, first_lane + kWidth<S>) of one warp; `done` and `used` are zeros before the first group. Returns the rows that
/// they fill.
template <class Env, class Act, bool Shared, bool Keep, class S>
CUPG_FN std::int64_t rollout_lanes(const RolloutArgs& a, int warp, int first_lane, EpisodeTally& tally) {
  constexpr int O = Env::kObservations, A = Env::kActions, P = policy_outputs(A);
  constexpr RowFeatures f{{O}, P + 1};
  constexpr SampleRow at = f.sample;
  const NetworkPlan plan = *a.plan;
  const std::uint32_t environment = static_cast<std::uint32_t>(warp * kWarp + first_lane);
  std::uint32_t playing = lanes_in_use(a.envs, warp) >> first_lane;
  if constexpr (kWidth<S> < kWarp) playing &= (1u << kWidth<S>)-1u;
  float* const state = a.state + warp * Env::kStateSize * kWarp + first_lane;
  std::uint32_t* const age_at = a.age + warp * kWarp + first_lane;
  float* const return_at = a.episode_return + warp * kWarp + first_lane;
  const auto keep = [&](std::int64_t t) { return Keep ? a.hidden + t * a.units * kWarp + first_lane : nullptr; };
  float* const no_scratch = nullptr;

  auto s = load_state<Env, S>(state);
  Int<S> age = load_int<S>(age_at);
  S sum = load<S>(return_at), x[O], z[P], v;
  {
    S x0[O], z0[P], v0;  // copies, so that the loop keeps its own in registers
    Env::observe(s, x0);
    network_forward_call<Act, O, P, Shared, Keep>(plan, a.weights, x0, z0, v0, no_scratch, keep(0));
    for (int i = 0; i < O; ++i) x[i] = x0[i];
    for (int k = 0; k < P; ++k) z[k] = z0[k];
    v = v0;
  }
  alignas(64) std::uint32_t words[4 * kWidth<S>];
  std::int64_t t = 0;
  for (; t < a.steps && (playing != 0 || !a.episodes); ++t) {
    float* const row = a.rows + t * f.floats() + first_lane;
    const auto put = [&](int feature, S value) __attribute__((always_inline)) { store(row + feature * kWarp, value); };
    for (int i = 0; i < O; ++i) put(i, x[i]);
    for (int k = 0; k < P; ++k) put(f.output() + k, z[k]);
    put(at.value(), v);

    const std::uint32_t now = a.step + static_cast<std::uint32_t>(t);
    if ((now & 3u) == 0 || t == 0) {
      const auto draw = philox4x32_lanes(iota<S>(environment), now >> 2, static_cast<std::uint32_t>(Purpose::action), 0u, a.key);
      for (int i = 0; i < 4; ++i) store_int(words + i * kWidth<S>, draw.word[i]);
    }
    S log_probability = S(0.0);
    const Action<A, S> action = PolicyHead<A, S>::act(z, uniform01<S>(load_int<S>(words + (now & 3u) * kWidth<S>)), splat<S>(a.epsilon),
                                                      a.log_probabilities, log_probability);
    put(at.action(), bits_float(action.number()));
    if (a.log_probabilities) put(at.log_probability(), log_probability);
    const StepResult<S> result = Env::step(s, action);
    put(at.reward(), result.reward);
    age = age + Int<S>(1u);
    sum = sum + result.reward;
    const std::uint32_t terminated = to_bits(result.terminated);
    const std::uint32_t truncated = to_bits(at_least(age, Int<S>(a.episode_limit))) & ~terminated, done = terminated | truncated;
    a.done[t] |= done << first_lane;
    a.used[t] |= playing << first_lane;

    S last = S(0.0);  // V(s_{t+1}) where the episode ended
    if (done != 0) [[unlikely]] {
      if (truncated != 0 && a.bootstrap) last = select(from_bits<S>(truncated), cut_value<Env, Act, Shared, S>(a, s), last);
      count_episodes<S>(age, sum, done & playing, terminated & playing, tally);
      age = select(from_bits<S>(done), Int<S>(0u), age);
      sum = select(from_bits<S>(done), S(0.0), sum);
      restart_lanes<Env, S>(s, done, environment, now, a.key);
      if (a.episodes) {  // lanes that are done go on, unobserved
        for (std::uint32_t ended = done & playing; ended != 0; ended &= ended - 1)
          a.length[first_lane + lowest_bit(ended)] = static_cast<std::uint32_t>(t + 1);
        playing &= ~done;
      }
    }
    Env::observe(s, x);
    network_forward<Act, O, P, Shared, Keep>(plan, a.weights, x, z, v, no_scratch, keep(t + 1));
    put(at.next_value(), done == 0 ? v : select(from_bits<S>(done), last, v));
  }
  if (a.episodes) {  // every lane begins the next update with the state that followed its own end
    for (int l = 0; l < kWidth<S>; ++l)
      if (warp * kWarp + first_lane + l < a.envs)
        restart_lanes<Env, S>(s, 1u << l, environment, a.step + a.length[first_lane + l] - 1u, a.key);
    age = Int<S>(0u);
    sum = S(0.0);
  }
  store_state<Env, S>(state, s);
  store_int(age_at, age);
  store(return_at, sum);
  return t;
}

CUPG_END_TARGET

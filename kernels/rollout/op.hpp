// Rollout: act, step, store, for `horizon` steps of 32 environments (one warp).
//
//   u ~ U[0,1) from Philox(key; environment, step / 4, action)[step mod 4]
//   a_t = [u < P(1 | s_t)],  s_{t+1} = step(s_t, a_t); a lane that terminated or ran out of time starts afresh
//
// Stores s_t, policy outputs, V(s_t), a_t, done_t and V(s_{t+1}), which is 0 where s_{t+1} is terminal and the value of the
// observation BEFORE the reset where the time limit cut the episode (unless truncation counts as terminal).
// Bound: fma; one group of lanes is a chain of some 200 cycles a step, which is why a lane group holds two registers.
#pragma once
#include "kernels/math/philox.hpp"
#include "kernels/math/softmax.hpp"
#include "kernels/network/forward.hpp"
#include "kernels/trajectory.hpp"
#include "kernels/transition/head.hpp"

namespace cupg {

/// An episode limit that no episode reaches: an environment takes fewer steps in a whole training.
inline constexpr std::uint32_t kNeverCut = 0xffffffffu;

struct RolloutArgs {
  const NetworkPlan* plan = nullptr;
  const float* weights = nullptr;  ///< [plan.packed]
  float* state = nullptr;          ///< [warps][kStateSize][32] of the environments, in and out
  std::uint32_t* age = nullptr;    ///< [warps][32] steps of the running episode, in and out
  Trajectory out;
  int row_warp = 0;                 ///< the warp whose rows lie at the start of `out`
  int envs = 0;                     ///< N; lanes beyond it are simulated but never counted
  int horizon = 0;                  ///< T
  std::uint32_t episode_limit = 0;  ///< steps after which an episode is cut; kNeverCut: never
  bool bootstrap = true;            ///< false: a truncated episode counts as terminated in the target
  std::uint64_t key = 0;            ///< the agent's seed
  std::uint32_t step = 0;           ///< steps that every environment has taken before
};

/// The lanes of `warp` that are environments: bit l is set where warp * 32 + l < envs.
CUPG_FN std::uint32_t lanes_in_use(int envs, int warp) {
  const int left = envs - warp * kWarp;
  return left >= kWarp ? ~0u : (1u << left) - 1u;
}

}  // namespace cupg

CUPG_BEGIN_TARGET

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

/// Adds the episodes that ended in the lanes of `done`, in an environment whose returns are numbers of steps.
template <class S>
CUPG_FN void count_episodes(Int<S> age, std::uint32_t done, std::uint32_t terminated, EpisodeTally& tally) {
  alignas(64) std::uint32_t ages[kWidth<S>];
  store_int(ages, age);
  tally.episodes += __builtin_popcount(done);
  tally.terminated += __builtin_popcount(terminated);
  for (; done != 0; done &= done - 1) {
    tally.steps += ages[lowest_bit(done)];
    tally.returns += ages[lowest_bit(done)] * kReturnUnit;
  }
}

/// The value of the state before the reset.
template <class Env, class Act, bool Shared, class S>
CUPG_FN S bootstrap_value(const RolloutArgs& a, typename Env::template State<S> s, float* h1) {
  S x[Env::kObservations], unused[1], value;
  Env::observe(s, x);
  network_forward_call<Act, Env::kObservations, 1, Shared, false>(*a.plan, a.weights, x, unused, value, h1, nullptr);
  return value;
}

/// The lanes [first_lane, first_lane + kWidth<S>) of one warp; h1 is scratch for two hidden layers.
template <class Env, class Act, bool Shared, bool Keep, class S>
CUPG_FN void collect(const RolloutArgs& a, int warp, int first_lane, float* h1, EpisodeTally& tally) {
  constexpr int O = Env::kObservations;
  const NetworkPlan plan = *a.plan;
  const std::uint32_t environment = static_cast<std::uint32_t>(warp * kWarp + first_lane);
  const std::uint32_t in_use = lanes_in_use(a.envs, warp) >> first_lane;
  const std::uint32_t limit = a.episode_limit;
  float* const state = a.state + warp * Env::kStateSize * kWarp + first_lane;
  std::uint32_t* const age_at = a.age + warp * kWarp + first_lane;
  const std::int64_t row0 = static_cast<std::int64_t>(warp - a.row_warp) * a.horizon;

  const std::int64_t kept_row0 = static_cast<std::int64_t>(warp - a.row_warp) * (a.horizon + 1);
  const auto keep = [&](int t) { return Keep ? a.out.hidden + (kept_row0 + t) * a.out.units * kWarp + first_lane : nullptr; };

  auto s = load_state<Env, S>(state);
  Int<S> age = load_int<S>(age_at);
  S x[O], d[1], v;
  {
    S x0[O], d0[1], v0;  // copies, so that the loop keeps its own in registers
    Env::observe(s, x0);
    network_forward_call<Act, O, 1, Shared, Keep>(plan, a.weights, x0, d0, v0, h1, keep(0));
    for (int i = 0; i < O; ++i) x[i] = x0[i];
    d[0] = d0[0];
    v = v0;
  }
  alignas(64) std::uint32_t words[4 * kWidth<S>];
  for (int t = 0; t < a.horizon; ++t) {
    const std::int64_t row = row0 + t, at = row * kWarp + first_lane;
    for (int i = 0; i < O; ++i) store(a.out.observation + row * O * kWarp + i * kWarp + first_lane, x[i]);
    store(a.out.policy + at, d[0]);
    store(a.out.value + at, v);

    const std::uint32_t now = a.step + static_cast<std::uint32_t>(t);
    if ((now & 3u) == 0 || t == 0) {
      const auto draw = philox4x32_lanes(iota<S>(environment), now >> 2, static_cast<std::uint32_t>(Purpose::action), 0u, a.key);
      for (int i = 0; i < 4; ++i) store_int(words + i * kWidth<S>, draw.word[i]);
    }
    const Mask<S> right = TwoActions<S>::sample(d[0], uniform01<S>(load_int<S>(words + (now & 3u) * kWidth<S>)));
    const std::uint32_t terminated = to_bits(Env::step(s, {right}).terminated);
    age = age + Int<S>(1u);
    const std::uint32_t truncated = to_bits(at_least(age, Int<S>(limit))) & ~terminated;
    const std::uint32_t done = terminated | truncated;
    const std::uint32_t action = to_bits(right);
    a.out.action[row] = first_lane == 0 ? action : a.out.action[row] | action << first_lane;
    a.out.done[row] = first_lane == 0 ? done : a.out.done[row] | done << first_lane;

    S last = S(0.0);  // V(s_{t+1}) where the episode ended
    if (done != 0) [[unlikely]] {
      if (truncated != 0 && a.bootstrap) last = select(from_bits<S>(truncated), bootstrap_value<Env, Act, Shared, S>(a, s, h1), last);
      count_episodes<S>(age, done & in_use, terminated & in_use, tally);
      age = select(from_bits<S>(done), Int<S>(0u), age);
      restart_lanes<Env, S>(s, done, environment, now, a.key);
    }
    Env::observe(s, x);
    network_forward<Act, O, 1, Shared, Keep>(plan, a.weights, x, d, v, h1, keep(t + 1));
    store(a.out.advantage + at, done == 0 ? v : select(from_bits<S>(done), last, v));
  }
  store_state<Env, S>(state, s);
  store_int(age_at, age);
}

CUPG_END_TARGET

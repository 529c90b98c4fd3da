// The rollout of small networks (kernels/network/small.hpp): act, step, store, for 32 environments (a warp), a lane an environment.
//
//   u ~ U[0,1) from Philox(key; environment, step / 4, action)[step mod 4]
//   a_t drawn by u from (1 - epsilon) p(. | s_t) + epsilon / A (kernels/transition/head.hpp),  s_{t+1}, r_t = step(s_t, a_t); an episode
//   that ends is followed by a fresh one
//
// What it stores are rows: [t][feature][32]. The first features are those of a SampleRow in its order, then the outputs.
// Bound: fma; one group of lanes is a chain of some 200 cycles a step, which is why a lane group holds two registers.
#pragma once
#include "cupg/objective.hpp"
#include "kernels/advantage/rows.hpp"
#include "kernels/math/transpose.hpp"
#include "kernels/network/small.hpp"
#include "kernels/rollout/op.hpp"

namespace cupg {

/// The features of a row of 32 samples. Their number is odd, so that rows do not fall on the same lines of a cache.
struct RowFeatures {
  SampleRow sample;
  int actions = 0;
  CUPG_FN constexpr int output() const { return sample.fields(); }  ///< [A + 1] logits and value; the gradient op puts dJ/d(output) there
  CUPG_FN constexpr int count() const { return (sample.fields() + actions + 1) | 1; }
  CUPG_FN constexpr int floats() const { return count() * kWarp; }
};

struct RowsArgs {
  const ChunkPlan* plan = nullptr;
  const float* weights = nullptr;   ///< [plan.packed]
  float* state = nullptr;           ///< [warps][kStateSize][32] of the environments, in and out
  std::uint32_t* age = nullptr;     ///< [warps][32] steps of the running episode, in and out
  float* episode_return = nullptr;  ///< [warps][32] rewards of the running episode so far, in and out
  float* rows = nullptr;            ///< [steps][features][32] of this warp, out
  std::uint32_t* done = nullptr;    ///< [steps] bit l: lane l's episode ended with this step; zeros in
  std::uint32_t* length = nullptr;  ///< [32] steps that each lane has taken, out
  int envs = 0;                     ///< N; lanes beyond it are simulated but never counted
  std::int64_t steps = 0;           ///< T, or what an episode has at most
  bool episodes = false;            ///< a lane stops at its first end; false: it starts afresh and goes on
  std::uint32_t episode_limit = 0;  ///< steps after which an episode is cut; kNeverCut: never
  bool bootstrap = true;            ///< false: a truncated episode counts as terminated in the target
  bool log_probabilities = true;    ///< false: nobody reads them
  std::uint64_t key = 0;            ///< the agent's seed
  std::uint32_t step = 0;           ///< steps that every environment has been through before
  float epsilon = 0;                ///< of the policy that acts
  EpisodeTally* tally = nullptr;    ///< added to
};

}  // namespace cupg

CUPG_BEGIN_TARGET

/// The value of the state before the reset.
template <class Env, class Act, bool Shared, class S>
CUPG_COLD S cut_value(const RowsArgs& a, const typename Env::template State<S>& s) {
  S x[Env::kObservations], z[Env::kActions + 1];
  Env::observe(s, x);
  small_forward<Act, Env::kObservations, Env::kActions, Shared>(*a.plan, a.weights, x, z);
  return z[Env::kActions];
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

/// The lanes [first_lane, first_lane + kWidth<S>) of one warp. Returns the rows that they fill.
template <class Env, class Act, bool Shared, class S>
CUPG_FN std::int64_t rollout_rows(const RowsArgs& a, int warp, int first_lane) {
  constexpr int O = Env::kObservations, A = Env::kActions;
  constexpr RowFeatures at{{O}, A};
  constexpr SampleRow sample = at.sample;
  const ChunkPlan plan = *a.plan;
  const std::uint32_t environment = static_cast<std::uint32_t>(warp * kWarp + first_lane);
  const std::uint32_t in_use = lanes_in_use(a.envs, warp) >> first_lane;
  float* const state = a.state + warp * Env::kStateSize * kWarp + first_lane;
  std::uint32_t* const age_at = a.age + warp * kWarp + first_lane;
  float* const return_at = a.episode_return + warp * kWarp + first_lane;

  auto s = load_state<Env, S>(state);
  Int<S> age = load_int<S>(age_at);
  S sum = load<S>(return_at);
  std::uint32_t playing = in_use;  // of whole episodes
  if constexpr (kWidth<S> < kWarp) playing &= (1u << kWidth<S>)-1u;
  S x[O], z[A + 1];
  Env::observe(s, x);
  small_forward<Act, O, A, Shared>(plan, a.weights, x, z);
  alignas(64) std::uint32_t words[4 * kWidth<S>];
  std::int64_t t = 0;
  for (; t < a.steps && (playing != 0 || !a.episodes); ++t) {
    float* const row = a.rows + t * at.floats() + first_lane;
    for (int i = 0; i < O; ++i) store(row + i * kWarp, x[i]);
    for (int k = 0; k <= A; ++k) store(row + (at.output() + k) * kWarp, z[k]);
    store(row + sample.value() * kWarp, z[A]);

    const std::uint32_t now = a.step + static_cast<std::uint32_t>(t);
    if ((now & 3u) == 0 || t == 0) {
      const auto draw = philox4x32_lanes(iota<S>(environment), now >> 2, static_cast<std::uint32_t>(Purpose::action), 0u, a.key);
      for (int i = 0; i < 4; ++i) store_int(words + i * kWidth<S>, draw.word[i]);
    }
    const S u = uniform01<S>(load_int<S>(words + (now & 3u) * kWidth<S>));
    S logits[A], log_p[A], p[A];
    for (int j = 0; j < A; ++j) logits[j] = z[j];
    if (A > 2 || a.log_probabilities) softmax(logits, log_p, p);
    const Action<A, S> action = draw_action(logits, p, u, splat<S>(a.epsilon));
    store(row + sample.action() * kWarp, bits_float(action.number()));
    if (a.log_probabilities) store(row + sample.log_probability() * kWarp, chosen(log_p, action.number()));
    auto before = s;
    const StepResult<S> result = Env::step(s, action);
    store(row + sample.reward() * kWarp, result.reward);
    std::uint32_t terminated = to_bits(result.terminated);
    Int<S> next_age = age + Int<S>(1u);
    std::uint32_t truncated = to_bits(at_least(next_age, Int<S>(a.episode_limit))) & ~terminated;
    if (a.episodes) {  // the others have stopped
      const Mask<S> plays = from_bits<S>(playing);
      Env::each_field(s, [&](S& field, int i) {
        Env::each_field(before, [&](S& kept, int j) {
          if (i == j) field = select(plays, field, kept);
        });
      });
      age = select(plays, next_age, age);
      sum = select(plays, sum + result.reward, sum);
      terminated &= playing;
      truncated &= playing;
    } else {
      age = next_age;
      sum = sum + result.reward;
    }
    const std::uint32_t done = terminated | truncated;
    a.done[t] |= done << first_lane;

    S last = S(0.0);  // V(s_{t+1}) where the episode ended
    if (done != 0) [[unlikely]] {
      if (truncated != 0 && a.bootstrap) last = select(from_bits<S>(truncated), cut_value<Env, Act, Shared, S>(a, s), last);
      count_episodes<S>(age, sum, done & in_use, terminated & in_use, *a.tally);
      age = select(from_bits<S>(done), Int<S>(0u), age);
      sum = select(from_bits<S>(done), S(0.0), sum);
      restart_lanes<Env, S>(s, done, environment, now, a.key);
      if (a.episodes)
        for (std::uint32_t ended = done; ended != 0; ended &= ended - 1)
          a.length[first_lane + lowest_bit(ended)] = static_cast<std::uint32_t>(t + 1);
      playing &= ~done;
    }
    Env::observe(s, x);
    small_forward<Act, O, A, Shared>(plan, a.weights, x, z);
    store(row + sample.next_value() * kWarp, done == 0 ? z[A] : select(from_bits<S>(done), last, z[A]));
  }
  store_state<Env, S>(state, s);
  store_int(age_at, age);
  store(return_at, sum);
  return t;
}

/// Advantages and targets of the lanes of one warp, from the last row to the first (kernels/advantage/rows.hpp has the formulas). Of `a`
/// the settings count, not the samples.
template <class S>
CUPG_FN void rows_advantages(const RowAdvantageArgs& a, RowFeatures f, float* rows, const std::uint32_t* done, std::int64_t count,
                             int first_lane) {
  const SampleRow at = f.sample;
  const S gamma = splat<S>(a.gamma), gamma_lambda = splat<S>(a.gamma_lambda);
  const auto field = [&](std::int64_t t, int i) { return rows + t * f.floats() + i * kWarp + first_lane; };
  const auto ends = [&](std::int64_t t) { return from_bits<S>(done[t] >> first_lane); };
  S chain = S(0.0);
  for (std::int64_t t = count - 1; t >= 0; --t) {
    const S value = load<S>(field(t, at.value())), next = load<S>(field(t, at.next_value()));
    const S reward = load<S>(field(t, at.reward()));
    S advantage;
    if (a.estimator == Estimator::gae) {
      const S delta = fma(gamma, next, reward) - value;
      chain = fma(gamma_lambda, select(ends(t), S(0.0), chain), delta);
      advantage = chain;
    } else if (a.estimator == Estimator::returns) {
      chain = fma(gamma, t + 1 == count ? next : select(ends(t), next, chain), reward);
      advantage = a.has_value ? chain - value : chain;
    } else {
      const std::int64_t last = t + a.nstep < count ? t + a.nstep - 1 : count - 1;
      S sum = load<S>(field(last, at.next_value()));
      for (std::int64_t k = last; k >= t; --k) {
        if (k < last) sum = select(ends(k), load<S>(field(k, at.next_value())), sum);
        sum = fma(gamma, sum, load<S>(field(k, at.reward())));
      }
      advantage = sum - value;
    }
    store(field(t, at.advantage()), advantage);
    store(field(t, at.target()), a.has_value ? advantage + value : advantage);
  }
}

/// Outputs of `count` rows with the present weights.
template <class Act, int O, int A, bool Shared, class S>
inline void rows_forward(const ChunkPlan& plan, const float* weights, float* rows, std::int64_t count) {
  constexpr RowFeatures at{{O}, A};
  for (std::int64_t t = 0; t < count; ++t)
    for (int lo = 0; lo < kWarp; lo += kWidth<S>) {
      float* const row = rows + t * at.floats() + lo;
      S x[O], z[A + 1];
      for (int i = 0; i < O; ++i) x[i] = load<S>(row + i * kWarp);
      small_forward<Act, O, A, Shared>(plan, weights, x, z);
      for (int k = 0; k <= A; ++k) store(row + (at.output() + k) * kWarp, z[k]);
    }
}

/// A row to the samples of its lanes: lane l's is to[l * stride], for the first `lanes` ones.
CUPG_FN void unpack_row(RowFeatures f, const float* row, int lanes, float* to, std::int64_t stride) {
  const int fields = (f.sample.fields() + 3) / 4 * 4;  // what lies behind them is room in a sample's row
  const int fours = lanes / 4 * 4;
  transpose(row, kWarp, fields, fours, to, static_cast<int>(stride));
  for (int l = fours; l < lanes; ++l)
    for (int i = 0; i < fields; ++i) to[l * stride + i] = row[i * kWarp + l];
}

CUPG_END_TARGET

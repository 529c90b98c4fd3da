// One step of 32 environments (a warp) whose actions somebody else chose, for VectorEnv (include/cupg/vector_env.hpp). An episode that
// ends is followed by a fresh one at once. Draws and dynamics are those of the rollout (kernels/rollout/op.hpp).
// Bound: the dynamics, beside them loads and stores (CartPole: 66 bytes a step) and the fresh states, which are drawn one by one.
#pragma once
#include "kernels/math/transpose.hpp"
#include "kernels/rollout/op.hpp"

namespace cupg {

/// Environments lie one behind the other, in whole warps; what lies behind the last one in use may be overwritten.
struct VectorStepArgs {
  float* state = nullptr;                 ///< [warps][kStateSize][32], in and out
  std::uint32_t* age = nullptr;           ///< [warps][32] steps of the running episode, in and out
  const std::uint32_t* action = nullptr;  ///< [warps][32] below A
  int envs = 0;                           ///< N
  std::uint32_t episode_limit = 0;        ///< steps after which an episode is cut; kNeverCut: never
  std::uint64_t key = 0;                  ///< the seed
  std::uint32_t step = 0;                 ///< steps that every environment has been through before
  float* observation = nullptr;           ///< [warps * 32][O] out: of a fresh state where an episode ended
  float* reward = nullptr;                ///< [warps * 32] out
  bool* terminated = nullptr;             ///< [warps * 32] out
  bool* truncated = nullptr;              ///< [warps * 32] out
  float* final_observation = nullptr;     ///< [warps * 32][O] out: before the reset, where an episode ended
};

}  // namespace cupg

CUPG_BEGIN_TARGET

/// Bit l of `bits` to flags[l], eight at a time: each byte of a word keeps the bit of its own place.
template <int W>
CUPG_FN void store_flags(bool* flags, std::uint32_t bits) {
  static_assert(W == 1 || W % 8 == 0);
  if constexpr (W == 1) {
    *flags = (bits & 1u) != 0;
  } else {
    for (int l = 0; l < W; l += 8) {
      const std::uint64_t own = (bits >> l & 0xffu) * 0x0101010101010101u & 0x8040201008040201u;
      const std::uint64_t bytes = (own + 0x7f7f7f7f7f7f7f7fu) >> 7 & 0x0101010101010101u;
      __builtin_memcpy(flags + l, &bytes, 8);
    }
  }
}

/// The lanes' observations, a row of O numbers each.
template <class Env, class S>
CUPG_FN void store_observations(const typename Env::template State<S>& s, float* to) {
  constexpr int O = Env::kObservations, W = kWidth<S>, kRow = (O + 3) / 4 * 4;
  S x[O];
  Env::observe(s, x);
  if constexpr (W == 1) {
    for (int i = 0; i < O; ++i) to[i] = x[i];
  } else {
    alignas(64) float columns[kRow * W] = {}, rows[W * kRow];
    for (int i = 0; i < O; ++i) store(columns + i * W, x[i]);
    if constexpr (O == kRow) {
      transpose(columns, W, kRow, W, to, O);
    } else {
      transpose(columns, W, kRow, W, rows, kRow);
      for (int l = 0; l < W; ++l) __builtin_memcpy(to + l * O, rows + l * kRow, O * sizeof(float));
    }
  }
}

/// The lanes [first_lane, first_lane + kWidth<S>) of one warp.
template <class Env, class S>
CUPG_FN void vector_step_lanes(const VectorStepArgs& a, int warp, int first_lane) {
  constexpr int O = Env::kObservations, A = Env::kActions, W = kWidth<S>;
  const std::int64_t first = static_cast<std::int64_t>(warp) * kWarp + first_lane;
  float* const state = a.state + static_cast<std::int64_t>(warp) * Env::kStateSize * kWarp + first_lane;

  auto s = load_state<Env, S>(state);
  const StepResult<S> result = Env::step(s, Action<A, S>::of(load_int<S>(a.action + first)));
  Int<S> age = load_int<S>(a.age + first) + Int<S>(1u);
  const std::uint32_t terminated = to_bits(result.terminated), truncated = to_bits(at_least(age, Int<S>(a.episode_limit)));
  store(a.reward + first, result.reward);
  store_flags<W>(a.terminated + first, terminated);
  store_flags<W>(a.truncated + first, truncated);
  if (const std::uint32_t done = terminated | truncated; done != 0) {
    alignas(64) float last[O * W];
    store_observations<Env, S>(s, last);
    for (std::uint32_t left = done; left != 0; left &= left - 1)
      __builtin_memcpy(a.final_observation + (first + lowest_bit(left)) * O, last + lowest_bit(left) * O, O * sizeof(float));
    age = select(from_bits<S>(done), Int<S>(0u), age);
    restart_lanes<Env, S>(s, done, static_cast<std::uint32_t>(first), a.step, a.key);
  }
  store_observations<Env, S>(s, a.observation + first * O);
  store_state<Env, S>(state, s);
  store_int(a.age + first, age);
}

CUPG_END_TARGET

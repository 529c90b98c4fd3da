// Advantages of one warp's rollout, from the last row to the first.
//
//   GAE (Schulman et al., 2016):  delta_t = r_t + gamma V(s_{t+1}) - V(s_t),  A_t = delta_t + gamma lambda A_{t+1}
//   n-step:                       A_t = r_t + gamma r_{t+1} + ... + gamma^k V(s_{t+k}) - V(s_t),  k <= n, by Horner's rule
//
// Both chains are cut where an episode ended (done), the bootstrap only where it terminated: the rollout has put 0 or the value
// of the last observation into V(s_{t+1}) already. Bound: memory; 4 floats in, 1 out per sample.
#pragma once
#include "kernels/math/lanes.hpp"
#include "kernels/trajectory.hpp"

namespace cupg {

struct AdvantageArgs {
  Trajectory data;                ///< value, done in; advantage in (V(s_{t+1})) and out (A_t)
  const float* reward = nullptr;  ///< [rows][32], or null: every reward is constant_reward
  float constant_reward = 0;
  float gamma = 0;
  float gamma_lambda = 0;  ///< gamma * lambda, rounded once
  int nstep = 0;           ///< 0: GAE
  int horizon = 0;
};

}  // namespace cupg

CUPG_BEGIN_TARGET

template <class S>
CUPG_FN S reward_at(const AdvantageArgs& a, std::int64_t at) {
  return a.reward == nullptr ? splat<S>(a.constant_reward) : load<S>(a.reward + at);
}

template <class S>
CUPG_FN void gae(const AdvantageArgs& a, std::int64_t row0, int first_lane) {
  const S gamma = splat<S>(a.gamma), gamma_lambda = splat<S>(a.gamma_lambda);
  S advantage = S(0.0);
  for (int t = a.horizon - 1; t >= 0; --t) {
    const std::int64_t row = row0 + t, at = row * kWarp + first_lane;
    const Mask<S> done = from_bits<S>(a.data.done[row] >> first_lane);
    const S delta = fma(gamma, load<S>(a.data.advantage + at), reward_at<S>(a, at)) - load<S>(a.data.value + at);
    advantage = fma(gamma_lambda, select(done, S(0.0), advantage), delta);
    store(a.data.advantage + at, advantage);
  }
}

/// Rows are written front to back: row t reads V(s_{t+1}) of rows t and later only.
template <class S>
CUPG_FN void nstep(const AdvantageArgs& a, std::int64_t row0, int first_lane) {
  const S gamma = splat<S>(a.gamma);
  for (int t = 0; t < a.horizon; ++t) {
    const int last = t + a.nstep < a.horizon ? t + a.nstep - 1 : a.horizon - 1;
    S value = S(0.0);
    for (int k = last; k >= t; --k) {
      const std::int64_t row = row0 + k, at = row * kWarp + first_lane;
      const Mask<S> done = from_bits<S>(a.data.done[row] >> first_lane);
      const S next = load<S>(a.data.advantage + at);
      value = fma(gamma, k == last ? next : select(done, next, value), reward_at<S>(a, at));
    }
    const std::int64_t at = (row0 + t) * kWarp + first_lane;
    store(a.data.advantage + at, value - load<S>(a.data.value + at));
  }
}

/// The lanes [first_lane, first_lane + kWidth<S>) of the warp whose rows begin at row0.
template <class S>
CUPG_FN void advantages(const AdvantageArgs& a, std::int64_t row0, int first_lane) {
  if (a.nstep == 0) {
    gae<S>(a, row0, first_lane);
  } else {
    nstep<S>(a, row0, first_lane);
  }
}

CUPG_END_TARGET

// Advantages and targets of the steps of one environment (one in each lane), from the last to the first.
//
//   GAE (Schulman et al., 2016):  delta_t = r_t + gamma V(s_{t+1}) - V(s_t),  A_t = delta_t + gamma lambda A_{t+1}
//   n-step:                       A_t = r_t + gamma r_{t+1} + ... + gamma^k V(s_{t+k}) - V(s_t),  k <= n, by Horner's rule
//   returns:                      G_t = r_t + gamma G_{t+1},  A_t = G_t - V(s_t), or G_t where there is no V
//   targets:                      R_t = A_t + V(s_t), or A_t where there is no V
//
// All chains are cut where an episode ended (done), the bootstrap only where it terminated: the rollout has put 0 or the value of the last
// observation into V(s_{t+1}) already. Returns go on from V(s_{t+1}) where an episode was cut or the steps end.
// Bound: memory; 3 floats in, 2 out a sample.
#pragma once
#include "cupg/objective.hpp"
#include "kernels/trajectory.hpp"

namespace cupg {

struct AdvantageArgs {
  SampleRow row;  ///< numbers of the features
  Estimator estimator = Estimator::gae;
  bool has_value = true;  ///< the objective learns V
  float gamma = 0;
  float gamma_lambda = 0;  ///< gamma * lambda, rounded once
  int nstep = 0;
};

}  // namespace cupg

CUPG_BEGIN_TARGET

/// at(t, feature) is where a feature of step t < count lies, ends(t) the lanes whose episode ended with it. Advantages and targets take the
/// places of what they are made of, so n-step sums, which look ahead, go from the first step to the last.
template <class S, class At, class Ends>
CUPG_FN void advantages(const AdvantageArgs& a, std::int64_t count, At at, Ends ends) {
  const S gamma = splat<S>(a.gamma), gamma_lambda = splat<S>(a.gamma_lambda);
  const SampleRow f = a.row;
  const auto put = [&](std::int64_t t, S advantage, S value) {
    store(at(t, f.advantage()), advantage);
    store(at(t, f.target()), a.has_value ? advantage + value : advantage);
  };
  if (a.estimator == Estimator::nstep) {
    for (std::int64_t t = 0; t < count; ++t) {
      const std::int64_t last = t + a.nstep < count ? t + a.nstep - 1 : count - 1;
      S sum = load<S>(at(last, f.next_value()));
      for (std::int64_t k = last; k >= t; --k) {
        if (k < last) sum = select(ends(k), load<S>(at(k, f.next_value())), sum);
        sum = fma(gamma, sum, load<S>(at(k, f.reward())));
      }
      const S value = load<S>(at(t, f.value()));
      put(t, sum - value, value);
    }
    return;
  }
  S chain = S(0.0);
  for (std::int64_t t = count - 1; t >= 0; --t) {
    const S value = load<S>(at(t, f.value())), next = load<S>(at(t, f.next_value())), reward = load<S>(at(t, f.reward()));
    if (a.estimator == Estimator::gae) {
      chain = fma(gamma_lambda, select(ends(t), S(0.0), chain), fma(gamma, next, reward) - value);
      put(t, chain, value);
    } else {
      chain = fma(gamma, t + 1 == count ? next : select(ends(t), next, chain), reward);
      put(t, a.has_value ? chain - value : chain, value);
    }
  }
}

/// The lanes [first_lane, first_lane + kWidth<S>) of a warp's rows.
template <class S>
CUPG_FN void row_advantages(const AdvantageArgs& a, RowFeatures f, float* rows, const std::uint32_t* done, std::int64_t count,
                            int first_lane) {
  const int stride = f.floats();
  advantages<S>(
      a, count, [&](std::int64_t t, int i) { return rows + t * stride + i * kWarp + first_lane; },
      [&](std::int64_t t) { return from_bits<S>(done[t] >> first_lane); });
}

/// One environment's stored samples, [count][a.row.stride()].
CUPG_FN void sample_advantages(const AdvantageArgs& a, float* samples, std::int64_t count) {
  const int stride = a.row.stride();
  advantages<float>(
      a, count, [&](std::int64_t t, int i) { return samples + t * stride + i; },
      [&](std::int64_t t) { return float_bits(samples[t * stride + a.row.done()]) != 0; });
}

CUPG_END_TARGET

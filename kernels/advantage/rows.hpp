// Advantages and targets of one environment's stored samples (kernels/chunk/plan.hpp), from the last step to the first. The formulas
// are those of op.hpp; `returns` is the discounted return to go,
//   G_t = r_t + gamma G_{t+1},  A_t = G_t - V(s_t), or G_t where there is no V
// which goes on from V(s_{t+1}) where an episode was cut or the samples end. R_t = A_t + V(s_t). Bound: memory.
#pragma once
#include "cupg/objective.hpp"
#include "kernels/chunk/plan.hpp"

namespace cupg {

struct RowAdvantageArgs {
  SampleRow row;
  float* samples = nullptr;  ///< [count] rows: value, next_value, done, reward in; advantage, target out
  std::int64_t count = 0;
  Estimator estimator = Estimator::gae;
  bool has_value = true;  ///< the objective learns V
  float gamma = 0;
  float gamma_lambda = 0;  ///< gamma * lambda, rounded once
  int nstep = 0;
};

}  // namespace cupg

CUPG_BEGIN_TARGET

CUPG_FN void row_advantages(const RowAdvantageArgs& a) {
  const int stride = a.row.stride();
  const auto at = [&](std::int64_t t) { return a.samples + t * stride; };
  const auto done = [&](const float* s) { return float_bits(s[a.row.done()]) != 0; };
  float chain = 0;
  for (std::int64_t t = a.count - 1; t >= 0; --t) {
    float* const s = at(t);
    const float value = s[a.row.value()], next = s[a.row.next_value()], reward = s[a.row.reward()];
    const bool last = done(s) || t + 1 == a.count;
    float advantage = 0;
    if (a.estimator == Estimator::gae) {
      chain = fma(a.gamma_lambda, last ? 0.0f : chain, fma(a.gamma, next, reward) - value);
      advantage = chain;
    } else if (a.estimator == Estimator::returns) {
      chain = fma(a.gamma, last ? next : chain, reward);
      advantage = a.has_value ? chain - value : chain;
    } else {
      std::int64_t end = t;  // rewards are summed up to here: n of them, or until the episode or the samples end
      while (end + 1 < a.count && end + 1 < t + a.nstep && !done(at(end))) ++end;
      float sum = at(end)[a.row.next_value()];
      for (std::int64_t k = end; k >= t; --k) sum = fma(a.gamma, sum, at(k)[a.row.reward()]);
      advantage = sum - value;
    }
    s[a.row.advantage()] = advantage;
    s[a.row.target()] = a.has_value ? advantage + value : advantage;
  }
}

CUPG_END_TARGET

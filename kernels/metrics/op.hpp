// Metrics: what an update did (cupg/metrics.hpp), from the samples of its first environments and the network after it.
//
//   first the means of R and of V_old; then, sample by sample, sums of
//   J(z; c_e = c_v = 0),  (V - R)^2,  H,  (r - 1) - log r,  [|r - 1| > clip],  (R - mean R)^2,  ((R - mean R) - (V_old - mean V_old))^2
//
// A lane is an environment, whatever the network: it adds its samples in order; then the butterfly, and the tree over warps.
// Bound: a forward pass over some hundredth of the batch.
#pragma once
#include "cupg/metrics.hpp"
#include "kernels/agent/settings.hpp"
#include "kernels/reduce/op.hpp"
#include "objectives/sample.hpp"

namespace cupg {

/// Warps of environments whose samples are looked at.
inline constexpr int kMeasuredWarps = kMeasuredEnvs / kWarp;
CUPG_FN constexpr int measured_warps(int warps) { return warps < kMeasuredWarps ? warps : kMeasuredWarps; }

/// Places of the sums.
inline constexpr int kPolicyLossSum = 0, kValueErrorSum = 1, kEntropySum = 2, kKlSum = 3, kClippedSum = 4, kTargetSquares = 5,
                     kResidualSquares = 6, kMetricSums = 7;

/// What all samples share.
template <class Real>
struct MetricConstants {
  Real mean_target = 0, mean_value = 0;  ///< of R and of V_old
  Real clip = 0;
};

/// Rows with the network's outputs after the update (kernels/trajectory.hpp).
struct MetricArgs {
  RowFeatures features;
  int actions = 2;
  const float* rows = nullptr;          ///< [count][features][32]; in the place of the estimates of KL: J without entropy and value terms
  const std::uint32_t* used = nullptr;  ///< [count]
  std::int64_t count = 0;
  MetricConstants<float> constants;
};

}  // namespace cupg

CUPG_BEGIN_TARGET

/// Adds a sample to a lane's sums, in the lanes of `used`.
template <int A, class S>
CUPG_FN void add_metrics(const LossSample<A, S>& s, S policy_loss, const MetricConstants<Scalar<S>>& c, Mask<S> used,
                         S (&sums)[kMetricSums]) {
  S log_p[A], p[A];
  softmax(s.logits, log_p, p);
  const S log_ratio = chosen(log_p, s.action) - s.old_log_probability, moved = exp(log_ratio) - S(1.0);
  const S error = s.value - s.target, target = s.target - splat<S>(c.mean_target),
          residual = target - (s.old_value - splat<S>(c.mean_value));
  const auto add = [&](int k, S sum) { sums[k] = select(used, sum, sums[k]); };
  add(kPolicyLossSum, sums[kPolicyLossSum] + policy_loss);
  add(kValueErrorSum, fma(error, error, sums[kValueErrorSum]));
  add(kEntropySum, sums[kEntropySum] + entropy(log_p, p));
  add(kKlSum, sums[kKlSum] + (moved - log_ratio));
  add(kClippedSum, sums[kClippedSum] + select(abs(moved) > splat<S>(c.clip), S(1.0), S(0.0)));
  add(kTargetSquares, fma(target, target, sums[kTargetSquares]));
  add(kResidualSquares, fma(residual, residual, sums[kResidualSquares]));
}

/// The lanes' sums [kMetricSums][32] of some rows, for P policy outputs.
template <int A, int P, class S>
inline void metric_rows(const MetricArgs& a, float* lanes) {
  const RowFeatures f = a.features;
  const SampleRow at = f.sample;
  for (int lo = 0; lo < kWarp; lo += kWidth<S>) {
    S sums[kMetricSums];
    for (S& sum : sums) sum = S(0.0);
    for (std::int64_t t = 0; t < a.count; ++t) {
      const auto get = [&](int feature) { return load<S>(a.rows + (t * f.count() + feature) * kWarp + lo); };
      S z[P];
      LossSample<A, S> s;
      for (int k = 0; k < P; ++k) z[k] = get(f.output() + k);
      outputs_to_logits(z, s.logits);
      s.value = get(f.output() + P);
      s.action = float_bits(get(at.action()));
      s.target = get(at.target());
      s.old_log_probability = get(at.log_probability());
      s.old_value = get(at.value());
      add_metrics(s, get(f.kl()), a.constants, from_bits<S>(a.used[t] >> lo), sums);
    }
    for (int k = 0; k < kMetricSums; ++k) store(lanes + k * kWarp + lo, sums[k]);
  }
}

/// The figures of n samples with these sums, of an objective with a value, with a ratio.
template <class Real>
CUPG_FN Metrics finish_metrics(const Real* sums, Real n, bool value, bool ratio, const OptimizerState& optimizer) {
  Metrics m;
  m.policy_loss = static_cast<float>(sums[kPolicyLossSum] / n);
  m.entropy = static_cast<float>(sums[kEntropySum] / n);
  m.approx_kl = static_cast<float>(sums[kKlSum] / n);
  if (ratio) m.clip_fraction = static_cast<float>(sums[kClippedSum] / n);
  if (value) m.value_loss = static_cast<float>(sums[kValueErrorSum] / n * Real(0.5f));
  if (value && sums[kTargetSquares] > 0) m.explained_variance = static_cast<float>(Real(1) - sums[kResidualSquares] / sums[kTargetSquares]);
  m.gradient_norm = optimizer.gradient_norm;
  m.learning_rate = optimizer.learning_rate;
  return m;
}

CUPG_END_TARGET

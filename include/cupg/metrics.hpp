#pragma once
#include <limits>

namespace cupg {

/// Environments whose samples are looked at: the first ones.
inline constexpr int kMeasuredEnvs = 128;

/// What an update did: of the policy and the value after it, means over the samples of its first kMeasuredEnvs environments. NaN: the
/// algorithm has no such figure, or nobody measured it.
struct Metrics {
  static constexpr float kNone = std::numeric_limits<float>::quiet_NaN();

  float policy_loss = kNone;         ///< the objective's J without its entropy and value terms
  float value_loss = kNone;          ///< (V - R)^2 / 2
  float entropy = kNone;             ///< H of the policy, in nats
  float approx_kl = kNone;           ///< (r - 1) - log r, r = p(a|s) / p_old(a|s): an estimate of KL(old, new) (Schulman, 2020)
  float clip_fraction = kNone;       ///< of the samples with |r - 1| > clip; only of objectives with a ratio
  float explained_variance = kNone;  ///< 1 - Var(R - V_old) / Var(R): of the value that the update's advantages came from
  float gradient_norm = kNone;       ///< of the last optimizer step, before it was clipped
  float learning_rate = kNone;
};

/// f(name, figure) for every figure, in the order of files.
template <class M, class F>
void each_metric(M& m, F f) {
  f("policy_loss", m.policy_loss);
  f("value_loss", m.value_loss);
  f("entropy", m.entropy);
  f("approx_kl", m.approx_kl);
  f("clip_fraction", m.clip_fraction);
  f("explained_variance", m.explained_variance);
  f("gradient_norm", m.gradient_norm);
  f("learning_rate", m.learning_rate);
}

}  // namespace cupg

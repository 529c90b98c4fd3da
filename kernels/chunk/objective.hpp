// The objective's derivatives for the samples of a chunk, lane by lane.
//   g_j = scale dJ/dz_j,  g_v = scale dJ/dV,  kl = (r - 1) - log r with r = p(a|s) / p_old(a|s)
// The estimate of KL(old, new) is Schulman's ("Approximating KL divergence", 2020): unbiased and never negative.
// Bound: latency and arithmetic of a softmax; small beside the network.
#pragma once
#include "envs/registry.hpp"
#include "kernels/chunk/plan.hpp"
#include "objectives/registry.hpp"

namespace cupg {

/// Arrays of some samples, a row of floats for each output or field.
struct ObjectiveArgs {
  int count = 0;  ///< samples in use; the others' numbers are finite and their results unused
  Coefficients<float> coefficients{};
  float mean = 0, inverse_sd = 1;         ///< normalisation of the advantages (Moments)
  float scale = 1;                        ///< 1 / B for a mean, 1 for a sum
  const float* outputs = nullptr;         ///< [A + 1][stride] logits, value
  const std::uint32_t* action = nullptr;  ///< [count], as the following
  const float* advantage = nullptr;
  const float* target = nullptr;
  const float* old_log_probability = nullptr;
  const float* old_value = nullptr;
  float* grad = nullptr;  ///< [A + 1][stride] out; may be `outputs`
  float* kl = nullptr;    ///< [count] out, or null: not wanted
  int actions = 2;        ///< A, which objective_lanes has in its type
  int stride = kChunk;    ///< of outputs and grad
};

/// One target's derivatives of one objective.
using ObjectiveRows = void (*)(const ObjectiveArgs&);

/// What the objective reads and leaves of one chunk, where the network's rows lie elsewhere.
struct alignas(16) ChunkFields {
  float outputs[kMaxOutputs][kChunk];  ///< logits, value
  float grad[kMaxOutputs][kChunk];     ///< dJ/d(output)
  std::uint32_t action[kChunk];
  float advantage[kChunk], target[kChunk], old_log_probability[kChunk], old_value[kChunk], kl[kChunk];

  /// Of the sample in row `from`, without its observation.
  CUPG_FN void gather(const SampleRow& at, const float* from, int r) {
    action[r] = float_bits(from[at.action()]);
    advantage[r] = from[at.advantage()];
    target[r] = from[at.target()];
    old_log_probability[r] = from[at.log_probability()];
    old_value[r] = from[at.value()];
  }
};

}  // namespace cupg

CUPG_BEGIN_TARGET

/// The samples [at, at + kWidth<S>).
template <class Objective, int A, class S>
CUPG_FN void objective_lanes(const ObjectiveArgs& a, int at) {
  LossSample<A, S> s;
  for (int j = 0; j < A; ++j) s.logits[j] = load<S>(a.outputs + j * a.stride + at);
  s.value = load<S>(a.outputs + A * a.stride + at);
  s.action = load_int<S>(a.action + at);
  s.advantage = (load<S>(a.advantage + at) - splat<S>(a.mean)) * splat<S>(a.inverse_sd);
  s.target = load<S>(a.target + at);
  s.old_log_probability = load<S>(a.old_log_probability + at);
  s.old_value = load<S>(a.old_value + at);
  S grad[A], grad_value;
  objective_gradient<Objective>(s, a.coefficients, grad, grad_value);
  const S scale = splat<S>(a.scale);
  for (int j = 0; j < A; ++j) store(a.grad + j * a.stride + at, grad[j] * scale);
  store(a.grad + A * a.stride + at, grad_value * scale);
  if (a.kl == nullptr) return;

  S log_p[A], p[A];
  softmax(s.logits, log_p, p);
  const S log_ratio = chosen(log_p, s.action) - s.old_log_probability;
  store(a.kl + at, exp(log_ratio) - S(1.0) - log_ratio);
}

template <class Objective, class S>
inline void objective_rows(const ObjectiveArgs& a) {
  with_actions(a.actions, [&]<int A>() {
    for (int at = 0; at < a.count; at += kWidth<S>) objective_lanes<Objective, A, S>(a, at);
  });
}

CUPG_END_TARGET

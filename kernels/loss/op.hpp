// The loss: the objective's derivatives for some samples, lane by lane.
//   g_k = scale dJ/dz_k,  g_v = scale dJ/dV,  kl: the estimates of KL(old, new)
// Bound: latency and arithmetic of a softmax; small beside the network.
#pragma once
#include "cupg/objective.hpp"
#include "envs/registry.hpp"
#include "kernels/network/tiled/plan.hpp"
#include "objectives/registry.hpp"

namespace cupg {

/// Arrays of some samples, a row of floats for each output or field; or of several rows of them.
struct ObjectiveArgs {
  int count = 0;  ///< samples of a row in use; the others' numbers are finite and their results unused
  Coefficients<float> coefficients{};
  float mean = 0, inverse_sd = 1;  ///< normalization of the advantages (Moments)
  float scale = 1;                 ///< 1 / B for a mean, 1 for a sum
  const float* policy = nullptr;   ///< [P][stride] policy outputs
  const float* value = nullptr;    ///< [count]
  const float* action = nullptr;   ///< [count], as the following; the bits of a uint32
  const float* advantage = nullptr;
  const float* target = nullptr;
  const float* old_log_probability = nullptr;
  const float* old_value = nullptr;
  float* grad = nullptr;   ///< [P + 1][stride] out; may be `policy`
  float* kl = nullptr;     ///< [count] out, or null: not wanted
  float* loss = nullptr;   ///< [count] out, in place of everything else: J; or null
  int actions = 2;         ///< A, which objective_lanes has in its type
  int policy_outputs = 2;  ///< P: A logits, or 1, the difference of two
  int stride = kTile;      ///< of policy and grad
  int rows = 1;
  int row = 0;                          ///< floats from a row's arrays to those of the next one
  const std::uint32_t* used = nullptr;  ///< [rows] bit l: lane l of 32 has a sample, of the others everything is 0; null: all have
};

/// One target's derivatives of one objective.
using ObjectiveRows = void (*)(const ObjectiveArgs&);

/// What the objective reads and leaves of one tile, where the network's rows lie elsewhere.
struct alignas(16) LossFields {
  float outputs[kMaxOutputs][kTile];  ///< logits, value
  float grad[kMaxOutputs][kTile];     ///< dJ/d(output)
  float action[kTile], advantage[kTile], target[kTile], old_log_probability[kTile], old_value[kTile], kl[kTile];

  /// Of the sample in row `from`, without its observation.
  CUPG_FN void gather(const SampleRow& at, const float* from, int r) {
    action[r] = from[at.action()];
    advantage[r] = from[at.advantage()];
    target[r] = from[at.target()];
    old_log_probability[r] = from[at.log_probability()];
    old_value[r] = from[at.value()];
  }

  /// These arrays, with A logits.
  CUPG_FN ObjectiveArgs args(int actions) {
    ObjectiveArgs o;
    o.policy = outputs[0];
    o.value = outputs[actions];
    o.action = action;
    o.advantage = advantage;
    o.target = target;
    o.old_log_probability = old_log_probability;
    o.old_value = old_value;
    o.grad = grad[0];
    o.kl = kl;
    o.actions = o.policy_outputs = actions;
    return o;
  }
};

/// The arrays of rows that begin at `rows` (kernels/trajectory.hpp); dJ/d(output) takes the outputs' places. stale: the values are those of
/// a forward pass over the rows; otherwise the rollout's.
CUPG_FN ObjectiveArgs row_objective_args(RowFeatures f, float* rows, bool stale) {
  const SampleRow at = f.sample;
  ObjectiveArgs o;
  o.count = kWarp;
  o.policy_outputs = f.outputs - 1;
  o.actions = o.policy_outputs == 1 ? 2 : o.policy_outputs;
  o.policy = o.grad = rows + f.output() * kWarp;
  o.value = rows + (stale ? f.output() + o.policy_outputs : at.value()) * kWarp;
  o.action = rows + at.action() * kWarp;
  o.advantage = rows + at.advantage() * kWarp;
  o.target = rows + at.target() * kWarp;
  o.old_log_probability = rows + at.log_probability() * kWarp;
  o.old_value = rows + at.value() * kWarp;
  o.kl = rows + f.kl() * kWarp;
  o.stride = kWarp;
  o.row = f.floats();
  return o;
}

/// What a sample's gradient is multiplied by in a step from so many: 1 / samples, or 1 where the loss is a sum.
CUPG_FN float loss_scale(LossSum loss, std::int64_t samples) { return loss == LossSum::mean ? 1.0f / static_cast<float>(samples) : 1.0f; }

}  // namespace cupg

CUPG_BEGIN_TARGET

/// The samples [at, at + kWidth<S>) of all arrays, and their policy outputs; the logits are not set.
template <int A, int P, class S>
CUPG_FN LossSample<A, S> loss_sample(const ObjectiveArgs& a, std::int64_t at, S (&z)[P]) {
  LossSample<A, S> s;
  for (int k = 0; k < P; ++k) z[k] = load<S>(a.policy + k * a.stride + at);
  s.value = load<S>(a.value + at);
  s.action = float_bits(load<S>(a.action + at));
  s.advantage = (load<S>(a.advantage + at) - splat<S>(a.mean)) * splat<S>(a.inverse_sd);
  s.target = load<S>(a.target + at);
  s.old_log_probability = load<S>(a.old_log_probability + at);
  s.old_value = load<S>(a.old_value + at);
  return s;
}

/// The derivatives of the samples [at, at + kWidth<S>), of which those in `used` count.
template <class Objective, int A, int P, class S>
CUPG_FN void objective_lanes(const ObjectiveArgs& a, std::int64_t at, std::uint32_t used = ~0u) {
  S z[P], grad[P], grad_value;
  const LossSample<A, S> s = loss_sample<A, P, S>(a, at, z);
  output_gradient<Objective>(z, s, a.coefficients, grad, grad_value);
  const S scale = splat<S>(a.scale);
  for (int k = 0; k < P; ++k) grad[k] = grad[k] * scale;
  grad_value = grad_value * scale;
  S kl = S(0.0);
  if (a.kl != nullptr) kl = kl_estimate<A>(z, s.action, s.old_log_probability);
  if (used != ~0u) [[unlikely]] {
    const Mask<S> mask = from_bits<S>(used);
    for (int k = 0; k < P; ++k) grad[k] = select(mask, grad[k], S(0.0));
    grad_value = select(mask, grad_value, S(0.0));
    kl = select(mask, kl, S(0.0));
  }
  for (int k = 0; k < P; ++k) store(a.grad + k * a.stride + at, grad[k]);
  store(a.grad + P * a.stride + at, grad_value);
  if (a.kl != nullptr) store(a.kl + at, kl);
}

/// J of all samples.
template <class Objective, int A, int P, class S>
CUPG_COLD void objective_losses(const ObjectiveArgs& a) {
  for (int r = 0; r < a.rows; ++r)
    for (int i = 0; i < a.count; i += kWidth<S>) {
      const std::int64_t at = std::int64_t{r} * a.row + i;
      S z[P];
      LossSample<A, S> s = loss_sample<A, P, S>(a, at, z);
      outputs_to_logits(z, s.logits);
      store(a.loss + at, Objective::loss(s, a.coefficients));
    }
}

template <class Objective, class S>
inline void objective_rows(const ObjectiveArgs& all) {
  const auto rows = [&]<int A, int P>() {
    if (all.loss != nullptr) return objective_losses<Objective, A, P, S>(all);
    const ObjectiveArgs a = all;  // so that no store can be to it
    for (int r = 0; r < a.rows; ++r)
      for (int at = 0; at < a.count; at += kWidth<S>)
        objective_lanes<Objective, A, P, S>(a, std::int64_t{r} * a.row + at, a.used == nullptr || a.used[r] == ~0u ? ~0u : a.used[r] >> at);
  };
  if (all.policy_outputs == 1) return rows.template operator()<2, 1>();
  with_actions(all.actions, [&]<int A>() { rows.template operator()<A, A>(); });
}

CUPG_END_TARGET

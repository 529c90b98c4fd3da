// Optimizer: global-norm clip, then one step of Adam, RMSProp or SGD on every parameter.
//
//   ||g||^2: parameter i in lane i mod 32, rows in order, butterfly;  g <- g min(1, c / ||g||)
//   Adam (Kingma, Ba, 2015):  m <- b1 m + (1 - b1) g,  v <- b2 v + (1 - b2) g^2,
//                             p <- p - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
//   RMSProp (Hinton, 2012):   v <- a v + (1 - a) g^2,  p <- p - lr g / (sqrt(v) + eps)  or  lr g / sqrt(v + eps), v0 = 1
// b1^t and b2^t are running products in the agent's state. Bound: latency; a network has few parameters.
#pragma once
#include "cupg/optimizer.hpp"
#include "kernels/math/lanes.hpp"
#include "kernels/reduce/op.hpp"

namespace cupg {

/// What an optimizer remembers of one agent beside the moments.
struct OptimizerState {
  float beta1_power = 1, beta2_power = 1;  ///< beta^t after t updates
  std::int64_t updates = 0;                ///< optimizer steps made; where every update is one step, k
  float decay_power = 1;                   ///< decay^k of the exponential schedule
  float gradient_norm = 0;                 ///< of the last step, before it was clipped
  float learning_rate = 0;                 ///< of the last step
  std::uint32_t unused = 0;                ///< fills the struct: states are compared word by word
};

/// A stretch of training: what an agent has behind it, or all that it is given.
struct TrainingLength {
  std::int64_t updates = 0;  ///< k, or K; 0 of K: as many as the steps allow
  std::int64_t steps = 0;    ///< environment steps, where an update's number of them varies; 0 of all: K says everything
};

struct OptimizerArgs {
  OptimizerSettings settings;
  TrainingLength done{.updates = -1};  ///< where the schedules stand; updates < 0: every step is an update
  TrainingLength total;                ///< where they end
  int count = 0;                       ///< parameters, padded to whole rows of 32 with zeros
  float* gradient = nullptr;           ///< [count], in; clipped on return
  float* parameters = nullptr;         ///< [count], in and out
  float* first_moment = nullptr;       ///< [count], Adam's m
  float* second_moment = nullptr;      ///< [count], Adam's or RMSProp's v
  OptimizerState* state = nullptr;
  /// [count / 32] a bit for each parameter of the value's own network, which has a learning rate of its own; null: none has
  const std::uint32_t* value_network = nullptr;
};

}  // namespace cupg

CUPG_BEGIN_TARGET

/// (K - k) / K, and 0 beyond. The difference is whole, so that counts past 2^24 lose nothing.
template <class Real>
CUPG_FN Real share_left(std::int64_t k, std::int64_t total) {
  return k < total ? static_cast<Real>(total - k) / static_cast<Real>(total) : Real(0);
}

/// What a linear schedule leaves: the share of the updates, of the environment steps, or the smaller one where both are limited, as
/// training ends with whichever comes first.
template <class Real>
CUPG_FN Real linear_schedule(const TrainingLength& done, const TrainingLength& total) {
  if (total.steps == 0) return share_left<Real>(done.updates, total.updates);
  const Real of_steps = share_left<Real>(done.steps, total.steps);
  if (total.updates == 0) return of_steps;
  const Real of_updates = share_left<Real>(done.updates, total.updates);
  return of_updates < of_steps ? of_updates : of_steps;
}

/// lr, lr linear_schedule() or lr decay^k.
template <class Real>
CUPG_FN Real scheduled_rate(const OptimizerSettings& o, Real rate, const TrainingLength& done, const TrainingLength& total,
                            Real decay_power) {
  switch (o.schedule) {
    case Schedule::constant: return rate;
    case Schedule::linear: return rate * linear_schedule<Real>(done, total);
    case Schedule::exponential: return rate * decay_power;
  }
  return rate;
}

/// Every second moment before the first update: 0, but 1 for RMSProp as in TensorFlow.
CUPG_FN float first_second_moment(const OptimizerSettings& o) {
  return o.kind == OptimizerKind::rmsprop && o.rmsprop_eps == RmspropEps::inside ? 1.0f : 0.0f;
}

template <class S>
CUPG_FN S adam_step(S p, S g, S& m, S& v, S lr, S beta1, S beta2, S correction1, S correction2, S eps) {
  m = fma(beta1, m, (S(1.0) - beta1) * g);
  v = fma(beta2, v, (S(1.0) - beta2) * g * g);
  return p - lr * (m * correction1) / (sqrt(v * correction2) + eps);
}

template <class S>
CUPG_FN S rmsprop_step(S p, S g, S& v, S lr, S alpha, S eps, bool inside) {
  v = fma(alpha, v, (S(1.0) - alpha) * g * g);
  return p - lr * g / (inside ? sqrt(v + eps) : sqrt(v) + eps);
}

template <class S>
CUPG_FN S sgd_step(S p, S g, S lr) {
  return p - lr * g;
}

/// Sum of squares in the canonical order.
template <class S>
CUPG_FN float squared_norm(const float* g, int count) {
  alignas(64) float lanes[kWarp];
  for (int lo = 0; lo < kWarp; lo += kWidth<S>) {
    S sum = S(0.0);
    for (int i = lo; i < count; i += kWarp) {
      const S x = load<S>(g + i);
      sum = fma(x, x, sum);
    }
    store(lanes + lo, sum);
  }
  return butterfly(lanes);
}

/// What one update has in common for all parameters.
struct StepSize {
  float scale;                     ///< of the gradient: min(1, c / ||g||)
  float learning_rate;             ///< of this update
  float value_learning_rate;       ///< of the value's own network
  float correction1, correction2;  ///< 1 / (1 - beta^t)
};

/// Whether a squared norm is a number that an update can be made with.
CUPG_FN bool usable_norm(float norm2) { return norm2 <= 3.402823466e38f; }

/// Advances the state by a step with a gradient of this squared norm. done.updates < 0: as many as there were steps.
CUPG_FN StepSize begin_step(const OptimizerSettings& o, TrainingLength done, const TrainingLength& total, float norm2,
                            OptimizerState& state) {
  StepSize step;
  const float norm = sqrt(norm2);
  step.scale = o.max_grad_norm > 0.0f && norm > o.max_grad_norm ? o.max_grad_norm / norm : 1.0f;
  if (done.updates < 0) done.updates = state.updates;
  step.learning_rate = scheduled_rate<float>(o, o.learning_rate, done, total, state.decay_power);
  step.value_learning_rate =
      o.value_learning_rate > 0 ? scheduled_rate<float>(o, o.value_learning_rate, done, total, state.decay_power) : step.learning_rate;
  state.gradient_norm = norm;
  state.learning_rate = step.learning_rate;
  state.updates += 1;
  state.beta1_power *= o.beta1;
  state.beta2_power *= o.beta2;
  step.correction1 = 1.0f / (1.0f - state.beta1_power);
  step.correction2 = 1.0f / (1.0f - state.beta2_power);
  return step;
}

/// The parameters [i, i + kWidth<S>).
template <class S>
CUPG_FN void step_parameters(const OptimizerArgs& a, const StepSize& step, int i) {
  const OptimizerSettings& o = a.settings;
  S lr = splat<S>(step.learning_rate);
  if (a.value_network != nullptr)
    lr = select(from_bits<S>(a.value_network[i / kWarp] >> (i % kWarp)), splat<S>(step.value_learning_rate), lr);
  const S g = load<S>(a.gradient + i) * splat<S>(step.scale);
  S p = load<S>(a.parameters + i);
  if (o.kind == OptimizerKind::adam) {
    S m = load<S>(a.first_moment + i), v = load<S>(a.second_moment + i);
    p = adam_step(p, g, m, v, lr, splat<S>(o.beta1), splat<S>(o.beta2), splat<S>(step.correction1), splat<S>(step.correction2),
                  splat<S>(o.eps));
    store(a.first_moment + i, m);
    store(a.second_moment + i, v);
  } else if (o.kind == OptimizerKind::rmsprop) {
    S v = load<S>(a.second_moment + i);
    p = rmsprop_step(p, g, v, lr, splat<S>(o.alpha), splat<S>(o.eps), o.rmsprop_eps == RmspropEps::inside);
    store(a.second_moment + i, v);
  } else {
    p = sgd_step(p, g, lr);
  }
  store(a.gradient + i, g);
  store(a.parameters + i, p);
}

/// One update. Returns false, with nothing changed, where the gradient's norm is not finite.
template <class S>
inline bool optimize(const OptimizerArgs& a) {
  const float norm2 = squared_norm<S>(a.gradient, a.count);
  if (!usable_norm(norm2)) return false;
  const StepSize step = begin_step(a.settings, a.done, a.total, norm2, *a.state);
  for (int i = 0; i < a.count; i += kWidth<S>) step_parameters<S>(a, step, i);
  return true;
}

CUPG_END_TARGET

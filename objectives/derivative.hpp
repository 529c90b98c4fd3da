// The derivatives of an objective: its own, written by hand, or those that forward-mode duals take from its loss.
#pragma once
#include "kernels/math/dual.hpp"
#include "objectives/sample.hpp"

CUPG_BEGIN_TARGET

/// dJ/dz_j and dJ/dV by duals: one evaluation of the loss with A + 1 derivatives beside every number, in registers.
template <class Objective, int A, class S>
CUPG_FN S dual_gradient(const LossSample<A, S>& s, const Coefficients<Scalar<S>>& c, S (&grad_logits)[A], S& grad_value) {
  using D = Dual<A + 1, S>;
  LossSample<A, D> x;
  for (int j = 0; j < A; ++j) x.logits[j] = D::variable(s.logits[j], j);
  x.value = D::variable(s.value, A);
  x.action = s.action;
  x.advantage = D::constant(s.advantage);
  x.target = D::constant(s.target);
  x.old_log_probability = D::constant(s.old_log_probability);
  x.old_value = D::constant(s.old_value);
  const D j = Objective::loss(x, c);
  for (int k = 0; k < A; ++k) grad_logits[k] = j.d[k];
  grad_value = j.d[A];
  return j.x;
}

template <class Objective, int A, class S>
concept HasGradient = requires(const LossSample<A, S>& s, const Coefficients<Scalar<S>>& c, S (&g)[A], S& v) {
  Objective::gradient(s, c, g, v);
};

/// By hand where the objective brings its gradient, otherwise by duals.
template <class Objective, int A, class S>
CUPG_FN void objective_gradient(const LossSample<A, S>& s, const Coefficients<Scalar<S>>& c, S (&grad_logits)[A], S& grad_value) {
  if constexpr (HasGradient<Objective, A, S>) {
    Objective::gradient(s, c, grad_logits, grad_value);
  } else {
    dual_gradient<Objective>(s, c, grad_logits, grad_value);
  }
}

template <class Objective, class S>
concept HasTwoActionForm = requires(S d, const LossSample<2, S>& s, const Coefficients<Scalar<S>>& c, S& g, S& v) {
  Objective::gradient_two_actions(d, s, c, g, v);
};

/// dJ/d(policy output) and dJ/dV where the policy has P outputs z: A logits, or of two actions one, d = z_1 - z_0. The logits of `s` need
/// not be set.
template <class Objective, int A, int P, class S>
CUPG_FN void output_gradient(const S (&z)[P], LossSample<A, S> s, const Coefficients<Scalar<S>>& c, S (&grad)[P], S& grad_value) {
  if constexpr (P == A) {
    outputs_to_logits(z, s.logits);
    objective_gradient<Objective>(s, c, grad, grad_value);
  } else if constexpr (HasTwoActionForm<Objective, S>) {
    Objective::gradient_two_actions(z[0], s, c, grad[0], grad_value);
  } else {
    S grad_logits[A];
    outputs_to_logits(z, s.logits);
    objective_gradient<Objective>(s, c, grad_logits, grad_value);
    grad[0] = grad_logits[1];
  }
}

/// (r - 1) - log r with r = p(a|s) / p_old(a|s): an estimate of KL(old, new), unbiased and never negative. Source: Schulman,
/// "Approximating KL divergence" (2020).
template <int A, int P, class S>
CUPG_FN S kl_estimate(const S (&z)[P], Int<S> action, S old_log_probability) {
  S log_probability;
  if constexpr (P == A) {
    S log_p[A], p[A];
    softmax(z, log_p, p);
    log_probability = chosen(log_p, action);
  } else {
    log_probability = TwoActions<S>::log_probability(z[0], equal(action, Int<S>(1u)));
  }
  const S log_ratio = log_probability - old_log_probability;
  return exp(log_ratio) - S(1.0) - log_ratio;
}

CUPG_END_TARGET

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

CUPG_END_TARGET

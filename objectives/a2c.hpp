// Advantage actor-critic: policy gradient with an entropy bonus and a squared value error.
// Source: Mnih et al., "Asynchronous methods for deep reinforcement learning" (2016); the entropy bonus: Williams, Peng,
// "Function optimization using connectionist reinforcement learning algorithms" (1991).
//
//   J = -A log p_a - c_e H + c_v (V - R)^2 / 2
//   dJ/dz_j = A (p_j - [a = j]) + c_e p_j (log p_j + H)
//   dJ/dV   = c_v (V - R)
#pragma once
#include "kernels/math/softmax.hpp"
#include "objectives/sample.hpp"

CUPG_BEGIN_TARGET

struct A2c {
  static constexpr ObjectiveTraits kTraits{.name = "a2c", .source = "Mnih et al., 2016", .value = true, .entropy = true};

  template <int A, class S>
  static CUPG_FN S loss(const LossSample<A, S>& s, const Coefficients<Scalar<S>>& c) {
    S log_p[A], p[A];
    softmax(s.logits, log_p, p);
    const S error = s.value - s.target;
    return S(0.0) - s.advantage * chosen(log_p, s.action) - splat<S>(c.entropy) * entropy(log_p, p) +
           splat<S>(c.value) * S(0.5) * error * error;
  }

  template <int A, class S>
  static CUPG_FN void gradient(const LossSample<A, S>& s, const Coefficients<Scalar<S>>& c, S (&grad_logits)[A], S& grad_value) {
    S log_p[A], p[A];
    softmax(s.logits, log_p, p);
    const S h = entropy(log_p, p);
    for (int j = 0; j < A; ++j)
      grad_logits[j] = fma(splat<S>(c.entropy) * p[j], log_p[j] + h, s.advantage * (p[j] - taken<S>(s.action, j)));
    grad_value = A2c::grad_value(s.value, s.target, c);
  }

  template <class S>
  static CUPG_FN void gradient_two_actions(S d, const LossSample<2, S>& s, const Coefficients<Scalar<S>>& c, S& grad_d, S& grad_value) {
    grad_d = grad_two_actions(d, equal(s.action, Int<S>(1u)), s.advantage, c);
    grad_value = A2c::grad_value(s.value, s.target, c);
  }

  /// dJ/dd. With two actions log p1 + H = p0 d, so the entropy term is c_e p1 p0 d.
  template <class S>
  static CUPG_FN S grad_two_actions(S d, Mask<S> action1, S advantage, const Coefficients<Scalar<S>>& c) {
    const S p1 = TwoActions<S>::probability(d), p0 = S(1.0) - p1;
    const S took = select(action1, S(1.0), S(0.0));
    return fma(splat<S>(c.entropy) * p1 * p0, d, (p1 - took) * advantage);
  }

  template <class S>
  static CUPG_FN S grad_value(S value, S target, const Coefficients<Scalar<S>>& c) {
    return splat<S>(c.value) * (value - target);
  }
};

CUPG_END_TARGET

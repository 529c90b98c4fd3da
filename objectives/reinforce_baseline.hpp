// REINFORCE with a learned value as its baseline: the return to go minus V, and V drawn to the return.
// Source: Williams (1992), section 4 on baselines; Sutton, Barto, "Reinforcement learning" (2018), section 13.4.
//
//   J = -A log p_a + c_v (V - R)^2 / 2
//   dJ/dz_j = A (p_j - [a = j]),   dJ/dV = c_v (V - R)
//
// A = G - V of the time of acting: a baseline that does not depend on the action leaves the gradient's mean as it is and
// lowers its variance.
#pragma once
#include "kernels/math/softmax.hpp"
#include "objectives/sample.hpp"

CUPG_BEGIN_TARGET

struct ReinforceBaseline {
  static constexpr ObjectiveTraits kTraits{.name = "reinforce-baseline", .source = "Williams, 1992; Sutton, Barto, 2018", .value = true};

  template <int A, class S>
  static CUPG_FN S loss(const LossSample<A, S>& s, const Coefficients<Scalar<S>>& c) {
    S log_p[A], p[A];
    softmax(s.logits, log_p, p);
    const S error = s.value - s.target;
    return splat<S>(c.value) * S(0.5) * error * error - s.advantage * chosen(log_p, s.action);
  }

  template <int A, class S>
  static CUPG_FN void gradient(const LossSample<A, S>& s, const Coefficients<Scalar<S>>& c, S (&grad_logits)[A], S& grad_value) {
    S log_p[A], p[A];
    softmax(s.logits, log_p, p);
    for (int j = 0; j < A; ++j) grad_logits[j] = s.advantage * (p[j] - taken<S>(s.action, j));
    grad_value = splat<S>(c.value) * (s.value - s.target);
  }

  template <class S>
  static CUPG_FN void gradient_two_actions(S d, const LossSample<2, S>& s, const Coefficients<Scalar<S>>& c, S& grad_d, S& grad_value) {
    grad_d = (TwoActions<S>::probability(d) - taken<S>(s.action, 1)) * s.advantage;
    grad_value = splat<S>(c.value) * (s.value - s.target);
  }
};

CUPG_END_TARGET

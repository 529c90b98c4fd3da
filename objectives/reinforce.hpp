// REINFORCE: the score function times the return to go.
// Source: Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement learning" (1992).
//
//   J = -G log p_a,   dJ/dz_j = G (p_j - [a = j])
//
// G is the sample's advantage: with no value to compare with, the return itself. Nothing is learned about V.
#pragma once
#include "kernels/math/softmax.hpp"
#include "objectives/sample.hpp"

CUPG_BEGIN_TARGET

struct Reinforce {
  static constexpr ObjectiveTraits kTraits{.name = "reinforce", .source = "Williams, 1992"};

  template <int A, class S>
  static CUPG_FN S loss(const LossSample<A, S>& s, const Coefficients<Scalar<S>>&) {
    S log_p[A], p[A];
    softmax(s.logits, log_p, p);
    return S(0.0) - s.advantage * chosen(log_p, s.action);
  }

  template <int A, class S>
  static CUPG_FN void gradient(const LossSample<A, S>& s, const Coefficients<Scalar<S>>&, S (&grad_logits)[A], S& grad_value) {
    S log_p[A], p[A];
    softmax(s.logits, log_p, p);
    for (int j = 0; j < A; ++j) grad_logits[j] = s.advantage * (p[j] - taken<S>(s.action, j));
    grad_value = S(0.0);
  }

  template <class S>
  static CUPG_FN void gradient_two_actions(S d, const LossSample<2, S>& s, const Coefficients<Scalar<S>>&, S& grad_d, S& grad_value) {
    grad_d = (TwoActions<S>::probability(d) - taken<S>(s.action, 1)) * s.advantage;
    grad_value = S(0.0);
  }
};

CUPG_END_TARGET

// Proximal policy optimization: the probability ratio to the policy that acted, clipped.
// Source: Schulman et al., "Proximal policy optimization algorithms" (2017), equation 7; the clipped value loss: the first author's
// implementation, as Huang et al., "The 37 implementation details of PPO" (2022), describe it.
//
//   r = exp(log p_a - log p_old)
//   J = -min(r A, clip(r, 1 - e, 1 + e) A) - c_e H + c_v L_V
//   L_V = (V - R)^2 / 2,  or with a value clip  max((V - R)^2, (V_c - R)^2) / 2,  V_c = V_old + clip(V - V_old, -e_v, e_v)
//
//   dJ/dz_j = A r (p_j - [a = j]) + c_e p_j (log p_j + H); its first term is 0 where A > 0 and r > 1 + e, or A < 0 and r < 1 - e
//   dL_V/dV = V - R; with a value clip that holds where (V - R)^2 >= (V_c - R)^2; otherwise V_c - R inside the clip, 0 outside
#pragma once
#include "kernels/math/softmax.hpp"
#include "objectives/sample.hpp"

CUPG_BEGIN_TARGET

struct Ppo {
  static constexpr ObjectiveTraits kTraits{.name = "ppo", .source = "Schulman et al., 2017", .value = true, .entropy = true, .ratio = true};

  template <int A, class S>
  static CUPG_FN S loss(const LossSample<A, S>& s, const Coefficients<Scalar<S>>& c) {
    S log_p[A], p[A];
    softmax(s.logits, log_p, p);
    const S ratio = exp(chosen(log_p, s.action) - s.old_log_probability);
    const S clipped = lower_to(raise_to(ratio, splat<S>(Scalar<S>(1) - c.clip)), splat<S>(Scalar<S>(1) + c.clip));
    const S gain = lower_to(ratio * s.advantage, clipped * s.advantage);  // the smaller of the two
    const S error = s.value - s.target;
    S squared = error * error;
    if (c.value_clip > 0) {
      const S away = clipped_error(s, c);
      squared = raise_to(squared, away * away);
    }
    return splat<S>(c.value) * S(0.5) * squared - splat<S>(c.entropy) * entropy(log_p, p) - gain;
  }

  template <int A, class S>
  static CUPG_FN void gradient(const LossSample<A, S>& s, const Coefficients<Scalar<S>>& c, S (&grad_logits)[A], S& grad_value) {
    S log_p[A], p[A];
    softmax(s.logits, log_p, p);
    const S weight = ratio_weight(chosen(log_p, s.action), s, c), h = entropy(log_p, p);
    for (int j = 0; j < A; ++j) grad_logits[j] = fma(splat<S>(c.entropy) * p[j], log_p[j] + h, weight * (p[j] - taken<S>(s.action, j)));
    grad_value = splat<S>(c.value) * value_slope(s, c);
  }

  /// With two actions p_1 - [a = 1] is p_1 or -p_0, and the entropy term is c_e p1 p0 d.
  template <class S>
  static CUPG_FN void gradient_two_actions(S d, const LossSample<2, S>& s, const Coefficients<Scalar<S>>& c, S& grad_d, S& grad_value) {
    const Mask<S> second = equal(s.action, Int<S>(1u));
    const auto p = TwoActions<S>::both(d);
    const S weight = ratio_weight(p.log_probability(second), s, c);
    grad_d = fma(splat<S>(c.entropy) * p.p1 * p.p0, d, weight * select(second, S(0.0) - p.p0, p.p1));
    grad_value = splat<S>(c.value) * value_slope(s, c);
  }

 private:
  /// What p_j - [a = j] is multiplied by: A r, or 0 where the clip holds.
  template <int A, class S>
  static CUPG_FN S ratio_weight(S log_probability, const LossSample<A, S>& s, const Coefficients<Scalar<S>>& c) {
    const S ratio = exp(log_probability - s.old_log_probability), zero = S(0.0);
    const S high = splat<S>(Scalar<S>(1) + c.clip), low = splat<S>(Scalar<S>(1) - c.clip);
    const S down = select(s.advantage < zero, select(ratio < low, zero, s.advantage), s.advantage);  // a NaN is neither above nor below 0
    const S limit = select(s.advantage > zero, select(ratio > high, zero, s.advantage), down);
    return ratio * limit;
  }

  /// dL_V/dV.
  template <int A, class S>
  static CUPG_FN S value_slope(const LossSample<A, S>& s, const Coefficients<Scalar<S>>& c) {
    const S error = s.value - s.target;
    if (!(c.value_clip > 0)) return error;
    const S away = clipped_error(s, c), moved = abs(s.value - s.old_value);
    const S inside = select(moved > splat<S>(c.value_clip), S(0.0), away);
    return select(error * error < away * away, inside, error);
  }

  /// V_c - R.
  template <int A, class S>
  static CUPG_FN S clipped_error(const LossSample<A, S>& s, const Coefficients<Scalar<S>>& c) {
    const S step = s.value - s.old_value;
    return s.old_value + lower_to(raise_to(step, splat<S>(Scalar<S>(0) - c.value_clip)), splat<S>(c.value_clip)) - s.target;
  }
};

CUPG_END_TARGET

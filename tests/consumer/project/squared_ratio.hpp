// An objective of a project's own: the importance-weighted policy gradient, drawn back to the old policy by a squared log-ratio, and a
// squared value loss. Its derivatives are taken by duals.
#pragma once
#include "kernels/math/softmax.hpp"
#include "objectives/sample.hpp"

CUPG_BEGIN_TARGET

struct SquaredRatio {
  static constexpr ObjectiveTraits kTraits{
      .name = "squared-ratio", .source = "this project", .value = true, .entropy = true, .ratio = true};

  template <int A, class S>
  static CUPG_FN S loss(const LossSample<A, S>& s, const Coefficients<Scalar<S>>& c) {
    S log_p[A], p[A];
    softmax(s.logits, log_p, p);
    const S log_ratio = chosen(log_p, s.action) - s.old_log_probability, away = s.value - s.target;
    return splat<S>(c.value) * S(0.5) * away * away - exp(log_ratio) * s.advantage + S(2.5) * log_ratio * log_ratio -
           splat<S>(c.entropy) * entropy(log_p, p);
  }
};

CUPG_END_TARGET

// Objectives of one sample, with their arguments one by one.
#pragma once
#include "objectives/derivative.hpp"

namespace cupg_test {

template <int A, class S>
cupg::LossSample<A, S> loss_sample(const S (&logits)[A], S value, int action, S advantage, S target, S old_log_probability = S(0.0),
                                   S old_value = S(0.0)) {
  cupg::LossSample<A, S> s{{}, value, cupg::Int<S>(static_cast<std::uint32_t>(action)), advantage, target, old_log_probability, old_value};
  for (int j = 0; j < A; ++j) s.logits[j] = logits[j];
  return s;
}

template <class Objective, int A, class S>
S loss(const S (&logits)[A], S value, int action, S advantage, S target, const cupg::Coefficients<S>& c) {
  return Objective::loss(loss_sample(logits, value, action, advantage, target), c);
}

/// dJ/dz; what the other derivative is does not matter.
template <class Objective, int A, class S>
void grad_logits(const S (&logits)[A], int action, S advantage, const cupg::Coefficients<S>& c, S (&grad)[A]) {
  S unused;
  Objective::gradient(loss_sample(logits, S(0.0), action, advantage, S(0.0)), c, grad, unused);
}

}  // namespace cupg_test

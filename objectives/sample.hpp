// What an objective is a function of: one sample of a batch (one in each lane), and the coefficients that all samples share.
//
// An objective is a struct with
//   static constexpr ObjectiveTraits kTraits     its name and what it uses
//   loss(sample, coefficients)                   J of one sample
//   gradient(sample, coefficients, g, g_value)   dJ/dz_j and dJ/dV; left out, forward-mode duals take its place (derivative.hpp)
//   gradient_two_actions(d, sample, ...)         the same of d = z_1 - z_0; left out, gradient() of the logits 0 and d takes its place
// both templates on the number of actions A and the lane type S. Advantage, target, old log-probability and old value are
// constants: no gradient flows through them. The loss of a batch is the mean (or the sum) of J over its samples.
#pragma once
#include <string_view>

#include "kernels/math/softmax.hpp"

namespace cupg {

/// What an objective is called, where it comes from, and which settings have an effect on it.
struct ObjectiveTraits {
  std::string_view name;
  std::string_view source;
  bool value = false;    ///< learns V, so that it can be a baseline and a bootstrap
  bool entropy = false;  ///< has an entropy bonus
  bool ratio = false;    ///< compares with the policy that acted: epochs and minibatches make sense, clip has an effect
};

/// In the numbers of the lanes: float, or double in the oracles.
template <class Real>
struct Coefficients {
  Real entropy = 0;     ///< c_e >= 0
  Real value = 0;       ///< c_v >= 0
  Real clip = 0;        ///< e of PPO's ratio clip, > 0
  Real value_clip = 0;  ///< e of PPO's value clip; 0: none
};

}  // namespace cupg

CUPG_BEGIN_TARGET

template <int A, class S>
struct LossSample {
  S logits[A];            ///< z
  S value;                ///< V(s)
  Int<S> action;          ///< a, 0 .. A - 1
  S advantage;            ///< A
  S target;               ///< R, what V should become
  S old_log_probability;  ///< log p(a|s) of the policy that acted
  S old_value;            ///< V(s) at that time
};

/// Of A actions, the logits that P policy outputs stand for.
template <int A, int P, class S>
CUPG_FN void outputs_to_logits(const S (&z)[P], S (&logits)[A]) {
  if constexpr (P == A) {
    for (int j = 0; j < A; ++j) logits[j] = z[j];
  } else {
    static_assert(A == 2 && P == 1);
    logits[0] = S(0.0);
    logits[1] = z[0];
  }
}

/// 1 in the lanes that took action j, otherwise 0.
template <class S>
CUPG_FN S taken(Int<S> action, int j) {
  return select(equal(action, Int<S>(static_cast<std::uint32_t>(j))), S(1.0), S(0.0));
}

CUPG_END_TARGET

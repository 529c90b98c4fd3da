// The categorical policy head: how one of A actions is chosen from the network's policy outputs.
//
//   drawn    by one uniform number u in [0, 1) through the cumulative distribution in index order:
//              c_j = c_{j-1} + q_j,   q_j = (1 - epsilon) p_j + epsilon / A,   a = number of j < A - 1 with not (u < c_j)
//            The last action takes what rounding leaves of the interval, and a NaN, so that a is always one of the A actions.
//   greedy   the largest output; a tie takes the lowest index, and so does a NaN
//
// Two actions are the exception in both, because their policy is one output d = z_1 - z_0: action 1 has the lower end of the interval,
// u < q_1, which needs no division (TwoActions), and greedy is d > 0.
#pragma once
#include "kernels/math/softmax.hpp"
#include "kernels/network/plan.hpp"
#include "kernels/transition/action.hpp"

CUPG_BEGIN_TARGET

/// A actions with all their logits z and probabilities p (softmax), mixed with the uniform distribution.
template <int A, class S>
CUPG_FN Action<A, S> draw_action(const S (&z)[A], const S (&p)[A], S u, S epsilon) {
  if constexpr (A == 2) {
    return {TwoActions<S>::sample_mixed(z[1] - z[0], u, epsilon)};
  } else {
    const S rest = S(1.0) - epsilon, uniform = epsilon / S(A);
    S sum = S(0.0);
    Int<S> index(0u);
    for (int j = 0; j + 1 < A; ++j) {
      sum = sum + fma(rest, p[j], uniform);
      index = index + select(u < sum, Int<S>(0u), Int<S>(1u));
    }
    return {index};
  }
}

/// The policy by its policy_outputs(A) outputs.
template <int A, class S>
struct PolicyHead {
  static constexpr int kOutputs = policy_outputs(A);

  /// The outputs of A logits, `stride` numbers apart.
  static CUPG_FN void from_logits(const Scalar<S>* logits, int stride, S* z) {
    if constexpr (A == 2) {
      z[0] = load<S>(logits + stride) - load<S>(logits);
    } else {
      for (int j = 0; j < A; ++j) z[j] = load<S>(logits + j * stride);
    }
  }

  static CUPG_FN Action<A, S> greedy(const S* z) {
    if constexpr (A == 2) {
      return {TwoActions<S>::greedy(z[0])};
    } else {
      S best = z[0];
      Int<S> index(0u);
      for (int j = 1; j < A; ++j) {
        const Mask<S> better = z[j] > best;
        best = select(better, z[j], best);
        index = select(better, Int<S>(static_cast<std::uint32_t>(j)), index);
      }
      return {index};
    }
  }

  /// Drawn with epsilon; its log p, of the policy without epsilon, where that is wanted.
  static CUPG_FN Action<A, S> act(const S* z, S u, S epsilon, bool wanted, S& log_probability) {
    if constexpr (A == 2) {
      const Action<A, S> action{TwoActions<S>::sample_mixed(z[0], u, epsilon)};
      if (wanted) log_probability = TwoActions<S>::log_probability(z[0], action.second);
      return action;
    } else {
      S logits[A], log_p[A], p[A];
      for (int j = 0; j < A; ++j) logits[j] = z[j];
      softmax(logits, log_p, p);
      const Action<A, S> action = draw_action(logits, p, u, epsilon);
      log_probability = chosen(log_p, action.number());
      return action;
    }
  }

  static CUPG_FN Action<A, S> draw(const S* z, S u) {
    if constexpr (A == 2) {
      return {TwoActions<S>::sample(z[0], u)};
    } else {
      S logits[A], log_p[A], p[A];
      for (int j = 0; j < A; ++j) logits[j] = z[j];
      softmax(logits, log_p, p);
      return draw_action(logits, p, u, S(0.0));
    }
  }
};

CUPG_END_TARGET

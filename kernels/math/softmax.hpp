// The softmax head: log-probabilities and probabilities of A actions from logits, and the two-action form, which needs only
// the difference of the logits.
//
// Differences beyond +-30 (probabilities below e^-30) are clamped: the policy of a solved task saturates, and without the
// clamp p0 p1 and what follows become denormal, which slows a processor core threefold.
#pragma once
#include "kernels/math/exp.hpp"
#include "kernels/math/lanes.hpp"
#include "kernels/math/log.hpp"

CUPG_BEGIN_TARGET

inline constexpr double kLogitClamp = 30.0;

/// x limited to [-limit, limit]; NaN stays NaN.
template <class S>
CUPG_FN S clamp_symmetric(S x, double limit) {
  return lower_to(raise_to(x, S(-limit)), S(limit));
}

/// Two actions. d = z1 - z0.
template <class S>
struct TwoActions {
  /// exp(-d), clamped: the odds of action 0 against action 1.
  static CUPG_FN S odds(S d) { return exp_reduced(clamp_symmetric(S(0.0) - d, kLogitClamp)); }

  /// P(action 1) = 1 / (1 + exp(-d)).
  static CUPG_FN S probability(S d) { return S(1.0) / (S(1.0) + odds(d)); }

  /// What e = exp(-|d|) and the sign of d say of both actions.
  struct Both {
    S p0, p1;   ///< probabilities
    S log_sum;  ///< log(1 + e)
    S d;        ///< clamped
    /// log p of action 1 in the lanes of `second`, of action 0 in the others.
    CUPG_FN S log_probability(Mask<S> second) const { return lower_to(select(second, d, S(0.0) - d), S(0.0)) - log_sum; }
  };
  static CUPG_FN Both both(S d) {
    Both b;
    b.d = clamp_symmetric(d, kLogitClamp);
    const S e = exp_reduced(S(0.0) - abs(b.d)), sum = S(1.0) + e, larger = S(1.0) / sum, smaller = e * larger;
    const Mask<S> positive = b.d > S(0.0);
    b.p0 = select(positive, smaller, larger);
    b.p1 = select(positive, larger, smaller);
    b.log_sum = log(sum);
    return b;
  }
  static CUPG_FN S log_probability(S d, Mask<S> second) {
    const S limited = clamp_symmetric(d, kLogitClamp);
    return lower_to(select(second, limited, S(0.0) - limited), S(0.0)) - log(S(1.0) + exp_reduced(S(0.0) - abs(limited)));
  }

  /// Draws action 1 where u < P(action 1), as u + u exp(-d) < 1: no division. u in [0, 1).
  static CUPG_FN Mask<S> sample(S d, S u) { return fma(u, odds(d), u) < S(1.0); }

  /// The same where with probability epsilon the action is drawn uniformly: u < epsilon / 2 + (1 - epsilon) P(action 1).
  static CUPG_FN Mask<S> sample_mixed(S d, S u, S epsilon) {
    const S rest = u - S(0.5) * epsilon;
    return fma(rest, odds(d), rest) < S(1.0) - epsilon;
  }

  /// The greedy action is 1; a tie takes the lower index.
  static CUPG_FN Mask<S> greedy(S d) { return d > S(0.0); }
};

/// A logits -> log-probabilities l and probabilities p: m = max z, l = z - m - log sum exp(z - m), p = exp(l).
template <int A, class S>
CUPG_FN void softmax(const S (&z)[A], S (&log_p)[A], S (&p)[A]) {
  S m = z[0];
  for (int j = 1; j < A; ++j) m = raise_to(m, z[j]);
  S sum = S(0.0);
  for (int j = 0; j < A; ++j) {
    log_p[j] = z[j] - m;
    log_p[j] = raise_to(log_p[j], S(-kLogitClamp));
    p[j] = exp_reduced(log_p[j]);
    sum = sum + p[j];
  }
  const S log_sum = log(sum), inverse = S(1.0) / sum;
  for (int j = 0; j < A; ++j) {
    log_p[j] = log_p[j] - log_sum;
    p[j] = p[j] * inverse;
  }
}

/// x[index].
template <int A, class S>
CUPG_FN S chosen(const S (&x)[A], Int<S> index) {
  S y = x[0];
  for (int j = 1; j < A; ++j) y = select(equal(index, Int<S>(static_cast<std::uint32_t>(j))), x[j], y);
  return y;
}

/// H = -sum p log p.
template <int A, class S>
CUPG_FN S entropy(const S (&log_p)[A], const S (&p)[A]) {
  S sum = S(0.0);
  for (int j = 0; j < A; ++j) sum = fma(p[j], log_p[j], sum);
  return S(0.0) - sum;
}

CUPG_END_TARGET

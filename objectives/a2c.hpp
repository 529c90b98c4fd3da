// Advantage actor-critic: policy gradient with an entropy bonus and a squared value error.
// Source: Mnih et al., "Asynchronous methods for deep reinforcement learning" (2016); the entropy bonus: Williams, Peng,
// "Function optimization using connectionist reinforcement learning algorithms" (1991).
//
//   J = -A log p_a - c_e H + c_v (V - R)^2 / 2        per sample; the loss is the mean over the batch
//   dJ/dz_j = A (p_j - [a = j]) + c_e p_j (log p_j + H)
//   dJ/dV   = c_v (V - R)
//
// A and R are constants: no gradient flows through them. REINFORCE is c_e = c_v = 0 with A = the return.
#pragma once
#include "kernels/math/softmax.hpp"

namespace cupg {
/// The coefficients in the numbers of the lanes: float, or double in the oracles.
template <class Real>
struct A2cCoefficients {
  Real entropy, value;
};
}  // namespace cupg

CUPG_BEGIN_COPY

struct A2c {
  /// J of one sample (for tests and metrics; training needs the derivatives only).
  template <int A, class S>
  static CUPG_FN S loss(const S (&logits)[A], S value, int action, S advantage, S target, const A2cCoefficients<Scalar<S>>& c) {
    S log_p[A], p[A];
    softmax(logits, log_p, p);
    const S error = value - target;
    return S(0.0) - advantage * log_p[action] - splat<S>(c.entropy) * entropy(log_p, p) + splat<S>(c.value) * S(0.5) * error * error;
  }

  /// Two actions, d = z1 - z0, action1 = the lanes that took action 1: dJ/dz1 = -dJ/dz0 = dJ/dd. With two actions
  /// log p1 + H = p0 d, so the entropy term is c_e p1 p0 d.
  template <class S>
  static CUPG_FN S grad_two_actions(S d, Mask<S> action1, S advantage, const A2cCoefficients<Scalar<S>>& c) {
    const S p1 = TwoActions<S>::probability(d), p0 = S(1.0) - p1;
    const S taken = select(action1, S(1.0), S(0.0));
    return fma(splat<S>(c.entropy) * p1 * p0, d, (p1 - taken) * advantage);
  }

  /// A actions: dJ/dz_j.
  template <int A, class S>
  static CUPG_FN void grad_logits(const S (&logits)[A], int action, S advantage, const A2cCoefficients<Scalar<S>>& c, S (&grad)[A]) {
    S log_p[A], p[A];
    softmax(logits, log_p, p);
    const S h = entropy(log_p, p);
    for (int j = 0; j < A; ++j) {
      const S taken = j == action ? S(1.0) : S(0.0);
      grad[j] = fma(splat<S>(c.entropy) * p[j], log_p[j] + h, advantage * (p[j] - taken));
    }
  }

  template <class S>
  static CUPG_FN S grad_value(S value, S target, const A2cCoefficients<Scalar<S>>& c) {
    return splat<S>(c.value) * (value - target);
  }
};

CUPG_END_COPY

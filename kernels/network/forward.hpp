// Forward pass of a tower for one group of lanes (a lane is a sample).
//   unit:    h_j = act(b_j + sum_i w_ji x_i)        sums start at the bias and run over i in index order, fma by fma
//   output:  z_k = c_k + sum_j v_kj h_j             likewise over j
#pragma once
#include <type_traits>

#include "kernels/math/lanes.hpp"
#include "kernels/math/tanh.hpp"
#include "kernels/network/plan.hpp"

CUPG_BEGIN_TARGET

struct Relu {
  template <class S>
  static CUPG_FN S apply(S z) {
    return raise_to(z, S(0.0));
  }
  /// d loss / d z from d loss / d h and h itself: h > 0 exactly where z > 0.
  template <class S>
  static CUPG_FN S backward(S grad_h, S h) {
    return select(h > S(0.0), grad_h, S(0.0));
  }
};
struct Tanh {
  template <class S>
  static CUPG_FN S apply(S z) {
    return tanh(z);
  }
  template <class S>
  static CUPG_FN S backward(S grad_h, S h) {
    return grad_h * fma(S(0.0) - h, h, S(1.0));
  }
};

/// Pre-activation of one unit: row = [n weights | bias].
template <int N, class S>
CUPG_FN S unit_sum(const Scalar<S>* row, const S (&x)[N]) {
  S sum = splat<S>(row[N]);
  for (int i = 0; i < N; ++i) sum = fma(x[i], splat<S>(row[i]), sum);
  return sum;
}

/// The last hidden layer of two, `U` units side by side to hide the latency of their sums; h1 is [width1][lanes].
template <class Act, int K, int U, class S>
CUPG_FN void second_layer_units(const Scalar<S>* row, int stride, int width1, const Scalar<S>* h1, S (&z)[K]) {
  S sum[U];
  for (int u = 0; u < U; ++u) sum[u] = splat<S>(row[u * stride + width1]);
  for (int i = 0; i < width1; ++i) {
    const S x = load<S>(h1 + i * kScratchStride<S>);
    for (int u = 0; u < U; ++u) sum[u] = fma(x, splat<S>(row[u * stride + i]), sum[u]);
  }
  for (int u = 0; u < U; ++u) {
    const S h = Act::apply(sum[u]);
    for (int k = 0; k < K; ++k) z[k] = fma(h, splat<S>(row[u * stride + width1 + 1 + k]), z[k]);
  }
}

/// A tower of one hidden layer whose width is known at compile time, so that its weights can live in registers (CUDA). Begin is the
/// position of its first packed element.
template <int O, int H, int K, int Begin = 0>
struct FixedTower {
  static constexpr int layers = 1, width1 = H, last = Begin, head_bias = Begin + H * (O + 1 + K), end = head_bias + K;
};
/// The same for a whole network: one tower, or one each for policy and value.
template <int O, int H, bool Shared>
struct FixedPlan {
  using Policy = FixedTower<O, H, Shared ? 2 : 1>;
  using Value = FixedTower<O, H, 1, Policy::end>;
  [[no_unique_address]] Policy policy{};
  [[no_unique_address]] Value value{};
  static constexpr int packed = Shared ? Policy::end : Value::end;
};

/// A tower with no hidden layer or two.
template <class Act, int O, int K, class S>
CUPG_COLD void other_depth_forward(const TowerPlan& plan, const Scalar<S>* weights, const S (&x)[O], S (&z)[K], Scalar<S>* h1) {
  const Scalar<S>* row = weights + plan.last;
  if (plan.layers == 0) {
    for (int k = 0; k < K; ++k)
      for (int i = 0; i < O; ++i) z[k] = fma(x[i], splat<S>(row[k * O + i]), z[k]);
    return;
  }
  const Scalar<S>* first = weights + plan.first;
  for (int j = 0; j < plan.width1; ++j, first += O + 1) store(h1 + j * kScratchStride<S>, Act::apply(unit_sum<O>(first, x)));
  const int stride = plan.width1 + 1 + K;
  int j = 0;
  for (; j + 4 <= plan.width2; j += 4, row += 4 * stride) second_layer_units<Act, K, 4>(row, stride, plan.width1, h1, z);
  for (; j < plan.width2; ++j, row += stride) second_layer_units<Act, K, 1>(row, stride, plan.width1, h1, z);
}

/// Outputs z[K] of a tower for observations x[O]. h1 [width1][lanes] is scratch for two hidden layers and receives the first
/// layer's activations. With Keep, a single hidden layer's activations go to keep [width1][32].
template <class Act, bool Keep = false, class Plan, int O, int K, class S>
CUPG_FN void tower_forward(const Plan& plan, const Scalar<S>* weights, const S (&x)[O], S (&z)[K], Scalar<S>* h1,
                           Scalar<S>* keep = nullptr) {
  for (int k = 0; k < K; ++k) z[k] = splat<S>(weights[plan.head_bias + k]);
  if (plan.layers == 1) [[likely]] {
    const Scalar<S>* row = weights + plan.last;
    CUPG_UNROLL_FIXED
    for (int j = 0; j < plan.width1; ++j, row += O + 1 + K) {
      const S h = Act::apply(unit_sum<O>(row, x));
      if constexpr (Keep) store(keep + j * kWarp, h);
      for (int k = 0; k < K; ++k) z[k] = fma(h, splat<S>(row[O + 1 + k]), z[k]);
    }
  } else if constexpr (std::is_same_v<Plan, TowerPlan>) {
    S x_copy[O], z_copy[K];  // so that the branch above keeps its own in registers
    for (int i = 0; i < O; ++i) x_copy[i] = x[i];
    for (int k = 0; k < K; ++k) z_copy[k] = z[k];
    other_depth_forward<Act>(plan, weights, x_copy, z_copy, h1);
    for (int k = 0; k < K; ++k) z[k] = z_copy[k];
  }
}

/// Policy outputs and value of the whole network.
template <class Act, int O, int P, bool Shared, bool Keep = false, class Plan, class S>
CUPG_FN void network_forward(const Plan& plan, const Scalar<S>* weights, const S (&x)[O], S (&policy)[P], S& value, Scalar<S>* h1,
                             Scalar<S>* keep = nullptr) {
  if constexpr (Shared) {
    S z[P + 1];
    tower_forward<Act, Keep>(plan.policy, weights, x, z, h1, keep);
    for (int k = 0; k < P; ++k) policy[k] = z[k];
    value = z[P];
  } else {
    S v[1];
    tower_forward<Act, Keep>(plan.policy, weights, x, policy, h1, keep);
    if constexpr (Keep) keep += plan.policy.width1 * kWarp;
    tower_forward<Act, Keep>(plan.value, weights, x, v, h1, keep);
    value = v[0];
  }
}

/// The same as a call of its own, for the places where it is rare.
template <class Act, int O, int P, bool Shared, bool Keep, class S>
CUPG_COLD void network_forward_call(const NetworkPlan& plan, const Scalar<S>* weights, const S (&x)[O], S (&policy)[P], S& value,
                                    Scalar<S>* h1, Scalar<S>* keep) {
  network_forward<Act, O, P, Shared, Keep>(plan, weights, x, policy, value, h1, keep);
}

CUPG_END_TARGET

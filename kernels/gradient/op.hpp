// Gradient of the loss with respect to every weight, for one warp's rows: forward again, dJ/d(outputs), backward.
//
//   outputs:     g_k = dJ/dz_k / B                      policy outputs first, then the value
//   heads:       dV_kj += h_j g_k,   dc_k += g_k
//   last layer:  e_j = act'(h_j) sum_k v_kj g_k         sum over k in order, starting with a product
//   first of 2:  e_i = act'(h_i) sum_j w_ji e_j         likewise over j
//   weights:     dW_ji += e_j x_i,   db_j += e_j
//
// Every += runs over the warp's rows in order, lane by lane; then the butterfly over lanes makes one partial per warp.
// Bound: fma; for one hidden layer of H units some (2 (O + K) + 1) H fma a sample.
#pragma once
#include "kernels/network/forward.hpp"
#include "kernels/reduce/op.hpp"
#include "kernels/rollout/op.hpp"
#include "objectives/a2c.hpp"

namespace cupg {

struct GradientArgs {
  const NetworkPlan* plan = nullptr;
  const float* weights = nullptr;  ///< [plan.packed]
  Trajectory data;                 ///< policy and value are overwritten by dJ/d(output)
  int row_warp = 0;                ///< the warp whose rows lie at the start of `data`
  int envs = 0;
  int horizon = 0;
  float mean = 0, inverse_sd = 1;  ///< advantage normalisation (Moments)
  float scale = 0;                 ///< of a sample's gradient: 1 / B, or 1 where the loss is a sum
  Coefficients<float> coefficients{};
  float* partials = nullptr;   ///< [warps][padded(plan.packed)], = this warp's sums
  float* workspace = nullptr;  ///< gradient_workspace() floats, 64-byte aligned
};

inline constexpr int kGradientRows = 16;  ///< rows that two hidden layers are taken through at a time

/// Floats of scratch: the lane sums of every weight, and for two hidden layers the activations and errors of some rows.
CUPG_FN std::int64_t gradient_workspace(const NetworkPlan& plan) {
  const int policy = plan.policy.layers == 2 ? plan.policy.width1 + plan.policy.width2 : 0;
  const int value = plan.value.layers == 2 ? plan.value.width1 + plan.value.width2 : 0;
  const int units = policy > value ? policy : value;
  return static_cast<std::int64_t>(plan.packed + 2 * kGradientRows * units) * kWarp;
}

}  // namespace cupg

CUPG_BEGIN_TARGET

/// dJ/d(policy output) and dJ/dV of every row of the warp, scaled by 1/B, over the outputs themselves. The target is A + V.
template <class S>
CUPG_FN void loss_rows(const GradientArgs& a, std::int64_t row0, int first_lane, std::uint32_t in_use) {
  const S mean = splat<S>(a.mean), inverse_sd = splat<S>(a.inverse_sd), scale = splat<S>(a.scale);
  const Mask<S> used = from_bits<S>(in_use >> first_lane);
  for (int t = 0; t < a.horizon; ++t) {
    const std::int64_t row = row0 + t, at = row * kWarp + first_lane;
    const S d = load<S>(a.data.policy + at), v = load<S>(a.data.value + at), advantage = load<S>(a.data.advantage + at);
    const Mask<S> action1 = from_bits<S>(a.data.action[row] >> first_lane);
    const S grad_policy = A2c::grad_two_actions(d, action1, (advantage - mean) * inverse_sd, a.coefficients) * scale;
    const S grad_value = A2c::grad_value(v, advantage + v, a.coefficients) * scale;
    store(a.data.policy + at, select(used, grad_policy, S(0.0)));
    store(a.data.value + at, select(used, grad_value, S(0.0)));
  }
}

/// One tower's view of the warp's rows: observations and dJ/d(output) for each of its K outputs.
template <int K>
struct TowerRows {
  int count;                 ///< T
  const float* observation;  ///< [T][O][32], from the group's first lane
  const float* grad[K];      ///< [T][32] each, from the group's first lane
  const float* hidden;       ///< [T][units][32] activations of this tower's single hidden layer, or null
  int units;
};

/// sums[i] (one register group each) to the accumulators of a packed row, and back.
template <int N, class S>
CUPG_FN void load_sums(const float* sums, S (&acc)[N]) {
  for (int i = 0; i < N; ++i) acc[i] = load<S>(sums + i * kWarp);
}
template <int N, class S>
CUPG_FN void store_sums(float* sums, const S (&acc)[N]) {
  for (int i = 0; i < N; ++i) store(sums + i * kWarp, acc[i]);
}

/// One hidden layer, U units at a time: their weights and sums stay in registers over all rows. R = O + 1 + K is the length of a
/// packed row: O weights, bias, K head weights.
template <class Act, bool Kept, int O, int K, int U, int R, class S>
CUPG_FN void accumulate_units(const TowerRows<K>& rows, const float* weights, const float* hidden, S (&acc)[U][R]) {
  static_assert(R == O + 1 + K);
  for (int u = 0; u < U; ++u)
    for (int i = 0; i < R; ++i) acc[u][i] = S(0.0);
  for (int t = 0; t < rows.count; ++t) {
    S x[O], g[K];
    for (int i = 0; i < O; ++i) x[i] = load<S>(rows.observation + (t * O + i) * kWarp);
    for (int k = 0; k < K; ++k) g[k] = load<S>(rows.grad[k] + t * kWarp);
    for (int u = 0; u < U; ++u) {
      const float* w = weights + u * R;
      const S h = Kept ? load<S>(hidden + (t * rows.units + u) * kWarp) : Act::apply(unit_sum<O>(w, x));
      S e = g[0] * splat<S>(w[O + 1]);
      for (int k = 1; k < K; ++k) e = fma(g[k], splat<S>(w[O + 1 + k]), e);
      e = Act::backward(e, h);
      for (int i = 0; i < O; ++i) acc[u][i] = fma(e, x[i], acc[u][i]);
      acc[u][O] = acc[u][O] + e;
      for (int k = 0; k < K; ++k) acc[u][O + 1 + k] = fma(h, g[k], acc[u][O + 1 + k]);
    }
  }
}
template <class Act, bool Kept, int O, int K, int U, class S>
CUPG_FN void one_layer_units(const TowerRows<K>& rows, const float* weights, const float* hidden, float* sums) {
  constexpr int R = O + 1 + K;
  S acc[U][R];
  accumulate_units<Act, Kept, O, K>(rows, weights, hidden, acc);
  for (int u = 0; u < U; ++u) store_sums(sums + u * R * kWarp, acc[u]);
}

/// No hidden layer: dJ/dW_ki += g_k x_i.
template <int O, int K, class S>
CUPG_FN void linear_sums(const TowerRows<K>& rows, float* sums) {
  for (int k = 0; k < K; ++k) {
    S acc[O];
    for (int i = 0; i < O; ++i) acc[i] = S(0.0);
    for (int t = 0; t < rows.count; ++t) {
      const S g = load<S>(rows.grad[k] + t * kWarp);
      for (int i = 0; i < O; ++i) acc[i] = fma(g, load<S>(rows.observation + (t * O + i) * kWarp), acc[i]);
    }
    store_sums(sums + k * O * kWarp, acc);
  }
}

/// sums[J][I] += e_j x_i over `count` rows, for a J x I tile of a weight matrix whose packed rows are `stride` sums apart.
template <int J, int I, class S>
CUPG_FN void outer_tile(const float* e, int e_row, const float* x, int x_row, int count, float* sums, int stride) {
  constexpr int W = kScratchStride<S>;
  S acc[J][I];
  for (int j = 0; j < J; ++j) load_sums(sums + j * stride * kWarp, acc[j]);
  for (int r = 0; r < count; ++r) {
    S xs[I];
    for (int i = 0; i < I; ++i) xs[i] = load<S>(x + r * x_row + i * W);
    for (int j = 0; j < J; ++j) {
      const S ej = load<S>(e + r * e_row + j * W);
      for (int i = 0; i < I; ++i) acc[j][i] = fma(ej, xs[i], acc[j][i]);
    }
  }
  for (int j = 0; j < J; ++j) store_sums(sums + j * stride * kWarp, acc[j]);
}

/// The scratch of two hidden layers for kGradientRows rows: activations and errors, [row][unit][lane].
struct TwoLayerScratch {
  float *h1, *h2, *e1, *e2;
  CUPG_FN TwoLayerScratch(const TowerPlan& plan, float* scratch)
      : h1(scratch),
        h2(h1 + kGradientRows * plan.width1 * kWarp),
        e1(h2 + kGradientRows * plan.width2 * kWarp),
        e2(e1 + kGradientRows * plan.width1 * kWarp) {}
};

/// e1_i = act'(h1_i) sum_j w_ji e2_j for `U` units i side by side, for one row.
template <class Act, int U, class S>
CUPG_FN void first_layer_errors(const TowerPlan& plan, const float* weights, int stride, const float* e2, const float* h1, float* e1) {
  constexpr int W = kScratchStride<S>;
  S sum[U];
  const S first = load<S>(e2);
  for (int u = 0; u < U; ++u) sum[u] = first * splat<S>(weights[u]);
  for (int j = 1; j < plan.width2; ++j) {
    const S e = load<S>(e2 + j * W);
    for (int u = 0; u < U; ++u) sum[u] = fma(e, splat<S>(weights[j * stride + u]), sum[u]);
  }
  for (int u = 0; u < U; ++u) store(e1 + u * W, Act::backward(sum[u], load<S>(h1 + u * W)));
}

/// Two hidden layers, kGradientRows rows at a time.
template <class Act, int O, int K, class S>
CUPG_COLD void two_layer_sums(const TowerPlan& plan, const float* weights, const TowerRows<K>& rows, float* sums, float* scratch) {
  constexpr int W = kScratchStride<S>;
  const TwoLayerScratch at(plan, scratch);
  const int n1 = plan.width1, n2 = plan.width2, stride = n1 + 1 + K;
  for (int begin = 0; begin < rows.count; begin += kGradientRows) {
    const int count = rows.count - begin < kGradientRows ? rows.count - begin : kGradientRows;
    for (int r = 0; r < count; ++r) {
      const int t = begin + r;
      float *h1 = at.h1 + r * n1 * W, *h2 = at.h2 + r * n2 * W, *e1 = at.e1 + r * n1 * W, *e2 = at.e2 + r * n2 * W;
      S x[O], g[K], z[K];
      for (int i = 0; i < O; ++i) x[i] = load<S>(rows.observation + (t * O + i) * kWarp);
      for (int k = 0; k < K; ++k) g[k] = load<S>(rows.grad[k] + t * kWarp);
      tower_forward<Act>(plan, weights, x, z, h1, h2);
      for (int j = 0; j < n2; ++j) {
        const float* head = weights + plan.last + j * stride + n1 + 1;
        float* const head_sums = sums + (plan.last + j * stride + n1) * kWarp;
        const S h = load<S>(h2 + j * W);
        S e = g[0] * splat<S>(head[0]);
        for (int k = 1; k < K; ++k) e = fma(g[k], splat<S>(head[k]), e);
        e = Act::backward(e, h);
        store(e2 + j * W, e);
        store(head_sums, load<S>(head_sums) + e);
        for (int k = 0; k < K; ++k) store(head_sums + (1 + k) * kWarp, fma(h, g[k], load<S>(head_sums + (1 + k) * kWarp)));
      }
      int i = 0;
      for (; i + 4 <= n1; i += 4) first_layer_errors<Act, 4, S>(plan, weights + plan.last + i, stride, e2, h1 + i * W, e1 + i * W);
      for (; i < n1; ++i) first_layer_errors<Act, 1, S>(plan, weights + plan.last + i, stride, e2, h1 + i * W, e1 + i * W);
      for (i = 0; i < n1; ++i) {
        float* const unit_sums = sums + (plan.first + i * (O + 1)) * kWarp;
        S acc[O + 1];
        load_sums(unit_sums, acc);
        const S e = load<S>(e1 + i * W);
        for (int o = 0; o < O; ++o) acc[o] = fma(e, x[o], acc[o]);
        acc[O] = acc[O] + e;
        store_sums(unit_sums, acc);
      }
    }
    for (int j = 0; j < n2; j += 4)
      for (int i = 0; i < n1; i += 4) {
        const float *e = at.e2 + j * W, *h = at.h1 + i * W;
        float* const tile = sums + (plan.last + j * stride + i) * kWarp;
        if (j + 4 <= n2 && i + 4 <= n1) {
          outer_tile<4, 4, S>(e, n2 * W, h, n1 * W, count, tile, stride);
        } else {
          for (int jj = 0; jj < 4 && j + jj < n2; ++jj)
            for (int ii = 0; ii < 4 && i + ii < n1; ++ii)
              outer_tile<1, 1, S>(e + jj * W, n2 * W, h + ii * W, n1 * W, count, tile + (jj * stride + ii) * kWarp, stride);
        }
      }
  }
}

/// Lane sums of dJ/d(output): the gradient of the head biases.
template <int K, class S>
CUPG_FN void head_bias_sums(const TowerRows<K>& rows, S (&bias)[K]) {
  for (int k = 0; k < K; ++k) bias[k] = S(0.0);
  for (int t = 0; t < rows.count; ++t)
    for (int k = 0; k < K; ++k) bias[k] = bias[k] + load<S>(rows.grad[k] + t * kWarp);
}
/// All weight gradients of one tower for one group of lanes; `sums` are the lane sums of the packed vector, from the group's
/// first lane.
template <class Act, int O, int K, class S>
CUPG_FN void tower_backward(const TowerPlan& plan, const float* weights, const TowerRows<K>& rows, float* sums, float* scratch) {
  constexpr int kUnits = kWidth<S> == 16 ? 2 : 1;  // what 32 and 16 registers hold without spilling
  S bias[K];
  head_bias_sums(rows, bias);
  store_sums(sums + plan.head_bias * kWarp, bias);
  if (plan.layers == 0) {
    linear_sums<O, K, S>(rows, sums + plan.last * kWarp);
  } else if (plan.layers == 1) {
    constexpr int R = O + 1 + K;
    const float* w = weights + plan.last;
    float* s = sums + plan.last * kWarp;
    int j = 0;
    if (rows.hidden != nullptr) {
      for (; j + kUnits <= plan.width1; j += kUnits)
        one_layer_units<Act, true, O, K, kUnits, S>(rows, w + j * R, rows.hidden + j * kWarp, s + j * R * kWarp);
    } else {
      for (; j + kUnits <= plan.width1; j += kUnits)
        one_layer_units<Act, false, O, K, kUnits, S>(rows, w + j * R, nullptr, s + j * R * kWarp);
    }
    for (; j < plan.width1; ++j) one_layer_units<Act, false, O, K, 1, S>(rows, w + j * R, nullptr, s + j * R * kWarp);
  } else {
    for (int i = plan.first; i < plan.head_bias; ++i) store(sums + i * kWarp, S(0.0));
    two_layer_sums<Act, O, K, S>(plan, weights, rows, sums, scratch);
  }
}

/// The whole gradient of one warp into its row of partials. S is the lane group of the loss, G the (narrower) one of the sums.
template <class Act, int O, bool Shared, class S, class G>
inline void warp_gradient(const GradientArgs& a, int warp) {
  const NetworkPlan plan = *a.plan;
  const std::int64_t row0 = static_cast<std::int64_t>(warp - a.row_warp) * a.horizon;
  for (int lo = 0; lo < kWarp; lo += kWidth<S>) loss_rows<S>(a, row0, lo, lanes_in_use(a.envs, warp));
  float* const sums = a.workspace;
  float* const scratch = sums + static_cast<std::int64_t>(plan.packed) * kWarp;
  for (int lo = 0; lo < kWarp; lo += kWidth<G>) {
    const float* const x = a.data.observation + row0 * O * kWarp + lo;
    const float* const hidden = a.data.hidden == nullptr ? nullptr : a.data.hidden + (row0 + warp - a.row_warp) * a.data.units * kWarp + lo;
    const float *const policy = a.data.policy + row0 * kWarp + lo, *const value = a.data.value + row0 * kWarp + lo;
    if constexpr (Shared) {
      tower_backward<Act, O, 2, G>(plan.policy, a.weights, {a.horizon, x, {policy, value}, hidden, a.data.units}, sums + lo, scratch);
    } else {
      tower_backward<Act, O, 1, G>(plan.policy, a.weights, {a.horizon, x, {policy}, hidden, a.data.units}, sums + lo, scratch);
      tower_backward<Act, O, 1, G>(plan.value, a.weights,
                                   {a.horizon, x, {value}, hidden == nullptr ? hidden : hidden + plan.policy.width1 * kWarp, a.data.units},
                                   sums + lo, scratch);
    }
  }
  sum_lanes<G>(sums, plan.packed, a.partials + static_cast<std::int64_t>(warp) * padded(plan.packed));
}

CUPG_END_TARGET

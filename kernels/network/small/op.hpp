// A small network, whose towers have at most one hidden layer: forward and gradient over rows of 32 samples (kernels/trajectory.hpp), a
// lane a sample.
//
//   heads:         dV_kj += h_j g_k,   dc_k += g_k          g_k = dJ/dz_k, policy outputs first, then the value
//   hidden layer:  e_j = act'(h_j) sum_k v_kj g_k           sum over k in order, starting with a product
//   weights:       dW_ji += e_j x_i,   db_j += e_j
//
// Every += runs over the rows in order, lane by lane; then the butterfly over lanes makes one partial of them.
// Bound: fma; for a hidden layer of H units and K outputs (O + 1 + K) H forward and some (2 (O + K) + 1) H backward a sample.
#pragma once
#include "kernels/network/forward.hpp"
#include "kernels/reduce/op.hpp"
#include "kernels/trajectory.hpp"

namespace cupg {

/// Whether every tower of the network has at most one hidden layer.
CUPG_FN constexpr bool small_network(const NetworkPlan& plan) { return plan.policy.layers <= 1 && (plan.shared || plan.value.layers <= 1); }

/// Units of all towers: activations that one sample has.
CUPG_FN constexpr int hidden_units(const NetworkPlan& plan) { return plan.policy.width1 + (plan.shared ? 0 : plan.value.width1); }

/// Floats of a partial: the gradient of the packed weights, then the sum of the estimates of KL.
CUPG_FN constexpr int small_partial(const NetworkPlan& plan) { return padded(plan.packed + 1); }

struct SmallArgs {
  const NetworkPlan* plan = nullptr;
  const float* weights = nullptr;  ///< [plan.packed]
  const float* rows = nullptr;     ///< [count][features][32]: observations, dJ/d(output) and estimates of KL
  std::int64_t count = 0;          ///< rows
  const float* hidden = nullptr;   ///< [count][hidden_units][32] activations, or null: computed again
  bool kl = false;                 ///< the estimates of KL are wanted; otherwise their sum is 0
  float* workspace = nullptr;      ///< [small_partial][32] lane sums
  float* partial = nullptr;        ///< [small_partial] = the sums
};

}  // namespace cupg

CUPG_BEGIN_TARGET

/// One tower's view of rows of `Row` floats: observations, and dJ/d(output) for each of its K outputs.
struct TowerRows {
  std::int64_t count;
  const float* observation;  ///< of the first row, from the group's first lane
  const float* grad;         ///< likewise
  int units;                 ///< of all towers, as `hidden` has them
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
template <class Act, bool Kept, int Row, int O, int K, int U, int R, class S>
CUPG_FN void accumulate_units(const TowerRows& rows, const float* weights, const float* hidden, S (&acc)[U][R]) {
  static_assert(R == O + 1 + K);
  for (int u = 0; u < U; ++u)
    for (int i = 0; i < R; ++i) acc[u][i] = S(0.0);
  for (int t = 0; t < rows.count; ++t) {
    S x[O], g[K];
    for (int i = 0; i < O; ++i) x[i] = load<S>(rows.observation + t * Row + i * kWarp);
    for (int k = 0; k < K; ++k) g[k] = load<S>(rows.grad + t * Row + k * kWarp);
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
template <class Act, bool Kept, int Row, int O, int K, int U, class S>
CUPG_FN void one_layer_units(const TowerRows& rows, const float* weights, const float* hidden, float* sums) {
  constexpr int R = O + 1 + K;
  S acc[U][R];
  accumulate_units<Act, Kept, Row, O, K>(rows, weights, hidden, acc);
  for (int u = 0; u < U; ++u) store_sums(sums + u * R * kWarp, acc[u]);
}

/// No hidden layer: dJ/dW_ki += g_k x_i, of one output k.
template <int Row, int O, class S>
CUPG_FN void linear_output_sums(const TowerRows& rows, int k, S (&acc)[O]) {
  for (int i = 0; i < O; ++i) acc[i] = S(0.0);
  for (int t = 0; t < rows.count; ++t) {
    const S g = load<S>(rows.grad + t * Row + k * kWarp);
    for (int i = 0; i < O; ++i) acc[i] = fma(g, load<S>(rows.observation + t * Row + i * kWarp), acc[i]);
  }
}
template <int Row, int O, int K, class S>
CUPG_FN void linear_sums(const TowerRows& rows, float* sums) {
  for (int k = 0; k < K; ++k) {
    S acc[O];
    linear_output_sums<Row, O>(rows, k, acc);
    store_sums(sums + k * O * kWarp, acc);
  }
}

/// Lane sums of dJ/d(output): the gradient of the head biases.
template <int Row, int K, class S>
CUPG_FN void head_bias_sums(const TowerRows& rows, S (&bias)[K]) {
  for (int k = 0; k < K; ++k) bias[k] = S(0.0);
  for (int t = 0; t < rows.count; ++t)
    for (int k = 0; k < K; ++k) bias[k] = bias[k] + load<S>(rows.grad + t * Row + k * kWarp);
}

/// All weight gradients of one tower for one group of lanes; `sums` are the lane sums of the packed vector, from the group's first lane.
/// hidden: [count][units][32] this tower's activations, from the group's first lane, or null.
template <class Act, int Row, int O, int K, class S>
CUPG_FN void tower_backward(const TowerPlan& plan, const float* weights, const TowerRows& rows, const float* hidden, float* sums) {
  constexpr int kUnits = kWidth<S> == 16 ? 2 : 1;  // what 32 and 16 registers hold without spilling
  S bias[K];
  head_bias_sums<Row>(rows, bias);
  store_sums(sums + plan.head_bias * kWarp, bias);
  if (plan.layers == 0) return linear_sums<Row, O, K, S>(rows, sums + plan.last * kWarp);
  constexpr int R = O + 1 + K;
  const float* w = weights + plan.last;
  float* s = sums + plan.last * kWarp;
  int j = 0;
  if (hidden != nullptr) {
    for (; j + kUnits <= plan.width1; j += kUnits)
      one_layer_units<Act, true, Row, O, K, kUnits, S>(rows, w + j * R, hidden + j * kWarp, s + j * R * kWarp);
  } else {
    for (; j + kUnits <= plan.width1; j += kUnits)
      one_layer_units<Act, false, Row, O, K, kUnits, S>(rows, w + j * R, nullptr, s + j * R * kWarp);
  }
  for (; j < plan.width1; ++j) one_layer_units<Act, false, Row, O, K, 1, S>(rows, w + j * R, nullptr, s + j * R * kWarp);
}

/// The sums of some rows, for O observations and P policy outputs.
template <class Act, int O, int P, bool Shared, class S>
inline void small_backward(const SmallArgs& a) {
  constexpr RowFeatures f{{O}, P + 1};
  constexpr int Row = f.floats();
  const NetworkPlan plan = *a.plan;
  const int units = hidden_units(plan);
  for (int lo = 0; lo < kWarp; lo += kWidth<S>) {
    const float* const first = a.rows + lo;
    const TowerRows rows{a.count, first, first + f.output() * kWarp, units};
    const float* const hidden = a.hidden == nullptr ? nullptr : a.hidden + lo;
    float* const sums = a.workspace + lo;
    if constexpr (Shared) {
      tower_backward<Act, Row, O, P + 1, S>(plan.policy, a.weights, rows, hidden, sums);
    } else {
      tower_backward<Act, Row, O, P, S>(plan.policy, a.weights, rows, hidden, sums);
      tower_backward<Act, Row, O, 1, S>(plan.value, a.weights, {a.count, first, first + (f.output() + P) * kWarp, units},
                                        hidden == nullptr ? hidden : hidden + plan.policy.width1 * kWarp, sums);
    }
    S kl = S(0.0);
    for (std::int64_t t = 0; t < (a.kl ? a.count : 0); ++t) kl = kl + load<S>(first + t * Row + f.kl() * kWarp);
    store(sums + plan.packed * kWarp, kl);
  }
  sum_lanes<S>(a.workspace, plan.packed + 1, a.partial);
}

/// Outputs of `count` rows with these weights, and with Keep their activations, [count][hidden_units][32]. scratch: as tower_forward, for
/// networks that are not small.
template <class Act, int O, int P, bool Shared, bool Keep, class S>
inline void rows_forward(const NetworkPlan& plan, const float* weights, float* rows, std::int64_t count, float* hidden, float* scratch) {
  constexpr RowFeatures f{{O}, P + 1};
  const int units = hidden_units(plan);
  for (std::int64_t t = 0; t < count; ++t)
    for (int lo = 0; lo < kWarp; lo += kWidth<S>) {
      float* const row = rows + t * f.floats() + lo;
      S x[O], z[P], v;
      for (int i = 0; i < O; ++i) x[i] = load<S>(row + i * kWarp);
      network_forward<Act, O, P, Shared, Keep>(plan, weights, x, z, v, scratch, Keep ? hidden + t * units * kWarp + lo : nullptr);
      for (int k = 0; k < P; ++k) store(row + (f.output() + k) * kWarp, z[k]);
      store(row + (f.output() + P) * kWarp, v);
    }
}

CUPG_END_TARGET

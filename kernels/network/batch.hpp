// A network of any shape on the parameter vector as it lies in a file (include/cupg/network.hpp), for policies that somebody plays with
// (Policy): nothing is packed beforehand, so that a batch may be small. A lane is a sample.
//
//   y_j = act(b_j + sum_i w_ji x_i)      sums start at the bias and run over i in index order, fma by fma, as in every fused kernel
//
// The greedy action is that of kernels/transition/head.hpp: the largest logit, a tie takes the lowest index; of two actions the second
// where d > 0, whose weights are the difference of the two rows.
// Bound: fma. Weights are read once for 32 samples, from the first two caches where they fit.
#pragma once
#include "kernels/network/forward.hpp"

namespace cupg {

/// Hidden layers, and whether they and the heads on top have biases.
struct BatchTrunk {
  const int* width = nullptr;  ///< [layers]
  int layers = 0;
  bool bias = true, tanh = false;
};

struct BatchArgs {
  int observations = 0, actions = 0;  ///< O, A
  bool shared = true;
  BatchTrunk policy, value;            ///< where shared, they are the same
  const float* parameters = nullptr;   ///< in layout order
  const float* observation = nullptr;  ///< [n][O]
  std::int64_t n = 0;
  int* action = nullptr;     ///< [n] out: the greedy ones; null: logits and values are wanted
  float* logits = nullptr;   ///< [n][A] out
  float* values = nullptr;   ///< [n] out
  int widest = 0;            ///< of O, A and the layers
  float* scratch = nullptr;  ///< [3][widest][32]
};

}  // namespace cupg

CUPG_BEGIN_TARGET

/// Of heads.
struct Linear {
  template <class S>
  static CUPG_FN S apply(S z) {
    return z;
  }
};

/// y = W x + b in the parameter vector.
struct BatchDense {
  const float *weight, *bias;  // [out][in], [out] or null
  int in, out;

  /// Takes it from where `next` is, and moves that behind it.
  static CUPG_FN BatchDense take(const float*& next, int in, int out, bool has_bias) {
    const BatchDense d{next, has_bias ? next + static_cast<std::int64_t>(in) * out : nullptr, in, out};
    next += (static_cast<std::int64_t>(in) + (has_bias ? 1 : 0)) * out;
    return d;
  }
};

/// U units from j on, side by side to hide the latency of their sums; x is [in][32], y is [out][32].
template <class Act, int U, class S>
CUPG_FN void batch_units(const BatchDense& d, int j, const float* x, float* y) {
  const float* const weight = d.weight + static_cast<std::int64_t>(j) * d.in;
  const std::int64_t in = d.in;
  S sum[U];
  for (int u = 0; u < U; ++u) sum[u] = splat<S>(d.bias == nullptr ? 0.0f : d.bias[j + u]);
  for (std::int64_t i = 0; i < in; ++i) {
    const S input = load<S>(x + i * kWarp);
    for (int u = 0; u < U; ++u) sum[u] = fma(input, splat<S>(weight[u * in + i]), sum[u]);
  }
  for (int u = 0; u < U; ++u) store(y + (j + u) * kWarp, Act::apply(sum[u]));
}
template <class Act, class S>
CUPG_FN void batch_dense(const BatchDense& d, const float* x, float* y) {
  for (int lo = 0; lo < kWarp; lo += kWidth<S>) {
    int j = 0;
    for (; j + 4 <= d.out; j += 4) batch_units<Act, 4, S>(d, j, x + lo, y + lo);
    for (; j < d.out; ++j) batch_units<Act, 1, S>(d, j, x + lo, y + lo);
  }
}

/// The activations under a trunk's heads, [outputs][32], and their number; `next` moves behind the trunk.
struct BatchTop {
  const float* at;
  int outputs;
};
template <class S>
CUPG_FN BatchTop batch_trunk(const BatchArgs& a, const BatchTrunk& t, const float*& next, const float* observation) {
  BatchTop top{observation, a.observations};
  for (int l = 0; l < t.layers; ++l) {
    const BatchDense d = BatchDense::take(next, top.outputs, t.width[l], t.bias);
    float* const y = a.scratch + (1 + l % 2) * static_cast<std::int64_t>(a.widest) * kWarp;
    t.tanh ? batch_dense<Tanh, S>(d, top.at, y) : batch_dense<Relu, S>(d, top.at, y);
    top = {y, d.out};
  }
  return top;
}
CUPG_FN void skip_trunk(const BatchArgs& a, const BatchTrunk& t, const float*& next) {
  int in = a.observations;
  for (int l = 0; l < t.layers; ++l) in = BatchDense::take(next, in, t.width[l], t.bias).out;
}

/// action[32] of the policy head on these activations.
template <class S>
CUPG_FN void batch_greedy(const BatchDense& head, const float* x, float* logits, std::uint32_t* action) {
  if (head.out != 2) batch_dense<Linear, S>(head, x, logits);
  for (int lo = 0; lo < kWarp; lo += kWidth<S>) {
    Int<S> index(0u);
    if (head.out == 2) {
      S d = splat<S>(head.bias == nullptr ? 0.0f : head.bias[1] - head.bias[0]);
      for (int i = 0; i < head.in; ++i) d = fma(load<S>(x + i * kWarp + lo), splat<S>(head.weight[head.in + i] - head.weight[i]), d);
      index = select(d > S(0.0), Int<S>(1u), index);
    } else {
      S best = load<S>(logits + lo);
      for (int j = 1; j < head.out; ++j) {
        const S z = load<S>(logits + j * kWarp + lo);
        const Mask<S> better = z > best;
        best = select(better, z, best);
        index = select(better, Int<S>(static_cast<std::uint32_t>(j)), index);
      }
    }
    store_int(action + lo, index);
  }
}

/// Up to 32 samples from `begin` on; lanes behind the last one hold anything.
template <class S>
CUPG_FN void batch_warp(const BatchArgs& a, std::int64_t begin) {
  const int O = a.observations, A = a.actions, count = a.n - begin < kWarp ? static_cast<int>(a.n - begin) : kWarp;
  float* const x = a.scratch;
  for (int l = 0; l < count; ++l)
    for (int i = 0; i < O; ++i) x[i * kWarp + l] = a.observation[(begin + l) * O + i];
  const float* next = a.parameters;
  const BatchTop top = batch_trunk<S>(a, a.policy, next, x);
  float* const out = a.scratch + (1 + a.policy.layers % 2) * static_cast<std::int64_t>(a.widest) * kWarp;
  const float* value_trunk = next;
  if (!a.shared) skip_trunk(a, a.value, next);
  const BatchDense head = BatchDense::take(next, top.outputs, A, a.policy.bias);
  if (a.action != nullptr) {
    alignas(64) std::uint32_t action[kWarp];
    batch_greedy<S>(head, top.at, out, action);
    for (int l = 0; l < count; ++l) a.action[begin + l] = static_cast<int>(action[l]);
    return;
  }
  batch_dense<Linear, S>(head, top.at, out);
  for (int l = 0; l < count; ++l)
    for (int k = 0; k < A; ++k) a.logits[(begin + l) * A + k] = out[k * kWarp + l];
  const BatchTop value_top = a.shared ? top : batch_trunk<S>(a, a.value, value_trunk, x);
  alignas(64) float value[kWarp];
  batch_dense<Linear, S>(BatchDense::take(next, value_top.outputs, 1, a.value.bias), value_top.at, value);
  for (int l = 0; l < count; ++l) a.values[begin + l] = value[l];
}

CUPG_END_TARGET

// Networks of at most one hidden layer, with weights and partial sums as the tiles have them (kernels/chunk/plan.hpp), bit for bit.
//
//   forward    lanes are samples: a unit's weights are broadcast, its activation goes straight into the outputs
//   backward   lanes are units: what a unit sums stays in registers while the samples of a tile go by, one after the other
//
// Bound: fma; (O + 1 + K) H forward and (2 (O + K) + 2) H backward a sample, for H units and K outputs.
#pragma once
#include "kernels/chunk/plan.hpp"
#include "kernels/network/forward.hpp"

namespace cupg {

/// Whether every tower of the network has at most one hidden layer, and so few observations that its sums lie as `backward` leaves them.
CUPG_FN constexpr bool small_network(const ChunkPlan& plan) {
  for (int tower = 0; tower < plan.towers; ++tower)
    if (plan.tower[tower].layers > 1) return false;
  return plan.observations < kChunkAlign;
}

/// Where the samples of a tile lie: up to 64, in runs. Feature f of the r-th of a run is at[f * (the distance of features) + r * sample].
struct TileRuns {
  int count = 0;
  const float* at[kChunk] = {};
  int length[kChunk] = {};
  int sample = 1;
};

}  // namespace cupg

CUPG_BEGIN_TARGET

/// z[K] of a tower for observations x[O]. With Keep, activations go to keep, [unit][64].
template <class Act, bool Keep = false, int O, int K, class S>
CUPG_FN void small_tower_forward(const ChunkTower& t, const float* weights, const S (&x)[O], S (&z)[K], float* keep = nullptr) {
  const ChunkDense& head = t.head[0];
  const float* const v = weights + head.packed;
  const int v_row = head.padded_in();
  for (int k = 0; k < K; ++k) z[k] = splat<S>(weights[head.packed_bias + k]);
  if (t.layers == 0) {
    for (int i = 0; i < O; ++i)
      for (int k = 0; k < K; ++k) z[k] = fma(x[i], splat<S>(v[k * v_row + i]), z[k]);
    return;
  }
  const ChunkDense& hidden = t.hidden[0];
  const float* const w = weights + hidden.packed;
  const float* const bias = weights + hidden.packed_bias;
  const int w_row = hidden.padded_out();
  for (int j = 0; j < hidden.out; ++j) {
    S h = splat<S>(bias[j]);
    for (int i = 0; i < O; ++i) h = fma(x[i], splat<S>(w[i * w_row + j]), h);
    h = Act::apply(h);
    if constexpr (Keep) store(keep + j * kChunk, h);
    for (int k = 0; k < K; ++k) z[k] = fma(h, splat<S>(v[k * v_row + j]), z[k]);
  }
}

/// Logits and value, z[A + 1], of the whole network. With Keep, each tower's activations go to its `keep`.
template <class Act, int O, int A, bool Shared, bool Keep = false, class S>
CUPG_FN void small_forward(const ChunkPlan& plan, const float* weights, const S (&x)[O], S (&z)[A + 1], float* keep0 = nullptr,
                           float* keep1 = nullptr) {
  if constexpr (Shared) {
    small_tower_forward<Act, Keep>(plan.tower[0], weights, x, z, keep0);
  } else {
    S logits[A], value[1];
    small_tower_forward<Act, Keep>(plan.tower[0], weights, x, logits, keep0);
    small_tower_forward<Act, Keep>(plan.tower[1], weights, x, value, keep1);
    for (int j = 0; j < A; ++j) z[j] = logits[j];
    z[A] = value[0];
  }
}

/// One tower's sums over the samples of a tile, into its places of a partial. Observations are the first features, dJ/d(output) of the
/// tower those from `grad` on. Activations of a single run lie in `kept`, [sample][padded units], or are computed again (null).
template <class Act, int O, int K, int Feature, bool Kept, class S>
inline void small_tower_backward(const ChunkTower& t, const float* weights, const TileRuns& runs, int grad, const float* kept,
                                 float* partial) {
  constexpr int W = kWidth<S>;
  const ChunkDense& head = t.head[0];
  if (t.layers == 0) {
    float sums[K][O] = {}, bias[K] = {};
    for (int run = 0; run < runs.count; ++run)
      for (int r = 0; r < runs.length[run]; ++r) {
        const float* const at = runs.at[run] + r * runs.sample;
        for (int k = 0; k < K; ++k) {
          const float g = at[(grad + k) * Feature];
          for (int i = 0; i < O; ++i) sums[k][i] = fma(g, at[i * Feature], sums[k][i]);
          bias[k] += g;
        }
      }
    for (int k = 0; k < K; ++k) {
      for (int i = 0; i < O; ++i) partial[head.partial + k * head.padded_in() + i] = sums[k][i];
      partial[head.partial_bias + k] = bias[k];
    }
    return;
  }
  const ChunkDense& hidden = t.hidden[0];
  const int width = hidden.padded_out();
  const auto units = [&]<bool First>(int j) __attribute__((always_inline)) {
    S w[O], v[K], dw[O], dv[K], db = S(0.0), bias[K];
    const S b = load<S>(weights + hidden.packed_bias + j);
    for (int i = 0; i < O; ++i) {
      w[i] = load<S>(weights + hidden.packed + i * width + j);
      dw[i] = S(0.0);
    }
    for (int k = 0; k < K; ++k) {
      v[k] = load<S>(weights + head.packed + k * width + j);
      dv[k] = bias[k] = S(0.0);
    }
    for (int run = 0; run < runs.count; ++run) {
      const float* at = runs.at[run];
      for (int r = 0; r < runs.length[run]; ++r, at += runs.sample) {
        S x[O], g[K], h = b;
        for (int i = 0; i < O; ++i) {
          x[i] = splat<S>(at[i * Feature]);
          if constexpr (!Kept) h = fma(x[i], w[i], h);
        }
        h = Kept ? load<S>(kept + r * width + j) : Act::apply(h);
        for (int k = 0; k < K; ++k) g[k] = splat<S>(at[(grad + k) * Feature]);
        S e = g[0] * v[0];
        for (int k = 1; k < K; ++k) e = fma(g[k], v[k], e);
        e = Act::backward(e, h);
        for (int i = 0; i < O; ++i) dw[i] = fma(e, x[i], dw[i]);
        db = db + e;
        for (int k = 0; k < K; ++k) {
          dv[k] = fma(g[k], h, dv[k]);
          if constexpr (First) bias[k] = bias[k] + g[k];  // the same in all lanes
        }
      }
    }
    for (int i = 0; i < O; ++i) store(partial + hidden.partial + i * width + j, dw[i]);
    store(partial + hidden.partial_bias + j, db);
    for (int k = 0; k < K; ++k) store(partial + head.partial + k * width + j, dv[k]);
    if constexpr (First) {
      alignas(64) float lanes[W];
      for (int k = 0; k < K; ++k) {
        store(lanes, bias[k]);
        partial[head.partial_bias + k] = lanes[0];
      }
    }
  };
  units.template operator()<true>(0);
  for (int j = W; j < width; j += W) units.template operator()<false>(j);
}

/// All towers, from features `Feature` floats apart; `grad` is that of the first output's derivative. kept: as above, of each tower.
template <class Act, int O, int A, bool Shared, int Feature, bool Kept, class S>
inline void small_backward(const ChunkPlan& plan, const float* weights, const TileRuns& runs, int grad, const float* const (&kept)[2],
                           float* partial) {
  if constexpr (Shared) {
    small_tower_backward<Act, O, A + 1, Feature, Kept, S>(plan.tower[0], weights, runs, grad, kept[0], partial);
  } else {
    small_tower_backward<Act, O, A, Feature, Kept, S>(plan.tower[0], weights, runs, grad, kept[0], partial);
    small_tower_backward<Act, O, 1, Feature, Kept, S>(plan.tower[1], weights, runs, grad + A, kept[1], partial);
  }
}

CUPG_END_TARGET

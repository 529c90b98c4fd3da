// A tile of up to 64 samples through the network and back: lanes are units, rows are samples.
//
//   unit:    h_j = act(b_j + sum_i w_ji x_i),  z_k = c_k + sum_j v_kj h_j     from the bias over i or j in index order
//   error:   e_j = act'(h_j) sum_k v_kj g_k,   e_i = act'(h_i) sum_j w_ji e_j  from a product over k or j in index order
//   weights: dW_ji = sum_r e_jr x_ir,  db_j = sum_r e_jr,  dV_kj = sum_r g_kr h_jr,  dc_k = sum_r g_kr   over r in order, from 0
//
// So all of it is multiplication of small matrices, and one tile of registers serves all: Q rows by V vectors of sums, to which
// each step adds Q broadcast numbers times V vectors. What a step sums over (inputs, units above, samples) is a matter of strides.
// Bound: fma; 64-64: 3 * 4.4 k fma a sample and tower (docs/performance.md).
#pragma once
#include "kernels/loss/op.hpp"
#include "kernels/math/transpose.hpp"
#include "kernels/network/forward.hpp"
#include "kernels/network/tiled/plan.hpp"

namespace cupg {

/// What a tile leaves behind between its steps; belongs to a thread.
struct alignas(64) TileScratch : LossFields {
  static constexpr int kUnits = 64;                // kMaxFusedWidth
  alignas(64) float hidden[2][2][kTile * kUnits];  ///< [tower][layer][sample][padded units] activations
  alignas(64) float error[2][kTile * kUnits];      ///< [layer][sample][padded units] of one tower at a time
  alignas(64) float turned[kUnits * kTile];        ///< [unit][sample] of the last layer, for the heads
};

struct TileForwardArgs {
  const TilePlan* plan = nullptr;
  const float* weights = nullptr;      ///< [plan.packed]
  const float* observation = nullptr;  ///< [count][padded O]
  int count = 0;                       ///< <= 64
  bool value_only = false;             ///< the logits are not wanted
  TileScratch* scratch = nullptr;      ///< outputs [A + 1][64] and activations out
};

struct TileGradientArgs {
  const TilePlan* plan = nullptr;
  const float* weights = nullptr;
  const float* samples = nullptr;        ///< rows of plan.row()
  const std::uint32_t* index = nullptr;  ///< [count] which rows these positions are
  int count = 0;                         ///< <= 64
  bool kl = true;                        ///< the estimates of KL are wanted; otherwise 0
  int ahead = 0;                         ///< indices behind them that are known: up to 64 rows to fetch meanwhile
  ObjectiveRows objective = nullptr;
  Coefficients<float> coefficients{};
  float mean = 0, inverse_sd = 1;  ///< normalization of the advantages
  float scale = 1;
  float* observation = nullptr;  ///< [64][padded O] scratch
  TileScratch* scratch = nullptr;
  float* partial = nullptr;  ///< [plan.partial] = this tile's sums
};

}  // namespace cupg

CUPG_BEGIN_TARGET

/// acc[q][v] += a(q, k) b[k][v] over k in order: a(q, k) = a[q row_a + k step_a], and row k of b begins at b + k row_b.
template <int Q, int V, class S>
CUPG_FN void add_products(S (&acc)[Q][V], const float* a, int row_a, int step_a, const float* b, int row_b, int count) {
  for (int k = 0; k < count; ++k) {
    S y[V];
    for (int v = 0; v < V; ++v) y[v] = load<S>(b + k * row_b + v * kWidth<S>);
    for (int q = 0; q < Q; ++q) {
      const S x = splat<S>(a[q * row_a + k * step_a]);
      for (int v = 0; v < V; ++v) acc[q][v] = fma(x, y[v], acc[q][v]);
    }
  }
}

/// f.template operator()<V>(column) for groups of V vectors that cover `columns`, a multiple of kTileAlign: `wide` of them where there
/// are as many, then one kTileAlign after the other.
template <int Wide, class S, class F>
CUPG_FN void each_column(int columns, F f) {
  constexpr int W = kWidth<S>, kNarrow = kTileAlign / W;
  int c = 0;
  for (; c + Wide * W <= columns; c += Wide * W) f.template operator()<Wide>(c);
  if constexpr (Wide > kNarrow)
    for (; c < columns; c += kNarrow * W) f.template operator()<kNarrow>(c);
}

/// f.template operator()<Q, V>(row, column) for tiles that cover rows x columns.
template <class S, class F>
CUPG_FN void each_tile(int rows, int columns, F f) {
  constexpr int kWide = kTileAlign * (kWidth<S> == 16 ? 4 : 1) / kWidth<S>;  // as many sums as there are registers for
  each_column<kWide, S>(columns, [&]<int V>(int c) {
    int r = 0;
    for (; r + 4 <= rows; r += 4) f.template operator()<4, V>(r, c);
    for (; r < rows; ++r) f.template operator()<1, V>(r, c);
  });
}

/// out[r][j] = act(b_j + sum_i x[r][i] w^T[i][j]).
template <class Act, class S>
inline void tile_layer(const TileDense& d, const float* weights, const float* x, int x_stride, int rows, float* out) {
  const int width = d.padded_out();
  each_tile<S>(rows, width, [&]<int Q, int V>(int r, int j) {
    S acc[Q][V];
    for (int v = 0; v < V; ++v) {
      const S bias = load<S>(weights + d.packed_bias + j + v * kWidth<S>);
      for (int q = 0; q < Q; ++q) acc[q][v] = bias;
    }
    add_products(acc, x + r * x_stride, x_stride, 1, weights + d.packed + j, width, d.in);
    for (int q = 0; q < Q; ++q)
      for (int v = 0; v < V; ++v) store(out + (r + q) * width + j + v * kWidth<S>, Act::apply(acc[q][v]));
  });
}

/// out[r][i] = act'(h[r][i]) sum_k e(r, k) w[k][i], from a product over `terms` rows k of the matrix at w.
template <class Act, class S>
inline void tile_errors(const float* e, int e_row, int e_step, int terms, const float* w, int width, const float* h, int rows, float* out) {
  each_tile<S>(rows, width, [&]<int Q, int V>(int r, int i) {
    S acc[Q][V];
    for (int q = 0; q < Q; ++q) {
      const S first = splat<S>(e[(r + q) * e_row]);
      for (int v = 0; v < V; ++v) acc[q][v] = first * load<S>(w + i + v * kWidth<S>);
    }
    add_products(acc, e + r * e_row + e_step, e_row, e_step, w + width + i, width, terms - 1);
    for (int q = 0; q < Q; ++q)
      for (int v = 0; v < V; ++v) {
        const int at = (r + q) * width + i + v * kWidth<S>;
        store(out + at, Act::backward(acc[q][v], load<S>(h + at)));
      }
  });
}

/// out[j][i] = sum_r a(j, r) b[r][i], a(j, r) = a[j row_a + r step_a]; b's rows and out's are `width` floats, those of b `b_stride`
/// apart.
template <class S>
inline void tile_weights(const float* a, int row_a, int step_a, const float* b, int b_stride, int rows, int width, int count, float* out) {
  each_tile<S>(rows, width, [&]<int Q, int V>(int j, int i) {
    S acc[Q][V];
    for (int q = 0; q < Q; ++q)
      for (int v = 0; v < V; ++v) acc[q][v] = S(0.0);
    add_products(acc, a + j * row_a, row_a, step_a, b + i, b_stride, count);
    for (int q = 0; q < Q; ++q)
      for (int v = 0; v < V; ++v) store(out + (j + q) * width + i + v * kWidth<S>, acc[q][v]);
  });
}

/// out[j] = sum_r e[r][j].
template <class S>
inline void tile_sums(const float* e, int width, int count, float* out) {
  constexpr int kWide = kWidth<S> == 1 ? kTileAlign : 4 * kTileAlign / kWidth<S>;  // side by side, to hide the additions' latency
  each_column<kWide, S>(width, [&]<int V>(int j) {
    S acc[V];
    for (int v = 0; v < V; ++v) acc[v] = S(0.0);
    for (int r = 0; r < count; ++r)
      for (int v = 0; v < V; ++v) acc[v] = acc[v] + load<S>(e + r * width + j + v * kWidth<S>);
    for (int v = 0; v < V; ++v) store(out + j + v * kWidth<S>, acc[v]);
  });
}

/// The activations under the heads and the length of their rows.
struct TileRows {
  const float* at;
  int stride;
};
CUPG_FN TileRows tile_top(const TileTower& t, int tower, const float* observation, int observations, const TileScratch& s) {
  if (t.layers == 0) return {observation, tile_padded(observations)};
  return {s.hidden[tower][t.layers - 1], t.hidden[t.layers - 1].padded_out()};
}

/// The heads of a tower over its last layer's activations.
struct TileHeads {
  const float* weights;  ///< [outputs][stride]
  int stride;
  const float* bias;    ///< [outputs]
  int in;               ///< units
  const float* turned;  ///< [in][64] activations, a row for each unit
};

/// K outputs from number k on, side by side to hide the latency of their sums: out[k][sample].
template <int K, class S>
CUPG_FN void tile_outputs(const TileHeads& h, int k, int count, float* out) {
  constexpr int W = kWidth<S>, kWide = W == 16 ? 4 : kTileAlign / W;
  each_column<kWide, S>(tile_padded(count), [&]<int V>(int r) {
    S z[K][V];
    for (int q = 0; q < K; ++q)
      for (int v = 0; v < V; ++v) z[q][v] = splat<S>(h.bias[k + q]);
    for (int j = 0; j < h.in; ++j)
      for (int v = 0; v < V; ++v) {
        const S x = load<S>(h.turned + j * kTile + r + v * W);
        for (int q = 0; q < K; ++q) z[q][v] = fma(x, splat<S>(h.weights[(k + q) * h.stride + j]), z[q][v]);
      }
    for (int q = 0; q < K; ++q)
      for (int v = 0; v < V; ++v) store(out + q * kTile + r + v * W, z[q][v]);
  });
}

template <class Act, class S>
inline void tile_tower_forward(const TileForwardArgs& a, int tower) {
  const TileTower& t = a.plan->tower[tower];
  TileScratch& s = *a.scratch;
  const float* x = a.observation;
  int stride = tile_padded(a.plan->observations);
  for (int l = 0; l < t.layers; ++l) {
    tile_layer<Act, S>(t.hidden[l], a.weights, x, stride, a.count, s.hidden[tower][l]);
    x = s.hidden[tower][l];
    stride = t.hidden[l].padded_out();
  }
  // the heads sum over units in index order, so here lanes are samples
  const TileDense& head = t.head[0];
  const int fours = a.count / 4 * 4;
  transpose(x, stride, fours, (head.in + 3) / 4 * 4, s.turned, kTile);
  for (int r = fours; r < a.count; ++r)  // without a hidden layer nothing need lie behind the last row
    for (int i = 0; i < head.in; ++i) s.turned[i * kTile + r] = x[r * stride + i];
  const TileHeads heads{a.weights + head.packed, head.padded_in(), a.weights + head.packed_bias, head.in, s.turned};
  int k = 0;
  for (; k + 3 <= t.outputs; k += 3) tile_outputs<3, S>(heads, k, a.count, s.outputs[t.first_output + k]);
  for (; k + 2 <= t.outputs; k += 2) tile_outputs<2, S>(heads, k, a.count, s.outputs[t.first_output + k]);
  for (; k < t.outputs; ++k) tile_outputs<1, S>(heads, k, a.count, s.outputs[t.first_output + k]);
}

template <class Act, class S>
inline void tile_forward(const TileForwardArgs& a) {
  for (int tower = 0; tower < a.plan->towers; ++tower)
    if (!a.value_only || tower == a.plan->towers - 1) tile_tower_forward<Act, S>(a, tower);
}

template <class Act, class S>
inline void tile_tower_backward(const TileGradientArgs& a, int tower) {
  const TileTower& t = a.plan->tower[tower];
  TileScratch& s = *a.scratch;
  const int observations = a.plan->observations;
  const TileRows top = tile_top(t, tower, a.observation, observations, s);
  const TileDense& head = t.head[0];
  const float* const grad = s.grad[t.first_output];
  tile_weights<S>(grad, kTile, 1, top.at, top.stride, t.outputs, head.padded_in(), a.count, a.partial + head.partial);
  for (int k = 0; k < t.outputs; ++k) {
    float sum = 0;
    for (int r = 0; r < a.count; ++r) sum += grad[k * kTile + r];
    a.partial[head.partial_bias + k] = sum;
  }
  for (int l = t.layers - 1; l >= 0; --l) {
    const TileDense& d = t.hidden[l];
    const int width = d.padded_out();
    if (l == t.layers - 1) {
      tile_errors<Act, S>(grad, 1, kTile, t.outputs, a.weights + head.packed, width, s.hidden[tower][l], a.count, s.error[l]);
    } else {
      const TileDense& above = t.hidden[l + 1];
      tile_errors<Act, S>(s.error[l + 1], above.padded_out(), 1, above.out, a.weights + above.packed_back, width, s.hidden[tower][l],
                          a.count, s.error[l]);
    }
    const TileRows below =
        l == 0 ? TileRows{a.observation, tile_padded(observations)} : TileRows{s.hidden[tower][l - 1], t.hidden[l - 1].padded_out()};
    if (d.transposed) {
      tile_weights<S>(below.at, 1, below.stride, s.error[l], width, d.in, width, a.count, a.partial + d.partial);
    } else {
      tile_weights<S>(s.error[l], 1, width, below.at, below.stride, d.out, d.padded_in(), a.count, a.partial + d.partial);
    }
    tile_sums<S>(s.error[l], width, a.count, a.partial + d.partial_bias);
  }
}

/// The rows that `index` names side by side.
CUPG_FN void gather_tile(const TileGradientArgs& a) {
  const SampleRow row = a.plan->row();
  const int stride = tile_padded(a.plan->observations);
  for (int r = 0; r < a.count; ++r) {
    const float* const from = a.samples + static_cast<std::int64_t>(a.index[r]) * row.stride();
    for (int i = 0; i < a.plan->observations; ++i) a.observation[r * stride + i] = from[i];
    a.scratch->gather(row, from, r);
  }
}

CUPG_FN float kl_sum(const TileGradientArgs& a) {
  float sum = 0;
  for (int r = 0; r < a.count && a.kl; ++r) sum += a.scratch->kl[r];
  return sum;
}

template <class Act, class S>
inline void tile_gradient(const TileGradientArgs& a) {
  gather_tile(a);
  tile_forward<Act, S>({a.plan, a.weights, a.observation, a.count, false, a.scratch});
  ObjectiveArgs loss = a.scratch->args(a.plan->actions);
  loss.count = a.count;
  loss.coefficients = a.coefficients;
  loss.mean = a.mean;
  loss.inverse_sd = a.inverse_sd;
  loss.scale = a.scale;
  if (!a.kl) loss.kl = nullptr;
  a.objective(loss);
  for (int tower = 0; tower < a.plan->towers; ++tower) tile_tower_backward<Act, S>(a, tower);
  a.partial[a.plan->kl] = kl_sum(a);
}

/// Parameters -> the packed weights of a layer.
CUPG_FN void pack_dense(const TileDense& d, const float* parameters, float* packed, bool head) {
  const float* const w = parameters + d.weight;
  for (int j = 0; j < d.out; ++j)
    for (int i = 0; i < d.in; ++i) {
      if (head) packed[d.packed + j * d.padded_in() + i] = w[j * d.in + i];
      if (!head) packed[d.packed + i * d.padded_out() + j] = w[j * d.in + i];
      if (d.packed_back >= 0) packed[d.packed_back + j * d.padded_in() + i] = w[j * d.in + i];
    }
  if (d.bias >= 0)
    for (int j = 0; j < d.out; ++j) packed[d.packed_bias + j] = parameters[d.bias + j];
}

/// All packed weights; their padding must be 0 beforehand and stays so.
inline void tile_pack(const TilePlan& plan, const float* parameters, float* packed) {
  for (int tower = 0; tower < plan.towers; ++tower) {
    const TileTower& t = plan.tower[tower];
    for (int l = 0; l < t.layers; ++l) {
      const TileDense& d = t.hidden[l];
      if (d.in % 4 == 0 && d.out % 4 == 0 && d.weight % 4 == 0 && d.packed_back >= 0) {
        transpose(parameters + d.weight, d.in, d.out, d.in, packed + d.packed, d.padded_out());
        for (int j = 0; j < d.out; ++j)
          for (int i = 0; i < d.in; ++i) packed[d.packed_back + j * d.padded_in() + i] = parameters[d.weight + j * d.in + i];
        if (d.bias >= 0)
          for (int j = 0; j < d.out; ++j) packed[d.packed_bias + j] = parameters[d.bias + j];
      } else {
        pack_dense(d, parameters, packed, false);
      }
    }
    for (int h = 0; h < t.heads; ++h) pack_dense(t.head[h], parameters, packed, true);
  }
}

/// The gradient in the order of the parameters, from a partial.
inline void tile_unpack(const TilePlan& plan, const float* partial, float* gradient) {
  const auto unpack = [&](const TileDense& d) {
    for (int j = 0; j < d.out; ++j)
      for (int i = 0; i < d.in; ++i)
        gradient[d.weight + j * d.in + i] = partial[d.partial + (d.transposed ? i * d.padded_out() + j : j * d.padded_in() + i)];
    if (d.bias >= 0)
      for (int j = 0; j < d.out; ++j) gradient[d.bias + j] = partial[d.partial_bias + j];
  };
  for (int tower = 0; tower < plan.towers; ++tower) {
    const TileTower& t = plan.tower[tower];
    for (int l = 0; l < t.layers; ++l) unpack(t.hidden[l]);
    for (int h = 0; h < t.heads; ++h) unpack(t.head[h]);
  }
}

CUPG_END_TARGET

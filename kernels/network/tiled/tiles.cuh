// The small matrix products of a tile (op.hpp) by the threads of a block: a thread owns a tile of outputs and walks what they sum over
// in index order, so every sum has the order of the contract whatever the number of threads.
//
//   forward, errors    [feature][row] matrices in shared memory, tiles of Q features x 4 rows: each step loads 4 rows and Q weights
//   weights            sums over rows: tiles of Q x Q features, each step loads 4 rows of 2 Q features
//
// Vector loads of 16 bytes: the rows of a matrix are an odd number of them apart (RowLayout), so that the eight threads of a quarter
// warp, which read neighboring features or neighboring rows, meet different banks. Q = 4 makes 16 fma of 2 loads; Q = 1 gives work to
// more threads where rows are few. Rows past the last, up to a multiple of 4, are computed and never summed.
// Bound: fma, and latency where a network is so narrow that tiles are fewer than threads.
#pragma once
#include "kernels/agent/tiled.hpp"
#include "kernels/network/forward.hpp"
#include "kernels/runtime/runtime.hpp"

CUPG_BEGIN_TARGET

/// x[N] from memory; four floats are one load and must be aligned to it.
__device__ __forceinline__ void load_floats(const float* from, float (&x)[1]) { x[0] = *from; }
__device__ __forceinline__ void load_floats(const float* from, float (&x)[4]) {
  const float4 v = *reinterpret_cast<const float4*>(from);
  x[0] = v.x, x[1] = v.y, x[2] = v.z, x[3] = v.w;
}
__device__ __forceinline__ void store_floats(float* to, const float (&x)[4]) {
  *reinterpret_cast<float4*>(to) = make_float4(x[0], x[1], x[2], x[3]);
}

/// The number of this thread for the work of a tower: from the other end for the second one, so that two narrow towers have threads of
/// their own.
__device__ __forceinline__ int tower_thread(int tower) { return static_cast<int>(tower == 0 ? threadIdx.x : blockDim.x - 1 - threadIdx.x); }

/// sum[q][s] += w[k][q] x[k][s] over k in order.
template <int Q>
__device__ __forceinline__ void add_tile_products(float (&sum)[Q][4], const float* w, int w_stride, const float* x, int x_stride,
                                                  int count) {
  for (int k = 0; k < count; ++k) {
    float weight[Q], row[4];
    load_floats(w + k * w_stride, weight);
    load_floats(x + k * x_stride, row);
    CUPG_UNROLL_FIXED
    for (int q = 0; q < Q; ++q) {
      CUPG_UNROLL_FIXED
      for (int s = 0; s < 4; ++s) sum[q][s] = fma(row[s], weight[q], sum[q][s]);
    }
  }
}

/// f(feature, row) for every tile of Q features x 4 rows of this thread. Wide tiles: neighboring threads have neighboring rows, whose
/// weights are the same; narrow ones: neighboring features.
template <int Q, class F>
__device__ __forceinline__ void each_block_tile(int features, int rows, int thread, F f) {
  const int down = (features + Q - 1) / Q, across = (rows + 3) / 4;
  for (int tile = thread; tile < down * across; tile += static_cast<int>(blockDim.x)) {
    const int j = Q == 1 ? tile % down : tile / across;
    f(j * Q, (Q == 1 ? tile / down : tile - j * across) * 4);
  }
}

/// out[j][r] = act(b_j + sum_i w_ji x[i][r]).
template <int Q>
__device__ __forceinline__ void layer_tiles(const TileDense& d, bool tanh_units, const float* weights, const float* x, float* out, int rows,
                                            int stride, int thread) {
  each_block_tile<Q>(d.out, rows, thread, [&](int j, int r) {
    float bias[Q], sum[Q][4];
    load_floats(weights + d.packed_bias + j, bias);
    CUPG_UNROLL_FIXED
    for (int q = 0; q < Q; ++q) {
      CUPG_UNROLL_FIXED
      for (int s = 0; s < 4; ++s) sum[q][s] = bias[q];
    }
    add_tile_products(sum, weights + d.packed + j, d.padded_out(), x + r, stride, d.in);
    CUPG_UNROLL_FIXED
    for (int q = 0; q < Q; ++q) {
      CUPG_UNROLL_FIXED
      for (int s = 0; s < 4; ++s) sum[q][s] = tanh_units ? Tanh::apply(sum[q][s]) : Relu::apply(sum[q][s]);
      store_floats(out + (j + q) * stride + r, sum[q]);
    }
  });
}

/// z[k][r] = c_k + sum_j v_kj h[j][r] of all heads of a tower.
__device__ __forceinline__ void head_tiles(const TileTower& t, const float* weights, const float* h, int h_stride, float* z, int z_stride,
                                           int rows, int thread) {
  const TileDense& d = t.head[0];
  each_block_tile<1>(t.outputs, rows, thread, [&](int k, int r) {
    const float bias = weights[d.packed_bias + k];
    float sum[1][4] = {{bias, bias, bias, bias}};
    add_tile_products(sum, weights + d.packed + k * d.padded_in(), 1, h + r, h_stride, d.in);
    store_floats(z + k * z_stride + r, sum[0]);
  });
}

/// h[i][r] = act'(h[i][r]) sum_k w[k][i] e[k][r], from a product over `terms` k. `w` has rows of `width`.
__device__ __forceinline__ void error_tiles(const float* e, int e_stride, int terms, const float* w, int width, int units, bool tanh_units,
                                            float* h, int rows, int stride, int thread) {
  constexpr int Q = 4;
  each_block_tile<Q>(units, rows, thread, [&](int i, int r) {
    float weight[Q], row[4], sum[Q][4];
    load_floats(w + i, weight);
    load_floats(e + r, row);
    CUPG_UNROLL_FIXED
    for (int q = 0; q < Q; ++q) {
      CUPG_UNROLL_FIXED
      for (int s = 0; s < 4; ++s) sum[q][s] = row[s] * weight[q];
    }
    add_tile_products(sum, w + width + i, width, e + e_stride + r, e_stride, terms - 1);
    CUPG_UNROLL_FIXED
    for (int q = 0; q < Q; ++q) {
      float* const at = h + (i + q) * stride + r;
      load_floats(at, row);
      CUPG_UNROLL_FIXED
      for (int s = 0; s < 4; ++s) sum[q][s] = tanh_units ? Tanh::backward(sum[q][s], row[s]) : Relu::backward(sum[q][s], row[s]);
      store_floats(at, sum[q]);
    }
  });
}

/// weight[j in + i] = sum_r e[j][r] x[i][r], bias[j] = sum_r e[j][r] over r in order, from 0. The threads of input 0 add up the biases,
/// too; a null bias has none. Features of a tile lie as far apart as there are tiles: neighboring threads read neighboring ones.
template <int Q>
__device__ __forceinline__ void weight_tiles(int out, int in, const float* e, int e_stride, const float* x, int x_stride, int rows,
                                             float* weight, float* bias, int thread) {
  const int down = (out + Q - 1) / Q, across = (in + Q - 1) / Q;
  for (int tile = thread; tile < down * across; tile += static_cast<int>(blockDim.x)) {
    const int j = tile / across, i = tile - j * across;
    float sum[Q][Q] = {}, bias_sum[Q] = {};
    const auto add_rows = [&]<int N>(int r) {
      float errors[Q][N];
      CUPG_UNROLL_FIXED
      for (int q = 0; q < Q; ++q) load_floats(e + (j + q * down) * e_stride + r, errors[q]);
      CUPG_UNROLL_FIXED
      for (int p = 0; p < Q; ++p) {
        float inputs[N];
        load_floats(x + (i + p * across) * x_stride + r, inputs);
        CUPG_UNROLL_FIXED
        for (int s = 0; s < N; ++s) {
          CUPG_UNROLL_FIXED
          for (int q = 0; q < Q; ++q) sum[q][p] = fma(errors[q][s], inputs[s], sum[q][p]);
        }
      }
      if (i != 0) return;
      CUPG_UNROLL_FIXED
      for (int s = 0; s < N; ++s) {
        CUPG_UNROLL_FIXED
        for (int q = 0; q < Q; ++q) bias_sum[q] = bias_sum[q] + errors[q][s];
      }
    };
    int r = 0;
    for (; r + 4 <= rows; r += 4) add_rows.template operator()<4>(r);
    for (; r < rows; ++r) add_rows.template operator()<1>(r);
    CUPG_UNROLL_FIXED
    for (int q = 0; q < Q; ++q) {
      const int unit = j + q * down;
      if (unit >= out) continue;
      CUPG_UNROLL_FIXED
      for (int p = 0; p < Q; ++p)
        if (i + p * across < in) weight[unit * in + i + p * across] = sum[q][p];
      if (i == 0 && bias != nullptr) bias[unit] = bias_sum[q];
    }
  }
}

/// Rows of observations through the network, by all threads of the block: `base` holds them by `at`, z [outputs] rows of z_stride. The
/// block must have met after the observations were written, and has met when this returns.
template <int Q>
__device__ __forceinline__ void forward_block(const TilePlan& plan, const RowLayout& at, const float* weights, int rows, int first_tower,
                                              float* base, float* z, int z_stride) {
  for (int l = 0; l < at.layers; ++l) {
    for (int tower = first_tower; tower < plan.towers; ++tower) {
      if (l >= plan.tower[tower].layers) continue;
      const float* const x = base + (l == 0 ? at.x : at.hidden[tower][0]);
      layer_tiles<Q>(plan.tower[tower].hidden[l], plan.tanh, weights, x, base + at.hidden[tower][l], rows, at.stride, tower_thread(tower));
    }
    __syncthreads();
  }
  for (int tower = first_tower; tower < plan.towers; ++tower) {
    const TileTower& t = plan.tower[tower];
    const float* const h = base + (t.layers == 0 ? at.x : at.hidden[tower][t.layers - 1]);
    head_tiles(t, weights, h, at.stride, z + t.first_output * z_stride, z_stride, rows, tower_thread(tower));
  }
  __syncthreads();
}

CUPG_END_TARGET

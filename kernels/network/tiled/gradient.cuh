// The gradient of a tile (op.hpp) by a block: gather 64 samples, forward, objective, backward, all in shared memory. What it leaves is
// one row of sums in the order of the parameters, and the sum of the estimates of KL.
//
//   activations   both towers' stay until the backward pass, since the objective looks at logits and value together. An error takes the
//                 place of the activation that it belongs to, once the products that read that one are done.
//   weights       are read from global memory: the threads of a warp read two of the 16 vectors of a row, all warps the same rows at
//                 about the same time, so that the first-level cache serves them. A copy in shared memory (16 KB a product for 64-64)
//                 would leave room for two blocks on an SM instead of three.
//
// Launch: up to kTileThreads threads, as many as there are 4 x 4 tiles of the widest layer in all towers; grid.x tiles of the minibatch,
// grid.y agents. 64-64 with two towers: 75 KB of shared memory and 80 registers, so three blocks, 24 warps, on an SM, with 16
// independent sums a thread. Bound: instruction issue, 3 x 4.4 k fma a sample and tower; narrower networks: latency, nine barriers.
#pragma once
#include "kernels/loss/device.cuh"
#include "kernels/network/tiled/tiles.cuh"

CUPG_BEGIN_TARGET

inline constexpr int kTileThreads = 256;

/// At the start of a block's shared memory.
inline constexpr int kLossFields = sizeof(LossFields) / sizeof(float);

/// Floats of shared memory of a gradient block: fields, rows.
CUPG_FN int gradient_floats(const TiledAgents& a) { return kLossFields + a.gradient.end; }

/// The fields of the sample at `from`, its advantage normalized.
__device__ __forceinline__ void gather_fields(const TiledAgents& a, int slot, MinibatchNumber number, const SamplePlace& place,
                                              const float* from, int r, LossFields& f) {
  Moments moments;
  if (a.normalize_over != MomentsOver::nothing) moments = moments_of(a, slot)[moment_group(a, number, place.environment)];
  f.gather(a.tile.row(), from, r);
  f.advantage[r] = (f.advantage[r] - moments.mean) * moments.inverse_sd;
}

/// Positions begin, begin + 1, ... of the minibatch.
__device__ __forceinline__ void gather_block(const TiledAgents& a, int slot, MinibatchNumber number, const Minibatch& m,
                                             std::uint32_t begin, int rows, LossFields& f, float* x) {
  const SampleRow at = a.tile.row();
  for (int r = static_cast<int>(threadIdx.x); r < rows; r += static_cast<int>(blockDim.x)) {
    const SamplePlace place = place_of(a, slot, sample_at(m, begin + static_cast<std::uint32_t>(r)));
    const float* const from = samples_of(a, slot) + place.row * at.stride();
    for (int i = 0; i < a.tile.observations; ++i) x[i * a.gradient.stride + r] = from[i];
    gather_fields(a, slot, number, place, from, r, f);
  }
}

/// grad -> the tile's sums. The block has met after the last write to `f`.
__device__ __forceinline__ void backward_block(const TiledAgents& a, const float* weights, int rows, LossFields& f, float* base,
                                               float* partial) {
  const TilePlan& plan = a.tile;
  const RowLayout& at = a.gradient;
  const auto bias = [&](const TileDense& d) { return d.bias < 0 ? nullptr : partial + d.bias; };
  const auto below = [&](int tower, int l) { return base + (l == 0 ? at.x : at.hidden[tower][l - 1]); };
  for (int tower = 0; tower < plan.towers; ++tower) {
    const TileTower& t = plan.tower[tower];
    for (int h = 0, k = t.first_output; h < t.heads; k += t.head[h++].out)
      weight_tiles<1>(t.head[h].out, t.head[h].in, f.grad[k], kTile, below(tower, t.layers), at.stride, rows, partial + t.head[h].weight,
                      bias(t.head[h]), tower_thread(tower));
  }
  if (threadIdx.x + 1 == blockDim.x) {
    float sum = 0.0f;
    for (int r = 0; r < rows; ++r) sum += f.kl[r];
    partial[plan.parameters] = sum;
  }
  for (int l = at.layers - 1; l >= 0; --l) {
    __syncthreads();  // what reads the activations of this layer is done
    for (int tower = 0; tower < plan.towers; ++tower) {
      const TileTower& t = plan.tower[tower];
      if (l >= t.layers) continue;
      const bool top = l + 1 == t.layers;
      const TileDense& above = top ? t.head[0] : t.hidden[l + 1];
      error_tiles(top ? f.grad[t.first_output] : base + at.hidden[tower][l + 1], top ? kTile : at.stride, top ? t.outputs : above.out,
                  weights + (top ? above.packed : above.packed_back), above.padded_in(), t.hidden[l].out, plan.tanh,
                  base + at.hidden[tower][l], rows, at.stride, tower_thread(tower));
    }
    __syncthreads();
    for (int tower = 0; tower < plan.towers; ++tower) {
      const TileTower& t = plan.tower[tower];
      if (l >= t.layers) continue;
      const TileDense& d = t.hidden[l];
      weight_tiles<4>(d.out, d.in, base + at.hidden[tower][l], at.stride, below(tower, l), at.stride, rows, partial + d.weight, bias(d),
                      tower_thread(tower));
    }
  }
}

/// The sums of a tile of a minibatch, by a block; `shared` [gradient_floats]. Nobody uses `shared` any more when the block meets again.
template <int A>
__device__ __forceinline__ void gradient_block(const TiledAgents& a, int slot, MinibatchNumber number, const Minibatch& m, int tile,
                                               float* shared) {
  const std::uint32_t begin = static_cast<std::uint32_t>(tile) * kTile;
  const int rows = static_cast<int>(m.size - begin < kTile ? m.size - begin : kTile);
  LossFields& f = *reinterpret_cast<LossFields*>(shared);
  float* const base = shared + kLossFields;
  const float* const weights = weights_of(a, slot);

  gather_block(a, slot, number, m, begin, rows, f, base + a.gradient.x);
  __syncthreads();
  forward_block<4>(a.tile, a.gradient, weights, rows, 0, base, f.outputs[0], kTile);
  ObjectiveArgs o = f.args(A);
  o.coefficients = coefficients_of(a.state[slot]);
  o.scale = loss_scale(a.loss, m.size);
  with_device_objective(a.objective_number, [&]<class Objective>() {
    for (int r = static_cast<int>(threadIdx.x); r < rows; r += static_cast<int>(blockDim.x)) objective_lanes<Objective, A, A, float>(o, r);
  });
  __syncthreads();
  backward_block(a, weights, rows, f, base, partials_of(a, slot) + static_cast<std::int64_t>(tile) * partial_stride(a));
}

template <int A>
__global__ void __launch_bounds__(kTileThreads, 3)
    tile_gradient_kernel(const __grid_constant__ TiledAgents a, const __grid_constant__ MinibatchNumber number) {
  CUPG_DYNAMIC_SHARED(float, shared);
  const int slot = a.chosen[blockIdx.y];
  const AgentState& state = a.state[slot];
  if (state.halted != 0 || state.stopped != 0) return;
  const Minibatch m = make_minibatch(a, slot, number);
  if (blockIdx.x * kTile < m.size)  // the grid is as large as the largest minibatch
    gradient_block<A>(a, slot, number, m, static_cast<int>(blockIdx.x), shared);
}

CUPG_END_TARGET

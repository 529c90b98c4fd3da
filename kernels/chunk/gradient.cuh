// The gradient of a chunk (op.hpp) by a block: gather 64 samples, forward, objective, backward, all in shared memory. What it leaves is
// one row of sums in the order of the parameters, and the sum of the estimates of KL.
//
//   activations   both towers' stay until the backward pass, since the objective looks at logits and value together. An error takes the
//                 place of the activation that it belongs to, once the products that read that one are done.
//   weights       are read from global memory: the threads of a warp read two of the 16 vectors of a row, all warps the same rows at
//                 about the same time, so that the first-level cache serves them. A copy in shared memory (16 KB a product for 64-64)
//                 would leave room for two blocks on an SM instead of three.
//
// Launch: up to kChunkThreads threads, as many as there are 4 x 4 tiles of the widest layer in all towers; grid.x chunks of the minibatch,
// grid.y agents. 64-64 with two towers: 75 KB of shared memory and 80 registers, so three blocks, 24 warps, on an SM, with 16
// independent sums a thread. Bound: instruction issue, 3 x 4.4 k fma a sample and tower; narrower networks: latency, nine barriers.
#pragma once
#include "kernels/chunk/objective.hpp"
#include "kernels/chunk/tiles.cuh"

CUPG_BEGIN_TARGET

inline constexpr int kChunkThreads = 256;

/// At the start of a block's shared memory.
inline constexpr int kChunkFields = sizeof(ChunkFields) / sizeof(float);

/// Floats of shared memory of a gradient block: fields, rows.
CUPG_FN int gradient_floats(const ChunkAgents& a) { return kChunkFields + a.gradient.end; }

/// The fields of the sample at `from`, its advantage normalised.
__device__ __forceinline__ void gather_fields(const ChunkAgents& a, int slot, int epoch, int minibatch, const SamplePlace& place,
                                              const float* from, int r, ChunkFields& f) {
  Moments moments;
  if (a.normalize_over != MomentsOver::nothing) {
    const int group = a.normalize_over == MomentsOver::minibatch ? minibatch_group(a, epoch, minibatch)
                      : a.normalize_over == MomentsOver::episode ? place.environment
                                                                 : 0;
    moments = moments_of(a, slot)[group];
  }
  f.gather(a.plan.row(), from, r);
  f.advantage[r] = (f.advantage[r] - moments.mean) * moments.inverse_sd;
}

/// Positions begin, begin + 1, ... of the minibatch.
__device__ __forceinline__ void gather_block(const ChunkAgents& a, int slot, int epoch, int minibatch, const Minibatch& m,
                                             std::uint32_t begin, int rows, ChunkFields& f, float* x) {
  const SampleRow at = a.plan.row();
  for (int r = static_cast<int>(threadIdx.x); r < rows; r += static_cast<int>(blockDim.x)) {
    const SamplePlace place = place_of(a, slot, sample_at(m, begin + static_cast<std::uint32_t>(r)));
    const float* const from = samples_of(a, slot) + place.row * at.stride();
    for (int i = 0; i < a.plan.observations; ++i) x[i * a.gradient.stride + r] = from[i];
    gather_fields(a, slot, epoch, minibatch, place, from, r, f);
  }
}

/// Coefficients of an agent's present update.
CUPG_FN Coefficients<float> chunk_coefficients(const ChunkAgents& a, const ChunkState& progress) {
  const ObjectiveSettings& o = a.objective;
  const float left =
      o.clip_schedule == ClipSchedule::linear ? linear_schedule<float>({progress.updates, progress.taken}, a.agents.total) : 1.0f;
  return {o.entropy_coef, o.value_coef, o.clip * left, o.value_clip * left};
}

/// grad -> the chunk's sums. The block has met after the last write to `f`.
__device__ __forceinline__ void backward_block(const ChunkAgents& a, const float* weights, int rows, ChunkFields& f, float* base,
                                               float* partial) {
  const ChunkPlan& plan = a.plan;
  const RowLayout& at = a.gradient;
  const auto bias = [&](const ChunkDense& d) { return d.bias < 0 ? nullptr : partial + d.bias; };
  const auto below = [&](int tower, int l) { return base + (l == 0 ? at.x : at.hidden[tower][l - 1]); };
  for (int tower = 0; tower < plan.towers; ++tower) {
    const ChunkTower& t = plan.tower[tower];
    for (int h = 0, k = t.first_output; h < t.heads; k += t.head[h++].out)
      weight_tiles<1>(t.head[h].out, t.head[h].in, f.grad[k], kChunk, below(tower, t.layers), at.stride, rows, partial + t.head[h].weight,
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
      const ChunkTower& t = plan.tower[tower];
      if (l >= t.layers) continue;
      const bool top = l + 1 == t.layers;
      const ChunkDense& above = top ? t.head[0] : t.hidden[l + 1];
      error_tiles(top ? f.grad[t.first_output] : base + at.hidden[tower][l + 1], top ? kChunk : at.stride, top ? t.outputs : above.out,
                  weights + (top ? above.packed : above.packed_back), above.padded_in(), t.hidden[l].out, plan.tanh,
                  base + at.hidden[tower][l], rows, at.stride, tower_thread(tower));
    }
    __syncthreads();
    for (int tower = 0; tower < plan.towers; ++tower) {
      const ChunkTower& t = plan.tower[tower];
      if (l >= t.layers) continue;
      const ChunkDense& d = t.hidden[l];
      weight_tiles<4>(d.out, d.in, base + at.hidden[tower][l], at.stride, below(tower, l), at.stride, rows, partial + d.weight, bias(d),
                      tower_thread(tower));
    }
  }
}

template <class Objective, int A>
__global__ void __launch_bounds__(kChunkThreads, 3) chunk_gradient_kernel(const __grid_constant__ ChunkAgents a, int epoch, int minibatch) {
  CUPG_DYNAMIC_SHARED(float, shared);
  const int slot = a.agents.chosen[blockIdx.y];
  const ChunkState& progress = a.progress[slot];
  if (a.agents.state[slot].halted != 0 || progress.stopped != 0) return;
  const Minibatch m = make_minibatch(a, slot, epoch, minibatch);
  const std::uint32_t begin = blockIdx.x * kChunk;
  if (begin >= m.size) return;  // the grid is as large as the largest minibatch
  const int rows = static_cast<int>(m.size - begin < kChunk ? m.size - begin : kChunk);
  ChunkFields& f = *reinterpret_cast<ChunkFields*>(shared);
  float* const base = shared + kChunkFields;
  const float* const weights = weights_of(a, slot);

  gather_block(a, slot, epoch, minibatch, m, begin, rows, f, base + a.gradient.x);
  __syncthreads();
  forward_block<4>(a.plan, a.gradient, weights, rows, 0, base, f.outputs[0], kChunk);
  const float scale = a.objective.loss == LossSum::mean ? 1.0f / static_cast<float>(m.size) : 1.0f;
  const ObjectiveArgs o{rows,        chunk_coefficients(a, progress),
                        0.0f,        1.0f,
                        scale,       f.outputs[0],
                        f.action,    f.advantage,
                        f.target,    f.old_log_probability,
                        f.old_value, f.grad[0],
                        f.kl,        A};
  for (int r = static_cast<int>(threadIdx.x); r < rows; r += static_cast<int>(blockDim.x)) objective_lanes<Objective, A, float>(o, r);
  __syncthreads();
  backward_block(a, weights, rows, f, base, partials_of(a, slot) + static_cast<std::int64_t>(blockIdx.x) * partial_stride(a));
}

CUPG_END_TARGET

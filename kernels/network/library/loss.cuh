// What surrounds a library's matrix products in the gradient of a minibatch, for a slab of its samples.
//
//   gather     observations side by side, a thread a sample
//   objective  64 samples a block: their fields, outputs -> dJ/d(output), and the sum of the estimates of KL
//
// The agent is chosen[0]. Bound: latency of the gather.
#pragma once
#include "kernels/network/tiled/gradient.cuh"

namespace cupg {

/// A slab: the positions begin, begin + 1, ... of a minibatch.
struct LibrarySlab {
  MinibatchNumber number;
  std::uint32_t begin = 0;
  int count = 0;
  bool kept = false;              ///< the minibatch is the rollout in the order of its steps: (t, e) has position t N + e
  int outputs = 0;                ///< K
  float* observation = nullptr;   ///< [count][padded O] out, by the gather
  const float* output = nullptr;  ///< [count][K]
  float* grad_output = nullptr;   ///< [count][K] out, by the objective
  float* kl = nullptr;            ///< [count / 64] out, likewise
};

}  // namespace cupg

CUPG_BEGIN_TARGET

inline constexpr int kGatherThreads = 128;

__device__ __forceinline__ SamplePlace slab_place(const TiledAgents& a, int slot, const LibrarySlab& s, int i) {
  const std::uint32_t position = s.begin + static_cast<std::uint32_t>(i), envs = static_cast<std::uint32_t>(a.envs);
  if (s.kept) return {position % envs * a.capacity + position / envs, 0};
  return place_of(a, slot, sample_at(make_minibatch(a, slot, s.number), position));
}

__global__ void __launch_bounds__(kGatherThreads)
    gather_kernel(const __grid_constant__ TiledAgents a, const __grid_constant__ LibrarySlab s) {
  const int slot = a.chosen[0], i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= s.count || a.state[slot].halted != 0 || a.state[slot].stopped != 0) return;
  const float* const from = samples_of(a, slot) + slab_place(a, slot, s, i).row * a.tile.row().stride();
  float* const x = s.observation + static_cast<std::int64_t>(i) * tile_padded(a.tile.observations);
  for (int o = 0; o < a.tile.observations; ++o) x[o] = from[o];
}

template <class Objective, int A>
__global__ void __launch_bounds__(kTile) objective_kernel(const __grid_constant__ TiledAgents a, const __grid_constant__ LibrarySlab s) {
  CUPG_STATIC_SHARED(LossFields, f);
  const int slot = a.chosen[0], r = static_cast<int>(threadIdx.x), i = static_cast<int>(blockIdx.x) * kTile + r;
  const AgentState& state = a.state[slot];
  if (state.halted != 0 || state.stopped != 0) return;
  const std::uint32_t size = state.count / static_cast<std::uint32_t>(a.minibatches);
  const int rows = s.count - (i - r) < kTile ? s.count - (i - r) : kTile;
  if (r < rows) {
    const SamplePlace place = slab_place(a, slot, s, i);
    gather_fields(a, slot, s.number, place, samples_of(a, slot) + place.row * a.tile.row().stride(), r, f);
    for (int k = 0; k <= A; ++k) f.outputs[k][r] = s.output[static_cast<std::int64_t>(i) * s.outputs + k];
    ObjectiveArgs o = f.args(A);
    o.coefficients = coefficients_of(state);
    o.scale = loss_scale(a.loss, size);
    objective_lanes<Objective, A, A, float>(o, r);
    for (int k = 0; k <= A; ++k) s.grad_output[static_cast<std::int64_t>(i) * s.outputs + k] = f.grad[k][r];
  }
  __syncthreads();
  if (r != 0) return;
  float sum = 0.0f;
  for (int q = 0; q < rows; ++q) sum += f.kl[q];
  s.kl[blockIdx.x] = sum;
}

CUPG_END_TARGET

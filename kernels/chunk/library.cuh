// What surrounds a library's matrix products in the gradient of a minibatch, for a slab of its samples.
//
//   gather     observations side by side, a thread a sample
//   objective  64 samples a block: their fields, outputs -> dJ/d(output), and the sum of the estimates of KL
//
// The agent is chosen[0]. Bound: latency of the gather.
#pragma once
#include "kernels/chunk/gradient.cuh"

namespace cupg {

/// A slab: the positions begin, begin + 1, ... of a minibatch.
struct LibrarySlab {
  int epoch = 0, minibatch = 0;
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

__device__ __forceinline__ SamplePlace slab_place(const ChunkAgents& a, int slot, const LibrarySlab& s, int i) {
  const std::uint32_t position = s.begin + static_cast<std::uint32_t>(i), envs = static_cast<std::uint32_t>(a.agents.envs);
  if (s.kept) return {position % envs * a.capacity + position / envs, 0};
  return place_of(a, slot, sample_at(make_minibatch(a, slot, s.epoch, s.minibatch), position));
}

__global__ void __launch_bounds__(kGatherThreads)
    gather_kernel(const __grid_constant__ ChunkAgents a, const __grid_constant__ LibrarySlab s) {
  const int slot = a.agents.chosen[0], i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= s.count || a.agents.state[slot].halted != 0 || a.progress[slot].stopped != 0) return;
  const float* const from = samples_of(a, slot) + slab_place(a, slot, s, i).row * a.plan.row().stride();
  float* const x = s.observation + static_cast<std::int64_t>(i) * chunk_padded(a.plan.observations);
  for (int o = 0; o < a.plan.observations; ++o) x[o] = from[o];
}

template <class Objective, int A>
__global__ void __launch_bounds__(kChunk) objective_kernel(const __grid_constant__ ChunkAgents a, const __grid_constant__ LibrarySlab s) {
  CUPG_STATIC_SHARED(ChunkFields, f);
  const int slot = a.agents.chosen[0], r = static_cast<int>(threadIdx.x), i = static_cast<int>(blockIdx.x) * kChunk + r;
  const ChunkState& progress = a.progress[slot];
  if (a.agents.state[slot].halted != 0 || progress.stopped != 0) return;
  const std::uint32_t size = progress.count / static_cast<std::uint32_t>(a.minibatches);
  const int rows = s.count - (i - r) < kChunk ? s.count - (i - r) : kChunk;
  if (r < rows) {
    const SamplePlace place = slab_place(a, slot, s, i);
    gather_fields(a, slot, s.epoch, s.minibatch, place, samples_of(a, slot) + place.row * a.plan.row().stride(), r, f);
    for (int k = 0; k <= A; ++k) f.outputs[k][r] = s.output[static_cast<std::int64_t>(i) * s.outputs + k];
    const float scale = a.objective.loss == LossSum::mean ? 1.0f / static_cast<float>(size) : 1.0f;
    objective_lanes<Objective, A, float>({rows, chunk_coefficients(a, progress), 0.0f, 1.0f, scale, f.outputs[0], f.action, f.advantage,
                                          f.target, f.old_log_probability, f.old_value, f.grad[0], f.kl},
                                         r);
    for (int k = 0; k <= A; ++k) s.grad_output[static_cast<std::int64_t>(i) * s.outputs + k] = f.grad[k][r];
  }
  __syncthreads();
  if (r != 0) return;
  float sum = 0.0f;
  for (int q = 0; q < rows; ++q) sum += f.kl[q];
  s.kl[blockIdx.x] = sum;
}

CUPG_END_TARGET

// Moments of the advantages (op.hpp) by CUDA threads, of every minibatch of an update, of the whole batch or of each episode: all groups at
// once, before the first epoch, since advantages do not change in between. The gradient kernel normalizes what it reads, so that nothing
// is written back.
//
//   sum      of a small network: a warp sums its own rows, or the positions of a minibatch that make a partial sum; once for the mean, once
//            for the squared deviations from it. Other networks: kernels/moments/samples.cuh
//   finish   the tree over a group's sums, by a block
//   episode  of a small network: a thread sums its own environment's steps, and that is all
//
// Launch: moment kMomentWarps warps a block, grid.x groups times blocks of a group; finish a block a group; episode kMomentWarps warps a
// block; grid.y agents. Bound: memory; 4 bytes a sample, a cache line a sample where they are gathered.
#pragma once
#include "kernels/agent/agents.hpp"
#include "kernels/reduce/reduce.cuh"
#include "kernels/runtime/runtime.hpp"

CUPG_BEGIN_TARGET

inline constexpr int kMomentWarps = 4, kFinishMomentThreads = 64;

/// Samples of a group.
CUPG_FN std::uint32_t moment_count(const Agents& a, int slot, int group) {
  const std::uint32_t n = a.state[slot].count;
  switch (a.normalize_over) {
    case MomentsOver::minibatch: return n / static_cast<std::uint32_t>(a.minibatches);
    case MomentsOver::episode: return length_of(a, slot)[group];
    default: return n;
  }
}
/// Sums of a group.
CUPG_FN int moment_partials(const Agents& a, int slot, int group) {
  return a.kind == NetworkKind::small && a.normalize_over == MomentsOver::batch ? a.warps
                                                                                : partials_of_samples(a, moment_count(a, slot, group));
}
CUPG_FN float* moment_sums_of(const Agents& a, int slot, int group) {
  return a.moment_sums + (static_cast<std::int64_t>(slot) * a.moment_groups + group) * a.most_moment_partials;
}

/// The lane's sum of (advantage - center), or of its square, over a warp's rows.
template <bool Square>
__device__ __forceinline__ float lane_sum(const Agents& a, int slot, int warp, float center) {
  const RowFeatures f = row_features(a);
  const std::int64_t row = row_index(a, slot, warp);
  return lane_moment<float, Square>(a.rows + row * f.floats() + f.sample.advantage() * kWarp, f.floats(), a.used + row,
                                    rows_of_warp(a, slot, warp), lane_index(), center);
}

/// The same over the positions of a minibatch that make a partial sum.
template <bool Square>
__device__ __forceinline__ float gathered_sum(const Agents& a, int slot, const Minibatch& m, int partial, float center) {
  const RowFeatures f = row_features(a);
  float sum = 0.0f;
  for (int t = 0; t < kPartialRows; ++t) {
    const std::uint32_t position = static_cast<std::uint32_t>(partial * a.partial_samples + t * kWarp + lane_index());
    if (position >= m.size) break;
    const float x = sample_in_rows(a, slot, sample_at(m, position), f.floats())[f.sample.advantage() * kWarp] - center;
    sum = Square ? fma(x, x, sum) : sum + x;
  }
  return sum;
}

/// One of a group's sums, by a warp.
template <bool Square>
__device__ __forceinline__ void moment_warp(const Agents& a, int slot, int group, int partial) {
  const float mean = Square ? moments_of(a, slot)[group].mean : 0.0f;
  float sum;
  if (a.normalize_over == MomentsOver::minibatch) {
    const Minibatch m = make_minibatch(a, slot, {group / a.minibatches, group % a.minibatches});
    sum = gathered_sum<Square>(a, slot, m, partial, mean);
  } else {
    sum = lane_sum<Square>(a, slot, partial, mean);
  }
  sum = butterfly_sum(sum);
  if (lane_index() == 0) moment_sums_of(a, slot, group)[partial] = sum;
}

/// The moment from a group's sums, by a block.
template <bool Square>
__device__ __forceinline__ void finish_moment_block(const Agents& a, int slot, int group) {
  float* const sums = moment_sums_of(a, slot, group);
  block_tree(sums, moment_partials(a, slot, group));
  if (threadIdx.x != 0) return;
  const float count = static_cast<float>(moment_count(a, slot, group));
  Moments& m = moments_of(a, slot)[group];
  if (Square) {
    m = finish_moments(m.mean, sums[0], count);
  } else {
    m.mean = sums[0] / count;
  }
}

/// Of a warp's episodes.
__device__ __forceinline__ void episode_moments(const Agents& a, int slot, int warp) {
  const int environment = warp * kWarp + lane_index();
  if (environment >= a.envs) return;
  const float count = static_cast<float>(moment_count(a, slot, environment)), mean = lane_sum<false>(a, slot, warp, 0.0f) / count;
  moments_of(a, slot)[environment] = finish_moments(mean, lane_sum<true>(a, slot, warp, mean), count);
}

template <bool Square>
__global__ void __launch_bounds__(kMomentWarps* kWarp) moment_kernel(const __grid_constant__ Agents a) {
  const int slot = a.chosen[blockIdx.y], blocks = static_cast<int>(gridDim.x) / a.moment_groups,
            group = static_cast<int>(blockIdx.x) / blocks, partial = static_cast<int>(blockIdx.x) % blocks * kMomentWarps + warp_index();
  if (a.state[slot].halted == 0 && partial < moment_partials(a, slot, group)) moment_warp<Square>(a, slot, group, partial);
}

/// grid.x groups.
template <bool Square>
__global__ void __launch_bounds__(kFinishMomentThreads) finish_moment_kernel(const __grid_constant__ Agents a) {
  const int slot = a.chosen[blockIdx.y];
  if (a.state[slot].halted == 0) finish_moment_block<Square>(a, slot, static_cast<int>(blockIdx.x));
}

__global__ void __launch_bounds__(kMomentWarps* kWarp) episode_moment_kernel(const __grid_constant__ Agents a) {
  const int slot = a.chosen[blockIdx.y], warp = static_cast<int>(blockIdx.x) * kMomentWarps + warp_index();
  if (warp < a.warps && a.state[slot].halted == 0) episode_moments(a, slot, warp);
}

CUPG_END_TARGET

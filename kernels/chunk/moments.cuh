// Mean and standard deviation of stored advantages (kernels/moments/op.hpp), of every minibatch of an update, of the whole batch or of
// each episode: all groups at once, before the first epoch, since advantages do not change in between. The gradient kernel normalises
// what it gathers, so that nothing is written back.
//
//   sum    chunks of 64 positions: gathered by all threads of the block, added in order by one thread a chunk; once for the mean, once for
//          the squared deviations from it
//   finish the tree over a group's chunks, by a block
//
// Launch: kMomentChunks chunks a block; grid.x groups times blocks of a group, grid.y agents. Bound: latency of the gather.
#pragma once
#include "kernels/chunk/agents.hpp"
#include "kernels/reduce/reduce.cuh"
#include "kernels/runtime/runtime.hpp"

CUPG_BEGIN_TARGET

inline constexpr int kMomentChunks = 4, kChunkMomentThreads = kMomentChunks * kChunk, kFinishChunkMomentThreads = 64;

/// Samples of a group.
CUPG_FN std::uint32_t moment_count(const ChunkAgents& a, int slot, int group) {
  const std::uint32_t n = a.progress[slot].count;
  switch (a.normalize_over) {
    case MomentsOver::minibatch: return n / static_cast<std::uint32_t>(a.minibatches);
    case MomentsOver::episode: return a.length[static_cast<std::int64_t>(slot) * a.agents.envs + group];
    default: return n;
  }
}

/// The sums of a group's chunks.
CUPG_FN float* moment_sums_of(const ChunkAgents& a, int slot, int group) {
  return a.moment_sums + (static_cast<std::int64_t>(slot) * a.moment_groups + group) * a.most_moment_chunks;
}

template <bool Square>
__global__ void __launch_bounds__(kChunkMomentThreads) chunk_moment_kernel(const __grid_constant__ ChunkAgents a) {
  constexpr int kStride = kChunk + 1;  // the threads that add read different banks
  CUPG_STATIC_SHARED(float[kMomentChunks * kStride], advantage);
  const int slot = a.agents.chosen[blockIdx.y], blocks = static_cast<int>(gridDim.x) / a.moment_groups,
            group = static_cast<int>(blockIdx.x) / blocks, block = static_cast<int>(blockIdx.x) % blocks,
            thread = static_cast<int>(threadIdx.x);
  if (a.agents.state[slot].halted != 0) return;
  const std::uint32_t count = moment_count(a, slot, group), begin = static_cast<std::uint32_t>(block) * kChunkMomentThreads;
  if (begin >= count) return;
  const int here = static_cast<int>(count - begin < kChunkMomentThreads ? count - begin : kChunkMomentThreads);
  if (thread < here) {
    const std::uint32_t i = begin + static_cast<std::uint32_t>(thread);
    std::int64_t row = static_cast<std::int64_t>(group) * a.capacity + i;  // of an episode
    if (a.normalize_over == MomentsOver::minibatch) {
      row = place_of(a, slot, sample_at(make_minibatch(a, slot, group / a.minibatches, group % a.minibatches), i)).row;
    } else if (a.normalize_over == MomentsOver::batch) {
      row = place_of(a, slot, i).row;
    }
    const SampleRow at = a.plan.row();
    advantage[thread / kChunk * kStride + thread % kChunk] = samples_of(a, slot)[row * at.stride() + at.advantage()];
  }
  __syncthreads();
  if (thread >= chunks_of(static_cast<std::uint32_t>(here))) return;
  const float* const mine = advantage + thread * kStride;
  const int positions = here - thread * kChunk < kChunk ? here - thread * kChunk : kChunk;
  const float mean = Square ? moments_of(a, slot)[group].mean : 0.0f;
  float sum = 0.0f;
  for (int i = 0; i < positions; ++i) sum = Square ? fma(mine[i] - mean, mine[i] - mean, sum) : sum + mine[i];
  moment_sums_of(a, slot, group)[block * kMomentChunks + thread] = sum;
}

/// grid.x groups, grid.y agents.
template <bool Square>
__global__ void __launch_bounds__(kFinishChunkMomentThreads) finish_chunk_moment_kernel(const __grid_constant__ ChunkAgents a) {
  const int slot = a.agents.chosen[blockIdx.y], group = static_cast<int>(blockIdx.x);
  if (a.agents.state[slot].halted != 0) return;
  const std::uint32_t count = moment_count(a, slot, group);
  float* const sums = moment_sums_of(a, slot, group);
  block_tree(sums, chunks_of(count));
  if (threadIdx.x != 0) return;
  Moments& m = moments_of(a, slot)[group];
  if (Square) {
    m = finish_moments(m.mean, sums[0], static_cast<float>(count));
  } else {
    m.mean = sums[0] / static_cast<float>(count);
  }
}

CUPG_END_TARGET

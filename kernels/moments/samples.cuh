// Sums of stored advantages for their moments (kernels/moments/moments.cuh): tiles of 64 positions, gathered by all threads of the block,
// added in order by one thread a tile.
// Launch: kMomentTiles tiles a block; grid.x groups times blocks of a group, grid.y agents. Bound: latency of the gather.
#pragma once
#include "kernels/agent/tiled.hpp"
#include "kernels/moments/moments.cuh"
#include "kernels/runtime/runtime.hpp"

CUPG_BEGIN_TARGET

inline constexpr int kMomentTiles = 4, kTileMomentThreads = kMomentTiles * kTile;

inline constexpr int kMomentStride = kTile + 1;  ///< the threads that add read different banks
inline constexpr int kMomentFloats = kMomentTiles * kMomentStride;

/// Sums of a group's tiles kMomentTiles * block, ..., by a block; `advantage` [kMomentFloats] in shared memory.
template <bool Square>
__device__ __forceinline__ void tile_moment_block(const TiledAgents& a, int slot, int group, int block, float* advantage) {
  const int thread = static_cast<int>(threadIdx.x);
  const std::uint32_t count = moment_count(a, slot, group), begin = static_cast<std::uint32_t>(block) * kTileMomentThreads;
  if (begin >= count) return;
  const int here = static_cast<int>(count - begin < kTileMomentThreads ? count - begin : kTileMomentThreads);
  for (int k = thread; k < here; k += static_cast<int>(blockDim.x)) {
    const std::uint32_t i = begin + static_cast<std::uint32_t>(k);
    std::int64_t row = static_cast<std::int64_t>(group) * a.capacity + i;  // of an episode
    if (a.normalize_over == MomentsOver::minibatch) {
      row = place_of(a, slot, sample_at(make_minibatch(a, slot, {group / a.minibatches, group % a.minibatches}), i)).row;
    } else if (a.normalize_over == MomentsOver::batch) {
      row = place_of(a, slot, i).row;
    }
    const SampleRow at = a.tile.row();
    advantage[k / kTile * kMomentStride + k % kTile] = samples_of(a, slot)[row * at.stride() + at.advantage()];
  }
  __syncthreads();
  if (thread >= tiles_of(here)) return;
  const float* const mine = advantage + thread * kMomentStride;
  const int positions = here - thread * kTile < kTile ? here - thread * kTile : kTile;
  const float mean = Square ? moments_of(a, slot)[group].mean : 0.0f;
  float sum = 0.0f;
  for (int i = 0; i < positions; ++i) sum = Square ? fma(mine[i] - mean, mine[i] - mean, sum) : sum + mine[i];
  moment_sums_of(a, slot, group)[block * kMomentTiles + thread] = sum;
}

template <bool Square>
__global__ void __launch_bounds__(kTileMomentThreads) tile_moment_kernel(const __grid_constant__ TiledAgents a) {
  CUPG_STATIC_SHARED(float[kMomentFloats], advantage);
  const int slot = a.chosen[blockIdx.y], blocks = static_cast<int>(gridDim.x) / a.moment_groups;
  if (a.state[slot].halted == 0)
    tile_moment_block<Square>(a, slot, static_cast<int>(blockIdx.x) / blocks, static_cast<int>(blockIdx.x) % blocks, advantage);
}

CUPG_END_TARGET

// The ops of updates that run in chunks as launches, for the first `count` agents of agents.chosen.
#pragma once
#include <algorithm>

#include "envs/registry.hpp"
#include "kernels/advantage/rows.cuh"
#include "kernels/chunk/gradient.cuh"
#include "kernels/chunk/moments.cuh"
#include "kernels/chunk/step.cuh"
#include "kernels/collect/collect.cuh"

CUPG_BEGIN_TARGET

[[noreturn]] inline void refuse_objective() {
  throw Error(ErrorKind::missing, "algo: this CUDA engine was compiled without the objective; expected one that it knows, or device = cpu");
}

inline unsigned blocks_of(std::int64_t items, std::int64_t a_block) { return static_cast<unsigned>((items + a_block - 1) / a_block); }

/// Threads for tiles of `units` x 4 rows of the widest layer of every tower: whole warps, at most `most`.
inline unsigned tile_threads(const ChunkPlan& plan, int units, int rows, unsigned most) {
  unsigned tiles = 0;
  for (int tower = 0; tower < plan.towers; ++tower) {
    int widest = 1;
    for (int l = 0; l < plan.tower[tower].layers; ++l) widest = std::max(widest, plan.tower[tower].hidden[l].out);
    tiles += blocks_of(widest, units) * blocks_of(rows, 4);
  }
  return std::min(most, blocks_of(tiles, kWarp) * kWarp);
}

inline unsigned collect_threads(const ChunkAgents& a) { return tile_threads(a.plan, 1, std::min(a.agents.envs, kWarp), kCollectThreads); }
inline unsigned gradient_threads(const ChunkAgents& a) {
  return std::max<unsigned>(kChunk, tile_threads(a.plan, 4, kChunk, kChunkThreads));
}

inline void launch_collect(runtime::Stream& stream, int environment, const ChunkAgents& a, int count, unsigned threads) {
  if (count == 0) return;
  with_environment(environment, [&]<class Env>() {
    runtime::launch(stream, "collect", collect_kernel<Env>, dim3(static_cast<unsigned>(a.agents.warps), static_cast<unsigned>(count)),
                    dim3(threads), sizeof(float) * static_cast<std::size_t>(collect_floats(a)), a);
  });
}

inline void launch_count(runtime::Stream& stream, const ChunkAgents& a, int count) {
  if (count == 0) return;
  runtime::launch(stream, "count", count_kernel, dim3(static_cast<unsigned>(count)), dim3(kCountThreads), 0, a);
}

inline void launch_row_advantage(runtime::Stream& stream, const ChunkAgents& a, int count) {
  if (count == 0) return;
  const dim3 grid(blocks_of(a.agents.envs, kRowAdvantageThreads), static_cast<unsigned>(count));
  runtime::launch(stream, "row_advantage", row_advantage_kernel, grid, dim3(kRowAdvantageThreads), 0, a);
}

/// Of groups of at most `chunks` chunks.
inline void launch_chunk_moments(runtime::Stream& stream, const ChunkAgents& a, int count, int chunks) {
  if (count == 0 || a.normalize_over == MomentsOver::nothing) return;
  const unsigned groups = static_cast<unsigned>(a.moment_groups), agents = static_cast<unsigned>(count);
  const auto sum = [&]<bool Square>() {
    runtime::launch(stream, "chunk_moment", chunk_moment_kernel<Square>, dim3(groups * blocks_of(chunks, kMomentChunks), agents),
                    dim3(kChunkMomentThreads), 0, a);
    runtime::launch(stream, "finish_chunk_moment", finish_chunk_moment_kernel<Square>, dim3(groups, agents),
                    dim3(kFinishChunkMomentThreads), 0, a);
  };
  sum.template operator()<false>();
  sum.template operator()<true>();
}

/// Of a minibatch of at most `chunks` chunks.
inline void launch_chunk_gradient(runtime::Stream& stream, int environment, int objective, const ChunkAgents& a, int count, int chunks,
                                  int epoch, int minibatch, unsigned threads) {
  if (count == 0) return;
  const dim3 grid(static_cast<unsigned>(chunks), static_cast<unsigned>(count));
  with_environment(environment, [&]<class Env>() {
    const auto launch = [&]<class Objective>() {
      runtime::launch(stream, "chunk_gradient", chunk_gradient_kernel<Objective, Env::kActions>, grid, dim3(threads),
                      sizeof(float) * static_cast<std::size_t>(gradient_floats(a)), a, epoch, minibatch);
    };
    with_objective(objective, launch, refuse_objective);
  });
}

/// The optimizer step with that gradient.
inline void launch_chunk_step(runtime::Stream& stream, const ChunkAgents& a, int count, int chunks, int epoch, int minibatch) {
  if (count == 0) return;
  const unsigned agents = static_cast<unsigned>(count);
  ChunkStepArgs step{epoch, minibatch, 1};
  for (int left = chunks; left > kRun; left = static_cast<int>(blocks_of(left, kRun)), step.spacing *= kRun) {
    const dim3 grid(blocks_of(left, kRun), agents, blocks_of(a.plan.parameters + 1, kReduceThreads));
    runtime::launch(stream, "chunk_reduce", chunk_reduce_kernel, grid, dim3(kReduceThreads), 0, a, step.spacing);
  }
  runtime::launch(stream, "chunk_step", chunk_step_kernel, dim3(agents), dim3(kChunkStepThreads),
                  sizeof(float) * static_cast<std::size_t>(parameter_stride(a.agents)), a, step);
}

inline void launch_chunk_pack(runtime::Stream& stream, const ChunkAgents& a, int count) {
  if (count == 0) return;
  runtime::launch(stream, "chunk_pack", chunk_pack_kernel, dim3(static_cast<unsigned>(count)), dim3(kChunkStepThreads), 0, a);
}

CUPG_END_TARGET

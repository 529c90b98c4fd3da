// What cuda_launch.hpp declares: which variant of a kernel, how many blocks, how much shared memory. For one source of a program.
#pragma once
#include <algorithm>

#include "cupg/error.hpp"
#include "envs/registry.hpp"
#include "kernels/advantage/advantage.cuh"
#include "kernels/evaluate/evaluate.cuh"
#include "kernels/metrics/metrics.cuh"
#include "kernels/moments/moments.cuh"
#include "kernels/moments/samples.cuh"
#include "kernels/network/small/gradient.cuh"
#include "kernels/network/tiled/gradient.cuh"
#include "kernels/optimizer/optimizer.cuh"
#include "kernels/population/fused.cuh"
#include "kernels/reduce/reduce.cuh"
#include "kernels/rollout/count.cuh"
#include "kernels/rollout/rollout.cuh"
#include "kernels/rollout/steps.cuh"
#include "src/engine/cuda_launch.hpp"

CUPG_BEGIN_TARGET

// ---- variants

/// The width that has kernels of its own: the default network's, one shared layer of 16 ReLU units, keeps its weights in registers.
inline constexpr int kFixedWidth = 16;

/// f.template operator()<Environment, Activation, shared, width or 0>() for what the agents have.
template <class F>
void with_variant(int environment, const NetworkPlan& plan, F f) {
  with_environment(environment, [&]<class Env>() {
    if constexpr (Env::kActions == 2)
      if (plan.shared && !plan.tanh && plan.policy.layers == 1 && plan.policy.width1 == kFixedWidth)
        return f.template operator()<Env, Relu, true, kFixedWidth>();
    if (plan.tanh) return plan.shared ? f.template operator()<Env, Tanh, true, 0>() : f.template operator()<Env, Tanh, false, 0>();
    return plan.shared ? f.template operator()<Env, Relu, true, 0>() : f.template operator()<Env, Relu, false, 0>();
  });
}

[[noreturn]] inline void refuse_objective() {
  throw Error(ErrorKind::missing, "algo: this CUDA engine was compiled without the objective; expected one that it knows, or device = cpu");
}
/// Throws where the kernels do not know the objective of this number.
inline void expect_objective(int number) {
  with_objective(
      number, [&]<class Objective>() {}, refuse_objective);
}

// ---- shapes

/// Most agents of a launch: CUDA has no more blocks in y, where most kernels count them.
inline constexpr int kMostLaunchedAgents = 65'535;

inline unsigned blocks_of(std::int64_t items, std::int64_t a_block) { return static_cast<unsigned>((items + a_block - 1) / a_block); }
/// Blocks in x, agents in y.
inline dim3 agent_grid(unsigned blocks, int count) { return dim3(blocks, static_cast<unsigned>(count)); }
inline dim3 warp_grid(int warps, int warps_a_block, int count) { return agent_grid(blocks_of(warps, warps_a_block), count); }
inline dim3 warp_block(int warps) { return dim3(static_cast<unsigned>(warps * kWarp)); }

inline std::size_t float_bytes(std::int64_t floats) { return sizeof(float) * static_cast<std::size_t>(floats); }
/// Shared memory of kernels that keep the weights there, and scratch for each warp.
inline std::size_t weights_bytes(const Agents& a, int warps) { return float_bytes(packed_stride(a) + warps * warp_scratch(a.plan)); }

/// Threads for tiles of `units` x 4 rows of the widest layer of every tower: whole warps, at most `most`.
inline unsigned tile_threads(const TilePlan& plan, int units, int rows, unsigned most) {
  unsigned tiles = 0;
  for (int tower = 0; tower < plan.towers; ++tower) {
    int widest = 1;
    for (int l = 0; l < plan.tower[tower].layers; ++l) widest = std::max(widest, plan.tower[tower].hidden[l].out);
    tiles += blocks_of(widest, units) * blocks_of(rows, 4);
  }
  return std::min(most, blocks_of(tiles, kWarp) * kWarp);
}
unsigned collect_threads(const TiledAgents& a) { return tile_threads(a.tile, 1, std::min(a.envs, kWarp), kCollectThreads); }
unsigned gradient_threads(const TiledAgents& a) { return std::max<unsigned>(kTile, tile_threads(a.tile, 4, kTile, kTileThreads)); }

// ---- making agents

void launch_reset(runtime::Stream& stream, int environment, const Agents& a, int count) {
  if (count == 0) return;
  with_environment(environment, [&]<class Env>() {
    runtime::launch(stream, "reset", reset_kernel<Env>, agent_grid(blocks_of(a.warps * kWarp, kReduceThreads), count), dim3(kReduceThreads),
                    0, a);
  });
}

void launch_pack(runtime::Stream& stream, const TiledAgents& a, int count) {
  if (count == 0) return;
  runtime::launch(stream, "pack", pack_kernel, dim3(static_cast<unsigned>(count)), dim3(kOptimizerThreads), 0, a);
}

// ---- samples

void launch_rollout(runtime::Stream& stream, int environment, const Agents& a, int count) {
  if (count == 0) return;
  with_variant(environment, a.plan, [&]<class Env, class Act, bool Shared, int H>() {
    runtime::launch(stream, "rollout", rollout_kernel<Env, Act, Shared, H>, warp_grid(a.warps, kRolloutWarps, count),
                    warp_block(kRolloutWarps), weights_bytes(a, kRolloutWarps), a);
  });
}

void launch_collect(runtime::Stream& stream, int environment, const TiledAgents& a, int count, unsigned threads) {
  if (count == 0) return;
  with_environment(environment, [&]<class Env>() {
    runtime::launch(stream, "collect", collect_kernel<Env>, warp_grid(a.warps, 1, count), dim3(threads), float_bytes(collect_floats(a)), a);
  });
}

void launch_count(runtime::Stream& stream, const Agents& a, int count) {
  if (count == 0) return;
  runtime::launch(stream, "count", count_kernel, dim3(static_cast<unsigned>(count)), dim3(kCountThreads), 0, a);
}

void launch_advantage(runtime::Stream& stream, const TiledAgents& a, int count) {
  if (count == 0) return;
  const dim3 grid = agent_grid(blocks_of(a.envs, kAdvantageThreads), count), block(kAdvantageThreads);
  if (a.kind == NetworkKind::small) {
    runtime::launch(stream, "row_advantage", row_advantage_kernel, grid, block, 0, a);
  } else {
    runtime::launch(stream, "sample_advantage", sample_advantage_kernel, grid, block, 0, a);
  }
}

void launch_moments(runtime::Stream& stream, const TiledAgents& a, int count, int partials) {
  if (count == 0 || a.normalize_over == MomentsOver::nothing) return;
  if (a.kind == NetworkKind::small && a.normalize_over == MomentsOver::episode) {
    runtime::launch(stream, "episode_moment", episode_moment_kernel, warp_grid(a.warps, kMomentWarps, count), warp_block(kMomentWarps), 0,
                    a);
    return;
  }
  const unsigned groups = static_cast<unsigned>(a.moment_groups);
  const auto sum = [&]<bool Square>() {
    if (a.kind == NetworkKind::small) {
      runtime::launch(stream, "moment", moment_kernel<Square>, agent_grid(groups * blocks_of(partials, kMomentWarps), count),
                      warp_block(kMomentWarps), 0, a);
    } else {
      runtime::launch(stream, "tile_moment", tile_moment_kernel<Square>, agent_grid(groups * blocks_of(partials, kMomentTiles), count),
                      dim3(kTileMomentThreads), 0, a);
    }
    runtime::launch(stream, "finish_moment", finish_moment_kernel<Square>, agent_grid(groups, count), dim3(kFinishMomentThreads), 0, a);
  };
  sum.template operator()<false>();
  sum.template operator()<true>();
}

// ---- gradients and steps, of a minibatch with at most `partials` partial sums

void launch_gradient(runtime::Stream& stream, int environment, const Agents& a, int count, int partials, MinibatchNumber number) {
  if (count == 0) return;
  expect_objective(a.objective_number);
  with_variant(environment, a.plan, [&]<class Env, class Act, bool Shared, int H>() {
    runtime::launch(stream, "gradient", gradient_kernel<Env, Act, Shared, H>, warp_grid(partials, kGradientWarps, count),
                    warp_block(kGradientWarps), weights_bytes(a, 0), a, number);
  });
}

void launch_tile_gradient(runtime::Stream& stream, int environment, const TiledAgents& a, int count, int partials, MinibatchNumber number,
                          unsigned threads) {
  if (count == 0) return;
  expect_objective(a.objective_number);
  with_environment(environment, [&]<class Env>() {
    runtime::launch(stream, "tile_gradient", tile_gradient_kernel<Env::kActions>, warp_grid(partials, 1, count), dim3(threads),
                    float_bytes(gradient_floats(a)), a, number);
  });
}

void launch_optimizer(runtime::Stream& stream, const TiledAgents& a, int count, int partials, MinibatchNumber number) {
  if (count == 0) return;
  const int spacing = launch_reduce(stream, a, count, partials);
  runtime::launch(stream, "optimizer", optimizer_kernel, dim3(static_cast<unsigned>(count)), dim3(kOptimizerThreads),
                  float_bytes(parameter_stride(a)), a, number, spacing);
}

// ---- what updates did

void launch_measure(runtime::Stream& stream, int environment, const TiledAgents& a, int count) {
  if (count == 0) return;
  expect_objective(a.objective_number);
  const int warps = measured_warps(a.warps);
  with_variant(environment, a.plan, [&]<class Env, class Act, bool Shared, int>() {
    runtime::launch(stream, "measure", measure_kernel<Env, Act, Shared>, dim3(static_cast<unsigned>(count)), warp_block(warps),
                    float_bytes(measure_floats(a, warps)), a);
  });
}

// ---- evaluations

void launch_evaluate(runtime::Stream& stream, int environment, const Agents& a, const EvaluateKernelArgs& job, int count) {
  if (count == 0) return;
  with_variant(environment, a.plan, [&]<class Env, class Act, bool Shared, int H>() {
    runtime::launch(stream, "evaluate", evaluate_kernel<Env, Act, Shared, H>,
                    warp_grid((job.episodes + kWarp - 1) / kWarp, kEvaluateWarps, count), warp_block(kEvaluateWarps),
                    weights_bytes(a, kEvaluateWarps), a, job);
  });
}

// ---- whole agents

/// Warps of an SM that registers leave room for, and those below which shared memory is too dear for rows.
inline constexpr int kResidentWarps = 12, kFewestWarps = 8;

bool fuses(int environment, const Agents& a) {
  bool fixed = false;
  with_variant(environment, a.plan, [&]<class Env, class Act, bool Shared, int H>() { fixed = H > 0; });
  return fixed && a.kind == NetworkKind::small && !a.episodes && a.epochs == 1 && a.minibatches == 1;
}

std::size_t population_bytes(const TiledAgents& a, const PopulationShape& shape) {
  if (a.kind == NetworkKind::tiled) return float_bytes(tile_population_floats(a));
  return float_bytes(shape.fused ? fused_layout(a, shape.block_warps, shape.keep, shape.shared_rows).floats
                                 : population_floats(a, shape.block_warps));
}

int row_warps(const Agents& a, const PopulationShape& shape) {
  return !shape.fused ? a.warps : shape.shared_rows ? measured_warps(a.warps) : kept_warps(a, shape.block_warps);
}

PopulationShape population_shape(const DeviceProperties& device, int environment, const TiledAgents& a) {
  PopulationShape shape;
  if (a.kind == NetworkKind::tiled) {
    shape.block_warps = static_cast<int>(std::max(collect_threads(a), gradient_threads(a))) / kWarp;
    return shape;
  }
  shape.fused = fuses(environment, a);
  shape.block_warps = std::min(std::max(a.warps, shape.fused ? 1 : a.most_partials), kPopulationWarps);
  if (!shape.fused) return shape;
  constexpr std::int64_t kReserved = 2048;  // what the system and static variables take of an SM for each block
  const auto bytes = [&](bool keep, bool rows) {
    return static_cast<std::int64_t>(population_bytes(a, {shape.block_warps, keep, rows, true}));
  };
  const auto resident = [&](std::int64_t need) {
    if (!shared_memory_fits(device, need)) return std::int64_t{0};
    const std::int64_t blocks = std::max<std::int64_t>(1, device.shared_memory_sm / (need + kReserved));
    return std::min<std::int64_t>(kResidentWarps, shape.block_warps * blocks);
  };
  shape.keep = shared_memory_fits(device, bytes(true, false)) && resident(bytes(true, false)) == resident(bytes(false, false));
  shape.shared_rows = resident(bytes(shape.keep, true)) >= kFewestWarps;
  return shape;
}

void launch_population(runtime::Stream& stream, int environment, const TiledAgents& a, const PopulationShape& shape, int updates,
                       int count) {
  if (count == 0 || updates == 0) return;
  expect_objective(a.objective_number);
  const PopulationArgs args{updates, shape.keep};
  const auto run = [&](const char* name, auto kernel, const auto& agents) {
    runtime::launch(stream, name, kernel, dim3(static_cast<unsigned>(count)), warp_block(shape.block_warps), population_bytes(a, shape),
                    agents, args);
  };
  if (a.kind == NetworkKind::tiled)
    return with_environment(environment, [&]<class Env>() { run("tile_population", tile_population_kernel<Env>, a); });
  with_variant(environment, a.plan, [&]<class Env, class Act, bool Shared, int H>() {
    if constexpr (H > 0) {
      const Agents& agents = a;
      if (shape.fused)
        return run("fused", shape.shared_rows ? fused_kernel<Env, Act, Shared, H, true> : fused_kernel<Env, Act, Shared, H, false>, agents);
    }
    run("population", population_kernel<Env, Act, Shared>, a);
  });
}

CUPG_END_TARGET

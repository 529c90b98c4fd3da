// The ops as launches: which variant of a kernel, how many blocks, how much shared memory. Each enqueues on the stream for the first
// `count` agents of agents.chosen and returns at once where there are none.
#pragma once
#include <algorithm>

#include "envs/registry.hpp"
#include "kernels/advantage/advantage.cuh"
#include "kernels/evaluate/evaluate.cuh"
#include "kernels/gradient/gradient.cuh"
#include "kernels/moments/moments.cuh"
#include "kernels/optimizer/optimizer.cuh"
#include "kernels/population/population.cuh"
#include "kernels/reduce/reduce.cuh"
#include "kernels/rollout/rollout.cuh"

CUPG_BEGIN_TARGET

/// The width that has kernels of its own: the default network's, one shared layer of 16 ReLU units, keeps its weights in registers.
inline constexpr int kFixedWidth = 16;

/// f.template operator()<Environment, Activation, shared, width or 0>() for what the agents have.
template <class Env, class F>
void with_network_variant(const NetworkPlan& plan, F f) {
  if constexpr (Env::kActions == 2)
    if (plan.shared && !plan.tanh && plan.policy.layers == 1 && plan.policy.width1 == kFixedWidth)
      return f.template operator()<Env, Relu, true, kFixedWidth>();
  if (plan.tanh) return plan.shared ? f.template operator()<Env, Tanh, true, 0>() : f.template operator()<Env, Tanh, false, 0>();
  return plan.shared ? f.template operator()<Env, Relu, true, 0>() : f.template operator()<Env, Relu, false, 0>();
}
/// For updates in lanes.
template <class F>
void with_variant(int environment, const NetworkPlan& plan, F f) {
  with_counting_environment(environment, [&]<class Env>() { with_network_variant<Env>(plan, f); });
}

/// Most agents of a launch: CUDA has no more blocks in y, where most kernels count them.
inline constexpr int kMostLaunchedAgents = 65'535;

inline dim3 warp_grid(int warps, int warps_a_block, int count) {
  return dim3(static_cast<unsigned>((warps + warps_a_block - 1) / warps_a_block), static_cast<unsigned>(count));
}
inline dim3 warp_block(int warps) { return dim3(static_cast<unsigned>(warps * kWarp)); }
/// Shared memory of kernels that keep the weights there, and scratch for each warp.
inline std::size_t weights_bytes(const Agents& a, int warps) {
  return sizeof(float) * static_cast<std::size_t>(packed_stride(a) + warps * warp_scratch(a.plan));
}

inline void launch_reset(runtime::Stream& stream, int environment, const Agents& a, int count) {
  if (count == 0) return;
  with_environment(environment, [&]<class Env>() {
    const dim3 grid(static_cast<unsigned>((a.warps * kWarp + kReduceThreads - 1) / kReduceThreads), static_cast<unsigned>(count));
    runtime::launch(stream, "reset", reset_kernel<Env>, grid, dim3(kReduceThreads), 0, a);
  });
}

inline void launch_rollout(runtime::Stream& stream, int environment, const Agents& a, int count) {
  if (count == 0) return;
  with_variant(environment, a.plan, [&]<class Env, class Act, bool Shared, int H>() {
    runtime::launch(stream, "rollout", rollout_kernel<Env, Act, Shared, H>, warp_grid(a.warps, kRolloutWarps, count),
                    warp_block(kRolloutWarps), weights_bytes(a, kRolloutWarps), a);
  });
}

inline void launch_advantage(runtime::Stream& stream, int environment, const Agents& a, int count) {
  if (count == 0) return;
  with_variant(environment, a.plan, [&]<class Env, class Act, bool Shared, int H>() {
    runtime::launch(stream, "advantage", advantage_kernel<Env::kObservations>, warp_grid(a.warps, kAdvantageWarps, count),
                    warp_block(kAdvantageWarps), 0, a);
  });
}

inline void launch_moments(runtime::Stream& stream, int environment, const Agents& a, int count) {
  if (count == 0) return;
  with_variant(environment, a.plan, [&]<class Env, class Act, bool Shared, int H>() {
    const auto sum = [&]<bool Square>() {
      runtime::launch(stream, "moment", moment_kernel<Square, Env::kObservations>, warp_grid(a.warps, kMomentWarps, count),
                      warp_block(kMomentWarps), 0, a);
      runtime::launch(stream, "finish_moment", finish_moment_kernel<Square>, dim3(static_cast<unsigned>(count)), dim3(kFinishMomentThreads),
                      0, a);
    };
    sum.template operator()<false>();
    sum.template operator()<true>();
  });
}

/// side_by_side: warps of one agent that run at the same time, at most; the workspaces are counted by them.
inline void launch_gradient(runtime::Stream& stream, int environment, const Agents& a, int count, int side_by_side) {
  if (count == 0) return;
  with_variant(environment, a.plan, [&]<class Env, class Act, bool Shared, int H>() {
    runtime::launch(stream, "gradient", gradient_kernel<Act, Env::kObservations, Shared, H>,
                    warp_grid(std::min(a.warps, side_by_side), kGradientWarps, count), warp_block(kGradientWarps), weights_bytes(a, 0), a);
  });
}

inline void launch_optimizer(runtime::Stream& stream, const Agents& a, int count) {
  if (count == 0) return;
  runtime::launch(stream, "optimizer", optimizer_kernel, dim3(static_cast<unsigned>(count)), dim3(kOptimizerThreads), 0, a);
}

inline void launch_evaluate(runtime::Stream& stream, int environment, const Agents& a, const EvaluateKernelArgs& job, int count) {
  if (count == 0) return;
  const auto launch = [&]<class Env, class Act, bool Shared, int H>() {
    runtime::launch(stream, "evaluate", evaluate_kernel<Env, Act, Shared, H>,
                    warp_grid((job.episodes + kWarp - 1) / kWarp, kEvaluateWarps, count), warp_block(kEvaluateWarps),
                    weights_bytes(a, kEvaluateWarps), a, job);
  };
  with_environment(environment, [&]<class Env>() { with_network_variant<Env>(a.plan, launch); });
}

/// How the population kernel runs.
struct PopulationShape {
  int block_warps = 1;
  bool keep = true;         ///< parameters, optimiser state and partial sums in shared memory
  bool shared_rows = true;  ///< trajectories in shared memory
  std::size_t bytes = 0;    ///< of shared memory
};

/// Warps of an SM that registers leave room for, and those below which shared memory is too dear for trajectories.
inline constexpr int kResidentWarps = 12, kFewestWarps = 8;

inline PopulationShape population_shape(const DeviceProperties& device, const Agents& a, int observations) {
  constexpr std::int64_t kReserved = 2048;  // what the system and static variables take of an SM for each block
  PopulationShape shape;
  shape.block_warps = std::min(a.warps, kPopulationWarps);
  const auto bytes = [&](bool keep, bool rows) {
    return static_cast<std::int64_t>(sizeof(float)) *
           population_layout(a, shape.block_warps, observations, warp_scratch(a.plan), keep, rows).floats;
  };
  const auto resident = [&](std::int64_t need) {
    if (!shared_memory_fits(device, need)) return std::int64_t{0};
    const std::int64_t blocks = std::max<std::int64_t>(1, device.shared_memory_sm / (need + kReserved));
    return std::min<std::int64_t>(kResidentWarps, shape.block_warps * blocks);
  };
  shape.keep = resident(bytes(true, false)) == resident(bytes(false, false));
  shape.shared_rows = resident(bytes(shape.keep, true)) >= kFewestWarps;
  shape.bytes = static_cast<std::size_t>(bytes(shape.keep, shape.shared_rows));
  return shape;
}

inline void launch_population(runtime::Stream& stream, int environment, const Agents& a, const PopulationShape& shape, int updates,
                              int count) {
  if (count == 0 || updates == 0) return;
  const PopulationArgs args{updates, shape.keep};
  with_variant(environment, a.plan, [&]<class Env, class Act, bool Shared, int H>() {
    const auto run = [&](auto kernel) {
      runtime::launch(stream, "population", kernel, dim3(static_cast<unsigned>(count)), warp_block(shape.block_warps), shape.bytes, a,
                      args);
    };
    if (shape.shared_rows) {
      run(population_kernel<Env, Act, Shared, H, true>);
    } else {
      run(population_kernel<Env, Act, Shared, H, false>);
    }
  });
}

CUPG_END_TARGET

// Many agents at once: a block trains one agent for many updates inside one launch, by the bodies that the large-batch kernels call, one
// after the other. An agent's arrays lie in global memory; what a block reads again and again stays in the caches, since only as many
// agents as there are blocks on the device are under way. Whatever the algorithm, the host has no part in it.
//
//   every update:  rollout -> count -> advantage -> moments -> for every epoch and minibatch { gradient -> tree -> optimizer }
//
// An agent that is watched (kernels/agent/watch.hpp) pauses where somebody must look at it. One of a small network is checked by its
// block where that is due, and goes on where the check fails.
// Launch: grid.x agents. Small networks: up to kPopulationWarps warps of 168 registers, as the rollout; tiled ones: up to kTileThreads
// threads. Bound: as each of the ops.
#pragma once
#include "kernels/advantage/advantage.cuh"
#include "kernels/evaluate/op.hpp"
#include "kernels/metrics/metrics.cuh"
#include "kernels/moments/moments.cuh"
#include "kernels/moments/samples.cuh"
#include "kernels/network/small/gradient.cuh"
#include "kernels/network/tiled/gradient.cuh"
#include "kernels/optimizer/optimizer.cuh"
#include "kernels/rollout/count.cuh"
#include "kernels/rollout/rollout.cuh"
#include "kernels/rollout/steps.cuh"

namespace cupg {

inline constexpr int kPopulationWarps = 4;

struct PopulationArgs {
  int updates = 0;
  bool keep = true;  ///< fused.cuh: parameters, optimizer state and partial sums in shared memory
};

/// Floats of shared memory of a block of a small network: weights, gradient, scratch of each warp. The counts of environments take the
/// scratch's place.
CUPG_FN std::int64_t population_floats(const Agents& a, int block_warps) {
  return packed_stride(a) + parameter_stride(a) + static_cast<std::int64_t>(block_warps) * warp_scratch(a.plan);
}
/// Of a tiled network: of whatever is under way.
CUPG_FN std::int64_t tile_population_floats(const TiledAgents& a) {
  std::int64_t most = kMomentFloats;
  for (const std::int64_t floats : {std::int64_t{collect_floats(a)}, std::int64_t{gradient_floats(a)}, std::int64_t{parameter_stride(a)},
                                    std::int64_t{kTileThreads}, measure_floats(a, kTileThreads / kWarp)})
    most = floats > most ? floats : most;
  return most;
}

}  // namespace cupg

CUPG_BEGIN_TARGET

/// The check of an agent that is due, by all warps of the block: whether it trains on. `returns` [4 * 32] in shared memory.
template <class Env, class Act, bool Shared, class Plan>
__device__ __forceinline__ void play_check(const Agents& agents, const Plan& plan, const float* weights, int slot, float* returns,
                                           Next& next) {
  static_assert(kCheckEpisodes <= 4 * kWarp, "the scratch of one warp holds their returns");
  EvaluateArgs a;
  a.episodes = kCheckEpisodes;
  a.max_episode_steps = agents.max_episode_steps;
  a.key = agents.state[slot].key;
  a.block = check_block(agents.watch[slot].checks);
  a.allowed_deficit = 1e300;
  a.returns = returns;
  const ThreadWeights<Plan> w(weights);
  double deficit = 0;
  for (int warp = warp_index(); warp * kWarp < kCheckEpisodes; warp += static_cast<int>(blockDim.x) / kWarp)
    play<Env, Act, Shared, float>(a, plan, w.data, warp, lane_index(), static_cast<float*>(nullptr), deficit);
  __syncthreads();
  if (threadIdx.x == 0) next = check_fails(agents, slot, returns) && agents.watch[slot].looks < kMostLooks ? Next::train : Next::pause;
}

/// The moments of all groups, by a block; sum.template operator()<Square>(group) computes a group's sums.
template <class F>
__device__ __forceinline__ void moments_block(const Agents& a, int slot, F sum) {
  const auto groups = [&]<bool Square>() {
    for (int group = 0; group < a.moment_groups; ++group) sum.template operator()<Square>(group);
    __syncthreads();
    for (int group = 0; group < a.moment_groups; ++group) finish_moment_block<Square>(a, slot, group);
    __syncthreads();
  };
  groups.template operator()<false>();
  groups.template operator()<true>();
}

/// An agent's updates. Ops: what depends on the network, each by all threads of the block, which has met before and meets after it.
template <class Ops>
__device__ __forceinline__ void train_block(const TiledAgents& a, int slot, int updates, const Ops& ops, float* gradient, float& kl,
                                            Next& next) {
  AgentState& state = a.state[slot];
  float* const partials = partials_of(a, slot);
  for (int update = 0; update < updates; ++update) {
    ops.rollout();
    __syncthreads();
    count_block(a, slot, ops.counts());
    __syncthreads();
    ops.advantage();
    __syncthreads();
    if (a.normalize_over != MomentsOver::nothing) ops.moments();
    for (int epoch = 0; epoch < a.epochs; ++epoch)
      for (int m = 0; m < a.minibatches && state.stopped == 0; ++m) {
        const int count = partials_of_samples(a, minibatch_size(a, state));
        ops.gradient({epoch, m});
        __syncthreads();
        const bool many = count > kRun;  // than a step sums itself
        if (many) {
          for (int i = static_cast<int>(threadIdx.x); i < a.partial_columns; i += static_cast<int>(blockDim.x))
            column_tree(partials + i, count, partial_stride(a));
          __syncthreads();
        }
        const bool made = optimizer_block(a, slot, {epoch, m}, many ? count : 1, gradient, kl);
        __syncthreads();
        if (!made) return;
      }
    if (threadIdx.x == 0) {
      next = end_update(a, slot);
      if (!Ops::kChecks && next == Next::check) next = Next::pause;
    }
    __syncthreads();
    if (was_measured(a.watch[slot], state)) {
      ops.measure();
      __syncthreads();
    }
    if constexpr (Ops::kChecks)
      if (next == Next::check) {
        ops.check(next);
        __syncthreads();
      }
    if (next != Next::train) {
      if (threadIdx.x == 0) state.halted = kPaused;
      return;
    }
  }
}

template <class Env, class Act, bool Shared>
struct SmallOps {
  static constexpr bool kChecks = true;
  const TiledAgents& a;
  const int slot;
  float *const weights, *const scratch;
  EpisodeCounts& tally;
  const int warp0 = warp_index(), warps = static_cast<int>(blockDim.x) / kWarp;

  __device__ __forceinline__ float* my_scratch() const { return scratch + warp0 * warp_scratch(a.plan); }
  __device__ __forceinline__ std::uint32_t* counts() const { return reinterpret_cast<std::uint32_t*>(scratch); }
  __device__ __forceinline__ void read_weights() const {
    copy_weights(a, slot, weights);
    __syncthreads();
  }

  __device__ __forceinline__ void rollout() const {
    if (threadIdx.x == 0) tally = {};
    read_weights();
    for (int warp = warp0; warp < a.warps; warp += warps)
      rollout_warp<Env, Act, Shared>(a, a.plan, weights, slot, warp, my_scratch(), tally);
    __syncthreads();
    if (threadIdx.x == 0) add_counts(a.state[slot].episodes, tally);
  }
  __device__ __forceinline__ void advantage() const {
    for (int warp = warp0; warp < a.warps; warp += warps) advantage_warp(a, slot, warp);
  }
  __device__ __forceinline__ void moments() const {
    if (a.normalize_over == MomentsOver::episode) {
      for (int warp = warp0; warp < a.warps; warp += warps) episode_moments(a, slot, warp);
      __syncthreads();
      return;
    }
    moments_block(a, slot, [&]<bool Square>(int group) {
      for (int partial = warp0; partial < moment_partials(a, slot, group); partial += warps) moment_warp<Square>(a, slot, group, partial);
    });
  }
  __device__ __forceinline__ void gradient(MinibatchNumber number) const {
    read_weights();
    const std::uint32_t size = minibatch_size(a, a.state[slot]);
    for (int partial = warp0; partial < partials_of_samples(a, size); partial += warps)
      gradient_warp<Env, Act, Shared>(a, a.plan, weights, slot, number, size, partial);
  }
  __device__ __forceinline__ void measure() const {
    static_assert(kMetricFloats <= 4 * kWarp, "the scratch of one warp holds the sums");
    read_weights();
    const float* const rows = a.rows + row_index(a, slot, 0) * row_features(a).floats();
    measure_packed<Env, Act, Shared>(a, slot, a.state[slot], measured_rows(a, rows), weights, scratch);
  }
  __device__ __forceinline__ void check(Next& next) const {
    read_weights();  // all have read `next`
    play_check<Env, Act, Shared>(a, a.plan, weights, slot, scratch, next);
  }
};

/// Shared memory: population_floats.
template <class Env, class Act, bool Shared>
__global__ void __launch_bounds__(kPopulationWarps* kWarp, 3)
    population_kernel(const __grid_constant__ TiledAgents a, const __grid_constant__ PopulationArgs launch) {
  CUPG_DYNAMIC_SHARED(float, shared);
  CUPG_STATIC_SHARED(EpisodeCounts, tally);
  CUPG_STATIC_SHARED(float, kl);
  CUPG_STATIC_SHARED(Next, next);
  const int slot = a.chosen[blockIdx.x];
  if (a.state[slot].halted != 0) return;
  float *const gradient = shared + packed_stride(a), *const scratch = gradient + parameter_stride(a);
  train_block(a, slot, launch.updates, SmallOps<Env, Act, Shared>{a, slot, shared, scratch, tally}, gradient, kl, next);
}

template <class Env>
struct TiledOps {
  static constexpr bool kChecks = false;  ///< that needs another form of the weights
  const TiledAgents& a;
  const int slot;
  float* const shared;

  __device__ __forceinline__ std::uint32_t* counts() const { return reinterpret_cast<std::uint32_t*>(shared); }
  __device__ __forceinline__ void rollout() const {
    for (int warp = 0; warp < a.warps; ++warp) {
      collect_block<Env>(a, slot, warp, shared);
      __syncthreads();
    }
  }
  __device__ __forceinline__ void advantage() const {
    for (int e = static_cast<int>(threadIdx.x); e < a.envs; e += static_cast<int>(blockDim.x)) advantage_of(a, slot, e);
  }
  __device__ __forceinline__ void moments() const {
    moments_block(a, slot, [&]<bool Square>(int group) {
      const int blocks = (moment_partials(a, slot, group) + kMomentTiles - 1) / kMomentTiles;
      for (int block = 0; block < blocks; ++block) {
        tile_moment_block<Square>(a, slot, group, block, shared);
        __syncthreads();
      }
    });
  }
  __device__ __forceinline__ void gradient(MinibatchNumber number) const {
    const Minibatch m = make_minibatch(a, slot, number);
    for (int tile = 0; tile < partials_of_samples(a, m.size); ++tile) {
      gradient_block<Env::kActions>(a, slot, number, m, tile, shared);
      __syncthreads();
    }
  }
  __device__ __forceinline__ void measure() const {
    float* const packed = a.packed + static_cast<std::int64_t>(slot) * packed_stride(a);
    pack_block(a.plan, a.parameters + static_cast<std::int64_t>(slot) * parameter_stride(a), packed);
    __syncthreads();
    const auto by = [&]<class Act>() {
      const MeasuredSamples in = measured_samples(a, slot);
      a.plan.shared ? measure_packed<Env, Act, true>(a, slot, a.state[slot], in, packed, shared)
                    : measure_packed<Env, Act, false>(a, slot, a.state[slot], in, packed, shared);
    };
    a.plan.tanh ? by.template operator()<Tanh>() : by.template operator()<Relu>();
  }
};

/// Shared memory: tile_population_floats.
template <class Env>
__global__ void __launch_bounds__(kTileThreads, 2)
    tile_population_kernel(const __grid_constant__ TiledAgents a, const __grid_constant__ PopulationArgs launch) {
  CUPG_DYNAMIC_SHARED(float, shared);
  CUPG_STATIC_SHARED(float, kl);
  CUPG_STATIC_SHARED(Next, next);
  const int slot = a.chosen[blockIdx.x];
  if (a.state[slot].halted != 0) return;
  train_block(a, slot, launch.updates, TiledOps<Env>{a, slot, shared}, shared, kl, next);
}

CUPG_END_TARGET

// Rollout (op.hpp) by CUDA threads: a thread is an environment, a warp is 32 of them and writes their rows.
//
// The weights of a network of known width (FixedPlan) are copied to registers once; read from shared memory they would take a
// quarter of the steps' instruction slots, and four cycles of the memory port each. Other widths read them from shared memory, all
// lanes the same word. Restarts and the value of a cut episode are branches that few warps take.
// Launch: kRolloutWarps warps a block, as many registers as three such blocks on an SM leave (168 a thread); grid.x blocks of warps,
// grid.y agents. Bound: instruction issue.
#pragma once
#include "kernels/agents.hpp"
#include "kernels/reduce/reduce.cuh"
#include "kernels/runtime/runtime.hpp"

CUPG_BEGIN_TARGET

inline constexpr int kRolloutWarps = 4;

/// Episodes that ended in a block.
struct BlockEpisodes {
  unsigned episodes, terminated, steps;
};

/// The weights where the threads of a kernel read them: in registers for a fixed plan, otherwise where they are.
template <class Plan>
struct ThreadWeights {
  const float* data;
  __device__ __forceinline__ explicit ThreadWeights(const float* weights) : data(weights) {}
};
template <int O, int H, bool Shared>
struct ThreadWeights<FixedPlan<O, H, Shared>> {
  float data[FixedPlan<O, H, Shared>::packed];
  __device__ __forceinline__ explicit ThreadWeights(const float* weights) {
    CUPG_UNROLL_FIXED
    for (int i = 0; i < FixedPlan<O, H, Shared>::packed; ++i) data[i] = weights[i];
  }
};

/// x, hidden from the optimiser: what is computed from it is computed anew, and not kept in registers since it was computed before.
__device__ __forceinline__ int computed_anew(int x) {
#ifdef __CUDA_ARCH__
  asm volatile("" : "+r"(x));
#endif
  return x;
}

/// Where a warp's environments and rows lie in the arrays of RolloutArgs.
struct WarpPlace {
  int warp;   ///< of its agent: numbers the environments
  int state;  ///< among the warps of `state` and `age`
  int row;    ///< first row in `out`; a row takes a kilobyte, so there cannot be 2^31
};

/// Floats of shared memory that one warp needs beside the weights: four draws a lane, and the first of two hidden layers.
CUPG_FN int warp_scratch(const NetworkPlan& plan) {
  const int policy = plan.policy.layers == 2 ? plan.policy.width1 : 0, value = plan.value.layers == 2 ? plan.value.width1 : 0;
  return (4 + (policy > value ? policy : value)) * kWarp;
}

/// The warp's rows. `scratch` is the warp's.
template <class Env, class Act, bool Shared, class Plan>
__device__ __forceinline__ void collect_rows(const RolloutArgs& a, const Plan& plan, const float* weights, WarpPlace place, float* scratch,
                                             BlockEpisodes& tally) {
  constexpr int O = Env::kObservations;
  const int lane = lane_index();
  const std::uint32_t environment = static_cast<std::uint32_t>(place.warp * kWarp + lane), limit = a.episode_limit;
  const ThreadWeights<Plan> w(weights);
  float *const draws = scratch + lane, *const h1 = draws + 4 * kWarp;
  const auto forward = [&](const float(&x)[O], float(&d)[1], float& v) { network_forward<Act, O, 1, Shared>(plan, w.data, x, d, v, h1); };

  const auto state_at = [&](int warp) { return a.state + static_cast<std::int64_t>(warp) * Env::kStateSize * kWarp + lane; };
  const auto age_at = [&](int warp) { return a.age + static_cast<std::int64_t>(warp) * kWarp + lane; };
  auto s = load_state<Env, float>(state_at(place.state));
  std::uint32_t age = *age_at(place.state);
  float x[O], d[1], v;
  Env::observe(s, x);
  forward(x, d, v);
  int row = place.row;
  for (std::uint32_t now = a.step; now != a.step + static_cast<std::uint32_t>(a.horizon); ++now, ++row) {
    const std::int64_t at = static_cast<std::int64_t>(row) * kWarp + lane;
    CUPG_UNROLL_FIXED
    for (int i = 0; i < O; ++i) a.out.observation[(static_cast<std::int64_t>(row) * O + i) * kWarp + lane] = x[i];
    a.out.policy[at] = d[0];
    a.out.value[at] = v;

    if ((now & 3u) == 0 || now == a.step) {  // one call serves four steps; kept in shared memory they take no registers
      const Philox4 draw = philox4x32_lanes(environment, now >> 2, static_cast<std::uint32_t>(Purpose::action), 0u, a.key);
      CUPG_UNROLL_FIXED
      for (int i = 0; i < 4; ++i) draws[i * kWarp] = uniform01(draw.word[i]);
    }
    const bool right = TwoActions<float>::sample(d[0], draws[static_cast<int>(now & 3u) * kWarp]);
    const bool terminated = Env::step(s, {right}).terminated;
    age += 1;
    const bool truncated = !terminated && age >= limit, done = terminated || truncated;
    const std::uint32_t action_bits = __ballot_sync(kAllLanes, right), done_bits = __ballot_sync(kAllLanes, done);
    if (lane == 0) {
      a.out.action[row] = action_bits;
      a.out.done[row] = done_bits;
    }
    float last = 0.0f;  // V(s_{t+1}) where the episode ended
    if (done) {
      if (truncated && a.bootstrap) {
        Env::observe(s, x);
        forward(x, d, last);
      }
      if (environment < static_cast<std::uint32_t>(a.envs)) {
        atomicAdd(&tally.episodes, 1u);
        atomicAdd(&tally.terminated, terminated ? 1u : 0u);
        atomicAdd(&tally.steps, age);
      }
      age = 0;
      s = draw_state<Env, float>(environment, now, Purpose::reset, 0, a.key);
    }
    Env::observe(s, x);
    forward(x, d, v);
    a.out.advantage[at] = done ? last : v;
  }
  const int state = computed_anew(place.state);
  store_state<Env, float>(state_at(state), s);
  *age_at(state) = age;
  __syncwarp();  // the flags, written by lane 0, are read by all
}

/// Copies the packed weights to shared memory. The block's threads must meet before they read them.
__device__ __forceinline__ void copy_weights(const Agents& a, int slot, float* shared) {
  const float* const from = a.packed + static_cast<std::int64_t>(slot) * packed_stride(a);
  for (int i = static_cast<int>(threadIdx.x); i < a.plan.packed; i += static_cast<int>(blockDim.x)) shared[i] = from[i];
}

/// Initial states: environments of every chosen agent, drawn from its seed.
template <class Env>
__global__ void __launch_bounds__(kReduceThreads) reset_kernel(const __grid_constant__ Agents agents) {
  const int slot = agents.chosen[blockIdx.y], environment = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (environment >= agents.warps * kWarp) return;
  const std::int64_t warp = static_cast<std::int64_t>(slot) * agents.warps + environment / kWarp;
  auto s = draw_state<Env, float>(static_cast<std::uint32_t>(environment), 0, Purpose::reset, 1, agents.state[slot].key);
  store_state<Env, float>(agents.environments + warp * Env::kStateSize * kWarp + environment % kWarp, s);
  agents.age[warp * kWarp + environment % kWarp] = 0;
}

/// Shared memory: packed weights, then each warp's scratch.
template <class Env, class Act, bool Shared, int H>
__global__ void __launch_bounds__(kRolloutWarps* kWarp, 3) rollout_kernel(const __grid_constant__ Agents agents) {
  CUPG_DYNAMIC_SHARED(float, shared);
  CUPG_STATIC_SHARED(BlockEpisodes, tally);
  const int slot = agents.chosen[blockIdx.y], warp = static_cast<int>(blockIdx.x) * kRolloutWarps + warp_index();
  if (agents.state[slot].halted != 0) return;
  copy_weights(agents, slot, shared);
  if (threadIdx.x == 0) tally = {};
  __syncthreads();
  if (warp < agents.warps) {
    // positions count from slot 0, so that the arrays' addresses stay in the constant bank and take no registers
    const RolloutArgs a = rollout_args(agents, slot, agents.trajectory);
    const WarpPlace place{warp, slot * agents.warps + warp, static_cast<int>(slot * agents.rows) + warp * agents.horizon};
    float* const scratch = shared + packed_stride(agents) + warp_index() * warp_scratch(agents.plan);
    if constexpr (H > 0) {
      collect_rows<Env, Act, Shared>(a, FixedPlan<Env::kObservations, H, Shared>{}, shared, place, scratch, tally);
    } else {
      collect_rows<Env, Act, Shared>(a, agents.plan, shared, place, scratch, tally);
    }
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    EpisodeCounts& total = agents.state[agents.chosen[blockIdx.y]].episodes;  // read again: kept, it would be spilled
    atomicAdd(&total.episodes, static_cast<unsigned long long>(tally.episodes));
    atomicAdd(&total.terminated, static_cast<unsigned long long>(tally.terminated));
    atomicAdd(&total.steps, static_cast<unsigned long long>(tally.steps));
    atomicAdd(&total.returns, static_cast<unsigned long long>(tally.steps) * kReturnUnit);
  }
}

CUPG_END_TARGET

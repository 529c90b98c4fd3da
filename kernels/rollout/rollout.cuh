// Rollout (op.hpp) by CUDA threads: a thread is an environment, a warp is 32 of them and writes their rows.
//
// The weights of a network of known width (FixedPlan) are copied to registers once; read from shared memory they would take a
// quarter of the steps' instruction slots, and four cycles of the memory port each. Other widths read them from shared memory, all
// lanes the same word. Restarts and the value of a cut episode are branches that few warps take.
// Launch: kRolloutWarps warps a block, as many registers as three such blocks on an SM leave (168 a thread); grid.x blocks of warps,
// grid.y agents. Bound: instruction issue.
#pragma once
#include "kernels/agent/agents.hpp"
#include "kernels/reduce/reduce.cuh"
#include "kernels/runtime/runtime.hpp"

CUPG_BEGIN_TARGET

inline constexpr int kRolloutWarps = 4;

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

/// x, hidden from the optimizer: what is computed from it is computed anew, and not kept in registers since it was computed before.
__device__ __forceinline__ int computed_anew(int x) {
#ifdef __CUDA_ARCH__
  asm volatile("" : "+r"(x));
#endif
  return x;
}

/// Rows, and their flags.
struct RowArrays {
  float* data;          ///< [rows][features][32]
  std::uint32_t* done;  ///< [rows]
  std::uint32_t* used;  ///< [rows]
};

/// A warp of an agent's environments, and where it leaves its rows. Positions count from the start of the arrays, so that those in global
/// memory have their addresses in the constant bank, where they take no registers.
struct WarpPlace {
  int slot;
  int warp;  ///< of its agent: numbers the environments
  int row;   ///< first one; a row takes a kilobyte, so there cannot be 2^31
};

/// Floats of shared memory that one warp needs beside the weights: four draws a lane, and the first of two hidden layers.
CUPG_FN int warp_scratch(const NetworkPlan& plan) {
  const int policy = plan.policy.layers == 2 ? plan.policy.width1 : 0, value = plan.value.layers == 2 ? plan.value.width1 : 0;
  return (4 + (policy > value ? policy : value)) * kWarp;
}

/// Whether somebody reads the log-probabilities of the update that is under way.
CUPG_FN bool wants_log_probabilities(const Agents& a, int slot, const AgentState& state) {
  return a.log_probabilities || a.watch[slot].measures(state.updates + 1);
}

/// The warp's rows: what rollout_lanes does, to the bit. `scratch` is the warp's. Returns how many rows there are.
template <class Env, class Act, bool Shared, class Plan>
__device__ __forceinline__ int collect_rows(const Agents& a, const Plan& plan, const float* weights, const AgentState& agent,
                                            const WarpPlace& place, const RowArrays& out, float* scratch, EpisodeCounts& tally,
                                            bool log_probabilities) {
  constexpr int O = Env::kObservations, A = Env::kActions, P = policy_outputs(A);
  constexpr RowFeatures f{{O}, P + 1};
  constexpr SampleRow at = f.sample;
  const int lane = lane_index();
  const std::uint32_t environment = static_cast<std::uint32_t>(place.warp * kWarp + lane), first_step = agent.step;
  const float epsilon = behavior_epsilon(agent.settings.exploration, agent.taken);
  const ThreadWeights<Plan> w(weights);
  float *const draws = scratch + lane, *const h1 = draws + 4 * kWarp;
  const auto forward = [&](const float(&x)[O], float(&z)[P], float& v) { network_forward<Act, O, P, Shared>(plan, w.data, x, z, v, h1); };

  const auto lanes_of = [&](int slot) { return static_cast<std::int64_t>(slot) * a.warps + environment / kWarp; };
  const auto state_at = [&](int slot) { return a.environments + lanes_of(slot) * Env::kStateSize * kWarp + lane; };
  const auto age_at = [&](int slot) { return a.age + lanes_of(slot) * kWarp + lane; };
  const auto return_at = [&](int slot) { return a.episode_return + lanes_of(slot) * kWarp + lane; };
  auto s = load_state<Env, float>(state_at(place.slot));
  std::uint32_t age = *age_at(place.slot), playing = lanes_in_use(a.envs, place.warp);
  float sum = *return_at(place.slot), x[O], z[P], v;
  Env::observe(s, x);
  forward(x, z, v);
  int t = 0;
  for (; t < a.capacity && (playing != 0 || !a.episodes); ++t) {
    const int row_number = place.row + t;
    float* const row = out.data + static_cast<std::int64_t>(row_number) * f.floats() + lane;
    const auto put = [&](int feature, float value) { row[feature * kWarp] = value; };
    CUPG_UNROLL_FIXED
    for (int i = 0; i < O; ++i) put(i, x[i]);
    CUPG_UNROLL_FIXED
    for (int k = 0; k < P; ++k) put(f.output() + k, z[k]);
    put(at.value(), v);

    const std::uint32_t now = first_step + static_cast<std::uint32_t>(t);
    if ((now & 3u) == 0 || t == 0) {  // one call serves four steps; kept in shared memory they take no registers
      const Philox4 draw = philox4x32_lanes(environment, now >> 2, static_cast<std::uint32_t>(Purpose::action), 0u, agent.key);
      CUPG_UNROLL_FIXED
      for (int i = 0; i < 4; ++i) draws[i * kWarp] = uniform01(draw.word[i]);
    }
    float log_probability = 0.0f;
    const Action<A, float> action =
        PolicyHead<A, float>::act(z, draws[static_cast<int>(now & 3u) * kWarp], epsilon, log_probabilities, log_probability);
    put(at.action(), bits_float(action.number()));
    if (log_probabilities) put(at.log_probability(), log_probability);
    const StepResult<float> result = Env::step(s, action);
    put(at.reward(), result.reward);
    age += 1;
    sum += result.reward;
    const bool terminated = result.terminated, truncated = !terminated && age >= a.episode_limit, done = terminated || truncated;
    const std::uint32_t done_bits = __ballot_sync(kAllLanes, done);
    if (lane == 0) {
      out.done[row_number] = done_bits;
      out.used[row_number] = playing;
    }
    float last = 0.0f;  // V(s_{t+1}) where the episode ended
    if (done) {
      if (truncated && a.bootstrap) {
        Env::observe(s, x);
        forward(x, z, last);
      }
      if ((playing >> lane & 1u) != 0) {
        atomicAdd(&tally.episodes, 1ull);
        atomicAdd(&tally.terminated, terminated ? 1ull : 0ull);
        atomicAdd(&tally.steps, static_cast<unsigned long long>(age));
        atomicAdd(&tally.returns, static_cast<unsigned long long>(counted_return(sum)));
        if (a.episodes) length_of(a, place.slot)[environment] = static_cast<std::uint32_t>(t + 1);
      }
      age = 0;
      sum = 0.0f;
      s = draw_state<Env, float>(environment, now, Purpose::reset, 0, agent.key);
    }
    if (a.episodes) playing &= ~done_bits;  // lanes that are done go on, unobserved
    Env::observe(s, x);
    forward(x, z, v);
    put(at.next_value(), done ? last : v);
  }
  const int slot = computed_anew(place.slot);
  if (a.episodes) {  // every lane begins the next update with the state that followed its own end
    if (environment < static_cast<std::uint32_t>(a.envs))
      s = draw_state<Env, float>(environment, first_step + length_of(a, slot)[environment] - 1u, Purpose::reset, 0, agent.key);
    age = 0;
    sum = 0.0f;
  }
  store_state<Env, float>(state_at(slot), s);
  *age_at(slot) = age;
  *return_at(slot) = sum;
  __syncwarp();  // the flags, written by lane 0, are read by all
  return t;
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
  agents.episode_return[warp * kWarp + environment % kWarp] = 0;
}

/// Adds what a block has counted.
__device__ __forceinline__ void add_episodes(EpisodeCounts& total, const EpisodeCounts& tally) {
  atomicAdd(&total.episodes, tally.episodes);
  atomicAdd(&total.terminated, tally.terminated);
  atomicAdd(&total.steps, tally.steps);
  atomicAdd(&total.returns, tally.returns);
}

/// An agent's warp, its rows and how many they are in global memory.
template <class Env, class Act, bool Shared, class Plan>
__device__ __forceinline__ void rollout_warp(const Agents& a, const Plan& plan, const float* weights, int slot, int warp, float* scratch,
                                             EpisodeCounts& tally) {
  const WarpPlace place{slot, warp, static_cast<int>(row_index(a, slot, warp))};
  const bool log_probabilities = wants_log_probabilities(a, slot, a.state[slot]);
  const int rows =
      collect_rows<Env, Act, Shared>(a, plan, weights, a.state[slot], place, {a.rows, a.done, a.used}, scratch, tally, log_probabilities);
  if (lane_index() != 0) return;
  atomicMax(&a.state[computed_anew(slot)].longest, static_cast<std::uint32_t>(rows));
  if (a.episodes) a.row_count[static_cast<std::int64_t>(slot) * a.warps + warp] = static_cast<std::uint32_t>(rows);
}

/// Shared memory: packed weights, then each warp's scratch.
template <class Env, class Act, bool Shared, int H>
__global__ void __launch_bounds__(kRolloutWarps* kWarp, 3) rollout_kernel(const __grid_constant__ Agents agents) {
  CUPG_DYNAMIC_SHARED(float, shared);
  CUPG_STATIC_SHARED(EpisodeCounts, tally);
  const int slot = agents.chosen[blockIdx.y], warp = static_cast<int>(blockIdx.x) * kRolloutWarps + warp_index();
  if (agents.state[slot].halted != 0) return;
  copy_weights(agents, slot, shared);
  if (threadIdx.x == 0) tally = {};
  __syncthreads();
  if (warp < agents.warps) {
    float* const scratch = shared + packed_stride(agents) + warp_index() * warp_scratch(agents.plan);
    if constexpr (H > 0) {
      rollout_warp<Env, Act, Shared>(agents, FixedPlan<Env::kObservations, H, Shared>{}, shared, slot, warp, scratch, tally);
    } else {
      rollout_warp<Env, Act, Shared>(agents, agents.plan, shared, slot, warp, scratch, tally);
    }
  }
  __syncthreads();
  if (threadIdx.x == 0) add_episodes(agents.state[agents.chosen[blockIdx.y]].episodes, tally);  // read again: kept, it would be spilled
}

CUPG_END_TARGET

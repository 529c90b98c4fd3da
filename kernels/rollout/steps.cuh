// Collecting samples (op.hpp) by CUDA threads: a block is 32 environments of an agent, from the first step of an update to the last.
//
// The network runs by all threads of the block, a tile of one unit and four environments each; then the first 32 threads, an environment
// each, draw, step and store. The weights that the forward pass reads lie in shared memory for the whole update: every step reads them
// all. V(s_{t+1}) is the next step's V(s); where the limit cut an episode, the network runs once more on the states before the reset.
// Launch: up to kCollectThreads threads, as many as there are tiles of a layer; grid.x warps of environments, grid.y agents. 64-64 with
// two towers and 4 environments: 41 KB of shared memory, five blocks on an SM. Bound: latency; a step is a chain of three layers and a
// barrier each.
#pragma once
#include "kernels/evaluate/step.cuh"
#include "kernels/network/tiled/tiles.cuh"
#include "kernels/rollout/steps.hpp"

CUPG_BEGIN_TARGET

inline constexpr int kCollectThreads = 256;

/// Floats of shared memory of a collecting block: weights, rows, outputs [A + 1][stride].
CUPG_FN int collect_floats(const TiledAgents& a) { return a.tile.forward + a.collect.end + a.tile.outputs * a.collect.stride; }

/// One environment of a collecting block, in the registers of its thread.
template <class Env>
struct Collector {
  static constexpr int O = Env::kObservations, A = Env::kActions;
  typename Env::template State<float> state{};
  std::uint32_t age = 0;
  float episode_return = 0;  ///< so far
  float* row = nullptr;      ///< of the step being made
  bool open = false;         ///< the row before waits for V(s_{t+1})

  /// x[i] = the observation's component i; neighbors are `stride` apart.
  __device__ __forceinline__ void observe(float* x, int stride) const {
    float values[O];
    Env::observe(state, values);
    CUPG_UNROLL_FIXED
    for (int i = 0; i < O; ++i) x[i * stride] = values[i];
  }

  /// Draws, steps and stores. Returns whether the limit cut the episode; the state is the one before a reset.
  __device__ __forceinline__ bool step(const TiledAgents& a, AgentState& agent, std::uint32_t environment, std::uint32_t now, float epsilon,
                                       const float* x, const float* z, int stride) {
    constexpr SampleRow at{O};
    float logits[A], log_p[A], p[A];
    CUPG_UNROLL_FIXED
    for (int j = 0; j < A; ++j) logits[j] = z[j * stride];
    softmax(logits, log_p, p);
    const Philox4 draw = philox4x32_lanes(environment, now >> 2, static_cast<std::uint32_t>(Purpose::action), 0u, agent.key);
    const Action<A, float> action = draw_action(logits, p, uniform_at(draw, now), epsilon);
    const StepResult<float> result = Env::step(state, action);
    const bool terminated = result.terminated;
    age += 1;
    episode_return += result.reward;
    const bool truncated = !terminated && age >= a.episode_limit, done = terminated || truncated;
    CUPG_UNROLL_FIXED
    for (int i = 0; i < O; ++i) row[i] = x[i * stride];
    row[at.action()] = bits_float(action.number());
    row[at.done()] = bits_float(done ? 1u : 0u);
    row[at.value()] = z[A * stride];
    row[at.next_value()] = 0.0f;
    row[at.log_probability()] = chosen(log_p, action.number());
    row[at.reward()] = result.reward;
    open = !done;
    if (done) {
      atomicAdd(&agent.episodes.episodes, 1ull);
      atomicAdd(&agent.episodes.terminated, terminated ? 1ull : 0ull);
      atomicAdd(&agent.episodes.steps, static_cast<unsigned long long>(age));
      atomicAdd(&agent.episodes.returns, static_cast<unsigned long long>(counted_return(episode_return)));
    }
    return truncated;
  }

  __device__ __forceinline__ void restart(std::uint32_t environment, std::uint32_t now, std::uint64_t key) {
    state = draw_state<Env, float>(environment, now, Purpose::reset, 0, key);
    age = 0;
    episode_return = 0;
  }
};

/// The samples of a warp of environments, by a block; `weights` [collect_floats] in shared memory.
template <class Env>
__device__ __forceinline__ void collect_block(const TiledAgents& a, int slot, int warp, float* weights) {
  constexpr SampleRow at{Env::kObservations};
  const int lane = static_cast<int>(threadIdx.x);
  AgentState& agent = a.state[slot];
  const std::uint32_t environment = static_cast<std::uint32_t>(warp * kWarp + lane), first_step = agent.step;
  const float epsilon = behavior_epsilon(agent.settings.exploration, agent.taken);
  const int rows = a.envs - warp * kWarp < kWarp ? a.envs - warp * kWarp : kWarp, stride = a.collect.stride;
  float *const base = weights + a.tile.forward, *const z = base + a.collect.end, *const x = base + a.collect.x + lane;
  const float* const value = z + Env::kActions * stride + lane;
  const bool mine = lane < rows, bootstrap = a.bootstrap;
  for (int i = lane; i < a.tile.forward; i += static_cast<int>(blockDim.x)) weights[i] = weights_of(a, slot)[i];

  Collector<Env> me;
  if (mine) {
    me.state = load_state<Env, float>(state_of_lane<Env>(a, slot, warp));
    me.age = *age_of_lane(a, slot, warp);
    me.episode_return = returns_of_warp(a, slot, warp)[lane];
    me.row = samples_of(a, slot) + (environment * a.capacity) * at.stride();
    me.observe(x, stride);
  }
  __syncthreads();
  bool playing = mine;
  std::uint32_t t = 0, steps = 0;
  for (;; ++t) {
    const bool last = !a.episodes && t == static_cast<std::uint32_t>(a.capacity);
    forward_block<1>(a.tile, a.collect, weights, rows, last ? a.tile.towers - 1 : 0, base, z, stride);
    if (me.open) (me.row - at.stride())[at.next_value()] = *value;
    if (last) break;
    const std::uint32_t now = first_step + t;
    bool cut = false, ended = false;
    if (playing) {
      cut = me.step(a, agent, environment, now, epsilon, x, z + lane, stride) && bootstrap;
      ended = !me.open;
      steps = t + 1;
      if (ended && !cut) me.restart(environment, now, agent.key);
      me.observe(x, stride);
    }
    if (__syncthreads_or(cut ? 1 : 0) != 0) {  // V of the states before the reset
      forward_block<1>(a.tile, a.collect, weights, rows, a.tile.towers - 1, base, z, stride);
      if (cut) {
        me.row[at.next_value()] = *value;
        me.restart(environment, now, agent.key);
        me.observe(x, stride);
      }
      __syncthreads();
    }
    if (playing) me.row += at.stride();
    if (!a.episodes) continue;
    playing = playing && !ended;
    if (__syncthreads_or(playing ? 1 : 0) == 0) break;
  }
  if (!mine) return;
  store_state<Env, float>(state_of_lane<Env>(a, slot, warp), me.state);
  *age_of_lane(a, slot, warp) = me.age;
  returns_of_warp(a, slot, warp)[lane] = me.episode_return;
  atomicMax(&agent.longest, steps);
  if (a.episodes) length_of(a, slot)[environment] = steps;
}

template <class Env>
__global__ void __launch_bounds__(kCollectThreads) collect_kernel(const __grid_constant__ TiledAgents a) {
  CUPG_DYNAMIC_SHARED(float, weights);
  const int slot = a.chosen[blockIdx.y];
  if (a.state[slot].halted == 0) collect_block<Env>(a, slot, static_cast<int>(blockIdx.x), weights);
}

CUPG_END_TARGET

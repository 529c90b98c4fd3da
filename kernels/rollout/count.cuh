// What a rollout has left: how many samples, and of whole episodes where each environment's begin.
// Launch: a block an agent; a thread sums a run of environments, one thread the runs. Bound: latency.
#pragma once
#include "kernels/agent/agents.hpp"
#include "kernels/runtime/runtime.hpp"

CUPG_BEGIN_TARGET

inline constexpr int kCountThreads = 256;

/// By all threads of a block; `runs` [threads] in shared memory.
__device__ __forceinline__ void count_block(const Agents& a, int slot, std::uint32_t* runs) {
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x), envs = a.envs;
  std::uint32_t count = static_cast<std::uint32_t>(envs) * static_cast<std::uint32_t>(a.capacity);
  if (a.episodes) {
    const std::uint32_t* const length = length_of(a, slot);
    std::uint32_t* const first = first_of(a, slot);
    const int run = (envs + threads - 1) / threads, begin = thread * run, end = begin + run < envs ? begin + run : envs;
    runs[thread] = 0;
    for (int e = begin; e < end; ++e) runs[thread] += length[e];
    __syncthreads();
    if (thread == 0) {
      std::uint32_t sum = 0;
      for (int i = 0; i < threads; ++i) {
        const std::uint32_t next = sum + runs[i];
        runs[i] = sum;
        sum = next;
      }
      first[envs] = sum;
    }
    __syncthreads();
    std::uint32_t sum = runs[thread];
    for (int e = begin; e < end; ++e) {
      first[e] = sum;
      sum += length[e];
    }
    count = first[envs];
  }
  if (thread != 0) return;
  AgentState& state = a.state[slot];
  state.count = count;
  state.step += state.longest;
  state.longest = 0;
  state.stopped = 0;
}

__global__ void __launch_bounds__(kCountThreads) count_kernel(const __grid_constant__ Agents a) {
  CUPG_STATIC_SHARED(std::uint32_t[kCountThreads], runs);
  const int slot = a.chosen[blockIdx.x];
  if (a.state[slot].halted == 0) count_block(a, slot, runs);
}

CUPG_END_TARGET

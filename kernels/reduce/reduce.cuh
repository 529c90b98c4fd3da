// The canonical sums (op.hpp) by a warp and by a block.
//
//   warp:   32 butterflies at once. At each level a lane keeps one half of its values and sends the other, so that 32 sums over 32
//           lanes take 31 shuffles, not 160. The additions are those of 32 butterflies, since a + b = b + a to the bit.
//   batch:  the tree over the rows of partial sums, column by column. A thread loads a run of 32 rows at once (all loads in flight
//           together), so that a million environments need three levels.
// Launch: kReduceThreads columns a block; grid.x runs of 32 rows, grid.y agents, grid.z blocks of columns. Bound: memory.
#pragma once
#include "kernels/agent/agents.hpp"
#include "kernels/runtime/runtime.hpp"

CUPG_BEGIN_TARGET

inline constexpr unsigned kAllLanes = 0xffffffffu;
inline constexpr int kRun = 32;  ///< rows that one thread joins
inline constexpr int kReduceThreads = 128;

__device__ __forceinline__ int lane_index() { return static_cast<int>(threadIdx.x) % kWarp; }
__device__ __forceinline__ int warp_index() { return static_cast<int>(threadIdx.x) / kWarp; }

/// The sum over the lanes, in every lane.
__device__ __forceinline__ float butterfly_sum(float x) {
  CUPG_UNROLL_FIXED
  for (int half = kWarp / 2; half > 0; half /= 2) x = x + __shfl_xor_sync(kAllLanes, x, half);
  return x;
}

/// 32 values a lane -> lane l has the sum over the lanes of value l.
template <int Half = kWarp / 2>
__device__ __forceinline__ float butterfly_sums(float (&x)[kWarp], int lane) {
  const bool upper = (lane & Half) != 0;
  CUPG_UNROLL_FIXED
  for (int i = 0; i < Half; ++i) {
    const float keep = upper ? x[i + Half] : x[i], send = upper ? x[i] : x[i + Half];
    x[i] = keep + __shfl_xor_sync(kAllLanes, send, Half);
  }
  if constexpr (Half > 1) return butterfly_sums<Half / 2>(x, lane);
  return x[0];
}

/// sums[i] = the sum over the lanes of value(i), for i < N.
template <int N, class F>
__device__ __forceinline__ void store_lane_sums(F value, float* sums) {
  const int lane = lane_index();
  CUPG_UNROLL_FIXED
  for (int begin = 0; begin < N; begin += kWarp) {
    float x[kWarp];
    CUPG_UNROLL_FIXED
    for (int i = 0; i < kWarp; ++i) x[i] = begin + i < N ? value(begin + i) : 0.0f;
    const float sum = butterfly_sums(x, lane);
    if (begin + lane < N) sums[begin + lane] = sum;
  }
}

/// The tree over at most Most numbers x[0], x[stride], ...
template <int Most>
__device__ __forceinline__ float tree_sum(const float* x, int count, std::int64_t stride) {
  float v[Most];
  CUPG_UNROLL_FIXED
  for (int i = 0; i < Most; ++i) v[i] = i < count ? x[i * stride] : 0.0f;
  CUPG_UNROLL_FIXED
  for (int step = 1; step < Most; step *= 2) {
    CUPG_UNROLL_FIXED
    for (int i = 0; i + step < Most; i += 2 * step)
      if (i + step < count) v[i] = v[i] + v[i + step];
  }
  return v[0];
}
/// The tree over at most kRun numbers. A minibatch has few partial sums; the slots of a longer tree would be issued all the same.
__device__ __forceinline__ float run_sum(const float* x, int count, std::int64_t stride) {
  if (count <= 4) return tree_sum<4>(x, count, stride);
  return tree_sum<kRun>(x, count, stride);
}

/// One thread's tree over `count` numbers `stride` apart, in place; x[0] receives the sum.
__device__ __forceinline__ void column_tree(float* x, int count, std::int64_t stride) {
  for (int left = count; left > 1; left = (left + kRun - 1) / kRun, stride *= kRun)
    for (int run = 0; run * kRun < left; ++run) {
      float* const first = x + run * kRun * stride;
      *first = run_sum(first, left - run * kRun < kRun ? left - run * kRun : kRun, stride);
    }
}

/// The block's tree over `count` numbers `stride` apart, in place; x[0] receives the sum. All threads of the block must come here.
__device__ __forceinline__ void block_tree(float* x, int count, int stride = 1) {
  for (std::int64_t step = stride, left = count; left > 1; left = (left + kRun - 1) / kRun, step *= kRun) {
    for (std::int64_t run = threadIdx.x; run * kRun < left; run += blockDim.x) {
      float* const first = x + run * kRun * step;
      const std::int64_t rest = left - run * kRun;
      *first = run_sum(first, rest < kRun ? static_cast<int>(rest) : kRun, step);
    }
    __syncthreads();
  }
}

/// One level: row 32 r spacing of an agent's partial sums receives the tree over the run of rows 32 r spacing, (32 r + 1) spacing, ...
__global__ void __launch_bounds__(kReduceThreads) reduce_kernel(const __grid_constant__ Agents a, int spacing) {
  const int slot = a.chosen[blockIdx.y], column = static_cast<int>(blockIdx.z * blockDim.x + threadIdx.x), stride = partial_stride(a);
  const AgentState& state = a.state[slot];
  if (state.halted != 0 || state.stopped != 0 || column >= a.partial_columns) return;
  const int rows = partials_of_samples(a, minibatch_size(a, state));
  const int first = static_cast<int>(blockIdx.x) * kRun * spacing, rest = (rows - first + spacing - 1) / spacing;
  if (first >= rows) return;
  float* const row = partials_of(a, slot) + static_cast<std::int64_t>(first) * stride + column;
  *row = run_sum(row, rest < kRun ? rest : kRun, static_cast<std::int64_t>(spacing) * stride);
}

/// Joins the partial sums of a minibatch that has at most `partials`, as long as there are more than kRun. Returns the spacing of those
/// that are left.
inline int launch_reduce(runtime::Stream& stream, const Agents& a, int count, int partials) {
  const unsigned columns = static_cast<unsigned>((a.partial_columns + kReduceThreads - 1) / kReduceThreads);
  int spacing = 1;
  for (int left = partials; left > kRun; left = (left + kRun - 1) / kRun, spacing *= kRun) {
    const dim3 grid(static_cast<unsigned>((left + kRun - 1) / kRun), static_cast<unsigned>(count), columns);
    runtime::launch(stream, "reduce", reduce_kernel, grid, dim3(kReduceThreads), 0, a, spacing);
  }
  return spacing;
}

CUPG_END_TARGET

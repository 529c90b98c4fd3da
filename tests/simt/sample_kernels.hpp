// Kernels as they should be: right under any schedule, without a finding of any sanitizer.
#pragma once
#include <cmath>
#include <cstdint>

#include "kernels/simt/simt.hpp"

namespace cupg_test::samples {

inline constexpr unsigned kAllLanes = 0xffffffffu;

/// *sum += all of x: shuffles within warps, static shared memory between them, an atomic between blocks.
template <int kThreads>
__global__ void __launch_bounds__(kThreads) block_sum_kernel(const int* __restrict__ x, int n, int* __restrict__ sum) {
  __shared__ int partial[kThreads / 32];
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  int value = 0;
  for (int i = static_cast<int>(blockIdx.x) * kThreads + thread; i < n; i += static_cast<int>(gridDim.x) * kThreads) value += __ldg(x + i);
  for (unsigned delta = 16; delta > 0; delta /= 2) value += __shfl_down_sync(kAllLanes, value, delta);
  if (lane == 0) partial[warp] = value;
  __syncthreads();
  if (thread != 0) return;
  for (int w = 1; w < kThreads / 32; ++w) value += partial[w];
  atomicAdd(sum, value);
}

struct Matmul {
  const float* a;  // m x k
  const float* b;  // k x n
  float* c;        // m x n
  int m, n, k;
};
inline constexpr int kTile = 16;

/// c = a b, in tiles; each element one chain of fma over k.
__global__ void __launch_bounds__(kTile* kTile) matmul_kernel(Matmul p) {
  __shared__ float a[kTile][kTile], b[kTile][kTile + 1];
  const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);
  const int row = static_cast<int>(blockIdx.y) * kTile + y, column = static_cast<int>(blockIdx.x) * kTile + x;
  float sum = 0;
  for (int begin = 0; begin < p.k; begin += kTile) {
    a[y][x] = row < p.m && begin + x < p.k ? p.a[row * p.k + begin + x] : 0;
    b[y][x] = column < p.n && begin + y < p.k ? p.b[(begin + y) * p.n + column] : 0;
    __syncthreads();
    for (int i = 0; i < kTile; ++i) sum = std::fma(a[y][i], b[i][x], sum);
    __syncthreads();
  }
  if (row < p.m && column < p.n) p.c[row * p.n + column] = sum;
}

/// Every lane receives the butterfly sum of its segment of `width` lanes.
template <class T>
__global__ void segment_sum_kernel(const T* x, T* sums, int width) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  T value = x[i];
  for (int half = width / 2; half > 0; half /= 2) value += __shfl_xor_sync(kAllLanes, value, half, width);
  sums[i] = value;
}

/// Inclusive prefix sums of each block's numbers. Dynamic shared memory: an int for each warp.
__global__ void prefix_sum_kernel(const int* x, int* sums) {
  CUPG_DYNAMIC_SHARED(int, warp_sums);
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  const unsigned mask = __ballot_sync(kAllLanes, 1);  // the last warp of a block may have fewer lanes
  int value = x[i];
  for (unsigned delta = 1; delta < 32; delta *= 2) {
    const int other = __shfl_up_sync(mask, value, delta);
    if (lane >= static_cast<int>(delta)) value += other;
  }
  if (lane == 31 - __clz(static_cast<int>(mask))) warp_sums[warp] = value;
  __syncthreads();
  for (int w = 0; w < warp; ++w) value += warp_sums[w];
  sums[i] = value;
}

/// counts[b] += how many of x are b, by a histogram in dynamic shared memory; *most = the largest number.
__global__ void histogram_kernel(const int* x, int n, int bins, int* counts, int* most) {
  CUPG_DYNAMIC_SHARED(int, local);
  __shared__ int local_most;
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  for (int b = thread; b < bins; b += threads) local[b] = 0;
  if (thread == 0) local_most = 0;
  __syncthreads();
  const int i = static_cast<int>(blockIdx.x) * threads + thread;
  if (i < n) {
    atomicAdd(&local[x[i]], 1);
    atomicMax(&local_most, x[i]);
  }
  __syncthreads();
  for (int b = thread; b < bins; b += threads)
    if (local[b] != 0) atomicAdd(&counts[b], local[b]);
  if (thread == 0) atomicMax(most, local_most);
}

/// Lanes of each half of a warp pass numbers on through shared memory, one half in more rounds than the other; then the halves swap.
__global__ void half_warps_kernel(const int* x, int* out, int rounds_low, int rounds_high) {
  __shared__ int slots[32];
  const int lane = static_cast<int>(threadIdx.x), half = lane / 16;
  const unsigned mask = half == 0 ? 0x0000ffffu : 0xffff0000u;
  slots[lane] = x[lane];
  for (int round = 0; round < (half == 0 ? rounds_low : rounds_high); ++round) {
    __syncwarp(mask);
    const int value = slots[half * 16 + (lane + 1) % 16];
    __syncwarp(mask);
    slots[lane] = value;
  }
  __syncwarp();
  out[lane] = slots[lane ^ 16];
}

/// *sum = all of x: the block that finishes last adds the partial sums of all blocks. `ticket` is 0 before and afterward.
__global__ void last_block_sum_kernel(const int* x, int* partial, unsigned* ticket, int* sum) {
  __shared__ bool last;
  const int value = __syncthreads_count(x[blockIdx.x * blockDim.x + threadIdx.x]);
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = value;
    __threadfence();
    last = atomicAdd(ticket, 1u) == gridDim.x - 1;
    __threadfence();
  }
  __syncthreads();
  if (!last || threadIdx.x != 0) return;
  int total = 0;
  for (unsigned b = 0; b < gridDim.x; ++b) total += partial[b];
  *sum = total;
  *ticket = 0;
}

}  // namespace cupg_test::samples

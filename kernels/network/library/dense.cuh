// What surrounds the matrix products of a dense layer (op.hpp) by CUDA threads, and the elementary operations beside it.
//
// Element by element: a thread takes kDenseElements elements that lie a grid apart, so that neighboring threads have neighbors.
// Column sums: a block has kWarp columns; warp w sums the rows w, w + kSumWarps, ..., then the first warp adds the warps' sums in order.
// Launch: kDenseThreads or kSumWarps warps a block, as many blocks as there are elements or columns. Bound: memory.
#pragma once
#include <algorithm>

#include "kernels/network/library/dense.hpp"
#include "kernels/reduce/reduce.cuh"
#include "kernels/runtime/runtime.hpp"

CUPG_BEGIN_TARGET

inline constexpr int kDenseThreads = 256, kDenseElements = 4, kSumWarps = 16;

/// Blocks for `count` elements.
inline dim3 dense_grid(std::int64_t count) {
  constexpr std::int64_t kBlock = kDenseThreads * kDenseElements;
  return dim3(static_cast<unsigned>(std::clamp<std::int64_t>((count + kBlock - 1) / kBlock, 1, 1 << 20)));
}

/// f(i) for every element i < count that is this thread's.
template <class F>
__device__ __forceinline__ void each_element(std::int64_t count, F f) {
  const std::int64_t threads = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) f(i);
}

template <class Act>
__global__ void __launch_bounds__(kDenseThreads) activate_kernel(const __grid_constant__ DenseArgs a) {
  each_element(a.rows * a.stride, [&](std::int64_t i) { a.hidden[i] = Act::apply(a.hidden[i] + a.bias[i % a.stride]); });
}

/// Without the sums.
template <class Act>
__global__ void __launch_bounds__(kDenseThreads) activate_backward_kernel(const __grid_constant__ DenseArgs a) {
  each_element(a.rows * a.stride, [&](std::int64_t i) { a.error[i] = Act::backward(a.error[i], a.hidden[i]); });
}

/// A matrix, or a row that stands for all rows of one.
struct MatrixArgs {
  std::int64_t rows = 0;
  int columns = 0;
  const float* in = nullptr;  ///< [rows][columns], or [columns]
  int in_stride = 0;          ///< elements between two rows
  float* out = nullptr;       ///< likewise
  int out_stride = 0;
};

/// out_rj = in_j
__global__ void __launch_bounds__(kDenseThreads) broadcast_kernel(const __grid_constant__ MatrixArgs a) {
  each_element(a.rows * a.columns, [&](std::int64_t i) { a.out[i / a.columns * a.out_stride + i % a.columns] = a.in[i % a.columns]; });
}

/// out_j += the column sums of in
__global__ void __launch_bounds__(kSumWarps* kWarp) column_sums_kernel(const __grid_constant__ MatrixArgs a) {
  CUPG_STATIC_SHARED(float[kSumWarps][kWarp], sums);
  const int lane = lane_index(), warp = warp_index(), column = static_cast<int>(blockIdx.x) * kWarp + lane;
  float sum = 0.0f;
  if (column < a.columns)
    for (std::int64_t r = warp; r < a.rows; r += kSumWarps) sum = sum + a.in[r * a.in_stride + column];
  sums[warp][lane] = sum;
  __syncthreads();
  if (warp != 0 || column >= a.columns) return;
  float total = a.out[column];
  CUPG_UNROLL_FIXED
  for (int w = 0; w < kSumWarps; ++w) total = total + sums[w][lane];
  a.out[column] = total;
}

__global__ void __launch_bounds__(kDenseThreads) copy_kernel(std::int64_t count, const float* in, float* out) {
  each_element(count, [&](std::int64_t i) { out[i] = in[i]; });
}

CUPG_END_TARGET

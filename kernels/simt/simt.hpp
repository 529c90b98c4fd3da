// What a CUDA kernel includes when a host compiler compiles it: CUDA's keywords, types and functions, and cupg::simt::launch,
// which runs the kernel on the CPU, one fiber for each CUDA thread (executor.hpp). What is missing here, kernels do not need, or it
// must not be used: __activemask (its value depends on the schedule), atomics on floats (their sums have no order).
//
//   __global__ void __launch_bounds__(256) scale_kernel(float* x, int n) {
//     const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
//     if (i < n) x[i] *= 2;
//   }
//   cupg::simt::launch("scale", scale_kernel, dim3(4), dim3(256), 0, x, n);
//
// Not modeled: threads that spin until another one writes (they hang: a thread runs until it meets a barrier, a shuffle or its
// end), blocks that run at the same time, `extern __shared__` (CUPG_DYNAMIC_SHARED), and __shared__ variables in inline functions
// that are not kernels. Objects with destructors on the stack of a kernel are not destroyed where a launch fails.
#pragma once
#if defined(__CUDACC__)
#error "kernels/simt/simt.hpp is for host compilers; nvcc has cuda_runtime.h"
#endif
#include "kernels/simt/keywords.hpp"

#include "kernels/simt/types.hpp"

#include "kernels/simt/executor.hpp"
#include "kernels/simt/intrinsics.hpp"

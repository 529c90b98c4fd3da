// Small kernels for runtime_test, compiled as the plug-in is.
#include "tests/ptx/kernels.hpp"

namespace {

__global__ void fill_kernel(float* out, float value, int count) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) out[i] = value;
}
__global__ void increment_kernel(float* at) { *at += 1; }
__global__ void __launch_bounds__(64) bounded_kernel() {}
__global__ void __launch_bounds__(1024) static_shared_kernel(float* out) {
  __shared__ float room[24];
  extern __shared__ float more[];
  room[threadIdx.x % 24] = 1;
  more[0] = 2;
  __syncthreads();
  out[0] = room[0] + more[0];
}
__device__ int counter = 5;
__global__ void counter_kernel(int* out) { *out = atomicAdd(&counter, 1); }

}  // namespace

const void* const fill = reinterpret_cast<const void*>(fill_kernel);
const void* const increment = reinterpret_cast<const void*>(increment_kernel);
const void* const bounded = reinterpret_cast<const void*>(bounded_kernel);
const void* const with_static_shared = reinterpret_cast<const void*>(static_shared_kernel);
const void* const count = reinterpret_cast<const void*>(counter_kernel);

void launch_fill(float* out, float value, int n, cudaStream_t stream) { fill_kernel<<<(n + 31) / 32, 32, 0, stream>>>(out, value, n); }

#pragma once
#include <cuda_runtime_api.h>

extern const void* const fill;                ///< (float* out, float value, int count), 32 threads for 32 values
extern const void* const increment;           ///< (float* at), by 1
extern const void* const bounded;             ///< (), at most 64 threads
extern const void* const with_static_shared;  ///< (float* out), 96 bytes of static and some of dynamic shared memory
extern const void* const count;               ///< (int* out), what a variable of the device was before it grew by 1; 5 at first

/// By a launch of nvcc's own, <<<...>>>.
void launch_fill(float* out, float value, int n, cudaStream_t stream);

/* What a plug-in that multiplies matrices in a device's memory offers: libcupg_cublas.so today. Plain C, so that it may be built by
 * any compiler, and against no CUDA runtime.
 *
 * A plug-in exports cupg_device_gemm_plugin(), which returns a table that lives as long as the plug-in is loaded. */
#ifndef CUPG_GEMM_DEVICE_PLUGIN_H
#define CUPG_GEMM_DEVICE_PLUGIN_H

#include <stddef.h>

#define CUPG_DEVICE_GEMM_ABI 1
#define CUPG_DEVICE_GEMM_SYMBOL "cupg_device_gemm_plugin"

#ifdef __cplusplus
extern "C" {
#endif

/* Where a call that fails says why, in a line: it names the library's call and status. */
struct CupgDeviceGemmMessage {
  char text[256];
};

struct CupgDeviceGemmPlugin {
  int abi;          /* CUPG_DEVICE_GEMM_ABI */
  const char* name; /* of the library behind it: "cuBLAS" */
  /* A handle for products on `stream` (a cudaStream_t) of the calling thread's device; NULL where it fails. fast: factors may be
   * rounded to TF32 (10 bits of mantissa); otherwise every product and sum is single precision. The workspace is device memory,
   * aligned to 256 bytes, that outlives the handle: with it, products can be recorded in a graph. */
  void* (*create)(void* stream, int fast, void* workspace, size_t workspace_bytes, struct CupgDeviceGemmMessage* message);
  void (*destroy)(void* handle);
  /* Enqueues C = alpha op(A) op(B) + beta C on row-major matrices in device memory, as CupgGemmPlugin::sgemm. 0, or not 0 where it
   * fails. */
  int (*sgemm)(void* handle, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float* a, int lda, const float* b,
               int ldb, float beta, float* c, int ldc, struct CupgDeviceGemmMessage* message);
};

typedef const struct CupgDeviceGemmPlugin* (*CupgDeviceGemmPluginFunction)(void);

#ifdef __cplusplus
}
#endif
#endif

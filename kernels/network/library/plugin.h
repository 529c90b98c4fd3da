/* What a plug-in that multiplies matrices offers: libcupg_openblas.so today. Plain C, so that it may be built by any compiler.
 *
 * A plug-in exports cupg_gemm_plugin(), which returns a table that lives as long as the plug-in is loaded, or NULL where it
 * cannot run here. Calls may come from several threads at once. */
#ifndef CUPG_GEMM_PLUGIN_H
#define CUPG_GEMM_PLUGIN_H

#define CUPG_GEMM_ABI 1
#define CUPG_GEMM_SYMBOL "cupg_gemm_plugin"

#ifdef __cplusplus
extern "C" {
#endif

struct CupgGemmPlugin {
  int abi;          /* CUPG_GEMM_ABI */
  const char* name; /* of the library behind it: "OpenBLAS" */
  const char* core; /* the processor that its kernels are for */
  /* C = alpha op(A) op(B) + beta C in single precision, row-major; op transposes where the flag is not 0. C is m x n, op(A) m x k,
   * op(B) k x n; lda, ldb and ldc are the elements between two rows in memory. beta 0 does not read C. */
  void (*sgemm)(int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float* a, int lda, const float* b, int ldb,
                float beta, float* c, int ldc);
  /* Threads that a call may use, for the whole process. */
  void (*set_threads)(int threads);
};

typedef const struct CupgGemmPlugin* (*CupgGemmPluginFunction)(void);

#ifdef __cplusplus
}
#endif
#endif

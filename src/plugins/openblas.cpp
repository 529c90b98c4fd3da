// libcupg_openblas.so: OpenBLAS behind kernels/network/library/plugin.h.
#include <cblas.h>

#include <mutex>

#include "kernels/network/library/plugin.h"

namespace {

void sgemm(int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float* a, int lda, const float* b, int ldb, float beta,
           float* c, int ldc) {
  const auto flag = [](int transpose) { return transpose != 0 ? CblasTrans : CblasNoTrans; };
  cblas_sgemm(CblasRowMajor, flag(transpose_a), flag(transpose_b), m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void set_threads(int threads) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (openblas_get_num_threads() != threads) openblas_set_num_threads(threads);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const CupgGemmPlugin* cupg_gemm_plugin() {
  static const CupgGemmPlugin plugin{CUPG_GEMM_ABI, "OpenBLAS", openblas_get_corename(), sgemm, set_threads};
  return &plugin;
}

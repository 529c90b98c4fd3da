// libcupg_cublas.so: cuBLAS behind kernels/network/library/device_plugin.h.
#include <cublas_v2.h>

#include <cstdio>

#include "kernels/network/library/device_plugin.h"

namespace {

/// Whether a call succeeded; otherwise the message says which failed and how.
bool succeeded(cublasStatus_t status, const char* call, CupgDeviceGemmMessage* message) {
  if (status == CUBLAS_STATUS_SUCCESS) return true;
  std::snprintf(message->text, sizeof message->text, "%s: %s", call, cublasGetStatusName(status));
  return false;
}

void* create(void* stream, int fast, void* workspace, std::size_t workspace_bytes, CupgDeviceGemmMessage* message) {
  cublasHandle_t handle = nullptr;
  if (!succeeded(cublasCreate(&handle), "cublasCreate", message)) return nullptr;
  // in this order: setting the stream gives the workspace back to the library
  if (succeeded(cublasSetStream(handle, static_cast<cudaStream_t>(stream)), "cublasSetStream", message) &&
      succeeded(cublasSetWorkspace(handle, workspace, workspace_bytes), "cublasSetWorkspace", message) &&
      succeeded(cublasSetMathMode(handle, fast != 0 ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_PEDANTIC_MATH), "cublasSetMathMode", message))
    return handle;
  cublasDestroy(handle);
  return nullptr;
}

void destroy(void* handle) { cublasDestroy(static_cast<cublasHandle_t>(handle)); }

/// cuBLAS counts by columns: a row-major C is its C^T, and C^T = op(B)^T op(A)^T.
int sgemm(void* handle, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float* a, int lda, const float* b,
          int ldb, float beta, float* c, int ldc, CupgDeviceGemmMessage* message) {
  const auto flag = [](int transpose) { return transpose != 0 ? CUBLAS_OP_T : CUBLAS_OP_N; };
  const cublasStatus_t status = cublasSgemm(static_cast<cublasHandle_t>(handle), flag(transpose_b), flag(transpose_a), n, m, k, &alpha, b,
                                            ldb, a, lda, &beta, c, ldc);
  return succeeded(status, "cublasSgemm", message) ? 0 : 1;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const CupgDeviceGemmPlugin* cupg_device_gemm_plugin() {
  static const CupgDeviceGemmPlugin plugin{CUPG_DEVICE_GEMM_ABI, "cuBLAS", create, destroy, sgemm};
  return &plugin;
}

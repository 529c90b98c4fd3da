// The cuBLAS plug-in (src/plugins/cublas.cpp) over a stand-in for cuBLAS in host memory: that its row-major products are the right
// ones by columns, that the library is set up in the order that it needs, and that every failure names its call and status. What
// cuBLAS itself computes is not tested here.
#include <cublas_v2.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "kernels/network/library/device_plugin.h"

extern "C" const CupgDeviceGemmPlugin* cupg_device_gemm_plugin();

namespace {

/// The calls so far, and the one that is to fail.
struct StandIn {
  std::vector<std::string> calls;
  std::string failing;
  cublasMath_t mode = CUBLAS_DEFAULT_MATH;
  cudaStream_t stream = nullptr;
  void* workspace = nullptr;
  std::size_t workspace_bytes = 0;
};
StandIn& stand_in() {
  static StandIn s;
  return s;
}
cublasStatus_t called(const char* name) {
  stand_in().calls.emplace_back(name);
  return stand_in().failing == name ? CUBLAS_STATUS_EXECUTION_FAILED : CUBLAS_STATUS_SUCCESS;
}
int library;  // whose address is the handle

}  // namespace

extern "C" {
cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
  *handle = reinterpret_cast<cublasHandle_t>(&library);
  return called("cublasCreate");
}
cublasStatus_t cublasDestroy_v2(cublasHandle_t) { return called("cublasDestroy"); }
cublasStatus_t cublasSetStream_v2(cublasHandle_t, cudaStream_t stream) {
  stand_in().stream = stream;
  stand_in().workspace = nullptr;  // as the library does
  return called("cublasSetStream");
}
cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t, void* workspace, std::size_t bytes) {
  stand_in().workspace = workspace;
  stand_in().workspace_bytes = bytes;
  return called("cublasSetWorkspace");
}
cublasStatus_t cublasSetMathMode(cublasHandle_t, cublasMath_t mode) {
  stand_in().mode = mode;
  return called("cublasSetMathMode");
}
const char* cublasGetStatusName(cublasStatus_t status) {
  return status == CUBLAS_STATUS_EXECUTION_FAILED ? "CUBLAS_STATUS_EXECUTION_FAILED" : "another status";
}
/// By columns, as the library's documentation has it.
cublasStatus_t cublasSgemm_v2(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int m, int n, int k,
                              const float* alpha, const float* a, int lda, const float* b, int ldb, const float* beta, float* c, int ldc) {
  EXPECT_EQ(handle, reinterpret_cast<cublasHandle_t>(&library));
  EXPECT_GE(lda, op_a == CUBLAS_OP_N ? m : k);
  EXPECT_GE(ldb, op_b == CUBLAS_OP_N ? k : n);
  EXPECT_GE(ldc, m);
  const auto at = [](const float* x, int ld, cublasOperation_t op, int i, int j) {
    return op == CUBLAS_OP_N ? x[i + j * ld] : x[j + i * ld];
  };
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      float sum = 0;
      for (int l = 0; l < k; ++l) sum += at(a, lda, op_a, i, l) * at(b, ldb, op_b, l, j);
      c[i + j * ldc] = *alpha * sum + (*beta == 0 ? 0 : *beta * c[i + j * ldc]);
    }
  return called("cublasSgemm");
}
}

namespace {

const CupgDeviceGemmPlugin& plugin() { return *cupg_device_gemm_plugin(); }

TEST(CublasPlugin, SetsTheLibraryUpInOrder) {
  EXPECT_EQ(plugin().abi, CUPG_DEVICE_GEMM_ABI);
  EXPECT_STREQ(plugin().name, "cuBLAS");
  int stream = 0, workspace = 0;
  for (const bool fast : {false, true}) {
    stand_in() = {};
    CupgDeviceGemmMessage message{};
    void* const handle = plugin().create(&stream, fast, &workspace, 1024, &message);
    ASSERT_NE(handle, nullptr);
    EXPECT_EQ(stand_in().mode, fast ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_PEDANTIC_MATH);
    EXPECT_EQ(stand_in().stream, reinterpret_cast<cudaStream_t>(&stream));
    EXPECT_EQ(stand_in().workspace, &workspace) << "set after the stream";
    EXPECT_EQ(stand_in().workspace_bytes, 1024u);
    plugin().destroy(handle);
    EXPECT_EQ(stand_in().calls.back(), "cublasDestroy");
  }
}

TEST(CublasPlugin, MultipliesRowMajorMatrices) {
  // every combination of transposes on matrices that are not square, with rows longer than they need be
  constexpr int m = 2, n = 3, k = 4, pad = 2;
  for (const int transpose_a : {0, 1})
    for (const int transpose_b : {0, 1}) {
      const int lda = (transpose_a ? m : k) + pad, ldb = (transpose_b ? k : n) + pad, ldc = n + pad;
      std::vector<float> a(64), b(64), c(m * ldc, 100.0f), want = c;
      for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 7) - 3, b[i] = static_cast<float>(i % 5) - 1;
      for (int i = 0; i < m; ++i)
        for (int j = 0; j < n; ++j) {
          float sum = 0;
          for (int l = 0; l < k; ++l)
            sum += a[static_cast<std::size_t>(transpose_a ? l * lda + i : i * lda + l)] *
                   b[static_cast<std::size_t>(transpose_b ? j * ldb + l : l * ldb + j)];
          want[static_cast<std::size_t>(i * ldc + j)] = 2 * sum + 0.5f * 100;
        }
      stand_in() = {};
      CupgDeviceGemmMessage message{};
      EXPECT_EQ(plugin().sgemm(&library, transpose_a, transpose_b, m, n, k, 2, a.data(), lda, b.data(), ldb, 0.5f, c.data(), ldc, &message),
                0);
      EXPECT_EQ(c, want) << transpose_a << transpose_b;
    }
}

TEST(CublasPlugin, NamesTheCallThatFailed) {
  for (const std::string call : {"cublasCreate", "cublasSetStream", "cublasSetWorkspace", "cublasSetMathMode"}) {
    stand_in() = {};
    stand_in().failing = call;
    CupgDeviceGemmMessage message{};
    EXPECT_EQ(plugin().create(nullptr, 0, nullptr, 0, &message), nullptr);
    EXPECT_EQ(std::string(message.text), call + ": CUBLAS_STATUS_EXECUTION_FAILED");
    EXPECT_EQ(stand_in().calls.back() == "cublasDestroy", call != "cublasCreate") << "nothing is left behind";
  }
  stand_in() = {};
  stand_in().failing = "cublasSgemm";
  CupgDeviceGemmMessage message{};
  const float one = 1;
  float c = 0;
  EXPECT_NE(plugin().sgemm(&library, 0, 0, 1, 1, 1, 1, &one, 1, &one, 1, 0, &c, 1, &message), 0);
  EXPECT_STREQ(message.text, "cublasSgemm: CUBLAS_STATUS_EXECUTION_FAILED");
}

}  // namespace

// libcupg_cublas.so for the PTX machine: matrix products by the OpenBLAS plug-in, on a device's memory and in its stream's turn, so that
// what surrounds the products can be tested. It says nothing about cuBLAS.
#include <dlfcn.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>

#include "kernels/network/library/device_plugin.h"
#include "kernels/network/library/plugin.h"

extern "C" int cupg_ptx_enqueue(void* stream, int (*work)(void*), void* of);
extern "C" void* cupg_ptx_host_pointer(const void* p, std::size_t bytes);

namespace {

const CupgGemmPlugin& openblas() {
  static const CupgGemmPlugin* const plugin = [] {
    void* const library = dlopen(CUPG_OPENBLAS_PLUGIN, RTLD_NOW);
    if (library == nullptr) {
      std::fprintf(stderr, "ptx machine: %s\n", dlerror());
      std::abort();
    }
    const CupgGemmPlugin* const p = reinterpret_cast<CupgGemmPluginFunction>(dlsym(library, CUPG_GEMM_SYMBOL))();
    p->set_threads(1);
    return p;
  }();
  return *plugin;
}

struct Product {
  int transposed_a, transposed_b, m, n, k;
  float alpha;
  const float* a;
  int lda;
  const float* b;
  int ldb;
  float beta;
  float* c;
  int ldc;
};

/// A matrix of a device where the host can reach it.
float* reach(const float* matrix, int rows, int columns, int stride) {
  const std::size_t count =
      rows == 0 ? 0 : static_cast<std::size_t>(rows - 1) * static_cast<std::size_t>(stride) + static_cast<std::size_t>(columns);
  return static_cast<float*>(cupg_ptx_host_pointer(matrix, count * sizeof(float)));
}

int multiply(void* of) {
  const Product& p = *static_cast<const Product*>(of);
  const float* const a = p.transposed_a != 0 ? reach(p.a, p.k, p.m, p.lda) : reach(p.a, p.m, p.k, p.lda);
  const float* const b = p.transposed_b != 0 ? reach(p.b, p.n, p.k, p.ldb) : reach(p.b, p.k, p.n, p.ldb);
  float* const c = reach(p.c, p.m, p.n, p.ldc);
  constexpr int kIllegalAddress = 700;  // cudaErrorIllegalAddress
  if (a == nullptr || b == nullptr || c == nullptr) {
    std::fprintf(stderr, "ptx machine: FAULT: a matrix product outside of an allocation\n");
    return kIllegalAddress;
  }
  openblas().sgemm(p.transposed_a, p.transposed_b, p.m, p.n, p.k, p.alpha, a, p.lda, b, p.ldb, p.beta, c, p.ldc);
  return 0;
}

void* create(void* stream, int, void*, std::size_t, CupgDeviceGemmMessage*) { return new void*(stream); }
void destroy(void* handle) { delete static_cast<void**>(handle); }
int sgemm(void* handle, int transposed_a, int transposed_b, int m, int n, int k, float alpha, const float* a, int lda, const float* b,
          int ldb, float beta, float* c, int ldc, CupgDeviceGemmMessage*) {
  // never freed: a graph may do it again and again
  auto* const product = new Product{transposed_a, transposed_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc};
  return cupg_ptx_enqueue(*static_cast<void**>(handle), multiply, product);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const CupgDeviceGemmPlugin* cupg_device_gemm_plugin() {
  static const CupgDeviceGemmPlugin plugin{CUPG_DEVICE_GEMM_ABI, "OpenBLAS on the PTX machine", create, destroy, sgemm};
  return &plugin;
}

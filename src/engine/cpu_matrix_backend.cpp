#include "src/engine/cpu_matrix_backend.hpp"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <thread>

#include "cupg/error.hpp"
#include "cupg/network.hpp"
#include "src/engine/aligned.hpp"
#include "src/engine/plugin.hpp"
#include "src/io/memory.hpp"

namespace cupg {
namespace {
constexpr std::size_t kOpenblasBuffer = 32 << 20;  // of each of its threads
}  // namespace

const CupgGemmPlugin& openblas() {
  static const CupgGemmPlugin& plugin = []() -> const CupgGemmPlugin& {
    const PluginName name{.file = "libcupg_openblas.so",
                          .needed = fmt::format("networks wider than {} units or deeper than {} layers", kMaxFusedWidth, kMaxFusedLayers),
                          .package = "libopenblas0 (where cupg was built without it: libopenblas-dev, and build again)"};
    const Plugin library = open_plugin(name, CUPG_GEMM_SYMBOL);
    const CupgGemmPlugin* table = library.get<CupgGemmPluginFunction>()();
    if (table == nullptr || table->abi != CUPG_GEMM_ABI)
      throw Error(ErrorKind::missing, fmt::format("{}: it belongs to another version of cupg; expected one with interface {}",
                                                  library.path().string(), CUPG_GEMM_ABI));
    return *table;
  }();
  return plugin;
}

const CupgGemmPlugin& openblas_for(int threads) {
  // OpenBLAS starts a thread a processor when it is opened and as many as it is told to later, with a buffer each. Where it gets none it
  // stops the process or waits for ever, so it is seen before whether the system gives them, beside the engine's own that are there.
  const int most = std::max(threads, static_cast<int>(std::thread::hardware_concurrency()));
  const std::size_t bytes = static_cast<std::size_t>(most + 1) * kOpenblasBuffer;
  const Team trial(most);
  void* const buffers = ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (buffers == MAP_FAILED)
    throw Error(ErrorKind::runtime,
                fmt::format("threads: {} of OpenBLAS take {} of addresses, and the system does not give them (a limit as of "
                            "ulimit -v); expected fewer threads, or at most {} layers of {} units",
                            most, format_bytes(static_cast<std::int64_t>(bytes)), kMaxFusedLayers, kMaxFusedWidth));
  ::munmap(buffers, bytes);
  return openblas();
}

std::shared_ptr<float> CpuMatrixBackend::allocate(std::int64_t count) {
  const auto array = std::make_shared<AlignedArray<float>>(count);
  return {array, array->data()};
}

void CpuMatrixBackend::fill_zero(float* x, std::int64_t count) { std::fill_n(x, count, 0.0f); }

void CpuMatrixBackend::gemm(const Gemm& g) {
  if (g.m == 0 || g.n == 0) return;
  plugin_.sgemm(g.transpose_a, g.transpose_b, g.m, g.n, g.k, g.alpha, g.a, g.a_stride, g.b, g.b_stride, g.beta, g.c, g.c_stride);
}

void CpuMatrixBackend::activate(bool tanh, std::int64_t rows, int stride, const float* bias, float* hidden) {
  const auto part = [&](std::int64_t begin, std::int64_t end) {
    ops_.dense_activate({.rows = end - begin, .stride = stride, .tanh = tanh, .bias = bias, .hidden = hidden + begin * stride});
  };
  constexpr std::int64_t kShared = 1 << 17;  // elements from which waking a team is worth its microseconds
  if (team_.size() == 1 || rows * stride < kShared) return part(0, rows);
  team_.run([&](int member) { part(rows * member / team_.size(), rows * (member + 1) / team_.size()); });
}

void CpuMatrixBackend::activate_backward(bool tanh, std::int64_t rows, int stride, const float* hidden, float* error, float* sums) {
  // the library reads `hidden` only
  ops_.dense_backward({.rows = rows, .stride = stride, .tanh = tanh, .hidden = const_cast<float*>(hidden), .error = error, .sums = sums});
}

void CpuMatrixBackend::broadcast(std::int64_t rows, int columns, const float* row, float* out, int out_stride) {
  for (std::int64_t r = 0; r < rows; ++r) std::copy_n(row, columns, out + r * out_stride);
}

void CpuMatrixBackend::column_sums(std::int64_t rows, int columns, const float* x, int x_stride, float* sums) {
  for (std::int64_t r = 0; r < rows; ++r)
    for (int j = 0; j < columns; ++j) sums[j] += x[r * x_stride + j];
}

void CpuMatrixBackend::copy(std::int64_t count, const float* in, float* out) { std::copy_n(in, count, out); }

}  // namespace cupg

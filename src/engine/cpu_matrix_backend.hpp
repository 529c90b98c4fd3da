#pragma once
#include "kernels/network/library/plugin.h"
#include "src/engine/cpu_ops.hpp"
#include "src/engine/matrix_backend.hpp"
#include "src/engine/team.hpp"

namespace cupg {

/// The GEMM plug-in of the CPU, opened at the first call. Throws Error (missing) where it cannot be.
const CupgGemmPlugin& openblas();
/// The same for an engine of so many threads, which has started its own. Throws Error (runtime) where the system does not give the threads
/// or the memory for them.
const CupgGemmPlugin& openblas_for(int threads);

/// MatrixBackend on the CPU: products by the plug-in, the rest by one target of the kernels, on the threads of `team`.
class CpuMatrixBackend final : public MatrixBackend {
 public:
  CpuMatrixBackend(const CupgGemmPlugin& plugin, const CpuOps& ops, Team& team) : plugin_(plugin), ops_(ops), team_(team) {}

  std::shared_ptr<float> allocate(std::int64_t count) override;
  void fill_zero(float* x, std::int64_t count) override;
  void gemm(const Gemm& g) override;
  void activate(bool tanh, std::int64_t rows, int stride, const float* bias, float* hidden) override;
  void activate_backward(bool tanh, std::int64_t rows, int stride, const float* hidden, float* error, float* sums) override;
  void broadcast(std::int64_t rows, int columns, const float* row, float* out, int out_stride) override;
  void column_sums(std::int64_t rows, int columns, const float* x, int x_stride, float* sums) override;
  void copy(std::int64_t count, const float* in, float* out) override;

 private:
  const CupgGemmPlugin& plugin_;
  const CpuOps& ops_;
  Team& team_;
};

}  // namespace cupg

// The elementary operations that DenseNetwork is made of, on row-major single-precision matrices in the memory of one device.
// The CPU's is in cpu_matrix_backend.hpp. A device's enqueues: operations of one backend take place in the order of their
// calls, and only copies to the host wait.
#pragma once
#include <cstdint>
#include <memory>

namespace cupg {

/// C = alpha op(A) op(B) + beta C; op transposes where the flag is set. C [m][n], op(A) [m][k], op(B) [k][n]; `*_stride` are
/// elements between two rows. beta 0 does not read C.
struct Gemm {
  bool transpose_a = false, transpose_b = false;
  int m = 0, n = 0, k = 0;
  const float* a = nullptr;
  int a_stride = 0;
  const float* b = nullptr;
  int b_stride = 0;
  float* c = nullptr;
  int c_stride = 0;
  float alpha = 1, beta = 0;
};

class MatrixBackend {
 public:
  virtual ~MatrixBackend() = default;

  /// `count` zeros, aligned to 64 bytes; freed with the last copy of the pointer.
  virtual std::shared_ptr<float> allocate(std::int64_t count) = 0;
  virtual void fill_zero(float* x, std::int64_t count) = 0;

  virtual void gemm(const Gemm&) = 0;
  /// h = act(z + bias) in place: hidden [rows][stride], bias [stride]. kernels/network/library/dense.hpp has the formulas.
  virtual void activate(bool tanh, std::int64_t rows, int stride, const float* bias, float* hidden) = 0;
  /// error *= act'(hidden) in place, both [rows][stride]; sums [stride] += the column sums of what results.
  virtual void activate_backward(bool tanh, std::int64_t rows, int stride, const float* hidden, float* error, float* sums) = 0;
  /// out_rj = row_j for [rows][columns] of out, whose rows are `out_stride` apart: biases, before a product is added.
  virtual void broadcast(std::int64_t rows, int columns, const float* row, float* out, int out_stride) = 0;
  /// sums_j += the column sums of x [rows][columns], whose rows are `x_stride` apart.
  virtual void column_sums(std::int64_t rows, int columns, const float* x, int x_stride, float* sums) = 0;
  virtual void copy(std::int64_t count, const float* in, float* out) = 0;
};

}  // namespace cupg

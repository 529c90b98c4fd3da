#pragma once
#include <memory>

#include "kernels/network/library/dense.cuh"
#include "src/engine/device_gemm.cuh"

CUPG_BEGIN_TARGET

/// MatrixBackend in device memory: everything is enqueued on one stream, and can be recorded in a graph.
class CudaMatrixBackend final : public MatrixBackend {
 public:
  CudaMatrixBackend(runtime::Stream& stream, bool fast) : stream_(stream), gemm_(stream, fast) {}

  std::shared_ptr<float> allocate(std::int64_t count) override {
    const auto buffer = std::make_shared<runtime::Buffer<float>>(count, "the network");
    return {buffer, buffer->data()};
  }
  void fill_zero(float* x, std::int64_t count) override { runtime::clear(stream_, x, count); }

  void gemm(const Gemm& g) override {
    if (g.m > 0 && g.n > 0) gemm_(g);
  }
  void activate(bool tanh, std::int64_t rows, int stride, const float* bias, float* hidden) override {
    const DenseArgs a{.rows = rows, .stride = stride, .tanh = tanh, .bias = bias, .hidden = hidden};
    launch("activate", tanh ? activate_kernel<Tanh> : activate_kernel<Relu>, rows * stride, a);
  }
  void activate_backward(bool tanh, std::int64_t rows, int stride, const float* hidden, float* error, float* sums) override {
    // the kernel reads `hidden` only
    const DenseArgs a{.rows = rows, .stride = stride, .tanh = tanh, .hidden = const_cast<float*>(hidden), .error = error};
    launch("activate_backward", tanh ? activate_backward_kernel<Tanh> : activate_backward_kernel<Relu>, rows * stride, a);
    column_sums(rows, stride, error, stride, sums);
  }
  void broadcast(std::int64_t rows, int columns, const float* row, float* out, int out_stride) override {
    launch("broadcast", broadcast_kernel, rows * columns,
           MatrixArgs{.rows = rows, .columns = columns, .in = row, .out = out, .out_stride = out_stride});
  }
  void column_sums(std::int64_t rows, int columns, const float* x, int x_stride, float* sums) override {
    if (rows == 0 || columns == 0) return;
    const MatrixArgs a{.rows = rows, .columns = columns, .in = x, .in_stride = x_stride, .out = sums};
    const dim3 grid(static_cast<unsigned>((columns + kWarp - 1) / kWarp));
    runtime::launch(stream_, "column_sums", column_sums_kernel, grid, dim3(kSumWarps * kWarp), 0, a);
  }
  void copy(std::int64_t count, const float* in, float* out) override { launch("copy", copy_kernel, count, count, in, out); }

 private:
  template <class Kernel, class... A>
  void launch(const char* name, Kernel kernel, std::int64_t elements, A... arguments) {
    if (elements > 0) runtime::launch(stream_, name, kernel, dense_grid(elements), dim3(kDenseThreads), 0, arguments...);
  }

  runtime::Stream& stream_;
  DeviceGemm gemm_;
};

CUPG_END_TARGET

// Matrix products on the engine's stream: by the cuBLAS plug-in, or, in the build for the host executor, by the OpenBLAS plug-in
// (device memory is host memory there). Opened when the first engine that needs it is made.
#pragma once
#include "kernels/runtime/runtime.hpp"
#include "src/engine/matrix_backend.hpp"

#ifdef __CUDACC__
#include "cupg/network.hpp"
#include "kernels/network/library/device_plugin.h"
#include "src/engine/plugin.hpp"
#else
#include "src/engine/cpu_matrix_backend.hpp"
#endif

CUPG_BEGIN_TARGET

#ifdef __CUDACC__

/// The plug-in. Throws Error (missing) where it cannot be opened.
inline const CupgDeviceGemmPlugin& cublas() {
  static const CupgDeviceGemmPlugin& plugin = []() -> const CupgDeviceGemmPlugin& {
    const PluginName name{"libcupg_cublas.so",
                          "networks wider than " + std::to_string(kMaxFusedWidth) + " units or deeper than " +
                              std::to_string(kMaxFusedLayers) + " layers on an NVIDIA device",
                          "libcublas (where cupg was built without it: libcublas-dev, and build again), or take --device cpu"};
    const Plugin library = open_plugin(name, CUPG_DEVICE_GEMM_SYMBOL);
    const CupgDeviceGemmPlugin* table = library.get<CupgDeviceGemmPluginFunction>()();
    if (table == nullptr || table->abi != CUPG_DEVICE_GEMM_ABI)
      throw Error(ErrorKind::missing, library.path().string() + ": it belongs to another version of cupg; expected one with interface " +
                                          std::to_string(CUPG_DEVICE_GEMM_ABI));
    return *table;
  }();
  return plugin;
}

class DeviceGemm {
 public:
  static constexpr std::int64_t kWorkspace = 32 << 20;  // bytes; what NVIDIA recommends for Hopper

  DeviceGemm(runtime::Stream& stream, bool fast) : plugin_(cublas()), workspace_(kWorkspace, "matrix products") {
    CupgDeviceGemmMessage message{};
    handle_ = plugin_.create(stream.get(), fast, workspace_.data(), static_cast<std::size_t>(workspace_.size()), &message);
    if (handle_ == nullptr) fail(message, "setting up");
  }
  ~DeviceGemm() { plugin_.destroy(handle_); }
  DeviceGemm(const DeviceGemm&) = delete;
  DeviceGemm& operator=(const DeviceGemm&) = delete;

  void operator()(const Gemm& g) {
    CupgDeviceGemmMessage message{};
    if (plugin_.sgemm(handle_, g.transpose_a, g.transpose_b, g.m, g.n, g.k, g.alpha, g.a, g.a_stride, g.b, g.b_stride, g.beta, g.c,
                      g.c_stride, &message) != 0)
      fail(message, std::to_string(g.m) + " x " + std::to_string(g.k) + " times " + std::to_string(g.k) + " x " + std::to_string(g.n));
  }

 private:
  [[noreturn]] void fail(const CupgDeviceGemmMessage& message, const std::string& what) const {
    throw Error(ErrorKind::runtime, std::string("cuda: ") + plugin_.name + ", " + what + ": " + message.text);
  }

  const CupgDeviceGemmPlugin& plugin_;
  runtime::Buffer<unsigned char> workspace_;
  void* handle_ = nullptr;
};

#else

class DeviceGemm {
 public:
  static constexpr std::int64_t kWorkspace = 0;

  DeviceGemm(runtime::Stream& stream, bool) : stream_(stream), plugin_(openblas()) { plugin_.set_threads(1); }
  void operator()(const Gemm& g) {
    stream_.enqueue([g, &plugin = plugin_] {
      plugin.sgemm(g.transpose_a, g.transpose_b, g.m, g.n, g.k, g.alpha, g.a, g.a_stride, g.b, g.b_stride, g.beta, g.c, g.c_stride);
    });
  }

 private:
  runtime::Stream& stream_;
  const CupgGemmPlugin& plugin_;
};

#endif

CUPG_END_TARGET

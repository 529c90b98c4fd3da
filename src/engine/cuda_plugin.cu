// What libcupg_cuda.so exports.
#include "src/engine/cuda_engine.cuh"
#include "src/io/version.hpp"

namespace cupg {
namespace {

/// Devices come first to last; the first one that this build has kernels for is used.
int usable_devices(std::string& reason) {
  const int count = runtime::device_count(reason);
  for (int i = 0; i < count; ++i) {
    if (!runtime::has_kernels(i, optimizer_kernel, reason)) return i;
  }
  return count;
}

std::unique_ptr<Engine> make_engine(const Config& config, int agents, CudaForm form) {
  return std::make_unique<CudaEngine>(config, agents, 0, form);
}

}  // namespace
}  // namespace cupg

extern "C" __attribute__((visibility("default"))) const cupg::CudaPlugin* cupg_cuda_plugin() {
  static const cupg::CudaPlugin plugin{CUPG_VERSION, sizeof(cupg::Config), cupg::usable_devices, cupg::runtime::device_properties,
                                       cupg::make_engine};
  return &plugin;
}

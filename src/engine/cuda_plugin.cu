// What libcupg_cuda.so exports.
#include "src/engine/cuda_engines.cuh"

namespace cupg {
namespace {

int usable_device(std::string& reason) {
  const int count = runtime::device_count(reason);
  for (int i = 0; i < count; ++i)
    if (runtime::has_kernels(i, optimizer_kernel, reason)) return i;
  return -1;
}

std::vector<DeviceProperties> devices() {
  std::string reason;
  std::vector<DeviceProperties> all;
  for (int i = 0, count = runtime::device_count(reason); i < count; ++i) all.push_back(runtime::device_properties(i));
  return all;
}

}  // namespace
}  // namespace cupg

extern "C" __attribute__((visibility("default"))) const cupg::CudaPlugin* cupg_cuda_plugin() {
  static const cupg::CudaPlugin plugin{CUPG_VERSION,  sizeof(cupg::Config),     cupg::usable_device,
                                       cupg::devices, cupg::most_device_agents, cupg::make_device_engine};
  return &plugin;
}

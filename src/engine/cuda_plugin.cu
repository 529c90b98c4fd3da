// What libcupg_cuda.so exports.
#include "src/engine/cuda_engine.cuh"

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

int most_agents(const Config& config, int device, int wanted) { return CudaEngine::most_agents(config, device, wanted); }

std::unique_ptr<Engine> make_cuda_engine(const Config& config, int agents, int device, CudaForm form) {
  return std::make_unique<CudaEngine>(config, agents, device, form);
}

}  // namespace
}  // namespace cupg

extern "C" __attribute__((visibility("default"))) const cupg::CudaPlugin* cupg_cuda_plugin() {
  static const cupg::CudaPlugin plugin{CUPG_VERSION,  sizeof(cupg::Config), cupg::usable_device,
                                       cupg::devices, cupg::most_agents,    cupg::make_cuda_engine};
  return &plugin;
}

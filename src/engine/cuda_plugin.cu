// What libcupg_cuda.so exports.
#include "src/engine/cuda_engines.cuh"

extern "C" __attribute__((visibility("default"))) const cupg::CudaPlugin* cupg_cuda_plugin() {
  static const cupg::CudaPlugin plugin{CUPG_VERSION,     sizeof(cupg::Config),     cupg::all_devices,       cupg::start_device,
                                       cupg::why_not_on, cupg::most_device_agents, cupg::make_device_engine};
  return &plugin;
}

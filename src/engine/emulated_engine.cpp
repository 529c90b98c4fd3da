// The CUDA engine, compiled for the host executor.
#include "src/engine/cuda_engines.cuh"

namespace cupg {

std::unique_ptr<Engine> make_emulated_engine(const Config& config, int agents, CudaForm form) {
  return make_device_engine(config, agents, 0, form);
}
std::unique_ptr<Engine> make_emulated_gemm_engine(const Config& config, int agents, const LibraryPlan& plan) {
  return std::make_unique<CudaEngine>(config, agents, 0, CudaForm::automatic, plan);
}
const CudaPlugin& emulated_plugin() {
  static const CudaPlugin plugin{"", sizeof(Config), all_devices, start_device, why_not_on, most_device_agents, make_device_engine};
  return plugin;
}
int most_emulated_agents(const Config& config, int wanted) { return most_device_agents(config, 0, wanted); }

}  // namespace cupg

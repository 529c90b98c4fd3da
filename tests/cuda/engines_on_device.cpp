#include "src/engine/device.hpp"
#include "tests/cuda/cuda_engines.hpp"

namespace cupg_test {
namespace {

struct DevicePlugin {
  const cupg::CudaPlugin* plugin = nullptr;
  int index = -1;
  std::string reason;  ///< where there is no device

  DevicePlugin() {
    plugin = cupg::find_cuda_plugin(reason);
    if (plugin != nullptr) index = plugin->usable_device(reason);
    if (index >= 0) reason.clear();
  }
};
const DevicePlugin& device_plugin() {
  static const DevicePlugin found;
  return found;
}

}  // namespace

bool on_device() { return true; }
std::string why_no_engine() { return device_plugin().reason; }
std::unique_ptr<cupg::Engine> make_cuda_engine(const cupg::Config& config, int agents, cupg::CudaForm form) {
  return device_plugin().plugin->make_engine(config, agents, device_plugin().index, form);
}
std::unique_ptr<cupg::Engine> make_cuda_gemm_engine(const cupg::Config& config, int agents, const cupg::LibraryPlan&) {
  return make_cuda_engine(config, agents);
}
std::shared_ptr<void> engine_schedule(std::size_t) { return nullptr; }

}  // namespace cupg_test

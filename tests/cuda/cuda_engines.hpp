// The whole CUDA engine where these tests run it: on the host executor, or, compiled by nvcc, on a device through the plug-in.
#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "src/engine/device.hpp"
#include "tests/cuda/schedule.hpp"

namespace cupg_test {

#ifdef __CUDACC__
inline constexpr bool kOnDevice = true;

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
inline const DevicePlugin& device_plugin() {
  static const DevicePlugin found;
  return found;
}
inline std::string why_no_engine() { return device_plugin().reason; }
inline std::unique_ptr<cupg::Engine> make_cuda_engine(const cupg::Config& config, int agents = 1,
                                                      cupg::CudaForm form = cupg::CudaForm::automatic) {
  return device_plugin().plugin->make_engine(config, agents, device_plugin().index, form);
}
#else
inline constexpr bool kOnDevice = false;
inline std::string why_no_engine() { return ""; }
inline std::unique_ptr<cupg::Engine> make_cuda_engine(const cupg::Config& config, int agents = 1,
                                                      cupg::CudaForm form = cupg::CudaForm::automatic) {
  return cupg::make_emulated_engine(config, agents, form);
}
#endif

/// A fixture, or the base of one, that skips where there is no device.
template <class Fixture = testing::Test>
struct CudaEngineTest : Fixture {
  void SetUp() override {
    if (const std::string reason = why_no_engine(); !reason.empty()) GTEST_SKIP() << "no CUDA device: " << reason;
  }
};

}  // namespace cupg_test

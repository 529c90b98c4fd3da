#pragma once
#include <mutex>
#include <string>
#include <vector>

#include "cupg/config.hpp"
#include "src/engine/cuda_plugin.hpp"

namespace cupg {

/// Where a configuration trains.
struct DeviceChoice {
  Device device = Device::cpu;         ///< cpu, cuda or reference
  std::string reason;                  ///< automatic: why not CUDA, or which devices were passed over and why
  const CudaPlugin* plugin = nullptr;  ///< cuda only
  int index = 0;                       ///< of the CUDA device
};

/// config.device, with automatic decided: the first CUDA device that can train the configuration, otherwise the CPU; nothing is opened
/// where there is no driver (libcuda.so.1). Where CUDA is asked for and cannot be used, throws Error with the reason: usage where the
/// configuration asks too much of a device, otherwise missing.
DeviceChoice choose_device(const Config& config);

/// The devices of a plug-in. Each is started once, when somebody asks for it; what came of it holds to the end of the process, so that
/// one run is not told two things.
class CudaDevices {
 public:
  explicit CudaDevices(const CudaPlugin& plugin);

  /// The choice for a configuration whose device is automatic or cuda.
  DeviceChoice choose(const Config& config);
  /// All of them, started.
  std::vector<DeviceProperties> all();
  /// What is known of one of them.
  DeviceProperties properties(int index);
  /// Why there are none.
  const std::string& reason() const { return reason_; }

 private:
  struct Known {
    DeviceProperties properties;
    bool started = false;
  };
  const DeviceProperties& start(Known& known);

  const CudaPlugin& plugin_;
  std::string reason_;
  std::mutex mutex_;
  std::vector<Known> devices_;
};

/// The plug-in, for those who want to know about its devices; null with the reason where it cannot be used.
const CudaPlugin* find_cuda_plugin(std::string& reason);
/// Its devices, likewise.
CudaDevices* find_cuda_devices(std::string& reason);

}  // namespace cupg

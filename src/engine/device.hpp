#pragma once
#include <string>

#include "cupg/config.hpp"
#include "src/engine/cuda_plugin.hpp"

namespace cupg {

/// Where a configuration trains.
struct DeviceChoice {
  Device device = Device::cpu;         ///< cpu, cuda or reference
  std::string reason;                  ///< automatic that became cpu: why not cuda
  const CudaPlugin* plugin = nullptr;  ///< cuda only
  int index = 0;                       ///< of the CUDA device
};

/// config.device, with automatic decided: CUDA where a device can be used, otherwise the CPU; nothing is opened where there is no
/// driver (libcuda.so.1). Throws Error (missing), with the reason, where CUDA is asked for and cannot be used.
DeviceChoice choose_device(const Config& config);

/// The plug-in, for those who want to know about its devices; null with the reason where it cannot be used.
const CudaPlugin* find_cuda_plugin(std::string& reason);

}  // namespace cupg

#include "src/engine/device.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include "cupg/error.hpp"
#include "src/engine/plugin.hpp"
#include "src/io/version.hpp"

namespace cupg {
namespace {

bool has_driver() {
  static const bool found = ::dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL) != nullptr;  // stays open: it would be opened again
  return found;
}

/// What there is, found out once: opening a device takes a tenth of a second.
struct Found {
  const CudaPlugin* plugin = nullptr;
  int index = -1;
  std::string reason;  // where the index is -1
};

const CudaPlugin* load_plugin() {
  const Plugin file = open_plugin({"libcupg_cuda.so", "NVIDIA devices", "a build of cupg with CUDA (CUPG_CUDA=ON)"}, kCudaPluginSymbol);
  const CudaPlugin* const plugin = file.get<const CudaPlugin* (*)()>()();
  if (plugin->version != version() || plugin->config_bytes != sizeof(Config))
    throw Error(ErrorKind::missing,
                fmt::format("{} is of another build (version {}, expected {})", file.path().string(), plugin->version, version()));
  return plugin;
}

Found find_device() {
  Found found;
  try {
    found.plugin = load_plugin();
  } catch (const Error& e) {
    found.reason = e.what();
    return found;
  }
  if (!has_driver()) {
    found.reason = "no NVIDIA driver (libcuda.so.1 is not there)";
    return found;
  }
  found.index = found.plugin->usable_device(found.reason);
  return found;
}

const Found& found_device() {
  static const Found found = find_device();
  return found;
}

}  // namespace

DeviceChoice choose_device(const Config& config) {
  DeviceChoice choice;
  choice.device = config.device;
  if (config.device == Device::cpu || config.device == Device::reference) return choice;
  if (config.device == Device::automatic && !has_driver()) {
    choice.device = Device::cpu;
    choice.reason = "no NVIDIA driver";
    return choice;
  }
  const Found& found = found_device();
  if (found.index >= 0) {
    choice.device = Device::cuda;
    choice.plugin = found.plugin;
    choice.index = found.index;
    return choice;
  }
  if (config.device == Device::cuda)
    throw Error(ErrorKind::missing, fmt::format("device: cuda cannot be used: {}; expected auto, cpu or reference", found.reason));
  choice.device = Device::cpu;
  choice.reason = found.reason;
  return choice;
}

const CudaPlugin* find_cuda_plugin(std::string& reason) {
  if (!has_driver()) {
    reason = "no NVIDIA driver";
    return nullptr;
  }
  const Found& found = found_device();
  reason = found.reason;
  return found.plugin;
}

}  // namespace cupg

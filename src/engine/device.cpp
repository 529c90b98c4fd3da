#include "src/engine/device.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <memory>
#include <utility>

#include "cupg/error.hpp"
#include "src/engine/plugin.hpp"
#include "src/io/memory.hpp"
#include "src/io/version.hpp"

namespace cupg {
namespace {

bool has_driver() {
  static const bool found = ::dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL) != nullptr;  // stays open: it would be opened again
  return found;
}

const CudaPlugin* load_plugin() {
  const Plugin file = open_plugin({"libcupg_cuda.so", "NVIDIA devices", "a build of cupg with CUDA (CUPG_CUDA=ON)"}, kCudaPluginSymbol);
  const CudaPlugin* const plugin = file.get<const CudaPlugin* (*)()>()();
  if (plugin->version != version() || plugin->config_bytes != sizeof(Config))
    throw Error(ErrorKind::missing,
                fmt::format("{} is of another build (version {}, expected {})", file.path().string(), plugin->version, version()));
  return plugin;
}

/// What there is, found out once.
struct Found {
  const CudaPlugin* plugin = nullptr;
  std::unique_ptr<CudaDevices> devices;
  std::string reason;  // where these are null

  Found() {
    try {
      plugin = load_plugin();
    } catch (const Error& e) {
      reason = e.what();
      return;
    }
    if (has_driver()) {
      devices = std::make_unique<CudaDevices>(*plugin);
    } else {
      reason = "no NVIDIA driver (libcuda.so.1 is not there)";
    }
  }
};

Found& found() {
  static Found only;
  return only;
}

[[noreturn]] void refuse_cuda(const std::string& reason) {
  throw Error(ErrorKind::missing, fmt::format("device: cuda cannot be used: {}; expected auto, cpu or reference", reason));
}

}  // namespace

CudaDevices::CudaDevices(const CudaPlugin& plugin) : plugin_(plugin) {
  try {
    for (DeviceProperties& d : plugin.devices(reason_)) devices_.push_back({std::move(d)});
  } catch (const Error& e) {
    reason_ = e.what();
  }
  if (devices_.empty() && reason_.empty()) reason_ = "no device";
}

const DeviceProperties& CudaDevices::start(Known& known) {
  if (!std::exchange(known.started, true)) plugin_.start(known.properties);
  return known.properties;
}

DeviceChoice CudaDevices::choose(const Config& config) {
  const std::lock_guard lock(mutex_);
  DeviceChoice choice;
  std::string too_much;  // that the configuration asks of a device
  const auto pass_over = [&](const DeviceProperties& d, const std::string& why) {
    choice.reason +=
        fmt::format("{}device {}{}{}: {}", choice.reason.empty() ? "" : "; ", d.index, d.name.empty() ? "" : ", ", d.name, why);
  };
  const bool too_many = config.batch() > std::int64_t{0xffffffff};  // kernels count an update's samples in 32 bits
  for (Known& known : devices_) {
    const DeviceProperties& d = known.properties;
    std::string why = d.problem.empty() ? plugin_.why_not(config, d) : "";
    if (why.empty() && too_many)
      why = fmt::format("envs: {} with horizon = {}; expected fewer than 2^32 samples an update on a device, or device = cpu", config.envs,
                        config.horizon);
    if (!why.empty()) {
      too_much = why;
      pass_over(d, why);
    } else if (!start(known).problem.empty()) {
      pass_over(d, d.problem);
    } else if (plugin_.most_agents(config, d.index, 1) == 0) {
      pass_over(d, fmt::format("too little memory is free, {} of {}; fewer envs or a shorter horizon take less",
                               format_bytes(d.free_memory), format_bytes(d.memory)));
    } else {
      choice.device = Device::cuda;
      choice.plugin = &plugin_;
      choice.index = d.index;
      return choice;
    }
  }
  if (devices_.empty()) choice.reason = reason_;
  if (config.device == Device::cuda && !too_much.empty()) throw Error(ErrorKind::usage, too_much);
  if (config.device == Device::cuda) refuse_cuda(choice.reason);
  choice.device = Device::cpu;
  return choice;
}

std::vector<DeviceProperties> CudaDevices::all() {
  const std::lock_guard lock(mutex_);
  std::vector<DeviceProperties> list;
  for (Known& known : devices_) list.push_back(start(known));
  return list;
}

DeviceProperties CudaDevices::properties(int index) {
  const std::lock_guard lock(mutex_);
  return devices_.at(static_cast<std::size_t>(index)).properties;
}

int CudaPlugin::usable_device(std::string& reason) const {
  Config any;
  any.device = Device::automatic;
  const DeviceChoice choice = CudaDevices(*this).choose(any);
  reason = choice.reason;
  return choice.device == Device::cuda ? choice.index : -1;
}

DeviceChoice choose_device(const Config& config) {
  DeviceChoice choice;
  choice.device = config.device;
  if (config.device == Device::cpu || config.device == Device::reference) return choice;
  if (config.device == Device::automatic && !has_driver()) {
    choice.device = Device::cpu;
    choice.reason = "no NVIDIA driver";
    return choice;
  }
  Found& here = found();
  if (here.devices) return here.devices->choose(config);
  if (config.device == Device::cuda) refuse_cuda(here.reason);
  choice.device = Device::cpu;
  choice.reason = here.reason;
  return choice;
}

const CudaPlugin* find_cuda_plugin(std::string& reason) {
  if (!has_driver()) {
    reason = "no NVIDIA driver";
    return nullptr;
  }
  reason = found().reason;
  return found().plugin;
}

CudaDevices* find_cuda_devices(std::string& reason) {
  if (find_cuda_plugin(reason) == nullptr) return nullptr;
  return found().devices.get();
}

}  // namespace cupg

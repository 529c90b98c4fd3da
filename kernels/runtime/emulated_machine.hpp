// The machine that the host executor stands for: its devices, and what of them is in use. Tests change the one and look at the other.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/runtime/properties.hpp"

namespace cupg {

/// As large as an H100's SM in what shapes depend on.
inline DeviceProperties emulated_device(int index = 0) {
  DeviceProperties d;
  d.name = "host executor";
  d.index = index;
  d.major = 9;
  d.multiprocessors = 0;
  d.memory = d.free_memory = std::int64_t{80} << 30;
  d.shared_memory = 227 << 10;
  d.shared_memory_sm = 228 << 10;
  d.driver = d.runtime = "0.0";
  return d;
}

struct EmulatedMachine {
  static constexpr std::size_t kMostDevices = 4;

  /// To be changed only while nothing runs. A device with a `problem` fails as soon as a thread selects it.
  std::vector<DeviceProperties> devices{emulated_device()};
  std::atomic<int> broken = -1;                                   ///< a device that starts, but whose launches fail
  std::array<std::atomic<std::int64_t>, kMostDevices> buffers{};  ///< of each device, not yet freed
  std::atomic<std::int64_t> graphs = 0;                           ///< not yet destroyed
  std::atomic<std::int64_t> graphs_recorded = 0;
  void (*launched)(const char* kernel) = nullptr;  ///< called with every launch
};
inline EmulatedMachine& emulated_machine() {
  static EmulatedMachine only;
  return only;
}

/// The device that the calls of this thread use.
inline int& emulated_current_device() {
  thread_local int current = 0;
  return current;
}

/// Other devices for a scope.
class WithEmulatedDevices {
 public:
  explicit WithEmulatedDevices(std::vector<DeviceProperties> devices) : previous_(emulated_machine().devices) {
    emulated_machine().devices = std::move(devices);
  }
  ~WithEmulatedDevices() { emulated_machine().devices = previous_; }
  WithEmulatedDevices(const WithEmulatedDevices&) = delete;
  WithEmulatedDevices& operator=(const WithEmulatedDevices&) = delete;

 private:
  std::vector<DeviceProperties> previous_;
};

}  // namespace cupg

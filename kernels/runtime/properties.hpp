#pragma once
#include <cstdint>
#include <string>

namespace cupg {

/// A device as users and launch shapes see it.
struct DeviceProperties {
  std::string name;
  int index = 0;
  int major = 0, minor = 0;           ///< compute capability
  int multiprocessors = 0;            ///< SMs; 0: the host executor
  std::int64_t memory = 0;            ///< bytes of device memory
  std::int64_t free_memory = 0;       ///< of these, unused; known once the device has been started
  std::int64_t shared_memory = 0;     ///< bytes of shared memory that one block may ask for
  std::int64_t shared_memory_sm = 0;  ///< bytes of shared memory of an SM
  std::string driver, runtime;        ///< versions, as "13.0"
  std::string problem;                ///< why the device cannot be used; empty: it can, or nobody has tried
};

/// Bytes of static shared memory that a kernel with dynamic shared memory may declare, at most. A device's limits hold for both
/// together, so whatever decides how much a block may take counts these.
inline constexpr std::int64_t kStaticShared = 272;
/// Bytes of shared memory, static and dynamic, that a block may have without asking CUDA for more.
inline constexpr std::int64_t kSharedUnasked = 48 * 1024;

constexpr bool must_ask_for_shared(std::int64_t dynamic) { return dynamic + kStaticShared > kSharedUnasked; }
/// Whether a block of the device can have so many bytes of dynamic shared memory.
constexpr bool shared_memory_fits(const DeviceProperties& device, std::int64_t dynamic) {
  return dynamic + kStaticShared <= device.shared_memory;
}

}  // namespace cupg

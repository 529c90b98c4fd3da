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
  std::int64_t free_memory = 0;       ///< of these, unused
  std::int64_t shared_memory = 0;     ///< bytes of shared memory that one block may ask for
  std::int64_t shared_memory_sm = 0;  ///< bytes of shared memory of an SM
  std::string driver, runtime;        ///< versions, as "13.0"
};

}  // namespace cupg

#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

#include "cupg/config.hpp"
#include "src/engine/cgroups.hpp"

namespace cupg {

/// Bytes that a training takes before it takes them: its engines, its agents' parameters and their curves.
std::int64_t training_bytes(const Config& config);

/// Where Linux says how much memory there is; tests have files of their own. Limits of the process itself are asked of the kernel.
struct MemoryFiles {
  std::filesystem::path system = "/proc/meminfo", process = "/proc/self/status";
  CgroupFiles cgroups = {};
};
struct AvailableMemory {
  std::int64_t bytes;
  const char* limited_by;  ///< "the system", "its cgroup", "RLIMIT_AS", "RLIMIT_DATA"; "nothing" where nobody tells
};
/// What this process may still take: the least of what the system has available, what the memory limits of its cgroups (containers,
/// services; those above them too) leave, and its limits of addresses (ulimit -v) and of data (ulimit -d). Read anew each time.
AvailableMemory available_memory(const MemoryFiles& files = {});

/// "12.3 GiB"
std::string format_bytes(std::int64_t bytes);

}  // namespace cupg

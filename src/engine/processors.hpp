#pragma once
#include <filesystem>

namespace cupg {

/// Where Linux says what a process may use; tests have folders of their own.
struct ProcessorFiles {
  std::filesystem::path cgroups = "/sys/fs/cgroup";        ///< version 2, or with the folders of version 1's controllers
  std::filesystem::path membership = "/proc/self/cgroup";  ///< the cgroups that the process is in
};

/// Processors that this process may keep busy, at least 1: those that the calling thread may run on (taskset), or the CPU quota of its
/// cgroups (containers, services) rounded up, whichever is less. Read anew each time.
int usable_processors(const ProcessorFiles& files = {});

}  // namespace cupg

// Where Linux says what the cgroups of a process may use: containers, services.
#pragma once
#include <filesystem>
#include <limits>
#include <string_view>

namespace cupg {

/// Tests have folders of their own.
struct CgroupFiles {
  std::filesystem::path cgroups = "/sys/fs/cgroup";        ///< version 2, or with the folders of version 1's controllers
  std::filesystem::path membership = "/proc/self/cgroup";  ///< the cgroups that the process is in
};

inline constexpr double kNoLimit = std::numeric_limits<double>::infinity();

/// The least limit of the cgroups that the process is in, and of those above them, for the controller ("cpu", "memory"). version2 and
/// version1 read it from a cgroup's folder; kNoLimit where there is none.
double least_in_cgroups(const CgroupFiles& files, std::string_view controller, double (*version2)(const std::filesystem::path&),
                        double (*version1)(const std::filesystem::path&));

}  // namespace cupg

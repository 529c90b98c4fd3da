#include "src/engine/cgroups.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace cupg {
namespace {

namespace fs = std::filesystem;

/// The least limit of the cgroup at `path` below `mount` and of those above it. Inside a container `path` may be one that only the host
/// sees; `mount` is the container's own then.
double least(const fs::path& mount, const std::string& path, double (*limit_of)(const fs::path&)) {
  double limit = limit_of(mount);
  fs::path folder = mount;
  for (const fs::path& part : fs::path(path).relative_path()) {
    if (part == "..") break;  // outside of what the process sees
    limit = std::min(limit, limit_of(folder /= part));
  }
  return limit;
}

}  // namespace

/// The process's cgroups are lines "0::/user.slice" of version 2, "4:cpu,cpuacct:/docker/1f" of version 1.
double least_in_cgroups(const CgroupFiles& files, std::string_view controller, double (*version2)(const fs::path&),
                        double (*version1)(const fs::path&)) {
  double limit = kNoLimit;
  std::ifstream file(files.membership);
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':'), second = first == line.npos ? line.npos : line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty()) limit = std::min(limit, least(files.cgroups, path, version2));
    if (fmt::format(",{},", controllers).find(fmt::format(",{},", controller)) == std::string::npos) continue;
    for (const std::string& name : {controllers, std::string(controller)})
      limit = std::min(limit, least(files.cgroups / name, path, version1));
  }
  return limit;
}

}  // namespace cupg

#include "src/engine/processors.hpp"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>
#include <thread>

namespace cupg {
namespace {

namespace fs = std::filesystem;
constexpr double kNoLimit = std::numeric_limits<double>::infinity();

/// Of the calling thread's mask.
int in_affinity() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());  // more than 1,024 processors
}

/// Version 2: "150000 100000" are 1.5 processors; "max 100000" is no limit.
double max_of(const fs::path& folder) {
  std::ifstream file(folder / "cpu.max");
  double quota = 0, period = 0;
  return file >> quota >> period && quota > 0 && period > 0 ? quota / period : kNoLimit;
}
/// Version 1; a quota of -1 is no limit.
double cfs_of(const fs::path& folder) {
  double quota = 0, period = 0;
  std::ifstream(folder / "cpu.cfs_quota_us") >> quota;
  std::ifstream(folder / "cpu.cfs_period_us") >> period;
  return quota > 0 && period > 0 ? quota / period : kNoLimit;
}

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

/// Of the cgroups that the process is in: lines "0::/user.slice" of version 2, "4:cpu,cpuacct:/docker/1f" of version 1.
double in_cgroups(const ProcessorFiles& files) {
  double limit = kNoLimit;
  std::ifstream file(files.membership);
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':'), second = first == line.npos ? line.npos : line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty()) limit = std::min(limit, least(files.cgroups, path, max_of));
    if (("," + controllers + ",").find(",cpu,") == std::string::npos) continue;
    for (const std::string& name : {controllers, std::string("cpu")}) limit = std::min(limit, least(files.cgroups / name, path, cfs_of));
  }
  return limit;
}

}  // namespace

int usable_processors(const ProcessorFiles& files) {
  const int runnable = std::max(1, in_affinity());
  const double quota = std::ceil(in_cgroups(files));
  return quota < runnable ? std::max(1, static_cast<int>(quota)) : runnable;
}

}  // namespace cupg

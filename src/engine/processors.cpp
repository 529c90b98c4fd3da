#include "src/engine/processors.hpp"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <thread>

namespace cupg {
namespace {

namespace fs = std::filesystem;

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

}  // namespace

int usable_processors(const CgroupFiles& files) {
  const int runnable = std::max(1, in_affinity());
  const double quota = std::ceil(least_in_cgroups(files, "cpu", max_of, cfs_of));
  return quota < runnable ? std::max(1, static_cast<int>(quota)) : runnable;
}

}  // namespace cupg

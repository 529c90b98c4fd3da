#include "src/io/memory.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <optional>
#include <string_view>

#include "src/engine/device.hpp"
#include "src/engine/engine.hpp"
#include "src/engine/settings.hpp"
#include "src/train/curve_recorder.hpp"

namespace cupg {

namespace {

namespace fs = std::filesystem;

/// The number after a word that a line of the file begins with: of "inactive_file 4096", "VmSize:  8 kB" (in KiB).
std::optional<double> value_of(const fs::path& path, std::string_view word) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(word) || line.find_first_of(" \t") != word.size()) continue;
    char* end = nullptr;
    const double value = std::strtod(line.c_str() + word.size(), &end);
    if (end != line.c_str() + word.size()) return value;
  }
  return {};
}

/// The number that a file holds; none where it is missing, or a word ("max").
std::optional<double> number_in(const fs::path& path) {
  double value = 0;
  if (std::ifstream file(path); file >> value) return value;
  return {};
}

/// What a cgroup's limit leaves. The pages of files that it holds in memory are given back when there is need of them.
double left_in(const fs::path& folder, const char* limit, const char* used, const std::string& files) {
  const std::optional<double> most = number_in(folder / limit);
  if (!most) return kNoLimit;
  const fs::path numbers = folder / "memory.stat";
  const double kept = value_of(numbers, files + "active_file").value_or(0) + value_of(numbers, files + "inactive_file").value_or(0);
  return *most - std::max(0.0, number_in(folder / used).value_or(0) - kept);
}
double left_of_max(const fs::path& folder) { return left_in(folder, "memory.max", "memory.current", ""); }
/// Version 1, where no limit is one of some 2^63.
double left_of_limit(const fs::path& folder) { return left_in(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"); }

/// What a limit of the process leaves beside what it has of it by now.
double left_of(int resource, const fs::path& process, const char* used) {
  rlimit limit{};
  if (::getrlimit(static_cast<__rlimit_resource_t>(resource), &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kNoLimit;
  return static_cast<double>(limit.rlim_cur) - value_of(process, used).value_or(0) * 1024;
}

}  // namespace

std::int64_t training_bytes(const Config& config) {
  const ThreadPlan threads = plan_threads(config);
  // what is known of an agent that has ended: its result, and where it may go on; in its record, and once more in a checkpoint
  constexpr std::int64_t kNumbers = 1024, kPoint = sizeof(CurvePoint);
  const std::int64_t curve = searches(config) ? 0 : kPoint * most_points(config.steps, config.batch());
  const KeptSizes sizes = kept_sizes(config);
  const std::int64_t result = 2 * 4 * sizes.parameters + curve + kNumbers;
  const std::int64_t progress = 4 * 4 * sizes.parameters + 4 * sizes.warps * kWarp * (sizes.state_size + 2) + curve + kNumbers;
  const std::int64_t agents = config.seeds * 2 * (searches(config) ? result : result + progress);
  if (choose_device(config).device == Device::cuda) return threads.slots * progress + agents;  // the rest is in the device's memory
  return threads.workers * engine_bytes(config, 1, threads.each) + agents;
}

AvailableMemory available_memory(const MemoryFiles& files) {
  AvailableMemory least{std::numeric_limits<std::int64_t>::max(), "nothing"};
  const auto take = [&](double bytes, const char* limited_by) {
    if (bytes < static_cast<double>(least.bytes)) least = {static_cast<std::int64_t>(std::max(bytes, 0.0)), limited_by};
  };
  take(value_of(files.system, "MemAvailable:").value_or(kNoLimit / 1024) * 1024, "the system");
  take(least_in_cgroups(files.cgroups, "memory", left_of_max, left_of_limit), "its cgroup");
  take(left_of(RLIMIT_AS, files.process, "VmSize:"), "RLIMIT_AS");
  take(left_of(RLIMIT_DATA, files.process, "VmData:"), "RLIMIT_DATA");
  return least;
}

std::string format_bytes(std::int64_t bytes) {
  constexpr std::array units{"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < units.size(); ++unit) value /= 1024;
  return unit == 0 ? fmt::format("{} bytes", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

}  // namespace cupg

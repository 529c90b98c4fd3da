#include "src/io/memory.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <limits>
#include <memory>

#include "src/engine/device.hpp"
#include "src/engine/engine.hpp"

namespace cupg {

std::int64_t training_bytes(const Config& config) {
  const ThreadPlan threads = plan_threads(config);
  constexpr std::int64_t kAgentBytes = 1024 + 512 * static_cast<std::int64_t>(sizeof(CurvePoint));
  const std::int64_t agent = std::int64_t{4} * parameter_count(config.network()) + kAgentBytes;
  if (choose_device(config).device == Device::cuda) return (threads.slots + config.seeds) * agent;  // the rest is in the device's memory
  return threads.workers * engine_bytes(config, 1, threads.each) + config.seeds * agent;
}

std::int64_t available_memory() {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/meminfo", "re"), std::fclose);
  std::array<char, 256> line;
  while (file && std::fgets(line.data(), static_cast<int>(line.size()), file.get()) != nullptr)
    if (long long kib = 0; std::sscanf(line.data(), "MemAvailable: %lld kB", &kib) == 1) return kib * 1024;
  return std::numeric_limits<std::int64_t>::max();
}

std::string format_bytes(std::int64_t bytes) {
  constexpr std::array units{"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < units.size(); ++unit) value /= 1024;
  return unit == 0 ? fmt::format("{} bytes", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

}  // namespace cupg

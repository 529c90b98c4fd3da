#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "cupg/environment.hpp"
#include "cupg/network.hpp"
#include "src/cli/commands.hpp"
#include "src/cli/terminal.hpp"
#include "src/engine/device.hpp"
#include "src/engine/engine.hpp"
#include "src/engine/isa.hpp"
#include "src/engine/processors.hpp"
#include "src/io/memory.hpp"
#include "src/io/options.hpp"
#include "src/io/version.hpp"
#include "src/report/json.hpp"
#include "src/report/summary.hpp"
#include "src/report/text.hpp"

namespace cupg::cli {
namespace {

std::vector<std::string> isa_names() {
  std::vector<std::string> names;
  for (const Isa isa : available_isas()) names.push_back(isa_name(cpu_ops_for(isa)));
  return names;
}

std::string device_of(const DeviceChoice& choice) {
  return choice.device == Device::reference ? "reference" : choice.device == Device::cuda ? "cuda" : "cpu";
}
std::string isa_of(const Config& config, const DeviceChoice& choice) {
  if (choice.device == Device::reference) return "scalar";  // it has plain scalars only
  if (choice.device == Device::cpu) return isa_name(cpu_ops_for(config.isa));
  std::string ignored;
  const DeviceProperties device = find_cuda_devices(ignored)->properties(choice.index);
  return fmt::format("sm_{}", 10 * device.major + device.minor);
}

/// What is known of CUDA: the devices, or why there are none.
struct CudaInfo {
  std::string reason;
  std::vector<DeviceProperties> devices;
  CudaInfo() {
    CudaDevices* const found = find_cuda_devices(reason);
    if (found == nullptr) return;
    devices = found->all();
    reason = found->reason();
  }
};

std::string describe(const DeviceProperties& d) {
  if (d.name.empty()) return fmt::format("{}: {}", d.index, d.problem);
  const std::string memory = d.problem.empty() ? fmt::format("{} of {} free", format_bytes(d.free_memory), format_bytes(d.memory))
                                               : format_bytes(d.memory) + " of memory";
  return fmt::format("{}: {}, sm_{}, {} SMs, {}, driver for CUDA {}, runtime {}{}", d.index, d.name, 10 * d.major + d.minor,
                     d.multiprocessors, memory, d.driver, d.runtime, d.problem.empty() ? "" : "; cannot be used: " + d.problem);
}

nlohmann::ordered_json cuda_json(const CudaInfo& cuda) {
  nlohmann::ordered_json devices = nlohmann::ordered_json::array();
  for (const DeviceProperties& d : cuda.devices)
    devices.push_back({{"index", d.index},
                       {"name", d.name},
                       {"architecture", fmt::format("sm_{}", 10 * d.major + d.minor)},
                       {"multiprocessors", d.multiprocessors},
                       {"memory_bytes", d.memory},
                       {"free_bytes", d.free_memory},
                       {"driver", d.driver},
                       {"runtime", d.runtime},
                       {"problem", d.problem}});
  return {{"devices", std::move(devices)}, {"reason", cuda.reason}};
}

std::string math_of(const Config& config, const DeviceChoice& choice) {
  if (choice.device == Device::reference || fused(config.network())) return "exact";
  return choice.device == Device::cuda && config.math == Math::fast ? "gemm, tf32" : "gemm";
}

nlohmann::ordered_json info_json(const Config& config) {
  const DeviceChoice choice = choose_device(config);
  const std::int64_t needed = training_bytes(config);
  const AvailableMemory memory = available_memory();
  nlohmann::ordered_json known = nlohmann::ordered_json::array();
  for (const EnvironmentInfo& e : environments())
    known.push_back({{"name", e.name},
                     {"observations", e.observations},
                     {"actions", e.actions},
                     {"max_episode_steps", e.max_episode_steps},
                     {"min_return", e.min_return},
                     {"max_return", e.max_return},
                     {"reward_threshold", e.reward_threshold}});
  return {{"version", version()},
          {"compiler", compiler()},
          {"processor", processor_name()},
          {"usable_processors", usable_processors()},
          {"isas", isa_names()},
          {"isa", isa_of(config, choice)},
          {"threads", plan_threads(config).total},
          {"device", device_of(choice)},
          {"cuda", cuda_json(CudaInfo())},
          {"environments", std::move(known)},
          {"network", describe(config.network())},
          {"math", math_of(config, choice)},
          {"parameters", parameter_count(config.network())},
          {"training_bytes", needed},
          {"available_bytes", memory.bytes},
          {"memory_limited_by", memory.limited_by},
          {"fits", needed <= memory.bytes},
          {"config", config_json(config)}};
}

void line(const char* name, const std::string& value) { print_wrapped(fmt::format("{:<14} {}\n", name, value)); }

}  // namespace

int run_info(const InfoArguments& arguments) {
  const Config& config = arguments.config;
  check_settings(config);
  if (arguments.json) {
    print(dump_line(info_json(config)));
    return kFinished;
  }
  const DeviceChoice choice = choose_device(config);
  line("cupg", version());
  line("compiler", compiler());
  line("processor", processor_name());
  line("isa", fmt::format("{}   (this processor: {})", isa_of(config, choice), fmt::join(isa_names(), ", ")));
  const int processors = usable_processors();
  line("threads",
       fmt::format("{}   (this process may use {} processor{})", plan_threads(config).total, processors, processors == 1 ? "" : "s"));
  line("device", fmt::format("{}   (device = {} chooses it)", device_of(choice), text_value(*find_option("device"), config)));
  const CudaInfo cuda;
  if (cuda.devices.empty()) line("cuda", "no device: " + cuda.reason);
  for (const DeviceProperties& d : cuda.devices) line(d.index == 0 ? "cuda" : "", describe(d));
  for (const EnvironmentInfo& e : environments())
    line(e.id == 0 ? "environments" : "", fmt::format("{}: {} observations, {} actions, {} steps at most, solved from {:g}", e.name,
                                                      e.observations, e.actions, e.max_episode_steps, e.reward_threshold));
  line("network", fmt::format("{}   ({} parameters)", describe(config.network()), format_count(parameter_count(config.network()))));
  if (const std::string math = describe_math(math_of(config, choice), device_of(choice)); !math.empty()) line("math", math);
  line("batch", config.collect == Collect::episodes
                    ? fmt::format("a whole episode of each of {} environments an update", format_count(config.envs))
                    : fmt::format("{} environments x {} steps = {} samples an update", format_count(config.envs),
                                  format_count(config.horizon), format_count(config.batch())));
  const std::int64_t needed = training_bytes(config);
  const AvailableMemory memory = available_memory();
  line("memory", fmt::format("{} for training, {} available (limited by {}){}", format_bytes(needed), format_bytes(memory.bytes),
                             memory.limited_by, needed > memory.bytes ? ": too little, and cupg train will refuse it" : ""));
  return kFinished;
}

}  // namespace cupg::cli

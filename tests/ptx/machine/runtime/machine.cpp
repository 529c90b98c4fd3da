#include "tests/ptx/machine/runtime/machine.hpp"

#include <driver_types.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace ptx {
namespace {

std::string setting(const char* name, const char* otherwise = "") {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : text;
}

}  // namespace

thread_local int Machine::current_ = -1;

Machine& Machine::get() {
  static Machine* const machine = [] {
    auto* const made = new Machine;
    std::atexit([] { get().report(); });
    return made;
  }();
  return *machine;
}

Machine::Machine()
    : devices(parse_devices(setting("CUPG_PTX_DEVICES", "sm_90"))),
      schedule_(std::strtoull(setting("CUPG_PTX_SCHEDULE", "0").c_str(), nullptr, 10)),
      verbose_(!setting("CUPG_PTX_VERBOSE").empty()),
      any_target_(!setting("CUPG_PTX_ANY_TARGET").empty()),
      report_file_(setting("CUPG_PTX_REPORT")) {}

/// One write, so that the lines of programs that end at the same time stay whole.
void Machine::report() const {
  if (verbose_)
    std::fprintf(stderr,
                 "ptx machine: %llu launches, %llu blocks, %.3g warp instructions, %.3g thread instructions, %llu divergent branches\n",
                 static_cast<unsigned long long>(statistics_.launches), static_cast<unsigned long long>(statistics_.blocks),
                 static_cast<double>(statistics_.warp_instructions), static_cast<double>(statistics_.thread_instructions),
                 static_cast<unsigned long long>(statistics_.divergent_branches));
  if (report_file_.empty()) return;
  std::string lines;
  for (const auto& binary : binaries)
    for (const auto& [host, kernel] : binary->kernels)
      lines += binary->file + '\t' + kernel->name + '\t' + std::to_string(kernel->launches) + '\t' +
               std::to_string(kernel->thread_instructions) + '\n';
  const int file = open(report_file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0 || write(file, lines.data(), lines.size()) != static_cast<ssize_t>(lines.size()))
    say("could not write the report " + report_file_);
  if (file >= 0) close(file);
}

void Machine::say(const std::string& what) const { std::fprintf(stderr, "ptx machine: %s\n", what.c_str()); }

Stream& Machine::null_stream() {
  CUstream_st& stream = null_streams_[current()];
  stream.device = current();
  streams.insert(&stream);
  return stream;
}

Kernel* Machine::find_kernel(const void* host_function) {
  for (const auto& binary : binaries)
    if (const auto found = binary->kernels.find(host_function); found != binary->kernels.end()) return found->second.get();
  return nullptr;
}

Kernel::OnDevice& Machine::on_current(Kernel& kernel) {
  const auto [found, fresh] = kernel.on.try_emplace(current());
  Kernel::OnDevice& on = found->second;
  if (!fresh) return on;
  auto& modules = kernel.binary->modules[current()];
  if (modules.empty())
    for (const std::string_view text : kernel.binary->texts) {
      Module module = parse_module(text);
      if (module.target > device().architecture.sm && !any_target_) continue;
      modules.push_back(std::make_unique<LoadedModule>(std::move(module), memory, current()));
    }
  for (const auto& module : modules)  // the newest that the device can run
    if (const Function* f = module->find_kernel(kernel.name);
        f != nullptr && (on.module == nullptr || module->module().target > on.module->module().target)) {
      on.module = module.get();
      on.function = f;
      on.static_shared = static_shared(module->module(), *f).bytes;
    }
  return on;
}

int Machine::run(Kernel& kernel, int device, const Launch& launch) {
  if (devices[static_cast<std::size_t>(device)].broken) {
    say("launch on a broken device: " + kernel.name);
    return cudaErrorLaunchFailure;
  }
  const Kernel::OnDevice& on = kernel.on.at(device);
  if (verbose_)
    say("launch of " + kernel.name + " <<<" + std::to_string(launch.grid.x) + " " + std::to_string(launch.grid.y) + " " +
        std::to_string(launch.grid.z) + ", " + std::to_string(launch.block.count()) + ", " + std::to_string(launch.dynamic_shared) + ">>>");
  const u64 before = statistics_.thread_instructions;
  int error = cudaSuccess;
  try {
    run_grid(*on.module, *on.function, launch, schedule_, statistics_);
  } catch (const Fault& fault) {
    say(std::string("FAULT: ") + fault.what());
    error = cudaErrorIllegalAddress;
  }
  ++kernel.launches;
  kernel.thread_instructions += statistics_.thread_instructions - before;
  return error;
}

int Machine::drain(Stream& stream) {
  int& sticky = devices[static_cast<std::size_t>(stream.device)].sticky_error;
  while (!stream.queue.empty()) {
    const Work work = std::move(stream.queue.front());
    stream.queue.pop_front();
    if (sticky == cudaSuccess) sticky = work();
  }
  return sticky;
}

void Machine::drain_device(int device) {
  for (Stream* const stream : streams)
    if (stream->device == device && !stream->capturing) drain(*stream);
}

}  // namespace ptx

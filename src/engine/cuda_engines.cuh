// Engines on a device: which there are, whether one can be used, and an engine on it.
#pragma once
#include <memory>
#include <utility>

#include "src/engine/cuda_engine.cuh"

CUPG_BEGIN_TARGET

/// A kernel that shows that the device runs kernels.
inline constexpr std::uint32_t kTrial = 0xcafe;
__global__ void trial_kernel(std::uint32_t* out) { *out = kTrial; }

/// All devices, as they are known without starting any; `reason` says why there are none.
inline std::vector<DeviceProperties> all_devices(std::string& reason) {
  std::vector<DeviceProperties> all;
  for (int i = 0, count = runtime::device_count(reason); i < count; ++i) {
    try {
      all.push_back(runtime::device_properties(i));
    } catch (const Error& e) {
      all.emplace_back().index = i;
      all.back().problem = e.what();
    }
  }
  return all;
}

/// Starts a device: its free memory, or its problem. A device may be there and taken, full or broken, which shows only when a kernel has
/// run on it.
inline void start_device(DeviceProperties& d) {
  if (!d.problem.empty()) return;
  try {
    const runtime::DeviceScope scope(d.index);
    d.free_memory = runtime::free_memory();
    if (!runtime::has_kernels(trial_kernel, d.problem)) return;
    runtime::Stream stream;
    const runtime::Buffer<std::uint32_t> out(1, "a trial");
    runtime::PinnedBuffer<std::uint32_t> got(1, "a trial");
    runtime::launch(stream, "trial", trial_kernel, dim3(1), dim3(1), 0, out.data());
    runtime::download(stream, got.data(), out.data(), 1);
    stream.synchronize("a trial");
    if (got[0] != kTrial) d.problem = "a kernel ran and left no result";
  } catch (const Error& e) {
    d.problem = e.what();
  }
}

/// Why the device cannot train the configuration, as an error of the user's; empty where it can.
inline std::string why_not_on(const Config& config, const DeviceProperties& device) {
  if (!fused(config.network())) return "";
  const std::int64_t bytes = CudaEngine::shared_bytes(config);
  if (shared_memory_fits(device, bytes)) return "";
  return "hidden: such a network takes " + std::to_string(bytes + kStaticShared) + " bytes of shared memory on " + device.name +
         ", which has " + std::to_string(device.shared_memory) + "; expected narrower layers, or device = cpu";
}

/// An engine whose methods run with its device selected, whichever thread calls them and whatever that thread uses otherwise.
class EngineOnDevice final : public Engine {
 public:
  template <class Make>
  EngineOnDevice(int device, Make make) : device_(device) {
    const runtime::DeviceScope scope(device_);
    engine_ = make();
  }
  ~EngineOnDevice() override {
    try {
      const runtime::DeviceScope scope(device_);
      engine_.reset();
    } catch (const Error&) {  // a device that has broken down; its memory is lost anyway
    }
  }

  void reset(int agent, std::uint64_t seed, int number) override {
    const runtime::DeviceScope scope(device_);
    engine_->reset(agent, seed, number);
  }
  void update(std::span<const int> agents, std::int64_t updates, std::span<UpdateReport> reports) override {
    const runtime::DeviceScope scope(device_);
    engine_->update(agents, updates, reports);
  }
  void begin_training(std::span<const int> agents, std::span<const Watch> watches) override {
    const runtime::DeviceScope scope(device_);
    engine_->begin_training(agents, watches);
  }
  std::span<const AgentReport> end_training() override {
    const runtime::DeviceScope scope(device_);
    return engine_->end_training();
  }
  Evaluation evaluate(int agent, const EvaluationRequest& request) override {
    const runtime::DeviceScope scope(device_);
    return engine_->evaluate(agent, request);
  }
  std::vector<Evaluation> evaluate_all(std::span<const int> agents, std::span<const EvaluationRequest> requests) override {
    const runtime::DeviceScope scope(device_);
    return engine_->evaluate_all(agents, requests);
  }
  std::span<const float> parameters(int agent) const override {
    const runtime::DeviceScope scope(device_);
    return engine_->parameters(agent);
  }
  void set_parameters(int agent, std::span<const float> parameters) override {
    const runtime::DeviceScope scope(device_);
    engine_->set_parameters(agent, parameters);
  }
  void save(std::span<const int> agents, std::span<Snapshot> snapshots) override {
    const runtime::DeviceScope scope(device_);
    engine_->save(agents, snapshots);
  }
  void load(std::span<const int> agents, std::span<const Snapshot> snapshots, std::span<const int> numbers) override {
    const runtime::DeviceScope scope(device_);
    engine_->load(agents, snapshots, numbers);
  }
  std::string device() const override { return engine_->device(); }
  std::string isa() const override { return engine_->isa(); }
  std::string math() const override { return engine_->math(); }
  int threads() const override { return engine_->threads(); }

 private:
  const int device_;
  std::unique_ptr<Engine> engine_;
};

inline std::unique_ptr<Engine> make_device_engine(const Config& config, int agents, int device, CudaForm form) {
  if (const std::string reason = why_not_on(config, runtime::device_properties(device)); !reason.empty())
    throw Error(ErrorKind::usage, reason);
  const bool wide = !fused(config.network());
  if (!wide && agents > kMostLaunchedAgents)
    throw Error(ErrorKind::usage, "seeds: " + std::to_string(agents) + " agents side by side on a device; expected at most " +
                                      std::to_string(kMostLaunchedAgents));
  return std::make_unique<EngineOnDevice>(device, [&] {
    return std::make_unique<CudaEngine>(config, agents, device, form, wide ? std::optional(plan_cuda_library(config)) : std::nullopt);
  });
}

/// Agents that the device has room for, at most `wanted`; 0 where not even one fits.
inline int most_device_agents(const Config& config, int device, int wanted) {
  DeviceProperties properties = runtime::device_properties(device);
  {
    const runtime::DeviceScope scope(device);
    properties.free_memory = runtime::free_memory();
  }
  if (fused(config.network())) wanted = std::min(wanted, kMostLaunchedAgents);
  return CudaEngine::most_agents(config, properties, wanted);
}

CUPG_END_TARGET

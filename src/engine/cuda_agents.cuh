// What the CUDA engine is made of beside its launches: the form of execution, the agents' states on the host, and how many agents fit.
#pragma once
#include <algorithm>
#include <vector>

#include "src/engine/cuda_launch.cuh"
#include "src/engine/cuda_plugin.hpp"
#include "src/engine/cuda_settings.hpp"
#include "src/engine/engine.hpp"

CUPG_BEGIN_TARGET

/// The form of execution and what follows from it.
struct CudaShape {
  PopulationShape population;
  bool large_batch = true;

  CudaShape(const DeviceProperties& device, int environment, const TiledAgents& a, int agents, CudaForm form) {
    if (a.kind == NetworkKind::library) return;
    population = population_shape(device, environment, a);
    const int processors = std::max(1, device.multiprocessors);
    // An agent of much work runs faster spread over the device than in one block, unless there are so many agents that they fill it
    // anyway. An update as a graph of kernels costs some 10 microseconds beside them.
    constexpr int kWorthAGraph = 8;
    const int side_by_side = a.kind == NetworkKind::small ? std::max(a.warps, a.most_partials) : a.most_partials;
    large_batch = form == CudaForm::large_batch || (form == CudaForm::automatic && side_by_side > kWorthAGraph &&
                                                    agents * population.block_warps < processors * kResidentWarps);
  }

  /// Warps of one agent whose rows lie in global memory.
  int row_warps(const Agents& a) const { return large_batch ? a.warps : cupg::row_warps(a, population); }
};

/// What has happened to an agent between two looks at it.
inline UpdateReport report_since(const Progressed& before, const Progressed& now) {
  UpdateReport r;
  r.episodes = now.episodes;
  r.episodes -= before.episodes;
  r.updates = now.updates - before.updates;
  r.env_steps = now.taken - before.taken;
  return r;
}

/// The agents' states on the host: as they were last read, and as they were last reported.
class HostStates {
 public:
  explicit HostStates(int slots) : now_(slots, "agents"), reported_(static_cast<std::size_t>(slots)) {}

  /// A fresh agent, to be sent.
  void reset(int agent, std::uint64_t seed, const AgentSettings& settings) {
    now_[agent] = AgentState{};
    now_[agent].key = seed;
    now_[agent].settings = settings;
    reported_[static_cast<std::size_t>(agent)] = {};
  }
  /// One that goes on from there, to be sent after its reset().
  void load(int agent, const KeptCounters& kept) {
    AgentState& now = now_[agent];
    now.updates = kept.updates, now.taken = kept.taken, now.step = kept.step, now.optimizer = kept.optimizer;
    reported_[static_cast<std::size_t>(agent)] = progressed(now);
  }
  /// What it counted when it was last read.
  KeptCounters kept(int agent) const {
    const AgentState& now = now_[agent];
    return {now.key, now.updates, now.taken, now.step, now.optimizer};
  }
  const AgentState& of(int agent) const { return now_[agent]; }
  /// As it was last told of.
  const Progressed& told(int agent) const { return reported_[static_cast<std::size_t>(agent)]; }

  /// Sends so many agents from `first` on.
  void send(runtime::Stream& stream, AgentState* device, std::int64_t first, std::int64_t count) {
    runtime::upload(stream, device + first, now_.data() + first, count);
  }
  /// Those that had halted may go on.
  void send_halted(runtime::Stream& stream, AgentState* device) {
    if (!had_halted_) return;
    send(stream, device, 0, now_.size());
    had_halted_ = false;
  }

  /// Waits for the device.
  void read(runtime::Stream& stream, const AgentState* device, const char* what) {
    runtime::download(stream, now_.data(), device, now_.size());
    stream.synchronize(what);
  }

  /// What has happened to the agent since its last report, as it was last read; it may go on then, as on the CPU.
  UpdateReport report(int agent) {
    AgentState& now = now_[agent];
    UpdateReport r = report_to(agent, progressed(now));
    r.finite = now.halted != kNotFinite;
    r.parameters_finite = now.diverged == 0;
    had_halted_ = had_halted_ || now.halted != kRuns;
    now.halted = kRuns;
    return r;
  }
  /// The same up to a look.
  UpdateReport report_to(int agent, const Progressed& look) {
    Progressed& before = reported_[static_cast<std::size_t>(agent)];
    const UpdateReport r = report_since(before, look);
    before = look;
    return r;
  }

 private:
  runtime::PinnedBuffer<AgentState> now_;
  std::vector<Progressed> reported_;
  bool had_halted_ = false;  ///< an agent is marked so on the device, and is not here
};

/// What the kernels were run by: "sm_90", or the executor.
inline std::string architecture_of(const DeviceProperties& device) {
  return device.multiprocessors == 0 ? "emulated" : "sm_" + std::to_string(device.major * 10 + device.minor);
}

/// Agents of `each` bytes, up to `wanted`, for which the device has memory left beside `common` bytes; 0 where not even one fits.
inline int agents_that_fit(const DeviceProperties& device, std::int64_t common, std::int64_t each, int wanted) {
  constexpr double kShare = 0.8;  // the rest is for what the driver and libraries take, and for evaluations
  const double room = (kShare * static_cast<double>(device.free_memory) - static_cast<double>(common)) / static_cast<double>(each);
  const int one = common + each <= device.free_memory ? 1 : 0;  // a single agent may try to have it all
  return std::min(std::max(static_cast<int>(std::clamp(room, 0.0, 1e6)), one), wanted);
}

CUPG_END_TARGET

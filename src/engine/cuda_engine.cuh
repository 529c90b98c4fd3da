// The CUDA engine: the ops in order on a device, for a population of agents. Host memory holds nothing of the training but what is
// asked for: reports, parameters, returns. Two forms with the same bits:
//   population    a launch trains all chosen agents for many updates, a block each
//   large batch   an update is a graph: rollout, advantage, (moments,) gradient, reduce, optimizer; graphs follow each other without
//                 the host
#pragma once
#include <algorithm>
#include <vector>

#include "src/engine/chunk_plan.hpp"
#include "src/engine/cuda_evaluate.cuh"
#include "src/engine/cuda_graphs.cuh"
#include "src/engine/cuda_plugin.hpp"
#include "src/engine/network_plan.hpp"
#include "src/engine/schedule_end.hpp"
#include "src/engine/warp_memory.hpp"

CUPG_BEGIN_TARGET

/// What all agents share, from the configuration. `entries` still points to host memory.
inline Agents agent_settings(const Config& config, const EnvironmentInfo& environment, const NetworkPlan& plan) {
  Agents a;
  a.plan = plan;
  a.optimizer = config.optimizer;
  a.coefficients = {.entropy = config.objective.entropy_coef, .value = config.objective.value_coef};
  a.total = schedule_end(config);
  a.envs = config.envs;
  a.warps = config.envs / kWarp + (config.envs % kWarp != 0);
  a.horizon = config.horizon;
  a.episode_limit = lane_episode_limit(config);
  a.max_episode_steps = environment.max_episode_steps;
  a.nstep = config.advantage.estimator == Estimator::nstep ? config.advantage.nstep : 0;
  a.gamma = config.advantage.gamma;
  a.gamma_lambda = config.advantage.gamma * config.advantage.lambda;
  a.constant_reward = static_cast<float>(environment.max_reward);
  a.batch = static_cast<float>(config.batch());
  a.gradient_scale = gradient_scale(config, config.batch());
  a.normalize = config.advantage.normalize;
  a.bootstrap = config.advantage.truncation == Truncation::bootstrap;
  a.state_size = state_size(environment.id);
  return a;
}

/// What has happened to an agent between two looks at its state.
inline UpdateReport report_since(const AgentState& before, const AgentState& now, std::int64_t batch) {
  UpdateReport r;
  const auto since = [](unsigned long long a, unsigned long long b) { return static_cast<std::int64_t>(a - b); };
  r.episodes = {since(now.episodes.episodes, before.episodes.episodes), since(now.episodes.terminated, before.episodes.terminated),
                since(now.episodes.steps, before.episodes.steps), since(now.episodes.returns, before.episodes.returns)};
  r.updates = now.optimizer.updates - before.optimizer.updates;
  r.env_steps = r.updates * batch;
  r.finite = now.halted == 0;
  r.parameters_finite = now.diverged == 0;
  return r;
}

/// The agents' states on the host: as they were last read, and as they were last reported.
class HostStates {
 public:
  HostStates() = default;
  HostStates(int slots, std::int64_t batch) : now_(slots, "agents"), reported_(static_cast<std::size_t>(slots)), batch_(batch) {}

  /// A fresh agent; data() is to be sent.
  void reset(int agent, std::uint64_t seed) {
    now_[agent] = AgentState{};
    now_[agent].key = seed;
    reported_[static_cast<std::size_t>(agent)] = {};
  }
  const AgentState* data() const { return now_.data(); }

  /// Waits for the device and tells what has happened to the agents since their last reports.
  void read(runtime::Stream& stream, AgentState* device, std::span<const int> agents, std::span<UpdateReport> reports) {
    runtime::download(stream, now_.data(), device, now_.size());
    stream.synchronize("training");
    for (std::size_t i = 0; i < agents.size(); ++i) {
      AgentState& now = now_[agents[i]];
      AgentState& before = reported_[static_cast<std::size_t>(agents[i])];
      reports[i] = report_since(before, now, batch_);
      before = now;
      if (now.halted == 0) continue;
      now.halted = 0;  // another call may try again, as on the CPU
      runtime::upload(stream, device + agents[i], &now, 1);
    }
  }

 private:
  runtime::PinnedBuffer<AgentState> now_;
  std::vector<AgentState> reported_;
  std::int64_t batch_ = 0;  // environment steps of an update
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

/// The form of execution and what follows from it.
struct CudaShape {
  PopulationShape population;
  bool large_batch = false;
  int side_by_side = 0;   ///< warps of one agent whose gradients are computed at the same time
  std::int64_t rows = 0;  ///< of one agent's trajectory in global memory

  CudaShape(const DeviceProperties& device, const Agents& a, int observations, int agents, CudaForm form)
      : population(population_shape(device, a, observations)) {
    const int processors = std::max(1, device.multiprocessors);
    // An agent of many warps runs faster spread over the device than in one block, unless there are so many agents that they fill it
    // anyway. An update as a graph of kernels costs some 10 microseconds beside them.
    constexpr int kWorthAGraph = 8;
    large_batch = form == CudaForm::large_batch ||
                  (form == CudaForm::automatic && a.warps > kWorthAGraph && agents * population.block_warps < processors * kResidentWarps);
    side_by_side = large_batch ? a.warps : population.block_warps;
    if (large_batch && needs_workspace(a.plan))  // no more than the device holds at once
      side_by_side = std::min(a.warps, std::max(kGradientWarps, processors * kResidentWarps / agents));
    if (large_batch || !population.shared_rows)
      rows = static_cast<std::int64_t>(large_batch ? a.warps : kept_warps(a, population.block_warps)) * a.horizon;
  }
};

/// The agents' arrays in device memory.
struct CudaArrays {
  runtime::Buffer<float> parameters, first_moment, second_moment, gradient, packed, environments, partials, moment_sums, workspace;
  runtime::Buffer<float> observation, policy, value, advantage;
  runtime::Buffer<std::uint32_t> age, action, done;
  runtime::Buffer<AgentState> state;
  runtime::Buffer<int> chosen;

  /// f(buffer, pointer in `a`, elements, what it is for) for every array of `slots` agents.
  template <class F>
  void each(Agents& a, const CudaShape& shape, int observations, std::int64_t slots, F f) {
    const std::int64_t warps = a.warps, p = parameter_stride(a), w = packed_stride(a), rows = slots * shape.rows;
    f(parameters, a.parameters, slots * p, "parameters");
    f(first_moment, a.first_moment, slots * p, "the optimizer's state");
    f(second_moment, a.second_moment, slots * p, "the optimizer's state");
    f(gradient, a.gradient, slots * p, "gradients");
    f(packed, a.packed, slots * w, "weights");
    f(environments, a.environments, slots * warps * a.state_size * kWarp, "environments");
    f(age, a.age, slots * warps * kWarp, "environments");
    f(partials, a.partials, slots * warps * w, "partial sums");
    f(moment_sums, a.moment_sums, slots * warps, "partial sums");
    f(state, a.state, slots, "agents");
    f(chosen, a.chosen, slots, "agents");
    f(observation, a.trajectory.observation, rows * observations * kWarp, "the rollout");
    f(policy, a.trajectory.policy, rows * a.plan.policy_outputs * kWarp, "the rollout");
    f(value, a.trajectory.value, rows * kWarp, "the rollout");
    f(advantage, a.trajectory.advantage, rows * kWarp, "the rollout");
    f(action, a.trajectory.action, rows, "the rollout");
    f(done, a.trajectory.done, rows, "the rollout");
    a.rows = shape.rows;
    a.workspace_size = needs_workspace(a.plan) ? gradient_workspace(a.plan) : 0;
    const std::int64_t at_once = (shape.side_by_side + kGradientWarps - 1) / kGradientWarps * kGradientWarps;
    f(workspace, a.workspace, slots * at_once * a.workspace_size, "the gradient's sums");
  }
};

class CudaEngine final : public Engine {
 public:
  CudaEngine(const Config& config, int agents, int device, CudaForm form)
      : config_(config),
        environment_(find_environment(config.environment)),
        network_(config.network()),
        device_(runtime::device_properties(device)),
        slots_(agents),
        agents_(agent_settings(config, environment_, network_.plan())),
        shape_(device_, agents_, environment_.observations, agents, form) {
    arrays_.each(agents_, shape_, environment_.observations, slots_, [](auto& buffer, auto& pointer, std::int64_t count, const char* what) {
      buffer = std::remove_reference_t<decltype(buffer)>(count, what);
      pointer = buffer.data();
    });
    entries_ = runtime::Buffer<PackEntry>(agents_.plan.packed, "the network");
    runtime::upload(stream_, entries_.data(), agents_.plan.entries, agents_.plan.packed);
    agents_.plan.entries = entries_.data();
    host_parameters_ = runtime::PinnedBuffer<float>(arrays_.parameters.size(), "parameters");
    host_packed_ = runtime::PinnedBuffer<float>(arrays_.packed.size(), "weights");
    states_ = HostStates(slots_, config_.batch());
    host_chosen_ = runtime::PinnedBuffer<int>(slots_, "agents");
    first_v_.assign(static_cast<std::size_t>(parameter_stride(agents_)), first_second_moment(config.optimizer));
    stream_.synchronize("setting up");
  }

  /// Most dynamic shared memory that a block of its kernels takes. Trajectories and the optimizer's state need none (population_shape).
  static std::int64_t shared_bytes(const Config& config) {
    const PackedNetwork network(config.network());
    const Agents a = agent_settings(config, find_environment(config.environment), network.plan());
    return static_cast<std::int64_t>(weights_bytes(a, std::max(kRolloutWarps, kEvaluateWarps)));
  }

  /// Agents, up to `wanted`, that fit into the memory that the device has left; 0 where not even one does.
  static int most_agents(const Config& config, const DeviceProperties& properties, int wanted) {
    const EnvironmentInfo& environment = find_environment(config.environment);
    const PackedNetwork network(config.network());
    Agents a = agent_settings(config, environment, network.plan());
    const CudaShape shape(properties, a, environment.observations, wanted, CudaForm::automatic);
    std::int64_t bytes = 0;
    CudaArrays().each(a, shape, environment.observations, 1, [&]<class T>(runtime::Buffer<T>&, auto&, std::int64_t count, const char*) {
      bytes += count * static_cast<std::int64_t>(sizeof(T));
    });
    return agents_that_fit(properties, 0, bytes, wanted);
  }

  void reset(int agent, std::uint64_t seed) override {
    const std::int64_t p = parameter_stride(agents_), w = packed_stride(agents_);
    float* const parameters = host_parameters_.data() + agent * p;
    initialise_parameters(config_.network(), config_.init, seed, {parameters, static_cast<std::size_t>(network_.plan().parameters)});
    network_.pack(parameters, host_packed_.data() + agent * w);
    states_.reset(agent, seed);
    pending_.push_back(agent);
  }

  void update(std::span<const int> agents, std::int64_t updates, std::span<UpdateReport> reports) override {
    std::fill(reports.begin(), reports.end(), UpdateReport{});
    if (updates <= 0 || agents.empty()) return;
    begin_resets();
    const int count = choose(agents);
    if (shape_.large_batch) {
      const runtime::Graph& graph = graphs_.get(stream_, count, [&] { enqueue_update(count); });
      for (std::int64_t k = 0; k < updates; ++k) graph.launch(stream_);
    } else {
      // so many updates in one launch that the block's counts of steps cannot overflow
      const std::int64_t most = std::max<std::int64_t>(1, (std::int64_t{1} << 31) / config_.batch());
      for (std::int64_t left = updates; left > 0; left -= most)
        launch_population(stream_, environment_.id, agents_, shape_.population, static_cast<int>(std::min(left, most)), count);
    }
    states_.read(stream_, arrays_.state.data(), agents, reports);
  }

  Evaluation evaluate(int agent, const EvaluationRequest& request) override {
    return std::move(evaluate_all(std::span(&agent, 1), std::span(&request, 1))[0]);
  }

  std::vector<Evaluation> evaluate_all(std::span<const int> agents, std::span<const EvaluationRequest> requests) override {
    begin_resets();
    return evaluator_.evaluate(stream_, environment_, agents_, agents, requests);
  }

  std::span<const float> parameters(int agent) const override {
    const std::int64_t at = static_cast<std::int64_t>(agent) * parameter_stride(agents_);
    if (std::find(pending_.begin(), pending_.end(), agent) == pending_.end()) {
      runtime::download(stream_, host_parameters_.data() + at, arrays_.parameters.data() + at, network_.plan().parameters);
      stream_.synchronize("reading parameters");
    }
    return {host_parameters_.data() + at, static_cast<std::size_t>(network_.plan().parameters)};
  }

  void set_parameters(int agent, std::span<const float> parameters) override {
    begin_resets();
    const std::int64_t at = static_cast<std::int64_t>(agent) * parameter_stride(agents_),
                       packed_at = static_cast<std::int64_t>(agent) * packed_stride(agents_);
    std::copy(parameters.begin(), parameters.end(), host_parameters_.data() + at);
    network_.pack(host_parameters_.data() + at, host_packed_.data() + packed_at);
    runtime::upload(stream_, arrays_.parameters.data() + at, host_parameters_.data() + at, network_.plan().parameters);
    runtime::upload(stream_, arrays_.packed.data() + packed_at, host_packed_.data() + packed_at, network_.plan().packed);
    stream_.synchronize("setting parameters");
  }

  std::string device() const override { return "cuda"; }
  std::string isa() const override { return architecture_of(device_); }
  int threads() const override { return 1; }

 private:
  /// Sends what reset() has drawn, in runs of neighbouring agents, and draws their environments.
  void begin_resets() {
    if (pending_.empty()) return;
    std::sort(pending_.begin(), pending_.end());
    pending_.erase(std::unique(pending_.begin(), pending_.end()), pending_.end());
    const std::int64_t p = parameter_stride(agents_), w = packed_stride(agents_);
    for (std::size_t i = 0; i < pending_.size();) {
      std::size_t end = i + 1;
      while (end < pending_.size() && pending_[end] == pending_[end - 1] + 1) ++end;
      const std::int64_t first = pending_[i], count = static_cast<std::int64_t>(end - i);
      runtime::upload(stream_, arrays_.parameters.data() + first * p, host_parameters_.data() + first * p, count * p);
      runtime::upload(stream_, arrays_.packed.data() + first * w, host_packed_.data() + first * w, count * w);
      runtime::upload(stream_, arrays_.state.data() + first, states_.data() + first, count);
      runtime::clear(stream_, arrays_.first_moment.data() + first * p, count * p);
      runtime::clear(stream_, arrays_.gradient.data() + first * p, count * p);
      if (first_v_[0] == 0.0f) {
        runtime::clear(stream_, arrays_.second_moment.data() + first * p, count * p);
      } else {
        for (std::int64_t k = first; k < first + count; ++k)
          runtime::upload(stream_, arrays_.second_moment.data() + k * p, first_v_.data(), p);
      }
      i = end;
    }
    const int count = choose(pending_);
    launch_reset(stream_, environment_.id, agents_, count);
    stream_.synchronize("initialising agents");
    pending_.clear();
  }

  /// The agents of the next launches.
  int choose(std::span<const int> agents) {
    const auto n = static_cast<std::int64_t>(agents.size());
    if (chosen_count_ != n || !std::equal(agents.begin(), agents.end(), host_chosen_.data())) {
      std::copy(agents.begin(), agents.end(), host_chosen_.data());
      runtime::upload(stream_, arrays_.chosen.data(), host_chosen_.data(), n);
      chosen_count_ = n;
    }
    return static_cast<int>(n);
  }

  void enqueue_update(int count) {
    launch_rollout(stream_, environment_.id, agents_, count);
    launch_advantage(stream_, environment_.id, agents_, count);
    if (agents_.normalize) launch_moments(stream_, environment_.id, agents_, count);
    launch_gradient(stream_, environment_.id, agents_, count, shape_.side_by_side);
    launch_reduce(stream_, agents_, count);
    launch_optimizer(stream_, agents_, count);
  }

  const Config config_;
  const EnvironmentInfo& environment_;
  const PackedNetwork network_;
  const DeviceProperties device_;
  const int slots_;
  Agents agents_;
  const CudaShape shape_;
  mutable runtime::Stream stream_;
  CudaArrays arrays_;
  runtime::Buffer<PackEntry> entries_;
  CudaEvaluator evaluator_;
  runtime::PinnedBuffer<float> host_parameters_, host_packed_;
  HostStates states_;
  runtime::PinnedBuffer<int> host_chosen_;
  std::vector<float> first_v_;  ///< the optimiser's second moment before the first update
  std::vector<int> pending_;    ///< agents that were reset and are not yet on the device
  std::int64_t chosen_count_ = -1;
  GraphCache graphs_;
};

CUPG_END_TARGET

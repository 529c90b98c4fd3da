// The engine of wide and deep networks on a device: GemmEngine's update (gemm_engine.cpp) without the host in between.
//
//   rollout:   for t = 0 .. T:  outputs of s_t for N samples, then a step of all environments; then the values of the states that the
//              time limit cut, all at once
//   then advantages and moments as in cuda_engine.cuh; the loss of every row; backward in slabs; the optimizer over many blocks
//
// An update is recorded once, as a graph, and launched again and again, for every agent: the kernels find their agent by chosen[0],
// and the network its weights in a copy, which goes back into the agent's place after its updates. Agents train one after the other.
// As on the CPU: a tolerance, not bits.
#pragma once
#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "kernels/optimizer/wide.cuh"
#include "kernels/step/step.cuh"
#include "src/engine/cuda_engine.cuh"
#include "src/engine/cuda_matrix_backend.cuh"
#include "src/engine/dense_network.hpp"
#include "src/engine/gemm_engine.hpp"

CUPG_BEGIN_COPY

/// Larger slabs than on the CPU: what fills a device; and 1 GiB of kept activations.
inline GemmPlan plan_cuda_gemm(const Config& config) {
  const std::int64_t activations = std::max<std::int64_t>(1, DenseNetwork::activation_floats(config.network()));
  constexpr std::int64_t kSlabFloats = 32 << 20, kKeepFloats = 256 << 20;
  GemmPlan plan;
  plan.slab = std::clamp<std::int64_t>(kSlabFloats / activations, 256, 16384);
  plan.slab = std::min(plan.slab, std::max<std::int64_t>(256, config.batch()));
  plan.keep = (config.batch() + plan.slab) * activations <= kKeepFloats;
  return plan;
}

/// agent_settings for a network that the ops know nothing of but its numbers of outputs and parameters.
inline Agents wide_settings(const Config& config, const EnvironmentInfo& environment) {
  const NetworkShape shape = config.network();
  NetworkPlan plan;
  plan.actions = shape.actions;
  plan.policy_outputs = policy_outputs(shape.actions);
  plan.parameters = parameter_count(shape);
  return agent_settings(config, environment, plan);
}

/// Most states that the time limit can cut in a rollout.
inline std::int64_t most_cuts(const Agents& a) {
  return a.bootstrap ? a.envs * (static_cast<std::int64_t>(a.horizon) / a.episode_limit + 1) : 0;
}

/// The arrays in device memory: of all agents, and of the one whose turn it is.
struct CudaGemmArrays {
  runtime::Buffer<float> parameters, first_moment, second_moment, environments, moment_sums;
  runtime::Buffer<std::uint32_t> age;
  runtime::Buffer<AgentState> state;

  runtime::Buffer<int> chosen;
  runtime::Buffer<float> own_parameters, gradient, policy, value, advantage;
  runtime::Buffer<std::uint32_t> action, done;
  runtime::Buffer<float> observation, output, grad_output, cut_before, cut_out, squares;
  runtime::Buffer<std::uint32_t> cuts, made;
  runtime::Buffer<std::int64_t> cut_at;
  runtime::Buffer<StepSize> size;

  /// f(buffer, elements, what it is for) for the arrays of `slots` agents.
  template <class F>
  void each_of_agents(const Agents& a, std::int64_t slots, F f) {
    const std::int64_t p = parameter_stride(a), warps = slots * a.warps;
    f(parameters, slots * p, "parameters");
    f(first_moment, slots * p, "the optimizer's state");
    f(second_moment, slots * p, "the optimizer's state");
    f(environments, warps * a.state_size * kWarp, "environments");
    f(age, warps * kWarp, "environments");
    f(moment_sums, warps, "partial sums");
    f(state, slots, "agents");
  }
  /// The same for those that serve one agent at a time.
  template <class F>
  void each_of_one(const Agents& a, int observations, int outputs, F f) {
    const std::int64_t p = parameter_stride(a), rows = static_cast<std::int64_t>(a.warps) * a.horizon, n = a.envs, cut = most_cuts(a);
    f(chosen, 1, "agents");
    f(own_parameters, p, "parameters");
    f(gradient, p, "gradients");
    f(policy, rows * kWarp, "the rollout");
    f(value, rows * kWarp, "the rollout");
    f(advantage, rows * kWarp, "the rollout");
    f(action, rows, "the rollout");
    f(done, rows, "the rollout");
    f(observation, (static_cast<std::int64_t>(a.horizon) + 1) * n * observations, "the rollout");
    f(output, n * outputs, "the rollout");
    f(grad_output, n * a.horizon * outputs, "the gradient");
    f(cuts, 1, "the rollout");
    f(cut_at, cut, "the rollout");
    f(cut_before, cut * observations, "the rollout");
    f(cut_out, cut * outputs, "the rollout");
    f(squares, wide_blocks(parameter_stride(a)), "the optimizer");
    f(size, 1, "the optimizer");
    f(made, 1, "the optimizer");
  }
};

/// The arrays of an evaluation.
struct CudaPlayArrays {
  int episodes = 0;
  runtime::Buffer<float> state, observation, output, returns;
  runtime::Buffer<std::uint32_t> playing, left;
  runtime::PinnedBuffer<float> host_returns;
  runtime::PinnedBuffer<std::uint32_t> host_left;

  CudaPlayArrays() = default;
  CudaPlayArrays(int count, int state_size, int observations, int outputs) : episodes(count) {
    const std::int64_t n = count, warps = (n + kWarp - 1) / kWarp;
    constexpr const char* kWhat = "evaluation";
    state = runtime::Buffer<float>(warps * state_size * kWarp, kWhat);
    observation = runtime::Buffer<float>(n * observations, kWhat);
    output = runtime::Buffer<float>(n * outputs, kWhat);
    returns = runtime::Buffer<float>(n, kWhat);
    playing = runtime::Buffer<std::uint32_t>(warps, kWhat);
    left = runtime::Buffer<std::uint32_t>(1, kWhat);
    host_returns = runtime::PinnedBuffer<float>(n, kWhat);
    host_left = runtime::PinnedBuffer<std::uint32_t>(1, kWhat);
  }
};

class CudaGemmEngine final : public Engine {
 public:
  CudaGemmEngine(const Config& config, int agents, int device, const GemmPlan& plan)
      : config_(config),
        environment_(find_environment(config.environment)),
        device_(runtime::device_properties(device)),
        slots_(agents),
        plan_(plan),
        agents_(wide_settings(config, environment_)),
        backend_(stream_, config.math == Math::fast),
        network_(config.network(), backend_, plan_.rows(config.batch()), plan_.slab),
        recompute_(plan_.keep ? 0 : plan_.slab * network_.outputs(), "the gradient") {
    const auto allocate = [](auto& buffer, std::int64_t count, const char* what) {
      buffer = std::remove_reference_t<decltype(buffer)>(count, what);
    };
    arrays_.each_of_agents(agents_, slots_, allocate);
    arrays_.each_of_one(agents_, environment_.observations, network_.outputs(), allocate);
    point_to_arrays();
    const std::int64_t p = parameter_stride(agents_);
    host_parameters_ = runtime::PinnedBuffer<float>(p, "parameters");
    host_second_moment_ = runtime::PinnedBuffer<float>(p, "parameters");
    std::fill_n(host_second_moment_.data(), p, first_second_moment(config.optimizer));
    states_ = HostStates(slots_, config_.batch());
    slot_ = runtime::PinnedBuffer<int>(slots_, "agents");
    for (int i = 0; i < slots_; ++i) slot_[i] = i;
    stream_.synchronize("setting up");
  }

  /// Agents, up to `wanted`, that fit into the memory that the device has left; 0 where not even one does.
  static int most_agents(const Config& config, const DeviceProperties& device, int wanted) {
    const EnvironmentInfo& environment = find_environment(config.environment);
    const Agents a = wide_settings(config, environment);
    const NetworkShape shape = config.network();
    const GemmPlan plan = plan_cuda_gemm(config);
    const std::int64_t outputs = policy_outputs(shape.actions) + 1;
    const auto bytes_of = [](auto each) {
      std::int64_t bytes = 0;
      each([&]<class T>(runtime::Buffer<T>&, std::int64_t count, const char*) { bytes += count * static_cast<std::int64_t>(sizeof(T)); });
      return bytes;
    };
    CudaGemmArrays arrays;
    const std::int64_t agent = bytes_of([&](auto f) { arrays.each_of_agents(a, 1, f); });
    const std::int64_t common = bytes_of([&](auto f) { arrays.each_of_one(a, environment.observations, static_cast<int>(outputs), f); });
    const std::int64_t network = 4 * (plan.rows(config.batch()) * DenseNetwork::activation_floats(shape) +
                                      plan.slab * (DenseNetwork::error_floats(shape) + (plan.keep ? 0 : outputs)));
    return agents_that_fit(device, common + network + DeviceGemm::kWorkspace, agent, wanted);
  }

  void reset(int agent, std::uint64_t seed) override {
    const std::int64_t p = parameter_stride(agents_), at = agent * p;
    std::fill_n(host_parameters_.data(), p, 0.0f);
    initialise_parameters(config_.network(), config_.init, seed, {host_parameters_.data(), count()});
    states_.reset(agent, seed);
    runtime::upload(stream_, arrays_.parameters.data() + at, host_parameters_.data(), p);
    runtime::clear(stream_, arrays_.first_moment.data() + at, p);
    runtime::upload(stream_, arrays_.second_moment.data() + at, host_second_moment_.data(), p);
    runtime::upload(stream_, arrays_.state.data() + agent, states_.data() + agent, 1);
    choose(agent);
    launch_reset(stream_, environment_.id, agents_, 1);
    stream_.synchronize("initialising an agent");
  }

  void update(std::span<const int> agents, std::int64_t updates, std::span<UpdateReport> reports) override {
    std::fill(reports.begin(), reports.end(), UpdateReport{});
    if (updates <= 0 || agents.empty()) return;
    for (const int agent : agents) {
      const std::int64_t p = parameter_stride(agents_);
      float* const place = arrays_.parameters.data() + agent * p;
      choose(agent);
      backend_.subtract(p, place, nullptr, arrays_.own_parameters.data());
      for (std::int64_t k = 0; k < updates; ++k) update_chosen();
      backend_.subtract(p, arrays_.own_parameters.data(), nullptr, place);
    }
    states_.read(stream_, arrays_.state.data(), agents, reports);
  }

  Evaluation evaluate(int agent, const EvaluationRequest& request) override;

  std::span<const float> parameters(int agent) const override {
    runtime::download(stream_, host_parameters_.data(), arrays_.parameters.data() + agent * std::int64_t{parameter_stride(agents_)},
                      agents_.plan.parameters);
    stream_.synchronize("reading parameters");
    // each agent's stays valid until it is asked for again
    std::vector<float>& copy = copies_.emplace(agent, std::vector<float>()).first->second;
    copy.assign(host_parameters_.data(), host_parameters_.data() + count());
    return copy;
  }
  void set_parameters(int agent, std::span<const float> parameters) override {
    std::copy(parameters.begin(), parameters.end(), host_parameters_.data());
    runtime::upload(stream_, arrays_.parameters.data() + agent * std::int64_t{parameter_stride(agents_)}, host_parameters_.data(),
                    agents_.plan.parameters);
    stream_.synchronize("setting parameters");
  }

  std::string device() const override { return "cuda"; }
  std::string isa() const override { return architecture_of(device_); }
  std::string math() const override { return config_.math == Math::fast ? "gemm, tf32" : "gemm"; }
  int threads() const override { return 1; }

 private:
  std::size_t count() const { return static_cast<std::size_t>(agents_.plan.parameters); }

  void point_to_arrays() {
    const CudaGemmArrays& m = arrays_;
    agents_.environments = m.environments.data();
    agents_.age = m.age.data();
    agents_.moment_sums = m.moment_sums.data();
    agents_.state = m.state.data();
    agents_.chosen = m.chosen.data();
    agents_.rows = 0;  // one agent's trajectory, whoever it is
    agents_.trajectory.policy = m.policy.data();
    agents_.trajectory.value = m.value.data();
    agents_.trajectory.advantage = m.advantage.data();
    agents_.trajectory.action = m.action.data();
    agents_.trajectory.done = m.done.data();
    buffers_ = {network_.outputs(), m.output.data(), m.observation.data(), m.grad_output.data(),
                m.cuts.data(),      m.cut_at.data(), m.cut_before.data(),  m.cut_out.data()};
    optimizer_.step.settings = config_.optimizer;
    optimizer_.step.total = schedule_end(config_);
    optimizer_.step.count = parameter_stride(agents_);
    optimizer_.step.gradient = m.gradient.data();
    optimizer_.step.parameters = m.own_parameters.data();
    optimizer_.step.first_moment = m.first_moment.data();
    optimizer_.step.second_moment = m.second_moment.data();
    optimizer_.squares = m.squares.data();
    optimizer_.size = m.size.data();
    optimizer_.made = m.made.data();
  }

  void choose(int agent) { runtime::upload(stream_, arrays_.chosen.data(), slot_.data() + agent, 1); }

  /// One update of the chosen agent. The first is enqueued as it is: the library loads its kernels at their first use, which a
  /// recording does not allow.
  void update_chosen() {
    constexpr int kMostRecordedSteps = 2048;  // a graph takes host memory for each of its nodes
    if (!warm_ || config_.horizon > kMostRecordedSteps) {
      enqueue_update();
      warm_ = true;
      return;
    }
    if (!graph_) {
      stream_.synchronize("training");
      graph_.emplace(stream_, [&] { enqueue_update(); });
    }
    graph_->launch(stream_);
  }

  void enqueue_update() {
    network_.load(arrays_.own_parameters.data());
    rollout();
    launch_advantage(stream_, environment_.id, agents_, 1);
    if (agents_.normalize) launch_moments(stream_, environment_.id, agents_, 1);
    const std::int64_t rows = static_cast<std::int64_t>(agents_.warps) * agents_.horizon;
    runtime::launch(stream_, "loss", loss_kernel, step_grid(rows), warp_block(kStepWarps), 0, agents_, buffers_);
    gradient();
    launch_wide_optimizer(stream_, agents_, optimizer_);
  }

  void rollout() {
    const dim3 grid = step_grid(agents_.warps), block = warp_block(kStepWarps);
    with_dynamics([&]<class Env>() {
      runtime::launch(stream_, "observe", observe_kernel<Env>, grid, block, 0, agents_, buffers_);
      for (int t = 0; t < config_.horizon; ++t) {
        forward(observed(t), config_.envs, plan_.keep ? row(t) : -1, arrays_.output.data(), DenseNetwork::Part::all);
        runtime::launch(stream_, "step", step_kernel<Env>, grid, block, 0, agents_, buffers_, t);
      }
    });
    forward(observed(config_.horizon), config_.envs, -1, arrays_.output.data(), DenseNetwork::Part::value);
    runtime::launch(stream_, "last_value", last_value_kernel, grid, block, 0, agents_, buffers_);
    if (const std::int64_t cuts = most_cuts(agents_); cuts > 0) {
      forward(arrays_.cut_before.data(), cuts, -1, arrays_.cut_out.data(), DenseNetwork::Part::value);
      runtime::launch(stream_, "cut_value", cut_value_kernel, step_grid((cuts + kWarp - 1) / kWarp), block, 0, agents_, buffers_);
    }
  }

  /// output [n][K] of n samples. row: where the activations are kept; < 0: nowhere.
  void forward(const float* observation, std::int64_t n, std::int64_t row, float* output, DenseNetwork::Part part) {
    for (std::int64_t begin = 0; begin < n; begin += plan_.slab)
      network_.forward(observation + begin * environment_.observations, row < 0 ? 0 : row + begin,
                       static_cast<int>(std::min(plan_.slab, n - begin)), output + begin * network_.outputs(), part);
  }

  /// The batch in slabs of consecutive rows t N + e.
  void gradient() {
    network_.begin_gradient();
    for (std::int64_t begin = 0; begin < config_.batch(); begin += plan_.slab) {
      const int n = static_cast<int>(std::min(plan_.slab, config_.batch() - begin));
      const float* const x = arrays_.observation.data() + begin * environment_.observations;
      const std::int64_t first = plan_.keep ? row(0) + begin : 0;
      if (!plan_.keep) network_.forward(x, first, n, recompute_.data());
      network_.backward(x, first, n, arrays_.grad_output.data() + begin * network_.outputs(), arrays_.gradient.data());
    }
    network_.end_gradient(arrays_.gradient.data());
  }

  /// f.template operator()<Environment>()
  template <class F>
  void with_dynamics(F f) {
    with_variant(environment_.id, agents_.plan, [&]<class Env, class Act, bool Shared, int H>() { f.template operator()<Env>(); });
  }
  static dim3 step_grid(std::int64_t warps) { return dim3(static_cast<unsigned>((warps + kStepWarps - 1) / kStepWarps)); }

  float* observed(int t) { return arrays_.observation.data() + static_cast<std::int64_t>(t) * config_.envs * environment_.observations; }
  /// Of the kept activations; the first slab of rows is scratch.
  std::int64_t row(int t) const { return plan_.slab + static_cast<std::int64_t>(t) * config_.envs; }

  const Config config_;
  const EnvironmentInfo& environment_;
  const DeviceProperties device_;
  const int slots_;
  const GemmPlan plan_;
  Agents agents_;
  mutable runtime::Stream stream_;
  CudaMatrixBackend backend_;
  DenseNetwork network_;
  runtime::Buffer<float> recompute_;  ///< [slab][K] outputs that nobody reads
  CudaGemmArrays arrays_;
  StepBuffers buffers_;
  WideOptimizerArgs optimizer_;
  CudaPlayArrays play_;
  mutable runtime::PinnedBuffer<float> host_parameters_;
  runtime::PinnedBuffer<float> host_second_moment_;  ///< before the first update
  HostStates states_;
  runtime::PinnedBuffer<int> slot_;                   ///< [slots] 0, 1, 2, ...: where `chosen` is copied from
  mutable std::map<int, std::vector<float>> copies_;  ///< of parameters that were asked for
  bool warm_ = false;
  std::optional<runtime::Graph> graph_;
};

/// Episodes side by side, a step at a time; the host looks now and then whether any still runs.
inline Evaluation CudaGemmEngine::evaluate(int agent, const EvaluationRequest& request) {
  constexpr int kLookEvery = 16;
  if (request.episodes <= 0) return summarise_evaluation({}, request, true);
  if (play_.episodes < request.episodes)
    play_ = CudaPlayArrays(request.episodes, agents_.state_size, environment_.observations, network_.outputs());
  const PlayBuffers b{request.episodes,     network_.outputs(), request.greedy,           request.block,       play_.state.data(),
                      play_.playing.data(), play_.left.data(),  play_.observation.data(), play_.output.data(), play_.returns.data()};
  const dim3 grid = step_grid((static_cast<std::int64_t>(request.episodes) + kWarp - 1) / kWarp), block = warp_block(kStepWarps);
  choose(agent);
  backend_.subtract(parameter_stride(agents_), arrays_.parameters.data() + agent * std::int64_t{parameter_stride(agents_)}, nullptr,
                    arrays_.own_parameters.data());
  network_.load(arrays_.own_parameters.data());
  with_dynamics([&]<class Env>() {
    runtime::launch(stream_, "play_reset", play_reset_kernel<Env>, grid, block, 0, agents_, b);
    for (int t = 0; t < environment_.max_episode_steps; ++t) {
      forward(play_.observation.data(), request.episodes, -1, play_.output.data(), DenseNetwork::Part::policy);
      runtime::launch(stream_, "play_step", play_step_kernel<Env>, grid, block, 0, agents_, b, t);
      if ((t + 1) % kLookEvery != 0) continue;
      runtime::download(stream_, play_.host_left.data(), play_.left.data(), 1);
      stream_.synchronize("evaluation");
      if (play_.host_left[0] == 0) break;
    }
  });
  runtime::download(stream_, play_.host_returns.data(), play_.returns.data(), request.episodes);
  stream_.synchronize("evaluation");
  return finish_evaluation(environment_, request, play_.host_returns.data(), play_.returns.data());
}

CUPG_END_COPY

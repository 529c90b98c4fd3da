// Wide and deep networks as a part of the CUDA engine (cuda_engine.cuh): DenseNetwork over a library's products on the device, where
// other networks have the tile kernels. What library_network.cpp is on the CPU; as there, a tolerance, not bits.
//
//   collect:   for t = 0 .. T:  outputs of s_t for N samples, then a step of all environments; then the values of the states that the
//              limit cut, all at once
//   gradient:  a minibatch in slabs: gather, forward, objective, backward
//
// One agent at a time: the kernels find it by chosen[0], and the network its weights in a copy, which goes back into the agent's place
// after its updates. So a graph serves every agent.
#pragma once
#include <algorithm>

#include "kernels/metrics/metrics.cuh"
#include "kernels/network/library/loss.cuh"
#include "kernels/optimizer/wide.cuh"
#include "kernels/rollout/library.cuh"
#include "src/engine/cuda_evaluate.cuh"
#include "src/engine/cuda_launch.cuh"
#include "src/engine/cuda_matrix_backend.cuh"
#include "src/engine/dense_network.hpp"
#include "src/engine/library_plan.hpp"

CUPG_BEGIN_TARGET

/// Larger slabs than on the CPU: what fills a device; and 1 GiB of kept activations.
inline LibraryPlan plan_cuda_library(const Config& config) { return plan_library(config, 32 << 20, 16384, 256 << 20); }

/// Most states that the limit can cut in an update.
inline std::int64_t most_cuts(const TiledAgents& a) {
  if (!a.bootstrap || a.episode_limit == kNeverCut) return 0;
  return a.envs * (a.episodes ? 1 : a.capacity / a.episode_limit + 1);
}

/// Arrays in device memory that serve one agent at a time.
struct CudaLibraryArrays {
  runtime::Buffer<float> parameters, gradient, observation, output, cut_before, cut_out, kept_output, slab_observation, slab_output,
      grad_output, kl, squares;
  runtime::Buffer<std::uint32_t> left, cuts, made;
  runtime::Buffer<std::int64_t> cut_at;
  runtime::Buffer<StepSize> size;

  /// f(buffer, elements, what it is for) for every array.
  template <class F>
  void each(const TiledAgents& a, const LibraryPlan& plan, F f) {
    const std::int64_t n = a.envs, x = tile_padded(a.tile.observations), k = a.tile.outputs, p = parameter_stride(a), cut = most_cuts(a),
                       most = n * a.capacity / a.minibatches;
    f(parameters, p, "parameters");
    f(gradient, p, "gradients");
    f(observation, n * x, "the rollout");
    f(output, n * k, "the rollout");
    f(left, 1, "the rollout");
    f(cuts, 1, "the rollout");
    f(cut_at, cut, "the rollout");
    f(cut_before, cut * x, "the rollout");
    f(cut_out, cut * k, "the rollout");
    f(kept_output, plan.keep ? n * a.capacity * k : 0, "the rollout");
    f(slab_observation, plan.slab * x, "the gradient");
    f(slab_output, plan.slab * k, "the gradient");
    f(grad_output, plan.slab * k, "the gradient");
    f(kl, (most + plan.slab - 1) / plan.slab * ((plan.slab + kTile - 1) / kTile), "the gradient");
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

  CudaPlayArrays() = default;
  CudaPlayArrays(int count, int state_size, int observations, int outputs) : episodes(count) {
    const std::int64_t n = count, warps = (n + kWarp - 1) / kWarp;
    constexpr const char* kWhat = "evaluation";
    state = runtime::Buffer<float>(warps * state_size * kWarp, kWhat);
    observation = runtime::Buffer<float>(n * tile_padded(observations), kWhat);
    output = runtime::Buffer<float>(n * outputs, kWhat);
    returns = runtime::Buffer<float>(n, kWhat);
    playing = runtime::Buffer<std::uint32_t>(warps, kWhat);
    left = runtime::Buffer<std::uint32_t>(1, kWhat);
    host_returns = runtime::PinnedBuffer<float>(n, kWhat);
  }
};

class CudaLibraryNetwork {
 public:
  /// `agents`, which stays where it is, gets its pointers before the first call.
  CudaLibraryNetwork(const Config& config, const LibraryPlan& plan, const TiledAgents& agents, runtime::Stream& stream)
      : config_(config),
        environment_(find_environment(config.environment)),
        plan_(plan),
        agents_(agents),
        stream_(stream),
        backend_(stream, config.math == Math::fast),
        network_(config.network(), backend_, plan.rows(config.batch()), plan.slab, observation_stride()),
        host_left_(1, "the rollout") {
    arrays_.each(agents, plan, [](auto& buffer, std::int64_t count, const char* what) {
      buffer = std::remove_reference_t<decltype(buffer)>(count, what);
    });
    CudaLibraryArrays& m = arrays_;
    buffers_ = {network_.outputs(), m.output.data(), m.observation.data(), m.left.data(),
                m.cuts.data(),      m.cut_at.data(), m.cut_before.data(),  m.cut_out.data()};
    optimizer_.step.settings = config.optimizer;
    optimizer_.step.count = parameter_stride(agents);
    optimizer_.step.gradient = m.gradient.data();
    optimizer_.step.parameters = m.parameters.data();
    optimizer_.squares = m.squares.data();
    optimizer_.size = m.size.data();
    optimizer_.made = m.made.data();
    optimizer_.kl = m.kl.data();
  }

  /// Bytes of the arrays and of the network.
  static std::int64_t bytes(const Config& config, const TiledAgents& agents) {
    const NetworkShape shape = config.network();
    const LibraryPlan plan = plan_cuda_library(config);
    std::int64_t bytes = DeviceGemm::kWorkspace + 4 * (plan.rows(config.batch()) * DenseNetwork::activation_floats(shape) +
                                                       plan.slab * DenseNetwork::error_floats(shape));
    CudaLibraryArrays().each(agents, plan, [&]<class T>(runtime::Buffer<T>&, std::int64_t count, const char*) {
      bytes += count * static_cast<std::int64_t>(sizeof(T));
    });
    return bytes;
  }

  /// The weights of the chosen agent, which is `agent`, and back.
  void take(int agent) {
    backend_.copy(parameter_stride(agents_), parameters_of(agent), arrays_.parameters.data());
    network_.load(arrays_.parameters.data());
  }
  void put(int agent) { backend_.copy(parameter_stride(agents_), arrays_.parameters.data(), parameters_of(agent)); }

  /// Launches of a recorded update that do not come from the network: what a graph takes host memory for.
  std::int64_t recorded_parts() const {
    const std::int64_t slabs = (config_.batch() / config_.minibatches + plan_.slab - 1) / plan_.slab;
    return config_.horizon + slabs * config_.minibatches * config_.epochs;
  }

  /// The samples of an update. Of whole episodes the host looks now and then whether any still runs.
  void collect() {
    constexpr int kLookEvery = 16;
    network_.load(arrays_.parameters.data());  // a recorded update begins here
    const dim3 grid = step_grid(agents_.warps), block = warp_block(kStepWarps);
    with_environment(environment_.id, [&]<class Env>() {
      runtime::launch(stream_, "begin_collect", begin_collect_kernel<Env>, grid, block, 0, agents_, buffers_);
      for (int t = 0; t < agents_.capacity; ++t) {
        float* const kept = plan_.keep ? arrays_.kept_output.data() + std::int64_t{t} * config_.envs * network_.outputs() : nullptr;
        LibraryCollectBuffers b = buffers_;
        if (kept != nullptr) b.output = kept;
        forward(arrays_.observation.data(), config_.envs, kept != nullptr ? kept_row(std::int64_t{t} * config_.envs) : -1,
                kept != nullptr ? kept : arrays_.output.data(), DenseNetwork::Part::all);
        runtime::launch(stream_, "collect_step", collect_step_kernel<Env>, grid, block, 0, agents_, b, t);
        if (agents_.episodes && (t + 1) % kLookEvery == 0 && none_left(arrays_.left)) break;
      }
      if (!agents_.episodes) {
        forward(arrays_.observation.data(), config_.envs, -1, arrays_.output.data(), DenseNetwork::Part::value);
        runtime::launch(stream_, "last_value", last_value_kernel<Env>, grid, block, 0, agents_, buffers_);
      }
    });
    if (const std::int64_t cuts = most_cuts(agents_); cuts > 0) {
      forward(arrays_.cut_before.data(), cuts, -1, arrays_.cut_out.data(), DenseNetwork::Part::value);
      runtime::launch(stream_, "cut_value", cut_value_kernel, step_grid((cuts + kWarp - 1) / kWarp), block, 0, agents_, buffers_);
    }
  }

  /// One step from a minibatch of `size` samples.
  void step(MinibatchNumber number, std::int64_t size) {
    LibrarySlab s{.number = number, .kept = plan_.keep && number.epoch == 0, .outputs = network_.outputs()};
    s.observation = arrays_.slab_observation.data();
    s.grad_output = arrays_.grad_output.data();
    s.kl = arrays_.kl.data();
    network_.begin_gradient();
    for (std::int64_t begin = 0; begin < size; begin += plan_.slab) {
      s.begin = static_cast<std::uint32_t>(begin);
      s.count = static_cast<int>(std::min(plan_.slab, size - begin));
      const std::int64_t first = s.kept ? kept_row(begin) : 0;
      s.output = s.kept ? arrays_.kept_output.data() + begin * s.outputs : arrays_.slab_output.data();
      runtime::launch(stream_, "gather", gather_kernel, dim3(blocks_of(s.count, kGatherThreads)), dim3(kGatherThreads), 0, agents_, s);
      if (!s.kept) network_.forward(s.observation, first, s.count, arrays_.slab_output.data());
      launch_objective(s);
      network_.backward(s.observation, first, s.count, s.grad_output, arrays_.gradient.data());
      s.kl += blocks_of(s.count, kTile);
    }
    network_.end_gradient(arrays_.gradient.data());
    WideOptimizerArgs o = optimizer_;
    o.step.first_moment = agents_.first_moment;
    o.step.second_moment = agents_.second_moment;
    o.step.value_network = agents_.value_network;
    o.kl_count = static_cast<int>(s.kl - arrays_.kl.data());
    launch_wide_optimizer(stream_, agents_, o, number);
    network_.load(arrays_.parameters.data());
  }

  /// What the last update of the chosen agent did, whose weights are here still.
  Metrics measure() {
    const int n = std::min(config_.envs, kMeasuredEnvs);
    const std::int64_t rows = n * agents_.capacity;
    if (metrics_.size() == 0) {
      measured_observation_ = runtime::Buffer<float>(rows * observation_stride(), "metrics");
      measured_output_ = runtime::Buffer<float>(rows * network_.outputs(), "metrics");
      metrics_ = runtime::Buffer<Metrics>(1, "metrics");
      host_metrics_ = runtime::PinnedBuffer<Metrics>(1, "metrics");
    }
    with_environment(environment_.id, [&]<class Env>() {
      runtime::launch(stream_, "measured_observations", measured_observations_kernel<Env>, dim3(blocks_of(rows, kReduceThreads)),
                      dim3(kReduceThreads), 0, agents_, n, measured_observation_.data());
      forward(measured_observation_.data(), rows, -1, measured_output_.data(), DenseNetwork::Part::all);
      runtime::launch(stream_, "measure_outputs", measure_outputs_kernel<Env>, dim3(1), warp_block(measured_warps(agents_.warps)), 0,
                      agents_, static_cast<const float*>(measured_output_.data()), n, metrics_.data());
    });
    runtime::download(stream_, host_metrics_.data(), metrics_.data(), 1);
    stream_.synchronize("metrics");
    return host_metrics_[0];
  }

  /// Episodes of the chosen agent, whose weights have been taken, side by side, a step at a time.
  Evaluation evaluate(const EvaluationRequest& request) {
    constexpr int kLookEvery = 16;
    if (request.episodes <= 0) return summarize_evaluation({}, request, true);
    if (play_.episodes < request.episodes)
      play_ = CudaPlayArrays(request.episodes, agents_.state_size, environment_.observations, network_.outputs());
    const PlayBuffers b{request.episodes,     network_.outputs(), request.greedy,           request.block,       play_.state.data(),
                        play_.playing.data(), play_.left.data(),  play_.observation.data(), play_.output.data(), play_.returns.data()};
    const dim3 grid = step_grid((std::int64_t{request.episodes} + kWarp - 1) / kWarp), block = warp_block(kStepWarps);
    with_environment(environment_.id, [&]<class Env>() {
      runtime::launch(stream_, "play_reset", play_reset_kernel<Env>, grid, block, 0, agents_, b);
      for (int t = 0; t < environment_.max_episode_steps; ++t) {
        forward(play_.observation.data(), request.episodes, -1, play_.output.data(), DenseNetwork::Part::policy);
        runtime::launch(stream_, "play_step", play_step_kernel<Env>, grid, block, 0, agents_, b, t);
        if ((t + 1) % kLookEvery == 0 && none_left(play_.left)) break;
      }
    });
    runtime::download(stream_, play_.host_returns.data(), play_.returns.data(), request.episodes);
    stream_.synchronize("evaluation");
    return finish_evaluation(environment_, request, play_.host_returns.data(), play_.returns.data());
  }

 private:
  int observation_stride() const { return tile_padded(environment_.observations); }
  float* parameters_of(int agent) const { return agents_.parameters + std::int64_t{agent} * parameter_stride(agents_); }
  /// Of the activations; the first slab of rows is scratch.
  std::int64_t kept_row(std::int64_t sample) const { return plan_.slab + sample; }
  static dim3 step_grid(std::int64_t warps) { return dim3(blocks_of(warps, kStepWarps)); }

  bool none_left(const runtime::Buffer<std::uint32_t>& left) {
    runtime::download(stream_, host_left_.data(), left.data(), 1);
    stream_.synchronize("stepping episodes");
    return host_left_[0] == 0;
  }

  /// output [n][K] of n samples. row: where the activations are kept; < 0: nowhere.
  void forward(const float* observation, std::int64_t n, std::int64_t row, float* output, DenseNetwork::Part part) {
    for (std::int64_t begin = 0; begin < n; begin += plan_.slab)
      network_.forward(observation + begin * observation_stride(), row < 0 ? 0 : row + begin,
                       static_cast<int>(std::min(plan_.slab, n - begin)), output + begin * network_.outputs(), part);
  }

  void launch_objective(const LibrarySlab& s) {
    with_environment(environment_.id, [&]<class Env>() {
      const auto launch = [&]<class Objective>() {
        runtime::launch(stream_, "objective", objective_kernel<Objective, Env::kActions>, dim3(blocks_of(s.count, kTile)), dim3(kTile), 0,
                        agents_, s);
      };
      with_objective(agents_.objective_number, launch, refuse_objective);
    });
  }

  const Config config_;
  const EnvironmentInfo& environment_;
  const LibraryPlan plan_;
  const TiledAgents& agents_;
  runtime::Stream& stream_;
  CudaMatrixBackend backend_;
  DenseNetwork network_;
  CudaLibraryArrays arrays_;
  LibraryCollectBuffers buffers_;
  WideOptimizerArgs optimizer_;
  CudaPlayArrays play_;
  runtime::PinnedBuffer<std::uint32_t> host_left_;
  runtime::Buffer<float> measured_observation_, measured_output_;
  runtime::Buffer<Metrics> metrics_;
  runtime::PinnedBuffer<Metrics> host_metrics_;
};

CUPG_END_TARGET

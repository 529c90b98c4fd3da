// The CUDA engine of updates that run in chunks: any objective, minibatches and epochs, whole episodes; what chunk_engine.cpp does on the
// CPU, with the same bits.
//
//   collect -> count -> advantages -> (moments of all minibatches) -> epochs x minibatches of (gradient -> (reduce) -> step)
//
// A network that is a library's (cuda_library_network.cuh) takes the place of the chunk kernels; its agents train one after the other.
// Otherwise all agents of a call go through every launch together. Nothing of an update waits for the host: an agent that has halted, or
// whose epochs have ended early, says so in its state, and later kernels leave it alone. A fixed horizon makes an update a graph. Whole
// episodes have no length that could be known beforehand, so there the host reads after collecting how many samples there are, and launches
// for as many.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "cupg/error.hpp"
#include "src/engine/chunk_plan.hpp"
#include "src/engine/cuda_chunk_launch.cuh"
#include "src/engine/cuda_engine.cuh"
#include "src/engine/cuda_library_network.cuh"

CUPG_BEGIN_TARGET

/// A network that the ops know nothing of but its numbers of outputs and parameters.
inline NetworkPlan sizes_alone(const NetworkShape& shape) {
  NetworkPlan plan;
  plan.actions = shape.actions;
  plan.policy_outputs = policy_outputs(shape.actions);
  plan.parameters = parameter_count(shape);
  return plan;
}

/// What all agents share, from the configuration; `network` null: it is a library's.
inline ChunkAgents chunk_settings(const Config& config, const EnvironmentInfo& environment, const PackedNetwork* network) {
  ChunkAgents a;
  a.library = network == nullptr;
  a.agents = agent_settings(config, environment, network != nullptr ? network->plan() : sizes_alone(config.network()));
  a.plan = make_chunk_plan(config.network());
  a.collect = row_layout(a.plan, std::min(config.envs, kWarp));
  a.gradient = row_layout(a.plan, kChunk);
  a.objective = config.objective;
  a.exploration = config.exploration;
  a.advantage = row_advantage_args(config);
  a.episodes = config.collect == Collect::episodes;
  a.capacity = most_steps_of_an_update(config);
  a.episode_limit = static_cast<std::uint32_t>(training_episode_limit(config));
  a.epochs = config.epochs;
  a.minibatches = config.minibatches;
  const std::int64_t n = config.envs * a.capacity;
  a.most_chunks = chunks_of(static_cast<std::uint32_t>(n / config.minibatches));
  if (!config.advantage.normalize) return a;
  switch (config.advantage.normalize_over) {
    case NormalizeOver::minibatch:
      a.normalize_over = MomentsOver::minibatch;
      a.moment_groups = config.minibatches == 1 ? 1 : config.epochs * config.minibatches;
      a.most_moment_chunks = a.most_chunks;
      break;
    case NormalizeOver::batch:
      a.normalize_over = MomentsOver::batch;
      a.moment_groups = 1;
      a.most_moment_chunks = chunks_of(static_cast<std::uint32_t>(n));
      break;
    case NormalizeOver::episode:
      a.normalize_over = MomentsOver::episode;
      a.moment_groups = config.envs;
      a.most_moment_chunks = chunks_of(static_cast<std::uint32_t>(a.capacity));
      break;
  }
  return a;
}

/// Where every parameter lies in the packed weights.
inline std::vector<ChunkPlace> chunk_places(const ChunkPlan& plan) {
  std::vector<ChunkPlace> places(static_cast<std::size_t>(plan.parameters));
  const auto add = [&](const ChunkDense& d, bool head) {
    for (int j = 0; j < d.out; ++j) {
      for (int i = 0; i < d.in; ++i)
        places[static_cast<std::size_t>(d.weight + j * d.in + i)] = {d.packed + (head ? j * d.padded_in() + i : i * d.padded_out() + j),
                                                                     d.packed_back < 0 ? -1 : d.packed_back + j * d.padded_in() + i};
      if (d.bias >= 0) places[static_cast<std::size_t>(d.bias + j)].forward = d.packed_bias + j;
    }
  };
  for (int tower = 0; tower < plan.towers; ++tower) {
    const ChunkTower& t = plan.tower[tower];
    for (int l = 0; l < t.layers; ++l) add(t.hidden[l], false);
    for (int h = 0; h < t.heads; ++h) add(t.head[h], true);
  }
  return places;
}

/// The agents' arrays in device memory.
struct CudaChunkArrays {
  runtime::Buffer<float> parameters, first_moment, second_moment, packed, environments, episode_return, weights, samples, partials,
      moment_sums;
  runtime::Buffer<std::uint32_t> age, length, first;
  runtime::Buffer<Moments> moments;
  runtime::Buffer<AgentState> state;
  runtime::Buffer<ChunkState> progress;
  runtime::Buffer<int> chosen;

  /// f(buffer, pointer in `c`, elements, what it is for) for every array of `slots` agents.
  template <class F>
  void each(ChunkAgents& c, std::int64_t slots, F f) {
    Agents& a = c.agents;
    const std::int64_t p = slots * parameter_stride(a), envs = a.envs, episodes = c.episodes ? slots : 0, own = c.library ? 0 : slots;
    f(parameters, a.parameters, p, "parameters");
    f(first_moment, a.first_moment, p, "the optimizer's state");
    f(second_moment, a.second_moment, p, "the optimizer's state");
    f(packed, a.packed, slots * packed_stride(a), "weights");
    f(environments, a.environments, slots * a.warps * a.state_size * kWarp, "environments");
    f(age, a.age, slots * a.warps * kWarp, "environments");
    f(episode_return, c.episode_return, slots * a.warps * kWarp, "environments");
    f(state, a.state, slots, "agents");
    f(chosen, a.chosen, slots, "agents");
    f(progress, c.progress, slots, "agents");
    f(weights, c.weights, own * c.plan.packed, "weights");
    f(samples, c.samples, (c.library ? 1 : slots) * envs * c.capacity * c.plan.row().stride(), "samples");
    f(length, c.length, episodes * envs, "episodes");
    f(first, c.first, episodes * (envs + 1), "episodes");
    f(partials, c.partials, own * c.most_chunks * partial_stride(c), "partial sums");
    f(moment_sums, c.moment_sums, slots * c.moment_groups * c.most_moment_chunks, "partial sums");
    f(moments, c.moments, slots * c.moment_groups, "moments");
  }
};

class CudaChunkEngine final : public Engine {
 public:
  /// `library`: how the network runs as matrix products; none: by the chunk kernels.
  CudaChunkEngine(const Config& config, int agents, int device, const std::optional<LibraryPlan>& library)
      : config_(config),
        environment_(find_environment(config.environment)),
        objective_(objective_number(config.algorithm)),
        network_(library ? nullptr : std::make_unique<const PackedNetwork>(config.network())),
        device_(runtime::device_properties(device)),
        slots_(agents),
        agents_(chunk_settings(config, environment_, network_.get())) {
    arrays_.each(agents_, slots_, [](auto& buffer, auto& pointer, std::int64_t count, const char* what) {
      buffer = std::remove_reference_t<decltype(buffer)>(count, what);
      pointer = buffer.data();
    });
    const std::vector<std::uint32_t> value_network = value_network_bits(config.network());
    value_network_ = runtime::Buffer<std::uint32_t>(std::ssize(value_network), "the network");
    runtime::upload(stream_, value_network_.data(), value_network.data(), value_network_.size());
    agents_.value_network = config.optimizer.value_learning_rate > 0 ? value_network_.data() : nullptr;
    host_parameters_ = runtime::PinnedBuffer<float>(arrays_.parameters.size(), "parameters");
    states_ = HostStates(slots_, 0);
    host_progress_ = runtime::PinnedBuffer<ChunkState>(slots_, "agents");
    reported_.resize(static_cast<std::size_t>(slots_));
    host_chosen_ = runtime::PinnedBuffer<int>(slots_, "agents");
    first_v_.assign(static_cast<std::size_t>(parameter_stride(agents_.agents)), first_second_moment(config.optimizer));
    if (library) {
      library_.emplace(config, *library, agents_, stream_);
    } else {
      send_places();
    }
    stream_.synchronize("setting up");
  }

  /// Most dynamic shared memory that a block of its kernels takes.
  static std::int64_t shared_bytes(const Config& config) {
    const PackedNetwork network(config.network());
    const ChunkAgents a = chunk_settings(config, find_environment(config.environment), &network);
    const int floats = std::max({collect_floats(a), gradient_floats(a), parameter_stride(a.agents)});
    return std::max<std::int64_t>(4 * std::int64_t{floats}, static_cast<std::int64_t>(weights_bytes(a.agents, kEvaluateWarps)));
  }

  /// Agents, up to `wanted`, that fit into the memory that the device has left; 0 where not even one does.
  static int most_agents(const Config& config, const DeviceProperties& device, int wanted) {
    const auto network = fused(config.network()) ? std::make_unique<const PackedNetwork>(config.network()) : nullptr;
    ChunkAgents a = chunk_settings(config, find_environment(config.environment), network.get());
    const auto bytes_of = [&](int agents) {
      std::int64_t bytes = 0;
      CudaChunkArrays().each(a, agents, [&]<class T>(runtime::Buffer<T>&, auto&, std::int64_t count, const char*) {
        bytes += count * static_cast<std::int64_t>(sizeof(T));
      });
      return bytes;
    };
    const std::int64_t each = bytes_of(2) - bytes_of(1), common = bytes_of(1) - each;
    return agents_that_fit(device, common + (a.library ? CudaLibraryNetwork::bytes(config, a) : 0), each, wanted);
  }

  void reset(int agent, std::uint64_t seed) override {
    float* const parameters = host_parameters_.data() + static_cast<std::int64_t>(agent) * parameter_stride(agents_.agents);
    initialise_parameters(config_.network(), config_.init, seed, {parameters, static_cast<std::size_t>(agents_.plan.parameters)});
    states_.reset(agent, seed);
    host_progress_[agent] = {};
    reported_[static_cast<std::size_t>(agent)] = {};
    pending_.push_back(agent);
  }

  void update(std::span<const int> agents, std::int64_t updates, std::span<UpdateReport> reports) override {
    std::fill(reports.begin(), reports.end(), UpdateReport{});
    if (updates <= 0 || agents.empty()) return;
    begin_resets();
    if (library_) {
      for (const int agent : agents) {
        const int count = choose(std::span(&agent, 1));
        library_->take(agent);
        for (std::int64_t k = 0; k < updates; ++k) launch_update(count);
        library_->put(agent);
      }
    } else {
      const int count = choose(agents);
      for (std::int64_t k = 0; k < updates; ++k) launch_update(count);
    }
    runtime::download(stream_, host_progress_.data(), arrays_.progress.data(), slots_);
    states_.read(stream_, arrays_.state.data(), agents, reports);
    for (std::size_t i = 0; i < agents.size(); ++i) {
      const ChunkState& now = host_progress_[agents[i]];
      ChunkState& before = reported_[static_cast<std::size_t>(agents[i])];
      reports[i].updates = now.updates - before.updates;
      reports[i].env_steps = now.taken - before.taken;
      before = now;
    }
  }

  Evaluation evaluate(int agent, const EvaluationRequest& request) override {
    return std::move(evaluate_all(std::span(&agent, 1), std::span(&request, 1))[0]);
  }
  std::vector<Evaluation> evaluate_all(std::span<const int> agents, std::span<const EvaluationRequest> requests) override {
    begin_resets();
    if (library_) {
      std::vector<Evaluation> results;
      for (std::size_t i = 0; i < agents.size(); ++i) {
        choose(agents.subspan(i, 1));
        library_->take(agents[i]);
        results.push_back(library_->evaluate(requests[i]));
      }
      return results;
    }
    std::vector<int> each(agents.begin(), agents.end());  // an agent may be asked for twice
    std::sort(each.begin(), each.end());
    each.erase(std::unique(each.begin(), each.end()), each.end());
    launch_chunk_pack(stream_, agents_, choose(each));
    return evaluator_.evaluate(stream_, environment_, agents_.agents, agents, requests);
  }

  std::span<const float> parameters(int agent) const override {
    const std::int64_t at = static_cast<std::int64_t>(agent) * parameter_stride(agents_.agents);
    if (std::find(pending_.begin(), pending_.end(), agent) == pending_.end()) {
      runtime::download(stream_, host_parameters_.data() + at, arrays_.parameters.data() + at, agents_.plan.parameters);
      stream_.synchronize("reading parameters");
    }
    return {host_parameters_.data() + at, static_cast<std::size_t>(agents_.plan.parameters)};
  }

  void set_parameters(int agent, std::span<const float> parameters) override {
    begin_resets();
    const std::int64_t at = static_cast<std::int64_t>(agent) * parameter_stride(agents_.agents);
    std::copy(parameters.begin(), parameters.end(), host_parameters_.data() + at);
    runtime::upload(stream_, arrays_.parameters.data() + at, host_parameters_.data() + at, agents_.plan.parameters);
    pack(choose(std::span(&agent, 1)));
    stream_.synchronize("setting parameters");
  }

  std::string device() const override { return "cuda"; }
  std::string isa() const override { return architecture_of(device_); }
  std::string math() const override { return !library_ ? "exact" : config_.math == Math::fast ? "gemm, tf32" : "gemm"; }
  int threads() const override { return 1; }

 private:
  void send_places() {
    const std::vector<ChunkPlace> places = chunk_places(agents_.plan);
    entries_ = runtime::Buffer<PackEntry>(network_->plan().packed, "the network");
    places_ = runtime::Buffer<ChunkPlace>(std::ssize(places), "the network");
    runtime::upload(stream_, entries_.data(), network_->plan().entries, entries_.size());
    runtime::upload(stream_, places_.data(), places.data(), places_.size());
    stream_.synchronize("setting up");
    agents_.agents.plan.entries = entries_.data();
    agents_.places = places_.data();
  }
  void pack(int count) {
    if (!library_) launch_chunk_pack(stream_, agents_, count);
  }

  /// Sends what reset() has drawn, and draws the environments.
  void begin_resets() {
    if (pending_.empty()) return;
    std::sort(pending_.begin(), pending_.end());
    pending_.erase(std::unique(pending_.begin(), pending_.end()), pending_.end());
    const std::int64_t p = parameter_stride(agents_.agents);
    for (std::size_t i = 0, end = 0; i < pending_.size(); i = end) {  // runs of neighbouring agents
      for (end = i + 1; end < pending_.size() && pending_[end] == pending_[end - 1] + 1;) ++end;
      const std::int64_t first = pending_[i], count = static_cast<std::int64_t>(end - i);
      runtime::upload(stream_, arrays_.parameters.data() + first * p, host_parameters_.data() + first * p, count * p);
      runtime::upload(stream_, arrays_.state.data() + first, states_.data() + first, count);
      runtime::upload(stream_, arrays_.progress.data() + first, host_progress_.data() + first, count);
      runtime::clear(stream_, arrays_.first_moment.data() + first * p, count * p);
      const std::int64_t lanes = static_cast<std::int64_t>(agents_.agents.warps) * kWarp;
      runtime::clear(stream_, arrays_.episode_return.data() + first * lanes, count * lanes);
      for (std::int64_t k = first; k < first + count; ++k)
        runtime::upload(stream_, arrays_.second_moment.data() + k * p, first_v_.data(), p);
    }
    const int count = choose(pending_);
    launch_reset(stream_, environment_.id, agents_.agents, count);
    pack(count);
    stream_.synchronize("initialising agents");
    pending_.clear();
  }

  /// The agents of the next launches.
  int choose(std::span<const int> agents) {
    const auto n = static_cast<std::int64_t>(agents.size());
    if (chosen_count_ != n || !std::equal(agents.begin(), agents.end(), host_chosen_.data())) {
      stream_.synchronize("choosing agents");  // whoever was sent from here before
      std::copy(agents.begin(), agents.end(), host_chosen_.data());
      runtime::upload(stream_, arrays_.chosen.data(), host_chosen_.data(), n);
      chosen_count_ = n;
    }
    return static_cast<int>(n);
  }

  /// A graph takes host memory for each of its nodes.
  bool recordable() const {
    constexpr std::int64_t kMostRecordedSteps = 2048;
    return (library_ ? library_->recorded_parts() : std::int64_t{config_.epochs} * config_.minibatches) <= kMostRecordedSteps;
  }

  void launch_update(int count) {
    if (warm_ && !agents_.episodes && recordable()) {
      graphs_.get(stream_, count, [&] { enqueue_update(count); }).launch(stream_);
    } else {
      enqueue_update(count);
      warm_ = true;
    }
  }

  void enqueue_update(int count) {
    if (library_) {
      library_->collect();
    } else {
      launch_collect(stream_, environment_.id, agents_, count, collect_threads(agents_));
    }
    launch_count(stream_, agents_, count);
    int chunks = agents_.most_chunks, moment_chunks = agents_.most_moment_chunks;
    std::int64_t samples = config_.batch();
    if (agents_.episodes) {
      samples = most_collected(count);
      chunks = moment_chunks = std::min(chunks, chunks_of(static_cast<std::uint32_t>(samples)));
    }
    launch_row_advantage(stream_, agents_, count);
    launch_chunk_moments(stream_, agents_, count, std::min(moment_chunks, agents_.most_moment_chunks));
    for (int epoch = 0; epoch < config_.epochs; ++epoch)
      for (int m = 0; m < config_.minibatches; ++m) {
        if (library_) {
          library_->step(objective_, epoch, m, samples / config_.minibatches);
          continue;
        }
        launch_chunk_gradient(stream_, environment_.id, objective_, agents_, count, chunks, epoch, m, gradient_threads(agents_));
        launch_chunk_step(stream_, agents_, count, chunks, epoch, m);
      }
  }

  /// Of the chosen agents. Waits for the device.
  std::uint32_t most_collected(int count) {
    runtime::download(stream_, host_progress_.data(), arrays_.progress.data(), slots_);
    stream_.synchronize("collecting episodes");
    std::uint32_t most = 0;
    for (int i = 0; i < count; ++i) most = std::max(most, host_progress_[host_chosen_[i]].count);
    return most;
  }

  const Config config_;
  const EnvironmentInfo& environment_;
  const int objective_;
  const std::unique_ptr<const PackedNetwork> network_;  ///< null: the network is a library's
  const DeviceProperties device_;
  const int slots_;
  ChunkAgents agents_;
  mutable runtime::Stream stream_;
  CudaChunkArrays arrays_;
  runtime::Buffer<PackEntry> entries_;
  runtime::Buffer<ChunkPlace> places_;
  runtime::Buffer<std::uint32_t> value_network_;
  CudaEvaluator evaluator_;
  runtime::PinnedBuffer<float> host_parameters_;
  HostStates states_;
  runtime::PinnedBuffer<ChunkState> host_progress_;
  std::vector<ChunkState> reported_;  ///< as they were last reported
  runtime::PinnedBuffer<int> host_chosen_;
  std::vector<float> first_v_;  ///< the optimizer's second moment before the first update
  std::vector<int> pending_;    ///< agents that were reset and are not yet on the device
  std::int64_t chosen_count_ = -1;
  bool warm_ = false;  ///< kernels may be loaded at their first use, which a recording does not allow
  std::optional<CudaLibraryNetwork> library_;
  GraphCache graphs_;
};

CUPG_END_TARGET

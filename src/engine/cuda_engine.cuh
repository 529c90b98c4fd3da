// The CUDA engine: one program for every algorithm, objective and network, what cpu_engine.cpp does on the CPU, with the same bits.
//
//   rollout -> count -> advantage -> moments -> for every epoch and minibatch { gradient -> (reduce) -> optimizer }
//
// The network is a part, of three kinds (cupg/network.hpp): a small one works on rows of 32 samples (kernels/network/small), a
// tiled one on samples one beside the other (kernels/network/tiled), and a library's takes the place of these kernels
// (cuda_library_network.cuh), its agents one after the other. Two forms with the same bits:
//   population    a launch trains all chosen agents for many updates, a block each
//   large batch   all chosen agents go through every launch together
// Nothing of an update waits for the host: an agent that has halted, or whose epochs have ended early, says so in its state, and later
// kernels leave it alone. So an update is a graph. Only minibatches of whole episodes have a size that could not be known beforehand:
// there the host reads after collecting how many samples there are, and launches for as many.
#pragma once
#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "src/engine/cuda_agents.cuh"
#include "src/engine/cuda_evaluate.cuh"
#include "src/engine/cuda_graphs.cuh"
#include "src/engine/cuda_library_network.cuh"

CUPG_BEGIN_TARGET

class CudaEngine final : public Engine {
 public:
  /// `library`: how the network runs as matrix products; none: by the kernels.
  CudaEngine(const Config& config, int agents, int device, CudaForm form, const std::optional<LibraryPlan>& library)
      : config_(config),
        environment_(find_environment(config.environment)),
        network_(library ? nullptr : std::make_unique<const PackedNetwork>(config.network())),
        device_(runtime::device_properties(device)),
        slots_(agents),
        agents_(agent_settings(config, network_.get())),
        shape_(device_, environment_.id, agents_, agents, form),
        states_(agents) {
    agents_.row_warps = shape_.row_warps(agents_);
    arrays_.each(agents_, slots_, [](auto& buffer, auto& pointer, std::int64_t count, const char* what) {
      buffer = std::remove_reference_t<decltype(buffer)>(count, what);
      pointer = buffer.data();
    });
    if (has_value_rate(config)) agents_.value_network = send(value_network_, value_network_bits(config.network()));
    host_parameters_ = runtime::PinnedBuffer<float>(arrays_.parameters.size(), "parameters");
    host_chosen_ = runtime::PinnedBuffer<int>(slots_, "agents");
    host_watch_ = runtime::PinnedBuffer<Watch>(slots_, "agents");
    host_looks_ = runtime::PinnedBuffer<Look>(arrays_.looks.size(), "agents");
    checked_ = runtime::Buffer<int>(slots_, "agents");
    host_checked_ = runtime::PinnedBuffer<int>(slots_, "agents");
    first_v_.assign(static_cast<std::size_t>(parameter_stride(agents_)), first_second_moment(config.optimizer));
    if (library) library_.emplace(config, *library, agents_, stream_);
    if (network_) {
      const PackEntry* const entries = network_->plan().entries;
      agents_.plan.entries = send(entries_, std::vector<PackEntry>(entries, entries + network_->plan().packed));
    }
    if (agents_.kind == NetworkKind::tiled) agents_.places = send(places_, tile_places(agents_.tile));
    stream_.synchronize("setting up");
  }

  ~CudaEngine() override {
    try {
      stream_.synchronize("leaving");  // copies to memory that is about to go
    } catch (const Error&) {           // a device that has broken down
    }
  }

  /// Most dynamic shared memory that a block of its kernels takes. What a fused block keeps there as it can needs none
  /// (population_shape).
  static std::int64_t shared_bytes(const Config& config) {
    const PackedNetwork network(config.network());
    const TiledAgents a = agent_settings(config, &network);
    std::size_t most = std::max(float_bytes(parameter_stride(a)), weights_bytes(a, kEvaluateWarps));
    most = std::max(most, float_bytes(measure_floats(a, kMeasuredWarps)));
    if (a.kind == NetworkKind::small) {
      most = std::max(most, weights_bytes(a, kRolloutWarps));
      most = std::max(most, float_bytes(population_floats(a, kPopulationWarps)));
    } else {
      most = std::max(most, float_bytes(tile_population_floats(a)));
    }
    return static_cast<std::int64_t>(most);
  }

  /// Agents, up to `wanted`, that fit into the memory that the device has left; 0 where not even one does.
  static int most_agents(const Config& config, const DeviceProperties& device, int wanted) {
    const auto network = fused(config.network()) ? std::make_unique<const PackedNetwork>(config.network()) : nullptr;
    TiledAgents a = agent_settings(config, network.get());
    a.row_warps = CudaShape(device, find_environment(config.environment).id, a, wanted, CudaForm::automatic).row_warps(a);
    const auto bytes_of = [&](int agents) {
      std::int64_t bytes = 0;
      AgentArrays<runtime::Buffer>().each(a, agents, [&]<class T>(runtime::Buffer<T>&, auto&, std::int64_t count, const char*) {
        bytes += count * static_cast<std::int64_t>(sizeof(T));
      });
      return bytes;
    };
    const std::int64_t each = bytes_of(2) - bytes_of(1), common = bytes_of(1) - each;
    return agents_that_fit(device, common + (network ? 0 : CudaLibraryNetwork::bytes(config, a)), each, wanted);
  }

  void reset(int agent, std::uint64_t seed, int number) override {
    float* const parameters = host_parameters_.data() + static_cast<std::int64_t>(agent) * parameter_stride(agents_);
    initialize_parameters(config_.network(), config_.init, seed, {parameters, static_cast<std::size_t>(agents_.plan.parameters)});
    states_.reset(agent, seed, agent_settings_of(config_, number));
    pending_.push_back(agent);
  }

  void update(std::span<const int> agents, std::int64_t updates, std::span<UpdateReport> reports) override {
    std::fill(reports.begin(), reports.end(), UpdateReport{});
    if (updates <= 0 || agents.empty()) return;
    if (!library_) end_training();  // whose end nobody has waited for
    begin_resets();
    if (watched_) watch({}, {});
    if (library_) {
      for (const int agent : agents) {
        const int count = choose(std::span(&agent, 1));
        library_->take(agent);
        for (std::int64_t k = 0; k < updates; ++k) launch_update(count);
        library_->put(agent);
      }
    } else if (const int count = choose(agents); shape_.large_batch) {
      for (std::int64_t k = 0; k < updates; ++k) launch_update(count);
    } else {
      for (std::int64_t left = updates; left > 0; left -= kMostUpdates)
        launch_population(stream_, environment_.id, agents_, shape_.population,
                          static_cast<int>(std::min<std::int64_t>(left, kMostUpdates)), count);
    }
    states_.read(stream_, arrays_.state.data(), "training");
    for (std::size_t i = 0; i < agents.size(); ++i) reports[i] = states_.report(agents[i]);
  }

  void update_measured(std::span<const int> agents, std::int64_t updates, std::span<UpdateReport> reports) override {
    for (std::size_t i = 0; i < agents.size(); ++i) {  // whose samples the next one's take the place of
      update(agents.subspan(i, 1), updates, reports.subspan(i, 1));
      if (reports[i].finite && reports[i].updates > 0) reports[i].metrics = library_->measure();
    }
  }

  /// Everything is under way when this returns: the agents pause by themselves.
  void begin_training(std::span<const int> agents, std::span<const Watch> watches) override {
    if (!library_) end_training();
    Engine::begin_training(agents, watches);
    if (library_ || agents.empty()) return;
    begin_resets();
    watch(agents, watches);
    const int count = choose(agents);
    std::int64_t every = 1;
    for (const Watch& w : watches) every = std::max<std::int64_t>(every, w.every);
    // Whoever waits for the end, such as Ctrl-C, waits for so many steps: some milliseconds of A2C, less than a second of PPO.
    constexpr std::int64_t kSteps = 1 << 25;
    const std::int64_t steps = std::int64_t{count} * agents_.envs * agents_.capacity * every;
    std::int64_t looks = std::clamp<std::int64_t>(kSteps / steps, 1, kMostLooks);
    if (!shape_.large_batch) {
      launch_population(stream_, environment_.id, agents_, shape_.population, static_cast<int>(looks * every), count);
      if (shape_.population.fused) launch_measure(stream_, environment_.id, agents_, count);
      return;
    }
    constexpr std::int64_t kLaunches = 8;  // a paused agent's kernels return at once, but are launched
    looks = std::min(looks, waits_for_count() ? 1 : kLaunches);
    for (std::int64_t k = 1; k <= looks * every; ++k) {
      launch_update(count);
      const auto may_be_measured = [&](const Trained& t) {  // where points are taken on the way, the next one comes later
        const Watch& w = t.watch;
        return w.batch == 0 || states_.told(t.agent).taken + k * w.batch >= w.curve.next_measured;
      };
      if (std::any_of(training_.begin(), training_.end(), may_be_measured)) launch_measure(stream_, environment_.id, agents_, count);
    }
  }
  std::span<const AgentReport> end_training() override {
    if (library_) return Engine::end_training();
    reports_.clear();
    if (training_.empty()) return reports_;
    begin_resets();
    std::int64_t slots = 0;
    for (const Trained& t : training_) slots = std::max<std::int64_t>(slots, t.agent + 1);
    runtime::download(stream_, host_watch_.data(), arrays_.watch.data(), slots);
    runtime::download(stream_, host_looks_.data(), arrays_.looks.data(), slots * kMostLooks);
    states_.read(stream_, arrays_.state.data(), "training");
    for (const Trained& t : training_) {
      const Look* const looks = host_looks_.data() + std::int64_t{t.agent} * kMostLooks;
      const int count = host_watch_[t.agent].looks;
      for (int i = 0; i < count; ++i) {
        reports_.push_back({t.agent, states_.report_to(t.agent, looks[i].at), looks[i].failed != 0});
        reports_.back().report.metrics = looks[i].metrics;
      }
      const UpdateReport last = states_.report(t.agent);
      if (!last.finite || last.updates > 0) {
        reports_.push_back({t.agent, last, false});
      } else if (count > 0) {
        reports_.back().report.parameters_finite = last.parameters_finite;
      }
    }
    training_.clear();
    return reports_;
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
    if (agents_.kind == NetworkKind::tiled) {               // whose steps leave what the tile kernels read alone
      std::vector<int> each(agents.begin(), agents.end());  // an agent may be asked for twice
      std::sort(each.begin(), each.end());
      each.erase(std::unique(each.begin(), each.end()), each.end());
      std::copy(each.begin(), each.end(), host_checked_.data());
      runtime::upload(check_stream_, checked_.data(), host_checked_.data(), std::ssize(each));
      TiledAgents checked = agents_;
      checked.chosen = checked_.data();
      launch_pack(check_stream_, checked, static_cast<int>(each.size()));
    }
    return evaluator_.evaluate(check_stream_, environment_, agents_, agents, requests);
  }

  std::span<const float> parameters(int agent) const override {
    const std::int64_t at = static_cast<std::int64_t>(agent) * parameter_stride(agents_);
    if (std::find(pending_.begin(), pending_.end(), agent) == pending_.end()) {
      runtime::download(check_stream_, host_parameters_.data() + at, arrays_.parameters.data() + at, agents_.plan.parameters);
      check_stream_.synchronize("reading parameters");
    }
    return {host_parameters_.data() + at, static_cast<std::size_t>(agents_.plan.parameters)};
  }

  void set_parameters(int agent, std::span<const float> parameters) override {
    begin_resets();
    const std::int64_t at = static_cast<std::int64_t>(agent) * parameter_stride(agents_);
    std::copy(parameters.begin(), parameters.end(), host_parameters_.data() + at);
    runtime::upload(stream_, arrays_.parameters.data() + at, host_parameters_.data() + at, agents_.plan.parameters);
    pack(choose(std::span(&agent, 1)));
    stream_.synchronize("setting parameters");
  }

  void save(std::span<const int> agents, std::span<Snapshot> snapshots) override {
    if (agents.empty()) return;
    begin_resets();
    const SlotRange range(agents);
    const Snapshot all = download_kept(range);
    const KeptSizes sizes = kept_sizes(config_);
    for (std::size_t i = 0; i < agents.size(); ++i) {
      snapshots[i].resize(sizes);
      static_cast<KeptCounters&>(snapshots[i]) = states_.kept(agents[i]);
      const auto copy = [&](const char*, std::int64_t elements, const auto& theirs, auto& its) {
        std::copy_n(theirs.data() + range.place(agents[i], theirs), elements, its.data());
      };
      each_kept(sizes, copy, all, snapshots[i]);
      snapshots[i].clear_idle_lanes(sizes, agents_.envs);
    }
  }
  void load(std::span<const int> agents, std::span<const Snapshot> snapshots, std::span<const int> numbers) override {
    if (agents.empty()) return;
    const KeptSizes sizes = kept_sizes(config_);
    for (std::size_t i = 0; i < agents.size(); ++i) {
      reset(agents[i], snapshots[i].seed, numbers[i]);
      states_.load(agents[i], snapshots[i]);
      std::copy_n(snapshots[i].parameters.data(), sizes.parameters,
                  host_parameters_.data() + agents[i] * std::int64_t{parameter_stride(agents_)});
    }
    begin_resets();
    const SlotRange range(agents);
    Snapshot all = download_kept(range);
    for (std::size_t i = 0; i < agents.size(); ++i) {
      const auto copy = [&](const char*, std::int64_t elements, auto& theirs, const auto& its) {
        std::copy_n(its.data(), elements, theirs.data() + range.place(agents[i], theirs));
      };
      each_kept(sizes, copy, all, snapshots[i]);
    }
    const auto send = [&](const char*, std::int64_t stride, auto& buffer, const auto& theirs) {
      runtime::upload(stream_, buffer.data() + range.first * stride, theirs.data(), std::ssize(theirs));
    };
    each_kept(slot_sizes(), send, arrays_, all);
    stream_.synchronize("restoring agents");
  }

  std::string device() const override { return "cuda"; }
  std::string isa() const override { return architecture_of(device_); }
  std::string math() const override { return !library_ ? "exact" : config_.math == Math::fast ? "gemm, tf32" : "gemm"; }
  int threads() const override { return 1; }

 private:
  static constexpr int kMostUpdates = 1 << 30;  ///< of one launch

  /// The slots from the first of some agents' to the last.
  struct SlotRange {
    explicit SlotRange(std::span<const int> agents) {
      const auto [low, high] = std::minmax_element(agents.begin(), agents.end());
      first = *low, count = *high - first + 1;
    }
    /// Where an agent's part of an array over these slots begins.
    template <class Array>
    std::ptrdiff_t place(int agent, const Array& array) const {
      return (agent - first) * (std::ssize(array) / count);
    }
    std::int64_t first, count;
  };
  KeptSizes slot_sizes() const { return {parameter_stride(agents_), agents_.warps, agents_.state_size}; }
  /// The arrays of these slots, one agent behind the other.
  Snapshot download_kept(const SlotRange& range) {
    Snapshot all;
    const auto get = [&](const char*, std::int64_t stride, const auto& buffer, auto& theirs) {
      theirs.resize(static_cast<std::size_t>(range.count * stride));
      runtime::download(stream_, theirs.data(), buffer.data() + range.first * stride, std::ssize(theirs));
    };
    each_kept(slot_sizes(), get, arrays_, all);
    stream_.synchronize("saving agents");
    return all;
  }

  /// These agents are watched, and no others.
  void watch(std::span<const int> agents, std::span<const Watch> watches) {
    for (std::int64_t i = 0; i < host_watch_.size(); ++i) host_watch_[i] = {};
    for (std::size_t i = 0; i < agents.size(); ++i) {
      Watch& mine = host_watch_[agents[i]];
      mine = watches[i];
      mine.last = states_.told(agents[i]);
      mine.looks = mine.measured = 0;
    }
    runtime::upload(stream_, arrays_.watch.data(), host_watch_.data(), host_watch_.size());
    watched_ = !agents.empty();
  }

  /// Puts what all agents share into device memory.
  template <class T>
  const T* send(runtime::Buffer<T>& buffer, const std::vector<T>& host) {
    buffer = runtime::Buffer<T>(std::ssize(host), "the network");
    runtime::upload(stream_, buffer.data(), host.data(), buffer.size());
    stream_.synchronize("setting up");
    return buffer.data();
  }
  void pack(int count) {
    if (!library_) launch_pack(stream_, agents_, count);
  }

  /// Sends what reset() has drawn, in runs of neighboring agents, and draws their environments.
  void begin_resets() {
    if (pending_.empty()) return;
    std::sort(pending_.begin(), pending_.end());
    pending_.erase(std::unique(pending_.begin(), pending_.end()), pending_.end());
    const std::int64_t p = parameter_stride(agents_);
    for (std::size_t i = 0, end = 0; i < pending_.size(); i = end) {
      for (end = i + 1; end < pending_.size() && pending_[end] == pending_[end - 1] + 1;) ++end;
      const std::int64_t first = pending_[i], count = static_cast<std::int64_t>(end - i);
      runtime::upload(stream_, arrays_.parameters.data() + first * p, host_parameters_.data() + first * p, count * p);
      states_.send(stream_, arrays_.state.data(), first, count);
      runtime::clear(stream_, arrays_.first_moment.data() + first * p, count * p);
      if (first_v_[0] == 0.0f) {
        runtime::clear(stream_, arrays_.second_moment.data() + first * p, count * p);
      } else {
        for (std::int64_t k = first; k < first + count; ++k)
          runtime::upload(stream_, arrays_.second_moment.data() + k * p, first_v_.data(), p);
      }
    }
    const int count = choose(pending_);
    launch_reset(stream_, environment_.id, agents_, count);
    pack(count);
    stream_.synchronize("initializing agents");
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
    states_.send_halted(stream_, arrays_.state.data());
    return static_cast<int>(n);
  }

  /// Minibatches have a size that only collecting tells, and it matters to the launches.
  bool waits_for_count() const { return agents_.episodes && agents_.partial_samples != 0; }
  /// A graph takes host memory for each of its nodes.
  bool recordable() const {
    constexpr std::int64_t kMostRecordedSteps = 2048;
    return !waits_for_count() &&
           (library_ ? library_->recorded_parts() : std::int64_t{config_.epochs} * config_.minibatches) <= kMostRecordedSteps;
  }

  void launch_update(int count) {
    if (warm_ && recordable()) {
      graphs_.get(stream_, count, [&] { enqueue_update(count); }).launch(stream_);
    } else {
      enqueue_update(count);
      warm_ = true;
    }
  }

  void enqueue_update(int count) {
    collect(count);
    launch_count(stream_, agents_, count);
    int partials = agents_.most_partials, moment_partials = agents_.most_moment_partials;
    std::int64_t samples = config_.batch();
    if (waits_for_count()) {
      samples = most_collected(count);
      const int most = partials_of_samples(agents_, static_cast<std::uint32_t>(samples));
      partials = std::min(partials, most);
      moment_partials = std::min(moment_partials, most);
    }
    launch_advantage(stream_, agents_, count);
    launch_moments(stream_, agents_, count, moment_partials);
    for (int epoch = 0; epoch < config_.epochs; ++epoch)
      for (int m = 0; m < config_.minibatches; ++m)
        if (library_) {
          library_->step({epoch, m}, samples / config_.minibatches);
        } else {
          gradient(count, partials, {epoch, m});
          launch_optimizer(stream_, agents_, count, partials, {epoch, m});
        }
  }

  void collect(int count) {
    switch (agents_.kind) {
      case NetworkKind::small: return launch_rollout(stream_, environment_.id, agents_, count);
      case NetworkKind::tiled: return launch_collect(stream_, environment_.id, agents_, count, collect_threads(agents_));
      case NetworkKind::library: return library_->collect();
    }
  }
  void gradient(int count, int partials, MinibatchNumber number) {
    if (agents_.kind == NetworkKind::small) return launch_gradient(stream_, environment_.id, agents_, count, partials, number);
    launch_tile_gradient(stream_, environment_.id, agents_, count, partials, number, gradient_threads(agents_));
  }

  /// Samples of the chosen agent that has most. Waits for the device.
  std::uint32_t most_collected(int count) {
    states_.read(stream_, arrays_.state.data(), "collecting episodes");
    std::uint32_t most = 0;
    for (int i = 0; i < count; ++i) most = std::max(most, states_.of(host_chosen_[i]).count);
    return most;
  }

  const Config config_;
  const EnvironmentInfo& environment_;
  const std::unique_ptr<const PackedNetwork> network_;  ///< null: the network is a library's
  const DeviceProperties device_;
  const int slots_;
  TiledAgents agents_;
  const CudaShape shape_;
  mutable runtime::Stream stream_;
  mutable runtime::Stream check_stream_;  ///< looks at agents while others train
  AgentArrays<runtime::Buffer> arrays_;
  runtime::Buffer<PackEntry> entries_;
  runtime::Buffer<TilePlace> places_;
  runtime::Buffer<std::uint32_t> value_network_;
  CudaEvaluator evaluator_;
  runtime::PinnedBuffer<float> host_parameters_;
  HostStates states_;
  runtime::PinnedBuffer<int> host_chosen_;
  runtime::Buffer<int> checked_;  ///< as `chosen`, of an evaluation
  runtime::PinnedBuffer<int> host_checked_;
  runtime::PinnedBuffer<Watch> host_watch_;
  runtime::PinnedBuffer<Look> host_looks_;
  bool watched_ = false;        ///< an agent may be watched on the device
  std::vector<float> first_v_;  ///< the optimizer's second moment before the first update
  std::vector<int> pending_;    ///< agents that were reset and are not yet on the device
  std::int64_t chosen_count_ = -1;
  bool warm_ = false;  ///< kernels may be loaded at their first use, which a recording does not allow
  std::optional<CudaLibraryNetwork> library_;
  GraphCache graphs_;
};

CUPG_END_TARGET

// What the CPU engine has, and its agents: how they are made, reset, updated and evaluated.
#include "src/engine/cpu_engine.hpp"

#include <atomic>

#include "src/engine/cpu_engines.hpp"
#include "src/engine/tile_plan.hpp"

namespace cupg {
namespace {

std::int64_t in_warps(std::int64_t samples) { return (samples + kWarp - 1) / kWarp * kWarp; }

/// The cheapest that the network and the settings allow.
Way choose_way(const Config& config, NetworkKind network) {
  if (network != NetworkKind::small) return Way::samples;
  if (config.minibatches > 1) return Way::gather;
  return config.collect == Collect::steps && config.epochs == 1 && !config.advantage.normalize ? Way::fused : Way::rows;
}

}  // namespace

CpuLayout::CpuLayout(const Config& config, NetworkKind network)
    : kind(network),
      way(choose_way(config, network)),
      tiles(make_tile_plan(config.network())),
      features{tiles.row(), (network == NetworkKind::library ? tiles.actions : policy_outputs(tiles.actions)) + 1},
      parameters(padded(tiles.parameters)),
      envs(config.envs),
      warps(warps_of(config.envs)),
      kept{parameters, warps, state_size(find_environment(config.environment).id)},
      normalize(config.advantage.normalize),
      capacity(most_steps_of_an_update(config)),
      kept_warps(way == Way::rows ? warps : measured_warps(warps)) {
  record = features.sample.stride();
  if (kind == NetworkKind::library) return;
  const PackedNetwork packed(config.network());
  const NetworkPlan& plan = packed.plan();
  weights = padded(plan.packed);
  const std::int64_t samples = envs * capacity / config.minibatches;
  if (kind == NetworkKind::tiled) {
    partial = tiles.partial;
    partials = static_cast<int>(tiles_of(samples));
    return;
  }
  partial = small_partial(plan);
  // episodes' advantages are normalized where they lie, and say nothing of the target then
  const bool target = normalize && config.advantage.normalize_over == NormalizeOver::episode;
  record_fields = target ? features.sample.target() + 1 : features.sample.target();
  record = record_fields <= 8 ? 8 : tile_padded(record_fields);
  partials = static_cast<int>(way == Way::gather ? (samples + kPartialSamples - 1) / kPartialSamples : warps);
  rows = way == Way::gather ? std::max<std::int64_t>(capacity, kPartialRows) : way == Way::fused ? capacity : 0;
  // Activations that one pass leaves for the next are worth their memory while they stay in the second-level cache (measured on one
  // AVX-512 core, 16 units: 126 -> 151 M env-steps/s), or where they are dear.
  constexpr std::int64_t kCached = 512 << 10;
  const std::int64_t held = way == Way::gather ? kPartialRows : capacity;
  const bool cached = (held + 1) * hidden_units(plan) * kWarp * 4 <= kCached, dear = plan.tanh && way != Way::fused;
  if (cached || dear) hidden = hidden_units(plan);
}

template <class F>
void CpuEngine::Agent::each(const CpuLayout& l, F f) {
  const auto both = [&](const char*, std::int64_t elements, auto& now, auto& then) {
    f(now, elements);
    f(then, elements);
  };
  each_kept(l.kept, both, *this, before);
  f(weights, l.weights);
  f(tiles, l.kind == NetworkKind::tiled ? l.tiles.packed : 0);
}

template <class F>
void CpuEngine::Workspace::each(const CpuLayout& l, const Config& config, F f) {
  const bool stepwise = l.way == Way::samples, gathered = l.way == Way::gather;
  const bool of_minibatches = config.advantage.normalize_over == NormalizeOver::minibatch;
  const std::int64_t envs = l.envs, warps = l.warps, batch = envs * l.capacity, stride = tile_padded(l.tiles.observations);
  f(samples, stepwise || gathered ? batch * l.record : 0);
  f(rows, l.kept_warps * l.capacity * l.features.floats());
  f(done, l.kept_warps * l.capacity);
  f(used, (gathered ? warps : l.kept_warps) * l.capacity);
  const std::int64_t positions = stepwise ? in_warps(batch) : !gathered ? 0 : of_minibatches ? in_warps(batch) : warps * l.capacity * kWarp;
  f(advantages, l.normalize ? positions : 0);
  f(own_advantages, l.normalize && gathered && of_minibatches ? batch : 0);
  f(sums, !l.normalize ? 0 : stepwise ? tiles_of(batch) : std::max<std::int64_t>(warps, l.partials));
  f(order, config.minibatches > 1 ? tiles_of(batch) * kTile : 0);
  f(observation, stepwise ? envs * stride : 0);
  f(cut_observation, stepwise ? envs * stride : 0);
  f(outputs, stepwise ? std::int64_t{l.tiles.outputs} * padded(l.envs) : 0);
  f(playing, stepwise ? warps : 0);
  f(ended, stepwise ? warps : 0);
  f(truncated, stepwise ? warps : 0);
  f(partials, std::int64_t{l.partials} * l.partial);
  f(gradient, l.parameters);
}

template <class F>
void CpuEngine::ThreadMemory::each(const CpuLayout& l, F f) {
  const bool tiled = l.kind == NetworkKind::tiled, small = l.kind == NetworkKind::small;
  f(scratch, tiled ? 1 : 0);
  f(observation, tiled ? kTile * tile_padded(l.tiles.observations) : 0);
  f(evaluate, kEvaluateScratch);
  f(rows, l.rows * l.features.floats());
  f(hidden, ((l.way == Way::gather ? kPartialRows : l.capacity) + 1) * l.hidden * kWarp);
  f(done, l.rows);
  f(used, l.rows);
  f(sums, small ? l.partial * kWarp : 0);
}

CpuEngine::CpuEngine(const Config& config, int agents, int threads, const std::optional<LibraryPlan>& library, Parts* parts)
    : config_(config),
      environment_(find_environment(config.environment)),
      objective_(find_objective(config.algorithm)),  // by name: a reference into a registry that is complete by now
      layout_(config, library ? NetworkKind::library : network_kind(config.network())),
      value_network_(value_network_bits(config.network())),
      advantage_(cupg::advantage_args(config)),
      ops_(cpu_ops_for(config.isa)),
      loss_(loss_of(objective_, ops_)),
      team_(threads),
      parts_(parts),
      log_probabilities_(reads_log_probabilities(config)),
      agents_(static_cast<std::size_t>(agents)),
      workspaces_(static_cast<std::size_t>(workspaces(agents, threads, library.has_value()))),
      memory_(static_cast<std::size_t>(library ? 1 : threads)) {
  const auto allocate = []<class T>(AlignedArray<T>& array, std::int64_t elements) { array = AlignedArray<T>(elements); };
  if (library) {
    library_.emplace(config, *library, ops_, team_, [this] { leave_if_stopped(); });
  } else {
    network_.emplace(config.network());
  }
  for (Agent& a : agents_) a.each(layout_, allocate);
  for (Workspace& w : workspaces_) w.each(layout_, config_, allocate);
  for (ThreadMemory& m : memory_) m.each(layout_, allocate);
}

std::int64_t CpuEngine::bytes(const Config& config, int agents, int threads) {
  const CpuLayout layout(config, network_kind(config.network()));
  const bool library = layout.kind == NetworkKind::library;
  std::int64_t agent = 0, workspace = 0, thread = 0;
  const auto count = [](std::int64_t& sum) {
    return [&sum]<class T>(AlignedArray<T>&, std::int64_t elements) { sum += elements * static_cast<std::int64_t>(sizeof(T)); };
  };
  Agent().each(layout, count(agent));
  Workspace().each(layout, config, count(workspace));
  if (layout.way == Way::gather || layout.way == Way::samples) workspace += 4 * layout.envs * layout.capacity;  // samples' numbers
  ThreadMemory().each(layout, count(thread));
  const std::int64_t memory = library ? LibraryNetwork::bytes(config, threads) + initialize_bytes(config) + thread : threads * thread;
  return agents * agent + workspaces(agents, threads, library) * workspace + memory;
}

void CpuEngine::reset(int agent, std::uint64_t seed, int number) {
  Agent& a = at(agent);
  a.settings = agent_settings_of(config_, number);
  static_cast<KeptCounters&>(a) = {};
  a.seed = seed;
  std::fill_n(a.first_moment.data(), a.first_moment.size(), 0.0f);
  std::fill_n(a.second_moment.data(), a.second_moment.size(), first_second_moment(config_.optimizer));
  initialize_parameters(config_.network(), config_.init, seed, {a.parameters.data(), static_cast<std::size_t>(layout_.tiles.parameters)});
  pack(a);
  for (int w = 0; w < layout_.warps; ++w) ops_.reset(environment_.id, a.environments.data(), a.age.data(), seed, w);
  std::fill_n(a.episode_return.data(), a.episode_return.size(), 0.0f);
}

void CpuEngine::update(std::span<const int> agents, std::int64_t updates, std::span<UpdateReport> reports) {
  update_all(agents, updates, reports, false);
}
void CpuEngine::update_measured(std::span<const int> agents, std::int64_t updates, std::span<UpdateReport> reports) {
  update_all(agents, updates, reports, true);
}

void CpuEngine::update_all(std::span<const int> agents, std::int64_t updates, std::span<UpdateReport> reports, bool measured) {
  for (UpdateReport& r : reports) r = {};
  if (updates <= 0) return;
  if (library_) {
    library_->begin();
    for (std::size_t i = 0; i < agents.size(); ++i) update_agent(at(agents[i]), updates, reports[i], workspaces_[0], 0, measured);
  } else if (agents.size() == 1) {
    admit_guests();
    crew_.lead([&] { update_agent(at(agents[0]), updates, reports[0], workspaces_[0], 0, measured); });
  } else {
    std::atomic<std::size_t> next{0};
    team_.run([&](int member) {
      if (member >= static_cast<int>(workspaces_.size())) return;
      for (std::size_t i = next++; i < agents.size(); i = next++)
        update_agent(at(agents[i]), updates, reports[i], workspaces_[static_cast<std::size_t>(member)], member, measured);
    });
  }
  for (std::size_t i = 0; i < agents.size(); ++i) {
    Agent& a = at(agents[i]);
    if (layout_.kind == NetworkKind::tiled) network_->pack(a.parameters.data(), a.weights.data());
    reports[i].parameters_finite = all_finite(parameters(agents[i]));
  }
}

bool CpuEngine::help(const std::function<bool()>& over) {
  if (library_ || agents_.size() != 1 || layout_.warps < 2) return false;
  crew_.help(over);
  return true;
}

/// Each has memory of its own. Where there is none, they wait in vain.
void CpuEngine::admit_guests() {
  const int size = crew_.size();
  if (size == std::ssize(memory_)) return;
  try {
    while (std::ssize(memory_) < size) {
      ThreadMemory m;
      m.each(layout_, []<class T>(AlignedArray<T>& array, std::int64_t elements) { array = AlignedArray<T>(elements); });
      memory_.push_back(std::move(m));
    }
    crew_.admit(size);
  } catch (const std::bad_alloc&) {
  }
}

template <class From, class To>
void CpuEngine::copy(const KeptSizes& sizes, const From& from, To& to) {
  static_cast<KeptCounters&>(to) = from;
  each_kept(
      sizes, [](const char*, std::int64_t elements, const auto& its, auto& mine) { std::copy_n(its.data(), elements, mine.data()); }, from,
      to);
}

void CpuEngine::update_agent(Agent& a, std::int64_t updates, UpdateReport& report, Workspace& w, int member, bool measured) {
  for (int warp = 0; warp < layout_.warps && layout_.way == Way::samples; ++warp)
    ops_.observe_padded(environment_.id, a.environments.data(), warp, config_.envs, w.observation.data());
  if (can_stop()) copy(layout_.kept, static_cast<const Kept&>(a), a.before);
  while (report.updates < updates && report.finite) {
    EpisodeTally tally;
    w.measured = measured && report.updates + 1 == updates;
    try {
      begin_collecting(w);
      if (layout_.way == Way::fused) {
        report.finite = fused_update(a, w, member);
        end_collecting(a, w, tally);
      } else {
        collect(a, w, member);
        end_collecting(a, w, tally);
        report.finite = optimize(a, w, member);
      }
      const bool measures = parts_ == nullptr || parts_->part == 0;  // it has the environments that are measured
      if (w.measured && measures && report.finite) report.metrics = measure(a, w, member, {a.updates, a.taken});
    } catch (const Stopped&) {
      copy(layout_.kept, a.before, static_cast<Kept&>(a));
      pack(a);
      report = {};
      return;
    }
    report.episodes += tally;
    if (!report.finite) break;
    a.optimizer.decay_power *= a.settings.optimizer.decay;
    a.updates += 1;
    a.taken += w.collected;
    report.updates += 1;
    report.env_steps += w.collected;
  }
}

Evaluation CpuEngine::evaluate(int agent, const EvaluationRequest& request) {
  const Agent& a = at(agent);
  if (library_) {
    library_->begin();
    try {
      return library_->evaluate(environment_, a.parameters.data(), a.seed, request);
    } catch (const Stopped&) {
      return summarize_evaluation(std::vector<float>(static_cast<std::size_t>(request.episodes)), request, false);
    }
  }
  std::vector<float*> scratch;
  for (ThreadMemory& m : memory_) scratch.push_back(m.evaluate.data());
  return evaluate_packed(ops_, team_, environment_, network_->plan(), a.weights.data(), a.seed, request, scratch);
}

std::span<const float> CpuEngine::parameters(int agent) const {
  return {agents_[static_cast<std::size_t>(agent)].parameters.data(), static_cast<std::size_t>(layout_.tiles.parameters)};
}

void CpuEngine::set_parameters(int agent, std::span<const float> parameters) {
  std::copy(parameters.begin(), parameters.end(), at(agent).parameters.data());
  pack(at(agent));
}

void CpuEngine::save(std::span<const int> agents, std::span<Snapshot> snapshots) {
  const KeptSizes sizes = kept_sizes(config_);
  for (std::size_t i = 0; i < agents.size(); ++i) {
    share_environments(at(agents[i]));
    snapshots[i].resize(sizes);
    copy(sizes, static_cast<const Kept&>(at(agents[i])), snapshots[i]);
    snapshots[i].clear_idle_lanes(sizes, config_.envs);
  }
}

void CpuEngine::load(std::span<const int> agents, std::span<const Snapshot> snapshots, std::span<const int> numbers) {
  for (std::size_t i = 0; i < agents.size(); ++i) {
    reset(agents[i], snapshots[i].seed, numbers[i]);
    copy(kept_sizes(config_), snapshots[i], static_cast<Kept&>(at(agents[i])));
    pack(at(agents[i]));
  }
}

void CpuEngine::pack(Agent& a) {
  if (layout_.kind == NetworkKind::tiled) ops_.tile_pack(layout_.tiles, a.parameters.data(), a.tiles.data());
  if (network_) network_->pack(a.parameters.data(), a.weights.data());
}

ObjectiveRows CpuEngine::loss_of(const ObjectiveInfo& objective, const CpuOps& ops) {
  const int number = objective_number(objective.name);
  const ObjectiveKernels& k = objective_kernels(static_cast<std::size_t>(number));
  if (k.generic == nullptr) return ops.objective(number);
  const std::string_view isa = ops.isa;
  const ObjectiveRows rows = isa == "avx512" ? k.avx512 : isa == "avx2" ? k.avx2 : isa == "scalar_fma" ? k.scalar_fma : k.generic;
  return rows != nullptr ? rows : k.generic;
}

std::unique_ptr<Engine> make_cpu_engine(const Config& config, int agents, int threads) {
  const std::optional<LibraryPlan> library = fused(config.network()) ? std::nullopt : std::optional(plan_library(config));
  return std::make_unique<CpuEngine>(config, agents, threads, library);
}
std::unique_ptr<Engine> make_part_engine(const Config& config, int threads, Parts& parts) {
  return std::make_unique<CpuEngine>(config, 1, threads, std::nullopt, &parts);
}
std::unique_ptr<Engine> make_library_engine(const Config& config, int agents, int threads, const LibraryPlan& plan) {
  return std::make_unique<CpuEngine>(config, agents, threads, plan);
}
std::int64_t engine_bytes(const Config& config, int agents, int threads) { return CpuEngine::bytes(config, agents, threads); }

}  // namespace cupg

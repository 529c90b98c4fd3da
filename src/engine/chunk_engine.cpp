// Agents of the CPU engine of chunks: how they are made, reset, updated and evaluated.
#include "src/engine/chunk_engine.hpp"

#include <atomic>

#include "src/engine/chunk_update.hpp"

namespace cupg {

ChunkEngine::ChunkEngine(const Config& config, int agents, int threads, const std::optional<LibraryPlan>& library)
    : config_(config),
      environment_(find_environment(config.environment)),
      objective_(find_objective(config.algorithm)),  // by name: a reference into a registry that is complete by now
      plan_(make_chunk_plan(config.network())),
      value_network_(value_network_bits(config.network())),
      advantage_(row_advantage_args(config)),
      ops_(cpu_ops_for(config.isa)),
      rows_(rows_of(objective_, ops_)),
      team_(threads),
      warps_(warps_of(config.envs)),
      capacity_(most_steps_of_an_update(config)),
      way_(choose_way(config, plan_, library.has_value())),
      log_probabilities_(objective_.ratio || config.objective.target_kl > 0 || registered(objective_)),
      group_(warps_of_a_group(config, way_)),
      agents_(static_cast<std::size_t>(agents)),
      workspaces_(static_cast<std::size_t>(workspaces(agents, threads, library.has_value()))),
      memory_(library ? 0 : static_cast<std::size_t>(threads)) {
  if (library) {
    library_.emplace(config, *library, ops_, team_, [this] { leave_if_stopped(); });
  } else {
    network_.emplace(config.network());
  }
  const int n = padded(plan_.parameters), stride = chunk_padded(plan_.observations), outputs = padded(config.envs);
  for (Agent& a : agents_) {
    a.parameters = AlignedArray<float>(n);
    a.first_moment = AlignedArray<float>(n);
    a.before = AlignedArray<float>(n);
    a.second_moment = AlignedArray<float>(n);
    if (network_) {
      a.packed = AlignedArray<float>(plan_.packed);
      a.evaluated = AlignedArray<float>(padded(network_->plan().packed));
    }
    a.environments = WarpMemory(environment_.id, warps_);
  }
  for (Workspace& w : workspaces_) {
    if (way_ == Way::tiles || way_ == Way::samples) w.samples = AlignedArray<float>(config.envs * capacity_ * plan_.row().stride());
    if (way_ == Way::rows) {
      w.row_features = AlignedArray<float>(warps_ * capacity_ * features().floats());
      w.row_done = AlignedArray<std::uint32_t>(warps_ * capacity_);
    }
    if (way_ == Way::tiles) {
      w.observation = AlignedArray<float>(static_cast<std::int64_t>(config.envs) * stride);
      w.before = AlignedArray<float>(static_cast<std::int64_t>(config.envs) * stride);
      w.outputs = AlignedArray<float>(static_cast<std::int64_t>(plan_.outputs) * outputs);
      w.playing = AlignedArray<std::uint32_t>(warps_);
      w.done = AlignedArray<std::uint32_t>(warps_);
      w.truncated = AlignedArray<std::uint32_t>(warps_);
    }
    if (config.minibatches > 1) w.order = AlignedArray<std::uint32_t>(in_warps(config.envs * capacity_));
    if (network_) w.partials = AlignedArray<float>(static_cast<std::int64_t>(most_chunks(config, capacity_)) * plan_.partial);
    w.gradient = AlignedArray<float>(n);
    if (config.advantage.normalize) {
      const std::int64_t samples = in_warps(config.envs * capacity_);
      w.advantages = AlignedArray<float>(samples + tiles_of(samples));
    }
  }
  for (ChunkMemory& m : memory_) {
    m.observation = AlignedArray<float>(static_cast<std::int64_t>(kChunk) * stride);
    if (way_ == Way::fused || way_ == Way::samples) {
      m.row_features = AlignedArray<float>(group_ * capacity_ * features().floats());
      m.row_done = AlignedArray<std::uint32_t>(group_ * capacity_);
    }
  }
}

std::int64_t ChunkEngine::bytes(const Config& config, int agents, int threads) {
  const ChunkPlan plan = make_chunk_plan(config.network());
  const std::int64_t capacity = most_steps_of_an_update(config), n = padded(plan.parameters), warps = warps_of(config.envs);
  const std::int64_t agent = 4 * (4 * n + 2 * plan.packed) + WarpMemory::bytes(find_environment(config.environment).id, warps);
  const bool library = !fused(config.network());
  const Way way = choose_way(config, plan, library);
  const std::int64_t samples = config.envs * capacity, row = RowFeatures{plan.row(), plan.actions}.floats() + 1;
  std::int64_t workspace = 6 * std::int64_t{config.envs} + 2 * samples + n;
  workspace += static_cast<std::int64_t>(most_chunks(config, capacity)) * plan.partial;
  if (way == Way::tiles || way == Way::samples) workspace += samples * plan.row().stride();
  if (way == Way::rows) workspace += warps * capacity * row;
  if (way == Way::tiles) workspace += config.envs * (2 * chunk_padded(plan.observations) + std::int64_t{plan.outputs} + 1);
  if (config.advantage.normalize) workspace += samples + tiles_of(samples);
  workspace *= 4;
  std::int64_t memory = static_cast<std::int64_t>(sizeof(ChunkScratch)) + 4 * (kChunk * chunk_padded(plan.observations) + kEvaluateScratch);
  if (way == Way::fused || way == Way::samples) memory += 4 * warps_of_a_group(config, way) * capacity * row;
  memory *= threads;
  if (library) memory = LibraryNetwork::bytes(config, threads) + initialise_bytes(config);
  return agents * agent + workspaces(agents, threads, library) * workspace + memory;
}

void ChunkEngine::reset(int agent, std::uint64_t seed) {
  Agent& a = at(agent);
  a.seed = seed;
  a.step = 0;
  a.updates = a.taken = 0;
  a.optimizer = {};
  std::fill_n(a.first_moment.data(), a.first_moment.size(), 0.0f);
  std::fill_n(a.second_moment.data(), a.second_moment.size(), first_second_moment(config_.optimizer));
  initialise_parameters(config_.network(), config_.init, seed, {a.parameters.data(), static_cast<std::size_t>(plan_.parameters)});
  pack(a);
  for (int w = 0; w < warps_; ++w) ops_.reset(environment_.id, a.environments.state.data(), a.environments.age.data(), seed, w);
  std::fill_n(a.environments.episode_return.data(), a.environments.episode_return.size(), 0.0f);
}

void ChunkEngine::update(std::span<const int> agents, std::int64_t updates, std::span<UpdateReport> reports) {
  for (UpdateReport& r : reports) r = {};
  if (updates <= 0) return;
  if (library_) {
    library_->begin();
    for (std::size_t i = 0; i < agents.size(); ++i) update_agent(at(agents[i]), updates, reports[i], workspaces_[0], 0);
  } else if (agents.size() == 1) {
    crew_.lead([&] { update_agent(at(agents[0]), updates, reports[0], workspaces_[0], 0); });
  } else {
    std::atomic<std::size_t> next{0};
    team_.run([&](int member) {
      if (member >= static_cast<int>(workspaces_.size())) return;
      for (std::size_t i = next++; i < agents.size(); i = next++)
        update_agent(at(agents[i]), updates, reports[i], workspaces_[static_cast<std::size_t>(member)], member);
    });
  }
  for (std::size_t i = 0; i < agents.size(); ++i) {
    pack_evaluated(at(agents[i]));
    reports[i].parameters_finite = all_finite(parameters(agents[i]));
  }
}

Evaluation ChunkEngine::evaluate(int agent, const EvaluationRequest& request) {
  const Agent& a = at(agent);
  if (library_) {
    library_->begin();
    try {
      return library_->evaluate(environment_, a.parameters.data(), a.seed, request);
    } catch (const Stopped&) {
      return summarise_evaluation(std::vector<float>(static_cast<std::size_t>(request.episodes)), request, false);
    }
  }
  std::vector<float*> scratch;
  for (ChunkMemory& m : memory_) scratch.push_back(m.evaluate.data());
  return evaluate_packed(ops_, team_, environment_, network_->plan(), a.evaluated.data(), a.seed, request, scratch);
}

std::span<const float> ChunkEngine::parameters(int agent) const {
  return {agents_[static_cast<std::size_t>(agent)].parameters.data(), static_cast<std::size_t>(plan_.parameters)};
}

void ChunkEngine::set_parameters(int agent, std::span<const float> parameters) {
  std::copy(parameters.begin(), parameters.end(), at(agent).parameters.data());
  pack(at(agent));
}

bool ChunkEngine::registered(const ObjectiveInfo& objective) {
  return objective_kernels(static_cast<std::size_t>(objective_number(objective.name))).generic != nullptr;
}

ObjectiveRows ChunkEngine::rows_of(const ObjectiveInfo& objective, const CpuOps& ops) {
  const int number = objective_number(objective.name);
  const ObjectiveKernels& k = objective_kernels(static_cast<std::size_t>(number));
  if (k.generic == nullptr) return ops.objective(number);
  const std::string_view isa = ops.isa;
  const ObjectiveRows rows = isa == "avx512" ? k.avx512 : isa == "avx2" ? k.avx2 : isa == "scalar_fma" ? k.scalar_fma : k.generic;
  return rows != nullptr ? rows : k.generic;
}

void ChunkEngine::update_agent(Agent& a, std::int64_t updates, UpdateReport& report, Workspace& w, int member) {
  for (int warp = 0; warp < warps_ && way_ == Way::tiles; ++warp)
    ops_.observe_padded(environment_.id, a.environments.state.data(), warp, config_.envs, w.observation.data());
  while (report.updates < updates && report.finite) {
    std::copy_n(a.parameters.data(), a.parameters.size(), a.before.data());
    EpisodeTally tally;
    try {
      if (way_ == Way::fused) {
        report.finite = fused_update(a, w, member, tally);
      } else {
        way_ == Way::tiles ? collect(a, w, member, tally) : collect_rows(a, w, member, tally);
        advantages(w);
        report.finite = optimize(a, w, member);
      }
    } catch (const Stopped&) {
      std::copy_n(a.before.data(), a.parameters.size(), a.parameters.data());
      return;
    }
    report.episodes += tally;
    if (!report.finite) break;
    a.optimizer.decay_power *= config_.optimizer.decay;
    a.updates += 1;
    a.taken += w.first.back();
    report.updates += 1;
    report.env_steps += w.first.back();
  }
}

void ChunkEngine::pack_trained(Agent& a) {
  if (network_) ops_.chunk_pack(plan_, a.parameters.data(), a.packed.data());
}

void ChunkEngine::pack_evaluated(Agent& a) {
  if (network_) network_->pack(a.parameters.data(), a.evaluated.data());
}

void ChunkEngine::pack(Agent& a) {
  pack_trained(a);
  pack_evaluated(a);
}

std::unique_ptr<Engine> make_chunk_engine(const Config& config, int agents, int threads) {
  const std::optional<LibraryPlan> library = fused(config.network()) ? std::nullopt : std::optional(plan_library(config));
  return std::make_unique<ChunkEngine>(config, agents, threads, library);
}
std::unique_ptr<Engine> make_library_engine(const Config& config, int agents, int threads, const LibraryPlan& plan) {
  return std::make_unique<ChunkEngine>(config, agents, threads, plan);
}
std::int64_t chunk_engine_bytes(const Config& config, int agents, int threads) { return ChunkEngine::bytes(config, agents, threads); }

}  // namespace cupg

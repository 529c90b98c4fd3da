// The CPU engine of updates that run in chunks: any objective, minibatches and epochs, whole episodes.
//
//   collect:   for t = 0, 1, ...:  logits and V of s_t for all environments, 64 at a time; then a step of every warp
//   advantage: environment by environment, last step first
//   epochs:    minibatches of chunks; a chunk goes through the network and back in one call; reduce; optimizer
//
// One agent's chunks are shared out to all threads; several agents have a thread each.
#include "src/engine/chunk_engine.hpp"

#include <algorithm>
#include <atomic>

#include "kernels/advantage/rows.hpp"
#include "kernels/math/permutation.hpp"
#include "src/engine/cpu_evaluate.hpp"
#include "src/engine/crew.hpp"
#include "src/engine/isa.hpp"
#include "src/engine/network_plan.hpp"
#include "src/engine/schedule_end.hpp"
#include "src/engine/team.hpp"
#include "src/engine/warp_memory.hpp"

namespace cupg {
namespace {

/// Everything that belongs to one agent.
struct Agent {
  std::uint64_t seed = 0;
  std::uint32_t step = 0;    // steps that its environments have been through
  std::int64_t updates = 0;  // k
  std::int64_t taken = 0;    // environment steps
  OptimizerState optimizer;
  AlignedArray<float> parameters, first_moment, second_moment;  // [padded(parameters)]
  AlignedArray<float> before;                                   // [padded(parameters)] as they were when the update began
  AlignedArray<float> packed;                                   // [plan.packed] as the chunks read them
  AlignedArray<float> evaluated;                                // [padded(packed)] as the evaluation reads them
  WarpMemory environments;
};

/// What one update needs, however many agents there are: belongs to the thread that leads it.
struct Workspace {
  AlignedArray<float> samples;                           // rows, [N][capacity]
  std::vector<std::uint32_t> rows;                       // [B] the row of sample number i
  std::vector<std::uint32_t> order;                      // [B] rows in the order of an epoch's minibatches
  std::vector<std::int64_t> first;                       // [N + 1] of each environment's samples, by number
  std::vector<std::int64_t> lengths;                     // [N] steps of each environment in this update
  AlignedArray<float> observation;                       // [N][padded O] s_t
  AlignedArray<float> before;                            // [N][padded O] observations before a reset
  AlignedArray<float> outputs;                           // [A + 1][padded N]
  AlignedArray<std::uint32_t> playing, done, truncated;  // [warps]
  std::vector<int> cut;                                  // environments that the limit cut in this step
  AlignedArray<float> partials;                          // [chunks of a minibatch][plan.partial]
  AlignedArray<float> gradient;                          // [padded(parameters)]
};

/// Scratch of any thread that takes a chunk.
struct ChunkMemory {
  AlignedArray<ChunkScratch> scratch{1};
  AlignedArray<float> observation;  // [64][padded O]
  AlignedArray<float> evaluate{kEvaluateScratch};
};

int chunks_of(std::int64_t samples) { return static_cast<int>((samples + kChunk - 1) / kChunk); }

class ChunkEngine final : public Engine {
 public:
  ChunkEngine(const Config& config, int agents, int threads)
      : config_(config),
        environment_(find_environment(config.environment)),
        objective_(find_objective(config.algorithm)),  // by name: a reference into a registry that is complete by now
        plan_(make_chunk_plan(config.network())),
        network_(config.network()),
        value_network_(value_network_bits(config.network())),
        ops_(cpu_ops_for(config.isa)),
        rows_(rows_of(objective_, ops_)),
        team_(threads),
        warps_(warps_of(config.envs)),
        capacity_(most_steps_of_an_update(config)),
        agents_(static_cast<std::size_t>(agents)),
        workspaces_(static_cast<std::size_t>(agents == 1 ? 1 : std::min(agents, threads))),
        memory_(static_cast<std::size_t>(threads)) {
    const int n = padded(plan_.parameters), stride = chunk_padded(plan_.observations), outputs = padded(config.envs);
    for (Agent& a : agents_) {
      a.parameters = AlignedArray<float>(n);
      a.first_moment = AlignedArray<float>(n);
      a.before = AlignedArray<float>(n);
      a.second_moment = AlignedArray<float>(n);
      a.packed = AlignedArray<float>(plan_.packed);
      a.evaluated = AlignedArray<float>(padded(network_.plan().packed));
      a.environments = WarpMemory(environment_.id, warps_);
    }
    for (Workspace& w : workspaces_) {
      w.samples = AlignedArray<float>(config.envs * capacity_ * plan_.row().stride());
      w.observation = AlignedArray<float>(static_cast<std::int64_t>(config.envs) * stride);
      w.before = AlignedArray<float>(static_cast<std::int64_t>(config.envs) * stride);
      w.outputs = AlignedArray<float>(static_cast<std::int64_t>(plan_.outputs) * outputs);
      w.playing = AlignedArray<std::uint32_t>(warps_);
      w.done = AlignedArray<std::uint32_t>(warps_);
      w.truncated = AlignedArray<std::uint32_t>(warps_);
      w.partials = AlignedArray<float>(static_cast<std::int64_t>(most_chunks(config, capacity_)) * plan_.partial);
      w.gradient = AlignedArray<float>(n);
    }
    for (ChunkMemory& m : memory_) m.observation = AlignedArray<float>(static_cast<std::int64_t>(kChunk) * stride);
  }

  static std::int64_t bytes(const Config& config, int agents, int threads) {
    const ChunkPlan plan = make_chunk_plan(config.network());
    const std::int64_t capacity = most_steps_of_an_update(config), n = padded(plan.parameters), warps = warps_of(config.envs);
    const std::int64_t agent = 4 * (4 * n + 2 * plan.packed) + WarpMemory::bytes(find_environment(config.environment).id, warps);
    const std::int64_t workspace =
        4 * (config.envs * (capacity * (plan.row().stride() + 2) + 2 * chunk_padded(plan.observations) + plan.outputs + 2) +
             static_cast<std::int64_t>(most_chunks(config, capacity)) * plan.partial + n);
    const std::int64_t memory =
        static_cast<std::int64_t>(sizeof(ChunkScratch)) + 4 * (kChunk * chunk_padded(plan.observations) + kEvaluateScratch);
    return agents * agent + (agents == 1 ? 1 : std::min(agents, threads)) * workspace + threads * memory;
  }

  void reset(int agent, std::uint64_t seed) override {
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
  }

  void update(std::span<const int> agents, std::int64_t updates, std::span<UpdateReport> reports) override {
    for (UpdateReport& r : reports) r = {};
    if (updates <= 0) return;
    if (agents.size() == 1) {
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

  Evaluation evaluate(int agent, const EvaluationRequest& request) override {
    const Agent& a = at(agent);
    std::vector<float*> scratch;
    for (ChunkMemory& m : memory_) scratch.push_back(m.evaluate.data());
    return evaluate_packed(ops_, team_, environment_, network_.plan(), a.evaluated.data(), a.seed, request, scratch);
  }
  std::span<const float> parameters(int agent) const override {
    return {agents_[static_cast<std::size_t>(agent)].parameters.data(), static_cast<std::size_t>(plan_.parameters)};
  }
  void set_parameters(int agent, std::span<const float> parameters) override {
    std::copy(parameters.begin(), parameters.end(), at(agent).parameters.data());
    pack(at(agent));
  }
  std::string device() const override { return "cpu"; }
  std::string isa() const override { return isa_name(ops_); }
  int threads() const override { return team_.size(); }

 private:
  Agent& at(int agent) { return agents_[static_cast<std::size_t>(agent)]; }

  static int most_chunks(const Config& config, std::int64_t capacity) { return chunks_of(config.envs * capacity / config.minibatches); }

  /// The derivatives in this instruction set: a built-in objective's from the ops, another's from where it was registered.
  static ObjectiveRows rows_of(const ObjectiveInfo& objective, const CpuOps& ops) {
    const int number = objective_number(objective.name);
    const ObjectiveKernels& k = objective_kernels(static_cast<std::size_t>(number));
    if (k.generic == nullptr) return ops.objective(number);
    const std::string_view isa = ops.isa;
    const ObjectiveRows rows = isa == "avx512" ? k.avx512 : isa == "avx2" ? k.avx2 : isa == "scalar_fma" ? k.scalar_fma : k.generic;
    return rows != nullptr ? rows : k.generic;
  }

  void update_agent(Agent& a, std::int64_t updates, UpdateReport& report, Workspace& w, int member) {
    for (int warp = 0; warp < warps_; ++warp)
      ops_.observe_padded(environment_.id, a.environments.state.data(), warp, config_.envs, w.observation.data());
    while (report.updates < updates && report.finite) {
      std::copy_n(a.parameters.data(), a.parameters.size(), a.before.data());
      EpisodeTally tally;
      try {
        collect(a, w, member, tally);
        advantages(w);
        report.finite = optimize(a, w, member);
      } catch (const Stopped&) {
        std::copy_n(a.before.data(), a.parameters.size(), a.parameters.data());
        return;
      }
      report.episodes += tally;
      if (!report.finite) break;
      a.optimizer.decay_power *= config_.optimizer.decay;
      a.updates += 1;
      a.taken += static_cast<std::int64_t>(w.rows.size());
      report.updates += 1;
      report.env_steps += static_cast<std::int64_t>(w.rows.size());
    }
  }

  /// f(chunk, thread) of every chunk.
  template <class F>
  void each_chunk(int chunks, int member, F f) {
    crew_.each(chunks, member, [&](int chunk, int thread) {
      if (!stopped()) f(chunk, thread);
    });
    leave_if_stopped();  // some chunk may have been left out
  }

  /// outputs [A + 1][padded N] of n observations.
  void forward(const Agent& a, const float* observation, int n, bool value_only, Workspace& w, int member) {
    const int stride = padded(config_.envs);
    each_chunk(chunks_of(n), member, [&](int chunk, int thread) {
      const int begin = chunk * kChunk, count = std::min(kChunk, n - begin);
      ChunkScratch& s = memory_[static_cast<std::size_t>(thread)].scratch.data()[0];
      ops_.chunk_forward({&plan_, a.packed.data(), observation + static_cast<std::int64_t>(begin) * chunk_padded(plan_.observations), count,
                          value_only, &s});
      for (int k = value_only ? plan_.actions : 0; k < plan_.outputs; ++k)
        std::copy_n(s.outputs[k], count, w.outputs + static_cast<std::int64_t>(k) * stride + begin);
    });
  }

  float* sample(Workspace& w, int e, std::int64_t t) const { return w.samples + (e * capacity_ + t) * plan_.row().stride(); }

  void collect(Agent& a, Workspace& w, int member, EpisodeTally& tally) {
    const bool episodes = config_.collect == Collect::episodes;
    const SampleRow row = plan_.row();
    const float* const value = w.outputs + static_cast<std::int64_t>(plan_.actions) * padded(config_.envs);
    CollectArgs c;
    c.state = a.environments.state.data();
    c.age = a.environments.age.data();
    c.samples = w.samples.data();
    c.capacity = capacity_;
    c.envs = config_.envs;
    c.episode_limit = static_cast<std::uint32_t>(training_episode_limit(config_));
    c.key = a.seed;
    c.epsilon = behaviour_epsilon(config_.exploration, a.taken);
    c.outputs = w.outputs.data();
    c.outputs_stride = padded(config_.envs);
    c.observation = w.observation.data();
    c.before = w.before.data();
    c.playing = episodes ? w.playing.data() : nullptr;
    c.done = w.done.data();
    c.truncated = w.truncated.data();
    for (int warp = 0; warp < warps_; ++warp) w.playing.data()[warp] = lanes_in_use(config_.envs, warp);
    const auto bit = [](const AlignedArray<std::uint32_t>& bits, int e) { return (bits.data()[e / kWarp] >> (e % kWarp) & 1u) != 0; };
    const auto next_value = [&](int e, std::int64_t t) -> float& { return sample(w, e, t)[row.next_value()]; };

    w.first.assign(1, 0);
    std::vector<std::int64_t>& length = w.lengths;
    length.assign(static_cast<std::size_t>(config_.envs), 0);
    std::int64_t t = 0;
    for (bool more = true; more; ++t) {
      forward(a, w.observation.data(), config_.envs, false, w, member);
      if (t > 0)
        for (int e = 0; e < config_.envs; ++e)
          if ((episodes && bit(w.playing, e)) || (!episodes && !bit(w.done, e))) next_value(e, t - 1) = value[e];
      c.t = t;
      c.step = a.step + static_cast<std::uint32_t>(t);
      for (int warp = 0; warp < warps_; ++warp) tally += ops_.collect(environment_.id, c, warp);
      if (config_.advantage.truncation == Truncation::bootstrap) bootstrap(a, w, t, member);
      more = episodes ? false : t + 1 < config_.horizon;
      for (int warp = 0; warp < warps_ && episodes; ++warp) {
        std::uint32_t& playing = w.playing.data()[warp];
        for (std::uint32_t ended = w.done.data()[warp]; ended != 0; ended &= ended - 1) {
          const int e = warp * kWarp + __builtin_ctz(ended);
          length[static_cast<std::size_t>(e)] = t + 1;
        }
        playing &= ~w.done.data()[warp];
        more = more || playing != 0;
      }
    }
    a.step += static_cast<std::uint32_t>(t);
    if (!episodes) {
      forward(a, w.observation.data(), config_.envs, true, w, member);
      for (int e = 0; e < config_.envs; ++e)
        if (!bit(w.done, e)) next_value(e, t - 1) = value[e];
      std::fill(length.begin(), length.end(), t);
    }
    w.rows.clear();
    for (int e = 0; e < config_.envs; ++e) {
      for (std::int64_t i = 0; i < length[static_cast<std::size_t>(e)]; ++i)
        w.rows.push_back(static_cast<std::uint32_t>(e * capacity_ + i));
      w.first.push_back(static_cast<std::int64_t>(w.rows.size()));
    }
  }
  /// V of what the limit has just cut.
  void bootstrap(const Agent& a, Workspace& w, std::int64_t t, int member) {
    const int stride = chunk_padded(plan_.observations);
    w.cut.clear();
    for (int warp = 0; warp < warps_; ++warp)
      for (std::uint32_t cut = w.truncated.data()[warp]; cut != 0; cut &= cut - 1) w.cut.push_back(warp * kWarp + __builtin_ctz(cut));
    if (w.cut.empty()) return;
    for (std::size_t i = 0; i < w.cut.size(); ++i)  // their observations side by side
      std::copy_n(w.before + static_cast<std::int64_t>(w.cut[i]) * stride, stride, w.before + static_cast<std::int64_t>(i) * stride);
    forward(a, w.before.data(), static_cast<int>(w.cut.size()), true, w, member);
    const float* const value = w.outputs + static_cast<std::int64_t>(plan_.actions) * padded(config_.envs);
    for (std::size_t i = 0; i < w.cut.size(); ++i) sample(w, w.cut[i], t)[plan_.row().next_value()] = value[i];
  }

  void advantages(Workspace& w) {
    RowAdvantageArgs r;
    r.row = plan_.row();
    r.estimator = config_.advantage.estimator;
    r.has_value = objective_.value;
    r.reward = static_cast<float>(environment_.reward);
    r.gamma = config_.advantage.gamma;
    r.gamma_lambda = config_.advantage.gamma * config_.advantage.lambda;
    r.nstep = config_.advantage.nstep;
    for (std::size_t e = 0; e + 1 < w.first.size(); ++e) {
      r.samples = sample(w, static_cast<int>(e), 0);
      r.count = w.first[e + 1] - w.first[e];
      row_advantages(r);
    }
    if (!config_.advantage.normalize || config_.advantage.normalize_over == NormalizeOver::minibatch) return;
    const auto normalise = [&](std::int64_t begin, std::int64_t end) {
      const std::uint32_t* const rows = w.rows.data() + begin;
      const Moments m = moments(w, rows, end - begin);
      for (std::int64_t i = 0; i < end - begin; ++i) {
        float& advantage = w.samples.data()[static_cast<std::int64_t>(rows[i]) * r.row.stride() + r.row.advantage()];
        advantage = (advantage - m.mean) * m.inverse_sd;
      }
    };
    if (config_.advantage.normalize_over == NormalizeOver::batch) return normalise(0, w.first.back());
    for (std::size_t e = 0; e + 1 < w.first.size(); ++e) normalise(w.first[e], w.first[e + 1]);
  }

  /// Of the advantages of `count` rows, summed in chunks.
  Moments moments(const Workspace& w, const std::uint32_t* rows, std::int64_t count) const {
    const SampleRow row = plan_.row();
    const auto sum = [&](auto add) {
      std::vector<float> partials(static_cast<std::size_t>(chunks_of(count)));
      for (std::int64_t i = 0; i < count; ++i) {
        float& partial = partials[static_cast<std::size_t>(i / kChunk)];
        partial = add(w.samples.data()[static_cast<std::int64_t>(rows[i]) * row.stride() + row.advantage()], partial);
      }
      ops_.tree(partials.data(), static_cast<std::int64_t>(partials.size()), 1, 1);
      return partials[0];
    };
    const float n = static_cast<float>(count), mean = sum([](float a, float s) { return s + a; }) / n;
    return finish_moments(mean, sum([mean](float a, float s) { return fma(a - mean, a - mean, s); }), n);
  }

  /// Epochs and minibatches. False, with the parameters of that moment, where a gradient is not finite.
  bool optimize(Agent& a, Workspace& w, int member) {
    const ObjectiveSettings& o = config_.objective;
    const auto n = static_cast<std::uint32_t>(w.rows.size()), part = n / static_cast<std::uint32_t>(config_.minibatches);
    const float left = o.clip_schedule == ClipSchedule::linear ? linear_schedule<float>({a.updates, a.taken}, schedule_end(config_)) : 1.0f;
    const Coefficients<float> coefficients{o.entropy_coef, o.value_coef, o.clip * left, o.value_clip * left};
    for (int epoch = 0; epoch < config_.epochs; ++epoch) {
      const std::uint32_t* order = w.rows.data();
      if (config_.minibatches > 1) {
        const Permutation p = make_permutation(n, static_cast<std::uint32_t>(a.updates), static_cast<std::uint32_t>(epoch), a.seed);
        w.order.resize(n);
        for (std::uint32_t i = 0; i < n; ++i) w.order[i] = w.rows[permuted(p, i)];
        order = w.order.data();
      }
      float kl = 0;
      for (int m = 0; m < config_.minibatches; ++m) {
        const float sum = gradient(a, w, order + static_cast<std::uint32_t>(m) * part, part, coefficients, member);
        if (!step(a, w)) return false;
        kl = sum / static_cast<float>(part);
      }
      if (o.target_kl > 0 && kl > o.target_kl) break;
    }
    return true;
  }

  /// Of one minibatch, into w.gradient; returns the sum of the estimates of KL.
  float gradient(const Agent& a, Workspace& w, const std::uint32_t* rows, std::uint32_t count, const Coefficients<float>& coefficients,
                 int member) {
    Moments m;
    if (config_.advantage.normalize && config_.advantage.normalize_over == NormalizeOver::minibatch) m = moments(w, rows, count);
    const int chunks = chunks_of(count);
    each_chunk(chunks, member, [&](int chunk, int thread) {
      ChunkMemory& memory = memory_[static_cast<std::size_t>(thread)];
      const std::uint32_t begin = static_cast<std::uint32_t>(chunk) * kChunk;
      ChunkGradientArgs g;
      g.plan = &plan_;
      g.weights = a.packed.data();
      g.samples = w.samples.data();
      g.index = rows + begin;
      g.count = static_cast<int>(std::min<std::uint32_t>(kChunk, count - begin));
      g.objective = rows_;
      g.coefficients = coefficients;
      g.mean = m.mean;
      g.inverse_sd = m.inverse_sd;
      g.scale = config_.objective.loss == LossSum::mean ? 1.0f / static_cast<float>(count) : 1.0f;
      g.observation = memory.observation.data();
      g.scratch = memory.scratch.data();
      g.partial = w.partials + static_cast<std::int64_t>(chunk) * plan_.partial;
      ops_.chunk_gradient(g);
    });
    ops_.tree(w.partials.data(), chunks, plan_.partial, plan_.partial);
    ops_.chunk_unpack(plan_, w.partials.data(), w.gradient.data());
    return w.partials.data()[plan_.kl];
  }

  bool step(Agent& a, Workspace& w) {
    OptimizerArgs o;
    o.settings = config_.optimizer;
    o.done = {a.updates, a.taken};
    o.total = schedule_end(config_);
    o.count = padded(plan_.parameters);
    o.gradient = w.gradient.data();
    o.parameters = a.parameters.data();
    o.first_moment = a.first_moment.data();
    o.second_moment = a.second_moment.data();
    o.state = &a.optimizer;
    o.value_network = config_.optimizer.value_learning_rate > 0 ? value_network_.data() : nullptr;
    if (!ops_.optimize(o)) return false;
    ops_.chunk_pack(plan_, a.parameters.data(), a.packed.data());
    return true;
  }

  void pack_evaluated(Agent& a) { network_.pack(a.parameters.data(), a.evaluated.data()); }
  void pack(Agent& a) {
    ops_.chunk_pack(plan_, a.parameters.data(), a.packed.data());
    pack_evaluated(a);
  }

  const Config config_;
  const EnvironmentInfo& environment_;
  const ObjectiveInfo& objective_;
  const ChunkPlan plan_;
  const PackedNetwork network_;
  const std::vector<std::uint32_t> value_network_;
  const CpuOps& ops_;
  const ObjectiveRows rows_;
  Team team_;
  Crew crew_{team_};
  const int warps_;
  const std::int64_t capacity_;
  std::vector<Agent> agents_;
  std::vector<Workspace> workspaces_;
  std::vector<ChunkMemory> memory_;
};

}  // namespace

std::unique_ptr<Engine> make_chunk_engine(const Config& config, int agents, int threads) {
  return std::make_unique<ChunkEngine>(config, agents, threads);
}
std::int64_t chunk_engine_bytes(const Config& config, int agents, int threads) { return ChunkEngine::bytes(config, agents, threads); }

}  // namespace cupg

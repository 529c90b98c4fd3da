// The CPU engine: the ops of one instruction set's copy, over the warps of an agent or over the agents of a population.
//
// Without advantage normalisation nothing is shared between the warps of an update before the reduction, so a thread takes a
// warp through rollout, advantage and gradient in one go and its trajectory stays in the cache. With it, all trajectories are
// kept, and the moments come in between.
#include <algorithm>
#include <atomic>
#include <utility>

#include "src/engine/chunk_engine.hpp"
#include "src/engine/chunk_plan.hpp"
#include "src/engine/cpu_evaluate.hpp"
#include "src/engine/cpu_ops.hpp"
#include "src/engine/engine.hpp"
#include "src/engine/isa.hpp"
#include "src/engine/network_plan.hpp"
#include "src/engine/schedule_end.hpp"
#include "src/engine/team.hpp"
#include "src/engine/warp_memory.hpp"

namespace cupg {
namespace {

/// Activations that a rollout keeps for its gradient, per row: those of one-layer trunks, where they come to at most
/// `most_bytes`; otherwise they are computed again. Measured on one AVX-512 core, 16 units: 126 -> 151 M env-steps/s while they
/// stay in the second-level cache, 124 -> 144 M in the third, but 80 -> 50 M once they go to memory.
int kept_units(const NetworkPlan& plan, std::int64_t warps, int horizon, std::int64_t most_bytes) {
  const bool one_layer = plan.policy.layers == 1 && (plan.shared || plan.value.layers == 1);
  const int units = plan.policy.width1 + plan.value.width1;
  return one_layer && warps * (horizon + 1) * units * kWarp * 4 <= most_bytes ? units : 0;
}
constexpr std::int64_t kKeepWarp = 512 << 10, kKeepAll = 8 << 20;

/// Everything that belongs to one agent.
struct Agent {
  std::uint64_t seed = 0;
  std::uint32_t step = 0;                                                 // steps that each environment has taken
  AlignedArray<float> parameters, first_moment, second_moment, gradient;  // [padded(parameters)]
  AlignedArray<float> packed;                                             // [padded(packed)]
  WarpMemory environments;
  AlignedArray<float> partials;  // [warps][padded(packed)]
  AlignedArray<float> moments;   // [warps]
  TrajectoryMemory trajectory;   // all rows, only with advantage normalisation
  OptimizerState optimizer;
};

/// Scratch of one thread.
struct Workspace {
  AlignedArray<float> gradient, hidden;
  TrajectoryMemory trajectory;  // one warp's rows
  EpisodeTally tally;
};

class CpuEngine final : public Engine {
 public:
  CpuEngine(const Config& config, int agents, int threads)
      : config_(config),
        environment_(find_environment(config.environment)),
        network_(config.network()),
        ops_(cpu_ops_for(config.isa)),
        team_(threads),
        warps_(warps_of(config.envs)),
        agents_(static_cast<std::size_t>(agents)),
        workspaces_(static_cast<std::size_t>(threads)) {
    const NetworkPlan& plan = network_.plan();
    for (Agent& a : agents_) {
      const int n = padded(plan.parameters);
      a.parameters = AlignedArray<float>(n);
      a.first_moment = AlignedArray<float>(n);
      a.second_moment = AlignedArray<float>(n);
      a.gradient = AlignedArray<float>(n);
      a.packed = AlignedArray<float>(padded(plan.packed));
      a.environments = WarpMemory(environment_.id, warps_);
      a.partials = AlignedArray<float>(static_cast<std::int64_t>(warps_) * padded(plan.packed));
      a.moments = AlignedArray<float>(warps_);
      if (config.advantage.normalize)
        a.trajectory = TrajectoryMemory(warps_, config.horizon, environment_.observations, plan.policy_outputs,
                                        kept_units(plan, warps_, config.horizon, kKeepAll));
    }
    for (Workspace& w : workspaces_) {
      w.gradient = AlignedArray<float>(gradient_workspace(plan));
      w.hidden = AlignedArray<float>(kEvaluateScratch);
      if (!config.advantage.normalize)
        w.trajectory = TrajectoryMemory(1, config.horizon, environment_.observations, plan.policy_outputs,
                                        kept_units(plan, 1, config.horizon, kKeepWarp));
    }
  }

  void reset(int agent, std::uint64_t seed) override {
    Agent& a = at(agent);
    a.seed = seed;
    a.step = 0;
    a.optimizer = {};
    std::fill_n(a.first_moment.data(), a.first_moment.size(), 0.0f);
    std::fill_n(a.second_moment.data(), a.second_moment.size(), first_second_moment(config_.optimizer));
    initialise_parameters(config_.network(), config_.init, seed,
                          {a.parameters.data(), static_cast<std::size_t>(network_.plan().parameters)});
    network_.pack(a.parameters.data(), a.packed.data());
    for (int w = 0; w < warps_; ++w) ops_.reset(environment_.id, a.environments.state.data(), a.environments.age.data(), seed, w);
  }

  void update(std::span<const int> agents, std::int64_t updates, std::span<UpdateReport> reports) override {
    for (UpdateReport& r : reports) r = {};
    if (updates <= 0) return;
    update_agents(agents, updates, reports);
    for (std::size_t i = 0; i < agents.size(); ++i) {
      reports[i].env_steps = reports[i].updates * config_.batch();
      reports[i].parameters_finite = all_finite(parameters(agents[i]));
    }
  }

  Evaluation evaluate(int agent, const EvaluationRequest& request) override {
    const Agent& a = at(agent);
    std::vector<float*> scratch;
    for (Workspace& w : workspaces_) scratch.push_back(w.hidden.data());
    return evaluate_packed(ops_, team_, environment_, network_.plan(), a.packed.data(), a.seed, request, scratch);
  }

  std::span<const float> parameters(int agent) const override {
    return {agents_[static_cast<std::size_t>(agent)].parameters.data(), static_cast<std::size_t>(network_.plan().parameters)};
  }
  void set_parameters(int agent, std::span<const float> parameters) override {
    Agent& a = at(agent);
    std::copy(parameters.begin(), parameters.end(), a.parameters.data());
    network_.pack(a.parameters.data(), a.packed.data());
  }
  std::string device() const override { return "cpu"; }
  std::string isa() const override { return isa_name(ops_); }
  int threads() const override { return team_.size(); }

 private:
  Agent& at(int agent) { return agents_[static_cast<std::size_t>(agent)]; }

  void update_agents(std::span<const int> agents, std::int64_t updates, std::span<UpdateReport> reports) {
    if (agents.size() == 1) {
      const int members = std::min(team_.size(), warps_);
      if (members == 1) {
        update_alone(at(agents[0]), updates, reports[0], workspaces_[0]);
      } else {
        update_together(at(agents[0]), updates, reports[0], members);
      }
      return;
    }
    std::atomic<std::size_t> next{0};
    team_.run([&](int member) {
      for (std::size_t i = next++; i < agents.size(); i = next++)
        update_alone(at(agents[i]), updates, reports[i], workspaces_[static_cast<std::size_t>(member)]);
    });
  }

  RolloutArgs rollout_args(Agent& a, Trajectory out, int row_warp) const {
    RolloutArgs r;
    r.plan = &network_.plan();
    r.weights = a.packed.data();
    r.state = a.environments.state.data();
    r.age = a.environments.age.data();
    r.out = out;
    r.row_warp = row_warp;
    r.envs = config_.envs;
    r.horizon = config_.horizon;
    r.episode_limit = lane_episode_limit(config_);
    r.bootstrap = config_.advantage.truncation == Truncation::bootstrap;
    r.key = a.seed;
    r.step = a.step;
    return r;
  }
  AdvantageArgs advantage_args(Trajectory data) const {
    AdvantageArgs g;
    g.data = data;
    g.constant_reward = static_cast<float>(environment_.max_reward);
    g.gamma = config_.advantage.gamma;
    g.gamma_lambda = config_.advantage.gamma * config_.advantage.lambda;
    g.nstep = config_.advantage.estimator == Estimator::nstep ? config_.advantage.nstep : 0;
    g.horizon = config_.horizon;
    return g;
  }
  GradientArgs gradient_args(Agent& a, Trajectory data, int row_warp, Workspace& workspace, Moments moments) const {
    GradientArgs g;
    g.plan = &network_.plan();
    g.weights = a.packed.data();
    g.data = data;
    g.row_warp = row_warp;
    g.envs = config_.envs;
    g.horizon = config_.horizon;
    g.mean = moments.mean;
    g.inverse_sd = moments.inverse_sd;
    g.scale = gradient_scale(config_, config_.batch());
    g.coefficients = {.entropy = config_.objective.entropy_coef, .value = config_.objective.value_coef};
    g.partials = a.partials.data();
    g.workspace = workspace.gradient.data();
    return g;
  }

  /// One warp through rollout, advantage and gradient while its rows are in the cache.
  void warp_update(Agent& a, int warp, Workspace& workspace) {
    leave_if_stopped();
    const Trajectory rows = workspace.trajectory.view();
    workspace.tally += ops_.rollout(environment_.id, rollout_args(a, rows, warp), warp, workspace.hidden.data());
    ops_.advantage(advantage_args(rows), 0);
    ops_.gradient(environment_.id, gradient_args(a, rows, warp, workspace, {}), warp);
  }
  void warp_collect(Agent& a, int warp, Workspace& workspace) {
    leave_if_stopped();
    const Trajectory rows = a.trajectory.view();
    workspace.tally += ops_.rollout(environment_.id, rollout_args(a, rows, 0), warp, workspace.hidden.data());
    ops_.advantage(advantage_args(rows), static_cast<std::int64_t>(warp) * config_.horizon);
    warp_moment(a, warp, 0.0f, false);
  }
  void warp_moment(Agent& a, int warp, float center, bool square) {
    const float* const advantage = a.trajectory.advantage + static_cast<std::int64_t>(warp) * config_.horizon * kWarp;
    a.moments.data()[warp] = ops_.warp_moment(advantage, config_.horizon, lanes_in_use(config_.envs, warp), center, square);
  }
  void warp_gradient(Agent& a, int warp, Workspace& workspace, Moments moments) {
    leave_if_stopped();
    ops_.gradient(environment_.id, gradient_args(a, a.trajectory.view(), 0, workspace, moments), warp);
  }
  float sum_moments(Agent& a) {
    ops_.tree(a.moments.data(), warps_, 1, 1);
    return a.moments.data()[0];
  }

  /// Partials -> gradient -> step. False where the gradient is not finite.
  bool finish_update(Agent& a) {
    const NetworkPlan& plan = network_.plan();
    ops_.tree(a.partials.data(), warps_, padded(plan.packed), padded(plan.packed));
    network_.unpack_gradient(a.partials.data(), a.gradient.data());
    OptimizerArgs o;
    o.settings = config_.optimizer;
    o.total = schedule_end(config_);
    o.count = padded(plan.parameters);
    o.gradient = a.gradient.data();
    o.parameters = a.parameters.data();
    o.first_moment = a.first_moment.data();
    o.second_moment = a.second_moment.data();
    o.state = &a.optimizer;
    if (!ops_.optimize(o)) return false;
    network_.pack(a.parameters.data(), a.packed.data());
    a.step += static_cast<std::uint32_t>(config_.horizon);
    return true;
  }

  /// The parameters change at an update's end alone, so one that is given up leaves them as they were.
  void update_alone(Agent& a, std::int64_t updates, UpdateReport& report, Workspace& workspace) {
    try {
      while (report.updates < updates && report.finite) {
        workspace.tally = {};
        if (config_.advantage.normalize) {
          for (int w = 0; w < warps_; ++w) warp_collect(a, w, workspace);
          const float mean = sum_moments(a) / static_cast<float>(config_.batch());
          for (int w = 0; w < warps_; ++w) warp_moment(a, w, mean, true);
          const Moments moments = finish_moments(mean, sum_moments(a), static_cast<float>(config_.batch()));
          for (int w = warps_ - 1; w >= 0; --w) warp_gradient(a, w, workspace, moments);  // the last rows are still in the cache
        } else {
          for (int w = 0; w < warps_; ++w) warp_update(a, w, workspace);
        }
        report.finite = finish_update(a);
        report.updates += report.finite;
        report.episodes += workspace.tally;
      }
    } catch (const Stopped&) {
    }
  }

  /// The same with the warps shared out to `members` threads in contiguous runs.
  void update_together(Agent& a, std::int64_t updates, UpdateReport& report, int members) {
    Moments moments;
    float mean = 0;
    for (Workspace& w : workspaces_) w.tally = {};
    const auto work = [&](int member) {
      Workspace& workspace = workspaces_[static_cast<std::size_t>(member)];
      const auto my_warps = [&](auto f) {
        const int begin = static_cast<int>(static_cast<std::int64_t>(warps_) * member / members);
        const int end = static_cast<int>(static_cast<std::int64_t>(warps_) * (member + 1) / members);
        if (member < members)
          for (int w = begin; w < end; ++w) f(w);
        team_.barrier();
      };
      const auto leader = [&](auto f) {
        if (member == 0) f();
        team_.barrier();
      };
      for (;;) {
        if (config_.advantage.normalize) {
          my_warps([&](int w) { warp_collect(a, w, workspace); });
          leader([&] { mean = sum_moments(a) / static_cast<float>(config_.batch()); });
          my_warps([&](int w) { warp_moment(a, w, mean, true); });
          leader([&] { moments = finish_moments(mean, sum_moments(a), static_cast<float>(config_.batch())); });
          my_warps([&](int w) { warp_gradient(a, w, workspace, moments); });
        } else {
          my_warps([&](int w) { warp_update(a, w, workspace); });
        }
        leader([&] {
          report.finite = finish_update(a);
          report.updates += report.finite;
          for (Workspace& w : workspaces_) report.episodes += std::exchange(w.tally, {});
        });
        if (report.updates == updates || !report.finite) break;
        team_.barrier();  // nobody may start the next update before all have read the report
      }
    };
    try {
      team_.run(work);
    } catch (const Stopped&) {
    }
  }

  const Config config_;
  const EnvironmentInfo& environment_;
  const PackedNetwork network_;
  const CpuOps& ops_;
  Team team_;
  const int warps_;
  std::vector<Agent> agents_;
  std::vector<Workspace> workspaces_;
};

}  // namespace

std::unique_ptr<Engine> make_cpu_engine(const Config& config, int agents, int threads) {
  if (chunked(config)) return make_chunk_engine(config, agents, threads);
  return std::make_unique<CpuEngine>(config, agents, threads);
}

std::int64_t engine_bytes(const Config& config, int agents, int threads) {
  if (chunked(config)) return chunk_engine_bytes(config, agents, threads);
  const EnvironmentInfo& environment = find_environment(config.environment);
  const PackedNetwork network(config.network());
  const NetworkPlan& plan = network.plan();
  const std::int64_t warps = warps_of(config.envs);
  const bool all = config.advantage.normalize;
  std::int64_t agent = 4 * padded(plan.parameters) + padded(plan.packed) + warps * (padded(plan.packed) + 1);
  agent = 4 * agent + WarpMemory::bytes(environment.id, warps);
  if (all)
    agent += TrajectoryMemory::bytes(warps, config.horizon, environment.observations, plan.policy_outputs,
                                     kept_units(plan, warps, config.horizon, kKeepAll));
  std::int64_t thread = 4 * (gradient_workspace(plan) + kEvaluateScratch);
  if (!all)
    thread += TrajectoryMemory::bytes(1, config.horizon, environment.observations, plan.policy_outputs,
                                      kept_units(plan, 1, config.horizon, kKeepWarp));
  return agents * agent + threads * thread;
}

}  // namespace cupg

// The engine of wide and deep networks: the same update as everywhere, with the network (DenseNetwork) taken out of the ops of a
// warp and evaluated for all environments at once.
//
//   rollout:   for t = 0 .. T:  (d, V) of s_t for N samples, then a step of every warp; where the time limit cut an episode, V of
//              the observation before the reset
//   then the ops of the CPU engine: advantages, moments, loss; then backward in slabs; then its optimizer
//
// Sample (t, e) is row t N + e of the observations and of the kept activations; one number a sample lies in the rows of 32 lanes of
// a Trajectory, as for the other engines, so that their ops serve here too.
#include "src/engine/gemm_engine.hpp"

#include <algorithm>
#include <bit>

#include "src/engine/chunk_plan.hpp"
#include "src/engine/cpu_matrix_backend.hpp"
#include "src/engine/dense_network.hpp"
#include "src/engine/isa.hpp"
#include "src/engine/schedule_end.hpp"
#include "src/engine/warp_memory.hpp"

namespace cupg {
namespace {

/// Everything that belongs to one agent.
struct Agent {
  std::uint64_t seed = 0;
  std::uint32_t step = 0;                                       // steps that each environment has taken
  AlignedArray<float> parameters, first_moment, second_moment;  // [padded(parameters)]
  WarpMemory environments;
  OptimizerState optimizer;
};

class GemmEngine final : public Engine {
 public:
  GemmEngine(const Config& config, int agents, int threads, const GemmPlan& plan)
      : config_(config),
        environment_(find_environment(config.environment)),
        shape_(config.network()),
        team_(threads),
        plugin_(openblas_for(threads)),
        ops_(cpu_ops_for(config.isa)),
        backend_(plugin_, ops_, team_),
        plan_(plan),
        network_(shape_, backend_, plan_.rows(config.batch()), plan_.slab),
        count_(parameter_count(shape_)),
        warps_(warps_of(config.envs)),
        observations_(environment_.observations),
        outputs_(network_.outputs()),
        gradient_(padded(count_)),
        observation_((static_cast<std::int64_t>(config.horizon) + 1) * config.envs * observations_),
        before_(static_cast<std::int64_t>(config.envs) * observations_),
        output_(std::max<std::int64_t>(config.envs, plan_.slab) * outputs_),
        trajectory_(warps_, config.horizon, 0, 1, 0),
        truncated_(warps_),
        moments_(warps_),
        agents_(static_cast<std::size_t>(agents)) {
    for (Agent& a : agents_) {
      a.parameters = AlignedArray<float>(padded(count_));
      a.first_moment = AlignedArray<float>(padded(count_));
      a.second_moment = AlignedArray<float>(padded(count_));
      a.environments = WarpMemory(environment_.id, warps_);
    }
  }

  void reset(int agent, std::uint64_t seed) override {
    Agent& a = at(agent);
    a.seed = seed;
    a.step = 0;
    a.optimizer = {};
    std::fill_n(a.first_moment.data(), a.first_moment.size(), 0.0f);
    std::fill_n(a.second_moment.data(), a.second_moment.size(), first_second_moment(config_.optimizer));
    initialise_parameters(shape_, config_.init, seed, {a.parameters.data(), static_cast<std::size_t>(count_)});
    for (int w = 0; w < warps_; ++w) ops_.reset(environment_.id, a.environments.state.data(), a.environments.age.data(), seed, w);
  }

  void update(std::span<const int> agents, std::int64_t updates, std::span<UpdateReport> reports) override {
    plugin_.set_threads(team_.size());
    for (std::size_t i = 0; i < agents.size(); ++i) {
      UpdateReport& report = reports[i] = {};
      try {
        while (report.updates < updates && report.finite) {
          EpisodeTally tally;
          report.finite = update(at(agents[i]), tally);
          report.updates += report.finite;
          report.episodes += tally;
        }
      } catch (const Stopped&) {  // before the optimizer, so the parameters are as they were
      }
      report.env_steps = report.updates * config_.batch();
      report.parameters_finite = all_finite(parameters(agents[i]));
    }
  }

  Evaluation evaluate(int agent, const EvaluationRequest& request) override;

  std::span<const float> parameters(int agent) const override {
    return {agents_[static_cast<std::size_t>(agent)].parameters.data(), static_cast<std::size_t>(count_)};
  }
  void set_parameters(int agent, std::span<const float> parameters) override {
    std::copy(parameters.begin(), parameters.end(), at(agent).parameters.data());
  }
  std::string device() const override { return "cpu"; }
  std::string isa() const override { return isa_name(ops_); }
  std::string math() const override { return "gemm"; }
  int threads() const override { return team_.size(); }

 private:
  Agent& at(int agent) { return agents_[static_cast<std::size_t>(agent)]; }

  /// One update; false, with parameters untouched, where the gradient is not finite.
  bool update(Agent& a, EpisodeTally& tally) {
    network_.load(a.parameters.data());
    rollout(a, tally);
    advantages();
    loss(moments());
    gradient();
    return optimize(a);
  }

  void rollout(Agent& a, EpisodeTally& tally) {
    for (int w = 0; w < warps_; ++w) ops_.observe(environment_.id, a.environments.state.data(), w, config_.envs, observation_.data());
    for (int t = 0; t <= config_.horizon; ++t) {
      const bool last = t == config_.horizon;  // V(s_T) alone
      forward(observed(t), config_.envs, last || !plan_.keep ? -1 : row(t), last ? DenseNetwork::Part::value : DenseNetwork::Part::all);
      if (t > 0) store_next_values(t - 1);
      if (last) break;
      store_outputs(t);
      step(a, t, tally);
    }
  }

  /// output_ [n][K] of n samples. row: where the activations are kept; < 0: nowhere.
  void forward(const float* observation, int n, std::int64_t row, DenseNetwork::Part part) {
    for (std::int64_t begin = 0; begin < n; begin += plan_.slab) {
      leave_if_stopped();
      const int count = static_cast<int>(std::min<std::int64_t>(plan_.slab, n - begin));
      network_.forward(observation + begin * observations_, row < 0 ? 0 : row + begin, count, output_ + begin * outputs_, part);
    }
  }

  void store_outputs(int t) {
    each_sample(t, [&](std::int64_t e, std::int64_t at) {
      trajectory_.policy.data()[at] = output_.data()[e * outputs_];
      trajectory_.value.data()[at] = output_.data()[(e + 1) * outputs_ - 1];
    });
  }
  /// V(s_{t+1}) from the outputs at t + 1, where the episode went on.
  void store_next_values(int t) {
    each_sample(t, [&](std::int64_t e, std::int64_t at) {
      if ((trajectory_.done.data()[at / kWarp] >> (at % kWarp) & 1u) == 0)
        trajectory_.advantage.data()[at] = output_.data()[(e + 1) * outputs_ - 1];
    });
  }

  void step(Agent& a, int t, EpisodeTally& tally) {
    StepArgs s;
    s.state = a.environments.state.data();
    s.age = a.environments.age.data();
    s.out = trajectory_.view();
    s.t = t;
    s.horizon = config_.horizon;
    s.envs = config_.envs;
    s.episode_limit = lane_episode_limit(config_);
    s.key = a.seed;
    s.step = a.step + static_cast<std::uint32_t>(t);
    s.observation = observed(t + 1);
    s.before = before_.data();
    s.truncated = truncated_.data();
    for (int w = 0; w < warps_; ++w) tally += ops_.step(environment_.id, s, w);

    // V(s_{t+1}) where the episode ended: 0, or the value of what the time limit cut; idle lanes hold 0 as well
    for (int w = 0; w < warps_; ++w) std::fill_n(trajectory_.advantage + trajectory_at(t, w * kWarp), kWarp, 0.0f);
    cut_.clear();
    each_sample(t, [&](std::int64_t e, std::int64_t) {
      if ((truncated_.data()[e / kWarp] >> (e % kWarp) & 1u) != 0) cut_.push_back(static_cast<int>(e));
    });
    if (cut_.empty() || config_.advantage.truncation == Truncation::terminal) return;
    for (std::size_t i = 0; i < cut_.size(); ++i)  // their observations side by side
      std::copy_n(before_ + static_cast<std::int64_t>(cut_[i]) * observations_, observations_,
                  before_ + static_cast<std::int64_t>(i) * observations_);
    forward(before_.data(), static_cast<int>(cut_.size()), -1, DenseNetwork::Part::value);
    for (std::size_t i = 0; i < cut_.size(); ++i)
      trajectory_.advantage.data()[trajectory_at(t, cut_[i])] = output_.data()[(static_cast<std::int64_t>(i) + 1) * outputs_ - 1];
  }

  void advantages() {
    AdvantageArgs v;
    v.data = trajectory_.view();
    v.constant_reward = static_cast<float>(environment_.reward);
    v.gamma = config_.advantage.gamma;
    v.gamma_lambda = config_.advantage.gamma * config_.advantage.lambda;
    v.nstep = config_.advantage.estimator == Estimator::nstep ? config_.advantage.nstep : 0;
    v.horizon = config_.horizon;
    for (int w = 0; w < warps_; ++w) ops_.advantage(v, static_cast<std::int64_t>(w) * config_.horizon);
  }

  Moments moments() {
    if (!config_.advantage.normalize) return {};
    const float batch = static_cast<float>(config_.batch());
    const auto sum = [&](float center, bool square) {
      for (int w = 0; w < warps_; ++w)
        moments_.data()[w] = ops_.warp_moment(trajectory_.advantage + static_cast<std::int64_t>(w) * config_.horizon * kWarp,
                                              config_.horizon, lanes_in_use(config_.envs, w), center, square);
      ops_.tree(moments_.data(), warps_, 1, 1);
      return moments_.data()[0];
    };
    const float mean = sum(0, false) / batch;
    return finish_moments(mean, sum(mean, true), batch);
  }

  /// dJ/d(output) over the outputs.
  void loss(const Moments& moments) {
    GradientArgs g;
    g.data = trajectory_.view();
    g.envs = config_.envs;
    g.horizon = config_.horizon;
    g.mean = moments.mean;
    g.inverse_sd = moments.inverse_sd;
    g.scale = gradient_scale(config_);
    g.coefficients = {.entropy = config_.objective.entropy_coef, .value = config_.objective.value_coef};
    for (int w = 0; w < warps_; ++w) ops_.loss(g, w);
  }

  /// The batch in slabs of consecutive rows t N + e.
  void gradient() {
    network_.begin_gradient();
    for (std::int64_t begin = 0; begin < config_.batch(); begin += plan_.slab) {
      leave_if_stopped();
      const int n = static_cast<int>(std::min(plan_.slab, config_.batch() - begin));
      const float* const x = observation_ + begin * observations_;
      const std::int64_t first = plan_.keep ? row(0) + begin : 0;
      if (!plan_.keep) network_.forward(x, first, n, output_.data());
      for (int i = 0; i < n; ++i) {
        const std::int64_t at = trajectory_at(static_cast<int>((begin + i) / config_.envs), static_cast<int>((begin + i) % config_.envs));
        output_.data()[static_cast<std::int64_t>(i) * outputs_] = trajectory_.policy.data()[at];
        output_.data()[(static_cast<std::int64_t>(i) + 1) * outputs_ - 1] = trajectory_.value.data()[at];
      }
      network_.backward(x, first, n, output_.data(), gradient_.data());
    }
    network_.end_gradient(gradient_.data());
  }

  bool optimize(Agent& a) {
    OptimizerArgs o;
    o.settings = config_.optimizer;
    o.total = schedule_end(config_);
    o.count = padded(count_);
    o.gradient = gradient_.data();
    o.parameters = a.parameters.data();
    o.first_moment = a.first_moment.data();
    o.second_moment = a.second_moment.data();
    o.state = &a.optimizer;
    if (!ops_.optimize(o)) return false;
    a.step += static_cast<std::uint32_t>(config_.horizon);
    return true;
  }

  float* observed(int t) { return observation_ + static_cast<std::int64_t>(t) * config_.envs * observations_; }
  /// Of the kept activations; the first slab of rows is scratch.
  std::int64_t row(int t) const { return plan_.slab + static_cast<std::int64_t>(t) * config_.envs; }
  /// Of sample (t, e) in the trajectory's arrays of [rows][32].
  std::int64_t trajectory_at(int t, int e) const {
    return (static_cast<std::int64_t>(e / kWarp) * config_.horizon + t) * kWarp + e % kWarp;
  }
  /// f(e, position in the trajectory) for every environment.
  template <class F>
  void each_sample(int t, F f) {
    for (int e = 0; e < config_.envs; ++e) f(e, trajectory_at(t, e));
  }

  const Config config_;
  const EnvironmentInfo& environment_;
  const NetworkShape shape_;
  Team team_;
  const CupgGemmPlugin& plugin_;
  const CpuOps& ops_;
  CpuMatrixBackend backend_;
  const GemmPlan plan_;
  DenseNetwork network_;
  const int count_;  // parameters
  const int warps_, observations_, outputs_;
  AlignedArray<float> gradient_;
  AlignedArray<float> observation_;  // [T + 1][N][O]
  AlignedArray<float> before_;       // [N][O] observations before a reset
  AlignedArray<float> output_;       // [N or a slab][K]
  TrajectoryMemory trajectory_;      // without observations: the network's are in observation_
  AlignedArray<std::uint32_t> truncated_;
  AlignedArray<float> moments_;  // [warps]
  std::vector<int> cut_;         // environments that the time limit cut in this step
  std::vector<Agent> agents_;
};

/// Episodes side by side, a step at a time; only those that still run are evaluated.
Evaluation GemmEngine::evaluate(int agent, const EvaluationRequest& request) {
  plugin_.set_threads(team_.size());
  const Agent& a = at(agent);
  network_.load(a.parameters.data());
  const int warps = warps_of(request.episodes);
  WarpMemory memory(environment_.id, warps);
  AlignedArray<float> observation(static_cast<std::int64_t>(request.episodes) * observations_);
  AlignedArray<float> output(static_cast<std::int64_t>(request.episodes) * outputs_);
  AlignedArray<float> policy(static_cast<std::int64_t>(warps) * kWarp);
  std::vector<float> returns(static_cast<std::size_t>(request.episodes));
  std::vector<int> playing(returns.size());
  for (std::size_t i = 0; i < playing.size(); ++i) playing[i] = static_cast<int>(i);
  for (int w = 0; w < warps; ++w) ops_.play_reset(environment_.id, memory.state.data(), request.block, a.seed, w);

  PlayStepArgs play;
  play.state = memory.state.data();
  play.policy = policy.data();
  play.greedy = request.greedy;
  play.key = a.seed;
  play.block = request.block;
  const double allowed = request.episodes * (environment_.max_return - request.stop_below);
  double deficit = 0;
  for (; !playing.empty() && deficit <= allowed && !stopped(); ++play.t) {
    for (int w = 0; w < warps; ++w) ops_.observe(environment_.id, memory.state.data(), w, request.episodes, observation.data());
    for (std::size_t i = 0; i < playing.size(); ++i)  // those that play, side by side: they are in order, so none is overwritten too soon
      std::copy_n(observation + static_cast<std::int64_t>(playing[i]) * observations_, observations_,
                  observation + static_cast<std::int64_t>(i) * observations_);
    const int n = static_cast<int>(playing.size());
    for (std::int64_t begin = 0; begin < n; begin += plan_.slab)
      network_.forward(observation + begin * observations_, 0, static_cast<int>(std::min<std::int64_t>(plan_.slab, n - begin)),
                       output + begin * outputs_, DenseNetwork::Part::policy);
    for (std::size_t i = 0; i < playing.size(); ++i) policy.data()[playing[i]] = output.data()[static_cast<std::int64_t>(i) * outputs_];

    std::vector<std::uint32_t> ended(static_cast<std::size_t>(warps));
    for (int w = 0; w < warps; ++w) ended[static_cast<std::size_t>(w)] = ops_.play_step(environment_.id, play, w);
    const bool limit = play.t + 1 == environment_.max_episode_steps;
    std::erase_if(playing, [&](int e) {
      if (!limit && (ended[static_cast<std::size_t>(e / kWarp)] >> (e % kWarp) & 1u) == 0) return false;
      const double reached = environment_.reward * (play.t + 1);
      returns[static_cast<std::size_t>(e)] = static_cast<float>(reached);
      deficit += environment_.max_return - reached;
      return true;
    });
  }
  return summarise_evaluation(std::move(returns), request, playing.empty());
}

}  // namespace

GemmPlan plan_gemm(const Config& config) {
  const NetworkShape shape = config.network();
  const std::int64_t activations = DenseNetwork::activation_floats(shape);
  constexpr std::int64_t kSlabFloats = 4 << 20, kKeepFloats = 64 << 20;
  GemmPlan plan;
  plan.slab = std::clamp<std::int64_t>(kSlabFloats / std::max<std::int64_t>(1, activations), 256, 2048);
  plan.slab = std::min(plan.slab, std::max<std::int64_t>(256, config.batch()));
  plan.keep = (config.batch() + plan.slab) * activations <= kKeepFloats;
  return plan;
}

std::unique_ptr<Engine> make_gemm_engine(const Config& config, int agents, int threads) {
  return make_gemm_engine(config, agents, threads, plan_gemm(config));
}
std::unique_ptr<Engine> make_gemm_engine(const Config& config, int agents, int threads, const GemmPlan& plan) {
  return std::make_unique<GemmEngine>(config, agents, threads, plan);
}

std::int64_t gemm_engine_bytes(const Config& config, int agents, int threads) {
  const EnvironmentInfo& environment = find_environment(config.environment);
  const NetworkShape shape = config.network();
  const GemmPlan plan = plan_gemm(config);
  const std::int64_t parameters = padded(parameter_count(shape)), warps = warps_of(config.envs),
                     outputs = policy_outputs(shape.actions) + 1;
  const std::int64_t agent = 4 * 3 * parameters + WarpMemory::bytes(environment.id, warps);
  const std::int64_t network =
      plan.rows(config.batch()) * DenseNetwork::activation_floats(shape) + plan.slab * DenseNetwork::error_floats(shape);
  const std::int64_t samples = (config.horizon + 2) * static_cast<std::int64_t>(config.envs) * environment.observations +
                               std::max<std::int64_t>(config.envs, plan.slab) * outputs;
  std::int64_t initialise = 0;
  if (config.init.kind == Initialisation::orthogonal)
    for (const TensorInfo& t : parameter_layout(shape)) initialise = std::max(initialise, initialise_scratch(t.rows, t.columns));
  constexpr std::int64_t kLibrary = 32 << 20;  // OpenBLAS's own buffer of a thread
  return agents * agent + 4 * (parameters + network + samples + initialise) + TrajectoryMemory::bytes(warps, config.horizon, 0, 1, 0) +
         threads * kLibrary;
}

}  // namespace cupg

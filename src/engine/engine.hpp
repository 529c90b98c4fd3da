// Engine: the ops in order, for a population of agents, on one device. Prints nothing, touches no files.
#pragma once
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cupg/config.hpp"
#include "cupg/environment.hpp"
#include "cupg/metrics.hpp"
#include "cupg/trainer.hpp"
#include "kernels/agent/snapshot.hpp"
#include "kernels/agent/watch.hpp"
#include "kernels/trajectory.hpp"

namespace cupg {

/// What k updates of one agent did.
struct UpdateReport {
  EpisodeTally episodes;
  std::int64_t updates = 0;       ///< updates made; fewer than asked for where the agent diverged
  std::int64_t env_steps = 0;     ///< environment steps that they took
  bool finite = true;             ///< false: a gradient was NaN or infinite; the agent stands before that update
  bool parameters_finite = true;  ///< false: a parameter is NaN or infinite
  Metrics metrics;                ///< of the last update, where they were asked for
};

/// What one of several agents did up to one of its looks.
struct AgentReport {
  int agent = 0;
  UpdateReport report;
  bool failed = false;  ///< it was checked there, and the check failed
};

struct EvaluationRequest {
  int episodes = 100;
  bool greedy = true;
  std::uint32_t block = 0;  ///< numbers the evaluations of an agent: each has fresh episodes
  /// Stop as soon as the mean can no longer reach this.
  double stop_below = -std::numeric_limits<double>::infinity();
  bool quantiles = false;  ///< of the returns, too
};

class Engine {
 public:
  virtual ~Engine() = default;
  /// Draws the agent's parameters and environments from its seed and forgets everything else of it. `number` is that of the run's agent
  /// whose hyperparameters it has, where agents have their own (Config::agents).
  virtual void reset(int agent, std::uint64_t seed, int number = 0) = 0;
  /// `updates` updates of each of `agents`, or, of an agent that is told to stop before, none; reports[i] belongs to agents[i].
  virtual void update(std::span<const int> agents, std::int64_t updates, std::span<UpdateReport> reports) = 0;
  /// Trains agents until somebody must look at them (watches[i] is agents[i]'s), or for as long as suits the engine, but up to a look at
  /// least. Until end_training() nothing may be done with these agents; others can be evaluated meanwhile.
  virtual void begin_training(std::span<const int> agents, std::span<const Watch> watches);
  /// A report for every look, those of an agent in order: the engine's until the next call.
  virtual std::span<const AgentReport> end_training();
  /// Plays with the agent's present parameters; changes nothing of the agent.
  virtual Evaluation evaluate(int agent, const EvaluationRequest& request) = 0;
  /// The same for several agents at once; requests[i] belongs to agents[i].
  virtual std::vector<Evaluation> evaluate_all(std::span<const int> agents, std::span<const EvaluationRequest> requests);
  /// [parameter_count], in layout order.
  virtual std::span<const float> parameters(int agent) const = 0;
  virtual void set_parameters(int agent, std::span<const float> parameters) = 0;
  /// All that agents keep between updates, the same on every engine; snapshots[i] belongs to agents[i].
  virtual void save(std::span<const int> agents, std::span<Snapshot> snapshots) = 0;
  /// Agents go on from there; numbers[i] as of reset(). The snapshots have the sizes of kept_sizes().
  virtual void load(std::span<const int> agents, std::span<const Snapshot> snapshots, std::span<const int> numbers) = 0;

  /// The calling thread, which trains nobody any more, helps with the updates of the engine's only agent until over(). False, at once,
  /// where there is nothing that it could do.
  virtual bool help(const std::function<bool()>& over) {
    (void)over;
    return false;
  }

  virtual std::string device() const = 0;
  virtual std::string isa() const = 0;
  /// "exact" where the bits are promised; "gemm" where a library multiplies matrices in its own order, "gemm, tf32" where it
  /// may round their elements to 10 bits of mantissa before.
  virtual std::string math() const { return "exact"; }
  virtual int threads() const = 0;

  /// `stop` is looked at between the parts of an update and of a long evaluation, by any of the engine's threads; once true, it stays so.
  /// The agent stands then as it did before update(), and may go on. An evaluation is incomplete.
  void stop_when(std::function<bool()> stop) { stop_ = std::move(stop); }

 protected:
  /// update(), and the metrics of each agent's last update, for this class's end_training().
  virtual void update_measured(std::span<const int> agents, std::int64_t updates, std::span<UpdateReport> reports) {
    update(agents, updates, reports);
  }

  struct Stopped {};
  bool can_stop() const { return stop_ != nullptr; }
  bool stopped() const { return stop_ && stop_(); }
  void leave_if_stopped() const {
    if (stopped()) throw Stopped();
  }

  struct Trained {
    int agent = 0;
    Watch watch;
  };
  std::vector<Trained> training_;  ///< since begin_training
  std::vector<AgentReport> reports_;

 private:
  std::vector<int> together_;
  std::vector<UpdateReport> together_reports_;
  std::function<bool()> stop_;
};

/// Whether all parameters are finite.
bool all_finite(std::span<const float> parameters);

std::unique_ptr<Engine> make_reference_engine(const Config& config, int agents);
/// `threads` threads; throws Error (missing) where the processor lacks config.isa.
std::unique_ptr<Engine> make_cpu_engine(const Config& config, int agents, int threads);
/// The engine that config.device asks for.
std::unique_ptr<Engine> make_engine(const Config& config, int agents, int threads);

/// How the threads of a run are shared out: several seeds take them one agent at a time each, a single seed has all of them.
struct ThreadPlan {
  int total;    ///< config.threads, or as many processors as the process may use; the reference engine has one, and a CUDA device needs one
  int workers;  ///< agents trained side by side
  int each;     ///< threads of each
  int slots;    ///< agents that a worker's engine trains side by side
};
ThreadPlan plan_threads(const Config& config);

/// Bytes that an engine takes for this configuration (before it takes them).
std::int64_t engine_bytes(const Config& config, int agents, int threads);

/// The initial parameter vector of a seed: what every engine starts from.
void initialize_parameters(const NetworkShape& shape, const NetworkInit& init, std::uint64_t seed, std::span<float> parameters);
/// Bytes that it takes while it runs.
std::int64_t initialize_bytes(const Config& config);

/// Mean, extremes and completeness from episode returns.
Evaluation summarize_evaluation(std::vector<float> returns, const EvaluationRequest& request, bool complete);

}  // namespace cupg

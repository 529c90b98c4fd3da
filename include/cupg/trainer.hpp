#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cupg/config.hpp"
#include "cupg/metrics.hpp"
#include "cupg/summary.hpp"

namespace cupg {

/// One point of a learning curve.
struct CurvePoint {
  std::int64_t env_steps = 0;
  double seconds = 0;      ///< since the agent's initialization
  double mean_return = 0;  ///< of the training episodes that ended since the last point (sampled actions)
  std::int64_t episodes = 0;
  double mean_length = 0;  ///< of these episodes, in steps
  Metrics metrics{};       ///< of the last update; none of it at an agent's last point, where nobody knew that it was the last
};

/// Returns of episodes played by a frozen policy, one per evaluation environment.
struct Evaluation {
  int episodes = 0;
  double mean_return = 0;
  double min_return = 0, max_return = 0;
  bool greedy = true;
  bool complete = true;               ///< false: ended early: the threshold could no longer be reached, or it was told to stop
  std::array<double, 5> quantiles{};  ///< of the returns: 5, 25, 50, 75, 95 %; only from evaluate()
  std::vector<float> returns;         ///< [episodes]; 0 for unfinished episodes of an incomplete evaluation
};

/// solved: the last policy is. An agent that was solved and went on may have finished otherwise; its solved_env_steps say so.
enum class Outcome { solved, finished, diverged, interrupted };

/// What became of one agent.
struct AgentResult {
  std::uint64_t seed = 0;
  Outcome outcome = Outcome::finished;
  std::int64_t env_steps = 0;  ///< training steps taken
  std::int64_t updates = 0;
  std::int64_t solved_env_steps = 0;     ///< training steps at the first confirmed check (0 if never)
  double solved_seconds = 0;             ///< wall time from initialization to confirmation
  double seconds = 0;                    ///< wall time, evaluation included
  std::optional<double> initial_return;  ///< mean of the greedy policy before training, where it was asked for
  std::optional<double> final_return;    ///< mean of the greedy policy of `parameters`; none where it was interrupted
  int checks = 0;                        ///< evaluations made to see whether it is solved
  std::string message;                   ///< why it diverged
  std::vector<float> parameters;         ///< the last ones
  std::optional<double> best_return;     ///< highest mean of the greedy policy that a check, the last one included, has seen
  std::int64_t best_env_steps = 0;       ///< training steps at that check
  std::vector<float> best_parameters;    ///< of that check, where they are not the last ones
  std::vector<CurvePoint> curve;
};

struct TrainResult {
  std::string device, isa;
  std::string device_reason;  ///< device = auto: why not CUDA, or why not an earlier device
  std::string math;           ///< "exact": bits are promised; "gemm": a library's matrix products, a tolerance; or "gemm, tf32"
  int threads = 1;
  std::vector<AgentResult> agents;  ///< in order of their numbers, so of their seeds unless those are agents' own
  std::string checkpoint;           ///< what resume() goes on from; empty of a search
  std::int64_t env_steps = 0;       ///< over all agents
  double seconds = 0;               ///< wall time of the whole training
  Summary summary;
};

/// What the trainer tells while it runs; called from worker threads, one at a time.
struct Progress {
  std::int64_t env_steps = 0;         ///< over all agents
  std::int64_t steps_before = 0;      ///< of them, those that a training which was resumed had taken
  std::int64_t steps_limit = 0;       ///< at most as many env_steps
  double seconds = 0;                 ///< since the start, or since it was resumed
  std::optional<double> mean_return;  ///< of recent training episodes; none where none has ended yet
  Metrics metrics{};                  ///< of the update that was measured last
  int agents_running = 0, agents_done = 0, agents_solved = 0;
};

struct TrainHooks {
  std::function<void(const Progress&)> progress;  ///< at most ten times a second
  /// A new point of the learning curve of the agent `seed`; called from worker threads, one at a time. Of a training that is resumed, its
  /// earlier points come first.
  std::function<void(std::uint64_t seed, const CurvePoint&)> point = {};
  /// The agent of that number has ended, and was not interrupted; called from worker threads, one at a time.
  std::function<void(int number, const AgentResult&)> agent = {};
  std::function<bool()> stop;   ///< true: give up the current update and end (an interrupt); called often, by any thread
  bool initial_return = false;  ///< evaluate the untrained policy first (not counted in any time)
  /// Receives what resume() goes on from (a safetensors file's bytes) about every checkpoint_seconds, in a thread of its own; agents train
  /// on meanwhile.
  std::function<void(const std::string& checkpoint)> checkpoint = {};
  double checkpoint_seconds = 60;
};

/// Trains config.seeds agents; each ends with the bits it would have alone. Throws Error for a configuration that cannot run.
TrainResult train(const Config& config, const TrainHooks& hooks = {});

/// Goes on from a checkpoint, to the bits of a training that was never interrupted, on any device, instruction set or number of threads.
/// `config`: the checkpoint's, but that device, isa, math and threads are free, and that steps may be more: agents that ended because of
/// them go on. Throws Error (usage) where `checkpoint` is none, or of another configuration.
TrainResult resume(const Config& config, const std::string& checkpoint, const TrainHooks& hooks = {});

/// The configuration of a checkpoint. Throws Error (usage) as "SOURCE: ..." where it is none.
Config checkpoint_config(const std::string& checkpoint, const std::string& source = "checkpoint");

/// Plays `episodes` episodes, 1 to 2^24 and one per environment, with the greedy or the sampled policy of these [parameter_count]
/// parameters. Throws Error (usage) where they are more or fewer than config's network has.
Evaluation evaluate(const Config& config, std::span<const float> parameters, int episodes, bool greedy, std::uint64_t seed);

}  // namespace cupg

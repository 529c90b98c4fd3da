// What is known of an agent, at any time: where it may go on, and how it has ended.
#pragma once
#include <optional>
#include <vector>

#include "cupg/trainer.hpp"
#include "kernels/agent/snapshot.hpp"
#include "kernels/agent/watch.hpp"
#include "src/train/curve_recorder.hpp"

namespace cupg {

/// An agent after a look: all that its training needs to go on as if nothing had been.
struct AgentProgress {
  AgentResult result;  ///< so far: without parameters, which the snapshot has, and curve
  CurveRecorder curve{1};
  EpisodeTally episodes;  ///< that have ended
  int checks = 0;         ///< made so far
  CheckSchedule::Seen seen;
  double seconds = 0;  ///< since its initialization
  Snapshot snapshot;

  /// f(name, number) for every number.
  template <class F>
  void each_number(F f) {
    f("seed", snapshot.seed);
    f("updates", snapshot.updates);
    f("env_steps", snapshot.taken);
    f("step", snapshot.step);
    f("optimizer_updates", snapshot.optimizer.updates);
    f("beta1_power", snapshot.optimizer.beta1_power);
    f("beta2_power", snapshot.optimizer.beta2_power);
    f("decay_power", snapshot.optimizer.decay_power);
    f("seconds", seconds);
    f("solved_env_steps", result.solved_env_steps);
    f("solved_seconds", result.solved_seconds);
    f("initial_return", result.initial_return);
    f("best_return", result.best_return);
    f("best_env_steps", result.best_env_steps);
    f("checks", checks);
    f("episodes", episodes.episodes);
    f("episodes_terminated", episodes.terminated);
    f("episodes_steps", episodes.steps);
    f("episodes_returns", episodes.returns);
    seen.each_number(f);
    curve.each_number(f);
  }
};

/// f(name, number) for the numbers of the result of an agent that has ended.
template <class F>
void each_number(AgentResult& r, F f) {
  f("seed", r.seed);
  f("outcome", r.outcome);
  f("env_steps", r.env_steps);
  f("updates", r.updates);
  f("solved_env_steps", r.solved_env_steps);
  f("solved_seconds", r.solved_seconds);
  f("seconds", r.seconds);
  f("initial_return", r.initial_return);
  f("final_return", r.final_return);
  f("checks", r.checks);
  f("best_return", r.best_return);
  f("best_env_steps", r.best_env_steps);
}

struct AgentRecord {
  std::optional<AgentProgress> progress;  ///< none: it will not be trained further
  std::optional<AgentResult> result;      ///< of one that has ended, if only for now
};

}  // namespace cupg

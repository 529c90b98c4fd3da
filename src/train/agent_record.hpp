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
  CurveRecorder curve;
  CurveSchedule points;   ///< of the curve: but for the spacings, which are the configuration's
  EpisodeTally episodes;  ///< that have ended
  int checks = 0;         ///< made so far
  CheckSchedule::Seen seen;
  double seconds = 0;  ///< since its initialization
  Snapshot snapshot;

  /// f(name, number) for every number.
  template <class Self, class F>
  static void each_number(Self& p, F f) {
    f("seed", p.snapshot.seed);
    f("updates", p.snapshot.updates);
    f("env_steps", p.snapshot.taken);
    f("step", p.snapshot.step);
    f("optimizer_updates", p.snapshot.optimizer.updates);
    f("beta1_power", p.snapshot.optimizer.beta1_power);
    f("beta2_power", p.snapshot.optimizer.beta2_power);
    f("decay_power", p.snapshot.optimizer.decay_power);
    f("gradient_norm", p.snapshot.optimizer.gradient_norm);
    f("learning_rate", p.snapshot.optimizer.learning_rate);
    f("seconds", p.seconds);
    f("solved_env_steps", p.result.solved_env_steps);
    f("solved_seconds", p.result.solved_seconds);
    f("initial_return", p.result.initial_return);
    f("best_return", p.result.best_return);
    f("best_env_steps", p.result.best_env_steps);
    f("checks", p.checks);
    f("episodes", p.episodes.episodes);
    f("episodes_terminated", p.episodes.terminated);
    f("episodes_steps", p.episodes.steps);
    f("episodes_returns", p.episodes.returns);
    CheckSchedule::Seen::each_number(p.seen, f);
    f("curve_next", p.points.next);
    f("curve_next_measured", p.points.next_measured);
    f("curve_episodes", p.points.episodes);
    CurveRecorder::each_number(p.curve, f);
  }
};

/// f(name, number) for the numbers of the result of an agent that has ended.
template <class Result, class F>
void each_number_of_result(Result& r, F f) {
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
  std::optional<AgentResult> result;      ///< of one that has ended, or was interrupted
};

}  // namespace cupg

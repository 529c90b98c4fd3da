#pragma once
#include <functional>
#include <optional>
#include <vector>

#include "src/sweep/score.hpp"

namespace cupg {

/// What a sweep tells while it runs.
struct SweepProgress {
  std::size_t points = 0, points_done = 0;   ///< of this rung, or of those that are reported
  int rung = 0, rungs = 1;                   ///< rung == rungs: the best are trained by the seeds that report
  std::int64_t agents = 0, agents_done = 0;  ///< of the whole sweep, at most
  double work = 0, work_done = 0;            ///< environment steps if no agent ended before its limit
  double work_before = 0;                    ///< of it, done by an earlier process
  std::optional<SweepScore> best;            ///< of the points of this rung that are done
  int best_point = 0;
};

struct SweepHooks {
  std::function<void(const SweepRow&)> row;            ///< an agent has ended; called from worker threads, one at a time
  std::function<void(const SweepProgress&)> progress;  ///< the same
  std::function<bool()> stop;
};

struct SweepRung {
  std::int64_t steps = 0;
  std::vector<int> points;         ///< the best first
  std::vector<SweepScore> scores;  ///< of these
};

struct SweepResult {
  std::vector<SweepRung> rungs;
  std::vector<SweepReport> reports;        ///< of the best points of the last rung, in its order
  std::optional<Sensitivity> sensitive;    ///< nothing where halving has stopped points early
  std::int64_t agents = 0, env_steps = 0;  ///< that were trained
};

/// Trains what `rows` does not have yet, and adds it. Nothing where it was told to stop.
std::optional<SweepResult> run_sweep(const SweepPlan& plan, const std::vector<SweepPoint>& points, SweepRows& rows,
                                     const SweepHooks& hooks);

}  // namespace cupg

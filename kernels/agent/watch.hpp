// How far an agent may train before somebody must look at it, so that nobody waits for the training loop in between: every device looks
// at it after the same updates, and decides the same.
#pragma once
#include <cstdint>
#include <limits>

#include "cupg/metrics.hpp"
#include "kernels/agent/check_schedule.hpp"

namespace cupg {

/// Looks that an agent keeps for the training loop; then it waits.
inline constexpr int kMostLooks = 64;
/// Updates between two points of a learning curve at least.
inline constexpr int kCurveUpdates = 4;
/// Updates between two that are measured at least, where that takes a pass over all samples of an update of one pass (what it costs:
/// docs/metrics.md).
inline constexpr int kMeasuredUpdates = 32;
/// Episodes of a check.
inline constexpr int kCheckEpisodes = 100;

/// Numbers the episodes of an agent's check; those that confirm it come next.
CUPG_FN std::uint32_t check_block(int check) { return 2 * static_cast<std::uint32_t>(check); }

/// What an agent has behind it.
struct Progressed {
  EpisodeTally episodes;
  std::int64_t updates = 0;  ///< k
  std::int64_t taken = 0;    ///< environment steps of these updates
};

/// An agent as it was after an update.
struct Look {
  Progressed at;
  std::int64_t failed = 0;  ///< 1: it was checked there, and the check failed
  Metrics metrics;          ///< of that update, where it was measured
};

/// At which looks the learning curve has a point: at a spacing that grows with the steps, so that the longest training has some thousands.
struct CurveSchedule {
  std::int64_t spacing = 0, measured_spacing = 0;  ///< environment steps between two points, and between two that have metrics, at least
  std::int64_t next = 0, next_measured = 0;        ///< the next ones come after so many
  std::int64_t episodes = 0;                       ///< that had ended at the last point: there is none without a new one

  static constexpr std::int64_t kShare = 128;  ///< of all steps so far, between two points at least

  CUPG_FN void took(std::int64_t steps, std::int64_t ended, bool measured) {
    const std::int64_t share = steps / kShare;
    next = steps + (share > spacing ? share : spacing);
    if (measured) next_measured = steps + (share > measured_spacing ? share : measured_spacing);
    episodes = ended;
  }
};

/// What becomes of an agent after a look.
enum class Next : std::uint32_t {
  train,
  check,  ///< by whoever can; otherwise it pauses
  pause,  ///< it is at its end, or nobody could keep another look
};

struct Watch {
  CheckSchedule schedule;
  double threshold = 0, max_return = 0;  ///< the environment's
  /// Mean return that a check must reach to tell something.
  double best = -std::numeric_limits<double>::infinity();
  std::int64_t updates = 0, steps = 0;  ///< its training ends after so many updates, and after so many environment steps
  std::int32_t every = 0;               ///< updates between two looks; 0: nobody watches
  std::int32_t looks = 0;               ///< since the training loop was last told
  std::int32_t checks = 0;              ///< made so far; they number their episodes
  std::int32_t may_improve = 1;         ///< 0: no check could tell anything any more
  std::int32_t solved = 0;              ///< 1: it was solved before, and goes on
  std::int32_t stops = 0;               ///< 1: it stops when solved
  std::int32_t measured = 0;            ///< 1: the update before the last look was measured
  std::int32_t has_point = 0;           ///< 1: the curve has a point there
  CurveSchedule curve;
  std::int64_t batch = 0;  ///< environment steps of an update; 0: that is known only after it
  Progressed last;         ///< as it stood at the last look

  /// Updates up to the next look.
  CUPG_FN std::int64_t to_go() const { return every < updates - last.updates ? every : updates - last.updates; }
  /// Whether a look is taken after that update.
  CUPG_FN bool looks_after(std::int64_t update) const { return every > 0 && (update == updates || update % every == 0); }
  /// Environment steps taken after that update, or up to it where that is not known before.
  CUPG_FN std::int64_t taken_after(std::int64_t update) const { return last.taken + (update - last.updates) * batch; }
  /// Whether the curve has a point after that update, if an episode has ended.
  CUPG_FN bool may_have_point(std::int64_t update) const { return looks_after(update) && taken_after(update) >= curve.next; }
  /// Whether that update is to be measured: known before it, as its samples must be kept.
  CUPG_FN bool measures(std::int64_t update) const { return may_have_point(update) && taken_after(update) >= curve.next_measured; }
  /// ... the one before the next look.
  CUPG_FN bool measures_next() const { return measures(last.updates + to_go()); }

  CUPG_FN bool at_end() const { return last.updates >= updates || last.taken >= steps; }
  CUPG_FN bool due() const { return may_improve != 0 && schedule.due(); }

  /// Takes in what has happened since the last look.
  CUPG_FN Next look(const Progressed& now) {
    EpisodeTally since = now.episodes;
    since -= last.episodes;
    schedule.add(now.taken - last.taken, since);
    measured = measures(now.updates) ? 1 : 0;
    has_point = may_have_point(now.updates) && now.episodes.episodes > curve.episodes ? 1 : 0;
    if (has_point != 0) curve.took(now.taken, now.episodes.episodes, measured != 0);
    last = now;
    looks += 1;
    return at_end() ? Next::pause : due() ? Next::check : looks == kMostLooks ? Next::pause : Next::train;
  }

  /// The return below which a check at the last look need not be played to its end: the figure of another policy than the saved one is
  /// wanted where it is the best so far. Not so early in a training that stops when solved: most agents are solved by then, and their
  /// checks would take twice as long.
  CUPG_FN double stop_below() const {
    const bool early = 10 * last.taken < steps && 10 * last.updates < updates;
    return stops != 0 && early ? threshold : best;
  }
  /// Whether a check has failed whose returns are in sum so far below the largest possible; otherwise it is the training loop's to judge.
  CUPG_FN bool fails(double deficit) const { return deficit > kCheckEpisodes * (max_return - stop_below()); }

  /// A check was made that does not end the training.
  CUPG_FN void checked() {
    checks += 1;
    solved != 0 ? schedule.solved() : schedule.failed();
  }
};

}  // namespace cupg

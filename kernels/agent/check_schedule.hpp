// When is it worth playing 100 greedy episodes to see whether an agent is solved? A check costs about as much as a dozen updates
// where it fails early, and fifty where it passes, so it waits for the training episodes to say that it is likely to pass. Every device
// decides it, with the same operations in double.
#pragma once
#include <cstdint>

#include "cupg/environment.hpp"
#include "kernels/trajectory.hpp"

namespace cupg {

/// The settings were found by search (docs/defaults.md).
struct CheckSettings {
  double window_steps = 1500;  ///< environment steps over which the past fades by 1/e
  double ratio = 0.34;         ///< check from a mean reward between terminations >= ratio * threshold on, or threshold / ratio below 0
  double pause_steps = 2100;   ///< after a failed check wait so many steps ...
  double pause_growth = 1.0;   ///< ... times this for each failure before
  double most_pause_steps = 50000;
};

class CheckSchedule {
 public:
  /// What it remembers.
  struct Seen {
    double steps = 0, terminated = 0, ended = 0, ended_steps = 0, returns = 0;  ///< of the past, which fades
    double total = 0;                                                           ///< environment steps
    double since = 0, pause = 0;                                                ///< steps since the last check, and how many must be

    /// f(name, number) for each.
    template <class Self, class F>
    static void each_number(Self& s, F f) {
      f("schedule.steps", s.steps);
      f("schedule.terminated", s.terminated);
      f("schedule.ended", s.ended);
      f("schedule.ended_steps", s.ended_steps);
      f("schedule.returns", s.returns);
      f("schedule.total", s.total);
      f("schedule.since", s.since);
      f("schedule.pause", s.pause);
    }
  };

  CheckSchedule() = default;
  explicit CheckSchedule(const EnvironmentInfo& environment, const CheckSettings& settings = {})
      : wanted_(environment.reward_threshold > 0 ? settings.ratio * environment.reward_threshold
                                                 : environment.reward_threshold / settings.ratio),
        settings_(settings) {}

  /// Takes in what some updates of `steps` environment steps saw.
  CUPG_FN void add(std::int64_t steps, const EpisodeTally& episodes) {
    const double fade = 1.0 / (1.0 + static_cast<double>(steps) / settings_.window_steps);
    seen_.steps = fade * (seen_.steps + static_cast<double>(steps));
    seen_.terminated = fade * (seen_.terminated + static_cast<double>(episodes.terminated));
    seen_.ended = fade * (seen_.ended + static_cast<double>(episodes.episodes));
    seen_.ended_steps = fade * (seen_.ended_steps + static_cast<double>(episodes.steps));
    seen_.returns = fade * (seen_.returns + static_cast<double>(episodes.returns) / static_cast<double>(kReturnUnit));
    seen_.since += static_cast<double>(steps);
    seen_.total += static_cast<double>(steps);
  }

  /// The mean reward between two terminations comes near the threshold. An episode that the time limit cut counts as going on in the
  /// next one: where terminations are failures (CartPole) as where they are the goal (Acrobot), that tells more than its return, which
  /// the limit has capped. Rewards are those of a step of the episodes that ended, for the steps of all.
  CUPG_FN bool due() const {
    const double ends = seen_.terminated > 0 || wanted_ > 0 ? seen_.terminated : seen_.ended;
    const double reward = seen_.ended_steps > 0 ? seen_.returns / seen_.ended_steps : wanted_ > 0 ? 1 : -1;
    return seen_.total >= settings_.window_steps && seen_.since >= seen_.pause &&
           seen_.steps * reward >= wanted_ * (ends < 1e-9 ? 1e-9 : ends);
  }

  /// From then on checks look for a better policy only, at a spacing that grows with the training: each may cost as much as hundreds
  /// of updates.
  CUPG_FN void solved() {
    seen_.since = 0;
    seen_.pause = seen_.total / 10;
  }

  const Seen& seen() const { return seen_; }
  /// Goes on from what another has seen.
  void go_on(const Seen& seen) { seen_ = seen; }

  CUPG_FN void failed() {
    seen_.since = 0;
    const double longer = seen_.pause == 0 ? settings_.pause_steps : seen_.pause * settings_.pause_growth;
    seen_.pause = longer < settings_.most_pause_steps ? longer : settings_.most_pause_steps;
  }

 private:
  double wanted_ = 0;  // reward between two terminations
  CheckSettings settings_;
  Seen seen_;
};

}  // namespace cupg

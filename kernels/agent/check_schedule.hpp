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
  CheckSchedule() = default;
  explicit CheckSchedule(const EnvironmentInfo& environment, const CheckSettings& settings = {})
      : wanted_(environment.reward_threshold > 0 ? settings.ratio * environment.reward_threshold
                                                 : environment.reward_threshold / settings.ratio),
        settings_(settings) {}

  /// Takes in what some updates of `steps` environment steps saw.
  CUPG_FN void add(std::int64_t steps, const EpisodeTally& episodes) {
    const double fade = 1.0 / (1.0 + static_cast<double>(steps) / settings_.window_steps);
    steps_ = fade * (steps_ + static_cast<double>(steps));
    terminated_ = fade * (terminated_ + static_cast<double>(episodes.terminated));
    ended_ = fade * (ended_ + static_cast<double>(episodes.episodes));
    ended_steps_ = fade * (ended_steps_ + static_cast<double>(episodes.steps));
    returns_ = fade * (returns_ + static_cast<double>(episodes.returns) / static_cast<double>(kReturnUnit));
    since_ += static_cast<double>(steps);
    total_ += static_cast<double>(steps);
  }

  /// The mean reward between two terminations comes near the threshold. An episode that the time limit cut counts as going on in the
  /// next one: where terminations are failures (CartPole) as where they are the goal (Acrobot), that tells more than its return, which
  /// the limit has capped. Rewards are those of a step of the episodes that ended, for the steps of all.
  CUPG_FN bool due() const {
    const double ends = terminated_ > 0 || wanted_ > 0 ? terminated_ : ended_;
    const double reward = ended_steps_ > 0 ? returns_ / ended_steps_ : wanted_ > 0 ? 1 : -1;
    return total_ >= settings_.window_steps && since_ >= pause_ && steps_ * reward >= wanted_ * (ends < 1e-9 ? 1e-9 : ends);
  }

  /// From then on checks look for a better policy only, at a spacing that grows with the training: each may cost as much as hundreds
  /// of updates.
  CUPG_FN void solved() {
    since_ = 0;
    pause_ = total_ / 10;
  }

  CUPG_FN void failed() {
    since_ = 0;
    const double longer = pause_ == 0 ? settings_.pause_steps : pause_ * settings_.pause_growth;
    pause_ = longer < settings_.most_pause_steps ? longer : settings_.most_pause_steps;
  }

 private:
  double wanted_ = 0;  // reward between two terminations
  CheckSettings settings_;
  double steps_ = 0, terminated_ = 0, ended_ = 0, ended_steps_ = 0, returns_ = 0, since_ = 0, total_ = 0, pause_ = 0;
};

}  // namespace cupg

// When is it worth playing 100 greedy episodes to see whether an agent is solved? A check costs about as much as a dozen updates
// where it fails early, and fifty where it passes, so it waits for the training episodes to say that it is likely to pass.
#pragma once
#include <algorithm>
#include <cstdint>

#include "cupg/environment.hpp"
#include "kernels/trajectory.hpp"

namespace cupg {

/// The settings were found by search (docs/defaults.md).
struct CheckSettings {
  double window_steps = 1500;  ///< environment steps over which the past fades by 1/e
  double ratio = 0.34;         ///< check from mean steps between failures >= ratio * threshold on
  double pause_steps = 2100;   ///< after a failed check wait so many steps ...
  double pause_growth = 1.0;   ///< ... times this for each failure before
  double most_pause_steps = 50000;
};

class CheckSchedule {
 public:
  CheckSchedule(const EnvironmentInfo& environment, const CheckSettings& settings = {})
      : threshold_(environment.reward_threshold / environment.reward), settings_(settings) {}

  /// Takes in what some updates of `steps` environment steps saw.
  void add(std::int64_t steps, const EpisodeTally& episodes) {
    const double fade = 1.0 / (1.0 + static_cast<double>(steps) / settings_.window_steps);
    steps_ = fade * (steps_ + static_cast<double>(steps));
    failures_ = fade * (failures_ + static_cast<double>(episodes.terminated));
    since_ += static_cast<double>(steps);
    total_ += static_cast<double>(steps);
  }

  /// Mean steps between two terminations, the time limit's truncations not counted, is at least what solves the task. Sampled
  /// actions end episodes sooner than greedy ones, so this errs on the careful side.
  bool due() const {
    return total_ >= settings_.window_steps && since_ >= pause_ && steps_ >= settings_.ratio * threshold_ * std::max(failures_, 1e-9);
  }

  /// From then on checks look for a better policy only, at a spacing that grows with the training: each may cost as much as hundreds
  /// of updates.
  void solved() {
    since_ = 0;
    pause_ = total_ / 10;
  }

  void failed() {
    since_ = 0;
    pause_ = std::min(pause_ == 0 ? settings_.pause_steps : pause_ * settings_.pause_growth, settings_.most_pause_steps);
  }

 private:
  double threshold_;  // in steps
  CheckSettings settings_;
  double steps_ = 0, failures_ = 0, since_ = 0, total_ = 0, pause_ = 0;
};

}  // namespace cupg

#pragma once
#include <string_view>

namespace cupg {

enum class Estimator { gae, nstep };

/// What happens to the value of the state in which the time limit cut an episode.
enum class Truncation {
  bootstrap,  ///< the target goes on with V of the last observation: a time limit is no property of the task
  terminal,   ///< counted as an end, as several published settings do
};

/// How returns and advantages are estimated from a rollout.
struct AdvantageSettings {
  Estimator estimator = Estimator::gae;
  float gamma = 0.96f;   ///< discount, in [0, 1]
  float lambda = 0.98f;  ///< GAE's, in [0, 1]; 0 is TD(0), 1 is the discounted return minus the value
  int nstep = 5;         ///< rewards summed before the value takes over; at most the horizon
  Truncation truncation = Truncation::bootstrap;
  bool normalize = false;  ///< (A - mean) / (sd + 1e-8) over the batch, population sd
};

/// loss = mean over the batch of -A log p(a|s) - entropy_coef H + value_coef (V - R)^2 / 2.
struct ObjectiveSettings {
  float entropy_coef = 0.005f;
  float value_coef = 0.1f;
};

}  // namespace cupg

// The rollout buffer: what the ops hand to each other. One agent's, in rows of 32 lanes; row r = warp * horizon + step, so a
// warp's episode fragments lie together and are walked front to back or back to front.
#pragma once
#include <cstdint>

#include "kernels/math/lanes.hpp"

namespace cupg {

struct Trajectory {
  float* observation = nullptr;     ///< [rows][O][32] s_t
  float* policy = nullptr;          ///< [rows][P][32] policy outputs at s_t; the gradient op puts dJ/d(output) in their place
  float* value = nullptr;           ///< [rows][32] V(s_t); likewise
  float* advantage = nullptr;       ///< [rows][32] rollout: V(s_{t+1}), 0 where that state is terminal; advantage: A_t
  float* hidden = nullptr;          ///< [warps][T + 1][units][32] activations of one-layer trunks at s_t, or null: computed again
  int units = 0;                    ///< of all towers
  std::uint32_t* action = nullptr;  ///< [rows] bit l: lane l took action 1
  std::uint32_t* done = nullptr;    ///< [rows] bit l: lane l's episode ended with this step, terminated or truncated
};

/// A return as a whole number of 2^-20, so that sums of returns do not depend on their order; limited to +-2^31, NaN is 0. Rewards that
/// are whole numbers lose nothing.
inline constexpr std::int64_t kReturnUnit = std::int64_t{1} << 20;
CUPG_FN std::int64_t counted_return(float episode_return) {
  constexpr float kMost = 2147483648.0f;
  const float limited = episode_return > kMost             ? kMost
                        : episode_return > -kMost          ? episode_return
                        : episode_return == episode_return ? -kMost
                                                           : 0.0f;
  return static_cast<std::int64_t>(limited * static_cast<float>(kReturnUnit));
}

/// Episodes that ended in a rollout. Whole numbers, so that no order of adding them can matter.
struct EpisodeTally {
  std::int64_t episodes = 0;
  std::int64_t terminated = 0;  ///< of these, the ones that were not cut by the time limit
  std::int64_t steps = 0;       ///< sum of their lengths
  std::int64_t returns = 0;     ///< sum of their returns, each as counted_return

  /// There must be an episode.
  double mean_return() const { return static_cast<double>(returns) / static_cast<double>(kReturnUnit) / static_cast<double>(episodes); }
  CUPG_FN EpisodeTally& operator+=(const EpisodeTally& other) {
    episodes += other.episodes;
    terminated += other.terminated;
    steps += other.steps;
    returns += other.returns;
    return *this;
  }
};

}  // namespace cupg

// The trajectory: what the ops hand to each other, one agent's. Rows of 32 samples, [row][feature][32]; a lane of a row is an
// environment's step in a rollout, and a position of a minibatch where one was gathered. A warp's rows lie one behind the other, so that
// its episodes are walked front to back or back to front. Flags are words, a bit a lane.
#pragma once
#include <cstdint>

#include "kernels/math/lanes.hpp"

namespace cupg {

inline constexpr int kTileAlign = 16;  ///< rows of weights and activations are padded to so many floats

CUPG_FN constexpr int tile_padded(int n) { return (n + kTileAlign - 1) / kTileAlign * kTileAlign; }

/// One stored step of an environment: a row of floats, one cache line for CartPole. s_t comes first, then the fields below.
struct SampleRow {
  int observations = 0;  ///< O

  // What minibatches read comes first; the target last, as the advantage and the value say it too.
  CUPG_FN constexpr int action() const { return observations; }               ///< a_t, the bits of a uint32
  CUPG_FN constexpr int log_probability() const { return observations + 1; }  ///< log p(a_t|s_t)
  CUPG_FN constexpr int advantage() const { return observations + 2; }        ///< A_t
  CUPG_FN constexpr int value() const { return observations + 3; }            ///< V(s_t)
  CUPG_FN constexpr int target() const { return observations + 4; }           ///< R_t
  CUPG_FN constexpr int done() const { return observations + 5; }             ///< 1: the episode ended with this step (bits of a uint32)
  // Until advantages are computed, which take their places:
  CUPG_FN constexpr int next_value() const { return advantage(); }  ///< V(s_{t+1}) before a reset; 0 where that state counts as terminal
  CUPG_FN constexpr int reward() const { return target(); }         ///< r_t
  CUPG_FN constexpr int fields() const { return observations + 6; }
  CUPG_FN constexpr int stride() const { return tile_padded(fields()); }
};

/// The features of a row of 32 samples: those of a SampleRow in its order, then the network's outputs. Their number is odd, so that rows
/// do not fall on the same lines of a cache.
struct RowFeatures {
  SampleRow sample;
  int outputs = 0;  ///< K: policy outputs, then the value

  CUPG_FN constexpr int output() const { return sample.fields(); }  ///< [K]; the loss puts dJ/d(output) there
  CUPG_FN constexpr int kl() const { return sample.done(); }        ///< estimates of KL(old, new): flags lie elsewhere
  CUPG_FN constexpr int count() const { return (sample.fields() + outputs) | 1; }
  CUPG_FN constexpr int floats() const { return count() * kWarp; }
};

/// Rows of a gathered minibatch whose sums make one partial; of a rollout, all rows of a warp do.
inline constexpr int kPartialRows = 16;
inline constexpr int kPartialSamples = kPartialRows * kWarp;

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
  double mean_length() const { return static_cast<double>(steps) / static_cast<double>(episodes); }
  CUPG_FN EpisodeTally& operator+=(const EpisodeTally& other) {
    episodes += other.episodes;
    terminated += other.terminated;
    steps += other.steps;
    returns += other.returns;
    return *this;
  }
  CUPG_FN EpisodeTally& operator-=(const EpisodeTally& other) {
    episodes -= other.episodes;
    terminated -= other.terminated;
    steps -= other.steps;
    returns -= other.returns;
    return *this;
  }
};

}  // namespace cupg

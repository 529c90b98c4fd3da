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

/// Episodes that ended in a rollout. Whole numbers, so that no order of adding them can matter.
struct EpisodeTally {
  std::int64_t episodes = 0;
  std::int64_t terminated = 0;  ///< of these, the ones that were not cut by the time limit
  std::int64_t steps = 0;       ///< sum of their lengths
  CUPG_FN EpisodeTally& operator+=(const EpisodeTally& other) {
    episodes += other.episodes;
    terminated += other.terminated;
    steps += other.steps;
    return *this;
  }
};

}  // namespace cupg

// Random search and hill climbing over linear policies: what a policy gradient must beat.
//
//   action = [w . s >= 0]     one weight an observation, no bias, one episode a trial
//
//   random search    every trial draws w ~ U[-1, 1)^O afresh
//   hill climbing    every trial plays w + noise U[-1, 1)^O, the first one too, and keeps it as w if its return is strictly better
//                    than the best so far
//
// Both stop at the first trial whose return is the largest possible (200 in CartPole-v0).
// Source: Kevin Frans, "Simple reinforcement learning methods to learn CartPole" (2016).
//
// Run r draws from Philox with the key seed + r and the counter (trial, 0, purpose, block): its outcome has the same bits on every
// instruction set and number of threads, and whichever other runs are played beside it.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cupg/config.hpp"

namespace cupg {

/// An observation has at most as many numbers as one Philox call has words.
inline constexpr int kMostSearchWeights = 4;

struct SearchSettings {
  std::string environment = "CartPole-v0";
  std::int64_t runs = 1;   ///< independent searches
  std::uint64_t seed = 1;  ///< of run 0; run r has seed + r
  int max_trials = 10000;  ///< episodes after which a run is given up
  Isa isa = Isa::automatic;
  int threads = 0;  ///< 0: as many processors as the process may use
  /// True: end, with the trials that have been played; asked by every thread. A run without any has 0 trials.
  std::function<bool()> stop;
};

struct HillClimbingSettings : SearchSettings {
  HillClimbingSettings() { max_trials = 2000; }
  float noise = 0.1f;          ///< half the width of a trial's step in each weight
  bool start_at_zero = false;  ///< w = 0 before the first trial; otherwise U[-1, 1)^O
};

/// One search.
struct SearchRun {
  std::int32_t trials = 0;                 ///< played, up to the one that solved or the last allowed one; 1 is the first
  bool solved = false;                     ///< the last of them had the largest possible return
  float best_return = 0;                   ///< highest of its trials' returns
  std::int64_t env_steps = 0;              ///< of those trials
  float weights[kMostSearchWeights] = {};  ///< of the first trial with that return; one an observation, then zeros
};

struct SearchResult {
  std::vector<SearchRun> runs;
  std::int64_t episodes = 0;   ///< sum of the runs' trials
  std::int64_t env_steps = 0;  ///< of those
  /// With the ones beyond: random search lets lanes without a run of their own play ahead in others' runs, and drops those trials where
  /// an earlier one has solved. How many were played to their end is up to the instruction set and the threads.
  std::int64_t episodes_played = 0;
  double seconds = 0;  ///< wall clock
  std::string isa;     ///< "scalar", "avx2" or "avx512"
  int threads = 0;

  std::int64_t solved() const;
  /// Mean number of trials of the runs that solved; NaN if none did.
  double mean_trials_to_solve() const;
};

/// Throw Error: usage where a setting is out of its range, missing where the processor lacks the instruction set.
SearchResult random_search(const SearchSettings& settings);
SearchResult hill_climbing(const HillClimbingSettings& settings);

}  // namespace cupg

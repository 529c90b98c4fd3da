#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "cupg/config.hpp"

namespace cupg {

/// Rates of repeated timings of the same work, first (untimed) warm-up excluded.
struct BenchResult {
  std::vector<double> env_steps_per_second;  ///< one per repeat
  std::string device, isa, math;
  int threads = 1;
  std::int64_t env_steps = 0;  ///< per repeat; of whole episodes, in the last one
};

// All throw Error (usage) where a count is below 1 or the environment steps of a timing are more than 1e18.

/// `updates` updates of config.seeds agents side by side, evaluation excluded.
BenchResult bench_train(const Config& config, std::int64_t updates, int repeat);
/// `updates` rollouts: act, step and store, no learning.
BenchResult bench_rollout(const Config& config, std::int64_t updates, int repeat);
/// Stepping alone: config.envs environments, observations and flags stored, random or balancing actions.
BenchResult bench_env(const Config& config, bool balance, std::int64_t steps_per_env, int repeat);

}  // namespace cupg

#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cupg/trainer.hpp"

namespace cupg {

/// So much of a training as its parameters follow from: an agent's seed and its updates.
struct Retrained {
  std::uint64_t seed = 0;
  std::int64_t updates = 0;
  bool diverged = false;          ///< in the update after these
  std::string parameters_sha256;  ///< out; empty where it was told to stop
  std::int64_t env_steps = 0;     ///< out
};

/// Trains them again, without a look at how they do. `stop`, `done` (agents so far): called from any thread, one at a time.
void retrain(const Config& config, std::vector<Retrained>& agents, const std::function<bool()>& stop, const std::function<void(int)>& done);

}  // namespace cupg

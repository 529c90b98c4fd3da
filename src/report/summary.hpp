#pragma once
#include <string>

#include "cupg/config.hpp"
#include "cupg/trainer.hpp"

namespace cupg {

/// What became of a training, in a line; for several agents over all of them.
std::string describe_outcome(const Config& config, const TrainResult& result);
/// Figures of one agent's training, or of all agents', a line each.
std::string describe_training(const Config& config, const TrainResult& result);
/// What `math` promises, in a line; empty where there is nothing to say: bits.
std::string describe_math(const std::string& math, const std::string& device);
/// What to try next; `run` is the folder.
std::string suggest_next(const Config& config, const TrainResult& result, const std::string& run);

}  // namespace cupg

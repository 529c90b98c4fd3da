#pragma once
#include <functional>
#include <string>
#include <vector>

#include "cupg/config.hpp"
#include "cupg/trainer.hpp"

namespace cupg {

/// A line of figures: its name, and what follows in a second column.
std::string figure_line(const char* name, const std::string& value);
/// The figure, and its 95 % interval where there is one.
std::string describe_estimate(const Estimate& estimate, int n, const std::function<std::string(double)>& text);

/// What became of a training, in a line; for several agents over all of them.
std::string describe_outcome(const Config& config, const TrainResult& result);
/// Figures of one agent's training, or of all agents', a line each.
std::string describe_training(const Config& config, const TrainResult& result);
/// What `math` promises, in a line; empty where there is nothing to say: bits.
std::string describe_math(const std::string& math, const std::string& device);
/// The interquartile mean of several agents' returns, in a line.
std::string describe_returns(const TrainResult& result);

/// A setting, a preset or a file of settings as the command line gave it.
struct GivenSetting {
  std::string name;                ///< of the option
  std::vector<std::string> words;  ///< --steps 1e6
};
/// What to try next, as at most three commands: of this run with one change. `given`: what the run's command line said; `run`: its folder,
/// or nothing where it was not saved.
std::string suggest_next(const Config& config, const TrainResult& result, const std::vector<GivenSetting>& given, const std::string& run,
                         int columns);

}  // namespace cupg

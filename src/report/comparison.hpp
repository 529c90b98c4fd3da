// Runs held against each other: learning curves, returns, steps to solve (docs/compare.md).
#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cupg/environment.hpp"
#include "cupg/trainer.hpp"
#include "src/report/two_groups.hpp"
#include "src/train/intervals.hpp"

namespace cupg {

/// The mean return over environment steps: of several agents median and quartiles, of one agent itself, without a band.
struct ReturnCurve {
  std::vector<double> env_steps, middle, low, high;
};

/// A run of ours or, as CSV, another program's.
struct ComparedRun {
  std::string name;  ///< as it was given
  char label = 'A';  ///< in texts and pictures
  bool csv = false;
  std::string environment, algorithm;  ///< of ours alone
  bool stops_when_solved = false;
  std::vector<AgentResult> agents;  ///< of CSV: seeds and final returns alone
  Summary summary;
  ReturnCurve curve;

  int n() const { return static_cast<int>(agents.size()); }
};

/// A run against the first one.
struct RunDifference {
  GroupDifference returns;
  bool same_seeds = false;           ///< then `returns` is of the seeds that both have a final return of
  std::optional<double> log_rank_p;  ///< of the steps to solve; of ours alone, and of several agents each
};

struct Comparison {
  std::vector<ComparedRun> runs;
  std::vector<RunDifference> differences;        ///< of the second run, the third ...
  const EnvironmentInfo* environment = nullptr;  ///< none: all are other programs'
  double bottom = 0, top = 0;                    ///< of every return
};

/// So many can be told apart in a picture.
inline constexpr int kMostCompared = 8;

/// Run folders, or CSV files with the columns of numbers seed, step (env_steps, global_step) and return (mean_return, episodic_return): a
/// row a point of a seed's curve, whose final return is the mean of the last tenth of its rows. Throws Error (usage) where one cannot be
/// read, or they are of different environments.
Comparison compare_runs(const std::vector<std::filesystem::path>& paths);

/// Performance profile: the share of a run's measured agents with a final return above tau, and Wilson's interval (Agarwal et al., 2021).
Interval share_above(const ComparedRun& run, double tau);

struct ComparisonStyle {
  int columns = 80;
  bool unicode = true, color = false;
};
/// Learning curves, tables, and every comparison.
std::string comparison_text(const Comparison& comparison, const ComparisonStyle& style);
/// A line a comparison.
std::string comparison_lines(const Comparison& comparison);
nlohmann::ordered_json comparison_json(const Comparison& comparison);
/// Learning curves with bands above, performance profiles below.
std::string comparison_svg(const Comparison& comparison);

}  // namespace cupg

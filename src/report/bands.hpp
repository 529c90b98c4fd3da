// What a page draws of a run's metrics: few points, however many agents and updates there were.
#pragma once
#include <string>
#include <vector>

#include "src/report/table.hpp"

namespace cupg {

/// One metric over the points of a chart; NaN where there is nothing.
struct Band {
  std::string name;
  std::vector<double> middle;              ///< one agent: its mean over the rows that share a point; several: the median
  std::vector<double> low, high;           ///< one agent: least and largest of those rows, or nothing; several: the quartiles
  std::vector<double> lowest, highest;     ///< several agents: the 5 % and the 95 % quantile
  std::vector<std::vector<double>> lines;  ///< every agent's own, where there are few of several
};

struct Bands {
  int agents = 0;
  std::vector<double> env_steps;
  std::vector<double> running;  ///< several agents: how many had not ended before this point
  std::vector<Band> metrics;
  int left_out = 0;  ///< columns beyond kMostMetrics
};

inline constexpr int kMostMetrics = 64, kMostLines = 12;

/// A table with the column env_steps and, for several agents, seed: every other column is a metric. Agents are put on one grid of steps,
/// straight between their rows; who has ended keeps its last value, and who has not begun counts nowhere. No metrics where there
/// are no rows: a run may end before an episode does. Throws Error (usage) that names `source` where there is no env_steps.
Bands make_bands(const std::vector<Column>& table, const std::string& source);

/// Those of several agents as CSV: metric,env_steps,running,p5,p25,p50,p75,p95, a row a metric and point. Throws Error (usage) that names
/// `source` where there are fewer than two agents.
std::string quantiles_csv(const Bands& bands, const std::string& source);

}  // namespace cupg

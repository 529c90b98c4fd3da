// By what points are ranked, and how much the result depends on the settings (docs/sweep.md).
//
//   agents that stop when solved:  restricted mean of the steps to solve, mean of min(T, limit), which is the area under the Kaplan-Meier
//                                  curve up to the limit (Irwin, 1949; Royston and Parmar, 2013); a diverged agent counts as the limit.
//                                  Of equals, the larger IQM of final returns
//   otherwise:                     the interquartile mean of the final returns; an agent without one counts as the least possible return
#pragma once
#include <optional>
#include <vector>

#include "cupg/environment.hpp"
#include "src/sweep/rows.hpp"

namespace cupg {

struct SweepScore {
  double figure = 0;       ///< that points are ranked by
  double mean_return = 0;  ///< IQM of the final returns
  int agents = 0, solved = 0;
};

/// Whether smaller figures are better: environment steps.
bool by_steps(const Config& config);
bool is_better(const Config& config, const SweepScore& a, const SweepScore& b);
/// `steps`: the agents' limit.
SweepScore score_of(const Config& config, std::int64_t steps, const std::vector<const SweepRow*>& agents);

/// The same with intervals (bootstrap(): none of fewer than six agents), of agents that did not select.
struct SweepReport {
  int point = 0;
  SweepScore score;
  Estimate figure, solved, mean_return, median_steps;
};
SweepReport report_of(const Config& config, std::int64_t steps, int point, const std::vector<const SweepRow*>& agents);
/// Whether the intervals of the figures have a value in common; so do those that are not known.
bool overlap(const Estimate& a, const Estimate& b);
/// The ranks, from 1, of the others whose intervals overlap that of reports[i].
std::vector<std::size_t> overlapping(const std::vector<SweepReport>& reports, std::size_t i);

struct Sensitivity {
  int settings = 0, near = 0;           ///< points, and those within 5 % of the best, itself included
  std::optional<int> needed;            ///< fewest settings that must be tuned to get there; of a grid alone
  std::vector<std::string> references;  ///< [axes] the value that each has where it is not tuned
};
/// Within 5 % of the best: at most its steps / 0.95; of returns at least 95 % of the way from the least possible one to it.
bool is_near(const Config& config, double figure, double best);
/// `scores`: of every point, by its number; `best`: the one that was selected, as the seeds that report have it: as those that selected it
/// have it, it is the luckiest of all, and few others would be near.
Sensitivity sensitivity(const SweepPlan& plan, const std::vector<SweepPoint>& points, const std::vector<SweepScore>& scores,
                        const SweepReport& best);

}  // namespace cupg

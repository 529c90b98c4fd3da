// What each value of a setting comes to, over the values of the others.
#pragma once
#include <string>
#include <vector>

#include "src/sweep/plan.hpp"

namespace cupg {

struct MarginalLevel {
  std::string label;                     ///< the value; of a range the values' median
  double middle = 0, low = 0, high = 0;  ///< median and quartiles of the points' figures
  double best = 0;
  std::vector<double> figures;  ///< of the points
};

/// Of a list each value; of a range its points in kMarginalBins groups of neighbors. `figures`: [points]; `fewer`: the least is the best.
std::vector<MarginalLevel> marginal(const SweepPlan& plan, const std::vector<SweepPoint>& points, const std::vector<double>& figures,
                                    bool fewer, std::size_t axis);
inline constexpr std::size_t kMarginalBins = 8;

}  // namespace cupg

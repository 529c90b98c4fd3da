#include "src/sweep/marginal.hpp"

#include <algorithm>
#include <numeric>

#include "src/train/statistics.hpp"

namespace cupg {
namespace {

/// The points of each level, and its label.
std::vector<std::pair<std::string, std::vector<std::size_t>>> levels_of(const SweepPlan& plan, const std::vector<SweepPoint>& points,
                                                                        std::size_t axis) {
  const SweepAxis& a = plan.axes[axis];
  std::vector<std::pair<std::string, std::vector<std::size_t>>> levels;
  if (a.draw == SweepAxis::Draw::list) {
    for (const OptionValue& value : a.values) {
      auto& level = levels.emplace_back(value_text(a, value), std::vector<std::size_t>());
      for (std::size_t p = 0; p < points.size(); ++p)
        if (points[p][axis] == value) level.second.push_back(p);
    }
    return levels;
  }
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t x, std::size_t y) { return number_of(points[x][axis]) < number_of(points[y][axis]); });
  const std::size_t bins = std::min(kMarginalBins, order.size());
  for (std::size_t b = 0; b < bins; ++b) {
    const std::size_t from = b * order.size() / bins, to = (b + 1) * order.size() / bins;
    const auto begin = order.begin() + static_cast<std::ptrdiff_t>(from), end = order.begin() + static_cast<std::ptrdiff_t>(to);
    levels.emplace_back(value_text(a, points[order[(from + to - 1) / 2]][axis]), std::vector<std::size_t>(begin, end));
  }
  return levels;
}

}  // namespace

std::vector<MarginalLevel> marginal(const SweepPlan& plan, const std::vector<SweepPoint>& points, const std::vector<double>& figures,
                                    bool fewer, std::size_t axis) {
  std::vector<MarginalLevel> all;
  for (const auto& [label, members] : levels_of(plan, points, axis)) {
    if (members.empty()) continue;
    MarginalLevel& level = all.emplace_back();
    level.label = label;
    for (const std::size_t p : members) level.figures.push_back(figures[p]);
    level.middle = quantile(level.figures, 0.5);
    level.low = quantile(level.figures, 0.25);
    level.high = quantile(level.figures, 0.75);
    level.best = fewer ? *std::min_element(level.figures.begin(), level.figures.end())
                       : *std::max_element(level.figures.begin(), level.figures.end());
  }
  return all;
}

}  // namespace cupg

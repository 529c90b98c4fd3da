// A sweep told: tables, JSON, CSV, pictures (docs/sweep.md).
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "src/sweep/run.hpp"

namespace cupg {

struct Sweep {
  const SweepPlan& plan;
  const std::vector<SweepPoint>& points;
  SweepResult result;

  const Config& config() const { return plan.config; }
  /// Of every point, by its number, after the first rung: the last one at which all were.
  std::vector<SweepScore> scores() const;
};

struct SweepStyle {
  int columns = 80;
  bool unicode = true, color = false;
};

/// What it will cost at most, before it begins.
std::string sweep_budget_text(const SweepPlan& plan, const std::vector<SweepPoint>& points);
/// A figure that points are ranked by.
std::string sweep_figure(const Config& config, double figure);
/// "learning-rate 0.01, gamma 0.99"
std::string point_text(const SweepPlan& plan, const SweepPoint& point);

/// The ranked table, what overlaps, how sensitive the result is, and the picture in characters.
std::string sweep_text(const Sweep& sweep, const SweepStyle& style);
/// The best point in a line.
std::string sweep_line(const Sweep& sweep);
nlohmann::ordered_json sweep_json(const Sweep& sweep);
/// A row a point.
std::string points_csv(const Sweep& sweep);

/// Where 0 is the worst and 1 the best figure: of steps by their logarithm.
class GoodnessScale {
 public:
  explicit GoodnessScale(const Sweep& sweep);
  double at(double figure) const;
  double best() const { return best_; }
  double worst() const { return worst_; }

 private:
  bool steps_;
  double best_, worst_;
};

/// Two lists: a heat map; otherwise curves over each setting.
bool has_heat_map(const SweepPlan& plan);
std::string sweep_picture_name(const SweepPlan& plan);
std::string sweep_svg(const Sweep& sweep);

}  // namespace cupg

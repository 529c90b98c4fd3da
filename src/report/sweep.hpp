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
};

/// What the pictures show: a figure of every point after the first rung, the last one at which all were.
struct SweepDrawing {
  explicit SweepDrawing(const Sweep& sweep);
  /// 0 for the worst and 1 for the best figure: of steps by their logarithm.
  double goodness(double figure) const;
  std::string text(double figure) const;

  bool steps;  ///< to solve; otherwise returns: after a first rung of several, few have solved
  const char* name;
  std::vector<SweepScore> scores;  ///< [points]
  std::vector<double> figures;     ///< [points]
  std::size_t best;                ///< a point
  double best_figure = 0, worst_figure = 0;
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

/// Two lists: a heat map; otherwise curves over each setting.
bool has_heat_map(const SweepPlan& plan);
std::string sweep_picture_name(const SweepPlan& plan);
std::string sweep_svg(const Sweep& sweep);

}  // namespace cupg

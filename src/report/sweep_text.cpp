#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "src/report/summary.hpp"
#include "src/report/sweep.hpp"
#include "src/report/text.hpp"
#include "src/report/text_table.hpp"
#include "src/sweep/marginal.hpp"

namespace cupg {
namespace {

std::string percent(double x) { return fmt::format("{:.0f} %", 100 * x); }

/// "seeds 1 to 20"
std::string seeds_text(std::uint64_t first, std::int64_t count) {
  return count == 1 ? fmt::format("seed {}", first) : fmt::format("seeds {} to {}", first, first + static_cast<std::uint64_t>(count - 1));
}
std::string selecting_seeds(const SweepPlan& plan) { return seeds_text(plan.config.seed, plan.config.seeds); }
std::string reporting_seeds(const SweepPlan& plan) { return seeds_text(plan.reporting_seed(), plan.settings.report_seeds); }

const char* figure_name(bool steps) { return steps ? "steps to solve" : "return (IQM)"; }
std::string figure_text(bool steps, double figure) { return steps ? format_count(std::llround(figure)) : fmt::format("{:.1f}", figure); }

std::string ranked_table(const Sweep& s, int columns) {
  const auto figure = [&](double x) { return sweep_figure(s.config(), x); };
  std::vector<std::vector<std::string>> rows{{""}};
  for (const SweepAxis& axis : s.plan.axes) rows[0].emplace_back(axis.option->name);
  rows[0].insert(rows[0].end(), {figure_name(by_steps(s.config())), "solved"});
  if (by_steps(s.config())) rows[0].emplace_back("median");
  rows[0].emplace_back("overlaps");
  const std::vector<SweepReport>& reports = s.result.reports;
  for (std::size_t i = 0; i < reports.size(); ++i) {
    const SweepReport& r = reports[i];
    auto& row = rows.emplace_back(1, fmt::format("{}", i + 1));
    for (std::size_t a = 0; a < s.plan.axes.size(); ++a)
      row.push_back(value_text(s.plan.axes[a], s.points[static_cast<std::size_t>(r.point)][a]));
    row.push_back(estimate_cell(r.figure, figure, "-"));
    row.push_back(percent(r.solved.value.value_or(0)));
    if (by_steps(s.config())) row.push_back(r.median_steps.value ? figure(*r.median_steps.value) : "-");
    const std::vector<std::size_t> others = overlapping(reports, i);
    row.push_back(others.empty() ? "none" : fmt::format("{}", fmt::join(others, ",")));
  }
  return text_table(rows, columns);
}

std::string overlaps(const Sweep& s) {
  const std::vector<SweepReport>& reports = s.result.reports;
  if (reports.size() < 2) return "";
  const std::vector<std::size_t> others = overlapping(reports, 0);
  if (!reports[0].figure.ci95_low) return "These seeds give no interval (a handful is too few), and tell no points apart.\n";
  if (others.empty()) return "The interval of 1 overlaps no other's.\n";
  return fmt::format("The interval of 1 overlaps that of {}: more seeds would narrow them.\n", fmt::join(others, ", "));
}

std::string sensitivity_text(const Sweep& s) {
  if (!s.result.sensitive) return figure_line("sensitivity", "not measured: halving stops most settings early");
  const Sensitivity& x = *s.result.sensitive;
  std::string text = figure_line("within 5 % of the best", fmt::format("{} of {} settings ({:.3g} %)", format_count(x.near),
                                                                       format_count(x.settings), 100.0 * x.near / x.settings));
  if (!x.needed) return text;
  std::string references;
  for (std::size_t a = 0; a < s.plan.axes.size(); ++a)
    references += fmt::format("{}{} {}", a == 0 ? "" : ", ", s.plan.axes[a].option->name, x.references[a]);
  return text + figure_line("must be tuned", fmt::format("{} of {} (from {})", *x.needed, s.plan.axes.size(), references));
}

/// Where the pictures are not of the end.
std::string after_first_rung(const Sweep& s) {
  return s.result.rungs.size() > 1 ? fmt::format(" after {} steps", format_count(s.result.rungs[0].steps)) : "";
}

// ---- pictures in characters ------------------------------------------------------------------------------------------

/// Viridis (van der Walt and Smith, 2015), in the colors that terminals of 256 have.
constexpr std::array kColors{53, 54, 60, 24, 30, 36, 71, 77, 148, 226};
constexpr std::array kShades{"\u00b7", "\u2591", "\u2592", "\u2593", "\u2588"};
constexpr std::string_view kAscii = ".:-=+*#%@";

std::string shade(double goodness, int width, bool best, const SweepStyle& style) {
  const auto level = [&](std::size_t levels) {
    return std::min(levels - 1, static_cast<std::size_t>(goodness * static_cast<double>(levels)));
  };
  const int before = (width - 1) / 2, after = width - 1 - before;
  const auto around = [&](const std::string& fill, const std::string& middle) {
    std::string text;
    for (int i = 0; i < before; ++i) text += fill;
    text += middle;
    for (int i = 0; i < after; ++i) text += fill;
    return text;
  };
  const std::string mark = style.unicode ? "\u25c6" : "X";
  if (style.color) {
    const std::size_t i = level(kColors.size());
    return fmt::format("\x1b[48;5;{};38;5;{}m{}\x1b[0m", kColors[i], i < 5 ? 231 : 16, around(" ", best ? mark : " "));
  }
  const std::string fill = style.unicode ? kShades[level(kShades.size())] : std::string(1, kAscii[level(kAscii.size())]);
  return around(fill, best ? mark : fill);
}

std::string heat_map(const Sweep& s, const SweepStyle& style) {
  const SweepAxis &down = s.plan.axes[0], &across = s.plan.axes[1];
  const SweepDrawing d(s);
  int label = 0;
  for (const OptionValue& v : down.values) label = std::max(label, columns_of(value_text(down, v)));
  const auto n = static_cast<int>(across.values.size());
  const int width = std::min(8, (style.columns - label - 3) / n);
  if (width < 1) return fmt::format("  (no room for a heat map of {} columns: {} has it)\n", n, sweep_picture_name(s.plan));
  std::string text = wrapped(
      fmt::format("  {} of each point{}, {} down, {} across\n", d.name, after_first_rung(s), down.option->name, across.option->name),
      style.columns);
  for (std::size_t row = 0; row < down.values.size(); ++row) {
    text += fmt::format("  {:>{}} ", value_text(down, down.values[row]), label);
    for (std::size_t c = 0; c < across.values.size(); ++c) {
      const std::size_t p = row * across.values.size() + c;
      text += shade(d.goodness(d.figures[p]), width, p == d.best, style);
    }
    text += "\n";
  }
  // labels below, as many as have room
  std::string labels;
  const std::string indent(static_cast<std::size_t>(label) + 3, ' ');
  for (int c = 0; c < n; ++c) {
    const std::string value = value_text(across, across.values[static_cast<std::size_t>(c)]);
    const int at = c * width + std::max(0, (width - columns_of(value)) / 2);
    if (columns_of(labels) > 0 && at < columns_of(labels) + 1) continue;
    if (label + 3 + at + columns_of(value) > style.columns) continue;
    labels.resize(static_cast<std::size_t>(at), ' ');
    labels += value;
  }
  text += indent + labels + "\n";
  std::string legend;
  for (int i = 0; i <= 9; ++i) legend += shade(i / 9.0, 2, false, style);
  return text + fmt::format("  {} {} {}   {} is the best\n", d.text(d.worst_figure), legend, d.text(d.best_figure),
                            style.unicode ? "\u25c6" : "X");
}

/// `bar`: of a level's goodness, in a last column that takes the room that is left.
std::string level_table(std::vector<std::vector<std::string>> rows, const std::vector<double>& goodness, const SweepStyle& style) {
  constexpr int kLeast = 6, kMost = 30;
  int width = 2;
  for (std::size_t c = 0; c < rows[0].size(); ++c) {
    int widest = 0;
    for (const auto& row : rows) widest = std::max(widest, columns_of(row[c]));
    width += widest + 2;
  }
  const int room = std::min(kMost, style.columns - width);
  if (room < kLeast) return text_table(rows, style.columns);
  rows[0].emplace_back();
  for (std::size_t i = 0; i < goodness.size(); ++i) {
    std::string bar;
    for (int k = 0; k < static_cast<int>(std::lround(goodness[i] * room)); ++k) bar += style.unicode ? "\u2588" : "#";
    rows[i + 1].push_back(std::move(bar));
  }
  return text_table(rows, style.columns);
}

std::string marginals(const Sweep& s, const SweepStyle& style) {
  const SweepDrawing d(s);
  const bool alone = s.plan.axes.size() == 1 && s.plan.axes[0].draw == SweepAxis::Draw::list;  // a point each
  std::string text = wrapped(fmt::format("  {} of each point{}{}\n", d.name, after_first_rung(s),
                                         alone ? "" : ": median [quartiles] and best of those with a value"),
                             style.columns);
  for (std::size_t a = 0; a < s.plan.axes.size(); ++a) {
    std::vector<std::vector<std::string>> rows{{std::string(s.plan.axes[a].option->name), "points", "median", "best"}};
    if (alone) rows[0] = {rows[0][0], ""};
    std::vector<double> goodness;
    for (const MarginalLevel& level : marginal(s.plan, s.points, d.figures, d.steps, a)) {
      auto& row = rows.emplace_back(1, level.label);
      if (alone) {
        row.push_back(d.text(level.middle));
      } else {
        row.insert(row.end(),
                   {format_count(std::ssize(level.figures)),
                    fmt::format("{} [{}, {}]", d.text(level.middle), d.text(level.low), d.text(level.high)), d.text(level.best)});
      }
      goodness.push_back(d.goodness(level.middle));
    }
    text += level_table(std::move(rows), goodness, style);
  }
  return text;
}

}  // namespace

SweepDrawing::SweepDrawing(const Sweep& s)
    : steps(by_steps(s.config()) && s.result.rungs.size() == 1),
      name(figure_name(steps)),
      scores(s.points.size()),
      best(static_cast<std::size_t>(s.result.rungs[0].points[0])) {
  const SweepRung& rung = s.result.rungs[0];
  for (std::size_t i = 0; i < rung.points.size(); ++i) scores[static_cast<std::size_t>(rung.points[i])] = rung.scores[i];
  for (const SweepScore& score : scores) figures.push_back(steps ? score.figure : score.mean_return);
  const auto [least, most] = std::minmax_element(figures.begin(), figures.end());
  best_figure = steps ? *least : *most, worst_figure = steps ? *most : *least;
}

double SweepDrawing::goodness(double figure) const {
  const auto along = [&](double x) { return steps ? -std::log(x) : x; };
  const double low = along(worst_figure), high = along(best_figure);
  return high > low ? std::clamp((along(figure) - low) / (high - low), 0.0, 1.0) : 1.0;
}

std::string SweepDrawing::text(double figure) const { return figure_text(steps, figure); }

bool has_heat_map(const SweepPlan& plan) {
  return plan.axes.size() == 2 && plan.axes[0].draw == SweepAxis::Draw::list && plan.axes[1].draw == SweepAxis::Draw::list;
}
std::string sweep_picture_name(const SweepPlan& plan) { return has_heat_map(plan) ? "heatmap.svg" : "marginals.svg"; }

std::string sweep_figure(const Config& config, double figure) { return figure_text(by_steps(config), figure); }

std::string point_text(const SweepPlan& plan, const SweepPoint& point) {
  std::string text;
  for (std::size_t a = 0; a < plan.axes.size(); ++a)
    text += fmt::format("{}{} {}", a == 0 ? "" : ", ", plan.axes[a].option->name, value_text(plan.axes[a], point[a]));
  return text;
}

std::string sweep_budget_text(const SweepPlan& plan, const std::vector<SweepPoint>& points) {
  const SweepBudget all = budget(plan, points.size());
  const SweepSettings& s = plan.settings;
  const std::vector<std::int64_t> steps = rung_steps(plan, points.size());
  std::string text = figure_line("points", fmt::format("{}, with {} each", format_count(std::ssize(points)), selecting_seeds(plan)));
  for (std::size_t r = 0; steps.size() > 1 && r < steps.size(); ++r) {
    const auto left = static_cast<std::int64_t>(points_of_rung(plan, points.size(), r));
    text += figure_line(r == 0 ? "halving" : "", fmt::format("{} points to {} steps", format_count(left), format_count(steps[r])));
  }
  text += figure_line("reported", fmt::format("the best {}, with {} each", s.report, reporting_seeds(plan)));
  return text + figure_line("budget",
                            fmt::format("{} agents, at most {} environment steps{}", format_count(all.agents), format_count(all.env_steps),
                                        steps.size() > 1 ? " (each rung trains anew who has not ended)" : ""));
}

std::string sweep_text(const Sweep& s, const SweepStyle& style) {
  std::string text = has_heat_map(s.plan) ? heat_map(s, style) : marginals(s, style);
  text += "\n" + wrapped(fmt::format("  the best {} of {} points by {}; figures of {}, [95 % interval]\n", s.result.reports.size(),
                                     format_count(std::ssize(s.points)), selecting_seeds(s.plan), reporting_seeds(s.plan)),
                         style.columns);
  text += ranked_table(s, style.columns);
  text += "\n" + wrapped(overlaps(s) + sensitivity_text(s), style.columns);
  if (by_steps(s.config()))
    text += wrapped(
        fmt::format("Steps to solve: mean over the agents, one that did not solve counted as {}.\n", format_count(s.config().steps)),
        style.columns);
  return text;
}

std::string sweep_line(const Sweep& s) {
  const SweepReport& best = s.result.reports.front();
  return fmt::format("best of {} points: {}: {} {}\n", format_count(std::ssize(s.points)),
                     point_text(s.plan, s.points[static_cast<std::size_t>(best.point)]), figure_name(by_steps(s.config())),
                     describe_estimate(best.figure, best.score.agents, [&](double x) { return sweep_figure(s.config(), x); }));
}

}  // namespace cupg

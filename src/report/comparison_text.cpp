#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "src/api/text.hpp"
#include "src/report/comparison.hpp"
#include "src/report/curve.hpp"
#include "src/report/summary.hpp"
#include "src/report/text.hpp"
#include "src/report/text_table.hpp"

namespace cupg {
namespace {

/// Of the first run, the second ...: what ESC [ ... m takes.
constexpr std::array<int, kMostCompared> kColors{34, 33, 35, 32, 36, 31, 94, 90};

/// A return: with so many decimals that a thousandth of what returns can be shows.
ToText figures_of(const Comparison& c) {
  const int decimals = std::clamp(3 - static_cast<int>(std::floor(std::log10(c.top - c.bottom))), 1, 9);
  return [decimals](double x) { return std::abs(x) < 1e7 ? fmt::format("{:.{}f}", x, decimals) : fmt::format("{:.4g}", x); };
}
/// The difference of two.
ToText signed_figures_of(const Comparison& c) {
  return [figure = figures_of(c)](double x) { return (x >= 0 ? "+" : "") + figure(x); };
}
std::string two_decimals(double x) { return fmt::format("{:.2f}", x); }
std::string percent(double x) { return fmt::format("{:.0f} %", 100 * x); }
std::string p_value(double p) { return p < 1e-300 ? "p < 1e-300" : fmt::format("p = {:.2g}", p); }

std::string colored(const ComparedRun& run, const ComparisonStyle& style) {
  const auto i = static_cast<std::size_t>(run.label - 'A');
  return style.color ? fmt::format("\x1b[{}m{}\x1b[0m", kColors[i], run.label) : std::string(1, run.label);
}

/// Who is who.
std::string legend(const Comparison& c, const ComparisonStyle& style) {
  std::string text;
  for (const ComparedRun& run : c.runs) {
    std::int64_t steps = 0;
    for (const AgentResult& agent : run.agents) steps = std::max(steps, agent.env_steps);
    const std::uint64_t first = run.agents.front().seed, last = run.agents.back().seed;
    const std::string agents =
        run.n() == 1 ? fmt::format("seed {} (n = 1, no interval), {} steps", first, format_count(steps))
                     : fmt::format("{} agents, seeds {} to {}, up to {} steps", format_count(run.n()), first, last, format_count(steps));
    text += wrapped(fmt::format("{}  {}: {}{}\n", run.label, one_line(run.name),
                                run.csv ? "" : fmt::format("{}, {}, ", run.environment, run.algorithm), agents),
                    style.columns)
                .replace(0, 1, colored(run, style));
  }
  return text;
}

std::string curves(const Comparison& c, const ComparisonStyle& style) {
  std::vector<std::vector<CurvePoint>> points(c.runs.size());
  std::vector<DrawnCurve> drawn;
  for (std::size_t i = 0; i < c.runs.size(); ++i) {
    const ReturnCurve& curve = c.runs[i].curve;
    for (std::size_t k = 0; k < curve.env_steps.size(); ++k) {
      CurvePoint& p = points[i].emplace_back();
      p.env_steps = std::llround(curve.env_steps[k]);
      p.mean_return = curve.middle[k];
    }
    drawn.push_back({points[i], c.runs[i].label, style.color ? kColors[i] : 0});
  }
  CurveStyle axes;
  axes.columns = std::min(style.columns, 100);
  axes.unicode = style.unicode;
  axes.bottom = c.bottom, axes.top = c.top;
  axes.threshold = c.environment != nullptr ? c.environment->reward_threshold : c.bottom;
  const bool several = std::any_of(c.runs.begin(), c.runs.end(), [](const ComparedRun& run) { return run.n() > 1; });
  axes.title = several ? "mean return of the training episodes, median over the agents" : axes.title;
  return draw_curves(drawn, axes);
}

std::string runs_table(const Comparison& c, const ComparisonStyle& style) {
  const ToText figure = figures_of(c);
  std::vector<std::vector<std::string>> rows{{"", "n", "return (IQM)", "worst", "solved", "steps to solve"}};
  for (const ComparedRun& run : c.runs) {
    const Summary& s = run.summary;
    rows.push_back({colored(run, style), format_count(s.measured), estimate_cell(s.iqm, figure, "not measured"),
                    s.worst ? figure(*s.worst) : "-", run.csv ? "-" : percent(s.solved_fraction.value.value_or(0)),
                    run.csv ? "-" : estimate_cell(s.median_steps_to_solve(), format_rate, "not reached")});
  }
  return wrapped("  final returns of n agents, median steps to solve, [95 % interval]\n", style.columns) + text_table(rows, style.columns);
}

std::string profiles_table(const Comparison& c, const ComparisonStyle& style) {
  std::vector<double> taus;
  for (const double part : {0.2, 0.4, 0.6, 0.8}) taus.push_back(c.bottom + part * (c.top - c.bottom));
  if (c.environment != nullptr) taus.push_back(c.environment->reward_threshold);
  std::sort(taus.begin(), taus.end());
  taus.erase(std::unique(taus.begin(), taus.end()), taus.end());
  std::vector<std::vector<std::string>> rows{{""}};
  for (const double tau : taus) rows[0].push_back("> " + fmt::format("{:g}", tau));
  for (const ComparedRun& run : c.runs) {
    if (run.summary.measured == 0) continue;
    auto& row = rows.emplace_back(1, colored(run, style));
    for (const double tau : taus) row.push_back(percent(share_above(run, tau).value));
  }
  return wrapped("  performance profile: agents with a final return\n", style.columns) + text_table(rows, style.columns);
}

std::string described(const Estimate& e, const GroupDifference& d, const ToText& text) {
  return e.value ? describe_estimate(e, std::min(d.n_x, d.n_y), text) : "not measured";
}

std::string difference_text(const Comparison& c, std::size_t i) {
  const ComparedRun &run = c.runs[i + 1], &first = c.runs[0];
  const RunDifference& difference = c.differences[i];
  const GroupDifference& d = difference.returns;
  std::string text = fmt::format("{} against {}, ", run.label, first.label);
  if (difference.same_seeds) {
    text += d.n_x == run.n() ? fmt::format("paired by {} seed{}\n", format_count(d.n_x), d.n_x == 1 ? "" : "s")
                             : fmt::format("paired by those {} of {} seeds that both have a final return of\n", format_count(d.n_x),
                                           format_count(run.n()));
  } else {
    text += fmt::format("not paired: the seeds differ ({} and {} agents)\n", format_count(d.n_x), format_count(d.n_y));
  }
  text += figure_line("mean difference", described(d.difference, d, signed_figures_of(c)));
  text += figure_line(fmt::format("P({} > {})", run.label, first.label).c_str(), described(d.probability, d, two_decimals));
  if (d.n_x > 1 && d.n_y > 1) {
    const std::string none = "not defined: neither has any spread";
    text += figure_line(d.paired ? "Welch's t (no pairs)" : "Welch's t-test", d.welch_p ? p_value(*d.welch_p) : none);
    text += figure_line("detectable", d.detectable_difference
                                          ? fmt::format("a difference of {} (80 % power at 5 %)", figures_of(c)(*d.detectable_difference))
                                          : none);
  }
  if (difference.log_rank_p) text += figure_line("steps to solve", p_value(*difference.log_rank_p) + " (log-rank test)");
  if (run.stops_when_solved || first.stops_when_solved)
    text += figure_line("", "of agents that stop when solved: to compare settings,") +
            figure_line("", "take their steps to solve, not their returns");
  return text;
}

}  // namespace

std::string comparison_text(const Comparison& c, const ComparisonStyle& style) {
  std::string text = legend(c, style);
  if (const std::string drawn = curves(c, style); !drawn.empty()) text += "\n" + drawn;
  text += "\n" + runs_table(c, style) + "\n" + profiles_table(c, style);
  for (std::size_t i = 0; i < c.differences.size(); ++i) text += "\n" + wrapped(difference_text(c, i), style.columns);
  std::string notes;
  if (c.differences.size() > 1)
    notes += fmt::format("{} comparisons with A: nothing here is corrected for their number.\n", c.differences.size());
  constexpr int kFewForAMean = 50;  // measured: docs/statistics.md
  if (std::any_of(c.differences.begin(), c.differences.end(), [](const RunDifference& d) {
        return d.returns.difference.ci95_low && std::min(d.returns.n_x, d.returns.n_y) < kFewForAMean;
      }))
    notes += fmt::format("Of fewer than {} agents with skewed returns, the interval of a mean difference is too narrow.\n", kFewForAMean);
  if (std::any_of(c.runs.begin(), c.runs.end(), [](const ComparedRun& run) { return run.csv; }))
    notes += "The final return of an agent of a CSV file is the mean of the last tenth of its rows; that of ours is of greedy episodes.\n";
  return text + (notes.empty() ? "" : "\n" + wrapped(notes, style.columns));
}

std::string comparison_lines(const Comparison& c) {
  std::string text;
  for (std::size_t i = 0; i < c.differences.size(); ++i) {
    const RunDifference& difference = c.differences[i];
    const GroupDifference& d = difference.returns;
    text += fmt::format("{} against {}: mean difference {}{}{}\n", one_line(c.runs[i + 1].name), one_line(c.runs[0].name),
                        described(d.difference, d, signed_figures_of(c)), d.welch_p ? ", Welch's " + p_value(*d.welch_p) : "",
                        difference.log_rank_p ? ", steps to solve: " + p_value(*difference.log_rank_p) : "");
  }
  return text;
}

}  // namespace cupg

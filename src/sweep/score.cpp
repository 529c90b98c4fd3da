#include "src/sweep/score.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "src/train/statistics.hpp"

namespace cupg {
namespace {

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::vector<double> returns_of(const Config& config, const std::vector<const SweepRow*>& agents) {
  std::vector<double> values;
  for (const SweepRow* a : agents) values.push_back(a->final_return.value_or(find_environment(config.environment).min_return));
  return values;
}

std::vector<double> restricted_steps(std::int64_t limit, const std::vector<const SweepRow*>& agents) {
  std::vector<double> values;
  for (const SweepRow* a : agents)
    values.push_back(static_cast<double>(a->solved_env_steps > 0 ? std::min(a->solved_env_steps, limit) : limit));
  return values;
}

/// A list's value that is nearest to the configuration's own: of positive numbers by their ratio; of others the same one, or the first.
std::size_t reference_of(const SweepPlan& plan, const SweepAxis& axis) {
  const OptionValue own = axis.option->get(plan.config);
  const auto same = std::find(axis.values.begin(), axis.values.end(), own);
  if (same != axis.values.end()) return static_cast<std::size_t>(same - axis.values.begin());
  const double y = number_of(own);
  std::size_t nearest = 0;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < axis.values.size(); ++i) {
    const double x = number_of(axis.values[i]);
    const double distance = x > 0 && y > 0 ? std::abs(std::log(x / y)) : std::abs(x - y);
    if (distance < least) least = distance, nearest = i;  // not where one of them is no number
  }
  return nearest;
}

}  // namespace

bool by_steps(const Config& config) { return config.stop_when_solved; }

bool is_better(const Config& config, const SweepScore& a, const SweepScore& b) {
  if (a.figure != b.figure) return by_steps(config) ? a.figure < b.figure : a.figure > b.figure;
  return a.mean_return > b.mean_return;
}

SweepScore score_of(const Config& config, std::int64_t steps, const std::vector<const SweepRow*>& agents) {
  SweepScore s;
  s.agents = static_cast<int>(agents.size());
  s.solved = static_cast<int>(std::count_if(agents.begin(), agents.end(), [](const SweepRow* a) { return a->solved_env_steps > 0; }));
  std::vector<double> returns = returns_of(config, agents);
  std::sort(returns.begin(), returns.end());
  s.mean_return = interquartile_mean(returns);
  s.figure = by_steps(config) ? mean(restricted_steps(steps, agents)) : s.mean_return;
  return s;
}

SweepReport report_of(const Config& config, std::int64_t steps, int point, const std::vector<const SweepRow*>& agents) {
  SweepReport r;
  r.point = point;
  r.score = score_of(config, steps, agents);
  r.mean_return = bootstrap(returns_of(config, agents), interquartile_mean);
  r.figure = by_steps(config) ? bootstrap(restricted_steps(steps, agents), mean) : r.mean_return;
  std::vector<AgentResult> results;
  for (const SweepRow* a : agents) {
    AgentResult& result = results.emplace_back();
    result.outcome = a->outcome;
    result.solved_env_steps = a->solved_env_steps;
    result.env_steps = a->env_steps;
    result.final_return = a->final_return;
  }
  const Summary summary = summarize(results);
  r.solved = summary.solved_fraction;
  r.median_steps = summary.median_steps_to_solve();
  return r;
}

bool overlap(const Estimate& a, const Estimate& b) {
  if (!a.ci95_low || !a.ci95_high || !b.ci95_low || !b.ci95_high) return true;
  return *a.ci95_low <= *b.ci95_high && *b.ci95_low <= *a.ci95_high;
}

std::vector<std::size_t> overlapping(const std::vector<SweepReport>& reports, std::size_t i) {
  std::vector<std::size_t> ranks;
  for (std::size_t k = 0; k < reports.size(); ++k)
    if (k != i && overlap(reports[i].figure, reports[k].figure)) ranks.push_back(k + 1);
  return ranks;
}

bool is_near(const Config& config, double figure, double best) {
  constexpr double kShare = 0.95;
  if (by_steps(config)) return figure <= best / kShare;
  const double least = find_environment(config.environment).min_return;
  return figure - least >= kShare * (best - least);
}

Sensitivity sensitivity(const SweepPlan& plan, const std::vector<SweepPoint>& points, const std::vector<SweepScore>& scores,
                        const SweepReport& best) {
  Sensitivity s;
  s.settings = static_cast<int>(points.size());
  const bool grid = plan.settings.points == 0;
  std::vector<std::size_t> references;
  if (grid)
    for (const SweepAxis& axis : plan.axes) {
      references.push_back(reference_of(plan, axis));
      s.references.push_back(value_text(axis, axis.values[references.back()]));
    }
  for (std::size_t p = 0; p < points.size(); ++p) {
    if (static_cast<int>(p) != best.point && !is_near(plan.config, scores[p].figure, best.score.figure)) continue;
    ++s.near;
    if (!grid) continue;
    int tuned = 0;
    for (std::size_t a = 0; a < plan.axes.size(); ++a) tuned += points[p][a] != plan.axes[a].values[references[a]] ? 1 : 0;
    s.needed = std::min(s.needed.value_or(tuned), tuned);
  }
  return s;
}

}  // namespace cupg

#include "src/train/survival.hpp"

#include <algorithm>
#include <cmath>

#include "src/train/intervals.hpp"

namespace cupg {

std::vector<SurvivalPoint> kaplan_meier(std::vector<Duration> durations) {
  std::sort(durations.begin(), durations.end(), [](const Duration& a, const Duration& b) { return a.time < b.time; });
  std::vector<SurvivalPoint> curve;
  double survival = 1, greenwood = 0;
  for (auto first = durations.begin(); first != durations.end();) {
    const auto last = std::find_if(first, durations.end(), [&](const Duration& d) { return d.time != first->time; });
    const double events = static_cast<double>(std::count_if(first, last, [](const Duration& d) { return d.event; }));
    const double at_risk = static_cast<double>(durations.end() - first);
    if (events > 0) {
      survival *= 1 - events / at_risk;
      greenwood += events / (at_risk * (at_risk - events));
      SurvivalPoint& p = curve.emplace_back();
      p.env_steps = static_cast<std::int64_t>(first->time);
      p.at_risk = static_cast<int>(at_risk);
      p.solved = static_cast<int>(events);
      p.unsolved = survival;
      if (survival > 0) {
        const double width = kNormal975 * std::sqrt(greenwood) / std::abs(std::log(survival));
        p.ci95_low = std::pow(survival, std::exp(width));
        p.ci95_high = std::pow(survival, std::exp(-width));
      }
    }
    first = last;
  }
  return curve;
}

Estimate survival_quantile(const std::vector<SurvivalPoint>& curve, double q) {
  constexpr double kRounding = 1e-12;  // of a product of up to a million factors, more or less: 5 of 10 are a half
  const auto first = [&](auto bound) -> std::optional<double> {
    for (const SurvivalPoint& p : curve)
      if (const std::optional<double> s = bound(p); s && *s <= 1 - q + kRounding) return static_cast<double>(p.env_steps);
    return std::nullopt;
  };
  Estimate e;
  e.value = first([](const SurvivalPoint& p) { return std::optional(p.unsolved); });
  // all may be later than the quantile, and then no end of the interval holds it
  if (curve.empty() || std::pow(1 - q, curve.front().at_risk) > 0.05) return e;
  // the lower end of S gets there first; where nobody is left it is 0, and the upper end is unknown
  e.ci95_low = first([](const SurvivalPoint& p) { return p.unsolved > 0 ? p.ci95_low : 0.0; });
  e.ci95_high = first([](const SurvivalPoint& p) { return p.ci95_high; });
  return e;
}

std::optional<double> log_rank_p(const std::vector<Duration>& x, const std::vector<Duration>& y) {
  std::vector<double> events;
  for (const auto* group : {&x, &y})
    for (const Duration& d : *group)
      if (d.event) events.push_back(d.time);
  std::sort(events.begin(), events.end());
  events.erase(std::unique(events.begin(), events.end()), events.end());
  const auto count = [](const std::vector<Duration>& group, auto which) {
    return static_cast<double>(std::count_if(group.begin(), group.end(), which));
  };
  double excess = 0, variance = 0;
  for (const double time : events) {
    const auto at_risk = [&](const Duration& d) { return d.time >= time; };
    const auto event = [&](const Duration& d) { return d.event && d.time == time; };
    const double n_x = count(x, at_risk), n_y = count(y, at_risk), n = n_x + n_y;
    const double d_x = count(x, event), d = d_x + count(y, event);
    excess += d_x - d * n_x / n;
    if (n > 1) variance += d * (n_x / n) * (n_y / n) * (n - d) / (n - 1);
  }
  if (!(variance > 0)) return std::nullopt;
  return std::erfc(std::abs(excess) / std::sqrt(2 * variance));  // that a normal number is as far from 0
}

}  // namespace cupg

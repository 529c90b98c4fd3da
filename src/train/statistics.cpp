#include "src/train/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/math/philox.hpp"
#include "kernels/metrics/quantiles.hpp"
#include "src/train/intervals.hpp"
#include "src/train/tolerance.hpp"

namespace cupg {

double interquartile_mean(std::span<const double> sorted) {
  const std::size_t cut = sorted.size() / 4;
  const auto middle = sorted.subspan(cut, sorted.size() - 2 * cut);
  return std::accumulate(middle.begin(), middle.end(), 0.0) / static_cast<double>(middle.size());
}

double quantile(std::vector<double> values, double q) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::sort(values.begin(), values.end());
  return quantile_of_sorted(std::ssize(values), q, [&](std::int64_t rank) { return values[static_cast<std::size_t>(rank)]; });
}

namespace {

constexpr std::uint32_t kResamples = 2000;

/// How often resample number `r` draws each value.
void draw_resample(std::uint32_t r, std::span<int> times) {
  constexpr std::uint64_t kKey = 0x626f6f74;
  const std::size_t n = times.size();
  std::fill(times.begin(), times.end(), 0);
  for (std::size_t i = 0; i < n; i += 4) {
    const auto drawn = philox4x32(static_cast<std::uint32_t>(i / 4), r, 0, 0, kKey);
    for (std::size_t j = 0; j < 4 && i + j < n; ++j) times[(std::uint64_t{drawn.word[j]} * n) >> 32] += 1;
  }
}

}  // namespace

Estimate bootstrap(std::vector<double> values, const std::function<double(std::span<const double>)>& statistic) {
  constexpr std::size_t kFewest = 6, kFewestAlike = 11;
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  Estimate e{statistic(values), {}, {}};
  if (n < kFewest || (n < kFewestAlike && values.front() == values.back())) return e;

  std::vector<double> statistics, sample(n);
  std::vector<int> times(n);  // that each value is drawn, so that a sample comes out sorted
  for (std::uint32_t r = 0; r < kResamples; ++r) {
    draw_resample(r, times);
    auto end = sample.begin();
    for (std::size_t i = 0; i < n; ++i) end = std::fill_n(end, times[i], values[i]);
    statistics.push_back(statistic(sample));
  }
  std::sort(statistics.begin(), statistics.end());
  const auto at = [&](double q) {
    return quantile_of_sorted(kResamples, q, [&](std::int64_t rank) { return statistics[static_cast<std::size_t>(rank)]; });
  };
  const double freedom = static_cast<double>(n - 1), z = student_t975(freedom) * std::sqrt(static_cast<double>(n) / freedom);
  const double tail = std::erfc(z / std::sqrt(2)) / 2;  // that a normal number is above z
  e.ci95_low = at(tail);
  e.ci95_high = at(1 - tail);
  return e;
}

namespace {

Estimate fraction(std::int64_t hits, int n, bool known) {
  if (n == 0) return {};
  const Interval i = proportion_interval(static_cast<double>(hits), n);
  if (n == 1 || !known) return {i.value, {}, {}};
  return {i.value, i.low, i.high};
}

}  // namespace

Duration time_to_solve(const AgentResult& a) {
  if (a.solved_env_steps > 0) return {static_cast<double>(a.solved_env_steps), true};
  return {a.outcome == Outcome::diverged ? std::numeric_limits<double>::infinity() : static_cast<double>(a.env_steps), false};
}

Summary summarize(const std::vector<AgentResult>& agents) {
  Summary s;
  s.n = static_cast<int>(agents.size());
  std::vector<double> returns, seconds;
  std::vector<Duration> durations;
  bool all_ended = true;
  int holds = 0;
  for (const AgentResult& a : agents) {
    const bool solved = a.solved_env_steps > 0;
    if (a.final_return) {
      returns.push_back(*a.final_return);
      holds += a.outcome == Outcome::solved;
    }
    if (solved) seconds.push_back(a.solved_seconds);
    durations.push_back(time_to_solve(a));
    all_ended = all_ended && (solved || a.outcome != Outcome::interrupted);
  }
  if (agents.empty()) return s;
  s.measured = static_cast<int>(returns.size());
  s.iqm = bootstrap(returns, interquartile_mean);
  s.return_tolerance = tolerance_interval(returns);
  if (!returns.empty()) s.worst = *std::min_element(returns.begin(), returns.end());

  s.censored = s.n - static_cast<int>(seconds.size());
  s.solved_fraction = fraction(std::ssize(seconds), s.n, all_ended);
  s.holding_fraction = fraction(holds, s.measured, true);
  s.steps_tolerance = tolerance_interval(durations);
  s.survival = kaplan_meier(std::move(durations));
  for (std::size_t i = 0; i < kSolvedShares.size(); ++i) s.steps_to_solve[i] = survival_quantile(s.survival, kSolvedShares[i]);
  if (seconds.empty()) return s;
  s.solved_seconds_median = quantile(seconds, 0.5);
  s.solved_seconds_p99 = quantile(seconds, 0.99);
  return s;
}

}  // namespace cupg

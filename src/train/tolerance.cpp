#include "src/train/tolerance.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cupg {
namespace {

/// Of two lists of as many values, the one end in the first and the other in the second.
ToleranceInterval between(std::vector<double> lower, std::vector<double> upper) {
  const auto ranks = tolerance_ranks(static_cast<int>(lower.size()));
  if (!ranks) return {};
  const auto at = [](std::vector<double>& values, int rank) -> std::optional<double> {
    const auto place = values.begin() + (rank - 1);
    std::nth_element(values.begin(), place, values.end());
    return std::isfinite(*place) ? std::optional(*place) : std::nullopt;
  };
  return {at(lower, ranks->low), at(upper, ranks->high)};
}

}  // namespace

std::optional<ToleranceRanks> tolerance_ranks(int n) {
  constexpr double kOutside = 1 - kToleranceShare, kDoubt = 0.05;
  // P(B = k) by its logarithm, from one k to the next: 0.9^n is below the least double from n = 7,000 on
  double log_chance = n * std::log1p(-kOutside), below = 0;
  int k = 0;
  while (k <= n && below + std::exp(log_chance) <= kDoubt) {
    below += std::exp(log_chance);
    log_chance += std::log((n - k) / (k + 1.0)) + std::log(kOutside / (1 - kOutside));
    ++k;
  }
  if (k < 2) return std::nullopt;
  const int low = k / 2;
  return ToleranceRanks{low, n + 1 - (k - low)};
}

ToleranceInterval tolerance_interval(const std::vector<double>& values) { return between(values, values); }

ToleranceInterval tolerance_interval(const std::vector<Duration>& durations) {
  std::vector<double> earliest, latest;
  for (const Duration& d : durations) {
    earliest.push_back(d.time);
    latest.push_back(d.event ? d.time : std::numeric_limits<double>::infinity());
  }
  return between(std::move(earliest), std::move(latest));
}

}  // namespace cupg

#include "src/train/statistics.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/math/philox.hpp"
#include "kernels/metrics/quantiles.hpp"

namespace cupg {

double interquartile_mean(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  // the quarter cut off each end may cut through a value, which then counts for its rest
  const double n = static_cast<double>(values.size()), cut = n / 4;
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double low = std::max(static_cast<double>(i), cut), high = std::min(static_cast<double>(i) + 1, n - cut);
    if (high > low) sum += values[i] * (high - low);
  }
  return sum / (n - 2 * cut);
}

double quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return quantile_of_sorted(std::ssize(values), q, [&](std::int64_t rank) { return values[static_cast<std::size_t>(rank)]; });
}

Summary summarise(const std::vector<AgentResult>& agents) {
  Summary s;
  s.n = static_cast<int>(agents.size());
  std::vector<double> returns, seconds;
  for (const AgentResult& a : agents) {
    if (a.final_return) returns.push_back(*a.final_return);
    if (a.solved_env_steps > 0) seconds.push_back(a.solved_seconds);
  }
  if (returns.empty()) return s;
  s.iqm = interquartile_mean(returns);
  s.solved_fraction = static_cast<double>(seconds.size()) / static_cast<double>(returns.size());
  s.worst = *std::min_element(returns.begin(), returns.end());
  s.solved_seconds_median = quantile(seconds, 0.5);
  s.solved_seconds_p99 = quantile(seconds, 0.99);

  constexpr std::uint32_t kResamples = 2000;
  constexpr std::uint64_t kKey = 0x626f6f74;
  std::vector<double> means;
  std::vector<double> sample(returns.size());
  for (std::uint32_t r = 0; r < kResamples; ++r) {
    for (std::size_t i = 0; i < sample.size(); ++i) {
      const std::uint64_t word = philox4x32(static_cast<std::uint32_t>(i), r, 0, 0, kKey).word[0];
      sample[i] = returns[(word * returns.size()) >> 32];
    }
    means.push_back(interquartile_mean(sample));
  }
  s.ci95_low = quantile(means, 0.025);
  s.ci95_high = quantile(means, 0.975);
  return s;
}

}  // namespace cupg

#include "src/report/two_groups.hpp"

#include <algorithm>
#include <boost/math/distributions/non_central_t.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <numeric>

#include "src/train/intervals.hpp"

namespace cupg {
namespace {

namespace math = boost::math;
/// In double, and NaN instead of exceptions.
using NoThrow = math::policies::policy<math::policies::promote_double<false>, math::policies::domain_error<math::policies::ignore_error>,
                                       math::policies::overflow_error<math::policies::ignore_error>,
                                       math::policies::evaluation_error<math::policies::ignore_error>>;

double mean_of(const std::vector<double>& x) { return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size()); }

/// Of the mean of values: their variance, with divisor n - 1, over n.
double squared_error(const std::vector<double>& x) {
  const double n = static_cast<double>(x.size()), mean = mean_of(x);
  double squares = 0;
  for (const double v : x) squares += (v - mean) * (v - mean);
  return squares / (n - 1) / n;
}

/// Of each x the share of y below it, ties half.
std::vector<double> shares_below(const std::vector<double>& x, std::vector<double> y) {
  std::sort(y.begin(), y.end());
  std::vector<double> shares;
  for (const double v : x) {
    const auto [first, last] = std::equal_range(y.begin(), y.end(), v);
    shares.push_back(static_cast<double>((first - y.begin()) + (last - y.begin())) / 2 / static_cast<double>(y.size()));
  }
  return shares;
}

struct MeanError {
  double error = 0, freedom = 0;  ///< of the difference; 0 where there is no spread
};
MeanError welch(const std::vector<double>& x, const std::vector<double>& y) {
  const double a = squared_error(x), b = squared_error(y);
  if (!(a + b > 0)) return {};
  return {std::sqrt(a + b), (a + b) * (a + b) / (a * a / static_cast<double>(x.size() - 1) + b * b / static_cast<double>(y.size() - 1))};
}
MeanError of_pairs(const std::vector<double>& x, const std::vector<double>& y) {
  std::vector<double> differences;
  for (std::size_t i = 0; i < x.size(); ++i) differences.push_back(x[i] - y[i]);
  return {std::sqrt(squared_error(differences)), static_cast<double>(x.size() - 1)};
}

Interval probability_interval(double p, double n_x, double n_y, double squared_error) {
  double pairs = n_x * n_y / (1 + ((n_x + n_y) / 2 - 1) * ((1 - p) / (2 - p) + p / (1 + p)));
  if (squared_error > 0) pairs = std::min(pairs, p * (1 - p) / squared_error);
  pairs = std::max(pairs, std::min(n_x, n_y));
  return proportion_interval(p * pairs, pairs);
}

/// What |T| is above with a chance of alpha, T Student's t.
double t_limit(double freedom, double alpha) {
  return math::quantile(math::complement(math::students_t_distribution<double, NoThrow>(freedom), alpha / 2));
}

/// The noncentrality for which a two-sided t-test at 5 % has 80 % power.
std::optional<double> detectable_noncentrality(double freedom) {
  constexpr double kAlpha = 0.05, kPower = 0.8, kMost = 1e6;
  const double limit = t_limit(freedom, kAlpha);
  const auto power = [&](double noncentrality) {
    const math::non_central_t_distribution<double, NoThrow> t(freedom, noncentrality);
    return math::cdf(math::complement(t, limit)) + math::cdf(t, -limit);
  };
  double low = 0, high = 1;
  while (power(high) < kPower && high < kMost) low = high, high *= 2;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (power(middle) < kPower ? low : high) = middle;
  }
  if (!(std::abs(power(high) - kPower) < 1e-6)) return std::nullopt;
  return high;
}

}  // namespace

GroupDifference compare_groups(const std::vector<double>& x, const std::vector<double>& y, bool paired) {
  GroupDifference d{static_cast<int>(x.size()), static_cast<int>(y.size()), paired, {}, {}, {}, {}};
  if (x.empty() || y.empty()) return d;
  d.difference.value = mean_of(x) - mean_of(y);
  const std::vector<double> wins_x = shares_below(x, y), wins_y = shares_below(y, x);
  d.probability.value = mean_of(wins_x);
  if (x.size() < 2 || y.size() < 2) return d;

  const Interval i = probability_interval(*d.probability.value, d.n_x, d.n_y, squared_error(wins_x) + squared_error(wins_y));
  d.probability.ci95_low = i.low;
  d.probability.ci95_high = i.high;
  if (const MeanError e = paired ? of_pairs(x, y) : welch(x, y); e.error > 0) {
    const double half = t_limit(e.freedom, 0.05) * e.error;
    d.difference.ci95_low = *d.difference.value - half;
    d.difference.ci95_high = *d.difference.value + half;
  }
  const auto [error, freedom] = welch(x, y);
  if (!(error > 0)) return d;
  const math::students_t_distribution<double, NoThrow> t(freedom);
  d.welch_p = 2 * math::cdf(math::complement(t, std::abs(*d.difference.value) / error));
  if (const auto noncentrality = detectable_noncentrality(freedom)) d.detectable_difference = *noncentrality * error;
  return d;
}

}  // namespace cupg

#include "src/report/two_groups.hpp"

#include <algorithm>
#include <boost/math/distributions/non_central_t.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <numeric>
#include <span>

#include "src/train/statistics.hpp"

namespace cupg {
namespace {

namespace math = boost::math;
/// In double, and NaN instead of exceptions.
using NoThrow = math::policies::policy<math::policies::promote_double<false>, math::policies::domain_error<math::policies::ignore_error>,
                                       math::policies::overflow_error<math::policies::ignore_error>,
                                       math::policies::evaluation_error<math::policies::ignore_error>>;

double mean_of(const std::vector<double>& x) { return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size()); }

/// Of values of which each is there some times.
double mean_of(const std::vector<double>& x, std::span<const int> times) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += times[i] * x[i];
  return sum / static_cast<double>(x.size());
}

/// The positions of values, the smallest first.
std::vector<std::size_t> order_of(const std::vector<double>& x) {
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return x[a] < x[b]; });
  return order;
}

/// P(X > Y), ties half.
class Superiority {
 public:
  Superiority(const std::vector<double>& x, const std::vector<double>& y) : x_(x), y_(y), order_x_(order_of(x)), order_y_(order_of(y)) {}

  double operator()(std::span<const int> times_x, std::span<const int> times_y) const {
    double sum = 0, below = 0, equal = 0;  // of y: how many lie below this x, and how many equal it
    std::size_t next = 0;
    for (std::size_t i = 0; i < order_x_.size(); ++i) {
      const double value = x_[order_x_[i]];
      if (i == 0 || value != x_[order_x_[i - 1]]) {
        below += equal;
        equal = 0;
        for (; next < order_y_.size() && y_[order_y_[next]] <= value; ++next)
          (y_[order_y_[next]] < value ? below : equal) += times_y[order_y_[next]];
      }
      sum += times_x[order_x_[i]] * (below + equal / 2);
    }
    return sum / (static_cast<double>(x_.size()) * static_cast<double>(y_.size()));
  }

 private:
  const std::vector<double>&x_, &y_;
  std::vector<std::size_t> order_x_, order_y_;
};

struct Welch {
  double error = 0, freedom = 0;  ///< of the difference; 0 where neither group has any spread
};
Welch welch(const std::vector<double>& x, const std::vector<double>& y) {
  const auto part = [](const std::vector<double>& values) {  // v / n
    const double n = static_cast<double>(values.size()), mean = mean_of(values);
    double squares = 0;
    for (const double v : values) squares += (v - mean) * (v - mean);
    return squares / (n - 1) / n;
  };
  const double a = part(x), b = part(y);
  if (!(a + b > 0)) return {};
  return {std::sqrt(a + b), (a + b) * (a + b) / (a * a / static_cast<double>(x.size() - 1) + b * b / static_cast<double>(y.size() - 1))};
}

/// The noncentrality for which a two-sided t-test at 5 % has 80 % power.
std::optional<double> detectable_noncentrality(double freedom) {
  constexpr double kAlpha = 0.05, kPower = 0.8, kMost = 1e6;
  const double limit = math::quantile(math::complement(math::students_t_distribution<double, NoThrow>(freedom), kAlpha / 2));
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
  const Superiority superiority(x, y);
  d.difference.value = mean_of(x) - mean_of(y);
  std::vector<int> times_x(x.size(), 1), times_y(y.size(), 1);
  d.probability.value = superiority(times_x, times_y);
  if (x.size() < 2 || y.size() < 2) return d;

  std::vector<double> differences, probabilities;
  for (std::uint32_t r = 0; r < kResamples; ++r) {
    draw_resample(r, 0, times_x);
    draw_resample(r, paired ? 0 : 1, times_y);
    differences.push_back(mean_of(x, times_x) - mean_of(y, times_y));
    probabilities.push_back(superiority(times_x, times_y));
  }
  for (const auto& [estimate, values] : {std::pair(&d.difference, &differences), std::pair(&d.probability, &probabilities)}) {
    estimate->ci95_low = quantile(*values, 0.025);
    estimate->ci95_high = quantile(*values, 0.975);
  }
  const auto [error, freedom] = welch(x, y);
  if (!(error > 0)) return d;
  const math::students_t_distribution<double, NoThrow> t(freedom);
  d.welch_p = 2 * math::cdf(math::complement(t, std::abs(*d.difference.value) / error));
  if (const auto noncentrality = detectable_noncentrality(freedom)) d.detectable_difference = *noncentrality * error;
  return d;
}

}  // namespace cupg

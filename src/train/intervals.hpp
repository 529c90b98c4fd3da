// Confidence intervals of means and proportions.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

namespace cupg {

/// The 97.5 % quantile of the normal distribution.
inline constexpr double kNormal975 = 1.959963984540054;

struct Interval {
  double value = 0, low = 0, high = 0;
};

/// The 97.5 % quantile of Student's t with `freedom` degrees; Cornish-Fisher, exact to 0.1 % from 4 degrees on.
inline double student_t975(double freedom) {
  constexpr double z = kNormal975;
  constexpr double z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z, z9 = z7 * z * z;
  const double f = freedom;
  return z + (z3 + z) / (4 * f) + (5 * z5 + 16 * z3 + 3 * z) / (96 * f * f) + (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * f * f * f) +
         (79 * z9 + 776 * z7 + 1482 * z5 - 1920 * z3 - 945 * z) / (92160 * f * f * f * f);
}

/// Mean and its 95 % interval by Student's t.
inline Interval mean_interval(const std::vector<double>& x) {
  const double n = static_cast<double>(x.size());
  double mean = 0, squares = 0;
  for (const double v : x) mean += v / n;
  for (const double v : x) squares += (v - mean) * (v - mean);
  const double half = x.size() < 2 ? static_cast<double>(INFINITY) : student_t975(n - 1) * std::sqrt(squares / (n - 1) / n);
  return {mean, mean - half, mean + half};
}

/// A proportion and its 95 % interval (Wilson, 1927).
inline Interval proportion_interval(double hits, double n) {
  constexpr double z2 = kNormal975 * kNormal975;
  const double p = hits / n, center = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = std::sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n);
  return {p, std::max(0.0, center - half), std::min(1.0, center + half)};  // 0 and 1 but for rounding
}

}  // namespace cupg

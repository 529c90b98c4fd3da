// Where a share p = 0.9 of all agents lies, with 95 % confidence, whatever their distribution: between two of n values in order.
//
//   the share of all within [x_(l), x_(u)] is Beta(u - l, n - u + l + 1), at least, so that
//   P(share >= p) = P(B >= k), B ~ Binomial(n, 1 - p), k = l + (n + 1 - u)                    Wilks, 1941; Wald, 1943
//   The ends leave out as much as they may: k is the largest with P(B < k) <= 0.05, l = k / 2 rounded down, u = n + 1 - (k - l)
//                                                                Hahn and Meeker, "Statistical Intervals", 1991, 5.3; k >= 2 from n = 46 on
#pragma once
#include <optional>
#include <vector>

#include "cupg/summary.hpp"
#include "src/train/survival.hpp"

namespace cupg {

/// Places in ascending order, from 1.
struct ToleranceRanks {
  int low = 0, high = 0;
};
/// Nothing below kToleranceAgents.
std::optional<ToleranceRanks> tolerance_ranks(int n);

ToleranceInterval tolerance_interval(const std::vector<double>& values);
/// Of the times of the event. The lower end takes the censored ones to have had it at once, the upper end never.
ToleranceInterval tolerance_interval(const std::vector<Duration>& durations);

}  // namespace cupg

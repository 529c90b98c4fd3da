#pragma once
#include <functional>
#include <span>
#include <vector>

#include "cupg/trainer.hpp"

namespace cupg {

/// Mean of the middle half of at least one value, in ascending order: a quarter of them, rounded down, is left out at each end. That is
/// scipy.stats.trim_mean(x, 0.25), which rliable takes (Agarwal et al., "Deep reinforcement learning at the edge of the statistical
/// precipice", 2021): as robust as the median, with a smaller variance.
double interquartile_mean(std::span<const double> sorted);

/// The q-quantile by linear interpolation, q in [0, 1]; NaN of nothing.
double quantile(std::vector<double> values, double q);

/// A statistic of values, and its 95 % interval by the percentile bootstrap (Efron, 1979) with 2,000 resamples and a fixed seed: no
/// interval of one value, nothing of none.
Estimate bootstrap(std::vector<double> values, const std::function<double(std::span<const double> sorted)>& statistic);

/// Agents without a final return are left out of what is said of returns; those that did not solve are censored in the steps to solve.
Summary summarize(const std::vector<AgentResult>& agents);

}  // namespace cupg

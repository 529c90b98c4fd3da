#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cupg/trainer.hpp"
#include "src/train/survival.hpp"

namespace cupg {

/// Mean of the middle half of at least one value, in ascending order: a quarter of them, rounded down, is left out at each end. That is
/// scipy.stats.trim_mean(x, 0.25), which rliable takes (Agarwal et al., "Deep reinforcement learning at the edge of the statistical
/// precipice", 2021): as robust as the median, with a smaller variance.
double interquartile_mean(std::span<const double> sorted);

/// The q-quantile by linear interpolation, q in [0, 1]; NaN of nothing.
double quantile(std::vector<double> values, double q);

/// A statistic of values, and its 95 % interval by the bootstrap with expanded percentiles (Hesterberg, "What teachers should know about
/// the bootstrap", 2015), 2,000 resamples of a fixed seed: the quantiles a and 1 - a of the resampled statistics,
///
///   z_a = -t_{n-1, 0.975} sqrt(n / (n - 1))
///
/// for the plain percentiles (Efron, 1979) hold too little with few values. No interval where none would hold its 95 %: of fewer than 6
/// values, as even their whole range misses the median with 2^(1-n), and of fewer than 11 that are all the same, as a quarter of all may
/// differ and nobody see it with 0.75^n. Nothing of no values.
Estimate bootstrap(std::vector<double> values, const std::function<double(std::span<const double> sorted)>& statistic);

/// The training steps at which it solved the environment, or up to which it had not; a diverged agent never will.
Duration time_to_solve(const AgentResult& agent);

/// Agents without a final return are left out of what is said of returns; those that did not solve are censored in the steps to solve.
Summary summarize(const std::vector<AgentResult>& agents);

}  // namespace cupg

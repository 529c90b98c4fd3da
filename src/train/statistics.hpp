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

/// Resamples of a bootstrap.
inline constexpr std::uint32_t kResamples = 2000;
/// How often resample number `r` draws each of some values, by a fixed seed; groups of different numbers are drawn independently.
void draw_resample(std::uint32_t r, std::uint32_t group, std::span<int> times);

/// A statistic of values, and its 95 % interval by the percentile bootstrap (Efron, 1979): no interval of one value, nothing of none.
Estimate bootstrap(std::vector<double> values, const std::function<double(std::span<const double> sorted)>& statistic);

/// The training steps at which it solved the environment, or up to which it had not; a diverged agent never will.
Duration time_to_solve(const AgentResult& agent);

/// Agents without a final return are left out of what is said of returns; those that did not solve are censored in the steps to solve.
Summary summarize(const std::vector<AgentResult>& agents);

}  // namespace cupg

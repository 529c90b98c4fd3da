#pragma once
#include <vector>

#include "cupg/trainer.hpp"

namespace cupg {

/// Mean of the middle half of the values (Agarwal et al., "Deep reinforcement learning at the edge of the statistical
/// precipice", 2021): as robust as the median, with a smaller variance.
double interquartile_mean(std::vector<double> values);

/// The q-quantile by linear interpolation, q in [0, 1].
double quantile(std::vector<double> values, double q);

/// Summary of the agents' final returns; the interval is a percentile bootstrap with 2,000 resamples and a fixed seed.
Summary summarise(const std::vector<AgentResult>& agents);

}  // namespace cupg

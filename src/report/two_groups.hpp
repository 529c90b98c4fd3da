// Two groups of agents, compared by their final returns x and y.
//
//   difference      mean x - mean y
//   P(X > Y)        (#{x_i > y_j} + #{x_i = y_j} / 2) / (n_x n_y)      Mann and Whitney, 1947; "probability of improvement" in Agarwal et
//   al.,
//                   "Deep reinforcement learning at the edge of the statistical precipice", 2021
//                   Its 95 % interval is Wilson's, as of N independent pairs that would have its variance P (1 - P) / N: by the spread of
//                   each agent's share of wins, v_a / n_x + v_b / n_y (Mee, 1990), or, where that would be fewer, as Newcombe (2006,
//                   method 5) has it: N = n_x n_y / (1 + m ((1 - P) / (2 - P) + P / (1 + P))), m = (n_x + n_y) / 2 - 1
//   difference's    t_f,0.975 se: Student's t of the differences of pairs, Welch's f and se otherwise
//   interval
//   Welch's test    t = (mean x - mean y) / se, se^2 = v_x / n_x + v_y / n_y, v with divisor n - 1; Student's t with
//                   f = se^4 / ((v_x / n_x)^2 / (n_x - 1) + (v_y / n_y)^2 / (n_y - 1)) degrees      Welch, 1947
//   detectable      the difference of the means, at the spreads that were measured, for which that test has a power of 80 % at 5 %,
//                   two-sided: d with P(|T| > t_f,0.975) = 0.8, T noncentral t with f degrees and noncentrality d / se      Cohen, 1988
#pragma once
#include <optional>
#include <vector>

#include "cupg/summary.hpp"

namespace cupg {

struct GroupDifference {
  int n_x = 0, n_y = 0;
  bool paired = false;
  Estimate difference, probability;                      ///< nothing of an empty group; no interval of a single agent,
                                                         ///< and none of a difference without any spread
  std::optional<double> welch_p, detectable_difference;  ///< nothing of a single agent, or where neither group has any spread
};

/// `paired`: x[i] and y[i] belong together, as they have the same seed.
GroupDifference compare_groups(const std::vector<double>& x, const std::vector<double>& y, bool paired);

}  // namespace cupg

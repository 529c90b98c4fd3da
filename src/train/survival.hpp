// When something happens to those of whom not all were watched until it did: here, after how many environment steps agents solve
// their environment.
//
//   S(t) = prod_{t_i <= t} (1 - d_i / n_i)                    Kaplan and Meier, 1958: d_i events at t_i, n_i subjects at risk
//   var log(-log S) = sum_{t_i <= t} d_i / (n_i (n_i - d_i)) / (log S)^2        Greenwood, 1926
//   95 % interval of S: S^exp(+-1.96 sd), which stays within 0 and 1            Kalbfleisch and Prentice, 1980
//   log-rank test: (sum O - E)^2 / sum V, chi-squared with 1 degree; E = d n_x / n, V = E (n_y / n) (n - d) / (n - 1)     Mantel, 1966
//   q-quantile: the first t with S(t) <= 1 - q; its interval: where the ends of S's interval get there      Brookmeyer and Crowley, 1982
#pragma once
#include <optional>
#include <vector>

#include "cupg/summary.hpp"

namespace cupg {

/// One subject: the time of its event, or, where `event` is false, the last time at which it had not had it yet (censored). Infinity
/// is a subject that will never have it.
struct Duration {
  double time = 0;
  bool event = false;
};

/// The curve at the times of events, in their order. Who is censored at the time of an event is still at risk.
std::vector<SurvivalPoint> kaplan_meier(std::vector<Duration> durations);

/// The time by which a share q, above 0 and below 1, has had the event. No interval of so few that, with a chance above 5 %, all of them
/// are later: of a median, fewer than 5.
Estimate survival_quantile(const std::vector<SurvivalPoint>& curve, double q);

/// The two-sided p-value of the log-rank test (Mantel, 1966) that both have their events alike; nothing where neither has any, or all at
/// times at which one of the groups has nobody left.
std::optional<double> log_rank_p(const std::vector<Duration>& x, const std::vector<Duration>& y);

}  // namespace cupg

#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace cupg {

/// A figure and its 95 % interval. Null is what was not measured: a figure of nobody, the interval of a single agent, an end of it that
/// the agents do not bound (few of them, or most of them unsolved).
struct Estimate {
  std::optional<double> value, ci95_low, ci95_high;
};

/// Where at least kToleranceShare of all agents with these settings lie, with 95 % confidence (tolerance interval, Wilks, 1941). Null is an
/// end that these agents do not bound: fewer than kToleranceAgents bound neither.
struct ToleranceInterval {
  std::optional<double> low, high;
};
inline constexpr double kToleranceShare = 0.9;
inline constexpr int kToleranceAgents = 46;

/// The share of the agents that have not solved the environment yet, from one number of environment steps to the next.
struct SurvivalPoint {
  std::int64_t env_steps = 0;  ///< of each agent, at which `solved` agents solved it
  int at_risk = 0;             ///< agents that had taken as many steps and had not solved it before
  int solved = 0;
  double unsolved = 1;                        ///< Kaplan-Meier
  std::optional<double> ci95_low, ci95_high;  ///< Greenwood's variance of log(-log); null where nobody is left
};

/// The shares of the agents whose steps to solve the summary has.
inline constexpr std::array<double, 5> kSolvedShares{0.25, 0.5, 0.75, 0.95, 0.99};

/// Statistics over the agents of one training. Returns do not compare settings where agents stop as soon as they have solved the
/// environment: all end at its threshold. Steps to solve do.
struct Summary {
  int n = 0;         ///< agents
  int measured = 0;  ///< of them those with a final return, from which `iqm`, `worst` and `holding_fraction` are
  int censored = 0;  ///< of them those that never solved it: finished, interrupted, or diverged
  Estimate iqm;      ///< of the final returns: mean of the middle half, scipy.stats.trim_mean(x, 0.25); expanded percentile bootstrap
  std::optional<double> worst;         ///< lowest final return
  ToleranceInterval return_tolerance;  ///< of the final returns
  Estimate solved_fraction;            ///< that solved it at any check; Wilson's interval, null where one was interrupted before
  Estimate holding_fraction;           ///< of the measured ones, whose last policy is solved
  /// Environment steps by which a share of the agents, kSolvedShares, has solved it. An unsolved agent counts up to its last step, a
  /// diverged one for ever. The interval is the curve's, cut at the share (Brookmeyer and Crowley).
  std::array<Estimate, kSolvedShares.size()> steps_to_solve;
  ToleranceInterval steps_tolerance;  ///< of the steps to solve; without an upper end where too many did not
  const Estimate& median_steps_to_solve() const { return steps_to_solve[1]; }
  std::vector<SurvivalPoint> survival;                              ///< in order of env_steps; before the first one all are unsolved
  std::optional<double> solved_seconds_median, solved_seconds_p99;  ///< of the agents that solved it
};

}  // namespace cupg

// The policy gradient theorem, shown: the gradient of the expected return against the mean of what a trainer samples.
//
//   grad J(theta) = E[ sum_t grad log pi(a_t | s_t) (G_t - b(s_t, t)) ],   G_t = r_t + r_{t+1} + ...   (finite horizon, no discount)
//
// for every baseline b that does not depend on the action. Sources: Williams, "Simple statistical gradient-following algorithms for
// connectionist reinforcement learning" (1992); Sutton, McAllester, Singh, Mansour, "Policy gradient methods for reinforcement
// learning with function approximation" (2000).
//
// Twice: on a Markov decision process so small that its expected return is a sum over all trajectories, and on CartPole, whose sampled
// return is differenced with common random numbers.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cupg/config.hpp"

namespace cupg {

/// The mean of n independent estimates of a gradient, component by component.
struct GradientEstimate {
  std::int64_t episodes = 0;           ///< n
  std::vector<double> mean;            ///< [components]
  std::vector<double> variance;        ///< [components] of one estimate, unbiased
  std::vector<double> standard_error;  ///< [components] of the mean: sqrt(variance / n)
  double total_variance = 0;           ///< sum over components
};

// ---- a tabular Markov decision process --------------------------------------------------------------------------------------------

/// S states, A actions, T steps; the policy is a softmax over the logits theta[S][A], the same at every step.
struct TabularMdp {
  int states = 0, actions = 0;
  int horizon = 0;                       ///< T: every episode has so many steps
  std::vector<double> start;             ///< [S] probability of the first state
  std::vector<double> next;              ///< [S][A][S] probability of s' after a in s
  std::vector<double> high, low;         ///< [S][A] the two rewards that a in s can give,
  std::vector<double> high_probability;  ///< [S][A] and the probability of the first
};

/// 3 states, 2 actions, 5 steps; transitions and rewards are stochastic. A made-up example without any symmetry.
TabularMdp tiny_mdp();
/// Logits [3][2] for it at which no probability is near 0, 1/2 or 1.
std::vector<double> tiny_logits();

/// The sum over all trajectories tau of p(tau) R(tau), and its derivatives: those of the product p(tau) by its own factors.
struct Enumeration {
  std::int64_t trajectories = 0;
  double probability = 0;        ///< of all of them: 1
  double expected_return = 0;    ///< J
  std::vector<double> gradient;  ///< [S][A] dJ / dtheta
};
/// Time and trajectories grow as (2 A S)^T. This and the functions below throw Error (usage) where a table has another size than it says.
Enumeration enumerate(const TabularMdp& mdp, std::span<const double> logits);

/// [T + 1][S] expected sum of rewards from step t on in state s; row T is 0. By backward recursion.
std::vector<double> state_values(const TabularMdp& mdp, std::span<const double> logits);

/// [S][A] the theorem's own form: sum_t sum_s P(s_t = s) sum_a (d pi(a|s) / dtheta) Q_t(s, a).
std::vector<double> theorem_gradient(const TabularMdp& mdp, std::span<const double> logits);

/// What is taken off the return to go.
enum class Baseline {
  none,
  state_constant,  ///< b(s): mean over t of V_t(s)
  state_value,     ///< V_t(s), exact
};

/// Mean over episodes of sum_t grad log pi(a_t | s_t) (G_t - b), [S][A]. Philox: key = seed, counter = (episode, step, theorem, 0).
GradientEstimate sample_gradient(const TabularMdp& mdp, std::span<const double> logits, Baseline baseline, std::int64_t episodes,
                                 std::uint64_t seed);

/// An estimate beside the truth.
struct SampledGradient {
  Baseline baseline = Baseline::none;
  GradientEstimate estimate;
  std::vector<double> z;  ///< [components] (mean - exact) / standard error
  double largest_z = 0;   ///< largest |z|
};
struct TabularCheck {
  std::vector<std::string> names;  ///< [components] "state 0, action 1"
  Enumeration exact;
  std::vector<double> theorem;           ///< [components] theorem_gradient
  double theorem_error = 0;              ///< largest |theorem - exact| relative to the largest |exact|
  std::vector<SampledGradient> sampled;  ///< one for each baseline, of the same episodes
};
/// Throws Error (usage) where there are fewer than 2 episodes.
TabularCheck check_tabular_theorem(const TabularMdp& mdp, std::span<const double> logits, std::int64_t episodes, std::uint64_t seed);

// ---- CartPole ---------------------------------------------------------------------------------------------------------------------

/// Softmax policy without hidden layers or bias: P(right) = 1 / (1 + exp(-w . s)). The parameters are the differences of two rows of
/// logit weights.
struct CartPoleTheoremSettings {
  std::string environment = "CartPole-v0";
  std::vector<double> weights = {0.25, 0.5, 2.0, 1.0};  ///< [4], for x, x_dot, theta, theta_dot: episodes of 43 steps in the mean
  /// h of (G(w + h) - G(w - h)) / 2h. With the random numbers fixed, G is piecewise constant in w: its derivative is 0 wherever there
  /// is one, and the difference sees the gradient through the few episodes in which an action flips. Their share is proportional to h,
  /// and each weighs 1 / 2h, so the variance grows as 1 / h: a tiny h finds nothing but noise. The bias grows as h^2. With 5e6
  /// episodes, the worst component (x_dot, -24.22) was off by 2.55 at 1/2, .49 at 1/4, .05 +- .04 at 1/8 (.12 by the law): below half
  /// a standard error (.26) of 1e5 episodes, about one and a half of 1e6.
  double step = 0.125;
  std::int64_t episodes = 100000;  ///< of each sample: one for the score function, one for all differences
  std::uint64_t seed = 1;
  Isa isa = Isa::automatic;  ///< the same figures from each
};
struct CartPoleCheck {
  std::vector<std::string> names;  ///< [4] "x", "x_dot", ...
  double mean_return = 0;
  GradientEstimate score;       ///< sum_t grad log pi (G_t - b_t); b_t, the mean return to go at step t, is from episodes of its own
  GradientEstimate difference;  ///< central, common random numbers; independent of `score`
  std::vector<double> changed;  ///< [4] share of the episodes whose return the step changes
  std::vector<double> z;        ///< [4] (score - difference) / their combined standard error
  double largest_z = 0;
};
/// Throws Error: usage where a setting is out of its range, missing where the processor lacks the instruction set.
CartPoleCheck check_cartpole_theorem(const CartPoleTheoremSettings& settings);

}  // namespace cupg

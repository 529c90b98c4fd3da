#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace cupg {

/// What a trainer needs to know of an environment; the dynamics are in envs/, one header each.
struct EnvironmentInfo {
  std::string_view name;          ///< Gymnasium's name, for example "CartPole-v1"
  int observations;               ///< O: numbers in an observation
  int actions;                    ///< A: discrete actions 0 .. A-1
  int max_episode_steps;          ///< an episode is truncated after this many steps
  double min_reward, max_reward;  ///< of a step
  double reward_threshold;        ///< mean return over 100 episodes from which the task counts as solved
  double min_return, max_return;  ///< no episode returns less or more, so that an evaluation can stop as soon as it must fail
  bool balances;                  ///< has a hand-written policy with long episodes, for benchmarks
  int id;                         ///< position in environments()
};

/// Two actions and a reward of 1 for every step, so that a return is a number of steps: what the searches,
/// and A2C in lanes, need.
bool counts_steps(const EnvironmentInfo& environment);

/// Every registered environment, in registration order.
std::span<const EnvironmentInfo> environments();

/// The environment of this name; throws Error (usage) that suggests the nearest name.
const EnvironmentInfo& find_environment(std::string_view name);

}  // namespace cupg

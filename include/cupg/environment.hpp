#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace cupg {

/// What a trainer needs to know of an environment; the dynamics are in envs/, one header each.
struct EnvironmentInfo {
  std::string_view name;    ///< Gymnasium's name, for example "CartPole-v1"
  int observations;         ///< O: numbers in an observation
  int actions;              ///< A: discrete actions 0 .. A-1
  int max_episode_steps;    ///< an episode is truncated after this many steps
  double reward;            ///< of every step
  double reward_threshold;  ///< mean return over 100 episodes from which the task counts as solved
  double max_return;        ///< no episode returns more: lets an evaluation stop as soon as it must fail
  int id;                   ///< position in environments()
};

/// Every registered environment, in registration order.
std::span<const EnvironmentInfo> environments();

/// The environment of this name; throws Error (usage) that suggests the nearest name.
const EnvironmentInfo& find_environment(std::string_view name);

}  // namespace cupg

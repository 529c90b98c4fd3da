#include "src/engine/settings.hpp"

#include "cupg/environment.hpp"
#include "kernels/rollout/op.hpp"
#include "src/engine/hyperparameters.hpp"
#include "src/engine/warp_memory.hpp"

namespace cupg {

std::int64_t training_episode_limit(const Config& config) {
  return config.episode_limit.value_or(find_environment(config.environment).max_episode_steps);
}

std::uint32_t lane_episode_limit(const Config& config) {
  const auto limit = static_cast<std::uint32_t>(training_episode_limit(config));
  return limit == 0 ? kNeverCut : limit;
}

AdvantageArgs advantage_args(const Config& config) {
  AdvantageArgs a;
  a.row = {find_environment(config.environment).observations};
  a.estimator = config.advantage.estimator;
  a.has_value = find_objective(config.algorithm).value;
  a.nstep = config.advantage.nstep;
  return a;
}

TrainingLength schedule_end(const Config& config, std::int64_t own) {
  if (own > 0) return {.updates = own};
  if (config.collect == Collect::steps) return {.updates = config.updates()};
  return {.updates = config.update_limit, .steps = config.steps};
}

AgentSettings agent_settings_of(const Config& config, int agent) {
  AgentSettings s;
  s.optimizer = config.optimizer;
  s.objective = config.objective;
  s.exploration = config.exploration;
  float gamma = config.advantage.gamma, lambda = config.advantage.lambda;
  std::int64_t end = 0;
  if (!config.agents.empty()) {
    const Hyperparameters& own = config.agents[static_cast<std::size_t>(agent)];
    each_hyperparameter(s.optimizer, s.objective, gamma, lambda, s.exploration, own, [](auto& setting, const auto& its) { setting = its; });
    end = own.schedule_updates;
  }
  s.total = schedule_end(config, end);
  s.gamma = gamma;
  s.gamma_lambda = gamma * lambda;
  return s;
}

bool reads_log_probabilities(const Config& config) {
  const auto number = static_cast<std::size_t>(objective_number(config.algorithm));
  bool kl = config.objective.target_kl > 0;
  for (const Hyperparameters& own : config.agents) kl = kl || own.target_kl > 0;
  return kl || find_objective(config.algorithm).ratio || objective_kernels(number).generic != nullptr;
}

std::int64_t most_steps_of_an_update(const Config& config) {
  return config.collect == Collect::steps ? config.horizon : training_episode_limit(config);
}

KeptSizes kept_sizes(const Config& config) {
  return {parameter_count(config.network()), warps_of(config.envs), state_size(find_environment(config.environment).id)};
}

}  // namespace cupg

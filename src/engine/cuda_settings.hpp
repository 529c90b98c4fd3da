// The settings of CUDA agents (kernels/agent/agents.hpp) from the configuration.
#pragma once
#include <algorithm>
#include <vector>

#include "cupg/environment.hpp"
#include "kernels/agent/tiled.hpp"
#include "src/engine/network_plan.hpp"
#include "src/engine/settings.hpp"
#include "src/engine/tile_plan.hpp"
#include "src/engine/warp_memory.hpp"

CUPG_BEGIN_TARGET

/// A network that the ops know nothing of but its numbers of outputs and parameters.
inline NetworkPlan sizes_alone(const NetworkShape& shape) {
  NetworkPlan plan;
  plan.actions = shape.actions;
  plan.policy_outputs = policy_outputs(shape.actions);
  plan.parameters = parameter_count(shape);
  return plan;
}

/// Whether some agent's value network has a learning rate of its own.
inline bool has_value_rate(const Config& config) {
  bool any = config.optimizer.value_learning_rate > 0;
  for (const Hyperparameters& own : config.agents) any = any || own.value_learning_rate > 0;
  return any;
}

/// What advantages are normalized over, and how many sums that takes.
inline void set_moments(const Config& config, Agents& a) {
  if (!config.advantage.normalize) return;
  const auto n = static_cast<std::uint32_t>(a.envs * a.capacity);
  const bool small = a.kind == NetworkKind::small;
  a.moment_groups = 1;
  if (config.advantage.normalize_over == NormalizeOver::episode) {
    a.normalize_over = MomentsOver::episode;
    a.moment_groups = a.envs;
    a.most_moment_partials = small ? 0 : partials_of_samples(a, static_cast<std::uint32_t>(a.capacity));
  } else if (config.advantage.normalize_over == NormalizeOver::minibatch && a.minibatches > 1) {
    a.normalize_over = MomentsOver::minibatch;
    a.moment_groups = a.epochs * a.minibatches;
    a.most_moment_partials = a.most_partials;
  } else {
    a.normalize_over = MomentsOver::batch;
    a.most_moment_partials = small ? a.warps : partials_of_samples(a, n);
  }
}

/// What all agents share, from the configuration; `network` null: it is a library's. `entries` still points to host memory.
inline TiledAgents agent_settings(const Config& config, const PackedNetwork* network) {
  const EnvironmentInfo& environment = find_environment(config.environment);
  TiledAgents a;
  a.plan = network != nullptr ? network->plan() : sizes_alone(config.network());
  a.kind = network == nullptr ? NetworkKind::library : network_kind(config.network());
  a.objective_number = objective_number(config.algorithm);
  a.loss = config.objective.loss;
  a.advantage = cupg::advantage_args(config);
  a.envs = config.envs;
  a.warps = config.envs / kWarp + (config.envs % kWarp != 0);
  a.row_warps = a.warps;
  a.capacity = most_steps_of_an_update(config);
  a.episodes = config.collect == Collect::episodes;
  a.episode_limit = lane_episode_limit(config);
  a.bootstrap = config.advantage.truncation == Truncation::bootstrap;
  a.log_probabilities = reads_log_probabilities(config);
  a.max_episode_steps = environment.max_episode_steps;
  a.state_size = state_size(environment.id);
  a.epochs = config.epochs;
  a.minibatches = config.minibatches;
  if (a.kind == NetworkKind::small) {
    a.partial_samples = config.minibatches > 1 ? kPartialSamples : 0;
    a.partial_columns = a.plan.packed + 1;
  } else {
    a.partial_samples = kTile;
    a.partial_columns = a.plan.parameters + 1;
  }
  a.most_partials = partials_of_samples(a, static_cast<std::uint32_t>(a.envs * a.capacity / a.minibatches));
  set_moments(config, a);
  a.tile = make_tile_plan(config.network());
  a.collect = row_layout(a.tile, std::min(config.envs, kWarp));
  a.gradient = row_layout(a.tile, kTile);
  return a;
}

/// Where every parameter lies in the packed weights of a tiled network.
inline std::vector<TilePlace> tile_places(const TilePlan& plan) {
  std::vector<TilePlace> places(static_cast<std::size_t>(plan.parameters));
  const auto add = [&](const TileDense& d, bool head) {
    for (int j = 0; j < d.out; ++j) {
      for (int i = 0; i < d.in; ++i)
        places[static_cast<std::size_t>(d.weight + j * d.in + i)] = {d.packed + (head ? j * d.padded_in() + i : i * d.padded_out() + j),
                                                                     d.packed_back < 0 ? -1 : d.packed_back + j * d.padded_in() + i};
      if (d.bias >= 0) places[static_cast<std::size_t>(d.bias + j)].forward = d.packed_bias + j;
    }
  };
  for (int tower = 0; tower < plan.towers; ++tower) {
    const TileTower& t = plan.tower[tower];
    for (int l = 0; l < t.layers; ++l) add(t.hidden[l], false);
    for (int h = 0; h < t.heads; ++h) add(t.head[h], true);
  }
  return places;
}

CUPG_END_TARGET

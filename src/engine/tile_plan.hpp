#pragma once
#include <cstdint>
#include <vector>

#include "cupg/config.hpp"
#include "kernels/advantage/op.hpp"
#include "kernels/agent/settings.hpp"
#include "kernels/network/tiled/plan.hpp"

namespace cupg {

/// Of a network that does not fit fused kernels, sizes and activation alone.
TilePlan make_tile_plan(const NetworkShape& shape);

/// A bit for each parameter of the value's own network, [padded(parameters) / 32]; none where the trunk is shared.
std::vector<std::uint32_t> value_network_bits(const NetworkShape& shape);

/// Steps after which a training episode is cut; 0: never.
std::int64_t training_episode_limit(const Config& config);

/// The same for lanes, kNeverCut for never.
std::uint32_t lane_episode_limit(const Config& config);

/// What a sample's gradient is multiplied by in a step from so many samples: 1 / samples, or 1 where the loss is a sum.
float gradient_scale(const Config& config, std::int64_t samples);

/// How advantages are estimated.
AdvantageArgs advantage_args(const Config& config);

/// What agent number `agent` of the run learns by.
AgentSettings agent_settings_of(const Config& config, int agent);

/// Steps that an environment can take in an update: the horizon, or the longest episode.
std::int64_t most_steps_of_an_update(const Config& config);

}  // namespace cupg

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

/// How advantages are estimated, but for the discounts.
AdvantageArgs advantage_args(const Config& config);

/// What agent number `agent` of the run learns by.
AgentSettings agent_settings_of(const Config& config, int agent);

/// Whether somebody reads the log-probabilities of the policy that acted: ratios, estimates of KL, and objectives of a project's own, of
/// which nobody knows.
bool reads_log_probabilities(const Config& config);

/// Steps that an environment can take in an update: the horizon, or the longest episode.
std::int64_t most_steps_of_an_update(const Config& config);

}  // namespace cupg

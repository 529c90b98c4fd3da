#pragma once
#include <cstdint>
#include <vector>

#include "cupg/config.hpp"
#include "kernels/advantage/rows.hpp"
#include "kernels/chunk/plan.hpp"

namespace cupg {

/// Whether this configuration's updates run in chunks (kernels/chunk): everything but the advantage actor-critic on fixed horizons in an
/// environment that counts steps, with a network that fits fused kernels, which runs in lanes.
bool chunked(const Config& config);

/// Of a network that does not fit fused kernels, sizes and activation alone.
ChunkPlan make_chunk_plan(const NetworkShape& shape);

/// A bit for each parameter of the value's own network, [padded(parameters) / 32]; none where the trunk is shared.
std::vector<std::uint32_t> value_network_bits(const NetworkShape& shape);

/// Steps after which a training episode is cut; 0: never.
std::int64_t training_episode_limit(const Config& config);

/// The same for updates in lanes, kNeverCut for never.
std::uint32_t lane_episode_limit(const Config& config);

/// What a sample's gradient is multiplied by in a step from so many samples: 1 / samples, or 1 where the loss is a sum.
float gradient_scale(const Config& config, std::int64_t samples);

/// How advantages are estimated, without `samples` and `count`.
RowAdvantageArgs row_advantage_args(const Config& config);

/// Steps that an environment can take in an update: the horizon, or the longest episode.
std::int64_t most_steps_of_an_update(const Config& config);

}  // namespace cupg

#pragma once
#include <cstdint>
#include <vector>

#include "cupg/config.hpp"
#include "kernels/network/tiled/plan.hpp"

namespace cupg {

/// Of a network that does not fit fused kernels, sizes and activation alone.
TilePlan make_tile_plan(const NetworkShape& shape);

/// A bit for each parameter of the value's own network, [padded(parameters) / 32]; none where the trunk is shared.
std::vector<std::uint32_t> value_network_bits(const NetworkShape& shape);

}  // namespace cupg

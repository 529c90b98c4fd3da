#pragma once
#include <cstdint>

#include "cupg/config.hpp"

namespace cupg {

/// The hand-written gradient of one batch in double against central differences of its loss: max |a - b| over max |b|. For
/// configurations whose updates run in chunks.
double gradient_error(const Config& config, std::uint64_t seed);

}  // namespace cupg

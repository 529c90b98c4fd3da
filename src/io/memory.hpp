#pragma once
#include <cstdint>
#include <string>

#include "cupg/config.hpp"

namespace cupg {

/// Bytes that a training takes before it takes them: its engines, its agents' parameters and their curves.
std::int64_t training_bytes(const Config& config);
/// What the system says is available, or the largest number where it does not tell.
std::int64_t available_memory();
/// "12.3 GiB"
std::string format_bytes(std::int64_t bytes);

}  // namespace cupg

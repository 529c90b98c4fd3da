#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

namespace cupg {

/// A finished run as one HTML page that needs nothing beside it: outcome, learning curves, configuration and receipt, weights, action
/// probabilities, replays. Of several agents' policies it has one: of `seed`, or the first that is there. Throws Error (usage) where the
/// folder is no finished run, or has no such agent.
std::string report_page(const std::filesystem::path& run, const std::uint64_t* seed = nullptr);

/// A policy of more parameters stays out of its page.
inline constexpr int kMostPageParameters = 75'000;

}  // namespace cupg

#pragma once
#include <cstddef>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "src/report/table.hpp"

namespace cupg {

inline constexpr std::size_t kMostResultBytes = 256 << 20, kMostCurveBytes = std::size_t{1} << 30;

/// An untrusted JSON object, not deeper than any of ours. Throws Error (usage) that names the file.
nlohmann::ordered_json read_object(const std::filesystem::path& path, std::size_t most_bytes);

/// A file of curves.
std::vector<Column> read_curves(const std::filesystem::path& file);
/// That of a run.
std::filesystem::path curve_file(const std::filesystem::path& run);

/// Throws Error (usage) unless it is a folder.
void expect_folder(const std::filesystem::path& run);

}  // namespace cupg

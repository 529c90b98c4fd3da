#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "cupg/config.hpp"

namespace cupg {

/// Sets what a TOML text has keys for and leaves the rest of `config` alone. Strict: throws Error (usage) as
/// "SOURCE:LINE: ..." for an unknown key (with the nearest known one), a wrong type, a value out of its range.
void read_config(std::string_view toml, const std::string& source, Config& config);
/// The same from a file.
void load_config(const std::filesystem::path& path, Config& config);
/// Every setting that has an effect, as TOML that reads back to the same bits of each. The configuration must have passed
/// check_settings().
std::string write_config(const Config& config);

/// One of presets/*.toml, compiled in.
struct Preset {
  std::string_view name, toml;
};
/// Throws Error (usage) that suggests the nearest name.
std::string_view preset_of_algorithm(std::string_view algorithm);
void apply_preset(std::string_view name, Config& config);
std::span<const Preset> presets();

}  // namespace cupg

#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cupg/config.hpp"

namespace cupg {

/// "c.toml:3: num_envs is envs here": what was taken for another name (src/io/aliases.hpp).
using Notes = std::vector<std::string>;

/// Sets what a TOML text has keys for and leaves the rest of `config` alone. Strict: throws Error (usage) as
/// "SOURCE:LINE: ..." for an unknown key (with the nearest known one), a wrong type, a value out of its range.
void read_config(std::string_view toml, const std::string& source, Config& config, Notes* notes = nullptr);
/// The same from a file.
void load_config(const std::filesystem::path& path, Config& config, Notes* notes = nullptr);
/// A key of a TOML text with its value, or its array's elements, in the command line's spelling.
struct TomlItem {
  std::string key;
  std::vector<std::string> values;
  std::string place;  ///< "SOURCE:LINE: "
};
/// Of flat TOML whose keys are not only settings. Throws as read_config() does.
std::vector<TomlItem> read_items(std::string_view toml, const std::string& source);
/// Every setting that has an effect, as TOML that reads back to the same bits of each. The configuration must have passed
/// check_settings().
std::string write_config(const Config& config);

/// One of presets/*.toml, compiled in.
struct Preset {
  std::string_view name, toml;
};
/// The preset that the algorithm begins with where nothing else says more; empty where the defaults are its own. A2C's defaults make for
/// the threshold and do not hold it, so it has a preset for whoever goes on from there.
std::string_view preset_of_algorithm(std::string_view algorithm, bool stop_when_solved = true);
/// Its settings, but for the environment: who names an algorithm names no task.
void apply_algorithm(std::string_view algorithm, Config& config, bool stop_when_solved = true);
/// Throws Error (usage) that suggests the nearest name.
void apply_preset(std::string_view name, Config& config);
std::span<const Preset> presets();

}  // namespace cupg

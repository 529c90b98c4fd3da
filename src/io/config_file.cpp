#include "src/io/config_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "cupg/error.hpp"
#include "src/api/text.hpp"
#include "src/io/aliases.hpp"
#include "src/io/files.hpp"
#include "src/io/options.hpp"
#include "src/io/toml_check.hpp"

#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace cupg {
namespace {

std::optional<std::int64_t> whole_number(const toml::node& node) {
  if (const auto* integer = node.as_integer()) return integer->get();
  if (const auto* real = node.as_floating_point())
    if (const double x = real->get(); x == std::floor(x) && std::abs(x) < 9e18) return static_cast<std::int64_t>(x);
  return std::nullopt;
}

std::optional<std::vector<int>> widths(const toml::node& node) {
  const toml::array* array = node.as_array();
  if (array == nullptr) return std::nullopt;
  std::vector<int> result;
  for (const toml::node& element : *array) {
    const auto width = whole_number(element);
    if (!width || *width < 0 || *width > 1'000'000) return std::nullopt;
    result.push_back(static_cast<int>(*width));
  }
  return result;
}

/// What the file says, for a message.
std::string show(const toml::node& node) {
  if (const auto* text = node.as_string()) return in_quotes(text->get());
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  if (const auto* integer = node.as_integer()) return fmt::format("{}", integer->get());
  if (const auto* real = node.as_floating_point()) return fmt::format("{}", real->get());
  return "an array";  // check_toml leaves nothing else
}

/// The node as a value of the option's type; no range is checked yet.
OptionValue to_value(const Option& option, const toml::node& node) {
  const auto* text = node.as_string();
  if (text != nullptr && !option.unset.empty() && text->get() == option.unset) return {};
  switch (option.type) {
    case OptionType::name:
      if (text != nullptr) return text->get();
      break;
    case OptionType::flag:
      if (const auto* flag = node.as_boolean()) return flag->get();
      break;
    case OptionType::count:
      if (const auto count = whole_number(node)) return *count;
      break;
    case OptionType::real:
      if (const auto* integer = node.as_integer()) return real_value(option, static_cast<double>(integer->get()), show(node));
      if (const auto* real = node.as_floating_point()) return real_value(option, real->get(), show(node));
      break;
    case OptionType::widths:
      if (const auto list = widths(node)) return *list;
      break;
  }
  throw Error(ErrorKind::usage, fmt::format("{}: {}; expected {}", option.name, show(node), expected(option)));
}

std::string place(const std::string& source, const toml::source_region& region) {
  return fmt::format("{}:{}: ", source, region.begin.line);
}

toml::table parse(std::string_view toml, const std::string& source) {
  check_toml(toml, source);
  try {
    return toml::parse(toml);
  } catch (const toml::parse_error& e) {
    throw Error(ErrorKind::usage, place(source, e.source()) + std::string(e.description()));
  }
}

/// The file's values, in the order of options(); nullptr where it has none.
std::vector<const toml::node*> values_of(const toml::table& table, const std::string& source, Notes& notes) {
  const std::vector<std::string> known = option_names();
  std::vector<const toml::node*> values(known.size());
  for (const auto& [key, node] : table) {
    const std::string name = taken_as("option", key.str(), known);
    if (name.empty()) throw Error(ErrorKind::usage, place(source, key.source()) + unknown_name("key", key.str(), known));
    if (name != key.str()) notes.push_back(place(source, key.source()) + fmt::format("{} is {} here", key.str(), name));
    const toml::node*& value = values[static_cast<std::size_t>(std::find(known.begin(), known.end(), name) - known.begin())];
    if (value != nullptr)
      throw Error(ErrorKind::usage, place(source, key.source()) + fmt::format("{}: sets {}, as line {} does; expected one of the two",
                                                                              key.str(), name, value->source().begin.line));
    value = &node;
  }
  return values;
}

}  // namespace

void read_config(std::string_view toml, const std::string& source, Config& config, Notes* notes) {
  const toml::table table = parse(toml, source);
  Notes said;
  const std::vector<const toml::node*> values = values_of(table, source, notes == nullptr ? said : *notes);
  // in the order of the options, whatever the file's: some imply others
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Option& option = options()[i];
    const toml::node* node = values[i];
    if (node == nullptr) continue;
    try {
      OptionValue value = to_value(option, *node);
      if (const std::string note = take_name(option, value); !note.empty() && notes != nullptr)
        notes->push_back(place(source, node->source()) + note);
      set_option(config, option, value);
    } catch (const Error& e) {
      throw Error(e.kind(), place(source, node->source()) + e.what());
    }
  }
  // a default changes nothing where it has no effect either: a file may list every setting
  const Config defaults;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Option& option = options()[i];
    const toml::node* node = values[i];
    const std::string_view needs = missing(option, config);
    if (node == nullptr || needs.empty() || option.get(config) == option.get(defaults)) continue;
    throw Error(ErrorKind::usage,
                place(source, node->source()) + fmt::format("{}: {} would have no effect; it needs {}", option.name, show(*node), needs));
  }
}

void load_config(const std::filesystem::path& path, Config& config, Notes* notes) {
  read_config(read_file(path, kMostConfigBytes), path.string(), config, notes);
}

std::vector<TomlItem> read_items(std::string_view toml, const std::string& source) {
  const auto spelled = [](const toml::node& node) -> std::string {
    if (const auto* text = node.as_string()) return text->get();
    if (node.is_boolean() || node.is_number()) return show(node);
    throw Error(ErrorKind::usage, show(node) + "; expected a string, a number, true or false, or an array of them");
  };
  std::vector<TomlItem> items;
  for (const auto& [key, node] : parse(toml, source)) {
    TomlItem& item = items.emplace_back(TomlItem{std::string(key.str()), {}, place(source, key.source())});
    try {
      if (const toml::array* array = node.as_array()) {
        for (const toml::node& element : *array) item.values.push_back(spelled(element));
      } else {
        item.values.push_back(spelled(node));
      }
    } catch (const Error& e) {
      throw Error(e.kind(), fmt::format("{}{}: {}", item.place, item.key, e.what()));
    }
  }
  return items;
}

std::string write_config(const Config& config) {
  std::string toml = "# Every setting that has an effect; `cupg train --config` reads it back.\n";
  std::string_view group;
  for (const Option& option : options()) {
    if (!missing(option, config).empty()) continue;  // read_config refuses what has no effect
    if (option.group != group) toml += fmt::format("\n# {}\n", group = option.group);
    toml += fmt::format("{} = {}\n", option.name, toml_value(option.get(config), option.unset));
  }
  return toml;
}

std::string_view preset_of_algorithm(std::string_view algorithm, bool stop_when_solved) {
  if (algorithm == "a2c" && !stop_when_solved) return "a2c-long-run";
  constexpr std::pair<std::string_view, std::string_view> known[] = {{"ppo", "cleanrl-ppo"},
                                                                     {"reinforce", "garza-reinforce"},
                                                                     {"reinforce-baseline", "weng-reinforce-baseline"},
                                                                     {"random-search", "kvfrans-random-search"},
                                                                     {"hill-climbing", "kvfrans-hill-climbing"}};
  for (const auto& [name, preset] : known)
    if (name == algorithm) return preset;
  return {};
}

void apply_algorithm(std::string_view name, Config& config, bool stop_when_solved) {
  const std::string_view preset = preset_of_algorithm(name, stop_when_solved);
  if (preset.empty()) return;
  const std::string environment = config.environment;
  apply_preset(preset, config);
  config.environment = environment;
}

void apply_preset(std::string_view name, Config& config) {
  std::vector<std::string> names;
  for (const Preset& preset : presets()) {
    if (preset.name == name) return read_config(preset.toml, fmt::format("presets/{}.toml", name), config);
    names.emplace_back(preset.name);
  }
  throw Error(ErrorKind::usage, unknown_name("preset", name, names));
}

}  // namespace cupg

#pragma once
#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cupg/config.hpp"

namespace cupg {

/// A setting's value on its way between Config, the command line and TOML. monostate: Option::unset's word.
using OptionValue = std::variant<std::monostate, std::string, bool, std::int64_t, float, std::vector<int>>;

enum class OptionType {
  name,    ///< std::string, one of known()
  flag,    ///< bool
  count,   ///< std::int64_t in range
  real,    ///< float in range
  widths,  ///< std::vector<int>: hidden layers, none to kMaxHiddenLayers
};

struct Range {
  double low = -std::numeric_limits<double>::infinity(), high = std::numeric_limits<double>::infinity();
  bool low_open = false, high_open = false;  ///< the bound itself is outside

  bool contains(double x) const { return (low_open ? x > low : x >= low) && (high_open ? x < high : x <= high); }
};

/// One setting: an option of `cupg train`, a key of config.toml of the same name, a field of Config. The command line, the TOML
/// reader and writer, the checks and the error messages all come from the table of these.
struct Option {
  std::string_view name;
  std::string_view group;  ///< heading in --help and config.toml
  std::string_view help;
  OptionType type = OptionType::name;
  Range range = {};                               ///< of counts and reals
  std::string_view unset = {};                    ///< a word that stands for "no value of its own", where there is one
  std::vector<std::string> (*known)() = nullptr;  ///< of names
  OptionValue (*get)(const Config&) = nullptr;
  void (*set)(Config&, const OptionValue&) = nullptr;
  bool (*applies)(const Config&) = nullptr;  ///< where the setting has an effect; nullptr: wherever its group has one
  std::string_view needs = {};               ///< what makes it apply, for example "optimizer = adam"
};

/// Settings that change the speed and no bit.
inline constexpr std::array<std::string_view, 4> kMachineOptions{"device", "isa", "math", "threads"};

/// The table, in the order in which settings are applied, listed and written.
std::span<const Option> options();
std::vector<std::string> option_names();
/// nullptr where there is none of that name.
const Option* find_option(std::string_view name);

/// What the configuration lacks for the setting to have an effect, for example "optimizer = adam"; empty where it has one.
std::string_view missing(const Option& option, const Config& config);

/// "a whole number from 1 to 16777216": what a value must look like.
std::string expected(const Option& option);
/// Reads the command line's spelling: counts as 1e6 or 1_000_000, widths as 64,64 or none. Throws Error (usage) with the
/// text where it is no such value, or a number out of range.
OptionValue parse_value(const Option& option, std::string_view text);
/// Puts one of known() in the place of a name that means it, as CartPole for CartPole-v1, and says so; empty where nothing is changed.
std::string take_name(const Option& option, OptionValue& value);
/// The value of a real setting, which is a float; `shown` is what was written. Throws Error (usage) where it is out of range, or its float
/// is infinite or a bound of the range and it is not.
OptionValue real_value(const Option& option, double value, std::string_view shown);
/// Throws Error (usage) where the value is of the wrong type or out of its range.
void check_value(const Option& option, const OptionValue& value);
/// Checks and sets.
void set_option(Config& config, const Option& option, const OptionValue& value);
/// TOML's spelling; also what messages show.
std::string toml_value(const OptionValue& value, std::string_view unset = {});
/// The command line's spelling of the value that `config` has.
std::string text_value(const Option& option, const Config& config);
/// The shortest double that reads back to the same float: 0.1f as 0.1, not as 0.10000000149.
double shortest(float value);
/// The nearest float; what is too large for one becomes infinite, which no range contains.
float to_float(double value);

/// Everything that check(Config) checks, but whether there is enough memory.
void check_settings(const Config& config);

}  // namespace cupg

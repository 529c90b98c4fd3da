// Values of settings as text: reading, checking, showing.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "cupg/error.hpp"
#include "src/api/text.hpp"
#include "src/io/aliases.hpp"
#include "src/io/options.hpp"

namespace cupg {
namespace {

[[noreturn]] void refuse(const Option& option, const std::string& shown) {
  throw Error(ErrorKind::usage, fmt::format("{}: {}; expected {}", option.name, shown, expected(option)));
}

/// TOML's basic string.
std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string bound(double x) {
  constexpr double kMostInteger = 9223372036854775807.0;
  if (x == kMostInteger) return "2^63 - 1";
  return std::abs(x) < 1e15 && x == std::floor(x) ? fmt::format("{}", static_cast<std::int64_t>(x)) : fmt::format("{:g}", x);
}

std::string range_text(const Range& r) {
  if (std::isinf(r.high)) return r.low_open ? fmt::format("above {}", bound(r.low)) : fmt::format("of at least {}", bound(r.low));
  return fmt::format("from {} to {}{}", bound(r.low), r.high_open ? "below " : "", bound(r.high));
}

std::optional<double> parse_double(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// 1000000, 1_000_000 or 1e6.
std::optional<std::int64_t> parse_count(std::string_view text) {
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit_at = [&](std::size_t k) { return k < text.size() && text[k] >= '0' && text[k] <= '9'; };
    if (text[i] != '_') {
      digits += text[i];
    } else if (i == 0 || !digit_at(i - 1) || !digit_at(i + 1)) {
      return std::nullopt;
    }
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc() && end == digits.data() + digits.size()) return value;
  const auto real = parse_double(digits);
  // beyond 2^53 a double no longer says which whole number was meant; such values are out of every range that takes 1e6
  if (!real || *real != std::floor(*real) || std::abs(*real) > 9e18) return std::nullopt;
  return static_cast<std::int64_t>(*real);
}

std::optional<std::vector<int>> parse_widths(std::string_view text) {
  std::vector<int> widths;
  if (text == "none") return widths;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t comma = std::min(text.find(',', start), text.size());
    const auto width = parse_count(text.substr(start, comma - start));
    if (!width || *width < 0 || *width > 1'000'000) return std::nullopt;
    widths.push_back(static_cast<int>(*width));
    start = comma + 1;
  }
  return widths;
}

/// The word that stands for no value of its own, where there is one.
std::string or_unset(const Option& option) { return option.unset.empty() ? "" : fmt::format(", or {}", option.unset); }

void check_name(const Option& option, const std::string& name) {
  const auto known = option.known();
  if (std::find(known.begin(), known.end(), name) == known.end()) throw Error(ErrorKind::usage, unknown_name(option.name, name, known));
}

bool good_widths(const std::vector<int>& widths) {
  return widths.size() <= static_cast<std::size_t>(kMaxHiddenLayers) &&
         std::all_of(widths.begin(), widths.end(), [](int w) { return w >= 1 && w <= kMaxHiddenWidth; });
}

}  // namespace

std::string expected(const Option& option) {
  switch (option.type) {
    case OptionType::name: return fmt::format("one of {}", fmt::join(option.known(), ", "));
    case OptionType::flag: return "true or false";
    case OptionType::count: return "a whole number " + range_text(option.range) + or_unset(option);
    case OptionType::real: return "a number " + range_text(option.range) + or_unset(option);
    case OptionType::widths:
      return fmt::format("up to {} widths of 1 to {} (on the command line 64,64 or none{})", kMaxHiddenLayers, kMaxHiddenWidth,
                         option.unset.empty() ? "" : fmt::format(" or {}", option.unset));
  }
  return {};
}

OptionValue parse_value(const Option& option, std::string_view text) {
  if (!option.unset.empty() && text == option.unset) return {};
  const std::string shown = one_line(text);  // of a number, which is harmless
  switch (option.type) {
    case OptionType::name: return std::string(text);
    case OptionType::flag:
      if (text == "true" || text == "false") return text == "true";
      break;
    case OptionType::count:
      if (const auto value = parse_count(text)) {
        if (!option.range.contains(static_cast<double>(*value))) refuse(option, shown);
        return *value;
      }
      break;
    case OptionType::real:
      if (const auto value = parse_double(text)) return real_value(option, *value, shown);
      break;
    case OptionType::widths:
      if (const auto value = parse_widths(text)) {
        if (!good_widths(*value)) refuse(option, shown);
        return *value;
      }
      break;
  }
  refuse(option, in_quotes(text));
}

std::string take_name(const Option& option, OptionValue& value) {
  auto* name = std::get_if<std::string>(&value);
  if (name == nullptr || option.type != OptionType::name) return "";
  const std::string ours = taken_as(option.name, *name, option.known());
  if (ours.empty() || ours == *name) return "";
  const std::string note = fmt::format("{} {} is {} here", option.name, *name, ours);
  *name = ours;
  return note;
}

OptionValue real_value(const Option& option, double value, std::string_view shown) {
  const Range& range = option.range;
  const float rounded = to_float(value);
  const double result = static_cast<double>(rounded);
  if (!range.contains(value) || !std::isfinite(value)) refuse(option, std::string(shown));
  // a bound often means something of its own, and what is not on it must not become it
  if (std::isinf(rounded) || ((result == range.low || result == range.high) && result != value))
    throw Error(ErrorKind::usage, fmt::format("{}: {}, which is {} as a 32-bit float; expected {}", option.name, shown,
                                              std::isinf(rounded) ? "infinite" : toml_value(rounded), expected(option)));
  return rounded;
}

void check_value(const Option& option, const OptionValue& value) {
  bool good = std::holds_alternative<std::monostate>(value) && !option.unset.empty();
  if (const auto* name = std::get_if<std::string>(&value); name != nullptr && option.type == OptionType::name) {
    check_name(option, *name);
    good = true;
  } else if (const auto* count = std::get_if<std::int64_t>(&value); count != nullptr && option.type == OptionType::count) {
    good = option.range.contains(static_cast<double>(*count));
  } else if (const auto* real = std::get_if<float>(&value); real != nullptr && option.type == OptionType::real) {
    good = std::isfinite(*real) && option.range.contains(static_cast<double>(*real));
  } else if (const auto* widths = std::get_if<std::vector<int>>(&value); widths != nullptr && option.type == OptionType::widths) {
    good = good_widths(*widths);
  } else if (std::holds_alternative<bool>(value)) {
    good = option.type == OptionType::flag;
  }
  if (!good) refuse(option, toml_value(value, option.unset));
}

double shortest(float value) {
  const double near = parse_double(fmt::format("{}", value)).value_or(static_cast<double>(value));
  return to_float(near) == value ? near : static_cast<double>(value);
}

float to_float(double value) {
  constexpr float kMost = std::numeric_limits<float>::max(), kInfinite = std::numeric_limits<float>::infinity();
  // rounds to the nearest float as a smaller value does: kMost is printed as 3.4028235e38, which is above it, by less than half of the
  // 2^104 between the largest floats
  constexpr double kFirstInfinite = 0x1.ffffffp127;
  if (std::abs(value) >= kFirstInfinite) return value > 0 ? kInfinite : -kInfinite;
  if (std::abs(value) > static_cast<double>(kMost)) return value > 0 ? kMost : -kMost;
  return static_cast<float>(value);
}

std::string toml_value(const OptionValue& value, std::string_view unset) {
  struct {
    std::string_view unset;
    std::string operator()(std::monostate) const { return toml_string(unset); }
    std::string operator()(const std::string& name) const { return toml_string(name); }
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
    std::string operator()(std::int64_t count) const { return fmt::format("{}", count); }
    std::string operator()(float real) const {
      return real == 0 && std::signbit(real) ? "-0.0" : fmt::format("{}", shortest(real));  // -0 would be TOML's integer, 0
    }
    std::string operator()(const std::vector<int>& widths) const { return fmt::format("[{}]", fmt::join(widths, ", ")); }
  } const show{unset};
  return std::visit(show, value);
}

std::string text_value(const Option& option, const Config& config) {
  const OptionValue value = option.get(config);
  if (std::holds_alternative<std::monostate>(value)) return std::string(option.unset);
  if (const auto* name = std::get_if<std::string>(&value)) return *name;
  if (const auto* widths = std::get_if<std::vector<int>>(&value))
    return widths->empty() ? "none" : fmt::format("{}", fmt::join(*widths, ","));
  return toml_value(value);
}

}  // namespace cupg

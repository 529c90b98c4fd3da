#pragma once
#include <string>
#include <string_view>

namespace cupg {

/// Bytes that a configuration may have: a complete one has some 3,000, and comments may be longer than settings.
inline constexpr std::size_t kMostConfigBytes = 1 << 16;

/// Refuses, in linear time and before a parser sees it, what no configuration has: more than kMostConfigBytes, tables (so dotted keys
/// and inline ones, too), arrays in arrays, strings of several lines, and anything but printable ASCII outside of strings and comments.
/// Throws Error (usage) as "SOURCE:LINE: ...". What passes need not be TOML yet.
void check_toml(std::string_view toml, const std::string& source);

}  // namespace cupg

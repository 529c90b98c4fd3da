#include "src/report/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "cupg/error.hpp"

namespace cupg {
namespace {

/// Cuts off what stands before the next `end`, and that.
std::string_view take(std::string_view& text, char end) {
  const std::size_t at = std::min(text.find(end), text.size());
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return part;
}

std::string_view take_line(std::string_view& text) {
  std::string_view line = take(text, '\n');
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::optional<double> number(std::string_view field) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  if (field.empty() || field == "null") return kNone;
  double value = 0;
  const auto [end, code] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (end != field.data() + field.size()) return std::nullopt;
  return code == std::errc() ? value : kNone;  // out of range, as 1e999
}

}  // namespace

std::vector<Column> read_table(std::string_view csv, const std::string& source) {
  std::string_view heading = take_line(csv);
  std::vector<Column> table;
  const auto fields = static_cast<std::size_t>(std::count(heading.begin(), heading.end(), ',')) + 1;
  for (std::size_t i = 0; i < fields; ++i) table.push_back({std::string(take(heading, ',')), {}});
  std::vector<bool> numeric(fields, true);
  for (int line_number = 2; !csv.empty(); ++line_number) {
    std::string_view line = take_line(csv);
    if (line.empty() && csv.empty()) break;
    if (const auto found = static_cast<std::size_t>(std::count(line.begin(), line.end(), ',')) + 1; found != fields)
      throw Error(ErrorKind::usage, fmt::format("{}:{}: {} fields; expected {}, as the heading has", source, line_number, found, fields));
    for (std::size_t i = 0; i < fields; ++i) {
      const std::optional<double> value = number(take(line, ','));
      numeric[i] = numeric[i] && value;
      if (numeric[i]) table[i].values.push_back(*value);
    }
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < fields; ++i)
    if (numeric[i]) {
      if (kept != i) table[kept] = std::move(table[i]);
      ++kept;
    }
  table.resize(kept);
  return table;
}

const Column* find_column(const std::vector<Column>& table, std::string_view name) {
  const auto at = std::find_if(table.begin(), table.end(), [&](const Column& c) { return c.name == name; });
  return at == table.end() ? nullptr : &*at;
}

}  // namespace cupg

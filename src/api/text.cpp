#include "src/api/text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <numeric>
#include <optional>
#include <utility>

#include "src/io/aliases.hpp"

namespace cupg {
namespace {

struct CodePoint {
  char32_t value;
  std::size_t bytes;
};
/// The first one; nothing where the text does not begin with UTF-8 (RFC 3629).
std::optional<CodePoint> first_of(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  const std::size_t bytes = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (bytes == 0 || bytes > text.size()) return std::nullopt;
  char32_t value = bytes == 1 ? first : first & 0x7fu >> bytes;
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return std::nullopt;
    value = value << 6 | (byte(i) & 0x3f);
  }
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < kLeast[bytes] || (value >= 0xd800 && value <= 0xdfff) || value > 0x10ffff) return std::nullopt;
  return CodePoint{value, bytes};
}

/// Unicode's categories Cc, Cf, Zl, Zp as far as they change how other characters are shown, or are shown as nothing.
bool is_hidden(char32_t c) {
  constexpr std::pair<char32_t, char32_t> kHidden[] = {{0, 0x1f},        {0x7f, 0x9f},     {0xad, 0xad},      {0x61c, 0x61c},
                                                       {0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},  {0x2060, 0x206f},
                                                       {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff}};
  return std::any_of(std::begin(kHidden), std::end(kHidden), [c](const auto& range) { return c >= range.first && c <= range.second; });
}

/// How many bytes at the beginning stand for themselves on any screen.
std::size_t plain_ascii(std::string_view text) {
  return static_cast<std::size_t>(std::find_if(text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }) - text.begin());
}

std::string escaped(char32_t c) {
  const auto number = static_cast<std::uint32_t>(c);
  if (c == '\n') return "\\n";
  if (c < 0x80) return fmt::format("\\x{:02x}", number);
  return c < 0x10000 ? fmt::format("\\u{:04x}", number) : fmt::format("\\U{:08x}", number);
}

/// At most so many bytes of a text, and no half character at its end.
std::string_view beginning(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  for (int i = 0; i < 3 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80; ++i) --most;
  return text.substr(0, most);
}

/// A message's beginning names the setting or file, its end what was expected.
std::string shortened(const std::string& line) {
  constexpr std::size_t kBeginning = 1200, kEnd = 600;
  if (line.size() <= kBeginning + kEnd) return line;
  std::size_t end = line.size() - kEnd;
  while (end < line.size() && (static_cast<unsigned char>(line[end]) & 0xc0) == 0x80) ++end;
  return fmt::format("{} ... {}", beginning(line, kBeginning), line.substr(end));
}

/// Letters to insert, remove, replace or swap with their neighbor (optimal string alignment), letter case ignored.
int edit_distance(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  std::vector<int> before, above(b.size() + 1), row(b.size() + 1);
  std::iota(above.begin(), above.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j - 1] + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1), above[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = std::exchange(above, row);
  }
  return above.back();
}

}  // namespace

Error::Error(ErrorKind kind, const std::string& message) : std::runtime_error(shortened(one_line(message))), kind_(kind) {}

std::string one_line(std::string_view text) {
  std::string line;
  while (true) {
    const std::size_t plain = plain_ascii(text);
    line += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) return line;
    const std::optional<CodePoint> c = first_of(text);
    const std::size_t bytes = c ? c->bytes : 1;
    if (!c) {
      line += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
    } else if (is_hidden(c->value)) {
      line += escaped(c->value);
    } else {
      line += text.substr(0, bytes);
    }
    text.remove_prefix(bytes);
  }
}

std::string json_escaped(std::string_view json) {
  std::string text;
  while (!json.empty()) {
    const std::optional<CodePoint> c = first_of(json);
    const std::size_t bytes = c ? c->bytes : 1;
    if (!c || !is_hidden(c->value)) {
      text += json.substr(0, bytes);
    } else if (const auto number = static_cast<std::uint32_t>(c->value); number < 0x10000) {
      text += fmt::format("\\u{:04x}", number);
    } else {  // JSON has UTF-16's two halves
      text += fmt::format("\\u{:04x}\\u{:04x}", 0xd7c0 + (number >> 10), 0xdc00 + (number & 0x3ff));
    }
    json.remove_prefix(bytes);
  }
  return text;
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kMost = 80;
  if (text.size() <= kMost) return fmt::format("\"{}\"", one_line(text));
  return fmt::format("\"{}...\" ({} bytes)", one_line(beginning(text, kMost)), text.size());
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  constexpr std::size_t kMost = 100;  // longer than any name
  if (name.size() > kMost) return "";
  std::string best;
  int best_distance = 1 + std::max(1, static_cast<int>(name.size()) / 3);
  for (const std::string& c : candidates)
    if (const int d = edit_distance(name, c); d < best_distance) best = c, best_distance = d;
  if (!best.empty() || name.size() < 4) return best;
  const auto begins = [&](const std::string& c) { return c.starts_with(name); };
  const auto only = std::find_if(candidates.begin(), candidates.end(), begins);
  return only == candidates.end() || std::count_if(candidates.begin(), candidates.end(), begins) > 1 ? "" : *only;
}

std::string unknown_name(std::string_view kind, std::string_view name, const std::vector<std::string>& known) {
  if (const std::string answer = answer_to(kind, name, known, false); !answer.empty())
    return fmt::format("{}: unknown {}; expected {}", kind, in_quotes(name), answer);
  if (const std::string near = nearest_name(name, known); !near.empty())
    return fmt::format("{}: unknown {}; did you mean {}?", kind, in_quotes(name), near);
  return fmt::format("{}: unknown {}; expected one of {}", kind, in_quotes(name), fmt::join(known, ", "));
}

}  // namespace cupg

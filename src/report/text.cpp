#include "src/report/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "src/api/text.hpp"

namespace cupg {
namespace {

/// Where the second column of a line begins: behind the first two spaces that follow its first word; that far in are lines wrapped. Where
/// that leaves less than half of the line: a little further in than the line itself.
std::size_t hanging_indent(std::string_view line, std::size_t columns) {
  const std::size_t first = std::min(line.find_first_not_of(' '), line.size());
  const std::size_t gap = line.find("  ", first);
  const std::size_t second = gap == std::string_view::npos ? gap : line.find_first_not_of(' ', gap);
  if (second != std::string_view::npos && second <= columns / 2) return second;
  return first + 2 <= columns / 2 ? first + 2 : 0;
}

std::string wrapped_line(std::string_view line, std::size_t columns) {
  if (static_cast<std::size_t>(columns_of(line)) <= columns) return std::string(line);
  const std::string indent(hanging_indent(line, columns), ' ');
  if (const std::size_t first = line.find_first_not_of(' '); first != std::string_view::npos && first > columns / 2)
    line.remove_prefix(first);  // it stands below a second column for which there is no room
  std::string text, now;
  for (std::size_t at = 0; at < line.size();) {
    // a word, with the spaces before it
    const std::size_t word = std::min(line.find_first_not_of(' ', at), line.size()), end = std::min(line.find(' ', word), line.size());
    const std::string_view piece = line.substr(at, end - at);
    if (now.find_first_not_of(' ') != std::string::npos && static_cast<std::size_t>(columns_of(now + std::string(piece))) > columns) {
      text += now + "\n";
      now = indent + std::string(line.substr(word, end - word));
    } else {
      now += piece;
    }
    at = end;
  }
  return text + now;
}

}  // namespace

std::string format_count(std::int64_t count) {
  const std::string digits = fmt::format("{}", count);
  const std::size_t first = digits[0] == '-' ? 1 : 0;
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > first && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string format_seconds(double seconds) {
  if (!std::isfinite(seconds)) return "unknown";
  if (seconds < 1) return fmt::format("{:.{}f} ms", 1000 * seconds, seconds < 0.1 ? 1 : 0);
  if (seconds < 60) return fmt::format("{:.{}f} s", seconds, seconds < 10 ? 2 : 1);
  const auto whole = static_cast<std::int64_t>(std::min(seconds, 1e15));
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

std::string format_rate(double per_second) {
  constexpr std::array units{"", " k", " M", " G", " T"};
  std::size_t unit = 0;
  for (; per_second >= 999.5 && unit + 1 < units.size(); ++unit) per_second /= 1000;
  const int decimals = per_second < 9.995 ? 2 : per_second < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f}{}", per_second, decimals, units[unit]);
}

std::string utf8(std::uint32_t code) {
  return {static_cast<char>(0xe0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 0x3f)), static_cast<char>(0x80 | (code & 0x3f))};
}

std::string xml_escaped(std::string_view text) {
  std::string escaped;
  for (const char c : one_line(text)) {
    switch (c) {
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '&': escaped += "&amp;"; break;
      case '"': escaped += "&quot;"; break;
      default: escaped += c;
    }
  }
  return escaped;
}

int columns_of(std::string_view line) {
  int columns = 0;
  for (std::size_t i = 0; i < line.size(); ++i)
    if (line[i] == '\x1b') {
      i = std::min(line.find('m', i), line.size());
    } else if ((static_cast<unsigned char>(line[i]) & 0xc0) != 0x80) {
      ++columns;
    }
  return columns;
}

std::string wrapped(std::string_view text, int columns) {
  std::string result;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    result += wrapped_line(text.substr(0, end), static_cast<std::size_t>(std::max(1, columns)));
    if (end < text.size()) result += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return result;
}

std::string quoted_for_shell(std::string_view word) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./,:=+@%-";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos) return std::string(word);
  const bool hidden = one_line(word) != word;
  std::string text = hidden ? "$'" : "'";
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c);
    if (hidden && (byte < 0x20 || byte > 0x7e)) {
      text += fmt::format("\\x{:02x}", byte);
    } else if (c == '\'') {
      text += hidden ? "\\'" : "'\\''";
    } else {
      if (hidden && c == '\\') text += c;
      text += c;
    }
  }
  return text + "'";
}

std::string shell_command(const std::vector<std::string>& words, int indent, int columns) {
  constexpr int kBackslash = 2;  // what may follow
  const std::string begin(static_cast<std::size_t>(indent), ' ');
  std::string text, now;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string word = quoted_for_shell(words[i]);
    if (i == 0) {
      now = begin + word;
      continue;
    }
    // an option stands with its value, where a line has room for both
    const bool has_value = word.starts_with("--") && i + 1 < words.size() && !words[i + 1].starts_with("-");
    const int alone = columns_of(word) + kBackslash, both = has_value ? alone + 1 + columns_of(quoted_for_shell(words[i + 1])) : alone;
    const int width = indent + 2 + both <= columns ? both : alone;
    if (columns_of(now) + 1 + width <= columns) {
      now += " " + word;
    } else {
      text += now + " \\\n";
      now = begin + "  " + word;
    }
  }
  return text + now + "\n";
}

}  // namespace cupg

#include "src/report/text_table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "src/report/summary.hpp"
#include "src/report/text.hpp"

namespace cupg {

std::string estimate_cell(const Estimate& e, const ToText& text, const char* none) {
  const std::string value = e.value ? text(*e.value) : none;
  if (!e.ci95_low && !e.ci95_high) return value;
  return fmt::format("{} [{}, {}]", value, e.ci95_low ? text(*e.ci95_low) : "-", e.ci95_high ? text(*e.ci95_high) : "-");
}

std::string text_table(const std::vector<std::vector<std::string>>& rows, int columns) {
  std::vector<int> widths(rows[0].size(), 0);
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns_of(row[i]));
  int width = 0;
  for (const int w : widths) width += 2 + w;
  std::string text;
  for (const auto& row : rows) {
    if (width <= columns) {
      std::string line;
      for (std::size_t i = 0; i < row.size(); ++i) {
        const std::string space(static_cast<std::size_t>(widths[i] - columns_of(row[i])), ' ');
        line += "  " + row[i] + space;
      }
      line.erase(line.find_last_not_of(' ') + 1);
      text += line + "\n";
    } else if (&row != &rows[0]) {
      text += row[0] + "\n";
      for (std::size_t i = 1; i < row.size(); ++i) text += wrapped(figure_line(rows[0][i].c_str(), row[i]), columns);
    }
  }
  return text;
}

}  // namespace cupg

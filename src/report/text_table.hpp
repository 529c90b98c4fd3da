#pragma once
#include <functional>
#include <string>
#include <vector>

#include "cupg/summary.hpp"

namespace cupg {

using ToText = std::function<std::string(double)>;

/// A value and its interval in a table.
std::string estimate_cell(const Estimate& estimate, const ToText& text, const char* none);

/// Rows below a heading, each with a name in its first column; where there is no room for the columns, a line a figure.
std::string text_table(const std::vector<std::vector<std::string>>& rows, int columns);

}  // namespace cupg

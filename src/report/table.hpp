#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace cupg {

/// A column of a CSV file whose every field is a number, or says that there is none: NaN for an empty field, nan, null.
struct Column {
  std::string name;
  std::vector<double> values;
};

/// The columns of numbers of a CSV text with a heading, in its order; columns with other text are left out. No field is quoted. Throws
/// Error (usage) as "SOURCE:LINE: ..." where a line has another number of fields than the heading.
std::vector<Column> read_table(std::string_view csv, const std::string& source);

/// nullptr where there is none of that name.
const Column* find_column(const std::vector<Column>& table, std::string_view name);

}  // namespace cupg

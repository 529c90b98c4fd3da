// Reads tests/golden (README.md there says what the files hold).
#pragma once
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace cupg_test {

/// A file of tests/golden.
std::string golden_path(const std::string& name);

/// A gzipped CSV file: column name -> values as text, row by row.
class Csv {
 public:
  explicit Csv(const std::string& path);
  std::size_t rows() const { return rows_; }
  const std::string& text(const std::string& column, std::size_t row) const { return columns_.at(column)[row]; }
  double number(const std::string& column, std::size_t row) const { return std::stod(text(column, row)); }

 private:
  std::map<std::string, std::vector<std::string>> columns_;
  std::size_t rows_ = 0;
};

nlohmann::json golden_json(const std::string& name);

/// {"shape": [...], "data": [flat]}
inline std::vector<double> array(const nlohmann::json& a) { return a.at("data").get<std::vector<double>>(); }

}  // namespace cupg_test

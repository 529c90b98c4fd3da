#pragma once
#include <sstream>
#include <string>

#include "tests/cli/child_process.hpp"

namespace cupg::test {

/// A run's metrics.csv without the columns of wall time: the same for equal trainings.
inline std::string timeless_metrics(const TemporaryFolder& folder, const std::string& run) {
  constexpr int kSeconds = 2, kStepsPerSecond = 6;
  std::istringstream lines(folder.read(run + "/metrics.csv"));
  std::string all;
  for (std::string line; std::getline(lines, line); all += "\n") {
    std::istringstream fields(line);
    int column = 0;
    for (std::string field; std::getline(fields, field, ','); ++column)
      if (column != kSeconds && column != kStepsPerSecond) all += field + ",";
  }
  return all;
}

}  // namespace cupg::test

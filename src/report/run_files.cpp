#include "src/report/run_files.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "src/api/text.hpp"
#include "src/io/files.hpp"

namespace cupg {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Json read_object(const fs::path& path, std::size_t most_bytes) {
  constexpr int kDeepest = 16;
  const std::string text = read_file(path, most_bytes);
  try {
    Json json = Json::parse(text, [&](int depth, Json::parse_event_t, const Json&) {
      if (depth > kDeepest) refuse(fmt::format("{}: nested more than {} deep; expected a JSON object", path.string(), kDeepest));
      return true;
    });
    if (json.is_object()) return json;
  } catch (const Json::exception&) {  // its text says nothing that the user can act on
  }
  refuse(fmt::format("{}: is no JSON object; expected what cupg train writes there", path.string()));
}

std::vector<Column> read_curves(const fs::path& file) { return read_table(read_file(file, kMostCurveBytes), file.string()); }

fs::path curve_file(const fs::path& run) { return run / "metrics.csv"; }

void expect_folder(const fs::path& run) {
  std::error_code failed;
  if (!run.empty() && !fs::is_directory(run, failed))
    refuse(fmt::format("RUN: {} is no folder; expected a run's, as runs/CartPole-v1-a2c-seed1", run.string()));
}

}  // namespace cupg

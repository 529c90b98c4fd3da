#include "src/sweep/folder.hpp"

#include <fmt/format.h>

#include "cupg/error.hpp"
#include "src/api/text.hpp"
#include "src/io/files.hpp"
#include "src/io/toml_check.hpp"

namespace cupg {
namespace fs = std::filesystem;

constexpr std::size_t kMostRowBytes = std::size_t{1} << 31;

SweepFolder::SweepFolder(const std::optional<fs::path>& wanted, const SweepPlan& plan) {
  if (wanted) {
    if (wanted->empty()) refuse("run: \"\"; expected the name of a folder");
    if (const std::string why = folder_.claim(*wanted); !why.empty())
      refuse(fmt::format("run: {} {}; expected a new or an empty folder{}", wanted->string(), why,
                         fs::exists(*wanted / kPlan) ? fmt::format(" (cupg sweep --resume {} goes on with it)", wanted->string()) : ""));
  } else {
    const std::string base = fmt::format("runs/sweep-{}-{}", plan.config.environment, plan.config.algorithm);
    for (int number = 1; !folder_.claim(number == 1 ? base : fmt::format("{}-{}", base, number)).empty();) ++number;
  }
  folder_.write_now(kPlan, write_sweep(plan));
}

SweepFolder::SweepFolder(const fs::path& folder, SweepPlan& plan) {
  std::error_code failed;
  if (!fs::exists(folder / kPlan, failed)) refuse(fmt::format("{}: has no {}; expected the folder of a sweep", folder.string(), kPlan));
  if (const std::string why = folder_.reclaim(folder); !why.empty())
    refuse(fmt::format("{}: {}; expected the folder of a sweep that no process fills", folder.string(), why));
  read_sweep(read_file(folder / kPlan, kMostConfigBytes), (folder / kPlan).string(), plan);
}

void SweepFolder::take_rows(SweepRows& rows) {
  const fs::path file = folder_.path() / kAgents;
  std::error_code failed;
  if (!fs::exists(file, failed)) return folder_.write_now(kAgents, rows.heading());
  std::string csv = read_file(file, kMostRowBytes);
  const std::size_t whole = rows.read(csv, file.string());
  if (whole == csv.size()) return;
  csv.resize(whole);
  folder_.write_now(kAgents, whole == 0 ? rows.heading() : csv);
}

fs::path SweepFolder::finish(const std::vector<std::pair<std::string, std::string>>& files) {
  for (const auto& [name, bytes] : files) folder_.write(name, bytes);
  folder_.publish();
  return folder_.path();
}

}  // namespace cupg

// The folder of a sweep: sweep.toml, agents.csv as it grows and, at the end, points.csv, a picture and summary.json, with which it is
// whole.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "src/io/unfinished_folder.hpp"
#include "src/sweep/file.hpp"
#include "src/sweep/rows.hpp"

namespace cupg {

class SweepFolder {
 public:
  /// A new one: `wanted` or, where that is nothing, the first free of runs/sweep-ENV-ALGO, -2, -3 ... Throws Error: usage where it is
  /// somebody's, runtime where it cannot be written.
  SweepFolder(const std::optional<std::filesystem::path>& wanted, const SweepPlan& plan);
  /// One that is there, to go on with; `plan` receives what is in it. Throws Error (usage) where it is no sweep, or another process has it.
  SweepFolder(const std::filesystem::path& folder, SweepPlan& plan);

  /// agents.csv, as an earlier process left it, without a line that has no end.
  void take_rows(SweepRows& rows);
  void append(const SweepRows& rows, const SweepRow& row) { folder_.append(kAgents, rows.line(row)); }
  /// What belongs to the end. Returns where it is.
  std::filesystem::path finish(const std::vector<std::pair<std::string, std::string>>& files);
  std::filesystem::path path() const { return folder_.path(); }

  static constexpr const char *kPlan = "sweep.toml", *kAgents = "agents.csv", *kSummary = "summary.json";

 private:
  UnfinishedFolder folder_{kSummary};
};

}  // namespace cupg

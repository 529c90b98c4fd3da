// What a sweep has trained so far: a row of agents.csv for every agent that has ended.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "cupg/trainer.hpp"
#include "src/sweep/plan.hpp"

namespace cupg {

/// A field of CSV, in quotes where it has a comma, as widths do.
std::string csv_field(const std::string& text);

struct SweepRow {
  int rung = 0;   ///< of those that select; beyond the last one: an agent that reports
  int point = 0;  ///< its place among sweep_points()
  std::uint64_t seed = 0;
  Outcome outcome = Outcome::finished;
  std::int64_t solved_env_steps = 0;  ///< 0: never
  std::optional<double> final_return;
  std::int64_t env_steps = 0;
  double seconds = 0;
};

class SweepRows {
 public:
  SweepRows(const SweepPlan& plan, const std::vector<SweepPoint>& points, std::vector<std::int64_t> steps)
      : plan_(plan), points_(points), steps_(std::move(steps)) {}

  void add(const SweepRow& row) { rows_[{row.rung, row.point, row.seed}] = row; }
  /// What is known of an agent at the end of a rung: an agent that ended before an earlier rung's limit would end there again, and is not
  /// trained again. nullptr: nothing yet.
  const SweepRow* find(int rung, int point, std::uint64_t seed) const;
  std::size_t size() const { return rows_.size(); }
  std::int64_t env_steps() const;

  /// agents.csv: its first line, a row's line, all of it in order.
  std::string heading() const;
  std::string line(const SweepRow& row) const;
  std::string csv() const;
  /// Takes the rows of agents.csv, an untrusted text; of a last line without an end nothing. Returns how many bytes were whole. Throws
  /// Error (usage) as "SOURCE:LINE: ..." where it is not of this sweep.
  std::size_t read(std::string_view csv, const std::string& source);

 private:
  const SweepPlan& plan_;
  const std::vector<SweepPoint>& points_;
  const std::vector<std::int64_t> steps_;  ///< of each rung
  std::map<std::tuple<int, int, std::uint64_t>, SweepRow> rows_;
};

}  // namespace cupg

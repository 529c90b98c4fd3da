#include "src/sweep/rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "src/api/text.hpp"
#include "src/report/json.hpp"

namespace cupg {
namespace {

/// Of an agent; those of a million make no overflow.
constexpr std::int64_t kMostSteps = std::int64_t{1} << 42;
constexpr Outcome kOutcomes[] = {Outcome::solved, Outcome::finished, Outcome::diverged};

bool ends_with_steps(const Config& c) {
  return c.optimizer.schedule == Schedule::linear || c.objective.clip_schedule == ClipSchedule::linear;
}

template <class T>
bool read_number(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string csv_field(const std::string& text) { return text.find(',') == std::string::npos ? text : fmt::format("\"{}\"", text); }

const SweepRow* SweepRows::find(int rung, int point, std::uint64_t seed) const {
  const auto at = rows_.find({rung, point, seed});
  if (at != rows_.end()) return &at->second;
  if (rung == 0 || rung >= static_cast<int>(steps_.size())) return nullptr;
  const SweepRow* before = find(rung - 1, point, seed);
  const bool ended =
      before != nullptr && (before->outcome == Outcome::diverged || (before->outcome == Outcome::solved && plan_.config.stop_when_solved &&
                                                                     before->env_steps < steps_[static_cast<std::size_t>(before->rung)]));
  return ended && !ends_with_steps(config_of(plan_, points_[static_cast<std::size_t>(point)])) ? before : nullptr;
}

std::int64_t SweepRows::env_steps() const {
  std::int64_t steps = 0;
  for (const auto& [key, row] : rows_) steps += row.env_steps;
  return steps;
}

std::string SweepRows::heading() const {
  std::string text = "phase,rung,steps,point";
  for (const SweepAxis& axis : plan_.axes) text.append(",").append(axis.option->name);
  return text + ",seed,outcome,solved,steps_to_solve,final_return,env_steps,seconds\n";
}

std::string SweepRows::line(const SweepRow& row) const {
  const auto rungs = static_cast<int>(steps_.size());
  const bool reports = row.rung >= rungs;
  std::string text = fmt::format("{},{},{},{}", reports ? "report" : "select", reports ? rungs : row.rung + 1,
                                 steps_[static_cast<std::size_t>(std::min(row.rung, rungs - 1))], row.point);
  for (std::size_t a = 0; a < plan_.axes.size(); ++a)
    text += "," + csv_field(value_text(plan_.axes[a], points_[static_cast<std::size_t>(row.point)][a]));
  const bool solved = row.solved_env_steps > 0;
  return text + fmt::format(",{},{},{},{},{},{},{:.3f}\n", row.seed, outcome_name(row.outcome), solved ? 1 : 0,
                            solved ? fmt::format("{}", row.solved_env_steps) : "",
                            row.final_return ? fmt::format("{}", *row.final_return) : "", row.env_steps, row.seconds);
}

std::string SweepRows::csv() const {
  std::string text = heading();
  for (const auto& [key, row] : rows_) text += line(row);
  return text;
}

std::size_t SweepRows::read(std::string_view csv, const std::string& source) {
  std::size_t at = 0, number = 1;
  const auto fail = [&](const std::string& why) { refuse(fmt::format("{}:{}: {}", source, number, why)); };
  for (std::size_t end; (end = csv.find('\n', at)) != std::string_view::npos; at = end + 1, ++number) {
    const std::string_view text = csv.substr(at, end - at + 1);
    if (number == 1) {
      if (text != heading()) fail(fmt::format("{}; expected the heading of this sweep", in_quotes(text.substr(0, text.size() - 1))));
      continue;
    }
    // what follows from the plan is not read but compared: line() must give the same text again
    const std::string_view whole = text.substr(0, text.size() - 1);
    std::vector<std::string_view> fields;
    bool quoted = false;
    std::size_t start = 0;
    for (std::size_t i = 0; i <= whole.size(); ++i) {
      if (i < whole.size() && whole[i] == '"') quoted = !quoted;
      if (i == whole.size() || (whole[i] == ',' && !quoted)) fields.push_back(whole.substr(start, i - start)), start = i + 1;
    }
    const std::size_t axes = plan_.axes.size();
    if (fields.size() != 11 + axes) fail(fmt::format("{} fields; expected {}, as the heading has", fields.size(), 11 + axes));
    SweepRow row;
    int rung = 0;
    bool good = read_number(fields[1], rung) && rung >= 1 && rung <= static_cast<int>(steps_.size());
    row.rung = fields[0] == "report" ? static_cast<int>(steps_.size()) : rung - 1;
    good = good && read_number(fields[3], row.point) && row.point >= 0 && row.point < static_cast<int>(points_.size());
    const std::string_view* f = fields.data() + 4 + axes;
    const bool reports = row.rung >= static_cast<int>(steps_.size());
    const std::uint64_t first = reports ? plan_.reporting_seed() : plan_.config.seed;
    const auto seeds = static_cast<std::uint64_t>(reports ? plan_.settings.report_seeds : plan_.config.seeds);
    good = good && read_number(f[0], row.seed) && row.seed >= first && row.seed - first < seeds;
    const auto outcome = std::find_if(std::begin(kOutcomes), std::end(kOutcomes), [&](Outcome o) { return outcome_name(o) == f[1]; });
    good = good && outcome != std::end(kOutcomes);
    if (good) row.outcome = *outcome;
    if (!f[3].empty()) good = good && read_number(f[3], row.solved_env_steps) && row.solved_env_steps > 0;
    double mean = 0;
    if (!f[4].empty()) good = good && read_number(f[4], mean) && std::isfinite(mean), row.final_return = mean;
    good = good && read_number(f[5], row.env_steps) && row.env_steps >= 0 && row.env_steps <= kMostSteps;
    good = good && row.solved_env_steps <= row.env_steps && (row.outcome != Outcome::solved || row.solved_env_steps > 0);
    good = good && !rows_.contains({row.rung, row.point, row.seed});
    good = good && read_number(f[6], row.seconds) && row.seconds >= 0 && row.seconds < 1e9;
    if (!good || line(row) != text) fail(fmt::format("{}; expected a row of this sweep", in_quotes(whole)));
    add(row);
  }
  return at;
}

}  // namespace cupg

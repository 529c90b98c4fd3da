#include "src/report/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "cupg/run.hpp"
#include "src/api/text.hpp"
#include "src/report/bands.hpp"
#include "src/report/json.hpp"
#include "src/report/run_files.hpp"
#include "src/train/statistics.hpp"

namespace cupg {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Of a table with seed, env_steps and mean_return alone.
ReturnCurve curve_of(const std::vector<Column>& table, const std::string& source) {
  const Bands bands = make_bands(table, source);
  ReturnCurve curve;
  if (bands.metrics.empty()) return curve;
  const Band& band = bands.metrics[0];
  for (std::size_t i = 0; i < bands.env_steps.size(); ++i) {
    if (std::isnan(band.middle[i])) continue;
    curve.env_steps.push_back(bands.env_steps[i]);
    curve.middle.push_back(band.middle[i]);
    if (bands.agents > 1) curve.low.push_back(band.low[i]), curve.high.push_back(band.high[i]);
  }
  return curve;
}

constexpr double kMostReturn = 1e15, kMostCount = 9007199254740991.0;  // counts are exact

/// The column of the first of these names that there is, as `ours`.
Column take_column(const std::vector<Column>& table, std::initializer_list<const char*> names, const char* ours, const std::string& source,
                   double low, double high) {
  const Column* column = nullptr;
  for (const char* name : names)
    if (column == nullptr) column = find_column(table, name);
  if (column == nullptr)
    refuse(
        fmt::format("{}: has no column of numbers {}; expected seed, step (or env_steps, global_step) and return (or mean_return, "
                    "episodic_return)",
                    source, *names.begin()));
  for (const double x : column->values)
    if (!std::isnan(x) && !(x >= low && x <= high))
      refuse(fmt::format("{}: {}: {:g}; expected numbers from {:g} to {:g}", source, column->name, x, low, high));
  return {ours, column->values};
}
/// seed, env_steps, mean_return
std::vector<Column> take_columns(const fs::path& file) {
  const std::vector<Column> table = read_curves(file);
  const std::string source = file.string();
  return {take_column(table, {"seed"}, "seed", source, 0, kMostCount),
          take_column(table, {"step", "env_steps", "global_step"}, "env_steps", source, 0, kMostCount),
          take_column(table, {"return", "mean_return", "episodic_return"}, "mean_return", source, -kMostReturn, kMostReturn)};
}

/// What stands in result.json; throws Json::exception where it is something else.
AgentResult read_agent(const Json& json) {
  const auto count_at = [&](const char* key) {
    const Json& value = json.at(key);
    return value.is_number_unsigned() ? value.get<std::uint64_t>() : throw Json::type_error::create(302, key, &value);
  };
  AgentResult agent;
  agent.seed = count_at("seed");
  for (const Outcome outcome : {Outcome::solved, Outcome::finished, Outcome::diverged, Outcome::interrupted})
    if (json.at("outcome") == outcome_name(outcome)) agent.outcome = outcome;
  agent.env_steps = static_cast<std::int64_t>(count_at("env_steps"));
  if (!json.at("solved_env_steps").is_null()) agent.solved_env_steps = static_cast<std::int64_t>(count_at("solved_env_steps"));
  if (const Json& value = json.at("solved_seconds"); !value.is_null()) agent.solved_seconds = value.get<double>();
  if (const Json& value = json.at("final_return"); !value.is_null()) agent.final_return = value.get<double>();
  return agent;
}

void read_run(const fs::path& path, ComparedRun& run) {
  expect_folder(path);
  const Config config = Run::config(path);
  run.environment = find_environment(config.environment).name;
  run.algorithm = config.algorithm;
  run.stops_when_solved = config.stop_when_solved;
  const fs::path file = path / "result.json";
  const Json result = read_object(file, kMostResultBytes);
  try {
    for (const Json& agent : result.at("agents")) run.agents.push_back(read_agent(agent));
  } catch (const Json::exception&) {
    run.agents.clear();
  }
  if (run.agents.empty()) refuse(fmt::format("{}: agents: not what cupg train writes there; expected a finished run", file.string()));
  for (const AgentResult& agent : run.agents)
    if (agent.final_return && !(std::abs(*agent.final_return) <= kMostReturn))
      refuse(fmt::format("{}: final_return: {:g}; expected at most {:g}", file.string(), *agent.final_return, kMostReturn));
  run.curve = curve_of(take_columns(curve_file(path)), curve_file(path).string());
}

void read_csv(const fs::path& path, ComparedRun& run) {
  const std::string source = path.string();
  const std::vector<Column> columns = take_columns(path);
  const std::vector<double>&seed = columns[0].values, &step = columns[1].values, &mean_return = columns[2].values;
  std::map<double, std::vector<std::pair<double, double>>> seeds;  // step and return
  for (std::size_t row = 0; row < seed.size(); ++row) {
    if (seed[row] != std::floor(seed[row]) && !std::isnan(seed[row]))
      refuse(fmt::format("{}: seed: {:g}; expected whole numbers", source, seed[row]));
    if (!std::isnan(seed[row]) && !std::isnan(step[row]) && !std::isnan(mean_return[row]))
      seeds[seed[row]].emplace_back(step[row], mean_return[row]);
  }
  if (seeds.empty()) refuse(fmt::format("{}: no row has a seed, a step and a return; expected some", source));
  for (auto& [number, rows] : seeds) {
    std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    AgentResult& agent = run.agents.emplace_back();
    agent.seed = static_cast<std::uint64_t>(number);
    agent.env_steps = static_cast<std::int64_t>(rows.back().first);
    const std::size_t last = (rows.size() + 9) / 10;
    double sum = 0;
    for (std::size_t i = rows.size() - last; i < rows.size(); ++i) sum += rows[i].second;
    agent.final_return = sum / static_cast<double>(last);
  }
  run.csv = true;
  run.curve = curve_of(columns, source);
}

/// Their returns, paired by seed where both have the same seeds.
RunDifference difference(const ComparedRun& x, const ComparedRun& y) {
  const auto seeds_of = [](const ComparedRun& run) {
    std::map<std::uint64_t, std::optional<double>> seeds;
    for (const AgentResult& agent : run.agents) seeds[agent.seed] = agent.final_return;
    return seeds;
  };
  const auto seeds_x = seeds_of(x), seeds_y = seeds_of(y);
  const bool same = seeds_x.size() == x.agents.size() && seeds_y.size() == y.agents.size() &&
                    std::equal(seeds_x.begin(), seeds_x.end(), seeds_y.begin(), seeds_y.end(),
                               [](const auto& a, const auto& b) { return a.first == b.first; });
  RunDifference d;
  d.same_seeds = same;
  std::vector<double> returns_x, returns_y;
  for (const auto& [run, own, others, returns] :
       {std::tuple(&x, &seeds_x, &seeds_y, &returns_x), std::tuple(&y, &seeds_y, &seeds_x, &returns_y)})
    for (const AgentResult& agent : run->agents)
      if (agent.final_return && (!same || others->at(agent.seed))) returns->push_back(*agent.final_return);
  d.returns = compare_groups(returns_x, returns_y, same);
  if (x.csv || y.csv || x.n() < 2 || y.n() < 2) return d;
  std::vector<Duration> steps_x, steps_y;
  for (const AgentResult& agent : x.agents) steps_x.push_back(time_to_solve(agent));
  for (const AgentResult& agent : y.agents) steps_y.push_back(time_to_solve(agent));
  d.log_rank_p = log_rank_p(steps_x, steps_y);
  return d;
}

/// What the axis of returns has room for: all that the environment's episodes can return, and everything that is there.
void find_range(Comparison& c) {
  c.bottom = std::numeric_limits<double>::infinity(), c.top = -c.bottom;
  if (c.environment != nullptr) c.bottom = std::min(0.0, c.environment->min_return), c.top = std::max(0.0, c.environment->max_return);
  const auto take = [&](double x) { c.bottom = std::min(c.bottom, x), c.top = std::max(c.top, x); };
  for (const ComparedRun& run : c.runs) {
    for (const auto* values : {&run.curve.middle, &run.curve.low, &run.curve.high})
      for (const double x : *values) take(x);
    for (const AgentResult& agent : run.agents)
      if (agent.final_return) take(*agent.final_return);
  }
  if (!(c.top >= c.bottom)) c.bottom = c.top = 0;  // nothing is there
  if (const double least = 1e-6 * std::max(std::abs(c.bottom), std::abs(c.top)); c.top - c.bottom <= least)
    c.bottom -= 1 + least, c.top += 1 + least;
}

}  // namespace

Comparison compare_runs(const std::vector<fs::path>& paths) {
  Comparison c;
  for (const fs::path& path : paths) {
    ComparedRun& run = c.runs.emplace_back();
    run.name = path.string();
    run.label = static_cast<char>('A' + c.runs.size() - 1);
    std::error_code failed;
    if (path.extension() == ".csv" && !fs::is_directory(path, failed)) {
      read_csv(path, run);
    } else {
      read_run(path, run);
    }
    std::stable_sort(run.agents.begin(), run.agents.end(), [](const AgentResult& a, const AgentResult& b) { return a.seed < b.seed; });
    run.summary = summarize(run.agents);
    if (run.csv) continue;
    const EnvironmentInfo& environment = find_environment(run.environment);
    if (c.environment != nullptr && c.environment->id != environment.id)
      refuse(fmt::format("RUN: {} is of {}; expected runs of one environment, {}", run.name, environment.name, c.environment->name));
    c.environment = &environment;
  }
  for (std::size_t i = 1; i < c.runs.size(); ++i) c.differences.push_back(difference(c.runs[i], c.runs[0]));
  find_range(c);
  return c;
}

Interval share_above(const ComparedRun& run, double tau) {
  int above = 0;
  for (const AgentResult& agent : run.agents) above += agent.final_return && *agent.final_return > tau;
  return proportion_interval(above, run.summary.measured);
}

}  // namespace cupg

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "src/io/version.hpp"
#include "src/report/json.hpp"
#include "src/report/sweep.hpp"

namespace cupg {
namespace {

using Json = nlohmann::ordered_json;

Json number(const std::optional<double>& x) { return x ? json_number(*x) : Json(nullptr); }

/// A value as JSON has it: numbers as numbers.
Json value_json(const SweepAxis& axis, const OptionValue& value) {
  if (const auto* real = std::get_if<float>(&value)) return json_number(shortest(*real));
  if (const auto* count = std::get_if<std::int64_t>(&value)) return *count;
  if (const auto* flag = std::get_if<bool>(&value)) return *flag;
  if (const auto* widths = std::get_if<std::vector<int>>(&value)) return *widths;
  return value_text(axis, value);
}

Json settings_json(const Sweep& s, int point) {
  Json json = Json::object();
  for (std::size_t a = 0; a < s.plan.axes.size(); ++a)
    json[std::string(s.plan.axes[a].option->name)] = value_json(s.plan.axes[a], s.points[static_cast<std::size_t>(point)][a]);
  return json;
}

Json report_json(const Sweep& s, std::size_t i) {
  const std::vector<SweepReport>& all = s.result.reports;
  const SweepReport& r = all[i];
  return {{"rank", i + 1},
          {"point", r.point},
          {"settings", settings_json(s, r.point)},
          {"agents", r.score.agents},
          {"figure", number(r.figure.value)},
          {"ci95", json_interval(r.figure)},
          {"solved_fraction", number(r.solved.value)},
          {"solved_fraction_ci95", json_interval(r.solved)},
          {"steps_to_solve_median", number(r.median_steps.value)},
          {"steps_to_solve_median_ci95", json_interval(r.median_steps)},
          {"iqm", number(r.mean_return.value)},
          {"iqm_ci95", json_interval(r.mean_return)},
          {"selected_by", json_number(s.result.rungs.back().scores[i].figure)},
          {"overlaps", overlapping(all, i)}};
}

}  // namespace

Json sweep_json(const Sweep& s) {
  const SweepSettings& settings = s.plan.settings;
  const std::uint64_t first = s.plan.reporting_seed();
  Json axes = Json::object(), rungs = Json::array(), reported = Json::array(), sensitive;
  for (const SweepAxis& axis : s.plan.axes) axes[std::string(axis.option->name)] = axis_text(axis);
  for (const SweepRung& rung : s.result.rungs) rungs.push_back({{"points", rung.points.size()}, {"steps", rung.steps}});
  for (std::size_t i = 0; i < s.result.reports.size(); ++i) reported.push_back(report_json(s, i));
  if (s.result.sensitive) {
    const Sensitivity& x = *s.result.sensitive;
    sensitive = {
        {"settings", x.settings}, {"within_5_percent", x.near}, {"effective_hyperparameters", x.needed ? Json(*x.needed) : Json(nullptr)}};
  }
  const SweepBudget most = budget(s.plan, s.points.size());
  return {{"environment", s.config().environment},
          {"algorithm", s.config().algorithm},
          {"version", version()},
          {"ranked_by", by_steps(s.config()) ? "restricted mean of the steps to solve" : "interquartile mean of the final returns"},
          {"swept", std::move(axes)},
          {"points", s.points.size()},
          {"selecting_seeds", {s.config().seed, first - 1}},
          {"reporting_seeds", {first, first + static_cast<std::uint64_t>(settings.report_seeds - 1)}},
          {"rungs", std::move(rungs)},
          {"budget", {{"agents", most.agents}, {"env_steps", most.env_steps}}},
          {"agents", s.result.agents},
          {"env_steps", s.result.env_steps},
          {"best", std::move(reported)},
          {"sensitivity", std::move(sensitive)},
          {"config", config_json(s.config())}};
}

std::string points_csv(const Sweep& s) {
  struct Last {
    std::size_t rung = 0, rank = 0;
    SweepScore score;
  };
  std::vector<Last> last(s.points.size());
  for (std::size_t r = 0; r < s.result.rungs.size(); ++r)
    for (std::size_t i = 0; i < s.result.rungs[r].points.size(); ++i)
      last[static_cast<std::size_t>(s.result.rungs[r].points[i])] = {r, i + 1, s.result.rungs[r].scores[i]};
  std::string text = "point";
  for (const SweepAxis& axis : s.plan.axes) text.append(",").append(axis.option->name);
  text += fmt::format(",rank,rung,steps,agents,solved,{},return_iqm\n", by_steps(s.config()) ? "steps_to_solve_restricted_mean" : "figure");
  for (std::size_t p = 0; p < s.points.size(); ++p) {
    text += fmt::format("{}", p);
    for (std::size_t a = 0; a < s.plan.axes.size(); ++a) text += "," + csv_field(value_text(s.plan.axes[a], s.points[p][a]));
    text += fmt::format(",{},{},{},{},{},{},{}\n", last[p].rank, last[p].rung + 1, s.result.rungs[last[p].rung].steps, last[p].score.agents,
                        last[p].score.solved, last[p].score.figure, last[p].score.mean_return);
  }
  return text;
}

}  // namespace cupg

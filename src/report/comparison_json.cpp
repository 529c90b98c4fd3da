#include <nlohmann/json.hpp>

#include "src/io/version.hpp"
#include "src/report/comparison.hpp"
#include "src/report/json.hpp"

namespace cupg {
namespace {

using Json = nlohmann::ordered_json;

Json numbers(const std::vector<double>& values) {
  Json json = Json::array();
  for (const double x : values) json.push_back(json_number(x));
  return json;
}
Json optional_number(const std::optional<double>& x) { return x ? json_number(*x) : Json(nullptr); }

Json profile_json(const Comparison& c, const ComparedRun& run) {
  constexpr int kParts = 100;
  Json json = Json::array();
  for (int i = 0; i <= kParts && run.summary.measured > 0; ++i) {
    const double tau = c.bottom + (c.top - c.bottom) * i / kParts;
    const Interval share = share_above(run, tau);
    json.push_back(
        {{"tau", tau}, {"above", share.value}, {"ci95", run.summary.measured > 1 ? Json{share.low, share.high} : Json(nullptr)}});
  }
  return json;
}

Json run_json(const Comparison& c, const ComparedRun& run) {
  Json agents = Json::array();
  for (const AgentResult& a : run.agents) {
    Json& agent =
        agents.emplace_back(Json{{"seed", a.seed}, {"env_steps", a.env_steps}, {"final_return", optional_number(a.final_return)}});
    if (!run.csv) agent["solved_env_steps"] = a.solved_env_steps > 0 ? Json(a.solved_env_steps) : Json(nullptr);
  }
  const auto ours = [&](auto value) { return run.csv ? Json(nullptr) : Json(value); };
  Json summary = summary_json(run.summary);
  if (run.csv) {  // nobody knows when they solved it
    for (const char* key : {"solved_fraction", "solved_fraction_ci95", "holding_fraction", "holding_fraction_ci95", "steps_to_solve"})
      summary[key] = nullptr;
    summary["tolerance"]["steps_to_solve"] = nullptr;
  }
  return {{"label", std::string(1, run.label)},
          {"run", run.name},
          {"csv", run.csv},
          {"algorithm", ours(run.algorithm)},
          {"stops_when_solved", ours(run.stops_when_solved)},
          {"summary", std::move(summary)},
          {"agents", std::move(agents)},
          {"curve",
           {{"env_steps", numbers(run.curve.env_steps)},
            {"median", numbers(run.curve.middle)},
            {"quartile25", numbers(run.curve.low)},
            {"quartile75", numbers(run.curve.high)}}},
          {"profile", profile_json(c, run)}};
}

}  // namespace

Json comparison_json(const Comparison& c) {
  Json runs = Json::array(), comparisons = Json::array();
  for (const ComparedRun& run : c.runs) runs.push_back(run_json(c, run));
  for (std::size_t i = 0; i < c.differences.size(); ++i) {
    const RunDifference& d = c.differences[i];
    comparisons.push_back({{"run", std::string(1, c.runs[i + 1].label)},
                           {"against", std::string(1, c.runs[0].label)},
                           {"paired", d.same_seeds},
                           {"n", {d.returns.n_x, d.returns.n_y}},
                           {"difference", optional_number(d.returns.difference.value)},
                           {"difference_ci95", json_interval(d.returns.difference)},
                           {"probability_of_improvement", optional_number(d.returns.probability.value)},
                           {"probability_of_improvement_ci95", json_interval(d.returns.probability)},
                           {"welch_p", optional_number(d.returns.welch_p)},
                           {"detectable_difference", optional_number(d.returns.detectable_difference)},
                           {"log_rank_p", optional_number(d.log_rank_p)},
                           {"stops_when_solved", c.runs[i + 1].stops_when_solved || c.runs[0].stops_when_solved}});
  }
  return {{"environment", c.environment != nullptr ? Json(c.environment->name) : Json(nullptr)},
          {"reward_threshold", c.environment != nullptr ? Json(c.environment->reward_threshold) : Json(nullptr)},
          {"version", version()},
          {"runs", std::move(runs)},
          {"comparisons", std::move(comparisons)}};
}

}  // namespace cupg

#include "src/report/json.hpp"

#include "kernels/metrics/quantiles.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "cupg/environment.hpp"
#include "cupg/policy.hpp"
#include "src/api/text.hpp"
#include "src/io/options.hpp"
#include "src/io/version.hpp"
#include "src/train/statistics.hpp"

namespace cupg {
namespace {

using Json = nlohmann::ordered_json;

Json number(double x) { return json_number(x); }
Json number(const std::optional<double>& x) { return x ? number(*x) : Json(nullptr); }
Json number_if(bool there, double x) { return there ? number(x) : Json(nullptr); }
Json rate(std::int64_t steps, double seconds) { return number(static_cast<double>(steps) / seconds); }

struct ToJson {
  std::string_view unset;
  Json operator()(std::monostate) const { return std::string(unset); }
  Json operator()(float x) const { return number(shortest(x)); }
  template <class T>
  Json operator()(const T& x) const {
    return x;
  }
};

Json agent_json(const AgentResult& agent) {
  const bool solved = agent.solved_env_steps > 0;
  Json json = {{"seed", agent.seed},
               {"outcome", outcome_name(agent.outcome)},
               {"solved", solved},
               {"solved_env_steps", solved ? Json(agent.solved_env_steps) : Json(nullptr)},
               {"solved_seconds", number_if(solved, agent.solved_seconds)},
               {"initial_return", number(agent.initial_return)},
               {"final_return", number(agent.final_return)},
               {"best_return", number(agent.best_return)},
               {"best_env_steps", agent.best_return ? Json(agent.best_env_steps) : Json(nullptr)},
               {"env_steps", agent.env_steps},
               {"updates", agent.updates},
               {"seconds", number(agent.seconds)},
               {"checks", agent.checks},
               {"parameters_sha256", parameters_sha256(agent.parameters)}};
  if (!agent.best_parameters.empty()) json["best_parameters_sha256"] = parameters_sha256(agent.best_parameters);
  if (!agent.message.empty()) json["message"] = agent.message;
  return json;
}

/// null where there is no end of it
Json interval(const std::optional<double>& low, const std::optional<double>& high) {
  return low || high ? Json::array({number(low), number(high)}) : Json(nullptr);
}
Json interval(const Estimate& e) { return json_interval(e); }

Json steps_to_solve_json(const Summary& s) {
  Json shares;
  for (std::size_t i = 0; i < kSolvedShares.size(); ++i)
    shares[std::to_string(std::lround(100 * kSolvedShares[i]))] = {{"env_steps", number(s.steps_to_solve[i].value)},
                                                                   {"ci95", interval(s.steps_to_solve[i])}};
  const Estimate& median = s.median_steps_to_solve();
  return {{"median", number(median.value)}, {"ci95", interval(median)}, {"censored", s.censored}, {"shares", std::move(shares)}};
}

Json tolerance_json(const Summary& s) {
  return {{"share", kToleranceShare},
          {"confidence", 0.95},
          {"least_agents", kToleranceAgents},
          {"final_return", interval(s.return_tolerance.low, s.return_tolerance.high)},
          {"steps_to_solve", interval(s.steps_tolerance.low, s.steps_tolerance.high)}};
}

Json survival_json(const Summary& s) {
  Json curve = Json::array();
  for (const SurvivalPoint& p : s.survival)
    curve.push_back({{"env_steps", p.env_steps},
                     {"at_risk", p.at_risk},
                     {"solved", p.solved},
                     {"unsolved", p.unsolved},
                     {"ci95", interval(p.ci95_low, p.ci95_high)}});
  return curve;
}

}  // namespace

Json json_number(double x) { return std::isfinite(x) ? Json(x) : Json(nullptr); }
Json json_interval(const Estimate& e) { return interval(e.ci95_low, e.ci95_high); }

Json summary_json(const Summary& s) {
  return {{"n", s.n},
          {"measured", s.measured},
          {"iqm", number(s.iqm.value)},
          {"ci95", interval(s.iqm)},
          {"worst", number(s.worst)},
          {"tolerance", tolerance_json(s)},
          {"solved_fraction", number(s.solved_fraction.value)},
          {"solved_fraction_ci95", interval(s.solved_fraction)},
          {"holding_fraction", number(s.holding_fraction.value)},
          {"holding_fraction_ci95", interval(s.holding_fraction)},
          {"steps_to_solve", steps_to_solve_json(s)},
          {"solved_seconds_median", number(s.solved_seconds_median)},
          {"solved_seconds_p99", number(s.solved_seconds_p99)}};
}

std::string outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::solved: return "solved";
    case Outcome::finished: return "finished";
    case Outcome::diverged: return "diverged";
    case Outcome::interrupted: return "interrupted";
  }
  return "unknown";
}

Json config_json(const Config& config) {
  Json json = Json::object();
  for (const Option& option : options()) json[std::string(option.name)] = std::visit(ToJson{option.unset}, option.get(config));
  return json;
}

Json train_json(const Config& config, const TrainResult& result) {
  Json agents = Json::array();
  for (const AgentResult& agent : result.agents) agents.push_back(agent_json(agent));
  return {{"environment", config.environment},
          {"algorithm", config.algorithm},
          {"device", result.device},
          {"device_reason", result.device_reason},
          {"isa", result.isa},
          {"math", result.math},
          {"threads", result.threads},
          {"version", version()},
          {"agents", std::move(agents)},
          {"env_steps", result.env_steps},
          {"train_seconds", number(result.seconds)},
          {"env_steps_per_second", rate(result.env_steps, result.seconds)},
          {"summary", summary_json(result.summary)},
          {"survival", survival_json(result.summary)},
          {"config", config_json(config)}};
}

Json evaluation_json(const Config& config, const Evaluation& e, const std::string& policy, std::uint64_t seed) {
  const EnvironmentInfo& environment = find_environment(config.environment);
  const std::vector<double> returns(e.returns.begin(), e.returns.end());
  const auto at_most = [&](double x) { return std::count_if(returns.begin(), returns.end(), [x](double r) { return r >= x; }); };
  Json quantiles;
  for (std::size_t i = 0; i < e.quantiles.size(); ++i)
    quantiles[std::to_string(std::lround(100 * kReturnQuantiles[i]))] = number(e.quantiles[i]);
  return {{"environment", config.environment},
          {"policy", policy},
          {"version", version()},
          {"seed", seed},
          {"episodes", e.episodes},
          {"greedy", e.greedy},
          {"mean_return", number(e.mean_return)},
          {"min_return", number(e.min_return)},
          {"max_return", number(e.max_return)},
          {"quantiles", std::move(quantiles)},
          {"reached_cap", counts_steps(environment) ? Json(at_most(environment.max_return)) : Json()},
          {"reward_threshold", environment.reward_threshold},
          {"solved", e.mean_return >= environment.reward_threshold}};
}

Json bench_json(const Config& config, const std::string& kind, const BenchResult& result) {
  Json values = Json::array();
  for (const double v : result.env_steps_per_second) values.push_back(number(v));
  return {{"bench", kind},
          {"environment", config.environment},
          {"device", result.device},
          {"isa", result.isa},
          {"math", result.math},
          {"threads", result.threads},
          {"version", version()},
          {"env_steps_per_second", number(quantile(result.env_steps_per_second, 0.5))},
          {"values", std::move(values)},
          {"env_steps", result.env_steps},
          {"config", config_json(config)}};
}

std::string dump_line(const Json& json) { return json_escaped(json.dump(-1, ' ', false, Json::error_handler_t::replace)) + "\n"; }

}  // namespace cupg

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "cupg/environment.hpp"
#include "cupg/run.hpp"
#include "cupg/trainer.hpp"
#include "src/cli/commands.hpp"
#include "src/cli/progress.hpp"
#include "src/cli/terminal.hpp"
#include "src/report/curve.hpp"
#include "src/report/json.hpp"
#include "src/report/text.hpp"
#include "src/train/statistics.hpp"

namespace cupg::cli {
namespace {

/// A configuration whose network is the policy's.
Config config_for(const Policy& policy, const Config& machine) {
  Config config = machine;
  config.environment = policy.environment;
  config.shared = policy.shape.shared;
  config.hidden = policy.shape.policy.width;
  if (!config.shared) config.value_hidden = policy.shape.value.width, config.value_bias = policy.shape.value.bias;
  config.activation = policy.shape.policy.activation;
  config.bias = policy.shape.policy.bias;
  return config;
}

/// Whose policy it is that is played, of a run of several seeds; nothing where there was no choice.
struct Played {
  std::uint64_t seed;
  int seeds;
};
std::optional<Played> played(const EvalArguments& arguments) {
  std::error_code failed;
  if (!std::filesystem::is_directory(arguments.choice.path, failed)) return std::nullopt;
  const Config run = Run::config(arguments.choice.path);
  if (run.seeds == 1) return std::nullopt;
  return Played{arguments.choice.agent_seed.value_or(run.seed), run.seeds};
}

void print_evaluation(const Config& config, const Evaluation& e, const std::optional<Played>& agent) {
  const EnvironmentInfo& environment = find_environment(config.environment);
  const std::vector<double> returns(e.returns.begin(), e.returns.end());
  const auto reached = std::count_if(returns.begin(), returns.end(), [&](double r) { return r >= environment.max_return; });
  const bool solved = e.mean_return >= environment.reward_threshold;
  if (agent)
    print_wrapped(fmt::format("seed {}, one of {} agents (--agent-seed plays another)\n", agent->seed, format_count(agent->seeds)));
  print_wrapped(fmt::format("{}: mean return {:.2f} over {} {} episodes: {} (from {:g})\n", config.environment, e.mean_return,
                            format_count(e.episodes), e.greedy ? "greedy" : "sampled", solved ? "solved" : "not solved",
                            environment.reward_threshold));
  print_wrapped(fmt::format("  smallest {:g}  5 % {:g}  25 % {:g}  median {:g}  75 % {:g}  95 % {:g}  largest {:g}\n", e.min_return,
                            e.quantiles[0], e.quantiles[1], e.quantiles[2], e.quantiles[3], e.quantiles[4], e.max_return));
  if (counts_steps(environment))
    print_wrapped(fmt::format("  {} of {} episodes reached the limit of {} steps\n", format_count(reached), format_count(e.episodes),
                              environment.max_episode_steps));
  print("\n");
  print(draw_histogram(e.returns, std::min(0.0, environment.min_return), std::max(0.0, environment.max_return), 10,
                       std::min(output_columns(), 100), has_unicode()));
}

}  // namespace

int run_eval(const EvalArguments& arguments) {
  const Policy policy = load_policy(arguments.choice.file());
  const Config config = config_for(policy, arguments.machine);
  const std::optional<Played> agent = played(arguments);
  const Evaluation evaluation = [&] {
    const StatusLine line(false, elapsed("playing"));
    return evaluate(config, policy.parameters, arguments.episodes, arguments.greedy, arguments.seed);
  }();
  if (arguments.json) {
    nlohmann::ordered_json json = evaluation_json(config, evaluation, arguments.choice.path.string(), arguments.seed);
    if (agent) json["agent_seed"] = agent->seed;
    print(dump_line(json));
  } else {
    print_evaluation(config, evaluation, agent);
  }
  return kFinished;
}

}  // namespace cupg::cli

#include "src/train/search_agents.hpp"

#include <chrono>

#include "cupg/environment.hpp"
#include "src/engine/engine.hpp"
#include "src/search/search.hpp"
#include "src/train/statistics.hpp"
#include "src/train/train_agents.hpp"

namespace cupg {
namespace {

SearchResult search(const Config& config, const std::function<bool()>& stop) {
  HillClimbingSettings s;
  s.environment = config.environment;
  s.runs = config.seeds;
  s.seed = config.seed;
  s.max_trials = config.trials;
  s.isa = config.isa;
  s.threads = config.threads;
  s.noise = config.noise;
  s.stop = stop;
  return config.algorithm == "hill-climbing" ? hill_climbing(s) : random_search(s);
}

}  // namespace

TrainResult train_by_search(const Config& config, const std::function<bool()>& stop) {
  const EnvironmentInfo& environment = find_environment(config.environment);
  const auto start = std::chrono::steady_clock::now();
  const SearchResult found = search(config, stop);
  TrainResult result;
  result.device = "cpu";
  result.isa = found.isa;
  result.math = "exact";
  result.threads = found.threads;
  result.seconds = seconds_since(start);

  Config greedy = config;  // an engine that plays what was found
  greedy.algorithm = "a2c";
  greedy.device = Device::cpu;
  const auto engine = make_engine(greedy, 1, 1);
  for (std::size_t i = 0; i < found.runs.size(); ++i) {
    const SearchRun& run = found.runs[i];
    if (run.trials == 0) continue;  // told to stop before
    const bool cut = !run.solved && run.trials < config.trials;
    AgentResult agent;
    agent.seed = config.seed + i;
    agent.env_steps = run.env_steps;
    agent.updates = run.trials;
    agent.seconds = result.seconds * static_cast<double>(run.env_steps) / static_cast<double>(std::max<std::int64_t>(1, found.env_steps));
    agent.parameters.assign(static_cast<std::size_t>(parameter_count(config.network())), 0.0f);  // W [2][O], then the value's [O]
    std::copy_n(run.weights, environment.observations, agent.parameters.begin() + environment.observations);
    engine->reset(0, agent.seed);
    engine->set_parameters(0, agent.parameters);
    // solved as any agent is: the search itself has stopped at one episode of the largest possible return
    const auto mean_return = [&](int episodes, std::uint32_t block) {
      return engine->evaluate(0, {.episodes = episodes, .block = block}).mean_return;
    };
    double mean = mean_return(kCheckEpisodes, 0);
    if (mean >= environment.reward_threshold) mean = mean_return(kConfirmEpisodes, 1);
    agent.checks = 1;
    agent.final_return = agent.best_return = mean;
    agent.best_env_steps = run.env_steps;
    agent.outcome = mean >= environment.reward_threshold ? Outcome::solved : cut ? Outcome::interrupted : Outcome::finished;
    if (agent.outcome == Outcome::solved) agent.solved_env_steps = run.env_steps, agent.solved_seconds = agent.seconds;
    result.env_steps += agent.env_steps;
    result.agents.push_back(std::move(agent));
  }
  result.summary = summarize(result.agents);
  return result;
}

}  // namespace cupg

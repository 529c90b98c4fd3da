#include "cupg/trainer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "cupg/error.hpp"
#include "src/api/arithmetic.hpp"
#include "src/engine/device.hpp"
#include "src/engine/engine.hpp"
#include "src/engine/team.hpp"
#include "src/train/search_agents.hpp"
#include "src/train/statistics.hpp"
#include "src/train/train_agents.hpp"

namespace cupg {

TrainResult train(const Config& config, const TrainHooks& hooks) {
  const IeeeArithmetic ieee;
  check(config);
  if (searches(config)) return train_by_search(config, hooks.stop);
  const ThreadPlan threads = plan_threads(config);
  Team workers(threads.workers);
  std::vector<std::unique_ptr<Engine>> engines;
  for (int w = 0; w < threads.workers; ++w) engines.push_back(make_engine(config, threads.slots, threads.each));

  TrainResult result;
  result.device = engines[0]->device();
  result.device_reason = choose_device(config).reason;
  result.isa = engines[0]->isa();
  result.math = engines[0]->math();
  result.threads = threads.total;
  result.agents.resize(static_cast<std::size_t>(config.seeds));
  Reporter reporter(config, hooks);
  for (const std::unique_ptr<Engine>& engine : engines) engine->stop_when([&reporter] { return reporter.stop(); });
  const auto start = std::chrono::steady_clock::now();
  SeedQueue seeds(config.seed, config.seeds);
  workers.run([&](int worker) {
    try {
      train_agents(*engines[static_cast<std::size_t>(worker)], threads.slots, config, seeds, reporter, hooks.initial_return,
                   [&](int number, AgentResult agent) { result.agents[static_cast<std::size_t>(number)] = std::move(agent); });
    } catch (...) {
      reporter.give_up();
      throw;
    }
  });
  result.seconds = seconds_since(start);
  // an interrupt may have left agents that were never started, or are as they were then
  std::erase_if(result.agents,
                [](const AgentResult& a) { return a.parameters.empty() || (a.outcome == Outcome::interrupted && a.updates == 0); });
  for (const AgentResult& a : result.agents) result.env_steps += a.env_steps;
  result.summary = summarize(result.agents);
  return result;
}

Evaluation evaluate(const Config& config, std::span<const float> parameters, int episodes, bool greedy, std::uint64_t seed) {
  const IeeeArithmetic ieee;
  check(config);
  constexpr int kMostEpisodes = 1 << 24;
  if (episodes < 1 || episodes > kMostEpisodes)
    throw Error(ErrorKind::usage, fmt::format("episodes: {}; expected 1 to {}", episodes, kMostEpisodes));
  if (const int expected = parameter_count(config.network()); parameters.size() != static_cast<std::size_t>(expected))
    throw Error(ErrorKind::usage,
                fmt::format("parameters: {} numbers; expected {}, as {} has", parameters.size(), expected, describe(config.network())));
  Config player = config;
  if (searches(config)) player.algorithm = "a2c";  // no engine trains by search, and each plays
  const auto engine = make_engine(player, 1, plan_threads(player).total);
  engine->reset(0, seed);
  engine->set_parameters(0, parameters);
  return engine->evaluate(0, {.episodes = episodes, .greedy = greedy, .block = kFinalBlock, .quantiles = true});
}

}  // namespace cupg

#include "cupg/trainer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>

#include "cupg/error.hpp"
#include "src/api/arithmetic.hpp"
#include "src/engine/device.hpp"
#include "src/engine/engine.hpp"
#include "src/engine/settings.hpp"
#include "src/engine/team.hpp"
#include "src/io/options.hpp"
#include "src/train/over_ranks.hpp"
#include "src/train/resume.hpp"
#include "src/train/search_agents.hpp"
#include "src/train/statistics.hpp"
#include "src/train/train_agents.hpp"
#include "src/train/train_records.hpp"

namespace cupg {

TrainResult train_records(const Config& config, Records& records, const TrainHooks& hooks, const std::function<void()>& gather,
                          const EngineMaker& make) {
  Config here = config;
  here.seeds = std::max(1, records.size());
  const ThreadPlan threads = plan_threads(here);
  Team workers(threads.workers);
  Reporter reporter(config, hooks);  // engines ask it whether to stop, to their end
  std::vector<std::unique_ptr<Engine>> engines;
  for (int w = 0; w < threads.workers; ++w) engines.push_back(make(config, threads.slots, threads.each));

  TrainResult result;
  result.device = engines[0]->device();
  result.device_reason = choose_device(config).reason;
  result.isa = engines[0]->isa();
  result.math = engines[0]->math();
  result.threads = threads.total;
  reporter.begin(records);
  for (const std::unique_ptr<Engine>& engine : engines) engine->stop_when([&reporter] { return reporter.stop(); });
  if (hooks.checkpoint) records.write_every(hooks.checkpoint_seconds, threads.workers, hooks.checkpoint);
  records.start();
  std::vector<std::atomic<bool>> ended(engines.size());
  workers.run([&](int worker) {
    const auto mine = static_cast<std::size_t>(worker);
    try {
      train_agents(*engines[mine], threads.slots, config, records, reporter, hooks.initial_return, {}, worker);
    } catch (...) {
      reporter.give_up();
      ended[mine] = true;
      throw;
    }
    ended[mine] = true;
    // there is no agent left to begin: help those who still train one
    for (std::size_t i = 1; i < engines.size(); ++i) {
      const std::size_t other = (mine + i) % engines.size();
      if (!engines[other]->help([&] { return ended[other].load(); })) return;
    }
  });
  records.finish_writing();
  if (gather) gather();
  result.seconds = records.seconds();
  result.checkpoint = records.checkpoint();
  result.agents = records.take_results();
  for (const AgentResult& a : result.agents) result.env_steps += a.env_steps;
  result.summary = summarize(result.agents);
  return result;
}

namespace {

TrainResult train_all(const Config& config, std::map<int, AgentRecord> begun, double seconds, const TrainHooks& hooks) {
  if (Ranks* const ranks = Ranks::mine()) return train_over_ranks(*ranks, config, std::move(begun), seconds, hooks);
  Records records(config, std::move(begun), seconds);
  return train_records(config, records, hooks);
}

/// What may differ from the checkpoint: what changes no bits, and how far the training goes.
void check_same(const Config& config, const Config& kept) {
  if (config.agents != kept.agents)
    throw Error(ErrorKind::usage, "agents: other hyperparameters than in the checkpoint; expected those that checkpoint_config() has");
  for (const Option& option : options()) {
    const std::string_view name = option.name;
    const bool machine = std::find(kMachineOptions.begin(), kMachineOptions.end(), name) != kMachineOptions.end();
    if (machine || option.get(config) == option.get(kept)) continue;
    const std::string mine = text_value(option, config), its = text_value(option, kept);
    if (name != "steps") throw Error(ErrorKind::usage, fmt::format("{}: {}; expected {}, as in the checkpoint", name, mine, its));
    if (config.steps < kept.steps)
      throw Error(ErrorKind::usage, fmt::format("steps: {}; expected {} or more, as in the checkpoint", mine, its));
    const bool linear = kept.optimizer.schedule == Schedule::linear || kept.objective.clip_schedule == ClipSchedule::linear;
    if (linear && schedule_end(kept, 0).updates != schedule_end(config, 0).updates)
      throw Error(ErrorKind::usage,
                  fmt::format("steps: {}; expected {}, as in the checkpoint: its linear schedule ends with them, and would "
                              "have been another from the start",
                              mine, its));
  }
}

}  // namespace

TrainResult train(const Config& config, const TrainHooks& hooks) {
  const IeeeArithmetic ieee;
  check(config);
  if (searches(config)) return train_by_search(config, hooks.stop);
  return train_all(config, {}, 0, hooks);
}

TrainResult resume(const Config& config, Checkpoint checkpoint, const TrainHooks& hooks) {
  const IeeeArithmetic ieee;
  check_same(config, checkpoint.config);
  for (const auto& [number, record] : checkpoint.records) {
    const bool ended = record.result && !goes_on(record, config);
    if (hooks.point)
      for (const CurvePoint& point : ended ? record.result->curve : record.progress->curve.points())
        hooks.point(config.agent_seed(number), point);
  }
  return train_all(config, std::move(checkpoint.records), checkpoint.seconds, hooks);
}

TrainResult resume(const Config& config, const std::string& checkpoint, const TrainHooks& hooks) {
  const IeeeArithmetic ieee;
  check(config);
  return resume(config, decode_checkpoint(checkpoint, "checkpoint"), hooks);
}

Config checkpoint_config(const std::string& checkpoint, const std::string& source) {
  const IeeeArithmetic ieee;
  return decode_checkpoint(checkpoint, source).config;
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

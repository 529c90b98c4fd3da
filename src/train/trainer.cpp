#include "cupg/trainer.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>

#include "src/engine/engine.hpp"
#include "src/train/statistics.hpp"
#include "src/train/train_agent.hpp"

namespace cupg {

TrainResult train(const Config& config, const TrainHooks& hooks) {
  check(config);
  const ThreadPlan threads = plan_threads(config);
  std::vector<std::unique_ptr<Engine>> engines;
  for (int w = 0; w < threads.workers; ++w) engines.push_back(make_engine(config, 1, threads.each));

  TrainResult result;
  result.device = engines[0]->device();
  result.isa = engines[0]->isa();
  result.math = engines[0]->math();
  result.threads = threads.total;
  result.agents.resize(static_cast<std::size_t>(config.seeds));
  Reporter reporter(config, hooks);
  const auto start = std::chrono::steady_clock::now();
  std::atomic<int> next{0};
  std::exception_ptr failure;
  std::mutex failure_mutex;
  const auto work = [&](int worker) {
    try {
      for (int i = next++; i < config.seeds && !reporter.stop(); i = next++) {
        const std::uint64_t seed = config.seed + static_cast<std::uint64_t>(i);
        result.agents[static_cast<std::size_t>(i)] =
            train_agent(*engines[static_cast<std::size_t>(worker)], config, seed, reporter, hooks.initial_return);
      }
    } catch (...) {
      const std::lock_guard lock(failure_mutex);
      failure = std::current_exception();
      next = config.seeds;
    }
  };
  {
    std::vector<std::jthread> others;
    for (int w = 1; w < threads.workers; ++w) others.emplace_back(work, w);
    work(0);
  }
  if (failure) std::rethrow_exception(failure);
  result.seconds = seconds_since(start);
  // an interrupt may have left agents that were never started
  std::erase_if(result.agents, [](const AgentResult& a) { return a.parameters.empty(); });
  for (const AgentResult& a : result.agents) result.env_steps += a.env_steps;
  result.summary = summarise(result.agents);
  return result;
}

Evaluation evaluate(const Config& config, std::span<const float> parameters, int episodes, bool greedy, std::uint64_t seed) {
  check(config);
  const auto engine = make_engine(config, 1, plan_threads(config).total);
  engine->reset(0, seed);
  engine->set_parameters(0, parameters);
  return engine->evaluate(0, {.episodes = episodes, .greedy = greedy, .block = kFinalBlock});
}

}  // namespace cupg

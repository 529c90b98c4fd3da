#include "src/train/retrain.hpp"

#include <algorithm>
#include <atomic>
#include <memory>

#include "cupg/policy.hpp"
#include "src/api/arithmetic.hpp"
#include "src/engine/engine.hpp"
#include "src/engine/team.hpp"
#include "src/train/search_agents.hpp"

namespace cupg {
namespace {

void retrain_searches(const Config& config, std::vector<Retrained>& agents, const std::function<bool()>& stop) {
  const TrainResult result = train_by_search(config, stop);
  for (Retrained& a : agents)
    for (const AgentResult& found : result.agents)
      if (found.seed == a.seed) a.parameters_sha256 = parameters_sha256(found.parameters), a.env_steps = found.env_steps;
}

void retrain_agent(Engine& engine, const Config& config, Retrained& agent) {
  const int slot = 0;
  engine.reset(slot, agent.seed, static_cast<int>(agent.seed - config.seed));
  std::int64_t left = agent.updates;
  UpdateReport report;
  const auto update = [&](std::int64_t updates) {
    engine.update(std::span(&slot, 1), updates, std::span(&report, 1));
    agent.env_steps += report.env_steps;
    return report.updates == updates;
  };
  for (; left > 0; left -= report.updates)
    if (!update(std::min<std::int64_t>(left, 1024))) return;
  if (agent.diverged && report.parameters_finite) update(1);
  agent.parameters_sha256 = parameters_sha256(engine.parameters(slot));
}

}  // namespace

void retrain(const Config& config, std::vector<Retrained>& agents, const std::function<bool()>& stop,
             const std::function<void(int)>& done) {
  const IeeeArithmetic ieee;
  check(config);
  if (searches(config)) return retrain_searches(config, agents, stop);
  const ThreadPlan threads = plan_threads(config);
  Team workers(threads.workers);
  std::atomic<std::size_t> next{0};
  std::atomic<int> count{0};
  workers.run([&](int) {
    const std::unique_ptr<Engine> engine = make_engine(config, 1, threads.each);
    engine->stop_when(stop);
    for (std::size_t i = next++; i < agents.size() && !stop(); i = next++) {
      retrain_agent(*engine, config, agents[i]);
      done(++count);
    }
  });
}

}  // namespace cupg

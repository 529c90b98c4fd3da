#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "src/engine/engine.hpp"
#include "src/engine/isa.hpp"

namespace cupg_test {

/// Settings of the tests' own, so that better defaults change no test and no committed hash.
inline cupg::Config plain_config() {
  cupg::Config c;
  c.environment = "CartPole-v1";
  c.seed = 1;
  c.steps = 5'000'000;
  c.envs = 32;
  c.horizon = 16;
  c.shared = true;
  c.hidden = {16};
  c.activation = cupg::Activation::relu;
  c.bias = true;
  c.init = {.kind = cupg::Initialization::orthogonal, .hidden_gain = 1, .policy_gain = 1, .value_gain = 1};
  c.advantage = {.estimator = cupg::Estimator::gae,
                 .gamma = 0.99f,
                 .lambda = 0.95f,
                 .nstep = 5,
                 .truncation = cupg::Truncation::bootstrap,
                 .normalize = false};
  c.objective = {.entropy_coef = 0.01f, .value_coef = 0.5f};
  c.optimizer = {.kind = cupg::OptimizerKind::adam,
                 .learning_rate = 0.02f,
                 .schedule = cupg::Schedule::constant,
                 .beta1 = 0.9f,
                 .beta2 = 0.999f,
                 .alpha = 0.99f,
                 .eps = 1e-8f,
                 .rmsprop_eps = cupg::RmspropEps::outside,
                 .max_grad_norm = 0.5f};
  return c;
}

/// A batch of whole episodes, with returns and a learned baseline.
inline cupg::Config episodes_config(int envs) {
  cupg::Config c = plain_config();
  c.algorithm = "reinforce-baseline";
  c.collect = cupg::Collect::episodes;
  c.envs = envs;
  c.advantage.estimator = cupg::Estimator::returns;
  return c;
}

/// Parameters of a linear policy on a shared trunk without layers: 1 balances for as long as one likes, -1 pushes the wrong way.
inline std::vector<float> balancing(float quality) {
  // Wp [2][4], bp [2], Wv [4], bv
  return {0, 0, 0, 0, quality * 0.2f, quality * 0.5f, quality * 10, quality * 2, 0, 0, 0, 0, 0, 0, 0};
}

inline std::unique_ptr<cupg::Engine> reference_engine(cupg::Config config, int agents = 1) {
  config.device = cupg::Device::reference;
  return cupg::make_engine(config, agents, 1);
}
inline std::unique_ptr<cupg::Engine> cpu_engine(cupg::Config config, cupg::Isa isa = cupg::Isa::automatic, int threads = 1,
                                                int agents = 1) {
  config.device = cupg::Device::cpu;
  config.isa = isa;
  return cupg::make_engine(config, agents, threads);
}
inline cupg::UpdateReport update(cupg::Engine& engine, std::int64_t updates, int agent = 0) {
  cupg::UpdateReport report;
  engine.update(std::span(&agent, 1), updates, std::span(&report, 1));
  return report;
}
/// The same of some agents, the last update as a training makes it: watched and measured.
inline std::vector<cupg::UpdateReport> measured_updates(cupg::Engine& engine, const cupg::Config& config, std::int64_t updates,
                                                        const std::vector<int>& agents = {0}) {
  std::vector<cupg::UpdateReport> reports(agents.size());
  engine.update(agents, updates - 1, reports);
  std::vector<cupg::Snapshot> snapshots(agents.size());
  engine.save(agents, snapshots);
  std::vector<int> going;
  std::vector<cupg::Watch> watches;
  for (std::size_t i = 0; i < agents.size(); ++i) {
    if (!reports[i].finite) continue;
    going.push_back(agents[i]);
    cupg::Watch& w = watches.emplace_back();
    w.last.updates = snapshots[i].updates;
    w.last.taken = snapshots[i].taken;
    w.updates = w.last.updates + 1;
    w.steps = std::numeric_limits<std::int64_t>::max();
    w.every = 1;
    w.may_improve = 0;
    w.batch = config.collect == cupg::Collect::episodes ? 0 : config.batch();
  }
  engine.begin_training(going, watches);
  for (const cupg::AgentReport& last : engine.end_training()) {
    cupg::UpdateReport& all = reports[static_cast<std::size_t>(std::find(agents.begin(), agents.end(), last.agent) - agents.begin())];
    const cupg::EpisodeTally before = all.episodes;
    const std::int64_t made = all.updates, taken = all.env_steps;
    all = last.report;
    all.episodes += before;
    all.updates += made;
    all.env_steps += taken;
  }
  return reports;
}
/// Each figure of one beside the other's, to the bit; empty where they are the same.
inline std::string difference(const cupg::Metrics& want, const cupg::Metrics& got) {
  std::string text;
  std::vector<float> figures;
  cupg::each_metric(want, [&](const char*, float x) { figures.push_back(x); });
  std::size_t i = 0;
  cupg::each_metric(got, [&](const char* name, float x) {
    const float y = figures[i++];
    if (std::bit_cast<std::uint32_t>(x) != std::bit_cast<std::uint32_t>(y) && !(std::isnan(x) && std::isnan(y)))
      text += std::string(name) + " " + std::to_string(y) + " and " + std::to_string(x) + "; ";
  });
  return text;
}
inline std::vector<float> parameters(const cupg::Engine& engine, int agent = 0) {
  const std::span<const float> p = engine.parameters(agent);
  return {p.begin(), p.end()};
}
inline std::vector<float> trained(cupg::Engine& engine, std::uint64_t seed, std::int64_t updates) {
  engine.reset(0, seed);
  update(engine, updates);
  return parameters(engine);
}

inline std::string text(cupg::Isa isa) { return cupg::isa_name(cupg::cpu_ops_for(isa)); }

}  // namespace cupg_test

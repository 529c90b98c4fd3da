// Configurations of updates that run in chunks, for comparisons of engines: a table in which any two levels of any two settings meet.
#pragma once
#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/engines.hpp"
#include "tests/support/pairwise.hpp"

namespace cupg_test {

struct ChunkCase {
  std::string name;
  cupg::Config config;
  std::int64_t updates = 1;
};

struct ChunkFactor {
  const char* name;
  std::vector<std::pair<std::string, std::function<void(cupg::Config&)>>> levels;
};

inline const std::vector<ChunkFactor>& chunk_factors() {
  using cupg::Config;
  using cupg::Estimator;
  using cupg::NormalizeOver;
  static const auto ppo = [](Config& c, int epochs, int minibatches) {
    c.algorithm = "ppo", c.epochs = epochs, c.minibatches = minibatches;
  };
  static const std::vector<ChunkFactor> all = {
      {"algo",
       {{"ppo-2x4", [](Config& c) { ppo(c, 2, 4); }},
        {"ppo-3x1", [](Config& c) { ppo(c, 3, 1); }},
        {"ppo-1x3", [](Config& c) { ppo(c, 1, 3); }},
        {"a2c", [](Config& c) { c.algorithm = "a2c"; }},
        {"baseline", [](Config& c) { c.algorithm = "reinforce-baseline"; }},
        {"reinforce", [](Config& c) { c.algorithm = "reinforce"; }}}},
      {"batch",
       {{"4x36", [](Config& c) { c.envs = 4, c.horizon = 36; }},
        {"1x12", [](Config& c) { c.envs = 1, c.horizon = 12; }},
        {"33x12", [](Config& c) { c.envs = 33, c.horizon = 12; }},
        {"70x12", [](Config& c) { c.envs = 70, c.horizon = 12; }},
        {"84x7", [](Config& c) { c.envs = 84, c.horizon = 7; }},
        {"1 episode", [](Config& c) { c.envs = 1, c.collect = cupg::Collect::episodes; }},
        {"35 episodes", [](Config& c) { c.envs = 35, c.collect = cupg::Collect::episodes; }}}},
      {"hidden",
       {{"64-64",
         [](Config& c) {
           c.hidden = {64, 64};
         }},
        {"linear", [](Config& c) { c.hidden = {}; }},
        {"16", [](Config& c) { c.hidden = {16}; }},
        {"5", [](Config& c) { c.hidden = {5}; }},
        {"33-5",
         [](Config& c) {
           c.hidden = {33, 5};
         }},
        {"10-20",
         [](Config& c) {
           c.hidden = {10, 20};
         }},
        {"1-1",
         [](Config& c) {
           c.hidden = {1, 1};
         }}}},
      {"value",
       {{"shared", [](Config&) {}},
        {"separate", [](Config& c) { c.shared = false; }},
        {"7", [](Config& c) { c.shared = false, c.value_hidden = std::vector<int>{7}; }},
        {"rate", [](Config& c) { c.shared = false, c.value_hidden = std::vector<int>{}, c.optimizer.value_learning_rate = 0.003f; }}}},
      {"activation", {{"relu", [](Config&) {}}, {"tanh", [](Config& c) { c.activation = cupg::Activation::tanh; }}}},
      {"bias", {{"yes", [](Config&) {}}, {"no", [](Config& c) { c.bias = false; }}}},
      {"estimator",
       {{"gae", [](Config&) {}},
        {"3-step", [](Config& c) { c.advantage.estimator = Estimator::nstep, c.advantage.nstep = 3; }},
        {"returns", [](Config& c) { c.advantage.estimator = Estimator::returns; }}}},
      {"truncation", {{"bootstrap", [](Config&) {}}, {"terminal", [](Config& c) { c.advantage.truncation = cupg::Truncation::terminal; }}}},
      {"normalize",
       {{"no", [](Config&) {}},
        {"batch", [](Config& c) { c.advantage.normalize = true; }},
        {"minibatch", [](Config& c) { c.advantage.normalize = true, c.advantage.normalize_over = NormalizeOver::minibatch; }},
        {"episode", [](Config& c) { c.advantage.normalize = true, c.advantage.normalize_over = NormalizeOver::episode; }}}},
      {"loss", {{"mean", [](Config&) {}}, {"sum", [](Config& c) { c.objective.loss = cupg::LossSum::sum; }}}},
      {"clips",
       {{"constant", [](Config& c) { c.objective.clip = 0.05f; }},
        {"linear", [](Config& c) { c.objective.clip_schedule = cupg::ClipSchedule::linear, c.objective.value_clip = 0.02f; }},
        {"kl", [](Config& c) { c.objective.value_clip = 0.01f, c.objective.target_kl = 1e-4f; }}}},
      {"explore", {{"no", [](Config&) {}}, {"yes", [](Config& c) { c.exploration = {.start = 0.5f, .end = 0.1f, .steps = 1000}; }}}},
      {"limit",
       {{"environment", [](Config&) {}}, {"13", [](Config& c) { c.episode_limit = 13; }}, {"0", [](Config& c) { c.episode_limit = 0; }}}},
      {"optimizer",
       {{"adam", [](Config&) {}},
        {"rmsprop", [](Config& c) { c.optimizer.kind = cupg::OptimizerKind::rmsprop; }},
        {"sgd", [](Config& c) { c.optimizer.kind = cupg::OptimizerKind::sgd; }}}},
      {"schedule",
       {{"constant", [](Config&) {}},
        {"linear", [](Config& c) { c.optimizer.schedule = cupg::Schedule::linear; }},
        {"exponential", [](Config& c) { c.optimizer.schedule = cupg::Schedule::exponential, c.optimizer.decay = 0.9f; }}}},
      {"environment",
       {{"CartPole-v1", [](Config&) {}},
        {"MountainCar-v0", [](Config& c) { c.environment = "MountainCar-v0"; }},
        {"Acrobot-v1", [](Config& c) { c.environment = "Acrobot-v1"; }}}},
  };
  return all;
}

/// What check() would refuse is put right: settings that another makes meaningless go back to where they mean nothing.
inline void make_consistent(cupg::Config& c) {
  const cupg::ObjectiveInfo& objective = cupg::find_objective(c.algorithm);
  const bool episodes = c.collect == cupg::Collect::episodes;
  if (!objective.value && !episodes) c.envs = 3, c.collect = cupg::Collect::episodes;
  if (!objective.value) c.advantage.estimator = cupg::Estimator::returns, c.advantage.truncation = cupg::Truncation::terminal;
  if (objective.ratio) c.exploration = {};
  if (c.collect == cupg::Collect::episodes) {
    c.minibatches = 1;
    if (c.episode_limit == 0) c.episode_limit = 40;
    if (c.environment != "CartPole-v1" && !c.episode_limit) c.episode_limit = 50;  // no action ends such an episode soon
  } else if (c.advantage.normalize_over == cupg::NormalizeOver::episode) {
    c.advantage.normalize_over = cupg::NormalizeOver::minibatch;
  }
}

/// `budget`: multiplications of a case, roughly.
inline std::vector<ChunkCase> chunk_cases(double budget) {
  std::vector<std::size_t> levels;
  for (const ChunkFactor& f : chunk_factors()) levels.push_back(f.levels.size());
  std::vector<ChunkCase> cases;
  for (const auto& row : pairwise_table(levels)) {
    ChunkCase c;
    c.config = plain_config();
    for (std::size_t k = 0; k < row.size(); ++k) {
      const auto& [level, set] = chunk_factors()[k].levels[row[k]];
      set(c.config);
      if (k > 0) c.name += ' ';
      c.name.append(chunk_factors()[k].name).append("=").append(level);
    }
    make_consistent(c.config);
    double work = c.config.environment == "Acrobot-v1" ? 2000 : 100, in = 4;  // its Runge-Kutta
    for (const int w : c.config.hidden) work += 12 * in * w, in = w;
    const std::int64_t batch = c.config.collect == cupg::Collect::steps ? c.config.batch() : 40 * c.config.envs;
    c.updates = std::clamp<std::int64_t>(static_cast<std::int64_t>(budget / (work * static_cast<double>(batch * c.config.epochs))), 2, 40);
    if (c.config.collect == cupg::Collect::episodes && cases.size() % 2 == 0)
      c.config.steps = 30 * c.config.envs * (c.updates + 2);  // schedules go by the steps; some agents come to their end
    else
      c.config.update_limit = c.updates + 2;
    cases.push_back(c);
  }
  return cases;
}

}  // namespace cupg_test

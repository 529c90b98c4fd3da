// Configurations for comparisons of engines: a table over networks, algorithms and settings, in which any two levels of any two meet.
#pragma once
#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/engines.hpp"
#include "tests/support/pairwise.hpp"

namespace cupg_test {

struct TileCase {
  std::string name;
  cupg::Config config;
  std::int64_t updates = 1;
};

/// One setting with the values that the table tries.
struct TileFactor {
  const char* name;
  std::vector<std::pair<std::string, std::function<void(cupg::Config&)>>> levels;
};

inline const std::vector<TileFactor>& tile_factors() {
  using cupg::Config;
  using cupg::Estimator;
  using cupg::NormalizeOver;
  using cupg::OptimizerKind;
  static const auto ppo = [](Config& c, int epochs, int minibatches) {
    c.algorithm = "ppo", c.epochs = epochs, c.minibatches = minibatches;
  };
  static const auto batch = [](int envs, int horizon) { return [=](Config& c) { c.envs = envs, c.horizon = horizon; }; };
  static const auto hidden = [](const std::vector<int>& widths) { return [=](Config& c) { c.hidden = widths; }; };
  static const auto value = [](const std::vector<int>& widths) { return [=](Config& c) { c.shared = false, c.value_hidden = widths; }; };
  static const auto nstep = [](int n) { return [=](Config& c) { c.advantage.estimator = Estimator::nstep, c.advantage.nstep = n; }; };
  static const std::vector<TileFactor> all = {
      {"algo",
       {{"a2c", [](Config&) {}},
        {"ppo-2x4", [](Config& c) { ppo(c, 2, 4); }},
        {"ppo-3x1", [](Config& c) { ppo(c, 3, 1); }},
        {"ppo-1x3", [](Config& c) { ppo(c, 1, 3); }},
        {"baseline", [](Config& c) { c.algorithm = "reinforce-baseline"; }},
        {"reinforce", [](Config& c) { c.algorithm = "reinforce"; }}}},
      {"batch",  // lanes that are no environment, rows that fill no partial, partials that fill no tree
       {{"4x36", batch(4, 36)},
        {"1x12", batch(1, 12)},
        {"32x1", batch(32, 1)},
        {"31x12", batch(31, 12)},
        {"33x12", batch(33, 12)},
        {"84x7", batch(84, 7)},
        {"12x129", batch(12, 129)},
        {"264x3", batch(264, 3)},
        {"1 episode", [](Config& c) { c.envs = 1, c.collect = cupg::Collect::episodes; }},
        {"35 episodes", [](Config& c) { c.envs = 35, c.collect = cupg::Collect::episodes; }}}},
      {"hidden",
       {{"16", hidden({16})},
        {"linear", hidden({})},
        {"1", hidden({1})},
        {"5", hidden({5})},
        {"33", hidden({33})},
        {"64", hidden({64})},
        {"1-1", hidden({1, 1})},
        {"33-5", hidden({33, 5})},
        {"64-64", hidden({64, 64})}}},
      {"value",
       {{"shared", [](Config&) {}},
        {"separate", [](Config& c) { c.shared = false; }},
        {"7", value({7})},
        {"9-4", value({9, 4})},
        {"rate", [](Config& c) { value({})(c), c.optimizer.value_learning_rate = 0.003f; }}}},
      {"activation", {{"relu", [](Config&) {}}, {"tanh", [](Config& c) { c.activation = cupg::Activation::tanh; }}}},
      {"bias", {{"yes", [](Config&) {}}, {"no", [](Config& c) { c.bias = false; }}}},
      {"estimator",
       {{"gae", [](Config&) {}},
        {"1-step", nstep(1)},
        {"5-step", nstep(5)},
        {"whole", nstep(1 << 20)},
        {"returns", [](Config& c) { c.advantage.estimator = Estimator::returns; }}}},
      {"truncation", {{"bootstrap", [](Config&) {}}, {"terminal", [](Config& c) { c.advantage.truncation = cupg::Truncation::terminal; }}}},
      {"normalize",
       {{"no", [](Config&) {}},
        {"batch", [](Config& c) { c.advantage.normalize = true; }},
        {"minibatch", [](Config& c) { c.advantage.normalize = true, c.advantage.normalize_over = NormalizeOver::minibatch; }},
        {"episode", [](Config& c) { c.advantage.normalize = true, c.advantage.normalize_over = NormalizeOver::episode; }}}},
      {"loss",
       {{"mean", [](Config&) {}},
        {"sum", [](Config& c) { c.objective.loss = cupg::LossSum::sum, c.optimizer.learning_rate /= static_cast<float>(c.batch()); }}}},
      {"clips",
       {{"constant", [](Config& c) { c.objective.clip = 0.05f; }},
        {"linear", [](Config& c) { c.objective.clip_schedule = cupg::ClipSchedule::linear, c.objective.value_clip = 0.02f; }},
        {"kl", [](Config& c) { c.objective.value_clip = 0.01f, c.objective.target_kl = 1e-4f; }}}},
      {"explore", {{"no", [](Config&) {}}, {"yes", [](Config& c) { c.exploration = {.start = 0.5f, .end = 0.1f, .steps = 1000}; }}}},
      {"limit",
       {{"environment", [](Config&) {}}, {"13", [](Config& c) { c.episode_limit = 13; }}, {"0", [](Config& c) { c.episode_limit = 0; }}}},
      {"optimizer",
       {{"adam", [](Config&) {}},
        {"rmsprop", [](Config& c) { c.optimizer.kind = OptimizerKind::rmsprop; }},
        {"rmsprop-inside",
         [](Config& c) { c.optimizer.kind = OptimizerKind::rmsprop, c.optimizer.rmsprop_eps = cupg::RmspropEps::inside; }},
        {"sgd", [](Config& c) { c.optimizer.kind = OptimizerKind::sgd; }}}},
      {"norm", {{"0.5", [](Config&) {}}, {"any", [](Config& c) { c.optimizer.max_grad_norm = 0; }}}},
      {"schedule",
       {{"constant", [](Config&) {}},
        {"linear", [](Config& c) { c.optimizer.schedule = cupg::Schedule::linear; }},
        {"exponential", [](Config& c) { c.optimizer.schedule = cupg::Schedule::exponential, c.optimizer.decay = 0.9f; }}}},
      {"init",
       {{"orthogonal", [](Config&) {}},
        {"he", [](Config& c) { c.init.kind = cupg::Initialization::he; }},
        {"xavier", [](Config& c) { c.init.kind = cupg::Initialization::xavier; }},
        {"uniform", [](Config& c) { c.init.kind = cupg::Initialization::uniform, c.init.policy_gain = 0.01f; }}}},
      {"environment",
       {{"CartPole-v1", [](Config&) {}},
        {"CartPole-v0", [](Config& c) { c.environment = "CartPole-v0"; }},
        {"MountainCar-v0", [](Config& c) { c.environment = "MountainCar-v0"; }},
        {"Acrobot-v1", [](Config& c) { c.environment = "Acrobot-v1"; }}}},
  };
  return all;
}

/// What check() would refuse is put right: settings that another makes meaningless go back to where they mean nothing.
inline void make_consistent(cupg::Config& c) {
  const cupg::ObjectiveInfo& objective = cupg::find_objective(c.algorithm);
  const bool cartpole = c.environment.starts_with("CartPole");
  if (!objective.value && c.collect == cupg::Collect::steps) c.envs = 3, c.collect = cupg::Collect::episodes;
  if (!objective.value) c.advantage.estimator = cupg::Estimator::returns, c.advantage.truncation = cupg::Truncation::terminal;
  if (objective.ratio) c.exploration = {};
  if (c.collect == cupg::Collect::episodes) {
    c.minibatches = 1;
    if (c.episode_limit == 0) c.episode_limit = 40;
    if (!cartpole && !c.episode_limit) c.episode_limit = 50;  // no action ends such an episode soon
    return;
  }
  if (c.advantage.normalize_over == cupg::NormalizeOver::episode) c.advantage.normalize_over = cupg::NormalizeOver::minibatch;
  if (c.batch() % c.minibatches != 0) c.minibatches = 2;
}

/// `budget`: multiplications of a case, roughly.
inline std::vector<TileCase> engine_cases(double budget) {
  std::vector<std::size_t> levels;
  for (const TileFactor& f : tile_factors()) levels.push_back(f.levels.size());
  std::vector<TileCase> cases;
  for (const auto& row : pairwise_table(levels)) {
    TileCase c;
    c.config = plain_config();
    for (std::size_t k = 0; k < row.size(); ++k) {
      const auto& [level, set] = tile_factors()[k].levels[row[k]];
      set(c.config);
      if (k > 0) c.name += ' ';
      c.name.append(tile_factors()[k].name).append("=").append(level);
    }
    double work = c.config.environment == "Acrobot-v1" ? 2000 : 100, in = 4;  // its Runge-Kutta
    for (const int w : c.config.hidden) work += 12 * in * w, in = w;
    if (work * static_cast<double>(c.config.batch()) > budget) c.config.horizon = std::min(c.config.horizon, 12);
    c.config.advantage.nstep = std::min(c.config.advantage.nstep, c.config.horizon);
    make_consistent(c.config);
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

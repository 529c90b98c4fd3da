#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/engines.hpp"

namespace cupg_test {

/// A configuration and how long it trains.
struct Case {
  std::string name;
  cupg::Config config = plain_config();
  std::int64_t updates = 1;
};

/// Configurations whose parameters are committed as SHA-256: they may change by decision only.
inline std::vector<Case> hashed_cases() {
  const auto with = [](const char* name, std::int64_t updates, auto change) {
    Case c;
    c.name = name;
    c.updates = updates;
    c.config.steps = 2'000'000;
    change(c.config);
    return c;
  };
  return {
      with("initial parameters", 0, [](cupg::Config&) {}),
      with("initial parameters, he, two layers", 0,
           [](cupg::Config& c) {
             c.init.kind = cupg::Initialization::he, c.hidden = {64, 33};
           }),
      with("initial parameters, xavier, separate", 0,
           [](cupg::Config& c) { c.init.kind = cupg::Initialization::xavier, c.shared = false; }),
      with("initial parameters, uniform, linear", 0, [](cupg::Config& c) { c.init.kind = cupg::Initialization::uniform, c.hidden = {}; }),
      with("the defaults", 100, [](cupg::Config& c) { c = cupg::Config(); }),
      with("32 x 16, relu 16", 200, [](cupg::Config&) {}),
      with("CartPole-v0, 32 x 16, relu 16, with truncations", 400, [](cupg::Config& c) { c.environment = "CartPole-v0"; }),
      with("70 x 7, normalized", 40, [](cupg::Config& c) { c.envs = 70, c.horizon = 7, c.advantage.normalize = true; }),
      with("33 x 8, separate tanh 9 and linear", 40,
           [](cupg::Config& c) {
             c.envs = 33, c.horizon = 8, c.shared = false, c.activation = cupg::Activation::tanh, c.hidden = {9},
             c.value_hidden = std::vector<int>{};
           }),
      with("4 x 33, separate tanh 64-64", 3,
           [](cupg::Config& c) {
             c.envs = 4, c.horizon = 33, c.shared = false, c.activation = cupg::Activation::tanh, c.hidden = {64, 64};
           }),
      with("8 x 8, 8-step, rmsprop inside, truncation terminal", 60,
           [](cupg::Config& c) {
             c.envs = 8, c.horizon = 8, c.advantage.estimator = cupg::Estimator::nstep, c.advantage.nstep = 8,
             c.advantage.truncation = cupg::Truncation::terminal;
             c.optimizer.kind = cupg::OptimizerKind::rmsprop, c.optimizer.rmsprop_eps = cupg::RmspropEps::inside,
             c.optimizer.learning_rate = 0.005f;
           }),
      with("31 x 5, linear, no bias, sgd, linear schedule, unclipped", 60,
           [](cupg::Config& c) {
             c.envs = 31, c.horizon = 5, c.hidden = {}, c.bias = false, c.optimizer.kind = cupg::OptimizerKind::sgd,
             c.optimizer.schedule = cupg::Schedule::linear, c.optimizer.max_grad_norm = 0, c.steps = 31 * 5 * 100;
           }),
      with("1000 x 3, relu 33", 20, [](cupg::Config& c) { c.envs = 1000, c.horizon = 3, c.hidden = {33}; }),
      with("ppo, 4 x 128, 4 epochs of 4, separate tanh 64-64, clips", 2,
           [](cupg::Config& c) {
             c.algorithm = "ppo", c.envs = 4, c.horizon = 128, c.epochs = 4, c.minibatches = 4;
             c.shared = false, c.activation = cupg::Activation::tanh, c.hidden = {64, 64};
             c.advantage.normalize = true, c.advantage.normalize_over = cupg::NormalizeOver::minibatch;
             c.objective.clip = 0.2f, c.objective.value_clip = 0.2f, c.optimizer.learning_rate = 1e-3f;
             c.optimizer.schedule = cupg::Schedule::linear;
           }),
      with("ppo, 33 x 9, 2 epochs of 3, relu 33-5, clip falls, kl", 20,
           [](cupg::Config& c) {
             c.algorithm = "ppo", c.envs = 33, c.horizon = 9, c.epochs = 2, c.minibatches = 3, c.hidden = {33, 5};
             c.objective.clip = 0.1f, c.objective.clip_schedule = cupg::ClipSchedule::linear, c.objective.target_kl = 0.003f;
             c.update_limit = 20;
           }),
      with("reinforce, episodes, xavier 10-10 with biases, normalized", 60,
           [](cupg::Config& c) {
             c.algorithm = "reinforce", c.collect = cupg::Collect::episodes, c.envs = 1, c.hidden = {10, 10};
             c.init.kind = cupg::Initialization::xavier, c.init.biases = cupg::BiasInit::xavier;
             c.advantage.estimator = cupg::Estimator::returns, c.advantage.truncation = cupg::Truncation::terminal;
             c.advantage.normalize = true, c.advantage.normalize_over = cupg::NormalizeOver::episode;
           }),
      with("reinforce-baseline, 3 episodes, linear and 10, value-learning-rate, sums", 40,
           [](cupg::Config& c) {
             c.algorithm = "reinforce-baseline", c.collect = cupg::Collect::episodes, c.envs = 3;
             c.shared = false, c.hidden = {}, c.bias = false, c.value_hidden = std::vector<int>{10}, c.value_bias = true;
             c.advantage.estimator = cupg::Estimator::returns, c.episode_limit = 100;
             c.objective.loss = cupg::LossSum::sum, c.optimizer.value_learning_rate = 0.1f;
             c.optimizer.schedule = cupg::Schedule::exponential, c.optimizer.decay = 0.99f;
           }),
      with("a2c, 5 x 7, random actions, limit 30", 60,
           [](cupg::Config& c) {
             c.envs = 5, c.horizon = 7, c.exploration = {.start = 0.4f, .end = 0.1f, .steps = 1000}, c.episode_limit = 30;
           }),
  };
}

}  // namespace cupg_test

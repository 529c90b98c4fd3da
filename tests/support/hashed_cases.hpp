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
             c.init.kind = cupg::Initialisation::he, c.hidden = {64, 33};
           }),
      with("initial parameters, xavier, separate", 0,
           [](cupg::Config& c) { c.init.kind = cupg::Initialisation::xavier, c.shared = false; }),
      with("initial parameters, uniform, linear", 0, [](cupg::Config& c) { c.init.kind = cupg::Initialisation::uniform, c.hidden = {}; }),
      with("the defaults", 100, [](cupg::Config& c) { c = cupg::Config(); }),
      with("32 x 16, relu 16", 200, [](cupg::Config&) {}),
      with("CartPole-v0, 32 x 16, relu 16, with truncations", 400, [](cupg::Config& c) { c.environment = "CartPole-v0"; }),
      with("70 x 7, normalised", 40, [](cupg::Config& c) { c.envs = 70, c.horizon = 7, c.advantage.normalize = true; }),
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
  };
}

}  // namespace cupg_test

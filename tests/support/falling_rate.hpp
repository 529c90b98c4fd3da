// Learning rates as an engine takes them: with both of Adam's betas 0, m / sqrt(v) is the gradient's sign, and the largest change of a
// parameter is the rate.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/engines.hpp"

namespace cupg_test {

/// Whole episodes of at most 50 steps, 2,000 steps in all, or `updates`.
inline cupg::Config falling_episodes(std::int64_t updates) {
  cupg::Config c = episodes_config(1);
  c.steps = 2000;
  c.update_limit = updates;
  c.episode_limit = 50;
  c.optimizer.schedule = cupg::Schedule::linear;
  c.optimizer.beta1 = c.optimizer.beta2 = 0;
  c.optimizer.eps = 1e-20f;
  return c;
}

/// Trains from `seed` until the steps or the updates are done.
inline void expect_a_rate_that_falls(cupg::Engine& engine, const cupg::Config& c, std::uint64_t seed) {
  engine.reset(0, seed);
  const double lr = static_cast<double>(c.optimizer.learning_rate), steps = static_cast<double>(c.steps);
  double left = 1;
  std::int64_t taken = 0, k = 0;
  for (; taken < c.steps && (c.update_limit == 0 || k < c.update_limit); ++k) {
    left = (steps - static_cast<double>(taken)) / steps;
    if (c.update_limit > 0) left = std::min(left, static_cast<double>(c.update_limit - k) / static_cast<double>(c.update_limit));
    const std::vector<float> before = parameters(engine);
    taken += update(engine, 1).env_steps;
    const std::vector<float> after = parameters(engine);
    double most = 0;
    for (std::size_t i = 0; i < after.size(); ++i) most = std::max(most, std::abs(static_cast<double>(after[i] - before[i])));
    EXPECT_FALSE(!(std::abs(most - lr * left) <= 1e-6)) << "update " << k << ": " << most;  // parameters near 1 are rounded to 6e-8
  }
  EXPECT_LE(left, std::max(50.0 / steps, 1.0 / static_cast<double>(k))) << "an update before the end there is no more left";
  const std::vector<float> end = parameters(engine);
  update(engine, 2);
  EXPECT_EQ(end, parameters(engine)) << "beyond the end the rate is 0, not negative";
}

}  // namespace cupg_test

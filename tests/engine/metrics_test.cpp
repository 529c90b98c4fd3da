// What the metrics are, by their definitions over the reference's samples, in double and without the kernels' formulas.
#include "cupg/metrics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "cupg/environment.hpp"
#include "envs/cartpole.hpp"
#include "objectives/a2c.hpp"
#include "objectives/ppo.hpp"
#include "objectives/reinforce.hpp"
#include "src/engine/reference.hpp"
#include "tests/support/engines.hpp"

namespace {

using namespace cupg_test;
using cupg::Config;
using cupg::Metrics;

double wide(float x) { return static_cast<double>(x); }

/// The figures of the agent's last update.
template <class Agent>
Metrics by_definition(const Agent& agent, const Config& config) {
  const std::size_t steps = static_cast<std::size_t>(config.horizon), n = std::min<std::size_t>(agent.samples.size(), 128 * steps);
  const double count = static_cast<double>(n), low = 1 - wide(config.objective.clip), high = 1 + wide(config.objective.clip);
  const cupg::reference::Network<double> network(config.network());
  const std::vector<double> parameters(agent.parameters.begin(), agent.parameters.end());
  double policy = 0, entropy = 0, kl = 0, clipped = 0, squares = 0, mean_target = 0, mean_residual = 0;
  for (std::size_t i = 0; i < n; ++i) {
    mean_target += wide(agent.samples[i].target) / count;
    mean_residual += (wide(agent.samples[i].target) - wide(agent.samples[i].value)) / count;
  }
  double target_variance = 0, residual_variance = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto& s = agent.samples[i];
    const double advantage = wide(s.advantage), target = wide(s.target);
    const std::vector<double> observation(std::begin(s.observation), std::end(s.observation));
    double z[2], value;
    network.forward_logits(parameters.data(), observation.data(), z, value);
    const double log_sum = std::log(std::exp(z[0]) + std::exp(z[1])), log_p[2] = {z[0] - log_sum, z[1] - log_sum};
    const double ratio = std::exp(log_p[s.action] - wide(s.log_probability));
    entropy -= std::exp(log_p[0]) * log_p[0] + std::exp(log_p[1]) * log_p[1];
    kl += ratio - 1 - std::log(ratio);
    clipped += ratio < low || ratio > high ? 1 : 0;
    const bool has_ratio = config.algorithm == "ppo";
    policy -= has_ratio ? std::min(ratio * advantage, std::clamp(ratio, low, high) * advantage) : advantage * log_p[s.action];
    squares += (value - target) * (value - target);
    target_variance += std::pow(target - mean_target, 2);
    residual_variance += std::pow(target - wide(s.value) - mean_residual, 2);
  }
  const auto mean = [count](double sum) { return static_cast<float>(sum / count); };
  Metrics m;
  m.policy_loss = mean(policy);
  m.entropy = mean(entropy);
  m.approx_kl = mean(kl);
  if (config.algorithm == "ppo") m.clip_fraction = mean(clipped);
  if (config.algorithm == "reinforce") return m;
  m.value_loss = mean(squares / 2);
  m.explained_variance = static_cast<float>(1 - residual_variance / target_variance);
  return m;
}

template <class Objective>
void expect_definitions(const Config& config) {
  cupg::reference::Agent<cupg::CartPole, Objective, float> agent(config, cupg::find_environment(config.environment));
  agent.reset(7);
  for (int k = 0; k < 5; ++k) {
    cupg::EpisodeTally tally;
    std::int64_t steps = 0;
    ASSERT_TRUE(agent.update(tally, steps));
  }
  const Metrics want = by_definition(agent, config), got = agent.metrics();
  std::vector<float> wanted;
  cupg::each_metric(want, [&](const char*, float x) { wanted.push_back(x); });
  std::size_t i = 0;
  cupg::each_metric(got, [&](const char* name, float x) {
    const float y = wanted[i++];
    if (std::string_view(name) == "gradient_norm" || std::string_view(name) == "learning_rate") return;  // of the step, below
    ASSERT_EQ(std::isnan(x), std::isnan(y)) << config.algorithm << " " << name;
    // sums of some thousand floats
    if (!std::isnan(x)) {
      EXPECT_NEAR(wide(x), wide(y), 1e-5 * std::max(1.0, wide(std::abs(y)))) << config.algorithm << " " << name;
    }
  });
  EXPECT_GT(got.approx_kl, 1e-4f) << "the update has moved the policy";
}

TEST(Metrics, AreWhatTheirDefinitionsSay) {
  Config c = plain_config();
  c.envs = 150;  // of which the first 128 are measured
  expect_definitions<cupg::A2c>(c);
  c.algorithm = "reinforce";
  c.advantage.estimator = cupg::Estimator::returns;
  expect_definitions<cupg::Reinforce>(c);
  c = plain_config();
  c.algorithm = "ppo";
  c.epochs = 4, c.minibatches = 2;
  c.hidden = {9, 8};
  c.shared = false;
  c.optimizer.learning_rate = 0.05f;
  expect_definitions<cupg::Ppo>(c);
}

TEST(Metrics, TheStepsAreThoseOfTheLastOptimizerStep) {
  Config c = plain_config();
  c.optimizer.schedule = cupg::Schedule::linear;
  c.steps = 4 * c.batch();
  c.optimizer.kind = cupg::OptimizerKind::sgd;
  c.optimizer.max_grad_norm = 0;
  const auto engine = cpu_engine(c);
  engine->reset(0, 1);
  const std::vector<float> before = parameters(*engine);
  const Metrics first = measured_updates(*engine, c, 1)[0].metrics;
  double squares = 0;
  for (std::size_t i = 0; i < before.size(); ++i) squares += std::pow(wide(before[i]) - wide(engine->parameters(0)[i]), 2);
  EXPECT_NEAR(wide(first.gradient_norm), std::sqrt(squares) / wide(c.optimizer.learning_rate), 1e-4);
  EXPECT_EQ(first.learning_rate, c.optimizer.learning_rate);
  EXPECT_EQ(measured_updates(*engine, c, 2)[0].metrics.learning_rate, c.optimizer.learning_rate / 2);
}

}  // namespace

// The bounds that wide and deep networks are held to. They promise a tolerance, and it is derived: by running error analysis, a
// result that is a sum of products of inputs errs by at most gamma_k times the same sum with every input replaced by its magnitude,
// gamma_k = k u / (1 - k u), u = 2^-24, for at most k roundings between an input and the result (Higham, "Accuracy and stability of
// numerical algorithms", 2002, chapter 3), whatever the order of the sums. The sum of magnitudes is itself a ReLU network:
// magnitudes().
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "envs/registry.hpp"
#include "objectives/registry.hpp"
#include "src/engine/reference.hpp"
#include "tests/support/bits.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/shapes.hpp"

namespace cupg_test {

using cupg::Activation;
using cupg::Config;
using cupg::kWarp;
using cupg::NetworkShape;
using Network = cupg::reference::Network<double>;

inline std::vector<double> zeros(const NetworkShape& shape) {
  return std::vector<double>(static_cast<std::size_t>(parameter_count(shape)), 0.0);
}
inline std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

/// Shapes that only this path takes, and mixtures.
inline std::vector<NetworkShape> wide_structures() {
  std::vector<NetworkShape> shapes;
  for (const Activation activation : {Activation::relu, Activation::tanh})
    for (const bool bias : {true, false}) {
      for (const std::vector<int>& widths : {std::vector<int>{65}, {16, 16, 16}, {100, 31}, {128, 64, 32, 16}})
        shapes.push_back(shared_shape(widths, activation, bias));
      shapes.push_back(separate_shape({65}, {}, activation, bias));
      shapes.push_back(separate_shape({}, {3, 3, 3, 3}, activation, bias));
      shapes.push_back(separate_shape({70, 5}, {8}, activation, bias));
    }
  shapes.push_back(shared_shape({256, 256}));
  shapes.push_back(shared_shape({4096}, Activation::tanh));
  shapes.push_back(separate_shape({5, 4096, 3}, {2}));
  return shapes;
}

/// The network of magnitudes: a ReLU network whose activations, outputs and gradients are the sums that bound the error.
struct Magnitudes {
  NetworkShape shape;
  std::vector<double> parameters;
};
inline Magnitudes magnitudes(const NetworkShape& shape, const std::vector<double>& p) {
  Magnitudes m{shape, p};
  m.shape.policy.activation = m.shape.value.activation = Activation::relu;
  for (double& x : m.parameters) x = std::abs(x);
  return m;
}

/// k: roundings between an input and a gradient over n samples: the sums of the way forward and back, 8 for an activation and
/// its derivative, n for the batch, some for what surrounds the network.
inline double roundings(const NetworkShape& shape, std::size_t n) {
  double deepest = 0;
  for (const cupg::Trunk* trunk : {&shape.policy, &shape.value_trunk()}) {
    double k = 2 * shape.observations;
    for (const int width : trunk->width) k += 2 * width + 8;
    deepest = std::max(deepest, k);
  }
  return deepest + static_cast<double>(n) + 4;
}
inline double gamma(double k) { return k * 0x1p-24 / (1 - k * 0x1p-24); }

/// tanh' = 1 - h^2 passes on 2 |h| <= 2 times the error of h, which the magnitudes bound: a factor for the whole sum.
inline double activation_factor(const NetworkShape& shape, const Network::Activations& a) {
  if (shape.policy.activation == Activation::relu) return 1;
  double factor = 1;
  for (const auto* tower : {&a.policy, &a.value})
    for (std::size_t l = 1; l < tower->size(); ++l) factor += 2 * *std::max_element((*tower)[l].begin(), (*tower)[l].end());
  return factor;
}

/// What a batch should give, in double, and how far off float may be. Logits and their gradients are [n][2].
struct Expected {
  std::vector<double> logits, value, logits_bound, value_bound, gradient, gradient_bound;
};
inline Expected expected(const NetworkShape& shape, const std::vector<double>& p, const std::vector<double>& observation,
                         const std::vector<double>& grad_logits, const std::vector<double>& grad_value,
                         const std::vector<double>& grad_logits_magnitude, const std::vector<double>& grad_value_magnitude) {
  const std::size_t n = grad_value.size();
  const Network network(shape);
  const Magnitudes m = magnitudes(shape, p);
  const Network bound_network(m.shape);
  const double k = gamma(roundings(shape, n));
  const std::vector<double> none(n);
  Expected e{std::vector<double>(2 * n), none, std::vector<double>(2 * n), none, zeros(shape), zeros(shape)};
  std::vector<double> bound = zeros(shape);
  double factor = 1;
  for (std::size_t s = 0; s < n; ++s) {
    double x[4], size[4];
    for (std::size_t i = 0; i < 4; ++i) x[i] = observation[4 * s + i], size[i] = std::abs(x[i]);
    Network::Activations a;
    network.forward_logits(p.data(), x, &e.logits[2 * s], e.value[s], &a);
    network.backward_logits(p.data(), a, &grad_logits[2 * s], grad_value[s], e.gradient.data());
    bound_network.forward_logits(m.parameters.data(), size, &e.logits_bound[2 * s], e.value_bound[s], &a);
    bound_network.backward_logits(m.parameters.data(), a, &grad_logits_magnitude[2 * s], grad_value_magnitude[s], bound.data());
    for (std::size_t j = 2 * s; j < 2 * s + 2; ++j) e.logits_bound[j] *= k;
    e.value_bound[s] *= k;
    factor = std::max(factor, activation_factor(shape, a));
  }
  for (std::size_t i = 0; i < bound.size(); ++i) e.gradient_bound[i] = k * factor * std::abs(bound[i]);
  return e;
}
inline std::vector<double> absolute(std::vector<double> x) {
  for (double& v : x) v = std::abs(v);
  return x;
}

template <class Got>
void expect_near(const std::vector<double>& want, const Got& got, const std::vector<double>& bound, const std::string& what) {
  ASSERT_EQ(want.size(), got.size());
  for (std::size_t i = 0; i < want.size(); ++i)
    ASSERT_FALSE(!(std::abs(static_cast<double>(got[i]) - want[i]) <= bound[i]))
        << what << "[" << i << "]: " << got[i] << " for " << want[i] << ", off by " << static_cast<double>(got[i]) - want[i] << ", may be "
        << bound[i];
}

inline Config engine_config(const NetworkShape& shape, int envs, int horizon) {
  Config c = plain_config();
  c.envs = envs;
  c.horizon = horizon;
  c.shared = shape.shared;
  c.hidden = shape.policy.width;
  if (!shape.shared) c.value_hidden = shape.value.width;
  c.activation = shape.policy.activation;
  c.bias = shape.policy.bias;
  // one step of plain gradient descent shows the gradient itself
  c.optimizer = {.kind = cupg::OptimizerKind::sgd, .learning_rate = 1, .max_grad_norm = 0};
  return c;
}

/// Steps of the longest episode, or of the horizon: as many as an advantage may sum.
template <class Sample>
int longest_sum(const Config& c, const std::vector<Sample>& samples) {
  if (c.collect == cupg::Collect::steps) return c.horizon;
  int most = 0, steps = 0;
  for (const Sample& s : samples) {
    most = std::max(most, ++steps);
    if (s.done) steps = 0;
  }
  return most;
}

/// An engine's first update, one step from one minibatch, against the reference's, gradient by gradient.
template <class Objective>
void expect_first_update_of(cupg::Engine& engine, const Config& c) {
  const NetworkShape shape = c.network();
  cupg::reference::Agent<cupg::CartPole, Objective, float> reference(c, cupg::find_environment(c.environment));
  reference.reset(3);
  engine.reset(0, 3);
  ASSERT_TRUE(same_bits(reference.parameters, engine.parameters(0)));
  const std::vector<double> before = to_double(reference.parameters);
  cupg::EpisodeTally tally;
  std::int64_t env_steps = 0;
  ASSERT_TRUE(reference.update(tally, env_steps));
  const cupg::UpdateReport report = update(engine, 1);
  ASSERT_TRUE(report.finite);
  EXPECT_EQ(report.env_steps, env_steps);
  EXPECT_EQ(report.episodes.episodes, tally.episodes);
  EXPECT_EQ(report.episodes.steps, tally.steps);

  // The gradient's sum of magnitudes, over the samples of the reference. An advantage is a sum over at most T steps of r, V and V';
  // dJ/dz = A (p - [a]) + entropy (where a ratio is 1: PPO's too) and dJ/dV = c_v A take in errors of A, z (at a rate of at most
  // |A| / 4) and V.
  const Magnitudes m = magnitudes(shape, before);
  const Network bound_network(m.shape);
  const std::size_t n = reference.samples.size();
  std::vector<double> x, grad_logits, grad_value;
  double most_value = 0;
  for (int pass = 0; pass < 2; ++pass)
    for (const auto& s : reference.samples) {
      double size[4], z[2], value = 0;
      for (std::size_t i = 0; i < 4; ++i) size[i] = std::abs(static_cast<double>(s.observation[i]));
      bound_network.forward_logits(m.parameters.data(), size, z, value);
      if (pass == 0) {
        most_value = std::max(most_value, value);
        continue;
      }
      const double d = z[0] + z[1], advantage = longest_sum(c, reference.samples) * (1 + 2 * most_value),
                   scale = c.objective.loss == cupg::LossSum::mean ? 1 / static_cast<double>(n) : 1;
      x.insert(x.end(), size, size + 4);
      grad_logits.insert(grad_logits.end(), 2, scale * (advantage * (1 + d) + 1 + d));
      grad_value.push_back(scale * static_cast<double>(c.objective.value_coef) * (advantage + 2 * value));
    }
  const Expected bound = expected(shape, before, x, grad_logits, grad_value, grad_logits, grad_value);
  std::vector<double> tolerance;
  for (std::size_t i = 0; i < before.size(); ++i)  // both engines err; p - g is rounded in each
    tolerance.push_back(2 * bound.gradient_bound[i] +
                        2 * 0x1p-24 * (std::abs(before[i]) + std::abs(static_cast<double>(reference.parameters[i]))));
  expect_near(to_double(reference.parameters), engine.parameters(0), tolerance, name(shape) + ", " + c.algorithm + ": parameters");
}
inline void expect_first_update_by(cupg::Engine& engine, const Config& c) {
  cupg::with_objective(
      cupg::objective_number(c.algorithm), [&]<class Objective>() { expect_first_update_of<Objective>(engine, c); },
      [] { FAIL() << "an objective that the reference does not know"; });
}

/// Largest difference relative to the largest element.
inline double distance(std::span<const float> a, std::span<const float> b) {
  double most = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!(std::abs(a[i] - b[i]) < 1e30f)) return 1e30;
    most = std::max(most, static_cast<double>(std::abs(a[i] - b[i])));
    size = std::max(size, static_cast<double>(std::abs(a[i])));
  }
  return most / size;
}

// ---- every algorithm and setting --------------------------------------------------------------------------------------------

/// What a setting is called, and what sets it.
struct Setting {
  const char* name;
  void (*set)(Config&);
};
inline void whole_episodes(Config& c, const char* algorithm) {
  c.algorithm = algorithm;
  c.collect = cupg::Collect::episodes;
  c.advantage.estimator = cupg::Estimator::returns;
  if (c.algorithm == "reinforce") c.advantage.truncation = cupg::Truncation::terminal;
}

/// The first updates of every algorithm, by the engine that `make` makes of a configuration.
template <class Make>
void expect_first_updates(Make make) {
  for (const Setting& s : {Setting{"returns", [](Config& c) { c.advantage.estimator = cupg::Estimator::returns; }},
                           {"sum", [](Config& c) { c.objective.loss = cupg::LossSum::sum; }},
                           {"ppo", [](Config& c) { c.algorithm = "ppo"; }},
                           {"ppo, sum", [](Config& c) { c.algorithm = "ppo", c.objective.loss = cupg::LossSum::sum; }},
                           {"reinforce-baseline", [](Config& c) { c.algorithm = "reinforce-baseline"; }},
                           {"episodes", [](Config& c) { whole_episodes(c, "a2c"); }},
                           {"reinforce by episodes", [](Config& c) { whole_episodes(c, "reinforce"); }},
                           {"baseline by episodes", [](Config& c) { whole_episodes(c, "reinforce-baseline"); }},
                           {"baseline by episodes, sum, limit 15", [](Config& c) {
                              whole_episodes(c, "reinforce-baseline");
                              c.objective.loss = cupg::LossSum::sum, c.episode_limit = 15;
                            }}})
    for (const NetworkShape& shape : {shared_shape({65}), separate_shape({16, 16, 16}, {70}, Activation::tanh)})
      for (const int envs : {5, 70}) {
        SCOPED_TRACE(s.name);
        Config c = engine_config(shape, envs, 7);
        s.set(c);
        expect_first_update_by(*make(c), c);
        if (testing::Test::HasFatalFailure()) return;
      }
}

/// Metrics within what kRoundings of the parameters, below, make of them: some 1e-5; another update's differ by tenths.
inline void expect_close(const cupg::Metrics& want, const cupg::Metrics& got) {
  std::vector<float> figures;
  cupg::each_metric(want, [&](const char*, float x) { figures.push_back(x); });
  std::size_t i = 0;
  cupg::each_metric(got, [&](const char* name, float x) {
    const float y = figures[i++];
    EXPECT_EQ(std::isnan(x), std::isnan(y)) << name;
    if (std::isnan(x)) return;
    EXPECT_NEAR(static_cast<double>(x), static_cast<double>(y), 1e-6 + 1e-3 * static_cast<double>(std::abs(y))) << name;
  });
}

/// Four updates of PPO in epochs and minibatches and of REINFORCE by episodes, each with one setting changed, against the reference's.
template <class Make>
void expect_every_setting(Make make) {
  static const std::vector<Setting> ppo = {
      {"by batch", [](Config&) {}},
      {"by minibatch", [](Config& c) { c.advantage.normalize_over = cupg::NormalizeOver::minibatch; }},
      {"not normalized", [](Config& c) { c.advantage.normalize = false; }},
      {"one epoch", [](Config& c) { c.epochs = 1; }},
      {"one minibatch", [](Config& c) { c.minibatches = 1; }},
      {"returns", [](Config& c) { c.advantage.estimator = cupg::Estimator::returns; }},
      {"3-step", [](Config& c) { c.advantage.estimator = cupg::Estimator::nstep, c.advantage.nstep = 3; }},
      {"sum", [](Config& c) { c.objective.loss = cupg::LossSum::sum, c.optimizer.learning_rate = 0.003f; }},
      {"clip", [](Config& c) { c.objective.clip = 0.01f; }},
      {"value clip", [](Config& c) { c.objective.value_clip = 0.05f; }},
      {"linear clip", [](Config& c) { c.objective.clip = 0.01f, c.objective.clip_schedule = cupg::ClipSchedule::linear; }},
      {"kl", [](Config& c) { c.advantage.normalize = false, c.objective.target_kl = 1e-5f; }},
      {"linear rate", [](Config& c) { c.optimizer.schedule = cupg::Schedule::linear; }},
      {"exponential rate", [](Config& c) { c.optimizer.schedule = cupg::Schedule::exponential, c.optimizer.decay = 0.8f; }},
      {"value rate", [](Config& c) { c.optimizer.value_learning_rate = 0.1f; }}};
  static const std::vector<Setting> reinforce = {
      {"baseline", [](Config&) {}},
      {"no baseline", [](Config& c) { whole_episodes(c, "reinforce"); }},
      {"by batch", [](Config& c) { c.advantage.normalize = true; }},
      {"by episode", [](Config& c) { c.advantage.normalize = true, c.advantage.normalize_over = cupg::NormalizeOver::episode; }},
      {"limit 20", [](Config& c) { c.episode_limit = 20; }},
      {"limit 20, terminal", [](Config& c) { c.episode_limit = 20, c.advantage.truncation = cupg::Truncation::terminal; }},
      {"epsilon", [](Config& c) { c.exploration = {.start = 0.5f, .end = 0.1f, .steps = 1500}; }},
      {"fixed horizon", [](Config& c) { c.collect = cupg::Collect::steps; }}};
  constexpr double kRoundings = 2e-5;  // they come to some 1e-6 of the largest parameter, every setting changes 1e-3 of it
  for (const bool episodes : {false, true}) {
    std::vector<std::vector<float>> ends;
    for (const Setting& s : episodes ? reinforce : ppo) {
      SCOPED_TRACE(s.name);
      Config c = engine_config(separate_shape({9, 9, 9}, {9, 9, 9}, Activation::tanh), 40, 9);
      c.optimizer = {.kind = cupg::OptimizerKind::sgd, .learning_rate = 0.3f, .max_grad_norm = 0.5f};
      if (episodes) {
        whole_episodes(c, "reinforce-baseline");
      } else {
        c.algorithm = "ppo", c.epochs = 3, c.minibatches = 4, c.advantage.normalize = true;
      }
      s.set(c);
      c.steps = 8 * c.batch();
      const auto reference = reference_engine(c);
      const std::unique_ptr<cupg::Engine> engine = make(c);
      reference->reset(0, 3), engine->reset(0, 3);
      const cupg::UpdateReport want = measured_updates(*reference, c, 4)[0], got = measured_updates(*engine, c, 4)[0];
      expect_close(want.metrics, got.metrics);
      EXPECT_EQ(want.updates, got.updates);
      EXPECT_EQ(want.env_steps, got.env_steps);
      EXPECT_EQ(want.episodes.episodes, got.episodes.episodes);
      EXPECT_EQ(want.episodes.steps, got.episodes.steps);
      EXPECT_FALSE(!(distance(reference->parameters(0), engine->parameters(0)) <= kRoundings));
      for (const std::vector<float>& other : ends) EXPECT_GT(distance(other, engine->parameters(0)), 10 * kRoundings);
      ends.push_back(parameters(*engine));
    }
  }
}

}  // namespace cupg_test

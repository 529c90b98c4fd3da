// The bounds that wide and deep networks are held to. They promise a tolerance, and it is derived: by running error analysis, a
// result that is a sum of products of inputs errs by at most gamma_k times the same sum with every input replaced by its magnitude,
// gamma_k = k u / (1 - k u), u = 2^-24, for at most k roundings between an input and the result (Higham, "Accuracy and stability of
// numerical algorithms", 2002, chapter 3), whatever the order of the sums. The sum of magnitudes is itself a ReLU network:
// magnitudes().
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "envs/registry.hpp"
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
  for (const cupg::TensorInfo& t : parameter_layout(shape))  // the policy's head is row 1 minus row 0, rounded once
    if (t.name.starts_with("policy.head"))
      for (int i = 0, half = t.elements() / 2; i < half; ++i) {
        m.parameters[index(t.offset + half + i)] = std::abs(p[index(t.offset + half + i)] - p[index(t.offset + i)]);
        m.parameters[index(t.offset + i)] = 0;
      }
  return m;
}

/// k: roundings between an input and a gradient over n samples: the sums of the way forward and back, 8 for an activation and
/// its derivative, one for the head's difference, n for the batch, some for what surrounds the network.
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

/// What a batch should give, in double, and how far off float may be.
struct Expected {
  std::vector<double> d, value, d_bound, value_bound, gradient, gradient_bound;
};
inline Expected expected(const NetworkShape& shape, const std::vector<double>& p, const std::vector<double>& observation,
                         const std::vector<double>& grad_d, const std::vector<double>& grad_value,
                         const std::vector<double>& grad_d_magnitude, const std::vector<double>& grad_value_magnitude) {
  const std::size_t n = grad_d.size();
  const Network network(shape);
  const Magnitudes m = magnitudes(shape, p);
  const Network bound_network(m.shape);
  const double k = gamma(roundings(shape, n));
  Expected e{std::vector<double>(n), std::vector<double>(n), std::vector<double>(n), std::vector<double>(n), zeros(shape), zeros(shape)};
  std::vector<double> bound = zeros(shape);
  double factor = 1;
  for (std::size_t s = 0; s < n; ++s) {
    double x[4], size[4];
    for (std::size_t i = 0; i < 4; ++i) x[i] = observation[4 * s + i], size[i] = std::abs(x[i]);
    Network::Activations a;
    network.forward(p.data(), x, e.d[s], e.value[s], &a);
    network.backward(p.data(), a, grad_d[s], grad_value[s], e.gradient.data());
    bound_network.forward(m.parameters.data(), size, e.d_bound[s], e.value_bound[s], &a);
    bound_network.backward(m.parameters.data(), a, grad_d_magnitude[s], grad_value_magnitude[s], bound.data());
    e.d_bound[s] *= k, e.value_bound[s] *= k;
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

/// An engine's first update against the reference engine's, gradient by gradient.
inline void expect_first_update_by(cupg::Engine& tested, const Config& c) {
  const cupg::EnvironmentInfo& environment = cupg::find_environment(c.environment);
  const NetworkShape shape = c.network();
  cupg::reference::Agent<cupg::CartPole, float> reference(c, environment);
  cupg::Engine* const engine = &tested;
  reference.reset(3);
  engine->reset(0, 3);
  ASSERT_TRUE(same_bits(reference.parameters, engine->parameters(0)));
  const std::vector<double> before = to_double(reference.parameters);
  cupg::EpisodeTally tally;
  std::int64_t env_steps = 0;
  ASSERT_TRUE(reference.update(tally, env_steps));
  const cupg::UpdateReport report = update(*engine, 1);
  ASSERT_TRUE(report.finite);
  EXPECT_EQ(report.episodes.episodes, tally.episodes);
  EXPECT_EQ(report.episodes.steps, tally.steps);

  // The gradient's sum of magnitudes, over the samples of the reference. An advantage is a sum over at most T steps of r, V and
  // V'; dJ/dd = A (p - [a]) + entropy and dJ/dV = c_v A take in errors of A, d (at a rate of at most |A| / 4) and V.
  const Magnitudes m = magnitudes(shape, before);
  const Network bound_network(m.shape);
  std::vector<double> x, unused, grad_d, grad_value;
  double most_value = 0;
  for (int pass = 0; pass < 2; ++pass)
    for (int e = 0; e < c.envs; ++e)
      for (int t = 0; t < c.horizon; ++t) {
        const auto& s = reference.samples()[index(((e / kWarp) * c.horizon + t) * kWarp + e % kWarp)];
        double size[4], d = 0, value = 0;
        for (std::size_t i = 0; i < 4; ++i) size[i] = std::abs(static_cast<double>(s.observation[i]));
        bound_network.forward(m.parameters.data(), size, d, value);
        if (pass == 0) {
          most_value = std::max(most_value, value);
          continue;
        }
        const double advantage = c.horizon * (1 + 2 * most_value), scale = 1 / static_cast<double>(c.batch());
        x.insert(x.end(), size, size + 4);
        grad_d.push_back(scale * (advantage * (1 + d) + 1 + d));
        grad_value.push_back(scale * static_cast<double>(c.objective.value_coef) * (advantage + 2 * value));
      }
  const Expected bound = expected(shape, before, x, grad_d, grad_value, grad_d, grad_value);
  std::vector<double> tolerance;
  for (std::size_t i = 0; i < before.size(); ++i)  // both engines err; p - g is rounded in each
    tolerance.push_back(2 * bound.gradient_bound[i] +
                        2 * 0x1p-24 * (std::abs(before[i]) + std::abs(static_cast<double>(reference.parameters[i]))));
  expect_near(to_double(reference.parameters), engine->parameters(0), tolerance, name(shape) + ": parameters");
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

}  // namespace cupg_test

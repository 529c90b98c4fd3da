// Policies to export: every structure, every environment, numbers at the ends of their range. And observations to hold them to.
#pragma once
#include <array>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "cupg/environment.hpp"
#include "cupg/policy.hpp"
#include "tests/support/shapes.hpp"

namespace cupg_test {

inline cupg::Policy random_policy(const std::string& environment, cupg::NetworkShape shape, std::uint64_t seed) {
  const cupg::EnvironmentInfo& info = cupg::find_environment(environment);
  shape.observations = info.observations;
  shape.actions = info.actions;
  return {environment, shape, random_floats(static_cast<std::size_t>(parameter_count(shape)), 1.0f, seed)};
}

/// The default network's shape in every environment.
inline std::vector<cupg::Policy> default_policies() {
  std::vector<cupg::Policy> policies;
  for (const cupg::EnvironmentInfo& info : cupg::environments())
    policies.push_back(random_policy(std::string(info.name), shared_shape({16}), 1 + policies.size()));
  return policies;
}

/// Every structure of a fused network for CartPole, deeper and wider ones, trunks that differ, and three structures in every environment.
inline std::vector<cupg::Policy> all_policies() {
  using cupg::Activation;
  std::vector<cupg::NetworkShape> shapes = all_structures();
  for (const Activation activation : {Activation::relu, Activation::tanh}) {
    shapes.push_back(shared_shape({7, 3, 9, 2, 5}, activation));
    shapes.push_back(separate_shape({130}, {5, 70, 3}, activation, false));
    for (const bool bias : {true, false}) {
      shapes.push_back(separate_shape({9}, {6}, activation, bias));
      shapes.back().value.bias = !bias;
    }
  }
  std::vector<cupg::Policy> policies;
  for (const cupg::NetworkShape& shape : shapes) policies.push_back(random_policy("CartPole-v1", shape, 1 + policies.size()));
  for (const cupg::EnvironmentInfo& info : cupg::environments())
    for (const cupg::NetworkShape& shape : {shared_shape({16}), separate_shape({64, 64}, {64, 64}, Activation::tanh), shared_shape({})})
      policies.push_back(random_policy(std::string(info.name), shape, 1 + policies.size()));
  return policies;
}

/// Uniform in [-3, 3).
inline std::vector<float> ordinary_observations(const cupg::Policy& policy, int count, std::uint64_t seed) {
  return random_floats(static_cast<std::size_t>(count * policy.shape.observations), 3.0f, seed);
}

}  // namespace cupg_test

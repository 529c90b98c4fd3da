#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "cupg/network.hpp"
#include "kernels/math/philox.hpp"

namespace cupg_test {

inline cupg::Trunk trunk(const std::vector<int>& widths, cupg::Activation activation, bool bias) {
  return {.width = widths, .activation = activation, .bias = bias};
}
/// CartPole's observations and actions on one trunk, or on two.
inline cupg::NetworkShape shared_shape(const std::vector<int>& widths, cupg::Activation activation = cupg::Activation::relu,
                                       bool bias = true) {
  return {.observations = 4, .actions = 2, .shared = true, .policy = trunk(widths, activation, bias), .value = {}};
}
inline cupg::NetworkShape separate_shape(const std::vector<int>& policy, const std::vector<int>& value,
                                         cupg::Activation activation = cupg::Activation::relu, bool bias = true) {
  return {
      .observations = 4, .actions = 2, .shared = false, .policy = trunk(policy, activation, bias), .value = trunk(value, activation, bias)};
}

/// Every structure that a fused network can have: 0, 1 and 2 layers, shared, separate, mixed depths; widths that fill no vector.
inline std::vector<cupg::NetworkShape> all_structures() {
  std::vector<cupg::NetworkShape> shapes;
  for (const cupg::Activation activation : {cupg::Activation::relu, cupg::Activation::tanh})
    for (const bool bias : {true, false}) {
      for (const std::vector<int>& widths : {std::vector<int>{}, {1}, {5}, {16}, {33}, {64}, {1, 1}, {7, 5}, {33, 18}}) {
        shapes.push_back(shared_shape(widths, activation, bias));
        shapes.push_back(separate_shape(widths, widths, activation, bias));
      }
      shapes.push_back(separate_shape({}, {9}, activation, bias));
      shapes.push_back(separate_shape({6}, {}, activation, bias));
      shapes.push_back(separate_shape({3}, {10, 4}, activation, bias));
      shapes.push_back(separate_shape({5, 17}, {2}, activation, bias));
      shapes.push_back(separate_shape({}, {4, 3}, activation, bias));
      shapes.push_back(separate_shape({8, 2}, {2, 8}, activation, bias));
    }
  return shapes;
}
/// Those with one hidden layer at most, for an environment of these numbers.
inline std::vector<cupg::NetworkShape> small_structures(int observations = 4, int actions = 2) {
  std::vector<cupg::NetworkShape> shapes = all_structures();
  std::erase_if(shapes, [](const cupg::NetworkShape& s) { return network_kind(s) != cupg::NetworkKind::small; });
  for (cupg::NetworkShape& s : shapes) s.observations = observations, s.actions = actions;
  return shapes;
}
inline std::string name(const cupg::NetworkShape& shape) { return describe(shape) + (shape.policy.bias ? "" : " without bias"); }

/// Uniform numbers in [-size, size), the same on every machine.
inline std::vector<float> random_floats(std::size_t count, float size, std::uint64_t seed) {
  std::vector<float> x(count);
  for (std::size_t i = 0; i < count; ++i)
    x[i] = size * (2 * cupg::uniform01(cupg::philox4x32(static_cast<std::uint32_t>(i / 4), 0, 0x74657374, 0, seed).word[i % 4]) - 1);
  return x;
}
inline std::vector<double> to_double(const std::vector<float>& x) { return {x.begin(), x.end()}; }

}  // namespace cupg_test

// Automatic differentiation of the same loss templates: reverse mode by ADOL-C's tape, forward mode by duals. Source: Griewank, Walther,
// "Evaluating derivatives" (2008).
#pragma once
#include <vector>

#include "objectives/derivative.hpp"
#include "src/gradcheck/frozen.hpp"
#include "src/gradcheck/tape.hpp"

namespace cupg::gradcheck {

/// The J of every sample as functions of the parameters.
template <class Env, class Objective>
Tape loss_tape(const Frozen& f) {
  // a multiplication, an addition and copies a weight; activations, the objective and constants
  const std::size_t sample = 12 * f.parameters.size() + 2048;
  return Tape(f.parameters, sample * f.samples.size() + 4 * f.parameters.size(), [&](const std::vector<Taped>& parameters) {
    const reference::Network<Taped> network(f.network);
    std::vector<Taped> losses;
    for (const FrozenSample& s : f.samples) losses.push_back(sample_loss<Objective, Env::kActions>(f, network, parameters.data(), s));
    return losses;
  });
}

/// J v: the derivative of every sample's J in direction v, by duals through the whole network.
template <class Env, class Objective>
std::vector<double> directional(const Frozen& f, const std::vector<double>& direction) {
  using D = Dual<1, double>;
  std::vector<D> parameters = parameters_in<D>(f);
  for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i].d[0] = direction[i];
  const reference::Network<D> network(f.network);
  std::vector<double> derivatives;
  for (const FrozenSample& s : f.samples)
    derivatives.push_back(sample_loss<Objective, Env::kActions>(f, network, parameters.data(), s).d[0]);
  return derivatives;
}

/// An objective without its hand-written gradient: the engine takes duals through its loss in the gradient's place.
template <class Objective>
struct ByDuals {
  static constexpr ObjectiveTraits kTraits = Objective::kTraits;
  template <int A, class S>
  static CUPG_FN S loss(const LossSample<A, S>& s, const Coefficients<Scalar<S>>& c) {
    return Objective::loss(s, c);
  }
};

/// Numbers in [-1, 1), the same for every call with this seed.
inline std::vector<double> random_direction(std::size_t n, std::uint32_t number, std::uint64_t seed) {
  return moved_parameters(std::vector<double>(n), 1, number, seed);
}
inline double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace cupg::gradcheck

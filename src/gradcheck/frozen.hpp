// What the methods differentiate: the surrogate loss of an objective on a frozen rollout.
//
//   L(theta) = scale * sum_s J(z(theta, s), V(theta, s); a, A, R, log p_old, V_old)
//
// s, a, A, R, log p_old and V_old are numbers: the sampled return itself has no derivative with respect to theta
// (src/gradcheck/theorem.hpp says why this is the gradient that a trainer wants). All of them, and theta, are representable in float, so
// that double and float methods see the same problem and differ by their own rounding alone.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "cupg/config.hpp"
#include "cupg/error.hpp"
#include "kernels/math/philox.hpp"
#include "src/engine/reference.hpp"
#include "src/gradcheck/traced.hpp"

namespace cupg::gradcheck {

struct FrozenSample {
  std::vector<double> observation;  ///< [O] s
  std::uint32_t action = 0;         ///< a
  double advantage = 0;             ///< A before normalization
  double target = 0;                ///< R
  double old_log_probability = 0;   ///< log p(a|s) of the parameters that acted
  double old_value = 0;             ///< V(s) of those
};

struct Frozen {
  Config config;
  NetworkShape network;
  Coefficients<double> coefficients;
  std::vector<double> parameters;     ///< theta
  std::vector<FrozenSample> samples;  ///< [n]
  double mean = 0, inverse_sd = 1;    ///< normalization of the advantages, numbers too
  std::int64_t rollout = 0;           ///< samples that were collected
  int unlike = 0;                     ///< samples left out, whose branches float rounding changes
  double moved = 0;                   ///< theta is at most so far from the parameters that acted
  int ratios_clipped = 0;             ///< samples with a ratio outside 1 - clip .. 1 + clip
  int values_clipped = 0;             ///< samples with V further than value-clip from the old V

  double scale() const { return config.objective.loss == LossSum::mean ? 1 / static_cast<double>(samples.size()) : 1; }
  double normalized(const FrozenSample& s) const { return (s.advantage - mean) * inverse_sd; }
  std::vector<std::uint32_t> all() const {
    std::vector<std::uint32_t> numbers;
    for (std::uint32_t i = 0; i < samples.size(); ++i) numbers.push_back(i);
    return numbers;
  }
};

/// Every initial parameter is moved by up to this, so that no method profits from zeros (biases) or orthogonal rows.
inline constexpr double kInitialMove = 1.0 / 16;
inline constexpr int kFarther = 16;  ///< moves to try, each a quarter further than the one before: up to 1.8

inline double as_float(double x) { return static_cast<double>(static_cast<float>(x)); }

/// J of one sample in any number type: double, Traced, Dual, Taped, Symbolic.
template <class Objective, int A, class S>
S sample_loss(const Frozen& f, const reference::Network<S>& network, const S* parameters, const FrozenSample& sample) {
  std::vector<S> observation;
  for (const double x : sample.observation) observation.push_back(S(x));
  S logits[A], value(0.0);
  network.forward_logits(parameters, observation.data(), logits, value);
  LossSample<A, S> x{
      {}, value, sample.action, S(f.normalized(sample)), S(sample.target), S(sample.old_log_probability), S(sample.old_value)};
  for (int k = 0; k < A; ++k) x.logits[k] = logits[k];
  using Real = Scalar<S>;
  const Coefficients<double>& c = f.coefficients;
  return Objective::loss(x, Coefficients<Real>{Real(c.entropy), Real(c.value), Real(c.clip), Real(c.value_clip)});
}

template <class S>
std::vector<S> parameters_in(const Frozen& f) {
  std::vector<S> p;
  for (const double x : f.parameters) p.push_back(S(x));
  return p;
}

/// Which way every comparison of a sample's loss goes, in Real arithmetic.
template <class Env, class Objective, class Real>
std::uint64_t branches(const Frozen& f, const FrozenSample& sample) {
  const std::vector<Traced<Real>> p = parameters_in<Traced<Real>>(f);
  const BranchRecord record;
  sample_loss<Objective, Env::kActions>(f, reference::Network<Traced<Real>>(f.network), p.data(), sample);
  return record.hash();
}

/// The reference engine's agent with this rollout, in Real: float or double.
template <class Env, class Objective, class Real>
reference::Agent<Env, Objective, Real> frozen_agent(const Frozen& f) {
  Config config = f.config;
  config.advantage.normalize = false;
  using Agent = reference::Agent<Env, Objective, Real>;
  Agent agent(config, find_environment(config.environment));
  agent.parameters.assign(f.parameters.size(), Real(0));
  for (std::size_t i = 0; i < f.parameters.size(); ++i) agent.parameters[i] = static_cast<Real>(f.parameters[i]);
  for (const FrozenSample& s : f.samples) {
    typename Agent::Sample x{};
    for (std::size_t i = 0; i < s.observation.size(); ++i) x.observation[i] = static_cast<Real>(s.observation[i]);
    x.value = static_cast<Real>(s.old_value);
    x.log_probability = static_cast<Real>(s.old_log_probability);
    x.advantage = (static_cast<Real>(s.advantage) - static_cast<Real>(f.mean)) * static_cast<Real>(f.inverse_sd);
    x.target = static_cast<Real>(s.target);
    x.action = s.action;
    agent.samples.push_back(x);
  }
  return agent;
}

/// The hand-written gradient of the mean or sum over these samples.
template <class Env, class Objective, class Real>
std::vector<Real> hand_written(const Frozen& f, const std::vector<std::uint32_t>& which) {
  return frozen_agent<Env, Objective, Real>(f).gradient(which).gradient;
}
/// [sample][parameter] the hand-written gradients of every J.
template <class Env, class Objective>
std::vector<std::vector<double>> sample_gradients(const Frozen& f) {
  const auto agent = frozen_agent<Env, Objective, double>(f);
  std::vector<std::vector<double>> gradients;
  for (const std::uint32_t i : f.all())  // the mean or sum over one sample: J itself
    gradients.push_back(agent.gradient(std::vector{i}).gradient);
  return gradients;
}

/// Moves each number by up to `size`, the same for every call with this seed and round; the result is representable in float.
inline std::vector<double> moved_parameters(std::vector<double> p, double size, std::uint32_t round, std::uint64_t seed) {
  for (std::size_t i = 0; i < p.size(); ++i) {
    const auto words = philox4x32(static_cast<std::uint32_t>(i / 4), round, 0x67726164, 0, seed);
    p[i] = as_float(p[i] + size * (2 * static_cast<double>(uniform01<double>(words.word[i % 4])) - 1));
  }
  return p;
}

namespace detail {

/// Counts what theta clips.
template <class Env, class Objective>
void count_clips(Frozen& f) {
  f.ratios_clipped = f.values_clipped = 0;
  if (!Objective::kTraits.ratio) return;
  const reference::Network<double> network(f.network);
  for (const FrozenSample& s : f.samples) {
    double z[Env::kActions], log_p[Env::kActions], p[Env::kActions], value;
    network.forward_logits(f.parameters.data(), s.observation.data(), z, value);
    softmax(z, log_p, p);
    f.ratios_clipped += abs(exp(log_p[s.action] - s.old_log_probability) - 1) > f.coefficients.clip ? 1 : 0;
    f.values_clipped += f.coefficients.value_clip > 0 && abs(value - s.old_value) > f.coefficients.value_clip ? 1 : 0;
  }
}

/// Population moments of the samples' advantages, as numbers of float.
inline void normalize(Frozen& f) {
  const double n = static_cast<double>(f.samples.size());
  double sum = 0, squares = 0;
  for (const FrozenSample& s : f.samples) sum += s.advantage / n;
  for (const FrozenSample& s : f.samples) squares += (s.advantage - sum) * (s.advantage - sum) / n;
  f.mean = as_float(sum);
  f.inverse_sd = as_float(1 / (sqrt(squares) + 1e-8));
}

}  // namespace detail

/// Collects an update's rollout with the seed's parameters (moved by kInitialMove) and keeps up to `most` samples of it, evenly spread.
/// Objectives with a ratio are then differentiated at parameters that have moved on, by a distance that grows until an eighth of the
/// ratios is clipped; otherwise theta is what acted.
template <class Env, class Objective>
Frozen freeze(const Config& config, int most) {
  Frozen f;
  f.config = config;
  f.network = config.network();
  Config collecting = config;
  collecting.advantage.normalize = false;
  reference::Agent<Env, Objective, double> agent(collecting, find_environment(config.environment));
  agent.reset(config.seed);
  agent.parameters = moved_parameters(agent.parameters, kInitialMove, 0, config.seed);
  EpisodeTally tally;
  agent.collect(tally);
  agent.advantages();
  f.coefficients = agent.coefficients();
  f.rollout = static_cast<std::int64_t>(agent.samples.size());
  const std::size_t n = std::min(agent.samples.size(), static_cast<std::size_t>(most));
  for (std::size_t i = 0; i < n; ++i) {
    const auto& s = agent.samples[i * agent.samples.size() / n];
    FrozenSample x{{}, s.action, as_float(s.advantage), as_float(s.target), as_float(s.log_probability), as_float(s.value)};
    for (const double o : s.observation) x.observation.push_back(as_float(o));
    f.samples.push_back(x);
  }
  f.parameters = agent.parameters;
  if (Objective::kTraits.ratio) {
    f.moved = kInitialMove;
    for (int farther = 0; farther < kFarther; ++farther) {
      if (farther > 0) f.moved *= 1.25;
      f.parameters = moved_parameters(agent.parameters, f.moved, 1, config.seed);
      detail::count_clips<Env, Objective>(f);
      if (f.ratios_clipped * 8 >= static_cast<int>(n)) break;
    }
  }
  if (config.advantage.normalize) detail::normalize(f);
  const auto unlike = [&](const FrozenSample& s) {
    return branches<Env, Objective, double>(f, s) != branches<Env, Objective, float>(f, s);
  };
  f.unlike = static_cast<int>(std::erase_if(f.samples, unlike));
  if (f.samples.empty()) throw Error(ErrorKind::runtime, "samples: none is left; expected a rollout that float rounding does not change");
  detail::count_clips<Env, Objective>(f);
  return f;
}

}  // namespace cupg::gradcheck

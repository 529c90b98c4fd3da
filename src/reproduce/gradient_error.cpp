#include "src/reproduce/gradient_error.hpp"

#include <algorithm>
#include <cmath>

#include "cupg/error.hpp"
#include "src/engine/reference.hpp"

namespace cupg {
namespace {

template <class Env, class Objective>
double error_of(Config config, const EnvironmentInfo& environment, std::uint64_t seed) {
  // a minibatch's own moments are constants of its gradient, and those of the smooth samples are others than the batch's
  if (config.advantage.normalize_over == NormalizeOver::minibatch) config.advantage.normalize = false;
  reference::Agent<Env, Objective, double> agent(config, environment);
  agent.reset(seed);
  EpisodeTally tally;
  agent.collect(tally);
  agent.advantages();
  constexpr double kStep = 1e-5;
  /// f(value of the parameter) at both ends of parameter i's difference.
  const auto at_both_ends = [&](std::size_t i, auto f) {
    const double middle = agent.parameters[i];
    for (const double at : {middle + kStep, middle - kStep}) f(agent.parameters[i] = at);
    agent.parameters[i] = middle;
  };

  // A rectifier that opens or closes between the two points has no derivative there: such samples are left out.
  using Activations = typename reference::Network<double>::Activations;
  const auto open_units = [&](std::size_t sample) {
    Activations a;
    double logits[Env::kActions], value;
    agent.network().forward_logits(agent.parameters.data(), agent.samples[sample].observation, logits, value, &a);
    std::vector<bool> open;
    for (const auto* trunk : {&a.policy, &a.value})
      for (std::size_t layer = 1; layer < trunk->size(); ++layer)
        for (const double h : (*trunk)[layer]) open.push_back(h > 0);
    return open;
  };
  std::vector<std::uint32_t> smooth;
  for (std::size_t s = 0; s < agent.samples.size(); ++s) {
    const std::vector<bool> open = open_units(s);
    bool same = true;
    for (std::size_t i = 0; i < agent.parameters.size() && same; ++i)
      at_both_ends(i, [&](double) { same = same && open_units(s) == open; });
    if (same) smooth.push_back(static_cast<std::uint32_t>(s));
  }
  if (smooth.empty()) throw Error(ErrorKind::runtime, "no sample is smooth enough for differences");

  const std::vector<double> gradient = agent.gradient(smooth).gradient;
  const auto loss = [&] {
    double sum = 0;
    for (const std::uint32_t i : smooth) {
      const auto& s = agent.samples[i];
      LossSample<Env::kActions, double> x{{}, 0, s.action, s.advantage, s.target, s.log_probability, s.value};
      agent.network().forward_logits(agent.parameters.data(), s.observation, x.logits, x.value);
      sum += Objective::loss(x, agent.coefficients());
    }
    return config.objective.loss == LossSum::mean ? sum / static_cast<double>(smooth.size()) : sum;
  };
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    std::vector<double> x, y;
    at_both_ends(i, [&](double at) { x.push_back(at), y.push_back(loss()); });
    worst = std::max(worst, std::abs((y[0] - y[1]) / (x[0] - x[1]) - gradient[i]));
    largest = std::max(largest, std::abs(gradient[i]));
  }
  return worst / largest;
}

}  // namespace

double gradient_error(const Config& config, std::uint64_t seed) {
  const EnvironmentInfo& environment = find_environment(config.environment);
  return with_environment(environment.id, [&]<class Env>() {
    const auto error = [&]<class Objective>() { return error_of<Env, Objective>(config, environment, seed); };
    return with_objective(objective_number(config.algorithm), error, [] { throw Error(ErrorKind::usage, "no such objective"); });
  });
}

}  // namespace cupg

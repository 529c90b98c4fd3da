#include "src/reproduce/gradient_error.hpp"

#include <algorithm>
#include <cmath>

#include "cupg/error.hpp"
#include "src/engine/reference_chunk.hpp"

namespace cupg {
namespace {

template <class Env, class Objective>
double error_of(const Config& config, const EnvironmentInfo& environment, std::uint64_t seed) {
  reference::ChunkAgent<Env, Objective, double> agent(config, environment);
  agent.reset(seed);
  EpisodeTally tally;
  agent.collect(tally);
  agent.advantages();
  std::vector<std::uint32_t> all(agent.samples.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint32_t>(i);
  const std::vector<double> gradient = agent.gradient(all).gradient;
  const auto loss = [&] {
    double sum = 0;
    for (const auto& s : agent.samples) {
      LossSample<Env::kActions, double> x{{}, 0, s.action, s.advantage, s.target, s.log_probability, s.value};
      agent.network().forward_logits(agent.parameters.data(), s.observation, x.logits, x.value);
      sum += Objective::loss(x, agent.coefficients());
    }
    return config.objective.loss == LossSum::mean ? sum / static_cast<double>(all.size()) : sum;
  };
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const double at = agent.parameters[i], h = 1e-5;
    agent.parameters[i] = at + h;
    const double above = loss(), up = agent.parameters[i];
    agent.parameters[i] = at - h;
    const double below = loss(), down = agent.parameters[i];
    agent.parameters[i] = at;
    worst = std::max(worst, std::abs((above - below) / (up - down) - gradient[i]));
    largest = std::max(largest, std::abs(gradient[i]));
  }
  return worst / largest;
}

template <class Env>
double error_of(const Config& config, const EnvironmentInfo& environment, std::uint64_t seed) {
#define CUPG_TRY(OBJECTIVE) \
  if (config.algorithm == OBJECTIVE::kTraits.name) return error_of<Env, OBJECTIVE>(config, environment, seed);
  CUPG_OBJECTIVES(CUPG_TRY)
#undef CUPG_TRY
  throw Error(ErrorKind::usage, "no such objective");
}

}  // namespace

double gradient_error(const Config& config, std::uint64_t seed) {
  const EnvironmentInfo& environment = find_environment(config.environment);
#define CUPG_TRY(ENV, NAME, LIMIT, THRESHOLD) \
  if (environment.name == NAME) return error_of<ENV>(config, environment, seed);
  CUPG_ENVIRONMENTS(CUPG_TRY)
#undef CUPG_TRY
  throw Error(ErrorKind::usage, "no such environment");
}

}  // namespace cupg

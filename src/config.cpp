#include "cupg/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "cupg/environment.hpp"
#include "cupg/error.hpp"
#include "src/io/memory.hpp"
#include "src/io/options.hpp"

namespace cupg {
namespace {

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorKind::usage, message); }

/// What a single setting's range cannot say.
void check_combinations(const Config& c) {
  if (c.shared && c.value_hidden)
    refuse(fmt::format("value-hidden: {} with separate = false; expected separate = true, or value-hidden = \"same\"",
                       toml_value(*c.value_hidden)));
  if (c.advantage.estimator == Estimator::nstep && c.advantage.nstep > c.horizon)
    refuse(fmt::format("nstep: {} with horizon = {}; expected at most the horizon", c.advantage.nstep, c.horizon));
  constexpr std::int64_t kMostStepsOfAnEnvironment = 0xffffffff;  // they are numbered in 32 bits
  if (c.updates() > kMostStepsOfAnEnvironment / c.horizon)
    refuse(fmt::format("steps: {} with envs = {} are {} steps of each environment; expected less than 2^32: more envs or fewer steps",
                       c.steps, c.envs, c.updates() * c.horizon));
  constexpr std::int64_t kMostSteps = 1'000'000'000'000'000'000;
  if (c.steps > kMostSteps / c.seeds)
    refuse(fmt::format("steps: {} with seeds = {}; expected at most 1e18 over all agents", c.steps, c.seeds));
  if (c.seed > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) - static_cast<std::uint64_t>(c.seeds - 1))
    refuse(fmt::format("seed: {} with seeds = {}; expected the last seed to be at most 2^63 - 1", c.seed, c.seeds));
}

}  // namespace

NetworkShape Config::network() const {
  const EnvironmentInfo& e = find_environment(environment);
  const Trunk policy{.width = hidden, .activation = activation, .bias = bias};
  return {.observations = e.observations,
          .actions = e.actions,
          .shared = shared,
          .policy = policy,
          .value = {.width = value_hidden.value_or(hidden), .activation = activation, .bias = bias}};
}

void check_settings(const Config& config) {
  // get() would wrap a seed that TOML cannot hold
  if (config.seed > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    refuse(fmt::format("seed: {}; expected at most 2^63 - 1", config.seed));
  for (const Option& option : options()) check_value(option, option.get(config));
  check_combinations(config);
  check(config.network());
}

void check(const Config& config) {
  check_settings(config);
  const std::int64_t needed = training_bytes(config), available = available_memory();
  if (needed > available)
    refuse(
        fmt::format("envs: {} x horizon {} with {} seed{} would take {}, and {} are available; expected fewer envs, a shorter horizon{} or "
                    "fewer threads",
                    config.envs, config.horizon, config.seeds, config.seeds == 1 ? "" : "s", format_bytes(needed), format_bytes(available),
                    fused(config.network()) ? "" : ", a smaller network"));
}

}  // namespace cupg

#include "cupg/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "cupg/environment.hpp"
#include "cupg/error.hpp"
#include "src/api/text.hpp"
#include "src/engine/hyperparameters.hpp"
#include "src/engine/settings.hpp"
#include "src/io/memory.hpp"
#include "src/io/options.hpp"

namespace cupg {
namespace {

/// Settings that the objective gives no meaning to.
void check_objective(const Config& c, const ObjectiveInfo& objective) {
  if (!objective.ratio && (c.epochs > 1 || c.minibatches > 1))
    refuse(fmt::format("{}: {} with algo = {}; expected 1: learning from a sample twice needs a probability ratio, which algo = ppo has",
                       c.epochs > 1 ? "epochs" : "minibatches", c.epochs > 1 ? c.epochs : c.minibatches, c.algorithm));
  if (objective.ratio && (c.exploration.start > 0 || c.exploration.end > 0))
    refuse(fmt::format("{}: {} with algo = {}; expected 0: the probability ratio is that of the policy itself",
                       c.exploration.start > 0 ? "epsilon-start" : "epsilon-end",
                       shortest(c.exploration.start > 0 ? c.exploration.start : c.exploration.end), c.algorithm));
  if (objective.value) return;
  if (c.advantage.estimator != Estimator::returns)
    refuse(fmt::format("estimator: {} with algo = {}; expected returns: it learns no value",
                       c.advantage.estimator == Estimator::gae ? "gae" : "nstep", c.algorithm));
  if (c.collect != Collect::episodes || c.advantage.truncation != Truncation::terminal)
    refuse(fmt::format(
        "{} with algo = {}; expected collect = episodes and truncation = terminal: it learns no value that could stand for what "
        "follows a cut",
        c.collect != Collect::episodes ? "collect: steps" : "truncation: bootstrap", c.algorithm));
}

/// How samples are collected and dealt out.
void check_batches(const Config& c) {
  const bool episodes = c.collect == Collect::episodes;
  if (episodes && c.minibatches > 1)
    refuse(fmt::format("minibatches: {} with collect = episodes; expected 1: episodes have no length to be divided", c.minibatches));
  if (!episodes && c.batch() % c.minibatches != 0)
    refuse(fmt::format("minibatches: {} with envs = {} and horizon = {}; expected a divisor of the batch of {}", c.minibatches, c.envs,
                       c.horizon, c.batch()));
  if (c.batch() > (std::int64_t{1} << 31) - 1 && c.minibatches > 1)
    refuse(fmt::format("minibatches: {} of a batch of {}; expected a batch below 2^31", c.minibatches, c.batch()));
  if (episodes && c.episode_limit == 0)
    refuse("episode-limit: 0 with collect = episodes; expected a limit, such as 617332: whole episodes are kept until they end");
  if (!episodes && c.advantage.normalize && c.advantage.normalize_over == NormalizeOver::episode)
    refuse("normalize-over: episode with collect = steps; expected collect = episodes, or normalize-over = batch");
  if (c.shared && c.optimizer.value_learning_rate > 0)
    refuse(fmt::format("value-learning-rate: {} with separate = false; expected separate = true: a shared trunk has one learning rate",
                       shortest(c.optimizer.value_learning_rate)));
}

/// What a single setting's range cannot say.
void check_combinations(const Config& c) {
  if (c.shared && c.value_hidden)
    refuse(fmt::format("value-hidden: {} with separate = false; expected separate = true, or value-hidden = \"same\"",
                       toml_value(*c.value_hidden)));
  if (c.shared && c.value_bias)
    refuse(fmt::format("value-bias: {} with separate = false; expected separate = true, or value-bias = \"same\"", *c.value_bias));
  if (c.advantage.estimator == Estimator::nstep && c.collect == Collect::steps && c.advantage.nstep > c.horizon)
    refuse(fmt::format("nstep: {} with horizon = {}; expected at most the horizon", c.advantage.nstep, c.horizon));
  const EnvironmentInfo& environment = find_environment(c.environment);
  if (searches(c)) {
    if (!counts_steps(environment))
      refuse(
          fmt::format("environment: {} with algo = {}; expected one with two actions and a reward of 1 for every step, such as CartPole-v1",
                      c.environment, c.algorithm));
    if (c.shared || !c.hidden.empty() || c.bias || c.value_hidden || c.value_bias)
      refuse(fmt::format("hidden: {} with algo = {}; expected separate = true, hidden = none and bias = false: it searches linear policies",
                         toml_value(c.hidden), c.algorithm));
    if (c.device == Device::cuda || c.device == Device::reference)
      refuse(fmt::format("device: {} with algo = {}; expected cpu", c.device == Device::cuda ? "cuda" : "reference", c.algorithm));
  } else {
    check_objective(c, find_objective(c.algorithm));
    check_batches(c);
  }
  // samples are numbered in 32 bits, but for those of a small network's one pass over a fixed horizon
  const bool one_pass =
      network_kind(c.network()) == NetworkKind::small && c.collect == Collect::steps && c.epochs == 1 && c.minibatches == 1;
  const bool numbered = !searches(c) && !one_pass;
  if (numbered && most_steps_of_an_update(c) > std::int64_t{0xffffffff} / c.envs)
    refuse(fmt::format("envs: {} with {} = {}; expected fewer than 2^32 samples an update", c.envs,
                       c.collect == Collect::steps ? "horizon" : "episode-limit", most_steps_of_an_update(c)));
  constexpr std::int64_t kMostStepsOfAnEnvironment = 0xffffffff;  // they are numbered in 32 bits
  if (c.collect == Collect::episodes && c.steps > kMostStepsOfAnEnvironment)
    refuse(fmt::format("steps: {} with collect = episodes; expected less than 2^32", c.steps));
  if (c.collect == Collect::steps && c.updates() > kMostStepsOfAnEnvironment / c.horizon)
    refuse(fmt::format("steps: {} with envs = {} are {} steps of each environment; expected less than 2^32: more envs or fewer steps",
                       c.steps, c.envs, c.updates() * c.horizon));
  constexpr std::int64_t kMostSteps = 1'000'000'000'000'000'000;
  if (c.steps > kMostSteps / c.seeds)
    refuse(fmt::format("steps: {} with seeds = {}; expected at most 1e18 over all agents", c.steps, c.seeds));
  if (c.seed > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) - static_cast<std::uint64_t>(c.seeds - 1))
    refuse(fmt::format("seed: {} with seeds = {}; expected the last seed to be at most 2^63 - 1", c.seed, c.seeds));
}

/// An enumeration's number may be anything where it came through a cast, as from another language.
void check_choices(const Config& c) {
  const auto expect = [](const char* key, auto choice, auto last) {
    const auto number = static_cast<unsigned>(choice), most = static_cast<unsigned>(last);
    if (number > most) refuse(fmt::format("{}: choice number {}; expected 0 to {}", key, number, most));
  };
  expect("collect", c.collect, Collect::episodes);
  expect("activation", c.activation, Activation::tanh);
  expect("init", c.init.kind, Initialization::uniform);
  expect("bias-init", c.init.biases, BiasInit::uniform);
  expect("estimator", c.advantage.estimator, Estimator::returns);
  expect("truncation", c.advantage.truncation, Truncation::terminal);
  expect("normalize-over", c.advantage.normalize_over, NormalizeOver::episode);
  expect("loss", c.objective.loss, LossSum::sum);
  expect("clip-schedule", c.objective.clip_schedule, ClipSchedule::linear);
  expect("optimizer", c.optimizer.kind, OptimizerKind::sgd);
  expect("rmsprop-eps", c.optimizer.rmsprop_eps, RmspropEps::inside);
  expect("schedule", c.optimizer.schedule, Schedule::exponential);
  expect("device", c.device, Device::reference);
  expect("isa", c.isa, Isa::avx512);
  expect("math", c.math, Math::fast);
}

}  // namespace

Hyperparameters hyperparameters(const Config& c) {
  Hyperparameters own;
  each_hyperparameter(c.optimizer, c.objective, c.advantage.gamma, c.advantage.lambda, c.exploration, own,
                      [](const auto& setting, auto& its) { its = setting; });
  return own;
}

Config with(Config c, const Hyperparameters& own) {
  each_hyperparameter(c.optimizer, c.objective, c.advantage.gamma, c.advantage.lambda, c.exploration, own,
                      [](auto& setting, const auto& its) { setting = its; });
  c.seeds = 1;
  c.agents = {own};
  return c;
}

bool searches(const Config& config) { return config.algorithm == "random-search" || config.algorithm == "hill-climbing"; }

NetworkShape Config::network() const {
  const EnvironmentInfo& e = find_environment(environment);
  const Trunk policy{.width = hidden, .activation = activation, .bias = bias};
  return {.observations = e.observations,
          .actions = e.actions,
          .shared = shared,
          .policy = policy,
          .value = {.width = value_hidden.value_or(hidden), .activation = activation, .bias = value_bias.value_or(bias)}};
}

void check_settings(const Config& config) {
  check_choices(config);
  // get() would wrap a seed that TOML cannot hold
  if (config.seed > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    refuse(fmt::format("seed: {}; expected at most 2^63 - 1", config.seed));
  for (const Option& option : options()) check_value(option, option.get(config));
  check_combinations(config);
  check(config.network());
}

void check(const Config& config) {
  check_settings(config);
  if (!config.agents.empty()) {
    if (searches(config))
      refuse(fmt::format("agents: {} with algo = {}; expected none: a search has no hyperparameters of an agent's own",
                         config.agents.size(), config.algorithm));
    if (config.agents.size() != static_cast<std::size_t>(config.seeds))
      refuse(fmt::format("agents: {} with seeds = {}; expected as many, or none", config.agents.size(), config.seeds));
    Config common = config;  // so that it is not copied with all agents for each of them
    common.agents.clear();
    for (const Hyperparameters& h : config.agents) {
      check_settings(with(common, h));
      if (h.seed > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        refuse(fmt::format("seed: {} of an agent's own; expected at most 2^63 - 1", *h.seed));
      if (h.schedule_updates < 0) refuse(fmt::format("schedule-updates: {}; expected 0 or more", h.schedule_updates));
    }
  }
  const std::int64_t needed = training_bytes(config);
  const AvailableMemory available = available_memory();
  if (needed > available.bytes)
    refuse(
        fmt::format("envs: {} x {} {} with {} seed{} would take {}, and {} are available (limited by {}); expected fewer envs, a shorter "
                    "{}{} or fewer threads",
                    config.envs, config.collect == Collect::steps ? "horizon" : "episode-limit", most_steps_of_an_update(config),
                    config.seeds, config.seeds == 1 ? "" : "s", format_bytes(needed), format_bytes(available.bytes), available.limited_by,
                    config.collect == Collect::steps ? "horizon" : "episode-limit", fused(config.network()) ? "" : ", a smaller network"));
}

}  // namespace cupg

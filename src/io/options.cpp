#include "src/io/options.hpp"

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#include "cupg/environment.hpp"

namespace cupg {
namespace {

// ---- enums by name, in the order of their values --------------------------------------------------------------------

template <std::size_t N>
using Names = std::array<std::string_view, N>;

constexpr auto names_of(Activation) { return Names<2>{"relu", "tanh"}; }
constexpr auto names_of(Initialisation) { return Names<4>{"he", "xavier", "orthogonal", "uniform"}; }
constexpr auto names_of(Estimator) { return Names<2>{"gae", "nstep"}; }
constexpr auto names_of(Truncation) { return Names<2>{"bootstrap", "terminal"}; }
constexpr auto names_of(OptimizerKind) { return Names<3>{"adam", "rmsprop", "sgd"}; }
constexpr auto names_of(Schedule) { return Names<2>{"constant", "linear"}; }
constexpr auto names_of(RmspropEps) { return Names<2>{"outside", "inside"}; }
constexpr auto names_of(Device) { return Names<3>{"auto", "cpu", "reference"}; }
constexpr auto names_of(Isa) { return Names<4>{"auto", "scalar", "avx2", "avx512"}; }

template <class E>
std::vector<std::string> known_names() {
  constexpr auto names = names_of(E{});
  return {names.begin(), names.end()};
}
std::vector<std::string> known_environments() {
  std::vector<std::string> names;
  for (const EnvironmentInfo& e : environments()) names.emplace_back(e.name);
  return names;
}
std::vector<std::string> known_algorithms() { return {"a2c"}; }

// ---- between Config's fields and OptionValue; set() is called with checked values only -------------------------------

template <class T>
OptionValue to_value(const T& field) {
  if constexpr (std::is_enum_v<T>) {
    constexpr auto names = names_of(T{});
    const auto index = static_cast<std::size_t>(field);
    return index < names.size() ? std::string(names[index]) : std::string("?");
  } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    return static_cast<std::int64_t>(field);
  } else {
    return field;
  }
}
OptionValue to_value(const std::optional<std::vector<int>>& field) { return field ? OptionValue(*field) : OptionValue(); }

template <class T>
void from_value(const OptionValue& value, T& field) {
  if constexpr (std::is_enum_v<T>) {
    constexpr auto names = names_of(T{});
    field = static_cast<T>(std::find(names.begin(), names.end(), std::get<std::string>(value)) - names.begin());
  } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    field = static_cast<T>(std::get<std::int64_t>(value));
  } else {
    field = std::get<T>(value);
  }
}
void from_value(const OptionValue& value, std::optional<std::vector<int>>& field) {
  if (const auto* widths = std::get_if<std::vector<int>>(&value)) {
    field = *widths;
  } else {
    field.reset();
  }
}

#define CUPG_FIELD(member)                                         \
  .get = [](const Config& c) { return to_value(c.member); },       \
  .set = [](Config& c, const OptionValue& v) { from_value(v, c.member); }
#define CUPG_CHOICE(member)                                                                                                   \
  .type = OptionType::name, .known = known_names<std::remove_cvref_t<decltype(std::declval<Config&>().member)>>, CUPG_FIELD(member)
#define CUPG_WHERE(condition, text) .applies = [](const Config& c) { return condition; }, .needs = text

constexpr std::string_view kTask = "Task", kLength = "Length of training", kNetwork = "Network", kReturns = "Returns and advantages",
                           kLoss = "Loss", kOptimizer = "Optimizer", kMachine = "Machine (changes the speed, never the result)";
constexpr OptionType kCount = OptionType::count, kReal = OptionType::real, kFlag = OptionType::flag, kWidths = OptionType::widths;
constexpr Range kUnit{0, 1}, kDecay{0, 1, false, true}, kPositive{.low = 0, .low_open = true}, kNotNegative{.low = 0};

const Option kOptions[] = {
    {.name = "environment", .group = kTask, .help = "what the agent learns to control", .known = known_environments, CUPG_FIELD(environment)},
    {.name = "algo", .group = kTask, .help = "the algorithm", .known = known_algorithms, CUPG_FIELD(algorithm)},
    {.name = "seed", .group = kTask, .help = "seed of the first agent", .type = kCount, .range = {0, 9223372036854775807.0}, CUPG_FIELD(seed)},
    {.name = "seeds", .group = kTask, .help = "agents to train, with the seeds seed, seed+1, ...", .type = kCount, .range = {1, 1e6}, CUPG_FIELD(seeds)},

    {.name = "steps", .group = kLength, .help = "environment steps after which an agent stops, solved or not", .type = kCount, .range = {1, 1e17}, CUPG_FIELD(steps)},
    {.name = "envs", .group = kLength, .help = "environments stepped side by side", .type = kCount, .range = {1, 16777216}, CUPG_FIELD(envs)},
    {.name = "horizon", .group = kLength, .help = "steps of each environment between two updates", .type = kCount, .range = {1, 1e6}, CUPG_FIELD(horizon)},
    {.name = "stop-when-solved", .group = kLength, .help = "stop as soon as the task counts as solved", .type = kFlag, CUPG_FIELD(stop_when_solved)},

    {.name = "hidden", .group = kNetwork, .help = "widths of the hidden layers", .type = kWidths, CUPG_FIELD(hidden)},
    // before `separate`, which it implies, so that an explicit separate = false is seen to contradict it
    {.name = "value-hidden", .group = kNetwork, .help = "widths of a trunk of the value's own (implies separate)", .type = kWidths, .unset = "same",
     .get = [](const Config& c) { return to_value(c.value_hidden); },
     .set = [](Config& c, const OptionValue& v) {
       from_value(v, c.value_hidden);
       if (c.value_hidden) c.shared = false;
     }},
    {.name = "separate", .group = kNetwork, .help = "policy and value have a trunk each", .type = kFlag,
     .get = [](const Config& c) { return OptionValue(!c.shared); },
     .set = [](Config& c, const OptionValue& v) { c.shared = !std::get<bool>(v); }},
    {.name = "activation", .group = kNetwork, .help = "of the hidden layers", CUPG_CHOICE(activation)},
    {.name = "bias", .group = kNetwork, .help = "layers have biases", .type = kFlag, CUPG_FIELD(bias)},
    {.name = "init", .group = kNetwork, .help = "how weights are drawn", CUPG_CHOICE(init.kind)},
    {.name = "hidden-gain", .group = kNetwork, .help = "scale of the hidden layers' initial weights", .type = kReal, .range = kPositive, CUPG_FIELD(init.hidden_gain)},
    {.name = "policy-gain", .group = kNetwork, .help = "scale of the policy head's; small starts near the uniform policy", .type = kReal, .range = kNotNegative, CUPG_FIELD(init.policy_gain)},
    {.name = "value-gain", .group = kNetwork, .help = "scale of the value head's", .type = kReal, .range = kNotNegative, CUPG_FIELD(init.value_gain)},

    {.name = "gamma", .group = kReturns, .help = "discount of future rewards", .type = kReal, .range = kUnit, CUPG_FIELD(advantage.gamma)},
    {.name = "estimator", .group = kReturns, .help = "how advantages are estimated", CUPG_CHOICE(advantage.estimator)},
    {.name = "lambda", .group = kReturns, .help = "GAE's lambda: 0 is TD(0), 1 the return minus the value", .type = kReal, .range = kUnit, CUPG_FIELD(advantage.lambda),
     CUPG_WHERE(c.advantage.estimator == Estimator::gae, "estimator = gae")},
    {.name = "nstep", .group = kReturns, .help = "rewards summed before the value takes over", .type = kCount, .range = {1, 1e6}, CUPG_FIELD(advantage.nstep),
     CUPG_WHERE(c.advantage.estimator == Estimator::nstep, "estimator = nstep")},
    {.name = "truncation", .group = kReturns, .help = "a time limit goes on with V of the last state, or counts as an end", CUPG_CHOICE(advantage.truncation)},
    {.name = "normalize", .group = kReturns, .help = "advantages to mean 0, deviation 1 over the batch", .type = kFlag, CUPG_FIELD(advantage.normalize)},

    {.name = "entropy-coef", .group = kLoss, .help = "weight of the entropy bonus", .type = kReal, .range = kNotNegative, CUPG_FIELD(objective.entropy_coef)},
    {.name = "value-coef", .group = kLoss, .help = "weight of the value loss (V - R)^2 / 2", .type = kReal, .range = kNotNegative, CUPG_FIELD(objective.value_coef)},

    {.name = "optimizer", .group = kOptimizer, .help = "the optimizer", CUPG_CHOICE(optimizer.kind)},
    {.name = "learning-rate", .group = kOptimizer, .help = "step size", .type = kReal, .range = kPositive, CUPG_FIELD(optimizer.learning_rate)},
    {.name = "schedule", .group = kOptimizer, .help = "of the learning rate; linear falls to 0 at the last step", CUPG_CHOICE(optimizer.schedule)},
    {.name = "beta1", .group = kOptimizer, .help = "Adam's decay of the mean", .type = kReal, .range = kDecay, CUPG_FIELD(optimizer.beta1),
     CUPG_WHERE(c.optimizer.kind == OptimizerKind::adam, "optimizer = adam")},
    {.name = "beta2", .group = kOptimizer, .help = "Adam's decay of the mean square", .type = kReal, .range = kDecay, CUPG_FIELD(optimizer.beta2),
     CUPG_WHERE(c.optimizer.kind == OptimizerKind::adam, "optimizer = adam")},
    {.name = "alpha", .group = kOptimizer, .help = "RMSProp's decay of the mean square", .type = kReal, .range = kDecay, CUPG_FIELD(optimizer.alpha),
     CUPG_WHERE(c.optimizer.kind == OptimizerKind::rmsprop, "optimizer = rmsprop")},
    {.name = "eps", .group = kOptimizer, .help = "keeps Adam and RMSProp from dividing by zero", .type = kReal, .range = kPositive, CUPG_FIELD(optimizer.eps),
     CUPG_WHERE(c.optimizer.kind != OptimizerKind::sgd, "optimizer = adam or rmsprop")},
    {.name = "rmsprop-eps", .group = kOptimizer, .help = "sqrt(v) + eps as in PyTorch, or sqrt(v + eps) as in TensorFlow", CUPG_CHOICE(optimizer.rmsprop_eps),
     CUPG_WHERE(c.optimizer.kind == OptimizerKind::rmsprop, "optimizer = rmsprop")},
    {.name = "max-grad-norm", .group = kOptimizer, .help = "gradients are scaled down to this norm; 0: never", .type = kReal, .range = kNotNegative, CUPG_FIELD(optimizer.max_grad_norm)},

    {.name = "device", .group = kMachine, .help = "where to train; reference is the plain yardstick", CUPG_CHOICE(device)},
    {.name = "isa", .group = kMachine, .help = "instruction set", CUPG_CHOICE(isa), CUPG_WHERE(c.device != Device::reference, "device = auto or cpu")},
    {.name = "threads", .group = kMachine, .help = "0: as many as the machine has", .type = kCount, .range = {0, 1024}, CUPG_FIELD(threads),
     CUPG_WHERE(c.device != Device::reference, "device = auto or cpu")},
};
#undef CUPG_FIELD
#undef CUPG_CHOICE
#undef CUPG_WHERE

}  // namespace

std::span<const Option> options() { return kOptions; }

std::vector<std::string> option_names() {
  std::vector<std::string> names;
  for (const Option& o : options()) names.emplace_back(o.name);
  return names;
}

const Option* find_option(std::string_view name) {
  const auto all = options();
  const auto at = std::find_if(all.begin(), all.end(), [&](const Option& o) { return o.name == name; });
  return at == all.end() ? nullptr : &*at;
}

void set_option(Config& config, const Option& option, const OptionValue& value) {
  check_value(option, value);
  option.set(config, value);
}

}  // namespace cupg

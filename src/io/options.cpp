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
constexpr auto names_of(Initialization) { return Names<4>{"he", "xavier", "orthogonal", "uniform"}; }
constexpr auto names_of(Collect) { return Names<2>{"steps", "episodes"}; }
constexpr auto names_of(BiasInit) { return Names<3>{"zero", "xavier", "uniform"}; }
constexpr auto names_of(Estimator) { return Names<3>{"gae", "nstep", "returns"}; }
constexpr auto names_of(NormalizeOver) { return Names<3>{"batch", "minibatch", "episode"}; }
constexpr auto names_of(LossSum) { return Names<2>{"mean", "sum"}; }
constexpr auto names_of(ClipSchedule) { return Names<2>{"constant", "linear"}; }
constexpr auto names_of(Truncation) { return Names<2>{"bootstrap", "terminal"}; }
constexpr auto names_of(OptimizerKind) { return Names<3>{"adam", "rmsprop", "sgd"}; }
constexpr auto names_of(Schedule) { return Names<3>{"constant", "linear", "exponential"}; }
constexpr auto names_of(RmspropEps) { return Names<2>{"outside", "inside"}; }
constexpr auto names_of(Device) { return Names<4>{"auto", "cpu", "cuda", "reference"}; }
constexpr auto names_of(Math) { return Names<2>{"exact", "fast"}; }
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
std::vector<std::string> known_algorithms() {
  std::vector<std::string> names;
  for (const ObjectiveInfo& o : objectives()) names.emplace_back(o.name);
  names.insert(names.end(), {"random-search", "hill-climbing"});
  return names;
}

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
template <class T>
OptionValue to_value(const std::optional<T>& field) {
  return field ? OptionValue(*field) : OptionValue();
}

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
template <class T>
void from_value(const OptionValue& value, std::optional<T>& field) {
  if (const auto* given = std::get_if<T>(&value)) {
    field = *given;
  } else {
    field.reset();
  }
}

using Text = std::string_view;
using Get = OptionValue (*)(const Config&);
using Set = void (*)(Config&, const OptionValue&);

constexpr Option name(Text option, Text group, Text help, std::vector<std::string> (*known)(), Get get, Set set) {
  return {.name = option, .group = group, .help = help, .type = OptionType::name, .known = known, .get = get, .set = set};
}
constexpr Option flag(Text option, Text group, Text help, Get get, Set set, Text unset = {}) {
  return {.name = option, .group = group, .help = help, .type = OptionType::flag, .unset = unset, .get = get, .set = set};
}
constexpr Option count(Text option, Text group, Text help, Get get, Set set, Range range, Text unset = {}) {
  return {.name = option, .group = group, .help = help, .type = OptionType::count, .range = range, .unset = unset, .get = get, .set = set};
}
constexpr Option real(Text option, Text group, Text help, Get get, Set set, Range range, Text unset = {}) {
  return {.name = option, .group = group, .help = help, .type = OptionType::real, .range = range, .unset = unset, .get = get, .set = set};
}
constexpr Option widths(Text option, Text group, Text help, Get get, Set set, Text unset = {}) {
  return {.name = option, .group = group, .help = help, .type = OptionType::widths, .unset = unset, .get = get, .set = set};
}
/// An option that has an effect only where `applies` says so.
constexpr Option where(bool (*applies)(const Config&), Text needs, Option option) {
  option.applies = applies;
  option.needs = needs;
  return option;
}

bool is_gae(const Config& c) { return c.advantage.estimator == Estimator::gae; }
bool is_nstep(const Config& c) { return c.advantage.estimator == Estimator::nstep; }
bool is_adam(const Config& c) { return c.optimizer.kind == OptimizerKind::adam; }
bool is_rmsprop(const Config& c) { return c.optimizer.kind == OptimizerKind::rmsprop; }
bool has_eps(const Config& c) { return c.optimizer.kind != OptimizerKind::sgd; }
bool is_exponential(const Config& c) { return c.optimizer.schedule == Schedule::exponential; }
bool is_normalized(const Config& c) { return c.advantage.normalize; }
bool has_steps(const Config& c) { return c.collect == Collect::steps; }
bool has_value(const Config& c) { return find_objective(c.algorithm).value; }
bool has_entropy(const Config& c) { return find_objective(c.algorithm).entropy; }
bool has_ratio(const Config& c) { return find_objective(c.algorithm).ratio; }
bool climbs(const Config& c) { return c.algorithm == "hill-climbing"; }
bool explores(const Config& c) { return c.exploration.start > 0 || c.exploration.end > 0; }
bool has_lanes(const Config& c) { return c.device == Device::cpu || c.device == Device::automatic; }

OptionValue get_separate(const Config& c) { return !c.shared; }
void set_separate(Config& c, const OptionValue& value) { c.shared = !std::get<bool>(value); }
OptionValue get_value_hidden(const Config& c) { return to_value(c.value_hidden); }
void set_value_hidden(Config& c, const OptionValue& value) {
  from_value(value, c.value_hidden);
  if (c.value_hidden) c.shared = false;
}

OptionValue get_value_rate(const Config& c) {
  return c.optimizer.value_learning_rate == 0 ? OptionValue() : OptionValue(c.optimizer.value_learning_rate);
}
void set_value_rate(Config& c, const OptionValue& value) {
  const auto* rate = std::get_if<float>(&value);
  c.optimizer.value_learning_rate = rate == nullptr ? 0 : *rate;
}

// get and set of a field of Config; for an enum, its names before them
#define CUPG_FIELD(member) \
  [](const Config& c) { return to_value(c.member); }, [](Config& c, const OptionValue& v) { from_value(v, c.member); }
#define CUPG_CHOICE(member) known_names<std::remove_cvref_t<decltype(std::declval<Config&>().member)>>, CUPG_FIELD(member)

constexpr Text kTask = "Task", kLength = "Length of training", kNetwork = "Network", kReturns = "Returns and advantages", kLoss = "Loss",
               kOptimizer = "Optimizer", kSearch = "Search", kMachine = "Machine (changes the speed, never the result)";
constexpr Range kSeeds{0, 9223372036854775807.0};  // what a TOML integer holds
constexpr Range kUnit{0, 1}, kDecay{0, 1, false, true}, kPositive{.low = 0, .low_open = true}, kNotNegative{.low = 0};

// clang-format off
const Option kOptions[] = {
    name("environment", kTask, "what the agent learns to control", known_environments, CUPG_FIELD(environment)),
    name("algo", kTask, "the algorithm", known_algorithms, CUPG_FIELD(algorithm)),
    count("seed", kTask, "seed of the first agent", CUPG_FIELD(seed), kSeeds),
    count("seeds", kTask, "agents to train, with the seeds seed, seed+1, ...", CUPG_FIELD(seeds), {1, 1e6}),

    count("steps", kLength, "environment steps after which an agent stops, solved or not", CUPG_FIELD(steps), {1, 1e17}),
    count("envs", kLength, "environments that run side by side", CUPG_FIELD(envs), {1, 16777216}),
    name("collect", kLength, "what an update learns from: `horizon` steps of each environment, or a whole episode of each", CUPG_CHOICE(collect)),
    where(has_steps, "collect = steps",
          count("horizon", kLength, "steps of each environment between two updates", CUPG_FIELD(horizon), {1, 1e6})),
    count("updates", kLength, "most updates of an agent; 0: no limit but its steps", CUPG_FIELD(update_limit), {0, 1e15}),
    count("episode-limit", kLength, "steps after which a training episode is cut; 0: never", CUPG_FIELD(episode_limit), {0, 2e9}, "environment"),
    where(has_ratio, "an algo with a probability ratio, such as ppo", count("epochs", kLength, "passes over a batch", CUPG_FIELD(epochs), {1, 1e4})),
    where(has_ratio, "an algo with a probability ratio, such as ppo",
          count("minibatches", kLength, "optimizer steps of a pass, each with a part of the batch", CUPG_FIELD(minibatches), {1, 1e6})),
    flag("stop-when-solved", kLength, "stop as soon as the task counts as solved; --no-...: a2c begins with the preset a2c-long-run", CUPG_FIELD(stop_when_solved)),

    widths("hidden", kNetwork, "widths of the hidden layers; beyond 64,64 results agree within a tolerance, not to the bit", CUPG_FIELD(hidden)),
    // before `separate`, which it implies, so that an explicit separate = false is seen to contradict it
    widths("value-hidden", kNetwork, "hidden layers of a separate value network (implies separate)", get_value_hidden, set_value_hidden, "same"),
    flag("separate", kNetwork, "separate networks for policy and value", get_separate, set_separate),
    name("activation", kNetwork, "activation function of the hidden layers", CUPG_CHOICE(activation)),
    flag("bias", kNetwork, "layers have biases", CUPG_FIELD(bias)),
    flag("value-bias", kNetwork, "layers of the separate value network have biases", CUPG_FIELD(value_bias), "same"),
    name("math", kNetwork, "fast: a GPU multiplies matrices in TF32; only networks beyond 64,64 change", CUPG_CHOICE(math)),
    name("init", kNetwork, "how weights are drawn", CUPG_CHOICE(init.kind)),
    name("bias-init", kNetwork, "how biases are drawn", CUPG_CHOICE(init.biases)),
    real("hidden-gain", kNetwork, "scale of the hidden layers' initial weights", CUPG_FIELD(init.hidden_gain), kPositive),
    real("policy-gain", kNetwork, "scale of the policy head's initial weights; small ones start near the uniform policy", CUPG_FIELD(init.policy_gain), kNotNegative),
    real("value-gain", kNetwork, "scale of the value head's initial weights", CUPG_FIELD(init.value_gain), kNotNegative),

    real("gamma", kReturns, "discount of future rewards", CUPG_FIELD(advantage.gamma), kUnit),
    name("estimator", kReturns, "how advantages are estimated", CUPG_CHOICE(advantage.estimator)),
    where(is_gae, "estimator = gae",
          real("lambda", kReturns, "GAE's lambda: 0 is TD(0), 1 the return minus the value", CUPG_FIELD(advantage.lambda), kUnit)),
    where(is_nstep, "estimator = nstep",
          count("nstep", kReturns, "rewards summed before the value takes over", CUPG_FIELD(advantage.nstep), {1, 1e6})),
    name("truncation", kReturns, "at a time limit: continue with the value of the last state, or treat it as terminal", CUPG_CHOICE(advantage.truncation)),
    flag("normalize", kReturns, "scale advantages to mean 0 and standard deviation 1", CUPG_FIELD(advantage.normalize)),
    where(is_normalized, "normalize = true",
          name("normalize-over", kReturns, "what is normalized: the batch, each minibatch or each episode", CUPG_CHOICE(advantage.normalize_over))),
    real("epsilon-start", kReturns, "probability of a random action at the start of training", CUPG_FIELD(exploration.start), kUnit),
    real("epsilon-end", kReturns, "the same after epsilon-steps", CUPG_FIELD(exploration.end), kUnit),
    where(explores, "epsilon-start above 0",
          count("epsilon-steps", kReturns, "environment steps from epsilon-start to epsilon-end", CUPG_FIELD(exploration.steps), {1, 1e15})),

    where(has_entropy, "an algo with an entropy bonus, such as a2c or ppo",
          real("entropy-coef", kLoss, "weight of the entropy bonus", CUPG_FIELD(objective.entropy_coef), kNotNegative)),
    where(has_value, "an algo that learns a value",
          real("value-coef", kLoss, "weight of the value loss (V - R)^2 / 2", CUPG_FIELD(objective.value_coef), kNotNegative)),
    name("loss", kLoss, "mean or sum over the samples of a batch", CUPG_CHOICE(objective.loss)),
    where(has_ratio, "an algo with a probability ratio, such as ppo",
          real("clip", kLoss, "the probability ratio is clipped to 1 - clip .. 1 + clip", CUPG_FIELD(objective.clip), kPositive)),
    where(has_ratio, "an algo with a probability ratio, such as ppo",
          name("clip-schedule", kLoss, "schedule of the clip; linear falls to 0 at the last step", CUPG_CHOICE(objective.clip_schedule))),
    where(has_ratio, "an algo with a probability ratio, such as ppo",
          real("value-clip", kLoss, "how far V may move from the old V before its loss is clipped; 0: no clip", CUPG_FIELD(objective.value_clip), kNotNegative)),
    where(has_ratio, "an algo with a probability ratio, such as ppo",
          real("target-kl", kLoss, "stop the epochs once the policy has moved further than this; 0: never", CUPG_FIELD(objective.target_kl), kNotNegative)),

    name("optimizer", kOptimizer, "the optimizer", CUPG_CHOICE(optimizer.kind)),
    real("learning-rate", kOptimizer, "step size", CUPG_FIELD(optimizer.learning_rate), kPositive),
    real("value-learning-rate", kOptimizer, "step size of the separate value network", get_value_rate, set_value_rate, kPositive, "same"),
    name("schedule", kOptimizer, "schedule of the learning rate; linear falls to 0 at the last step", CUPG_CHOICE(optimizer.schedule)),
    where(is_exponential, "schedule = exponential",
          real("decay", kOptimizer, "the learning rate is multiplied by this after each update", CUPG_FIELD(optimizer.decay), {0, 1, true, false})),
    where(is_adam, "optimizer = adam", real("beta1", kOptimizer, "Adam's decay of the mean", CUPG_FIELD(optimizer.beta1), kDecay)),
    where(is_adam, "optimizer = adam", real("beta2", kOptimizer, "Adam's decay of the mean square", CUPG_FIELD(optimizer.beta2), kDecay)),
    where(is_rmsprop, "optimizer = rmsprop",
          real("alpha", kOptimizer, "RMSProp's decay of the mean square", CUPG_FIELD(optimizer.alpha), kDecay)),
    where(has_eps, "optimizer = adam or rmsprop",
          real("eps", kOptimizer, "keeps Adam and RMSProp from dividing by zero", CUPG_FIELD(optimizer.eps), kPositive)),
    where(is_rmsprop, "optimizer = rmsprop",
          name("rmsprop-eps", kOptimizer, "sqrt(v) + eps as in PyTorch, or sqrt(v + eps) as in TensorFlow", CUPG_CHOICE(optimizer.rmsprop_eps))),
    real("max-grad-norm", kOptimizer, "gradients are scaled down to this norm; 0: never", CUPG_FIELD(optimizer.max_grad_norm), kNotNegative),

    where(searches, "algo = random-search or hill-climbing",
          count("trials", kSearch, "most episodes that an agent plays", CUPG_FIELD(trials), {1, 1e9})),
    where(climbs, "algo = hill-climbing",
          real("noise", kSearch, "half the width of a trial's step in each weight", CUPG_FIELD(noise), kNotNegative)),

    name("device", kMachine, "where to train; reference: plain code, slow, to compare with", CUPG_CHOICE(device)),
    where(has_lanes, "device = auto or cpu", name("isa", kMachine, "instruction set", CUPG_CHOICE(isa))),
    where(has_lanes, "device = auto or cpu", count("threads", kMachine, "worker threads; 0: one for each processor available", CUPG_FIELD(threads), {0, 1024})),
};
// clang-format on
#undef CUPG_FIELD
#undef CUPG_CHOICE

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

std::string_view missing(const Option& o, const Config& c) {
  const bool learning = o.group == kLength || o.group == kReturns || o.group == kLoss || o.group == kOptimizer;
  if (learning && searches(c)) return "an algo that learns by gradients, such as a2c";
  return o.applies == nullptr || o.applies(c) ? "" : o.needs;
}

void set_option(Config& config, const Option& option, const OptionValue& value) {
  check_value(option, value);
  option.set(config, value);
}

}  // namespace cupg

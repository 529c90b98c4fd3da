#include "src/io/aliases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace cupg {
namespace {

// Read in: CleanRL's ppo.py; Stable-Baselines3's ppo.py and a2c.py; rl_zoo3's train.py; rejax's ppo.py and
// configs/gymnax/cartpole.yaml; PufferLib's config/default.ini. From memory: Stable-Baselines3's evaluation.py, rl_zoo3's enjoy.py,
// Gymnasium's make() and make_vec(), PureJaxRL's ppo.py, and that PufferLib anneals the learning rate by a cosine.
constexpr std::string_view kOption = "option", kEnvironment = "environment", kAlgo = "algo", kPreset = "preset", kCommand = "command";

constexpr std::string_view kNormalize =
    "`normalize` with `normalize-over=minibatch`, which is what the name means elsewhere: here the default is over the whole batch";
constexpr std::string_view kGpu = "`device=cuda`, `device=cpu`, or `device=auto` for a GPU where there is one";
constexpr std::string_view kClip = "`clip`, and `value-clip` for the value loss: elsewhere the one name sets both";
constexpr std::string_view kMinibatches = "`minibatches`, the number of parts of a batch of envs x horizon samples";
constexpr std::string_view kSaved = "--run DIR, the folder where the trained policy, its settings and results are saved";
constexpr std::string_view kNoTracking = "nothing in its place: a run is a folder (--run), its result one JSON object (--json)";
constexpr std::string_view kNoPictures = "nothing in its place: cupg play RUN shows a saved policy, and --gif FILE writes an animation";
constexpr std::string_view kNetwork = "`hidden=64,64` with `separate` for a network each of policy and value";
constexpr std::string_view kNoSde = "nothing in its place: actions are discrete";
constexpr std::string_view kNoChecks = "nothing in its place: a check is made as soon as training episodes say that it may pass";
constexpr std::string_view kRuns = "nothing in its place: environments are stepped as one array, by `threads`";
constexpr std::string_view kNoScaling = "nothing in its place: observations and rewards are learned from as they are";

constexpr Alias kAliases[] = {
    // the task
    {kOption, "env", "environment", ""},
    {kOption, "env-id", "environment", ""},
    {kOption, "env-name", "environment", ""},
    {kOption, "gym-id", "environment", ""},
    {kOption, "algorithm", "algo", ""},
    {kOption, "n-seeds", "seeds", ""},
    {kOption, "num-seeds", "seeds", ""},
    {kOption, "env-kwargs", "", "`episode-limit`: an environment has no other parameter"},
    {kOption, "env-params", "", "`episode-limit`: an environment has no other parameter"},
    {kOption, "max-episode-steps", "", "`episode-limit`, which cuts training episodes alone; evaluation keeps the environment's own"},

    // length of training
    {kOption, "total-timesteps", "steps", ""},
    {kOption, "n-timesteps", "steps", ""},
    {kOption, "num-envs", "envs", ""},
    {kOption, "n-envs", "envs", ""},
    {kOption, "total-agents", "", "`envs`, the environments of one agent; `seeds` is the number of agents"},
    {kOption, "vec.num-envs", "", "`envs`, all environments of an agent: PufferLib's is a factor of it"},
    {kOption, "env.num-envs", "", "`envs`, all environments of an agent: PufferLib's is a factor of it"},
    {kOption, "num-steps", "horizon", ""},
    {kOption, "n-steps", "horizon", ""},
    {kOption, "bptt-horizon", "", "`horizon`: there is no recurrent network whose backward pass would be cut"},
    {kOption, "update-epochs", "epochs", ""},
    {kOption, "n-epochs", "epochs", ""},
    {kOption, "num-epochs", "epochs", ""},
    {kOption, "num-minibatches", "minibatches", ""},
    {kOption, "minibatch-size", "", kMinibatches},
    {kOption, "batch", "collect", ""},  // its name before 2026-11-30
    {kOption, "batch-size", "",
     "`minibatches`, the number of parts of a batch of envs x horizon samples: Stable-Baselines3's batch_size is a part's size, "
     "CleanRL's the whole"},

    // the network
    {kOption, "policy", "", kNetwork},
    {kOption, "policy-kwargs", "", kNetwork},
    {kOption, "agent-kwargs", "", kNetwork},
    {kOption, "net-arch", "", kNetwork},
    {kOption, "hidden-layer-sizes", "", kNetwork},
    {kOption, "hidden-size", "", kNetwork},
    {kOption, "activation-fn", "", "`activation=tanh` or `activation=relu`"},
    {kOption, "ortho-init", "", "`init=orthogonal`, with the gains `hidden-gain`, `policy-gain` and `value-gain`"},

    // returns and advantages
    {kOption, "gae-lambda", "lambda", ""},
    {kOption, "norm-adv", "", kNormalize},
    {kOption, "normalize-advantage", "", kNormalize},
    {kOption, "normalize-observations", "", kNoScaling},
    {kOption, "normalize-rewards", "", kNoScaling},
    {kOption, "use-sde", "", kNoSde},
    {kOption, "sde-sample-freq", "", kNoSde},

    // the loss
    {kOption, "ent-coef", "entropy-coef", ""},
    {kOption, "vf-coef", "",
     "`value-coef`, which weighs (V - R)^2 / 2 as CleanRL and rejax do: Stable-Baselines3's vf_coef weighs (V - R)^2, so double that"},
    {kOption, "clip-range", "clip", ""},
    {kOption, "clip-coef", "", kClip},
    {kOption, "clip-eps", "", kClip},
    {kOption, "vf-clip-coef", "value-clip", ""},
    {kOption, "clip-vloss", "", "`value-clip=0.2`, the distance itself; 0 is CleanRL's --no-clip-vloss"},
    {kOption, "clip-range-vf", "",
     "`value-clip`, whose loss is the larger of the clipped and the unclipped one: Stable-Baselines3 takes the clipped one alone"},

    // the optimizer
    {kOption, "lr", "learning-rate", ""},
    {kOption, "anneal-lr", "", "`schedule=linear` (CleanRL's) or `schedule=constant`; PufferLib's cosine there is not"},
    {kOption, "lr-schedule", "", "`schedule=linear` or `schedule=constant`"},
    {kOption, "use-rms-prop", "", "`optimizer=rmsprop`"},
    {kOption, "rms-prop-eps", "", "`eps`, with `optimizer=rmsprop`"},
    {kOption, "adam-beta1", "beta1", ""},
    {kOption, "adam-beta2", "beta2", ""},
    {kOption, "adam-eps", "eps", ""},

    // the machine
    {kOption, "cuda", "", kGpu},
    {kOption, "gpu", "", kGpu},
    {kOption, "gpus", "", kGpu},
    {kOption, "gpu-id", "", "`device=cuda`; CUDA_VISIBLE_DEVICES chooses which"},
    {kOption, "use-gpu", "", kGpu},
    {kOption, "cpu", "", "`device=cpu`"},
    {kOption, "num-threads", "threads", ""},
    {kOption, "num-workers", "", kRuns},
    {kOption, "n-jobs", "", "`threads`"},
    {kOption, "vec-env", "", kRuns},
    {kOption, "vectorization-mode", "", kRuns},
    {kOption, "torch-deterministic", "", "nothing in its place: the same settings and seed give the same bits, on every device"},

    // what comes out
    {kOption, "track", "", kNoTracking},
    {kOption, "wandb", "", kNoTracking},
    {kOption, "wandb-project-name", "", kNoTracking},
    {kOption, "wandb-entity", "", kNoTracking},
    {kOption, "tensorboard-log", "", kNoTracking},
    {kOption, "tb-log-name", "", kNoTracking},
    {kOption, "exp-name", "", kSaved},
    {kOption, "log-folder", "", kSaved},
    {kOption, "save-model", "", kSaved},
    {kOption, "save-path", "", kSaved},
    {kOption, "capture-video", "", kNoPictures},
    {kOption, "render", "", kNoPictures},
    {kOption, "render-mode", "", kNoPictures},
    {kOption, "verbose", "", "nothing in its place: --quiet is less, and nothing is more"},
    {kOption, "progress", "", "nothing in its place: progress is shown unless --quiet is given"},
    {kOption, "progress-bar", "", "nothing in its place: progress is shown unless --quiet is given"},
    {kOption, "conf-file", "", "--config FILE, which is TOML"},
    {kOption, "hyperparams", "", "an option each, as `learning-rate=0.01`"},

    // evaluation
    {kOption, "eval-freq", "", kNoChecks},
    {kOption, "eval-episodes", "episodes", ""},
    {kOption, "n-eval-episodes", "episodes", ""},
    {kOption, "deterministic", "greedy", ""},
    {kOption, "stochastic", "sample", ""},

    // Gymnasium's make("CartPole") is the newest version
    {kEnvironment, "cartpole", "CartPole-v1", ""},
    {kEnvironment, "cartpole-v2", "", "CartPole-v1: it is Gymnasium's newest"},
    {kEnvironment, "cartpole-v3", "", "CartPole-v1: it is Gymnasium's newest"},
    {kEnvironment, "puffer-cartpole", "", "CartPole-v1, which is Gymnasium's"},
    {kEnvironment, "gym.make", "", "CartPole-v1"},

    {kAlgo, "a3c", "", "a2c, which is its synchronous form, or --preset jaromiru-a3c"},
    {kAlgo, "actor-critic", "", "a2c, or --preset weng-actor-critic"},
    {kAlgo, "ac", "", "a2c, or --preset weng-actor-critic"},
    {kAlgo, "pg", "", "reinforce, or reinforce-baseline with a learned value"},
    {kAlgo, "vpg", "", "reinforce-baseline (Spinning Up's VPG adds GAE, which is a2c)"},
    {kAlgo, "policy-gradient", "", "reinforce, or reinforce-baseline with a learned value"},
    {kAlgo, "recurrent-ppo", "", "ppo: there are no recurrent networks"},
    {kAlgo, "ppo-lstm", "", "ppo: there are no recurrent networks"},
    {kAlgo, "ars", "", "random-search or hill-climbing: they are what comes nearest"},
    {kAlgo, "trpo", "", "ppo: policies are learned by gradients of first order"},
    {kAlgo, "dqn", "", "a2c or ppo: cupg learns policies, not Q"},
    {kAlgo, "pqn", "", "a2c or ppo: cupg learns policies, not Q"},
    {kAlgo, "iqn", "", "a2c or ppo: cupg learns policies, not Q"},
    {kAlgo, "sac", "", "a2c or ppo: actions are discrete, and nothing is replayed"},
    {kAlgo, "td3", "", "a2c or ppo: actions are discrete, and nothing is replayed"},
    {kAlgo, "ddpg", "", "a2c or ppo: actions are discrete, and nothing is replayed"},

    {kPreset, "default", "shared-net", ""},
    {kPreset, "defaults", "shared-net", ""},
    {kPreset, "ppo", "", "--algo ppo, or one of cleanrl-ppo and sb3-zoo-ppo"},
    {kPreset, "a2c", "", "--algo a2c, or shared-net"},
    {kPreset, "sb3", "", "sb3-zoo-ppo"},
    {kPreset, "stable-baselines3", "", "sb3-zoo-ppo"},
    {kPreset, "rl-zoo3", "", "sb3-zoo-ppo"},
    {kPreset, "rejax", "", "cleanrl-ppo or sb3-zoo-ppo; rejax's settings are none of the presets"},
    {kPreset, "pufferlib", "", "cleanrl-ppo or sb3-zoo-ppo; PufferLib's settings are none of the presets"},
    {kPreset, "kvfrans", "", "one of kvfrans-policy-gradient, kvfrans-random-search, kvfrans-hill-climbing"},
    {kPreset, "weng", "", "one of weng-reinforce-baseline, weng-actor-critic"},

    {kCommand, "learn", "", "train"},
    {kCommand, "run", "", "train"},
    {kCommand, "enjoy", "", "play"},
    {kCommand, "render", "", "play, in the terminal or with --gif FILE"},
    {kCommand, "evaluate", "", "eval"},
    {kCommand, "test", "", "eval, which measures a saved policy, or play, which shows it"},
    {kCommand, "benchmark", "", "bench"},
    {kCommand, "tune", "", "train with --seeds; a loop over settings is the shell's"},
    {kCommand, "version", "", "--version"},
};

/// A flag's "no-" is no part of the name that the table has.
std::string_view without_no(std::string_view name) { return name.starts_with("no-") ? name.substr(3) : name; }

const Alias* find(std::string_view kind, std::string_view name) {
  if (kind == "key") kind = kOption;
  const std::string spelled = spelling(name);
  for (const std::string_view as : {std::string_view(spelled), without_no(spelled)})
    for (const Alias& a : kAliases)
      if (a.kind == kind && a.name == as) return &a;
  return nullptr;
}

/// `clip` as --clip, or as it is.
std::string written(std::string_view answer, bool dashes) {
  std::string text;
  bool opens = true;
  for (const char c : answer) {
    if (c != '`') {
      text += c;
      continue;
    }
    if (opens && dashes) text += "--";
    opens = !opens;
  }
  return text;
}

}  // namespace

std::span<const Alias> aliases() { return kAliases; }

std::string spelling(std::string_view name) {
  std::string text;
  for (const char c : name) text += c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  constexpr std::string_view kPuffer = "train.";
  return text.starts_with(kPuffer) ? text.substr(kPuffer.size()) : text;
}

std::string taken_as(std::string_view kind, std::string_view name, const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), name) != known.end()) return std::string(name);
  const std::string spelled = spelling(name);
  const auto same = std::find_if(known.begin(), known.end(), [&](const std::string& k) { return spelling(k) == spelled; });
  if (same != known.end()) return *same;
  const Alias* alias = find(kind, name);
  if (alias == nullptr || alias->ours.empty() || alias->name != spelled) return "";
  return std::find(known.begin(), known.end(), alias->ours) == known.end() ? "" : std::string(alias->ours);
}

std::string answer_to(std::string_view kind, std::string_view name, const std::vector<std::string>& known, bool dashes) {
  const Alias* alias = find(kind, name);
  if (alias == nullptr) return "";
  if (alias->ours.empty()) return written(alias->answer, dashes);
  const bool here = std::find(known.begin(), known.end(), alias->ours) != known.end();
  return here ? written(fmt::format("`{}`", alias->ours), dashes)
              : written(fmt::format("nothing in its place here: it is `{}` of another command", alias->ours), dashes);
}

}  // namespace cupg

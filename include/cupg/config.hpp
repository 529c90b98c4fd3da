#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cupg/network.hpp"
#include "cupg/objective.hpp"
#include "cupg/optimizer.hpp"

namespace cupg {

/// automatic: CUDA where there is a device that can be used, otherwise the CPU.
enum class Device { automatic, cpu, cuda, reference };
/// exact: the promise of equal bits. fast: networks that run as matrix products may use the device's own precision (TF32) there.
enum class Math { exact, fast };
/// What an update learns from: `horizon` steps of every environment, or one whole episode of each.
enum class Collect { steps, episodes };
enum class Isa { automatic, scalar, avx2, avx512 };

/// What may differ between the agents of one run, because it changes no array's size.
struct Hyperparameters {
  float learning_rate = 0, value_learning_rate = 0, decay = 0;
  float beta1 = 0, beta2 = 0, alpha = 0, eps = 0;
  float max_grad_norm = 0;
  float gamma = 0, lambda = 0;
  float entropy_coef = 0, value_coef = 0;
  float clip = 0, value_clip = 0, target_kl = 0;
  Exploration exploration;
  std::int64_t schedule_updates = 0;  ///< where linear schedules end; 0: with the run
  std::optional<std::uint64_t> seed;  ///< nothing: Config::seed plus the agent's number

  bool operator==(const Hyperparameters&) const = default;
};

/// Everything that a training run depends on. The parameters after k updates follow from this and the agent's seed alone;
/// device, isa and threads change the speed, never the bits.
struct Config {
  std::string environment = "CartPole-v1";
  std::string algorithm = "a2c";

  std::uint64_t seed = 1;          ///< of the first agent; agent i trains seed + i, unless `agents` says otherwise
  int seeds = 1;                   ///< agents
  std::int64_t steps = 5'000'000;  ///< environment steps after which an agent stops, solved or not
  bool stop_when_solved = true;
  int envs = 32;     ///< N: environments stepped side by side for one agent
  int horizon = 24;  ///< T: steps of each environment between two updates
  Collect collect = Collect::steps;
  std::int64_t update_limit = 0;              ///< updates after which an agent stops, too; 0: `steps` alone ends it
  std::optional<std::int64_t> episode_limit;  ///< steps after which a training episode is cut; 0: never; nothing: the environment's limit
  int epochs = 1;                             ///< passes over a batch
  int minibatches = 1;                        ///< parts that each pass makes an optimizer step with, in an order drawn anew

  bool shared = true;                            ///< one trunk for policy and value
  std::vector<int> hidden = {16};                ///< widths of the (policy's) hidden layers
  std::optional<std::vector<int>> value_hidden;  ///< widths of the value's, when not shared; nothing: as hidden
  Activation activation = Activation::relu;
  bool bias = true;
  std::optional<bool> value_bias;  ///< of the value's own network; nothing: as bias
  NetworkInit init;

  AdvantageSettings advantage;
  ObjectiveSettings objective;
  Exploration exploration;
  OptimizerSettings optimizer;

  /// [seeds] of each agent, in place of what is said above; empty: all are alike. Agent i has the bits that it has alone.
  std::vector<Hyperparameters> agents;
  /// What agent number `number` of the run is trained with.
  std::uint64_t agent_seed(int number) const {
    const auto i = static_cast<std::size_t>(number);
    return i < agents.size() && agents[i].seed ? *agents[i].seed : seed + static_cast<std::uint64_t>(number);
  }

  int trials = 2000;   ///< searches: episodes that an agent may play
  float noise = 0.1f;  ///< hill climbing: half the width of a trial's step in each weight

  Device device = Device::automatic;
  Isa isa = Isa::automatic;
  Math math = Math::exact;
  int threads = 0;  ///< of the CPU engine; 0: as many processors as the process may use (affinity, cgroup quota)

  NetworkShape network() const;
  /// Environment steps between two updates; of whole episodes, as many as there are environments at least.
  std::int64_t batch() const { return static_cast<std::int64_t>(envs) * (collect == Collect::steps ? horizon : 1); }
  /// K: updates until `steps` are done, rounded up, or update_limit where that is less. With whole episodes, whose length nobody knows
  /// beforehand, an agent may reach `steps` earlier.
  std::int64_t updates() const {
    if (batch() <= 0) return 0;  // which check() refuses
    const std::int64_t most = steps / batch() + (steps % batch() != 0 ? 1 : 0);
    return update_limit > 0 && update_limit < most ? update_limit : most;
  }
};

/// The configuration's own, from which an agent's may be made.
Hyperparameters hyperparameters(const Config& config);
/// The configuration of an agent that has these.
Config with(Config config, const Hyperparameters& hyperparameters);

/// Whether the algorithm searches linear policies at random (random-search, hill-climbing) and follows no gradient.
bool searches(const Config& config);

/// Throws Error (usage) that names the option, its value and what would be right.
void check(const Config& config);

}  // namespace cupg

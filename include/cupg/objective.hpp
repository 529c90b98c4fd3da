#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace cupg {

/// gae and nstep as published; returns: the discounted return to go, G, minus V where the objective learns one.
enum class Estimator { gae, nstep, returns };

/// What advantages are normalized over: the whole batch, each minibatch, or each episode (whole episodes only).
enum class NormalizeOver { batch, minibatch, episode };

/// What happens to the value of the state in which the time limit cut an episode.
enum class Truncation {
  bootstrap,  ///< the target goes on with V of the last observation: a time limit is no property of the task
  terminal,   ///< counted as an end, as several published settings do
};

/// How returns and advantages are estimated from a rollout.
struct AdvantageSettings {
  Estimator estimator = Estimator::gae;
  float gamma = 0.96f;   ///< discount, in [0, 1]
  float lambda = 0.98f;  ///< GAE's, in [0, 1]; 0 is TD(0), 1 is the discounted return minus the value
  int nstep = 5;         ///< rewards summed before the value takes over; at most the horizon
  Truncation truncation = Truncation::bootstrap;
  bool normalize = false;  ///< (A - mean) / (sd + 1e-8), population sd
  NormalizeOver normalize_over = NormalizeOver::batch;
};

/// How J's over the samples of a (mini)batch become its loss.
enum class LossSum { mean, sum };

/// Of PPO's clip: linear falls to 0 as a linear learning rate does.
enum class ClipSchedule { constant, linear };

/// The policy that acts while it learns: with probability epsilon an action drawn uniformly. It falls linearly over the agent's first
/// `steps` environment steps and is constant within an update.
struct Exploration {
  float start = 0, end = 0;
  std::int64_t steps = 75'000;

  bool operator==(const Exploration&) const = default;
};

/// Coefficients of the objectives (objectives/).
struct ObjectiveSettings {
  float entropy_coef = 0.005f;
  float value_coef = 0.1f;  ///< of (V - R)^2 / 2
  LossSum loss = LossSum::mean;
  float clip = 0.2f;  ///< PPO: the ratio is clipped to 1 - clip .. 1 + clip
  ClipSchedule clip_schedule = ClipSchedule::constant;
  float value_clip = 0;  ///< PPO: V moves at most so far from the old V; 0: as far as it likes. Follows the clip's schedule
  float target_kl = 0;   ///< epochs end where the mean of (r - 1) - log r over the last minibatch exceeds it; 0: never
};

/// What the registered objectives are called and use (objectives/registry.hpp).
struct ObjectiveInfo {
  std::string_view name, source;
  bool value, entropy, ratio;
};
std::span<const ObjectiveInfo> objectives();

struct ObjectiveArgs;  // kernels/loss/op.hpp

/// An objective's derivatives for rows of samples, compiled for each instruction set; null: the generic one serves, since all
/// of them give the same bits.
struct ObjectiveKernels {
  using Rows = void (*)(const ObjectiveArgs&);
  Rows generic = nullptr, scalar_fma = nullptr, avx2 = nullptr, avx512 = nullptr;
};
/// Adds an objective to objectives(), before main() or before the first configuration is checked; the strings must live on. What
/// cupg_add_objectives (CMake) generates calls it. Throws Error (usage) where the name is taken or no word of letters, digits, - and _,
/// or the generic kernel is null.
void register_objective(const ObjectiveInfo& info, const ObjectiveKernels& kernels);
/// Of the registered objective of this number; the generic one of a built-in objective is null: its kernels are the engines' own.
/// Throws Error (usage) where there is none of that number.
const ObjectiveKernels& objective_kernels(std::size_t number);
/// Throws Error (usage) where there is none of that name.
const ObjectiveInfo& find_objective(std::string_view name);
/// Its place in objectives(). Throws as find_objective does.
int objective_number(std::string_view name);

}  // namespace cupg

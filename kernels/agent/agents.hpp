// A population of agents as the CUDA kernels see it: the settings that all agents share, and arrays with one slot an agent. Kernels
// take it by value; the memory belongs to the engine (src/engine/cuda_engine.cuh).
#pragma once
#include "cupg/network.hpp"
#include "cupg/objective.hpp"
#include "kernels/advantage/op.hpp"
#include "kernels/agent/settings.hpp"
#include "kernels/agent/watch.hpp"
#include "kernels/math/permutation.hpp"
#include "kernels/moments/op.hpp"
#include "kernels/network/plan.hpp"
#include "kernels/optimizer/op.hpp"
#include "kernels/rollout/op.hpp"
#include "objectives/sample.hpp"

namespace cupg {

/// Episodes that ended, as atomics count them.
struct EpisodeCounts {
  unsigned long long episodes = 0, terminated = 0, steps = 0, returns = 0;  ///< as in EpisodeTally, modulo 2^64
};

CUPG_FN void add_counts(EpisodeCounts& all, const EpisodeCounts& more) {
  all.episodes += more.episodes;
  all.terminated += more.terminated;
  all.steps += more.steps;
  all.returns += more.returns;
}

/// What one agent remembers on the device between updates, beside its arrays.
struct AgentState {
  std::uint64_t key = 0;       ///< the agent's seed
  AgentSettings settings;      ///< what it learns by
  OptimizerState optimizer;    ///< powers of beta and number of steps
  EpisodeCounts episodes;      ///< since its reset
  std::int64_t updates = 0;    ///< k
  std::int64_t taken = 0;      ///< environment steps of these updates
  std::uint32_t step = 0;      ///< steps that each environment has been through
  std::uint32_t count = 0;     ///< n, samples of this update
  std::uint32_t longest = 0;   ///< steps of the environment that takes most in this update
  std::uint32_t stopped = 0;   ///< 1: this update's epochs have ended early
  std::uint32_t halted = 0;    ///< not kRuns: kernels leave the agent alone
  std::uint32_t diverged = 0;  ///< 1: a parameter is not finite
};

/// Values of AgentState::halted.
inline constexpr std::uint32_t kRuns = 0;
inline constexpr std::uint32_t kNotFinite = 1;  ///< a gradient was not finite; the agent stands before that step
inline constexpr std::uint32_t kPaused = 2;     ///< somebody must look at it

/// Which of an update's minibatches.
struct MinibatchNumber {
  int epoch = 0, minibatch = 0;
};

/// What the advantages are normalized over. One minibatch is the batch.
enum class MomentsOver { nothing, minibatch, batch, episode };

struct Agents {
  // ---- settings
  NetworkPlan plan;  ///< `entries` lies in device memory
  /// Samples of a small network are rows of 32 (kernels/trajectory.hpp), otherwise one beside the other.
  NetworkKind kind = NetworkKind::small;
  int objective_number = 0;
  LossSum loss = LossSum::mean;
  AdvantageArgs advantage;          ///< but for the agents' discounts
  int envs = 0;                     ///< N
  int warps = 0;                    ///< ceil(N / 32)
  std::int64_t capacity = 0;        ///< steps that an environment can take in an update; fixed horizons do: T
  bool episodes = false;            ///< an update is a whole episode of every environment
  std::uint32_t episode_limit = 0;  ///< steps after which a training episode is cut; kNeverCut: never
  bool bootstrap = true;            ///< where the limit cut an episode
  bool log_probabilities = true;    ///< of the policy that acted: somebody reads them
  int max_episode_steps = 0;        ///< of an evaluation's episode
  int state_size = 0;               ///< numbers in an environment's state
  int epochs = 1;
  int minibatches = 1;
  int partial_samples = 0;  ///< positions of a minibatch that one partial sum has; 0: a warp's rows
  int partial_columns = 0;  ///< of a partial sum: a gradient, and the sum of the estimates of KL behind it
  int most_partials = 0;    ///< of a minibatch
  MomentsOver normalize_over = MomentsOver::nothing;
  int moment_groups = 0;         ///< of an update: minibatches of all epochs, episodes, or 1
  int most_moment_partials = 0;  ///< of such a group

  // ---- arrays that all agents share
  const std::uint32_t* value_network = nullptr;  ///< [padded(parameters) / 32] as in OptimizerArgs, or null

  // ---- arrays, a slot an agent
  float* parameters = nullptr;    ///< [slot][padded(parameters)]
  float* first_moment = nullptr;  ///< [slot][padded(parameters)]
  float* second_moment = nullptr;
  float* packed = nullptr;             ///< [slot][padded(plan.packed)] weights as small networks and all evaluations read them
  float* environments = nullptr;       ///< [slot][warps][state_size][32]
  std::uint32_t* age = nullptr;        ///< [slot][warps][32] steps of the running episode
  float* episode_return = nullptr;     ///< [slot][warps][32] its rewards so far
  float* rows = nullptr;               ///< [slot][row_warps][capacity][features][32] small networks: the rollout
  std::uint32_t* done = nullptr;       ///< [slot][row_warps][capacity] as in RolloutArgs
  std::uint32_t* used = nullptr;       ///< [slot][row_warps][capacity]
  int row_warps = 0;                   ///< warps whose rows are kept; a fused block may need fewer than all
  std::uint32_t* row_count = nullptr;  ///< [slot][warps] whole episodes: rows that a warp fills
  float* gathered = nullptr;           ///< [slot][most_partials][kPartialRows][features][32] rows of a minibatch among several
  std::uint32_t* length = nullptr;     ///< [slot][N] whole episodes: steps of each
  std::uint32_t* first = nullptr;      ///< [slot][N + 1] whole episodes: number of each environment's first sample, and n
  float* partials = nullptr;           ///< [slot][most_partials][padded(partial_columns)]
  float* moment_sums = nullptr;        ///< [slot][moment_groups][most_moment_partials]
  Moments* moments = nullptr;          ///< [slot][moment_groups]
  AgentState* state = nullptr;         ///< [slot]
  Watch* watch = nullptr;              ///< [slot]
  Look* looks = nullptr;               ///< [slot][kMostLooks]
  const int* chosen = nullptr;         ///< [agents of this launch] their slots
};

CUPG_FN int parameter_stride(const Agents& a) { return padded(a.plan.parameters); }
CUPG_FN int packed_stride(const Agents& a) { return padded(a.plan.packed); }
CUPG_FN int partial_stride(const Agents& a) { return padded(a.partial_columns); }
/// Of a small network's rows.
CUPG_FN RowFeatures row_features(const Agents& a) { return {a.advantage.row, a.plan.policy_outputs + 1}; }

/// `slot`'s arrays.
CUPG_FN std::int64_t row_index(const Agents& a, int slot, int warp) {
  return (static_cast<std::int64_t>(slot) * a.row_warps + warp) * a.capacity;
}
CUPG_FN float* partials_of(const Agents& a, int slot) {
  return a.partials + static_cast<std::int64_t>(slot) * a.most_partials * partial_stride(a);
}
CUPG_FN std::uint32_t* length_of(const Agents& a, int slot) { return a.length + static_cast<std::int64_t>(slot) * a.envs; }
CUPG_FN std::uint32_t* first_of(const Agents& a, int slot) { return a.first + static_cast<std::int64_t>(slot) * (a.envs + 1); }
CUPG_FN Moments* moments_of(const Agents& a, int slot) { return a.moments + static_cast<std::int64_t>(slot) * a.moment_groups; }

/// Rows that a warp fills in this update.
CUPG_FN std::int64_t rows_of_warp(const Agents& a, int slot, int warp) {
  return a.episodes ? a.row_count[static_cast<std::int64_t>(slot) * a.warps + warp] : a.capacity;
}

/// Partial sums of so many samples.
CUPG_FN int partials_of_samples(const Agents& a, std::uint32_t samples) {
  if (a.partial_samples == 0) return a.warps;
  const std::uint32_t each = static_cast<std::uint32_t>(a.partial_samples);
  return static_cast<int>((samples + each - 1) / each);
}

/// Samples of a minibatch of this update.
CUPG_FN std::uint32_t minibatch_size(const Agents& a, const AgentState& state) {
  return state.count / static_cast<std::uint32_t>(a.minibatches);
}

/// Where a sample lies: environment times capacity plus step, and its environment where the episodes are whole.
struct SamplePlace {
  std::int64_t row;
  int environment;
};

/// Samples are numbered environment by environment. On a fixed horizon they fill all rows; otherwise e is the environment with
/// first[e] <= sample < first[e + 1].
CUPG_FN SamplePlace place_of(const Agents& a, int slot, std::uint32_t sample) {
  if (!a.episodes) return {static_cast<std::int64_t>(sample), 0};
  const std::uint32_t* const first = first_of(a, slot);
  int e = 0, end = a.envs;
  while (end - e > 1) {
    const int middle = e + (end - e) / 2;
    (first[middle] <= sample ? e : end) = middle;
  }
  return {e * a.capacity + (sample - first[e]), e};
}

/// A small network's sample in the rows of the rollout: its features lie 32 floats apart.
CUPG_FN const float* sample_in_rows(const Agents& a, int slot, std::uint32_t sample, int row_floats) {
  const SamplePlace place = place_of(a, slot, sample);
  const int e = a.episodes ? place.environment : static_cast<int>(sample / static_cast<std::uint32_t>(a.capacity));
  const std::int64_t step = place.row - e * a.capacity;
  return a.rows + (row_index(a, slot, e / kWarp) + step) * row_floats + e % kWarp;
}

/// The group of a minibatch's moments.
CUPG_FN int moment_group(const Agents& a, MinibatchNumber number, int environment) {
  switch (a.normalize_over) {
    case MomentsOver::minibatch: return number.epoch * a.minibatches + number.minibatch;
    case MomentsOver::episode: return environment;
    default: return 0;
  }
}

CUPG_FN OptimizerArgs optimizer_args(const Agents& a, int slot) {
  const std::int64_t at = static_cast<std::int64_t>(slot) * parameter_stride(a);
  OptimizerArgs o;
  const AgentState& state = a.state[slot];
  o.settings = state.settings.optimizer;
  o.done = {state.updates, state.taken};
  o.total = state.settings.total;
  o.count = parameter_stride(a);
  o.parameters = a.parameters + at;
  o.first_moment = a.first_moment + at;
  o.second_moment = a.second_moment + at;
  o.state = &a.state[slot].optimizer;
  o.value_network = o.settings.value_learning_rate > 0 ? a.value_network : nullptr;
  return o;
}

}  // namespace cupg

CUPG_BEGIN_TARGET

/// What an agent has behind it that has ended these episodes.
CUPG_FN Progressed progressed(const AgentState& state, const EpisodeCounts& episodes) {
  const auto whole = [](unsigned long long n) { return static_cast<std::int64_t>(n); };
  return {
      {whole(episodes.episodes), whole(episodes.terminated), whole(episodes.steps), whole(episodes.returns)}, state.updates, state.taken};
}
CUPG_FN Progressed progressed(const AgentState& state) { return progressed(state, state.episodes); }

/// Coefficients of an agent's present update.
CUPG_FN Coefficients<float> coefficients_of(const AgentState& state) {
  return present_coefficients(state.settings, {state.updates, state.taken});
}

/// A look at the agent after an update, by one thread; `episodes`: all that it has ended.
CUPG_FN Next look_at(const Agents& a, int slot, const AgentState& state, const EpisodeCounts& episodes) {
  Watch& watch = a.watch[slot];
  const Progressed now = progressed(state, episodes);
  a.looks[static_cast<std::int64_t>(slot) * kMostLooks + watch.looks] = {now, 0, {}};
  const Next next = watch.look(now);
  return state.diverged != 0 ? Next::pause : next;
}
/// The check at the last look, by whom the episodes were played, in order; whether it failed, and so is over.
CUPG_FN bool check_fails(const Agents& a, int slot, const float* returns) {
  Watch& watch = a.watch[slot];
  double deficit = 0;
  for (int e = 0; e < kCheckEpisodes; ++e) deficit += watch.max_return - static_cast<double>(returns[e]);
  if (!watch.fails(deficit)) return false;
  watch.checked();
  a.looks[static_cast<std::int64_t>(slot) * kMostLooks + watch.looks - 1].failed = 1;
  return true;
}

/// The samples of one minibatch.
struct Minibatch {
  Permutation order;  ///< of the epoch's samples, where there is more than one minibatch
  std::uint32_t first = 0, size = 0;
  bool permuted = false;
};
CUPG_FN Minibatch make_minibatch(const Agents& a, int slot, MinibatchNumber number) {
  const AgentState& state = a.state[slot];
  Minibatch m;
  m.size = minibatch_size(a, state);
  m.first = m.size * static_cast<std::uint32_t>(number.minibatch);
  m.permuted = a.minibatches > 1;
  if (m.permuted)
    m.order = make_permutation(state.count, static_cast<std::uint32_t>(state.updates), static_cast<std::uint32_t>(number.epoch), state.key);
  return m;
}
/// The number of the sample at position i < size.
CUPG_FN std::uint32_t sample_at(const Minibatch& m, std::uint32_t i) { return m.permuted ? permuted(m.order, m.first + i) : i; }

CUPG_END_TARGET

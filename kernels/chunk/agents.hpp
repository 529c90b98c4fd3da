// A population of agents whose updates run in chunks, as the CUDA kernels see it: what kernels/agents.hpp has, and what minibatches,
// epochs and whole episodes need beside it. Kernels take it by value; the memory belongs to src/engine/cuda_chunk_engine.cuh.
#pragma once
#include "kernels/advantage/rows.hpp"
#include "kernels/agents.hpp"
#include "kernels/chunk/plan.hpp"
#include "kernels/math/permutation.hpp"

namespace cupg {

/// What the advantages are normalised over.
enum class MomentsOver { nothing, minibatch, batch, episode };

/// What one agent remembers on the device between updates, beside AgentState.
struct ChunkState {
  std::int64_t updates = 0;   ///< k
  std::int64_t taken = 0;     ///< environment steps of these updates
  std::uint32_t count = 0;    ///< n, samples of this update
  std::uint32_t longest = 0;  ///< steps of the environment that takes most in this update
  std::uint32_t stopped = 0;  ///< 1: this update's epochs have ended early
};

/// Where a block keeps rows (samples, environments) on their way through the network, in floats from a base in shared memory:
/// matrices [feature][row], their rows `stride` apart.
struct RowLayout {
  int stride = 0;         ///< an odd multiple of 4: as many neighbouring features as a quarter warp reads lie in different banks
  int layers = 0;         ///< of the deeper tower
  int x = 0;              ///< [O padded to 4] observations
  int hidden[2][2] = {};  ///< [tower][layer]: [units padded to 4] activations, overwritten by the errors
  int end = 0;
};

CUPG_FN constexpr RowLayout row_layout(const ChunkPlan& plan, int rows) {
  RowLayout at;
  at.stride = ((rows + 3) / 4 | 1) * 4;
  at.end = (plan.observations + 3) / 4 * 4 * at.stride;
  for (int tower = 0; tower < plan.towers; ++tower) {
    const ChunkTower& t = plan.tower[tower];
    at.layers = t.layers > at.layers ? t.layers : at.layers;
    for (int l = 0; l < t.layers; ++l) {
      at.hidden[tower][l] = at.end;
      at.end += (t.hidden[l].out + 3) / 4 * 4 * at.stride;
    }
  }
  return at;
}

/// Where a parameter lies in the packed weights.
struct ChunkPlace {
  std::int32_t forward = 0;
  std::int32_t backward = -1;  ///< < 0: nobody is below its layer
};

struct ChunkAgents {
  Agents agents;  ///< `packed` are the weights that evaluations read, `episodes` and the trajectory unused
  // ---- settings
  ChunkPlan plan;
  RowLayout collect, gradient;
  ObjectiveSettings objective;
  Exploration exploration;
  RowAdvantageArgs advantage;  ///< of any environment: without `samples` and `count`
  MomentsOver normalize_over = MomentsOver::nothing;
  bool library = false;             ///< the network is a library's: one agent at a time, and the samples are those of whoever's turn it is
  bool episodes = false;            ///< an update is a whole episode of every environment
  std::int64_t capacity = 0;        ///< rows of an environment; fixed horizons fill them
  std::uint32_t episode_limit = 0;  ///< steps after which an episode is cut; 0: never
  int epochs = 1;
  int minibatches = 1;
  int most_chunks = 0;         ///< of a minibatch
  int moment_groups = 0;       ///< of an update: minibatches of all epochs, episodes, or 1
  int most_moment_chunks = 0;  ///< of such a group

  // ---- arrays that all agents share
  const ChunkPlace* places = nullptr;            ///< [parameters]
  const std::uint32_t* value_network = nullptr;  ///< [padded(parameters) / 32] as in OptimizerArgs, or null

  // ---- arrays, a slot an agent
  ChunkState* progress = nullptr;   ///< [slot]
  float* weights = nullptr;         ///< [slot][plan.packed]
  float* episode_return = nullptr;  ///< [slot][warps][32] rewards of the running episode so far
  float* samples = nullptr;         ///< [slot][N capacity] rows; library: [N capacity]
  std::uint32_t* length = nullptr;  ///< [slot][N] whole episodes: steps of each
  std::uint32_t* first = nullptr;   ///< [slot][N + 1] whole episodes: number of each environment's first sample, and n
  float* partials = nullptr;        ///< [slot][most_chunks][partial_stride]: dJ/d(parameter), then the sum of the estimates of KL
  float* moment_sums = nullptr;     ///< [slot][moment_groups][most_moment_chunks]
  Moments* moments = nullptr;       ///< [slot][moment_groups]
};

CUPG_FN int partial_stride(const ChunkAgents& a) { return padded(a.plan.parameters + 1); }
CUPG_FN int chunks_of(std::uint32_t samples) { return static_cast<int>((samples + kChunk - 1) / kChunk); }

/// `slot`'s arrays.
CUPG_FN float* samples_of(const ChunkAgents& a, int slot) {
  return a.samples + static_cast<std::int64_t>(a.library ? 0 : slot) * a.agents.envs * a.capacity * a.plan.row().stride();
}
CUPG_FN float* weights_of(const ChunkAgents& a, int slot) { return a.weights + static_cast<std::int64_t>(slot) * a.plan.packed; }
CUPG_FN float* partials_of(const ChunkAgents& a, int slot) {
  return a.partials + static_cast<std::int64_t>(slot) * a.most_chunks * partial_stride(a);
}
CUPG_FN std::uint32_t* first_of(const ChunkAgents& a, int slot) { return a.first + static_cast<std::int64_t>(slot) * (a.agents.envs + 1); }
CUPG_FN Moments* moments_of(const ChunkAgents& a, int slot) { return a.moments + static_cast<std::int64_t>(slot) * a.moment_groups; }

/// The slot's first place of a warp's running returns.
CUPG_FN float* returns_of_warp(const ChunkAgents& a, int slot, int warp) {
  return a.episode_return + (static_cast<std::int64_t>(slot) * a.agents.warps + warp) * kWarp;
}

/// Where a sample lies: its row, and its environment where the episodes are whole.
struct SamplePlace {
  std::int64_t row;
  int environment;
};

/// Samples are numbered environment by environment. On a fixed horizon they fill all rows; otherwise e is the environment with
/// first[e] <= sample < first[e + 1].
CUPG_FN SamplePlace place_of(const ChunkAgents& a, int slot, std::uint32_t sample) {
  if (!a.episodes) return {static_cast<std::int64_t>(sample), 0};
  const std::uint32_t* const first = first_of(a, slot);
  int e = 0, end = a.agents.envs;
  while (end - e > 1) {
    const int middle = e + (end - e) / 2;
    (first[middle] <= sample ? e : end) = middle;
  }
  return {e * a.capacity + (sample - first[e]), e};
}

/// The group of a minibatch's moments. With one minibatch an update, all epochs have the same.
CUPG_FN int minibatch_group(const ChunkAgents& a, int epoch, int minibatch) {
  return a.minibatches == 1 ? 0 : epoch * a.minibatches + minibatch;
}

}  // namespace cupg

CUPG_BEGIN_TARGET

/// The samples of one minibatch.
struct Minibatch {
  Permutation order;  ///< of the epoch's samples, where there is more than one minibatch
  std::uint32_t first = 0, size = 0;
  bool permuted = false;
};
CUPG_FN Minibatch make_minibatch(const ChunkAgents& a, int slot, int epoch, int minibatch) {
  const ChunkState& state = a.progress[slot];
  Minibatch m;
  m.size = state.count / static_cast<std::uint32_t>(a.minibatches);
  m.first = m.size * static_cast<std::uint32_t>(minibatch);
  m.permuted = a.minibatches > 1;
  if (m.permuted)
    m.order = make_permutation(state.count, static_cast<std::uint32_t>(state.updates), static_cast<std::uint32_t>(epoch),
                               a.agents.state[slot].key);
  return m;
}
/// The number of the sample at position i < size.
CUPG_FN std::uint32_t sample_at(const Minibatch& m, std::uint32_t i) { return m.permuted ? permuted(m.order, m.first + i) : i; }

CUPG_END_TARGET

// What tiled networks and those of a library need beside kernels/agent/agents.hpp: their samples lie one beside the other, an environment's
// in order.
#pragma once
#include "kernels/agent/agents.hpp"
#include "kernels/agent/snapshot.hpp"
#include "kernels/network/tiled/plan.hpp"

namespace cupg {

/// Where a block keeps rows (samples, environments) on their way through the network, in floats from a base in shared memory:
/// matrices [feature][row], their rows `stride` apart.
struct RowLayout {
  int stride = 0;         ///< an odd multiple of 4: as many neighboring features as a quarter warp reads lie in different banks
  int layers = 0;         ///< of the deeper tower
  int x = 0;              ///< [O padded to 4] observations
  int hidden[2][2] = {};  ///< [tower][layer]: [units padded to 4] activations, overwritten by the errors
  int end = 0;
};

CUPG_FN constexpr RowLayout row_layout(const TilePlan& plan, int rows) {
  RowLayout at;
  at.stride = ((rows + 3) / 4 | 1) * 4;
  at.end = (plan.observations + 3) / 4 * 4 * at.stride;
  for (int tower = 0; tower < plan.towers; ++tower) {
    const TileTower& t = plan.tower[tower];
    at.layers = t.layers > at.layers ? t.layers : at.layers;
    for (int l = 0; l < t.layers; ++l) {
      at.hidden[tower][l] = at.end;
      at.end += (t.hidden[l].out + 3) / 4 * 4 * at.stride;
    }
  }
  return at;
}

/// Where a parameter lies in the packed weights.
struct TilePlace {
  std::int32_t forward = 0;
  std::int32_t backward = -1;  ///< < 0: nobody is below its layer
};

struct TiledAgents : Agents {
  TilePlan tile;
  RowLayout collect, gradient;
  const TilePlace* places = nullptr;  ///< [parameters]
  float* weights = nullptr;           ///< [slot][tile.packed]
  /// [slot][N capacity] rows. The agents of a library's network train one after the other: [N capacity], of whoever's turn it is.
  float* samples = nullptr;
};

/// The agents' arrays, each a Buffer: in device memory, and in the tests in host memory too.
template <template <class> class Buffer>
struct AgentArrays {
  Buffer<float> parameters, first_moment, second_moment, packed, environments, episode_return, rows, gathered, weights, samples, partials,
      moment_sums;
  Buffer<std::uint32_t> age, done, used, row_count, length, first;
  Buffer<Moments> moments;
  Buffer<AgentState> state;
  Buffer<Watch> watch;
  Buffer<Look> looks;
  Buffer<int> chosen;

  /// f(buffer, pointer in `a`, elements, what it is for) for every array of `slots` agents.
  template <class F>
  void each(TiledAgents& a, std::int64_t slots, F f) {
    const bool library = a.kind == NetworkKind::library, several = a.minibatches > 1;
    const std::int64_t episodes = a.episodes ? slots : 0, small = a.kind == NetworkKind::small ? slots : 0,
                       tiled = a.kind == NetworkKind::tiled ? slots : 0, row_floats = row_features(a).floats(),
                       row = small * a.row_warps * a.capacity;
    const auto all = [&](const char* name, std::int64_t elements, auto& buffer, auto& pointer) {
      f(buffer, pointer, slots * elements, name);
    };
    each_kept(KeptSizes{parameter_stride(a), a.warps, a.state_size}, all, *this, a);
    f(packed, a.packed, slots * packed_stride(a), "weights");
    f(weights, a.weights, tiled * a.tile.packed, "weights");
    f(state, a.state, slots, "agents");
    f(watch, a.watch, slots, "agents");
    f(looks, a.looks, slots * kMostLooks, "agents");
    f(chosen, a.chosen, slots, "agents");
    f(rows, a.rows, row * row_floats, "the rollout");
    f(done, a.done, row, "the rollout");
    f(used, a.used, row, "the rollout");
    f(row_count, a.row_count, a.episodes ? small * a.warps : 0, "the rollout");
    f(gathered, a.gathered, several ? small * a.most_partials * kPartialRows * row_floats : 0, "the minibatch");
    f(samples, a.samples, (library ? 1 : tiled) * a.envs * a.capacity * a.tile.row().stride(), "samples");
    f(length, a.length, episodes * a.envs, "episodes");
    f(first, a.first, episodes * (a.envs + 1), "episodes");
    f(partials, a.partials, (small + tiled) * a.most_partials * partial_stride(a), "partial sums");
    f(moment_sums, a.moment_sums, slots * a.moment_groups * a.most_moment_partials, "partial sums");
    f(moments, a.moments, slots * a.moment_groups, "moments");
  }
};

/// `slot`'s arrays.
CUPG_FN float* samples_of(const TiledAgents& a, int slot) {
  return a.samples + static_cast<std::int64_t>(a.kind == NetworkKind::library ? 0 : slot) * a.envs * a.capacity * a.tile.row().stride();
}
CUPG_FN float* weights_of(const TiledAgents& a, int slot) { return a.weights + static_cast<std::int64_t>(slot) * a.tile.packed; }

/// The slot's first place of a warp's running returns.
CUPG_FN float* returns_of_warp(const Agents& a, int slot, int warp) {
  return a.episode_return + (static_cast<std::int64_t>(slot) * a.warps + warp) * kWarp;
}

}  // namespace cupg

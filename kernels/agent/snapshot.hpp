// What an agent keeps from one update to the next: the one list that engines allocate from, and by which an agent is saved, restored,
// copied and compared. On every device these are the same words, so that an agent may go on wherever it was not begun.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/math/lanes.hpp"
#include "kernels/optimizer/op.hpp"

namespace cupg {

/// What the arrays are sized by.
struct KeptSizes {
  std::int64_t parameters = 0;
  std::int64_t warps = 0;  ///< of environments
  std::int64_t state_size = 0;
};

/// f(name, elements, array...) for every array that an agent keeps; several things that have them go through the list together.
template <class F, class... Kept>
void each_kept(const KeptSizes& n, F f, Kept&... kept) {
  const std::int64_t lanes = n.warps * kWarp;
  f("parameters", n.parameters, kept.parameters...);
  f("first_moment", n.parameters, kept.first_moment...);          // Adam's m
  f("second_moment", n.parameters, kept.second_moment...);        // Adam's or RMSProp's v
  f("environments", lanes * n.state_size, kept.environments...);  // [warps][state_size][32]
  f("age", lanes, kept.age...);                                   // [warps][32] steps of the running episode
  f("episode_return", lanes, kept.episode_return...);             // [warps][32] its rewards so far
}

/// What it counts.
struct KeptCounters {
  std::uint64_t seed = 0;
  std::int64_t updates = 0;  ///< k
  std::int64_t taken = 0;    ///< environment steps of these updates
  std::uint32_t step = 0;    ///< steps that each environment has been through
  OptimizerState optimizer;
};

/// An agent between two updates. Lanes that are no environments are 0.
struct Snapshot : KeptCounters {
  std::vector<float> parameters, first_moment, second_moment, environments, episode_return;
  std::vector<std::uint32_t> age;

  void resize(const KeptSizes& n) {
    each_kept(
        n, [](const char*, std::int64_t elements, auto& array) { array.resize(static_cast<std::size_t>(elements)); }, *this);
  }
  /// Sets the lanes beyond the N environments to 0.
  void clear_idle_lanes(const KeptSizes& n, std::int64_t envs) {
    const auto clear = [&](auto& array, std::int64_t fields) {
      for (std::int64_t lane = envs; lane < n.warps * kWarp; ++lane)
        for (std::int64_t i = 0; i < fields; ++i) array[static_cast<std::size_t>((lane / kWarp * fields + i) * kWarp + lane % kWarp)] = {};
    };
    clear(environments, n.state_size);
    clear(age, 1);
    clear(episode_return, 1);
  }
};

}  // namespace cupg

#pragma once
#include <cstdint>

#include "kernels/math/lanes.hpp"
#include "src/engine/aligned.hpp"

namespace cupg {

/// Warps that `samples` lanes fill, the last one perhaps in part.
constexpr int warps_of(int samples) { return samples / kWarp + (samples % kWarp != 0); }

/// Numbers in the state of the environment of this id.
int state_size(int environment);

/// The running environments of one agent.
struct WarpMemory {
  AlignedArray<float> state;           ///< [warps][state size][32]
  AlignedArray<std::uint32_t> age;     ///< [warps][32] steps of the running episode
  AlignedArray<float> episode_return;  ///< [warps][32] its rewards so far

  WarpMemory() = default;
  WarpMemory(int environment, int warps)
      : state(static_cast<std::int64_t>(warps) * state_size(environment) * kWarp),
        age(static_cast<std::int64_t>(warps) * kWarp),
        episode_return(static_cast<std::int64_t>(warps) * kWarp) {}
  static std::int64_t bytes(int environment, std::int64_t warps) { return warps * (state_size(environment) + 2) * kWarp * 4; }
};

}  // namespace cupg

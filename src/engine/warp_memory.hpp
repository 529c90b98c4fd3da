#pragma once
#include <cstdint>

#include "kernels/trajectory.hpp"
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

/// The memory of a rollout buffer of `rows` rows.
struct TrajectoryMemory {
  AlignedArray<float> observation, policy, value, advantage, hidden;
  AlignedArray<std::uint32_t> action, done;
  int units = 0;

  TrajectoryMemory() = default;
  /// Rows of `warps` warps and `horizon` steps; kept_units: activations to keep for the gradient, 0: none.
  TrajectoryMemory(std::int64_t warps, int horizon, int observations, int outputs, int kept_units)
      : TrajectoryMemory(warps * horizon, warps * (horizon + 1), observations, outputs, kept_units) {}
  Trajectory view() {
    return {observation.data(), policy.data(), value.data(), advantage.data(), units == 0 ? nullptr : hidden.data(), units,
            action.data(),      done.data()};
  }
  static std::int64_t bytes(std::int64_t warps, int horizon, int observations, int outputs, int kept_units) {
    return warps * horizon * (kWarp * (observations + outputs + 2) * 4 + 8) + warps * (horizon + 1) * kept_units * kWarp * 4;
  }

 private:
  TrajectoryMemory(std::int64_t rows, std::int64_t kept_rows, int observations, int outputs, int kept_units)
      : observation(rows * observations * kWarp),
        policy(rows * outputs * kWarp),
        value(rows * kWarp),
        advantage(rows * kWarp),
        hidden(kept_rows * kept_units * kWarp),
        action(rows),
        done(rows),
        units(kept_units) {}
};

}  // namespace cupg

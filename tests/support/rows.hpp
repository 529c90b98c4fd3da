#pragma once
#include <cstdint>

#include "kernels/network/plan.hpp"
#include "kernels/trajectory.hpp"
#include "tests/support/guarded.hpp"

namespace cupg_test {

inline constexpr int kObservations = 4;

/// A rollout buffer of CartPole's whose every array stands between guards and starts as poison.
struct Rows {
  int warps, horizon, units;
  Guarded<float> observation, policy, value, advantage, hidden;
  Guarded<std::uint32_t> action, done;

  Rows(int warps_, int horizon_, int units_ = 0)
      : warps(warps_),
        horizon(horizon_),
        units(units_),
        observation(static_cast<std::int64_t>(warps) * horizon * kObservations * cupg::kWarp),
        policy(static_cast<std::int64_t>(warps) * horizon * cupg::kWarp),
        value(static_cast<std::int64_t>(warps) * horizon * cupg::kWarp),
        advantage(static_cast<std::int64_t>(warps) * horizon * cupg::kWarp),
        hidden(static_cast<std::int64_t>(warps) * (horizon + 1) * units * cupg::kWarp),
        action(static_cast<std::int64_t>(warps) * horizon),
        done(static_cast<std::int64_t>(warps) * horizon) {}

  cupg::Trajectory view() {
    return {observation.data(), policy.data(), value.data(), advantage.data(), units == 0 ? nullptr : hidden.data(), units,
            action.data(),      done.data()};
  }
  std::int64_t row(int environment, int t) const { return static_cast<std::int64_t>(environment / cupg::kWarp) * horizon + t; }
  /// Position of environment `environment` at step t in an array of [rows][32].
  std::int64_t at(int environment, int t) const { return row(environment, t) * cupg::kWarp + environment % cupg::kWarp; }
  float& observed(int environment, int t, int i) {
    return observation[(row(environment, t) * kObservations + i) * cupg::kWarp + environment % cupg::kWarp];
  }
  bool flag(const Guarded<std::uint32_t>& flags, int environment, int t) const {
    return (flags[row(environment, t)] >> environment % cupg::kWarp & 1u) != 0;
  }
  void set_flag(Guarded<std::uint32_t>& flags, int environment, int t, bool on) const {
    std::uint32_t& bits = flags[row(environment, t)];
    const std::uint32_t bit = 1u << environment % cupg::kWarp;
    bits = on ? bits | bit : bits & ~bit;
  }

  bool guards_intact() const {
    return observation.guards_intact() && policy.guards_intact() && value.guards_intact() && advantage.guards_intact() &&
           hidden.guards_intact() && action.guards_intact() && done.guards_intact();
  }
};

/// The first difference between two buffers, array by array.
inline testing::AssertionResult same_rows(const Rows& want, const Rows& got) {
  const auto compare = [](const char* array, const auto& a, const auto& b) {
    const testing::AssertionResult result = same_bits(a, b);
    return result ? result : testing::AssertionFailure() << array << ": " << result.message();
  };
  for (const auto& result :
       {compare("observation", want.observation, got.observation), compare("policy", want.policy, got.policy),
        compare("value", want.value, got.value), compare("advantage", want.advantage, got.advantage),
        compare("hidden", want.hidden, got.hidden), compare("action", want.action, got.action), compare("done", want.done, got.done)})
    if (!result) return result;
  return testing::AssertionSuccess();
}

}  // namespace cupg_test

#pragma once
#include <cstdint>

#include "kernels/trajectory.hpp"
#include "tests/support/guarded.hpp"

namespace cupg_test {

/// Rows of 32 samples, their flags and kept activations, between guards and poisoned.
struct Rows {
  cupg::RowFeatures features;
  std::int64_t count;
  int units;
  Guarded<float> data, hidden;
  Guarded<std::uint32_t> done, used;

  /// A row more of activations: a rollout leaves those of the state behind its last step.
  Rows(cupg::RowFeatures f, std::int64_t count_, int units_ = 0)
      : features(f),
        count(count_),
        units(units_),
        data(count * f.floats()),
        hidden(units * (count + 1) * cupg::kWarp),
        done(count),
        used(count) {}

  float& at(std::int64_t t, int feature, int lane) { return data[t * features.floats() + feature * cupg::kWarp + lane]; }
  float at(std::int64_t t, int feature, int lane) const { return data[t * features.floats() + feature * cupg::kWarp + lane]; }
  float activation(std::int64_t t, int unit, int lane) const { return hidden[(t * units + unit) * cupg::kWarp + lane]; }
  float* activations() { return units > 0 ? hidden.data() : nullptr; }
  static bool bit(const Guarded<std::uint32_t>& flags, std::int64_t t, int lane) { return (flags[t] >> lane & 1u) != 0; }

  bool guards_intact() const { return data.guards_intact() && hidden.guards_intact() && done.guards_intact() && used.guards_intact(); }
};

/// The features of all lanes that are used.
inline testing::AssertionResult same_rows(const Rows& want, const Rows& got) {
  if (const testing::AssertionResult same = same_bits(want.used, got.used); !same)
    return testing::AssertionFailure() << "used: " << same.message();
  for (std::int64_t t = 0; t < want.count; ++t)
    for (int lane = 0; lane < cupg::kWarp; ++lane) {
      if (!Rows::bit(want.used, t, lane)) continue;
      if (Rows::bit(want.done, t, lane) != Rows::bit(got.done, t, lane)) return testing::AssertionFailure() << "done, row " << t;
      for (int i = 0; i < want.features.count(); ++i)
        if (compared_bits(want.at(t, i, lane)) != compared_bits(got.at(t, i, lane)))
          return testing::AssertionFailure() << "row " << t << ", lane " << lane << ", feature " << i << ": " << want.at(t, i, lane)
                                             << " and " << got.at(t, i, lane);
    }
  return testing::AssertionSuccess();
}

}  // namespace cupg_test

// Quantiles of episode returns, by linear interpolation between the two values beside them. Order does not matter here, so the device
// leaves sorting to Thrust (quantiles.cu) and the host to std::sort.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>

#include "kernels/math/lanes.hpp"

namespace cupg {

/// The quantiles that evaluations report.
inline constexpr std::array<double, 5> kReturnQuantiles{0.05, 0.25, 0.5, 0.75, 0.95};
using ReturnQuantiles = std::array<double, kReturnQuantiles.size()>;

/// The q-quantile of n >= 1 values; sorted(i) is the i-th smallest.
template <class F>
double quantile_of_sorted(std::int64_t n, double q, F sorted) {
  const double position = q * static_cast<double>(n - 1);
  const auto below = static_cast<std::int64_t>(position);
  const double low = sorted(below), high = sorted(std::min(below + 1, n - 1));
  return low + (position - static_cast<double>(below)) * (high - low);
}

}  // namespace cupg

CUPG_BEGIN_TARGET

/// kReturnQuantiles of n values in device memory (target `cuda`: by Thrust; `emulated`: host memory, through Thrust's C++ back end where
/// the build found Thrust, by std::sort otherwise); zeros for n = 0. What wrote the values has been waited for.
ReturnQuantiles return_quantiles(const float* values, std::int64_t n);

CUPG_END_TARGET

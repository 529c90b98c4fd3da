// Mean and standard deviation of the advantages of a batch (for their normalisation): the mean first, then the squared
// deviations from it, each summed in the canonical order; population divisor.
//   a = (A - mean) inverse_sd,  inverse_sd = 1 / (sd + 1e-8)
// Bound: memory.
#pragma once
#include "kernels/math/lanes.hpp"
#include "kernels/reduce/op.hpp"
#include "kernels/rollout/op.hpp"

namespace cupg {

struct Moments {
  float mean = 0, inverse_sd = 1;  ///< these leave an advantage as it is, to the bit
};

}  // namespace cupg

CUPG_BEGIN_COPY

/// A warp's partial sum of (advantage - center), or of its square; lanes not in use add nothing.
template <class S, bool Square>
CUPG_FN float warp_moment(const float* advantage, int horizon, std::uint32_t in_use, float center) {
  alignas(64) float lanes[kWarp];
  for (int lo = 0; lo < kWarp; lo += kWidth<S>) {
    S sum = S(0.0);
    for (int t = 0; t < horizon; ++t) {
      const S a = load<S>(advantage + t * kWarp + lo) - splat<S>(center);
      sum = Square ? fma(a, a, sum) : sum + a;
    }
    store(lanes + lo, select(from_bits<S>(in_use >> lo), sum, S(0.0)));
  }
  return butterfly(lanes);
}

CUPG_FN Moments finish_moments(float mean, float sum_of_squares, float count) {
  return {mean, 1.0f / (sqrt(sum_of_squares / count) + 1e-8f)};
}

CUPG_END_COPY

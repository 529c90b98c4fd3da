// Mean and standard deviation of the advantages of a batch (for their normalization): the mean first, then the squared
// deviations from it, each summed in the canonical order; population divisor.
//   a = (A - mean) inverse_sd,  inverse_sd = 1 / (sd + 1e-8)
// Bound: memory.
#pragma once
#include "kernels/math/lanes.hpp"
#include "kernels/reduce/op.hpp"

namespace cupg {

struct Moments {
  float mean = 0, inverse_sd = 1;  ///< these leave an advantage as it is, to the bit
};

}  // namespace cupg

CUPG_BEGIN_TARGET

/// One lane group's sums of (x - center), or of its square, over the used lanes of rows that are `stride` floats apart.
template <class S, bool Square>
CUPG_FN S lane_moment(const float* x, int stride, const std::uint32_t* used, std::int64_t rows, int first_lane, S center) {
  S sum = S(0.0);
  for (std::int64_t t = 0; t < rows; ++t) {
    const S a = load<S>(x + t * stride + first_lane) - center;
    const S next = Square ? fma(a, a, sum) : sum + a;
    sum = used[t] == ~0u ? next : select(from_bits<S>(used[t] >> first_lane), next, sum);
  }
  return sum;
}

/// partials[i] = the sum of (x - center), or of its square, over the i-th 64 of `count` numbers, in order; several tiles side by side, to
/// hide the latency of their sums.
template <bool Square>
CUPG_FN void tile_moments(const float* x, std::int64_t count, float center, float* partials) {
  constexpr int kTile = 64, kTiles = 8;
  for (std::int64_t begin = 0; begin < count; begin += kTiles * kTile) {
    float sum[kTiles] = {};
    const std::int64_t rest = count - begin;
    const auto add = [&](int tile, int r) {
      const float a = x[begin + tile * kTile + r] - center;
      sum[tile] = Square ? fma(a, a, sum[tile]) : sum[tile] + a;
    };
    if (rest >= kTiles * kTile) {
      for (int r = 0; r < kTile; ++r)
        for (int tile = 0; tile < kTiles; ++tile) add(tile, r);
    } else {
      for (std::int64_t i = 0; i < rest; ++i) add(static_cast<int>(i / kTile), static_cast<int>(i % kTile));
    }
    for (int tile = 0; tile < kTiles && tile * kTile < rest; ++tile) partials[begin / kTile + tile] = sum[tile];
  }
}

CUPG_FN Moments finish_moments(float mean, float sum_of_squares, float count) {
  return {mean, 1.0f / (sqrt(sum_of_squares / count) + 1e-8f)};
}

CUPG_END_TARGET

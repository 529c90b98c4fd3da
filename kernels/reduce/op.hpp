// The order of every sum over samples (docs/reproducibility.md):
//   lane:   the rows of a warp in order
//   warp:   the 32 lanes by the xor butterfly 16, 8, 4, 2, 1
//   batch:  partial sums in neighboring pairs, level by level; an odd one left over moves up unchanged
// So every aligned run of 2^k partials is a subtree that a thread, a block or a process can own, and no device needs to know
// how many others there are. Bound: memory.
#pragma once
#include "kernels/math/lanes.hpp"

CUPG_BEGIN_TARGET

/// The sum of 32 lanes: x[l] + x[l ^ 16], then ^ 8, 4, 2, 1. Every lane ends with the same bits; lane 0's are returned.
template <class Real>
CUPG_FN Real butterfly(const Real* x) {
  Real y[kWarp];
  for (int l = 0; l < kWarp; ++l) y[l] = x[l];
  for (int half = kWarp / 2; half > 0; half /= 2)
    for (int l = 0; l < half; ++l) y[l] = y[l] + y[l + half];
  return y[0];
}

/// out[i] = butterfly(x + 32 i) for i < n: rows of lanes to sums.
template <class S>
inline void sum_lanes(const float* x, int n, float* out) {
  for (int i = 0; i < n; ++i) out[i] = butterfly(x + i * kWarp);
}

/// The tree over `count` rows of `width` numbers, `stride` apart, in place; row 0 receives the sum.
template <class Real>
inline void tree_in_place(Real* rows, std::int64_t count, int width, std::int64_t stride) {
  for (std::int64_t step = 1; step < count; step *= 2)
    for (std::int64_t r = 0; r + step < count; r += 2 * step) {
      Real* const left = rows + r * stride;
      const Real* const right = left + step * stride;
      for (int i = 0; i < width; ++i) left[i] = left[i] + right[i];
    }
}

CUPG_END_TARGET

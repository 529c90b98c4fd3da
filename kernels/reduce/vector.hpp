// sum_lanes for vector registers: W rows of 32 lanes at a time, halving the number of registers at each level. The additions
// are those of one butterfly per row (a + b = b + a to the bit), at a fraction of the shuffles.
#pragma once
#include "kernels/math/simd.hpp"
#include "kernels/reduce/op.hpp"

CUPG_BEGIN_TARGET

template <>
inline void sum_lanes<FloatLanes<1>>(const float* x, int n, float* out) {
  constexpr int W = kRegisterFloats;
  static_assert(W == 8 || W == 16);
  using Register = hn::Vec<FloatTag>;
  const FloatTag tag;
  const WideTag wide;
  for (int i = 0; i < n; i += W) {
    Register v[W];
    for (int k = 0; k < W; ++k) {
      // with 16 lanes the level of 4 joins blocks 0,2 and 1,3 of two registers, which swaps the middle two rows of four
      const int row = W == 16 ? (k & ~3) | (k & 1) << 1 | (k >> 1 & 1) : k;
      const float* r = x + static_cast<std::int64_t>(i + row < n ? i + row : n - 1) * kWarp;
      v[k] = hn::Add(hn::Load(tag, r), hn::Load(tag, r + 16));
      if constexpr (W == 8) v[k] = hn::Add(v[k], hn::Add(hn::Load(tag, r + 8), hn::Load(tag, r + 24)));
    }
    for (int k = 0; k < W / 2; ++k)
      v[k] = hn::Add(hn::ConcatLowerLower(tag, v[2 * k + 1], v[2 * k]), hn::ConcatUpperUpper(tag, v[2 * k + 1], v[2 * k]));
    if constexpr (W == 16)
      for (int k = 0; k < 4; ++k)
        v[k] = hn::Add(hn::OddEvenBlocks(v[2 * k + 1], v[2 * k]), hn::SwapAdjacentBlocks(hn::OddEvenBlocks(v[2 * k], v[2 * k + 1])));
    for (int k = 0; k < 2; ++k) {
      const auto a = hn::BitCast(wide, v[2 * k]), b = hn::BitCast(wide, v[2 * k + 1]);
      v[k] = hn::Add(hn::BitCast(tag, hn::ConcatEven(wide, b, a)), hn::BitCast(tag, hn::ConcatOdd(wide, b, a)));
    }
    v[0] = hn::Add(hn::ConcatEven(tag, v[1], v[0]), hn::ConcatOdd(tag, v[1], v[0]));
    if (i + W <= n) {
      hn::StoreU(v[0], tag, out + i);
    } else {
      alignas(64) float last[W];
      hn::Store(v[0], tag, last);
      for (int k = i; k < n; ++k) out[k] = last[k - i];
    }
  }
}

CUPG_END_TARGET

// Transposing a small matrix of floats, four by four in registers where there are vectors. Bound: shuffles, two a cycle at most.
#pragma once
#include "lanes.hpp"
#ifdef CUPG_VECTOR_FLOATS
#include "simd.hpp"
#endif

CUPG_BEGIN_TARGET

/// out[c][r] = in[r][c] for r < rows, c < columns; rows and columns are multiples of 4, the matrices' rows `in_stride` and
/// `out_stride` floats long (multiples of 4 too, so that every four are aligned).
CUPG_FN void transpose(const float* in, int in_stride, int rows, int columns, float* out, int out_stride) {
#ifdef CUPG_VECTOR_FLOATS
  const hn::FixedTag<float, 4> four;
  const hn::FixedTag<double, 2> pairs;
  for (int r = 0; r < rows; r += 4)
    for (int c = 0; c < columns; c += 4) {
      const float* const from = in + r * in_stride + c;
      const auto a = hn::Load(four, from), b = hn::Load(four, from + in_stride), x = hn::Load(four, from + 2 * in_stride),
                 y = hn::Load(four, from + 3 * in_stride);
      const auto ab = hn::BitCast(pairs, hn::InterleaveLower(four, a, b)), xy = hn::BitCast(pairs, hn::InterleaveLower(four, x, y));
      const auto AB = hn::BitCast(pairs, hn::InterleaveUpper(four, a, b)), XY = hn::BitCast(pairs, hn::InterleaveUpper(four, x, y));
      float* const to = out + c * out_stride + r;
      hn::Store(hn::BitCast(four, hn::InterleaveLower(pairs, ab, xy)), four, to);
      hn::Store(hn::BitCast(four, hn::InterleaveUpper(pairs, ab, xy)), four, to + out_stride);
      hn::Store(hn::BitCast(four, hn::InterleaveLower(pairs, AB, XY)), four, to + 2 * out_stride);
      hn::Store(hn::BitCast(four, hn::InterleaveUpper(pairs, AB, XY)), four, to + 3 * out_stride);
    }
#else
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < columns; ++c) out[c * out_stride + r] = in[r * in_stride + c];
#endif
}

CUPG_END_TARGET

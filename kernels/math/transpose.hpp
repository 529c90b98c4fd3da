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

/// Eight rows of eight floats, wherever they lie: out(c)[r] = in(r)[c], all of them aligned to 32 bytes.
template <class In, class Out>
CUPG_FN void transpose_eight(In in, Out out) {
#ifdef CUPG_VECTOR_FLOATS
  const hn::FixedTag<float, 8> eight;
  const hn::FixedTag<double, 4> pairs;
  const auto as_pairs = [&](auto x) __attribute__((always_inline)) { return hn::BitCast(pairs, x); };
  using Pairs = decltype(as_pairs(hn::Zero(eight)));
  Pairs quads[8];  // [column mod 4 and 2 rows' half]: rows 0-3 and 4-7 by turns
  for (int half = 0; half < 2; ++half) {
    const auto a = hn::Load(eight, in(4 * half)), b = hn::Load(eight, in(4 * half + 1)), c = hn::Load(eight, in(4 * half + 2)),
               d = hn::Load(eight, in(4 * half + 3));
    const auto ab = as_pairs(hn::InterleaveLower(eight, a, b)), cd = as_pairs(hn::InterleaveLower(eight, c, d));
    const auto AB = as_pairs(hn::InterleaveUpper(eight, a, b)), CD = as_pairs(hn::InterleaveUpper(eight, c, d));
    quads[4 * half] = hn::InterleaveLower(pairs, ab, cd);  // columns 0 and 4
    quads[4 * half + 1] = hn::InterleaveUpper(pairs, ab, cd);
    quads[4 * half + 2] = hn::InterleaveLower(pairs, AB, CD);
    quads[4 * half + 3] = hn::InterleaveUpper(pairs, AB, CD);
  }
  for (int c = 0; c < 4; ++c) {
    hn::Store(hn::BitCast(eight, hn::ConcatLowerLower(pairs, quads[4 + c], quads[c])), eight, out(c));
    hn::Store(hn::BitCast(eight, hn::ConcatUpperUpper(pairs, quads[4 + c], quads[c])), eight, out(4 + c));
  }
#else
  for (int r = 0; r < 8; ++r)
    for (int c = 0; c < 8; ++c) out(c)[r] = in(r)[c];
#endif
}

CUPG_END_TARGET

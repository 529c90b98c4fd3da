// Sine and cosine together in float lanes: x = n pi/2 + r, |r| <= pi/4, a polynomial each, exchanged and signed by n mod 4
// (Cody and Waite, "Software manual for the elementary functions", 1980). Coefficients: coefficients.sollya. In double:
// std::sin and std::cos.
#pragma once
#include "concepts.hpp"
#include "lanes.hpp"

CUPG_BEGIN_TARGET

/// s = sin x, c = cos x for |x| <= pi/4: no reduction, 8 operations. Worst 0.683 ulp in s, 1.327 in c.
/// Odd and even bit by bit, but for s = +0 at x = -0 (keeping that sign would cost two operations); |c| <= 1.
template <SinglePrecision S>
CUPG_FN void sincos_quarter(S x, S& s, S& c) {
  const S z = x * x;
  S p = fma(S(-0x1.9953ep-13), z, S(0x1.110778p-7));
  p = fma(p, z, S(-0x1.555546p-3));
  s = fma(p, z * x, x);
  S q = fma(S(-0x1.64495cp-10), z, S(0x1.553e64p-5));
  q = fma(q, z, S(-0x1.ffffb2p-2));
  c = fma(q, z, S(1.0));
}
CUPG_FN void sincos_quarter(double x, double& s, double& c) {
  s = std::sin(x);
  c = std::cos(x);
}

/// s = sin x, c = cos x for |x| <= 8192. 26 operations; worst 1.629 ulp in s, 1.632 in c, near the zeros too. Odd and even
/// bit by bit, sin(-0) = -0, neither beyond 1. inf and NaN give NaN.
///
/// pi/2 is taken off in three parts of 24 bits. The first step is exact: x and n times the part are multiples of 2^-23 or of
/// x's own unit, and their difference is below 1. The second rounds r once; the third matters where r is tiny, at the zeros.
/// All parts are positive, so that for n = 0 each step adds -0 and keeps the sign of x = -0.
template <SinglePrecision S>
CUPG_FN void sincos(S x, S& s, S& c) {
  const S shifted = fma(x, S(0x1.45f306p-1), S(0x1.8p23));  // 1.5 * 2^23 + n, rounded: n mod 4 is in the last two bits
  const S n = shifted - S(0x1.8p23);
  S r = fma(n, S(-0x1.921fb4p0), x);
  r = fma(n, S(-0x1.4442dp-24), r);
  r = fma(n, S(-0x1.84698ap-48), r);
  S sin_r, cos_r;
  sincos_quarter(r, sin_r, cos_r);
  sin_r = select(r * r > S(0.0), sin_r, r);  // for the sign of zero
  const Int<S> quadrant = float_bits(shifted);
  const auto even = equal(quadrant & Int<S>(1u), Int<S>(0u));
  const Int<S> sin_sign = shift_left<30>(quadrant & Int<S>(2u));                 // quadrants 2 and 3
  const Int<S> cos_sign = shift_left<30>((quadrant + Int<S>(1u)) & Int<S>(2u));  // quadrants 1 and 2
  s = bits_float(float_bits(select(even, sin_r, cos_r)) ^ sin_sign);
  c = bits_float(float_bits(select(even, cos_r, sin_r)) ^ cos_sign);
}
CUPG_FN void sincos(double x, double& s, double& c) { sincos_quarter(x, s, c); }

CUPG_END_TARGET

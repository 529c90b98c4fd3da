// e^x in float lanes, within 1 ulp: the classical x = n ln 2 + r, |r| <= ln(2)/2, e^x = 2^n e^r (Cody and Waite, "Software
// manual for the elementary functions", 1980). Coefficients: coefficients.sollya. In double: std::exp.
#pragma once
#include "concepts.hpp"
#include "lanes.hpp"

CUPG_BEGIN_TARGET

/// The part that both functions share: x = n ln 2 + r and e^r = 1 + r p, for |x| <= 104. The returned bits end in n + offset.
///
/// Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits, without a conversion. n ln 2 is taken off in two
/// parts; the first is exact, since n times 24 bits fits the fma and x is close to it.
template <SinglePrecision S>
CUPG_FN Int<S> exp_reduce(S x, double offset, S& r, S& p) {
  const double rounding = 0x1.8p23 + offset;
  const S shifted = fma(x, S(0x1.715476p0), S(rounding));
  const S n = shifted - S(rounding);
  r = fma(n, S(-0x1.62e43p-1), x);
  r = fma(n, S(0x1.05c61p-29), r);
  p = S(0x1.686aa2p-10);
  p = fma(p, r, S(0x1.123d02p-7));
  p = fma(p, r, S(0x1.555b82p-5));
  p = fma(p, r, S(0x1.55548cp-3));
  p = fma(p, r, S(0x1.fffff8p-2));
  p = fma(p, r, S(1.0));
  return float_bits(shifted);
}

/// e^x for |x| <= 80: what is left when nothing can overflow. 12 operations; worst 0.892 ulp. exp_reduced(0) = 1.
/// The exponent is multiplied in, not added to the bits, because adding would turn a NaN into a number.
template <SinglePrecision S>
CUPG_FN S exp_reduced(S x) {
  S r, p;
  const S scale = bits_float(shift_left<23>(exp_reduce(x, 127.0, r, p)));  // 2^n: the low bits hold the biased exponent
  return fma(r * scale, p, scale);
}
CUPG_FN double exp_reduced(double x) { return std::exp(x); }

/// e^x for every x: inf above 88.73, denormals rounded like every other result, 0 below -103.98. 20 operations; worst 0.892
/// ulp. Equal to exp_reduced where that is defined.
/// 2^n itself may lie outside the exponents of float, so it is applied in two halves, 2^floor(n/2) and 2^ceil(n/2).
template <SinglePrecision S>
CUPG_FN S exp(S x) {
  x = select(x < S(-104.0), S(-104.0), x);
  x = select(x > S(89.0), S(89.0), x);
  S r, p;
  const Int<S> bits = exp_reduce(x, 254.0, r, p);
  const Int<S> half = shift_right<1>(bits);  // what is above the nine low bits falls out of the shifts below
  return fma(r, p, S(1.0)) * bits_float(shift_left<23>(half)) * bits_float(shift_left<23>(bits - half));
}
CUPG_FN double exp(double x) { return std::exp(x); }

CUPG_END_TARGET

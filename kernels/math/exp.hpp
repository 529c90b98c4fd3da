#pragma once
#include "concepts.hpp"
#include "lanes.hpp"

CUPG_BEGIN_COPY

/// x = n ln 2 + r with |r| <= ln(2)/2 and exp(r) = 1 + r p. `rounding` = 1.5 * 2^23 + an offset: added to a small number it
/// leaves round(number) + offset in the low bits, which `shifted` returns.
template <SinglePrecision S>
CUPG_FN S exp_reduce(S x, double rounding, S& r, S& p) {
  const S shifted = fma(x, S(0x1.715476p0), S(rounding));
  const S n = shifted - S(rounding);
  r = fma(n, S(-0x1.62e43p-1), x);
  r = fma(n, S(0x1.05c61p-29), r);
  p = S(1.3748747296631336212158203125e-3);
  p = fma(p, r, S(8.3690844476222991943359375e-3));
  p = fma(p, r, S(4.16696108877658843994140625e-2));
  p = fma(p, r, S(0.1666651666164398193359375));
  p = fma(p, r, S(0.49999988079071044921875));
  p = fma(p, r, S(1.0));
  return shifted;
}

template <SinglePrecision S>
CUPG_FN S exp_reduced(S x) {
  S r, p;
  const S shifted = exp_reduce(x, 12582912.0 + 127.0, r, p);
  const S scale = bits_float(shift_left<23>(float_bits(shifted)));
  return fma(r * scale, p, scale);
}
CUPG_FN double exp_reduced(double x) { return std::exp(x); }

template <SinglePrecision S>
CUPG_FN S exp(S x) {
  x = select(x < S(-104.0), S(-104.0), x);
  x = select(x > S(89.0), S(89.0), x);
  S r, p;
  const Int<S> bits = float_bits(exp_reduce(x, 12582912.0 + 254.0, r, p));
  const Int<S> half = shift_right<1>(bits);
  return fma(r, p, S(1.0)) * bits_float(shift_left<23>(half)) * bits_float(shift_left<23>(bits - half));
}
CUPG_FN double exp(double x) { return std::exp(x); }

CUPG_END_COPY

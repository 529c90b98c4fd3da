// The natural logarithm in float lanes. x = 2^e m, log x = e ln 2 + log m with m in [2/3, 4/3), as N. Juffa chooses it: then
// no cancellation occurs, and one constant for ln 2 is enough. Coefficients: coefficients.sollya. In double: std::log.
#pragma once
#include "concepts.hpp"
#include "lanes.hpp"

CUPG_BEGIN_TARGET

/// log x for every x: log 0 = -inf, NaN for negative x, right for denormals. 27 operations; worst 1.064 ulp.
template <SinglePrecision S>
CUPG_FN S log(S x) {
  const auto denormal = x < S(0x1p-126);
  const Int<S> bits = float_bits(select(denormal, x * S(0x1p23), x));
  // bits - bits of 2/3: the exponent field is e, kept positive by adding 128, the rest is m's distance from 2/3
  const Int<S> distance = bits + Int<S>(0x40000000u - 0x3f2aaaabu);
  const S e = to_float(shift_right<23>(distance)) - select(denormal, S(128.0 + 23.0), S(128.0));
  const S f = bits_float((distance & Int<S>(0x007fffffu)) + Int<S>(0x3f2aaaabu)) - S(1.0);
  S p = S(0x1.1f1bb8p-3);
  p = fma(p, f, S(-0x1.3b0c36p-3));
  p = fma(p, f, S(0x1.1eaacap-3));
  p = fma(p, f, S(-0x1.5038e4p-3));
  p = fma(p, f, S(0x1.99d398p-3));
  p = fma(p, f, S(-0x1.00144ep-2));
  p = fma(p, f, S(0x1.5554fcp-2));
  p = fma(p, f, S(-0x1.ffffd6p-2));
  const S y = fma(e, S(0x1.62e43p-1), fma(p, f * f, f));
  const S not_positive = select(x < S(0.0), S(__builtin_nan("")), S(-__builtin_inf()));
  return select(x <= S(0.0), not_positive, select(x < S(__builtin_inf()), y, x));  // NaN fails both comparisons and stays
}
CUPG_FN double log(double x) { return std::log(x); }

CUPG_END_TARGET

#pragma once
#include "concepts.hpp"
#include "lanes.hpp"

CUPG_BEGIN_COPY

template <SinglePrecision S>
CUPG_FN S log(S x) {
  const S infinity = S(__builtin_inf());
  // denormals are scaled into the normal range first
  const auto denormal = x < S(0x1p-126);
  const Int<S> bits = float_bits(select(denormal, x * S(0x1p23), x));
  const Int<S> shifted = bits + Int<S>(0x40000000u - 0x3f2aaaabu);
  const S e = to_float(shift_right<23>(shifted)) - select(denormal, S(128.0 + 23.0), S(128.0));
  const S f = bits_float((shifted & Int<S>(0x007fffffu)) + Int<S>(0x3f2aaaabu)) - S(1.0);
  S p = S(0.140187680721282958984375);
  p = fma(p, f, S(-0.15383188426494598388671875));
  p = fma(p, f, S(0.139974534511566162109375));
  p = fma(p, f, S(-0.1641710102558135986328125));
  p = fma(p, f, S(0.20011059939861297607421875));
  p = fma(p, f, S(-0.2500774562358856201171875));
  p = fma(p, f, S(0.333332002162933349609375));
  p = fma(p, f, S(-0.4999993741512298583984375));
  const S y = fma(e, S(0x1.62e43p-1), fma(p, f * f, f));
  const S at_end = select(x < S(0.0), S(__builtin_nan("")), S(0.0) - infinity);
  return select(x <= S(0.0), at_end, select(x < infinity, y, x));
}
CUPG_FN double log(double x) { return std::log(x); }

CUPG_END_COPY

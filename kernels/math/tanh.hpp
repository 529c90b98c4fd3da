#pragma once
#include "concepts.hpp"
#include "exp.hpp"
#include "lanes.hpp"

CUPG_BEGIN_COPY

template <SinglePrecision S>
CUPG_FN S tanh(S x) {
  S a = abs(x);
  a = select(a > S(9.0), S(9.0), a);
  const S z = a * a;
  S p = S(1.64375816677700008331348631678597022512549464344599155e-2);
  p = fma(p, z, S(-5.267181328776099175575410361201914777150157858601e-2));
  p = fma(p, z, S(0.1332072505252560272255704833103836848056581299575467));
  p = fma(p, z, S(-0.33332946636443864076337788102400063263828791839479));
  const S small = fma(p, a * z, a);
  const S large = S(1.0) - S(2.0) / (exp_reduced(a + a) + S(1.0));
  const S y = select(a < S(0.55), small, large);
  return bits_float(float_bits(y) | (float_bits(x) & Int<S>(0x80000000u)));
}
CUPG_FN double tanh(double x) { return std::tanh(x); }

CUPG_END_COPY

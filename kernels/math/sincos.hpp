#pragma once
#include "concepts.hpp"
#include "lanes.hpp"

CUPG_BEGIN_COPY

template <SinglePrecision S>
CUPG_FN void sincos_quarter(S x, S& s, S& c) {
  const S z = x * x;
  const S p = fma(fma(S(-1.9518262706696987152099609375e-4), z, S(8.3321891725063323974609375e-3)), z, S(-0.16666655242443084716796875));
  s = fma(p, z * x, x);
  c = fma(fma(fma(S(-1.35912536643445491790771484375e-3), z, S(4.1655726730823516845703125e-2)), z, S(-0.4999988377094268798828125)), z, S(1.0));
}
CUPG_FN void sincos_quarter(double x, double& s, double& c) { s = std::sin(x), c = std::cos(x); }

template <SinglePrecision S>
CUPG_FN void sincos(S x, S& s, S& c) {
  const S shifted = fma(x, S(0x1.45f306dc9c883p-1), S(12582912.0));
  const S n = shifted - S(12582912.0);
  S r = fma(n, S(-0x1.921fb4p0), x);
  r = fma(n, S(-0x1.4442d0p-24), r);
  r = fma(n, S(-0x1.84698ap-48), r);
  S sin_r, cos_r;
  sincos_quarter(r, sin_r, cos_r);
  const Int<S> quadrant = float_bits(shifted);
  const auto even = equal(quadrant & Int<S>(1), Int<S>(0));
  const Int<S> sin_sign = shift_left<30>(quadrant & Int<S>(2)), cos_sign = shift_left<30>((quadrant + Int<S>(1)) & Int<S>(2));
  s = bits_float(float_bits(select(even, sin_r, cos_r)) ^ sin_sign);
  c = bits_float(float_bits(select(even, cos_r, sin_r)) ^ cos_sign);
}
CUPG_FN void sincos(double x, double& s, double& c) { s = std::sin(x), c = std::cos(x); }

CUPG_END_COPY

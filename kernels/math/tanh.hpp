// The hyperbolic tangent in float lanes, the activation of wide networks: one division, no exponent bits, no clamp.
// Coefficients: coefficients.sollya. In double: std::tanh.
#pragma once
#include "concepts.hpp"
#include "lanes.hpp"

CUPG_BEGIN_TARGET

/// tanh x for every x: odd bit by bit, tanh(-0) = -0, +-1 at the ends, never beyond. 24 operations, one of them a division;
/// worst 1.821 ulp.
///
///   |x| < 1   x + x^3 p(x^2)
///   |x| >= 1  1 - 2 / (1 + e^2|x|), e^2|x| = g^4 with a polynomial g of degree 7. An error in e^2|x| counts less and less as
///             |x| grows, so one polynomial serves all x (g^4 grows to inf, which gives 1); for e^2|x| itself it would take
///             degree 13, and by way of exp_reduced one operation more and a clamp.
///
/// A single rational function x P(x^2) / Q(x^2), as in Eigen, takes 14 operations and a division, but errs by 5 ulp where tanh
/// nears 1, and exceeds 1.
template <SinglePrecision S>
CUPG_FN S tanh(S x) {
  const S a = abs(x), z = x * x;
  S p = S(0x1.155a94p-10);
  p = fma(p, z, S(-0x1.9a297p-8));
  p = fma(p, z, S(0x1.4d8f32p-6));
  p = fma(p, z, S(-0x1.b641dcp-5));
  p = fma(p, z, S(0x1.10ecb2p-3));
  p = fma(p, z, S(-0x1.55546cp-2));
  const S below = fma(p, a * z, a);

  S g = S(0x1.8b58bep-18);
  g = fma(g, a, S(-0x1.91e5c4p-16));
  g = fma(g, a, S(0x1.03ced4p-11));
  g = fma(g, a, S(0x1.f51784p-10));
  g = fma(g, a, S(0x1.695958p-6));
  g = fma(g, a, S(0x1.fac8cap-4));
  g = fma(g, a, S(0x1.005ea2p-1));
  g = fma(g, a, S(0x1.ffe98ap-1));
  g = g * g;
  const S above = S(1.0) - S(2.0) / fma(g, g, S(1.0));

  const S y = select(a < S(1.0), below, above);
  return bits_float(float_bits(y) | (float_bits(x) & Int<S>(0x80000000u)));
}
CUPG_FN double tanh(double x) { return std::tanh(x); }

CUPG_END_TARGET

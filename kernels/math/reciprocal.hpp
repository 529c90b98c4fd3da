// 1 / x from a guess that is already good to about 1e-3: one Newton step in the float lanes (two fma; a division occupies
// the divider for some ten cycles per vector), a true division in double.
#pragma once
#include "lanes.hpp"

CUPG_BEGIN_TARGET

template <class S>
CUPG_FN S reciprocal_from(S x, S guess) {
  return fma(guess, fma(S(0.0) - x, guess, S(1.0)), guess);
}
CUPG_FN double reciprocal_from(double x, double) { return 1.0 / x; }

CUPG_END_TARGET

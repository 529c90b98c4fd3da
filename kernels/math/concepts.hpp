// Which lane types the float formulas of kernels/math accept.
#pragma once
#include <concepts>

#include "lanes.hpp"

CUPG_BEGIN_TARGET

/// Every float lane type: one whose bits can be taken apart and put together again. double and the differentiation scalars
/// are left out, so that they bring their own exp, log, ... and oracles never share our polynomials.
template <class S>
concept SinglePrecision = requires(S x, Int<S> bits) {
  { float_bits(x) } -> std::same_as<Int<S>>;
  { bits_float(bits) } -> std::same_as<S>;
};

CUPG_END_TARGET

// ADOL-C's number as a lane type: what is computed with it is written on a tape, which the reverse mode then reads backwards. Source:
// Griewank, Juedes, Utke, "Algorithm 755: ADOL-C" (1996).
//
// Comparisons stay on the tape: select is ADOL-C's condassign, so one tape holds for all parameters.
#pragma once
#include <adolc/adouble.h>

#include "kernels/math/lanes.hpp"

namespace cupg::gradcheck {

/// a < b: whether `margin` = b - a is positive, when the tape is read.
struct TapedMask {
  adouble margin;
};

struct Taped {
  adouble x;
  Taped() = default;
  explicit Taped(double value) : x(value) {}
  explicit Taped(const adub& value) : x(value) {}

  friend Taped operator+(const Taped& a, const Taped& b) { return Taped(a.x + b.x); }
  friend Taped operator-(const Taped& a, const Taped& b) { return Taped(a.x - b.x); }
  friend Taped operator*(const Taped& a, const Taped& b) { return Taped(a.x * b.x); }
  friend Taped operator/(const Taped& a, const Taped& b) { return Taped(a.x / b.x); }
  friend TapedMask operator<(const Taped& a, const Taped& b) { return {b.x - a.x}; }
  friend TapedMask operator>(const Taped& a, const Taped& b) { return {a.x - b.x}; }
  friend Taped select(const TapedMask& mask, const Taped& a, const Taped& b) {
    Taped y(0.0);
    condassign(y.x, mask.margin, a.x, b.x);  // a where the margin is > 0
    return y;
  }
  friend Taped select(bool mask, const Taped& a, const Taped& b) { return mask ? a : b; }
  friend Taped raise_to(const Taped& a, const Taped& low) { return select(a < low, low, a); }
  friend Taped lower_to(const Taped& a, const Taped& high) { return select(a > high, high, a); }
  friend Taped fma(const Taped& a, const Taped& b, const Taped& c) { return Taped(a.x * b.x + c.x); }
  friend Taped exp(const Taped& a) { return Taped(exp(a.x)); }
  friend Taped exp_reduced(const Taped& a) { return exp(a); }
  friend Taped log(const Taped& a) { return Taped(log(a.x)); }
  friend Taped tanh(const Taped& a) { return Taped(tanh(a.x)); }
  friend Taped sqrt(const Taped& a) { return Taped(sqrt(a.x)); }
};

}  // namespace cupg::gradcheck

CUPG_BEGIN_TARGET

template <>
struct LaneTraits<gradcheck::Taped> : LaneTraits<double> {
  using Mask = gradcheck::TapedMask;
};
template <>
struct Splat<gradcheck::Taped> {
  static gradcheck::Taped of(double x) { return gradcheck::Taped(x); }
};

CUPG_END_TARGET

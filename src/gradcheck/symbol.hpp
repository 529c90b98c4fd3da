// GiNaC's expressions as a lane type. Source: Bauer, Frink, Kreckel, "Introduction to the GiNaC framework" (2002).
//
// An expression knows no branches, so beside it goes its value at the sample: comparisons look at the values, and the expression is that
// of the branch taken.
#pragma once
#include <ginac/ginac.h>

#include <cmath>

#include "kernels/math/lanes.hpp"

namespace cupg::gradcheck {

struct Symbolic {
  GiNaC::ex e;
  double v = 0;
  Symbolic() = default;
  /// Whole numbers are exact, so that 0 and 1 vanish from sums and products.
  explicit Symbolic(double value)
      : e(value == std::rint(value) ? GiNaC::numeric(static_cast<long>(value)) : GiNaC::numeric(value)), v(value) {}
  Symbolic(const GiNaC::ex& expression, double value) : e(expression), v(value) {}

  friend Symbolic operator+(const Symbolic& a, const Symbolic& b) { return {a.e + b.e, a.v + b.v}; }
  friend Symbolic operator-(const Symbolic& a, const Symbolic& b) { return {a.e - b.e, a.v - b.v}; }
  friend Symbolic operator*(const Symbolic& a, const Symbolic& b) { return {a.e * b.e, a.v * b.v}; }
  friend Symbolic operator/(const Symbolic& a, const Symbolic& b) { return {a.e / b.e, a.v / b.v}; }
  friend bool operator<(const Symbolic& a, const Symbolic& b) { return a.v < b.v; }
  friend bool operator>(const Symbolic& a, const Symbolic& b) { return a.v > b.v; }
  friend Symbolic select(bool mask, const Symbolic& a, const Symbolic& b) { return mask ? a : b; }
  friend Symbolic fma(const Symbolic& a, const Symbolic& b, const Symbolic& c) { return a * b + c; }
  friend Symbolic exp(const Symbolic& a) { return {GiNaC::exp(a.e), std::exp(a.v)}; }
  friend Symbolic exp_reduced(const Symbolic& a) { return exp(a); }
  friend Symbolic log(const Symbolic& a) { return {GiNaC::log(a.e), std::log(a.v)}; }
  friend Symbolic tanh(const Symbolic& a) { return {GiNaC::tanh(a.e), std::tanh(a.v)}; }
  friend Symbolic sqrt(const Symbolic& a) { return {GiNaC::sqrt(a.e), std::sqrt(a.v)}; }
};

}  // namespace cupg::gradcheck

CUPG_BEGIN_TARGET

template <>
struct LaneTraits<gradcheck::Symbolic> : LaneTraits<double> {};
template <>
struct Splat<gradcheck::Symbolic> {
  static gradcheck::Symbolic of(double x) { return gradcheck::Symbolic(x); }
};

CUPG_END_TARGET

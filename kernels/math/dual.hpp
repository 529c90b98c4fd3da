// Forward-mode automatic differentiation: Dual<N, S> is a number with its derivatives with respect to N variables, in every
// lane of S. A function that is a template on the lane type is differentiated by being called with it.
// Source: Griewank, Walther, "Evaluating derivatives" (2008), chapter 3.
//
//   (x, x') + (y, y') = (x + y, x' + y'),  (x, x') (y, y') = (x y, x y' + y x'),  f(x, x') = (f(x), f'(x) x')
//
// A comparison looks at the values alone: a derivative is that of the branch taken, as in the hand-written gradients.
#pragma once
#include "exp.hpp"
#include "lanes.hpp"
#include "log.hpp"
#include "tanh.hpp"

CUPG_BEGIN_TARGET

template <int N, class S>
struct Dual {
  S x;
  S d[N];

  Dual() = default;
  CUPG_FN explicit Dual(double value) : x(S(value)) {
    for (int i = 0; i < N; ++i) d[i] = S(0.0);
  }
  static CUPG_FN Dual constant(S value) {
    Dual y(0.0);
    y.x = value;
    return y;
  }
  /// Variable number i.
  static CUPG_FN Dual variable(S value, int i) {
    Dual y = constant(value);
    y.d[i] = S(1.0);
    return y;
  }
  /// f(x) with derivative slope = f'(x), by the chain rule.
  CUPG_FN Dual chain(S value, S slope) const {
    Dual y;
    y.x = value;
    for (int i = 0; i < N; ++i) y.d[i] = slope * d[i];
    return y;
  }
};

template <int N, class S>
struct LaneTraits<Dual<N, S>> : LaneTraits<S> {};

template <int N, class S>
CUPG_FN Dual<N, S> operator+(Dual<N, S> a, Dual<N, S> b) {
  for (int i = 0; i < N; ++i) a.d[i] = a.d[i] + b.d[i];
  a.x = a.x + b.x;
  return a;
}
template <int N, class S>
CUPG_FN Dual<N, S> operator-(Dual<N, S> a, Dual<N, S> b) {
  for (int i = 0; i < N; ++i) a.d[i] = a.d[i] - b.d[i];
  a.x = a.x - b.x;
  return a;
}
template <int N, class S>
CUPG_FN Dual<N, S> operator*(Dual<N, S> a, Dual<N, S> b) {
  for (int i = 0; i < N; ++i) a.d[i] = fma(a.x, b.d[i], b.x * a.d[i]);
  a.x = a.x * b.x;
  return a;
}
template <int N, class S>
CUPG_FN Dual<N, S> operator/(Dual<N, S> a, Dual<N, S> b) {
  const S inverse = S(1.0) / b.x, quotient = a.x / b.x;
  for (int i = 0; i < N; ++i) a.d[i] = (a.d[i] - quotient * b.d[i]) * inverse;
  a.x = quotient;
  return a;
}
template <int N, class S>
CUPG_FN Mask<S> operator<(Dual<N, S> a, Dual<N, S> b) {
  return a.x < b.x;
}
template <int N, class S>
CUPG_FN Mask<S> operator>(Dual<N, S> a, Dual<N, S> b) {
  return a.x > b.x;
}
template <int N, class S, class M>
CUPG_FN Dual<N, S> select(M mask, Dual<N, S> a, Dual<N, S> b) {
  a.x = select(mask, a.x, b.x);
  for (int i = 0; i < N; ++i) a.d[i] = select(mask, a.d[i], b.d[i]);
  return a;
}
template <int N, class S>
CUPG_FN Dual<N, S> raise_to(Dual<N, S> x, Dual<N, S> low) {
  return select(x.x < low.x, low, x);
}
template <int N, class S>
CUPG_FN Dual<N, S> lower_to(Dual<N, S> x, Dual<N, S> high) {
  return select(x.x > high.x, high, x);
}
template <int N, class S>
CUPG_FN Dual<N, S> abs(Dual<N, S> a) {
  return a.chain(abs(a.x), select(a.x < S(0.0), S(-1.0), S(1.0)));
}
template <int N, class S>
CUPG_FN Dual<N, S> fma(Dual<N, S> a, Dual<N, S> b, Dual<N, S> c) {
  for (int i = 0; i < N; ++i) c.d[i] = fma(a.x, b.d[i], fma(b.x, a.d[i], c.d[i]));
  c.x = fma(a.x, b.x, c.x);
  return c;
}
template <int N, class S>
CUPG_FN Dual<N, S> sqrt(Dual<N, S> a) {
  const S y = sqrt(a.x);
  return a.chain(y, S(0.5) / y);
}
template <int N, class S>
CUPG_FN Dual<N, S> exp(Dual<N, S> a) {
  const S y = exp(a.x);
  return a.chain(y, y);
}
template <int N, class S>
CUPG_FN Dual<N, S> exp_reduced(Dual<N, S> a) {
  const S y = exp_reduced(a.x);
  return a.chain(y, y);
}
template <int N, class S>
CUPG_FN Dual<N, S> log(Dual<N, S> a) {
  return a.chain(log(a.x), S(1.0) / a.x);
}
template <int N, class S>
CUPG_FN Dual<N, S> tanh(Dual<N, S> a) {
  const S y = tanh(a.x);
  return a.chain(y, S(1.0) - y * y);
}

/// A coefficient is a constant.
template <int N, class S>
struct Splat<Dual<N, S>> {
  static CUPG_FN Dual<N, S> of(Scalar<S> x) { return Dual<N, S>::constant(splat<S>(x)); }
};

CUPG_END_TARGET

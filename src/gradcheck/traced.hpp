// A number that remembers which way the comparisons of a computation went: two points between which one went another way have a kink
// (ReLU, clip, max) between them, and their difference is no derivative.
#pragma once
#include <cstdint>

#include "kernels/math/exp.hpp"
#include "kernels/math/lanes.hpp"
#include "kernels/math/log.hpp"
#include "kernels/math/tanh.hpp"

namespace cupg::gradcheck {

/// The comparisons of a scope, as a hash of their outcomes in order. Scopes do not nest.
class BranchRecord {
 public:
  BranchRecord() { state_ = kSeed; }
  std::uint64_t hash() const { return state_; }
  static bool note(bool outcome) {
    state_ = (state_ ^ (outcome ? 2u : 1u)) * 0x100000001b3u;  // FNV-1a
    return outcome;
  }

 private:
  static constexpr std::uint64_t kSeed = 0xcbf29ce484222325u;
  inline static thread_local std::uint64_t state_ = kSeed;
};

template <class Real>
struct Traced {
  Real x;
  Traced() = default;
  explicit Traced(double value) : x(static_cast<Real>(value)) {}
  static Traced of(Real value) {
    Traced t;
    t.x = value;
    return t;
  }

  friend Traced operator+(Traced a, Traced b) { return of(a.x + b.x); }
  friend Traced operator-(Traced a, Traced b) { return of(a.x - b.x); }
  friend Traced operator*(Traced a, Traced b) { return of(a.x * b.x); }
  friend Traced operator/(Traced a, Traced b) { return of(a.x / b.x); }
  friend bool operator<(Traced a, Traced b) { return BranchRecord::note(a.x < b.x); }
  friend bool operator>(Traced a, Traced b) { return BranchRecord::note(a.x > b.x); }
  friend Traced select(bool mask, Traced a, Traced b) { return mask ? a : b; }
  friend Traced fma(Traced a, Traced b, Traced c) { return of(cupg::fma(a.x, b.x, c.x)); }
  friend Traced sqrt(Traced a) { return of(cupg::sqrt(a.x)); }
  friend Traced exp(Traced a) { return of(cupg::exp(a.x)); }
  friend Traced exp_reduced(Traced a) { return of(cupg::exp_reduced(a.x)); }
  friend Traced log(Traced a) { return of(cupg::log(a.x)); }
  friend Traced tanh(Traced a) { return of(cupg::tanh(a.x)); }
};

}  // namespace cupg::gradcheck

CUPG_BEGIN_TARGET

template <class Real>
struct LaneTraits<gradcheck::Traced<Real>> : LaneTraits<Real> {};

template <class Real>
struct Splat<gradcheck::Traced<Real>> {
  static gradcheck::Traced<Real> of(Real x) { return gradcheck::Traced<Real>::of(x); }
};

CUPG_END_TARGET

// Differences of the loss.
//
//   forward:  (L(x + h) - L(x)) / h         error ~ h |L''| / 2 + 2 eps |L| / h       least near h = sqrt(eps)    = 1.5e-8
//   central:  (L(x + h) - L(x - h)) / 2h    error ~ h^2 |L'''| / 6 + eps |L| / h      least near h = cbrt(eps)    = 6.1e-6
//
// Truncation falls with h, rounding rises as 1 / h: over h the errors are two Vs. x + h is rounded to a number, so the difference is
// divided by the distance of the numbers, not by h. Where a comparison (ReLU, clip, max) of a sample goes another way at one of the
// points than at x, the sample is left out of that parameter's difference, and of the gradient that it is compared with.
#pragma once
#include <cmath>
#include <vector>

#include "src/gradcheck/errors.hpp"
#include "src/gradcheck/frozen.hpp"
#include "src/gradcheck/stopwatch.hpp"

namespace cupg::gradcheck {

inline const double kForwardStep = std::sqrt(2.220446049250313e-16), kCentralStep = std::cbrt(2.220446049250313e-16);

/// Derivatives by differences with one h, of the parameters `which`; of the others 0.
struct Differences {
  double h = 0;
  std::vector<double> forward, central;                              ///< [parameters]
  std::vector<double> forward_expected, central_expected;            ///< the hand-written gradient of the samples that took part
  std::int64_t pairs = 0, forward_skipped = 0, central_skipped = 0;  ///< parameters x samples
  std::int64_t evaluations = 0;                                      ///< of the loss of all samples
  double seconds = 0;
};

template <class Env, class Objective>
class Numerical {
 public:
  explicit Numerical(const Frozen& f) : f_(f), network_(f.network), parameters_(parameters_in<Number>(f)), middle_(evaluate()) {
    for (const std::uint32_t i : f.all()) {
      gradients_.push_back(hand_written<Env, Objective, double>(f, {i}));  // of the mean or sum over one sample: of J itself
    }
  }

  /// `both`: central differences, too.
  Differences differences(double h, const std::vector<int>& which, bool both = true) {
    const Stopwatch watch;
    const std::size_t n = parameters_.size();
    Differences d;
    d.h = h;
    d.forward = d.central = d.forward_expected = d.central_expected = std::vector<double>(n);
    d.evaluations = 1;
    for (const int number : which) {
      const auto i = static_cast<std::size_t>(number);
      const double x = parameters_[i].x, high = x + h, low = x - h;
      parameters_[i].x = high;
      const std::vector<Value> above = evaluate();
      parameters_[i].x = low;
      const std::vector<Value> below = both ? evaluate() : middle_;
      parameters_[i].x = x;
      d.evaluations += both ? 2 : 1;
      double at_high = 0, at_x = 0, up = 0, down = 0;
      for (std::size_t s = 0; s < middle_.size(); ++s) {
        d.pairs += 1;
        const bool smooth_above = above[s].branches == middle_[s].branches, smooth_below = below[s].branches == middle_[s].branches;
        if (smooth_above) {
          at_high += above[s].loss;
          at_x += middle_[s].loss;
          d.forward_expected[i] += gradients_[s][i] * f_.scale();
        } else {
          d.forward_skipped += 1;
        }
        if (smooth_above && smooth_below) {
          up += above[s].loss;
          down += below[s].loss;
          d.central_expected[i] += gradients_[s][i] * f_.scale();
        } else {
          d.central_skipped += 1;
        }
      }
      d.forward[i] = (at_high - at_x) * f_.scale() / (high - x);
      d.central[i] = (up - down) * f_.scale() / (high - low);
    }
    d.seconds = watch.seconds();
    return d;
  }

 private:
  using Number = Traced<double>;
  struct Value {
    double loss;
    std::uint64_t branches;
  };
  std::vector<Value> evaluate() const {
    std::vector<Value> values;
    for (const FrozenSample& s : f_.samples) {
      const BranchRecord record;
      const double loss = sample_loss<Objective, Env::kActions>(f_, network_, parameters_.data(), s).x;
      values.push_back({loss, record.hash()});
    }
    return values;
  }

  const Frozen& f_;
  const reference::Network<Number> network_;
  std::vector<Number> parameters_;
  const std::vector<Value> middle_;
  std::vector<std::vector<double>> gradients_;  // [sample][parameter] of J
};

}  // namespace cupg::gradcheck

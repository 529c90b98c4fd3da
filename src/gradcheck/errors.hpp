// How far two gradients are apart, block by block.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cupg/network.hpp"

namespace cupg::gradcheck {

/// A block's error is max |a - b| over max |b|, both over the block. A block all of whose b lie below this share of the largest |b| of
/// all is measured by that share instead: a difference sees the loss as a whole, and no method can tell more of a block whose influence
/// is that small.
inline constexpr double kSmallestBlock = 1e-4;

inline double largest(const std::vector<double>& x) {
  double y = 0;
  for (const double v : x) y = std::max(y, std::abs(v));
  return y;
}

/// [blocks + 1], the last over all blocks as one. `which`: the parameters to compare. NaN where none of a block is among them; a NaN in a
/// becomes infinity, so that it exceeds every limit. `scale`: the gradient whose magnitude counts, b itself where it is empty.
inline std::vector<double> block_errors(const std::vector<TensorInfo>& blocks, const std::vector<double>& a, const std::vector<double>& b,
                                        const std::vector<int>& which, const std::vector<double>& scale = {}) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();
  const std::vector<double>& size = scale.empty() ? b : scale;
  const double all = largest(size);
  std::vector<double> errors;
  const auto add = [&](int begin, int end, double smallest) {
    double difference = 0, magnitude = smallest;
    bool any = false;
    for (int i = begin; i < end; ++i) magnitude = std::max(magnitude, std::abs(size[static_cast<std::size_t>(i)]));
    for (const int i : which) {
      if (i < begin || i >= end) continue;
      any = true;
      const double d = std::abs(a[static_cast<std::size_t>(i)] - b[static_cast<std::size_t>(i)]);
      difference = d >= 0 ? std::max(difference, d) : kInfinity;
    }
    errors.push_back(!any ? kNone : difference == 0 ? 0 : difference / magnitude);
  };
  for (const TensorInfo& t : blocks) add(t.offset, t.offset + t.elements(), kSmallestBlock * all);
  add(0, static_cast<int>(b.size()), 0);
  return errors;
}

/// The largest of them, NaN ignored.
inline double worst(const std::vector<double>& errors) {
  double y = 0;
  for (const double e : errors)
    if (!(e <= y) && e == e) y = e;
  return y;
}

template <class T>
std::vector<double> to_doubles(const std::vector<T>& x) {
  return {x.begin(), x.end()};
}

/// 0 .. n - 1.
inline std::vector<int> every(std::size_t n) {
  std::vector<int> which(n);
  for (std::size_t i = 0; i < n; ++i) which[i] = static_cast<int>(i);
  return which;
}
/// At most `most` parameters, evenly spread, and at least four of every block where it has as many.
inline std::vector<int> spread(const std::vector<TensorInfo>& blocks, std::size_t n, std::size_t most) {
  if (n <= most) return every(n);
  std::vector<int> which;
  for (const TensorInfo& t : blocks) {
    const int share = static_cast<int>(most * static_cast<std::size_t>(t.elements()) / n), k = std::min(t.elements(), std::max(4, share));
    for (int i = 0; i < k; ++i) which.push_back(t.offset + static_cast<int>(static_cast<std::int64_t>(i) * t.elements() / k));
  }
  return which;
}

}  // namespace cupg::gradcheck

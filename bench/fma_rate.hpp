// The processor's limit that the micro-benchmarks stand beside.
#pragma once
#include <algorithm>
#include <chrono>
#include <functional>
#include <map>

#include "src/engine/cpu_ops.hpp"

namespace cupg::bench {

inline double seconds_of(const std::function<void()>& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Lane fma a second, the best of five.
inline double fma_rate(const CpuOps& ops) {
  static std::map<const CpuOps*, double> known;
  double& best = known[&ops];
  for (int i = 0; i < 5 && known[&ops] >= 0; ++i) {
    std::int64_t done = 0;
    const double seconds = seconds_of([&] { done = ops.bench_fma(2'000'000); });
    best = std::max(best, static_cast<double>(done) / seconds);
  }
  return best;
}

}  // namespace cupg::bench

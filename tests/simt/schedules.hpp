#pragma once
#include "kernels/simt/simt.hpp"
#include "tests/support/scale.hpp"

namespace cupg_test {

/// Runs body(seed) under the ascending schedule, seed 0, and under shuffled ones.
template <class Body>
void under_schedules(int count, Body body) {
  for (int seed = 0; seed < scaled(count, 3); ++seed) {
    const cupg::simt::WithOptions scope({.seed = static_cast<std::uint64_t>(seed)});
    body(seed);
  }
}

}  // namespace cupg_test

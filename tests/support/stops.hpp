#pragma once
#include <gtest/gtest.h>

#include <atomic>

#include "tests/support/bits.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/snapshots.hpp"

namespace cupg_test {

/// An engine of make() that is told to stop at its first look, its second, ...: it has made all its updates or none, and goes on to the
/// bits of one that was never stopped.
template <class Make>
void expect_whole_updates(Make make) {
  constexpr std::int64_t kUpdates = 3;
  const auto whole = make();
  whole->reset(0, 7);
  const std::vector<float> before = parameters(*whole);
  const cupg::UpdateReport want = update(*whole, kUpdates);
  const auto engine = make();
  int stopped = 0;
  for (int at = 1;; at += 1 + at / 8) {
    engine->stop_when({});
    engine->reset(0, 7);
    std::atomic<int> looks{0};
    engine->stop_when([&] { return ++looks >= at; });
    const cupg::UpdateReport first = update(*engine, kUpdates);
    EXPECT_TRUE(first.finite && first.parameters_finite);
    if (first.updates == kUpdates) break;
    ++stopped;
    EXPECT_EQ(first.updates, 0) << at;
    EXPECT_EQ(first.env_steps, 0) << at;
    EXPECT_EQ(first.episodes.episodes, 0) << at;
    EXPECT_TRUE(same_bits(before, parameters(*engine))) << at << " looks";
    engine->stop_when({});
    const cupg::EvaluationRequest request{.episodes = 8};
    const auto other = make();
    other->reset(0, 7);
    EXPECT_EQ(engine->evaluate(0, request).returns, other->evaluate(0, request).returns) << "plays other parameters than it has";
    const cupg::UpdateReport again = update(*engine, kUpdates);
    EXPECT_EQ(again.updates, want.updates);
    EXPECT_EQ(again.env_steps, want.env_steps);
    EXPECT_EQ(again.episodes.episodes, want.episodes.episodes) << at;
    EXPECT_EQ(again.episodes.steps, want.episodes.steps) << at;
    expect_same_snapshots(*whole, *engine, 0, "stopped at look " + std::to_string(at));
  }
  EXPECT_GT(stopped, 5) << "looks within " << kUpdates << " updates";
}

}  // namespace cupg_test

#pragma once
#include <gtest/gtest.h>

#include <atomic>

#include "tests/support/bits.hpp"
#include "tests/support/engines.hpp"

namespace cupg_test {

/// An engine of make() that is told to stop at its first look, its second, ...: what it reports and leaves must be those of the updates
/// that it has made to their end.
template <class Make>
void expect_whole_updates(Make make) {
  constexpr std::int64_t kUpdates = 3;
  std::vector<cupg::UpdateReport> reports{{}};
  std::vector<std::vector<float>> after;
  {
    const auto engine = make();
    engine->reset(0, 7);
    after.push_back(parameters(*engine));
    for (std::int64_t k = 0; k < kUpdates; ++k) {
      cupg::UpdateReport sum = reports.back();
      const cupg::UpdateReport one = update(*engine, 1);
      sum.updates += one.updates, sum.env_steps += one.env_steps, sum.episodes += one.episodes;
      reports.push_back(sum);
      after.push_back(parameters(*engine));
    }
  }
  const auto engine = make();
  std::vector<int> seen(kUpdates + 1, 0);
  for (int at = 1; seen[kUpdates] == 0; at += 1 + at / 8) {
    engine->stop_when({});
    engine->reset(0, 7);
    std::atomic<int> looks{0};
    engine->stop_when([&] { return ++looks >= at; });
    const cupg::UpdateReport r = update(*engine, kUpdates);
    ASSERT_LE(r.updates, kUpdates);
    const auto k = static_cast<std::size_t>(r.updates);
    ++seen[k];
    EXPECT_TRUE(r.finite && r.parameters_finite);
    EXPECT_EQ(r.env_steps, reports[k].env_steps) << at;
    EXPECT_EQ(r.episodes.episodes, reports[k].episodes.episodes) << at;
    EXPECT_EQ(r.episodes.steps, reports[k].episodes.steps) << at;
    EXPECT_TRUE(same_bits(after[k], parameters(*engine))) << at << " looks, " << k << " updates";
    const cupg::EvaluationRequest request{.episodes = 8};
    if (!engine->evaluate(0, request).complete) continue;  // it looks there, too
    const auto other = make();
    other->reset(0, 7);
    other->set_parameters(0, after[k]);
    EXPECT_EQ(engine->evaluate(0, request).returns, other->evaluate(0, request).returns) << "plays other parameters than it has";
  }
  for (std::int64_t k = 0; k < kUpdates; ++k) EXPECT_GT(seen[static_cast<std::size_t>(k)], 1) << "stopped within update " << k + 1;
}

}  // namespace cupg_test

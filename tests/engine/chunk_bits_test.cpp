// Updates that run in chunks end in the reference engine's bits too: every instruction set, 1, 2, 3 and 7 threads, alone and as one of
// several agents, over a table in which every two settings meet.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "tests/support/bits.hpp"
#include "tests/support/chunk_cases.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/falling_rate.hpp"
#include "tests/support/pairwise.hpp"
#include "tests/support/scale.hpp"

namespace {

using namespace cupg_test;

void expect_case(const ChunkCase& c, std::size_t number) {
  constexpr std::uint64_t kSeed = 0x5eed00000005u;
  const auto reference = reference_engine(c.config);
  reference->reset(0, kSeed);
  const cupg::UpdateReport report = update(*reference, c.updates);
  const std::vector<float> want = parameters(*reference);
  for (const float p : want) ASSERT_TRUE(std::isfinite(p)) << c.name;
  count_shape(c.name);
  const int all_threads[] = {1, 2, 3, 7};
  const std::vector<cupg::Isa> isas = cupg::available_isas();
  for (std::size_t i = 0; i < isas.size(); ++i)
    for (std::size_t k = 0; k < 4; ++k) {
      if (k != 0 && (number + i) % 3 + 1 != k) continue;
      const auto engine = cpu_engine(c.config, isas[i], all_threads[k]);
      engine->reset(0, kSeed);
      const cupg::UpdateReport got = update(*engine, c.updates);
      EXPECT_TRUE(same_bits(want, parameters(*engine))) << c.name << ", " << text(isas[i]) << ", " << all_threads[k] << " threads";
      EXPECT_EQ(got.env_steps, report.env_steps) << c.name;
      EXPECT_EQ(got.episodes.steps, report.episodes.steps) << c.name;
      EXPECT_EQ(got.episodes.returns, report.episodes.returns) << c.name;
      EXPECT_EQ(got.episodes.terminated, report.episodes.terminated) << c.name;
      count_comparison("chunked update", text(isas[i]) + " x" + std::to_string(all_threads[k]));
    }
  if (number % 2 != 0) return;
  const std::size_t which = number / 2 % isas.size();
  const auto engine = cpu_engine(c.config, isas[which], number % 4 == 0 ? 1 : 2, 3);
  for (int a = 0; a < 3; ++a) engine->reset(a, a == 1 ? kSeed : static_cast<std::uint64_t>(a));
  const int agents[] = {0, 1, 2};
  cupg::UpdateReport reports[3];
  engine->update(agents, c.updates, reports);
  EXPECT_TRUE(same_bits(want, engine->parameters(1))) << c.name << ", one of three agents, " << text(isas[which]);
}

constexpr std::size_t kShards = 8;
class ChunkBits : public testing::TestWithParam<std::size_t> {};
TEST_P(ChunkBits, EveryEngineEndsInTheReferencesBits) {
  const std::vector<ChunkCase> cases = chunk_cases(2e7 * scale());
  for (std::size_t i = GetParam(); i < cases.size(); i += kShards) expect_case(cases[i], i / kShards + i % kShards);
}
INSTANTIATE_TEST_SUITE_P(Shard, ChunkBits, testing::Range(std::size_t{0}, kShards));

TEST(Episodes, TheRateFallsWithTheStepsOrTheUpdatesThatAreLeft) {
  for (const std::int64_t updates : {0, 20}) {
    const cupg::Config c = falling_episodes(updates);
    expect_a_rate_that_falls(*reference_engine(c), c, 1);
    for (const cupg::Isa isa : cupg::available_isas()) expect_a_rate_that_falls(*cpu_engine(c, isa), c, 1);
  }
}

}  // namespace

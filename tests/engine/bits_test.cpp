// The promise: the same parameters, bit for bit, whoever computes them. The reference engine is the yardstick; every instruction set
// of this processor, alone and with other agents, on 1, 2, 3 and 7 threads must end in its bits, over a table in which every two
// settings meet.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cupg/policy.hpp"
#include "kernels/trajectory.hpp"
#include "tests/support/bits.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/engine_cases.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/falling_rate.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/hashed_cases.hpp"
#include "tests/support/scale.hpp"
#include "tests/support/snapshots.hpp"

namespace {

using namespace cupg_test;
using cupg::Config;
using cupg::OptimizerKind;
using cupg::Truncation;

void expect_case(const std::string& name, const Config& config, std::int64_t updates, std::size_t number) {
  constexpr std::uint64_t kSeed = 0x5eed00000005u;
  ASSERT_NO_THROW(check(config)) << name;
  const auto reference = reference_engine(config);
  reference->reset(0, kSeed);
  const cupg::UpdateReport want_report = measured_updates(*reference, config, updates)[0];
  const std::vector<float> want = parameters(*reference);
  for (const float p : want) ASSERT_TRUE(std::isfinite(p)) << name;
  count_shape(name);
  const int all_threads[] = {1, 2, 3, 7};
  const std::vector<cupg::Isa> isas = cupg::available_isas();
  for (std::size_t i = 0; i < isas.size(); ++i)
    for (std::size_t k = 0; k < 4; ++k) {
      // every instruction set on one thread; of the other counts one each in turn, so that each meets every setting often
      if (k != 0 && (number + i) % 3 + 1 != k) continue;
      const auto engine = cpu_engine(config, isas[i], all_threads[k]);
      engine->reset(0, kSeed);
      const cupg::UpdateReport report = measured_updates(*engine, config, updates)[0];
      EXPECT_EQ(difference(want_report.metrics, report.metrics), "") << name << ", " << text(isas[i]);
      EXPECT_TRUE(same_bits(want, engine->parameters(0)))
          << name << ", " << text(isas[i]) << ", " << all_threads[k] << " threads, " << updates << " updates";
      expect_same_snapshots(*reference, *engine, 0, name);
      EXPECT_EQ(want_report.env_steps, report.env_steps) << name;
      EXPECT_EQ(want_report.episodes.episodes, report.episodes.episodes) << name;
      EXPECT_EQ(want_report.episodes.steps, report.episodes.steps) << name;
      EXPECT_EQ(want_report.episodes.returns, report.episodes.returns) << name;
      EXPECT_EQ(want_report.episodes.terminated, report.episodes.terminated) << name;
      count_comparison("update", text(isas[i]) + " x" + std::to_string(all_threads[k]));
    }
  if (number % 2 != 0) return;
  // the same agent as one of three
  const std::size_t which = number / 2 % isas.size();
  const auto engine = cpu_engine(config, isas[which], number % 4 == 0 ? 1 : 2, 3);
  for (int a = 0; a < 3; ++a) engine->reset(a, a == 1 ? kSeed : static_cast<std::uint64_t>(a));
  const int agents[] = {0, 1, 2};
  std::vector<cupg::UpdateReport> reports = measured_updates(*engine, config, updates, {0, 1, 2});
  EXPECT_EQ(difference(want_report.metrics, reports[1].metrics), "") << name << ", one of three agents";
  EXPECT_TRUE(same_bits(want, engine->parameters(1))) << name << ", one of three agents, " << text(isas[which]);
  count_comparison("update", text(isas[which]) + " population");
  // one goes on where another was, both ways
  load(*engine, 2, snapshot_of(*reference, 0));
  load(*reference, 0, snapshot_of(*engine, 1));
  engine->update(agents, 1, reports);
  update(*reference, 1);
  for (const int a : {1, 2}) expect_same(snapshot_of(*reference, 0), snapshot_of(*engine, a), name + ", goes on");
}

/// The table in shards, so that they run side by side.
constexpr std::size_t kShards = 8;
class BitsTable : public testing::TestWithParam<std::size_t> {};
TEST_P(BitsTable, EveryEngineEndsInTheReferencesBits) {
  const std::vector<TileCase> cases = engine_cases(2e7 * scale());
  for (std::size_t i = GetParam(); i < cases.size(); i += kShards)
    expect_case(cases[i].name, cases[i].config, cases[i].updates, i / kShards + i % kShards);
}
INSTANTIATE_TEST_SUITE_P(Shard, BitsTable, testing::Range(std::size_t{0}, kShards));

TEST(Bits, TheTableMeetsEveryPairOfSettings) {
  std::vector<std::size_t> levels;
  for (const TileFactor& f : tile_factors()) levels.push_back(f.levels.size());
  const auto table = pairwise_table(levels);
  for (std::size_t a = 0; a < levels.size(); ++a)
    for (std::size_t b = a + 1; b < levels.size(); ++b)
      for (std::size_t la = 0; la < levels[a]; ++la)
        for (std::size_t lb = 0; lb < levels[b]; ++lb)
          EXPECT_TRUE(std::any_of(table.begin(), table.end(), [&](const auto& row) { return row[a] == la && row[b] == lb; }))
              << tile_factors()[a].name << " " << tile_factors()[b].name;
  RecordProperty("rows", static_cast<int>(table.size()));
}

TEST(Bits, TheRateFallsWithTheStepsOrTheUpdatesThatAreLeft) {
  for (const std::int64_t updates : {0, 20}) {
    const Config c = falling_episodes(updates);
    expect_a_rate_that_falls(*reference_engine(c), c, 1);
    for (const cupg::Isa isa : cupg::available_isas()) expect_a_rate_that_falls(*cpu_engine(c, isa), c, 1);
  }
}

TEST(Bits, APartialOfAMinibatchEndsAfterItsRows) {
  // minibatches of one sample fewer than a partial holds, as many, one more; of two partials and a lane, and of a part of a row
  constexpr int kPositions = cupg::kWarp * cupg::kPartialRows;
  std::size_t number = 0;
  for (const int size : {1, 31, 33, kPositions - 1, kPositions, kPositions + 1, 2 * kPositions + 33})
    for (const bool tiled : {false, true}) {
      Config c = plain_config();
      c.algorithm = "ppo", c.epochs = 2, c.minibatches = 2;
      c.envs = 2, c.horizon = size;
      c.hidden = tiled ? std::vector<int>{5, 4} : std::vector<int>{5};
      c.advantage.normalize = true, c.advantage.normalize_over = cupg::NormalizeOver::minibatch;
      c.objective.target_kl = 0.01f;
      expect_case("minibatches of " + std::to_string(size), c, 4, number++);
    }
}

TEST(Bits, WhatMeansTheSameIsTheSame) {
  Config c = plain_config();
  c.environment = "CartPole-v0";
  c.horizon = 64;
  const std::int64_t updates = 100;  // until episodes reach the limit
  const std::vector<float> want = trained(*cpu_engine(c), 1, updates);
  c.episode_limit = 200;
  EXPECT_TRUE(same_bits(want, trained(*cpu_engine(c), 1, updates))) << "the environment's own limit";
  c.episode_limit = 199;
  EXPECT_FALSE(same_bits(want, trained(*cpu_engine(c), 1, updates))) << "episodes must reach the limit here";
  c.episode_limit.reset();
  // 2^11 samples: a sum at a rate 2^-11 of the mean's takes the same steps, to the bit
  c.optimizer.kind = OptimizerKind::sgd;
  c.optimizer.max_grad_norm = 0;
  const std::vector<float> mean = trained(*cpu_engine(c), 1, updates);
  c.objective.loss = cupg::LossSum::sum;
  c.optimizer.learning_rate /= static_cast<float>(c.batch());
  EXPECT_TRUE(same_bits(mean, trained(*cpu_engine(c), 1, updates)));
  EXPECT_FALSE(same_bits(want, mean));
}

TEST(Bits, ALongRunWithManyTruncationsEndsInTheReferencesBits) {
  for (const Truncation truncation : {Truncation::bootstrap, Truncation::terminal}) {
    Config c = plain_config();
    c.environment = "CartPole-v0";
    c.advantage.truncation = truncation;
    const int updates = scaled(400, 40);
    const auto engine = cpu_engine(c);
    engine->reset(0, 1);
    const cupg::UpdateReport report = update(*engine, updates);
    EXPECT_GT(report.episodes.episodes - report.episodes.terminated, scale() < 1 ? -1 : 100) << "episodes must reach the time limit";
    expect_case("CartPole-v0, long", c, updates, truncation == Truncation::terminal ? 1 : 0);
  }
}

TEST(Bits, EverySeedOfASetHasTheBitsItHasAlone) {
  Config c = plain_config();
  c.envs = 33;
  c.horizon = 7;
  const int agents = 16;
  const auto population = cpu_engine(c, cupg::Isa::automatic, 3, agents), alone = cpu_engine(c), reference = reference_engine(c);
  std::vector<int> all;
  for (int a = 0; a < agents; ++a) population->reset(a, 100 + static_cast<std::uint64_t>(a)), all.push_back(a);
  std::vector<cupg::UpdateReport> reports(agents);
  population->update(all, 30, reports);
  for (int a = 0; a < agents; ++a) {
    const std::vector<float> want = trained(*alone, 100 + static_cast<std::uint64_t>(a), 30);
    EXPECT_TRUE(same_bits(want, population->parameters(a))) << "seed " << 100 + a;
    EXPECT_TRUE(same_bits(trained(*reference, 100 + static_cast<std::uint64_t>(a), 30), want));
    count_comparison("update", "population");
  }
}

TEST(Bits, ParametersHaveTheCommittedHashes) {
  const std::string path = golden_path("hashes.json");
  nlohmann::ordered_json got;
  for (const Case& c : hashed_cases()) got[c.name] = cupg::parameters_sha256(trained(*cpu_engine(c.config), 1, c.updates));
  if (const char* flag = std::getenv("CUPG_UPDATE_HASHES"); flag != nullptr && std::string(flag) == "1") {
    std::ofstream(path) << got.dump(2) << '\n';
    GTEST_SKIP() << "wrote " << path;
  }
  const nlohmann::ordered_json want = nlohmann::ordered_json::parse(std::ifstream(path));
  EXPECT_EQ(want.size(), got.size());
  for (const auto& [name, hash] : got.items()) EXPECT_EQ(want.value(name, "nothing"), hash.get<std::string>()) << name;
}

TEST(Bits, TheHashedConfigurationsAreTheReferences) {
  if (scale() < 1) GTEST_SKIP() << "at full scale only";
  for (const Case& c : hashed_cases())
    EXPECT_TRUE(same_bits(trained(*reference_engine(c.config), 1, c.updates), trained(*cpu_engine(c.config), 1, c.updates))) << c.name;
}

}  // namespace

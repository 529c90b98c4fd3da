// The promise: the same parameters, bit for bit, whoever computes them. The reference engine is the yardstick; every instruction set
// of this processor, alone and with other agents, on 1, 2, 3 and 7 threads must end in its bits, over a table in which every two
// settings meet.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cupg/policy.hpp"
#include "tests/support/bits.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/hashed_cases.hpp"
#include "tests/support/pairwise.hpp"
#include "tests/support/scale.hpp"

namespace {

using namespace cupg_test;
using cupg::Activation;
using cupg::Config;
using cupg::Estimator;
using cupg::Initialisation;
using cupg::OptimizerKind;
using cupg::RmspropEps;
using cupg::Schedule;
using cupg::Truncation;

/// One setting with the values that the table tries.
struct Factor {
  const char* name;
  std::vector<std::pair<std::string, std::function<void(Config&)>>> levels;
};

template <class F>
Factor numbers(const char* name, const std::vector<int>& values, F set) {
  Factor f{name, {}};
  for (const int v : values) f.levels.push_back({std::to_string(v), [v, set](Config& c) { set(c, v); }});
  return f;
}
Factor widths(const char* name, const std::vector<std::vector<int>>& values) {
  Factor f{name, {}};
  for (const auto& v : values) {
    std::ostringstream text;
    for (const int w : v) text << (&w == v.data() ? "" : "-") << w;
    f.levels.push_back({v.empty() ? "linear" : text.str(), [v](Config& c) { c.hidden = v; }});
  }
  return f;
}

const std::vector<Factor>& factors() {
  static const std::vector<Factor> all = {
      numbers("envs", {1, 4, 31, 32, 33, 70, 1000}, [](Config& c, int n) { c.envs = n; }),
      numbers("horizon", {1, 3, 7, 8, 33, 128}, [](Config& c, int n) { c.horizon = n; }),
      widths("hidden", {{16}, {}, {1}, {5}, {33}, {64}, {5, 16}, {1, 1}, {33, 5}, {64, 33}}),
      {"value",
       {{"shared", [](Config&) {}},
        {"separate", [](Config& c) { c.shared = false; }},
        {"linear", [](Config& c) { c.shared = false, c.value_hidden = std::vector<int>{}; }},
        {"7", [](Config& c) { c.shared = false, c.value_hidden = std::vector<int>{7}; }},
        {"9-4",
         [](Config& c) {
           c.shared = false, c.value_hidden = std::vector<int>{9, 4};
         }}}},
      {"activation",
       {{"relu", [](Config& c) { c.activation = Activation::relu; }}, {"tanh", [](Config& c) { c.activation = Activation::tanh; }}}},
      {"bias", {{"yes", [](Config& c) { c.bias = true; }}, {"no", [](Config& c) { c.bias = false; }}}},
      {"estimator",
       {{"gae", [](Config&) {}},
        {"1-step", [](Config& c) { c.advantage.estimator = Estimator::nstep, c.advantage.nstep = 1; }},
        {"5-step", [](Config& c) { c.advantage.estimator = Estimator::nstep, c.advantage.nstep = std::min(5, c.horizon); }},
        {"whole", [](Config& c) { c.advantage.estimator = Estimator::nstep, c.advantage.nstep = c.horizon; }}}},
      {"normalize", {{"no", [](Config& c) { c.advantage.normalize = false; }}, {"yes", [](Config& c) { c.advantage.normalize = true; }}}},
      {"truncation",
       {{"bootstrap", [](Config& c) { c.advantage.truncation = Truncation::bootstrap; }},
        {"terminal", [](Config& c) { c.advantage.truncation = Truncation::terminal; }}}},
      {"optimizer",
       {{"adam", [](Config& c) { c.optimizer.kind = OptimizerKind::adam; }},
        {"rmsprop", [](Config& c) { c.optimizer.kind = OptimizerKind::rmsprop; }},
        {"rmsprop-inside", [](Config& c) { c.optimizer.kind = OptimizerKind::rmsprop, c.optimizer.rmsprop_eps = RmspropEps::inside; }},
        {"sgd", [](Config& c) { c.optimizer.kind = OptimizerKind::sgd; }}}},
      {"schedule",
       {{"constant", [](Config& c) { c.optimizer.schedule = Schedule::constant; }},
        {"linear", [](Config& c) { c.optimizer.schedule = Schedule::linear; }}}},
      {"clip", {{"0.5", [](Config& c) { c.optimizer.max_grad_norm = 0.5f; }}, {"off", [](Config& c) { c.optimizer.max_grad_norm = 0; }}}},
      {"init",
       {{"orthogonal", [](Config& c) { c.init.kind = Initialisation::orthogonal; }},
        {"he", [](Config& c) { c.init.kind = Initialisation::he; }},
        {"xavier", [](Config& c) { c.init.kind = Initialisation::xavier; }},
        {"uniform", [](Config& c) { c.init.kind = Initialisation::uniform, c.init.policy_gain = 0.01f; }}}},
      {"limit",
       {{"environment", [](Config&) {}}, {"13", [](Config& c) { c.episode_limit = 13; }}, {"0", [](Config& c) { c.episode_limit = 0; }}}},
      {"loss",
       {{"mean", [](Config&) {}},
        {"sum", [](Config& c) { c.objective.loss = cupg::LossSum::sum, c.optimizer.learning_rate /= static_cast<float>(c.batch()); }}}},
      {"environment", {{"v1", [](Config& c) { c.environment = "CartPole-v1"; }}, {"v0", [](Config& c) { c.environment = "CartPole-v0"; }}}},
  };
  return all;
}

using Choice = std::vector<std::size_t>;  // a level for each factor

/// A table in which any two levels of any two factors meet at least once.
std::vector<Choice> pairwise_table() {
  std::vector<std::size_t> levels;
  for (const Factor& f : factors()) levels.push_back(f.levels.size());
  return cupg_test::pairwise_table(levels);
}

/// Multiplications of one sample, roughly: what the reference engine's time goes by.
double work(const Config& c) {
  const auto trunk = [](const std::vector<int>& h) {
    double sum = 0, in = 4;
    for (const int w : h) sum += in * w, in = w;
    return sum + 3 * in;
  };
  return 60 + 6 * (trunk(c.hidden) + (c.shared ? 0 : trunk(c.value_hidden.value_or(c.hidden))));
}

Case make_case(const Choice& choice) {
  Case c;
  for (std::size_t k = 0; k < choice.size(); ++k) {
    const auto& [level, set] = factors()[k].levels[choice[k]];
    set(c.config);
    if (k > 0) c.name += ' ';
    c.name.append(factors()[k].name).append("=").append(level);
  }
  const double budget = 2e7 * scale();
  const auto one_update = [&] { return work(c.config) * static_cast<double>(c.config.batch()); };
  if (scale() < 1) {  // under a sanitizer one update of the largest shapes would take minutes
    if (one_update() > 2 * budget) c.config.envs = std::min(c.config.envs, 70);
    if (one_update() > 2 * budget) c.config.horizon = std::min(c.config.horizon, 8);
    c.config.advantage.nstep = std::min(c.config.advantage.nstep, c.config.horizon);
  }
  c.updates = std::clamp<std::int64_t>(static_cast<std::int64_t>(budget / one_update()), 1, 60);
  c.config.steps = c.config.batch() * (c.updates + 3);
  return c;
}

void expect_case(const Case& c, std::size_t number) {
  constexpr std::uint64_t kSeed = 0x5eed00000005u;
  const auto reference = reference_engine(c.config);
  const std::vector<float> want = trained(*reference, kSeed, c.updates);
  for (const float p : want) ASSERT_TRUE(std::isfinite(p)) << c.name;
  count_shape(c.name);
  const int all_threads[] = {1, 2, 3, 7};
  const std::vector<cupg::Isa> isas = cupg::available_isas();
  for (std::size_t i = 0; i < isas.size(); ++i)
    for (std::size_t k = 0; k < 4; ++k) {
      // every instruction set on one thread; of the other counts one each in turn, so that each meets every setting often
      if (k != 0 && (number + i) % 3 + 1 != k) continue;
      const auto engine = cpu_engine(c.config, isas[i], all_threads[k]);
      EXPECT_TRUE(same_bits(want, trained(*engine, kSeed, c.updates)))
          << c.name << ", " << text(isas[i]) << ", " << all_threads[k] << " threads, " << c.updates << " updates";
      count_comparison("update", text(isas[i]) + " x" + std::to_string(all_threads[k]));
    }
  if (number % 2 != 0) return;
  // the same agent as one of three
  const std::size_t which = number / 2 % isas.size();
  const auto engine = cpu_engine(c.config, isas[which], number % 4 == 0 ? 1 : 2, 3);
  for (int a = 0; a < 3; ++a) engine->reset(a, a == 1 ? kSeed : static_cast<std::uint64_t>(a));
  const int agents[] = {0, 1, 2};
  cupg::UpdateReport reports[3];
  engine->update(agents, c.updates, reports);
  EXPECT_TRUE(same_bits(want, engine->parameters(1))) << c.name << ", one of three agents, " << text(isas[which]);
  count_comparison("update", text(isas[which]) + " population");
}

TEST(Bits, TheTableMeetsEveryPairOfSettings) {
  const std::vector<Choice> table = pairwise_table();
  const auto& f = factors();
  for (std::size_t a = 0; a < f.size(); ++a)
    for (std::size_t b = a + 1; b < f.size(); ++b)
      for (std::size_t la = 0; la < f[a].levels.size(); ++la)
        for (std::size_t lb = 0; lb < f[b].levels.size(); ++lb)
          EXPECT_TRUE(std::any_of(table.begin(), table.end(), [&](const Choice& row) { return row[a] == la && row[b] == lb; }))
              << f[a].name << " " << f[b].name;
  RecordProperty("rows", static_cast<int>(table.size()));
}

/// The table in shards, so that they run side by side.
constexpr std::size_t kShards = 8;
class BitsTable : public testing::TestWithParam<std::size_t> {};
TEST_P(BitsTable, EveryEngineEndsInTheReferencesBits) {
  const std::vector<Choice> table = pairwise_table();
  for (std::size_t i = GetParam(); i < table.size(); i += kShards) expect_case(make_case(table[i]), i / kShards + i % kShards);
}
INSTANTIATE_TEST_SUITE_P(Shard, BitsTable, testing::Range(std::size_t{0}, kShards));

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
    Case c;
    c.name = "CartPole-v0, long";
    c.config.environment = "CartPole-v0";
    c.config.advantage.truncation = truncation;
    c.updates = scaled(400, 40);
    const auto engine = cpu_engine(c.config);
    engine->reset(0, 1);
    const cupg::UpdateReport report = update(*engine, c.updates);
    EXPECT_GT(report.episodes.episodes - report.episodes.terminated, scale() < 1 ? -1 : 100) << "episodes must reach the time limit";
    expect_case(c, truncation == Truncation::terminal ? 1 : 0);
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

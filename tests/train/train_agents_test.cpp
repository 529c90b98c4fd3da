// Agents that are trained side by side in the slots of one engine: each ends as it does alone, on the CPU and by the CUDA engine on the
// host executor.
#include "src/train/train_agents.hpp"

#include <gtest/gtest.h>

#include <string_view>

#include "cupg/environment.hpp"
#include "kernels/runtime/emulated_machine.hpp"
#include "src/engine/cuda_plugin.hpp"
#include "tests/support/bits.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/scale.hpp"

namespace {

using namespace cupg_test;
using cupg::AgentResult;
using cupg::Config;
using cupg::Outcome;

std::vector<AgentResult> train_in_slots(cupg::Engine& engine, int slots, const Config& config, bool initial_return = false) {
  const cupg::TrainHooks hooks;
  cupg::Reporter reporter(config, hooks);
  cupg::Records records(config);
  cupg::train_agents(engine, slots, config, records, reporter, initial_return);
  std::vector<AgentResult> results = records.take_results();
  EXPECT_EQ(std::ssize(results), config.seeds);
  return results;
}

void expect_as_alone(const Config& config, const std::vector<AgentResult>& together, bool initial_return = false) {
  const auto engine = cpu_engine(config);
  const cupg::TrainHooks hooks;
  cupg::Reporter reporter(config, hooks);
  for (std::size_t i = 0; i < together.size(); ++i) {
    const AgentResult& got = together[i];
    const AgentResult want = cupg::train_agent(*engine, config, config.seed + i, reporter, initial_return);
    EXPECT_EQ(got.seed, want.seed);
    EXPECT_EQ(got.outcome, want.outcome) << "seed " << want.seed;
    EXPECT_EQ(got.updates, want.updates) << "seed " << want.seed;
    EXPECT_EQ(got.env_steps, want.env_steps);
    EXPECT_EQ(got.solved_env_steps, want.solved_env_steps);
    EXPECT_EQ(got.checks, want.checks);
    EXPECT_EQ(got.final_return, want.final_return);
    EXPECT_EQ(got.best_return, want.best_return);
    EXPECT_EQ(got.best_env_steps, want.best_env_steps);
    EXPECT_TRUE(same_bits(got.best_parameters, want.best_parameters));
    EXPECT_EQ(got.initial_return, want.initial_return);
    EXPECT_EQ(got.message, want.message);
    EXPECT_TRUE(same_bits(want.parameters, got.parameters)) << "seed " << want.seed;
    ASSERT_EQ(got.curve.size(), want.curve.size());
    for (std::size_t p = 0; p < want.curve.size(); ++p) {
      EXPECT_EQ(got.curve[p].env_steps, want.curve[p].env_steps);
      EXPECT_EQ(got.curve[p].mean_return, want.curve[p].mean_return);
      EXPECT_EQ(difference(want.curve[p].metrics, got.curve[p].metrics), "") << "seed " << want.seed << ", point " << p;
    }
  }
}

TEST(TrainAgents, InSlotsEndAsTheyDoAlone) {
  Config config;
  config.seeds = scaled(23, 5);
  for (const int slots : {1, 2, 7})
    expect_as_alone(config, train_in_slots(*cpu_engine(config, cupg::Isa::automatic, 2, slots), slots, config));
}

TEST(TrainAgents, ThatNeitherSolveNorStopEndTogether) {
  Config config;
  config.seeds = 5;
  config.stop_when_solved = false;
  config.steps = 768 * scaled(150, 20) + 5;  // not a whole number of updates
  expect_as_alone(config, train_in_slots(*cpu_engine(config, cupg::Isa::automatic, 1, 3), 3, config, true), true);
}

TEST(TrainAgents, ADivergingOneLeavesItsSlotToTheNext) {
  Config config;
  config.seeds = 4;
  config.optimizer.learning_rate = 1e38f;
  const std::vector<AgentResult> results = train_in_slots(*cpu_engine(config, cupg::Isa::automatic, 1, 2), 2, config);
  for (const AgentResult& r : results) EXPECT_EQ(r.outcome, Outcome::diverged);
  expect_as_alone(config, results);
}

TEST(TrainAgents, OfEveryAlgorithmAndKindOfNetworkEndByTheCudaEngineAsOnTheCpu) {
  Config base;
  base.seeds = 4;
  base.stop_when_solved = false;
  base.hidden = {8};
  std::vector<Config> configs(4, base);
  configs[0].steps = scaled(150, 3) * configs[0].batch();  // more looks than an agent keeps
  for (Config& c : configs)
    if (&c != configs.data()) c.algorithm = "ppo", c.envs = 16, c.horizon = 32, c.epochs = 2, c.minibatches = 2;
  configs[2].hidden = {8, 5};
  configs[3].minibatches = 1, configs[3].collect = cupg::Collect::episodes;
  for (Config& c : configs) {
    if (c.algorithm == "ppo") c.steps = scaled(40, 6) * 512;
    for (const cupg::CudaForm form : {cupg::CudaForm::population, cupg::CudaForm::large_batch}) {
      const auto engine = cupg::make_emulated_engine(c, 3, form);
      expect_as_alone(c, train_in_slots(*engine, 3, c));
      if (HasFailure()) return;
    }
  }
}

TEST(TrainAgents, ByTheCudaEngineEndAsOnTheCpu) {
  Config config;
  config.seed = 3;
  config.seeds = scaled(6, 2);
  if (scale() < 1) config.steps = 4 * config.batch();  // a solved agent takes a minute under a sanitizer
  for (const cupg::CudaForm form : {cupg::CudaForm::population, cupg::CudaForm::large_batch}) {
    if (form == cupg::CudaForm::large_batch) config.seeds = scaled(2, 1);
    const auto engine = cupg::make_emulated_engine(config, 4, form);
    const std::vector<AgentResult> results = train_in_slots(*engine, 4, config);
    for (const AgentResult& r : results) EXPECT_EQ(r.outcome, scale() < 1 ? Outcome::finished : Outcome::solved) << "seed " << r.seed;
    expect_as_alone(config, results);
  }
}

int population_launches = 0;

TEST(TrainAgents, TrainOnADeviceWithoutTheHostInBetween) {
  Config config;
  config.seeds = scaled(24, 3);
  if (scale() < 1) config.steps = 4 * config.batch();
  const auto engine = cupg::make_emulated_engine(config, config.seeds, cupg::CudaForm::population);
  population_launches = 0;
  cupg::emulated_machine().launched = [](const char* kernel) { population_launches += std::string_view(kernel) == "fused"; };
  const std::vector<AgentResult> results = train_in_slots(*engine, config.seeds, config);
  cupg::emulated_machine().launched = nullptr;
  std::int64_t updates = 0, checks = 0;
  for (const AgentResult& r : results) updates += r.updates, checks += r.checks;
  EXPECT_GT(checks, scale() < 1 ? 2 : 100) << "those that fail are the block's";
  EXPECT_LE(population_launches, 40) << updates << " updates, " << checks << " checks";
  std::printf("%d launches of the population kernel for %lld updates and %lld checks\n", population_launches,
              static_cast<long long>(updates), static_cast<long long>(checks));
}

}  // namespace

// Agents of one run that each have hyperparameters of their own: the bits that they have alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include "cupg/error.hpp"
#include "cupg/trainer.hpp"
#include "tests/support/bits.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/own_hyperparameters.hpp"
#include "tests/support/scale.hpp"

namespace {

using namespace cupg_test;
using cupg::Config;

Config small_a2c() {
  Config c = plain_config();
  c.envs = 33;
  c.horizon = 9;
  return c;
}
Config ppo(std::vector<int> hidden) {
  Config c = small_a2c();
  c.algorithm = "ppo";
  c.hidden = std::move(hidden);
  c.epochs = 2;
  c.minibatches = 3;
  c.optimizer.schedule = cupg::Schedule::linear;
  c.objective.clip_schedule = cupg::ClipSchedule::linear;
  return c;
}

TEST(Hyperparameters, EachAgentHasTheBitsThatItHasAlone) {
  for (Config c : {small_a2c(), ppo({16}), ppo({8, 8})}) {
    c.seeds = 3;
    c.update_limit = 6;
    c.stop_when_solved = false;
    c.agents = three_agents(c);
    c.threads = 2;
    const cupg::TrainResult together = cupg::train(c);
    ASSERT_EQ(together.agents.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
      Config alone = cupg::with(c, c.agents[i]);
      alone.seed = c.seed + i;
      for (const cupg::Device device : {cupg::Device::cpu, cupg::Device::reference}) {
        alone.device = device;
        EXPECT_TRUE(same_bits(cupg::train(alone).agents[0].parameters, together.agents[i].parameters)) << c.algorithm << ", agent " << i;
      }
      // and they say the same as the configuration that they stand for
      if (c.agents[i].schedule_updates > 0) continue;
      alone.agents.clear();
      EXPECT_TRUE(same_bits(cupg::train(alone).agents[0].parameters, together.agents[i].parameters)) << c.algorithm << ", agent " << i;
    }
    EXPECT_FALSE(same_bits(together.agents[0].parameters, together.agents[1].parameters));
  }
}

/// Whoever helps with its updates: threads that have no agent left do.
TEST(Hyperparameters, AnAgentThatOutlivesTheOthersHasTheBitsThatItHasAlone) {
  for (const char* const algorithm : {"a2c", "ppo"}) {
    Config c = plain_config();
    c.algorithm = algorithm;
    c.envs = 300;
    c.horizon = 20;
    if (c.algorithm == "ppo") c.epochs = 2, c.minibatches = 3;
    c.update_limit = scaled(60, 10);
    c.stop_when_solved = false;
    c.seeds = 3;
    c.threads = 2;
    const cupg::TrainResult together = cupg::train(c);
    c.seed = c.seed + 2;
    c.seeds = c.threads = 1;
    EXPECT_TRUE(same_bits(cupg::train(c).agents[0].parameters, together.agents[2].parameters)) << algorithm;
  }
}

/// Whatever becomes of the others: some are solved, some diverge, most go on.
TEST(Hyperparameters, AmongTwoThousandEachAgentHasTheBitsThatItHasAlone) {
  std::mt19937 random(7);
  Config c;
  c.seeds = scaled(2048, 200);
  c.steps = 60'000;
  c.agents.assign(static_cast<std::size_t>(c.seeds), cupg::hyperparameters(c));
  for (cupg::Hyperparameters& own : c.agents) {
    const auto among = [&](float low, float high) { return std::uniform_real_distribution<float>(low, high)(random); };
    own.learning_rate = random() % 16 == 0 ? 1e37f : std::exp(among(-7, -1));
    own.max_grad_norm = own.learning_rate > 1 ? 0 : among(0.2f, 9);
    own.gamma = among(0.9f, 1);
    own.entropy_coef = among(0, 0.05f);
  }
  c.threads = 2;
  const cupg::TrainResult together = cupg::train(c);
  ASSERT_EQ(std::ssize(together.agents), c.seeds);
  std::map<cupg::Outcome, int> outcomes;
  for (const cupg::AgentResult& agent : together.agents) outcomes[agent.outcome] += 1;
  for (const cupg::Outcome outcome : {cupg::Outcome::solved, cupg::Outcome::finished, cupg::Outcome::diverged})
    EXPECT_GT(outcomes[outcome], c.seeds / 50) << static_cast<int>(outcome);
  for (int i = 0; i < 24; ++i) {
    const std::size_t place = random() % c.agents.size();
    Config alone = c;
    alone.seed = c.seed + place;
    alone.seeds = 1;
    alone.agents = {c.agents[place]};
    const cupg::AgentResult want = cupg::train(alone).agents[0], &got = together.agents[place];
    EXPECT_TRUE(same_bits(want.parameters, got.parameters)) << place;
    EXPECT_TRUE(same_bits(want.best_parameters, got.best_parameters)) << place;
    EXPECT_EQ(want.outcome, got.outcome) << place;
    EXPECT_EQ(want.solved_env_steps, got.solved_env_steps) << place;
    EXPECT_EQ(want.env_steps, got.env_steps) << place;
    EXPECT_EQ(want.final_return, got.final_return) << place;
    EXPECT_EQ(want.curve.size(), got.curve.size()) << place;
  }
}

TEST(Hyperparameters, MayHaveASeedOfTheirOwn) {
  Config c = ppo({16});
  c.seeds = 3;
  c.update_limit = 6;
  c.stop_when_solved = false;
  c.agents = three_agents(c);
  c.agents[0].seed = 17;
  c.agents[2].seed = 17;
  std::vector<int> numbers;
  cupg::TrainHooks hooks;
  hooks.agent = [&](int number, const cupg::AgentResult& agent) {
    numbers.push_back(number);
    EXPECT_EQ(agent.seed, c.agent_seed(number));
  };
  const cupg::TrainResult together = cupg::train(c, hooks);
  std::sort(numbers.begin(), numbers.end());
  EXPECT_EQ(numbers, (std::vector<int>{0, 1, 2}));
  const std::uint64_t seeds[] = {17, c.seed + 1, 17};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(together.agents[i].seed, seeds[i]);
    Config alone = cupg::with(c, c.agents[i]);
    alone.seed = seeds[i];
    alone.agents[0].seed.reset();
    EXPECT_TRUE(same_bits(cupg::train(alone).agents[0].parameters, together.agents[i].parameters)) << "agent " << i;
  }
  // a checkpoint knows them, and that one has none
  EXPECT_EQ(cupg::checkpoint_config(together.checkpoint).agents, c.agents);
  Config longer = c;
  longer.steps += 1;
  EXPECT_EQ(cupg::resume(longer, together.checkpoint).agents[2].seed, 17u);
  c.agents[1].seed = std::uint64_t{1} << 63;
  EXPECT_EQ(message_of([&] { cupg::check(c); }), "seed: 9223372036854775808 of an agent's own; expected at most 2^63 - 1");
}

TEST(Hyperparameters, AreRefusedWhereTheyAreTooFewOrWrong) {
  Config c = small_a2c();
  c.seeds = 2;
  c.agents = {cupg::hyperparameters(c)};
  EXPECT_EQ(message_of([&] { cupg::check(c); }), "agents: 1 with seeds = 2; expected as many, or none");
  c.agents.push_back(cupg::hyperparameters(c));
  EXPECT_EQ(message_of([&] { cupg::check(c); }), "");
  c.agents[1].gamma = 1.5f;
  EXPECT_TRUE(message_of([&] { cupg::check(c); }).starts_with("gamma: 1.5")) << message_of([&] { cupg::check(c); });
}

}  // namespace

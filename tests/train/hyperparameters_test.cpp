// Agents of one run that each have hyperparameters of their own: the bits that they have alone.
#include <gtest/gtest.h>

#include "cupg/error.hpp"
#include "cupg/trainer.hpp"
#include "tests/support/bits.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/own_hyperparameters.hpp"

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

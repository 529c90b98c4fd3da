// Agents of one run that each have hyperparameters of their own: the bits that they have alone.
#include <gtest/gtest.h>

#include "cupg/error.hpp"
#include "cupg/trainer.hpp"
#include "tests/support/bits.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/message_of.hpp"

namespace {

using namespace cupg_test;
using cupg::Config;
using cupg::Hyperparameters;

/// Three agents that differ in everything that agents may differ in.
std::vector<Hyperparameters> three(const Config& c) {
  std::vector<Hyperparameters> all(3, cupg::hyperparameters(c));
  all[1].learning_rate *= 0.5f;
  all[1].gamma = 0.9f;
  all[1].entropy_coef = 0.02f;
  all[1].beta1 = 0.5f;
  all[1].schedule_updates = 3;
  all[2].lambda = 0.7f;
  all[2].value_coef = 0.4f;
  all[2].max_grad_norm = 0.05f;
  all[2].beta2 = 0.99f;
  all[2].eps = 1e-3f;
  if (c.algorithm == "ppo") {
    all[1].clip = 0.05f;
    all[1].target_kl = 1e-4f;
    all[2].value_clip = 0.1f;
  } else {
    all[2].exploration = {.start = 0.3f, .end = 0.1f, .steps = 300};
  }
  return all;
}

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
    c.agents = three(c);
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

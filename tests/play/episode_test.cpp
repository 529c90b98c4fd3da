// Episodes step by step are those of an evaluation.
#include "src/play/episode.hpp"

#include <gtest/gtest.h>

#include <set>

#include "cupg/trainer.hpp"
#include "envs/registry.hpp"

namespace {

using cupg::Episode;

/// Somewhat trained, so that episodes are neither all short nor all at the limit.
cupg::Policy policy_for(std::string environment, cupg::Config& config) {
  config.environment = std::move(environment);
  config.steps = 20'000;
  config.seed = 3;
  return {config.environment, config.network(), cupg::train(config).agents[0].parameters};
}

TEST(Episode, IsTheOneOfAnEvaluation) {
  for (const cupg::EnvironmentInfo& e : cupg::environments()) {
    cupg::Config config;
    const cupg::Policy policy = policy_for(std::string(e.name), config);
    for (const bool greedy : {true, false}) {
      const cupg::Evaluation want = cupg::evaluate(config, policy.parameters, 40, greedy, 77);
      for (std::uint32_t number = 0; number < 40; ++number) {
        Episode episode(policy, greedy, 77, number);
        while (!episode.ended()) episode.step();
        ASSERT_EQ(episode.total(), want.returns[number]) << e.name << ", episode " << number << (greedy ? ", greedy" : ", sampled");
      }
      if (e.name == "CartPole-v1") {
        EXPECT_GT(std::set<float>(want.returns.begin(), want.returns.end()).size(), 5u) << "episodes that tell one from another";
      }
    }
  }
}

TEST(Episode, EndsAtItsEndAndStaysThere) {
  cupg::Config config;
  const cupg::Policy policy = policy_for("MountainCar-v0", config);
  Episode episode(policy, true, 0, 0);
  EXPECT_EQ(episode.action(), -1);
  EXPECT_EQ(episode.steps(), 0);
  for (int i = 0; i < 300; ++i) episode.step();
  EXPECT_TRUE(episode.ended());
  EXPECT_FALSE(episode.terminated()) << "20,000 steps teach nothing there: it is the limit";
  EXPECT_EQ(episode.steps(), 200);
  EXPECT_EQ(episode.total(), -200);
  const std::vector<float> last(episode.state().begin(), episode.state().end());
  episode.nudge(1);
  EXPECT_EQ(last, std::vector<float>(episode.state().begin(), episode.state().end()));
}

TEST(Episode, ANudgeIsTheEnvironmentsOwn) {
  cupg::Config config;
  const cupg::Policy policy = policy_for("CartPole-v1", config);
  Episode episode(policy, true, 5, 0);
  const float before = episode.state()[3];
  episode.nudge(-1);
  EXPECT_EQ(episode.state()[3], before - 0.5f);
  EXPECT_EQ(episode.observation()[3], before - 0.5f) << "the policy sees it";
  EXPECT_EQ(episode.steps(), 0);
}

}  // namespace

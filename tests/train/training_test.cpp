// Training: schedules, limits, a value's own learning rate, and that nothing but the seed decides.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "cupg/trainer.hpp"
#include "src/engine/reference.hpp"
#include "tests/support/bits.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/scale.hpp"

namespace {

using namespace cupg_test;
using cupg::AgentResult;
using cupg::Config;

Config ppo() {
  Config c = plain_config();
  c.algorithm = "ppo";
  c.envs = 4;
  c.horizon = 16;
  c.epochs = 2;
  c.minibatches = 4;
  c.objective.clip = 0.2f;
  c.stop_when_solved = false;
  return c;
}
Config episodes(int envs) {
  Config c = episodes_config(envs);
  c.stop_when_solved = false;
  return c;
}
std::vector<float> after(const Config& c, std::int64_t updates) { return trained(*cpu_engine(c), 5, updates); }

TEST(Schedule, ExponentialFallsOnceAnUpdateWhateverItsSteps) {
  Config c = ppo(), decaying = c;
  decaying.optimizer.schedule = cupg::Schedule::exponential;
  decaying.optimizer.decay = 1e-30f;
  // eight optimizer steps at the full rate, then none that a float would notice
  const std::vector<float> first = after(c, 1);
  EXPECT_TRUE(same_bits(first, after(decaying, 1)));
  EXPECT_TRUE(same_bits(first, after(decaying, 5)));
  // the rate of update k is lr decay^k: with plain gradient steps of one minibatch, half of what it would be
  c.optimizer.kind = cupg::OptimizerKind::sgd;
  c.optimizer.max_grad_norm = 0;
  c.epochs = c.minibatches = 1;
  decaying = c;
  decaying.optimizer.schedule = cupg::Schedule::exponential;
  decaying.optimizer.decay = 0.5f;
  const std::vector<float> one = after(c, 1), two = after(c, 2), slower = after(decaying, 2);
  double largest = 0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    largest = std::max(largest, static_cast<double>(std::abs(two[i] - one[i])));
    EXPECT_NEAR(static_cast<double>(slower[i] - one[i]), 0.5 * static_cast<double>(two[i] - one[i]), 1e-6);  // parameters near 1, rounded
  }
  EXPECT_GT(largest, 1e-3);
}

TEST(Schedule, LinearCountsUpdatesNotOptimizerSteps) {
  Config c = ppo(), linear = c;
  linear.optimizer.schedule = cupg::Schedule::linear;
  linear.update_limit = 1;  // K = 1: the only update has the full rate in all of its eight steps
  EXPECT_TRUE(same_bits(after(c, 1), after(linear, 1)));
  linear.update_limit = 2;
  EXPECT_TRUE(same_bits(after(c, 1), after(linear, 1)));
  EXPECT_FALSE(same_bits(after(c, 2), after(linear, 2)));
}

TEST(Schedule, TheClipsFallLinearlyWithTheUpdates) {
  Config c = ppo();
  c.objective.clip = 0.2f;
  c.objective.value_clip = 0.4f;
  c.objective.clip_schedule = cupg::ClipSchedule::linear;
  c.update_limit = 4;
  cupg::reference::Agent<cupg::CartPole, cupg::Ppo, float> agent(c, cupg::find_environment(c.environment));
  agent.reset(5);
  cupg::EpisodeTally tally;
  std::int64_t steps = 0;
  for (int k = 0; k < 4; ++k) {
    EXPECT_NEAR(static_cast<double>(agent.coefficients().clip), 0.2 * (4 - k) / 4, 1e-7);
    EXPECT_NEAR(static_cast<double>(agent.coefficients().value_clip), 0.4 * (4 - k) / 4, 1e-7);
    ASSERT_TRUE(agent.update(tally, steps));
  }
  EXPECT_TRUE(same_bits(agent.parameters, after(c, 4)));
  Config constant = c;
  constant.objective.clip_schedule = cupg::ClipSchedule::constant;
  EXPECT_TRUE(same_bits(after(constant, 1), after(c, 1))) << "the first update has the whole clip";
  constant.optimizer.learning_rate = c.optimizer.learning_rate = 0.1f;  // far enough to meet the clips
  EXPECT_FALSE(same_bits(after(constant, 4), after(c, 4)));
}

TEST(ValueLearningRate, MovesTheValuesNetworkAlone) {
  for (const bool whole : {true, false}) {
    Config c = episodes(4);
    if (!whole) c.collect = cupg::Collect::steps;
    c.shared = false;
    c.optimizer.kind = cupg::OptimizerKind::sgd;
    c.optimizer.max_grad_norm = 0;
    c.optimizer.learning_rate = 0.01f;
    c.episode_limit = 300;
    Config faster = c;
    faster.optimizer.value_learning_rate = 0.04f;
    Config same = c;
    same.optimizer.value_learning_rate = 0.01f;
    const std::vector<float> before = after(c, 0), slow = after(c, 1), fast = after(faster, 1);
    EXPECT_TRUE(same_bits(slow, after(same, 1)));
    double moved = 0;
    for (const cupg::TensorInfo& t : parameter_layout(c.network()))
      for (int k = t.offset; k < t.offset + t.elements(); ++k) {
        const auto i = static_cast<std::size_t>(k);
        const double change = static_cast<double>(slow[i] - before[i]);
        if (t.name.starts_with("value.")) {
          moved += std::abs(change);
          EXPECT_NEAR(static_cast<double>(fast[i] - before[i]), 4 * change, 4e-6) << t.name;  // parameters up to some 10, rounded
        } else {
          EXPECT_EQ(bits_of(slow[i]), bits_of(fast[i])) << t.name;
        }
      }
    EXPECT_GT(moved, 0.01);
  }
}

TEST(Limits, UpdatesEndItAndSoDoSteps) {
  Config c = ppo();
  c.update_limit = 3;
  AgentResult a = cupg::train(c).agents[0];
  EXPECT_EQ(a.outcome, cupg::Outcome::finished);
  EXPECT_EQ(a.updates, 3);
  EXPECT_EQ(a.env_steps, 3 * 64);
  EXPECT_TRUE(same_bits(trained(*reference_engine(c), c.seed, 3), a.parameters));
  c.steps = 65;  // two updates, rounded up
  a = cupg::train(c).agents[0];
  EXPECT_EQ(a.updates, 2);
  EXPECT_EQ(a.env_steps, 128);
}

TEST(Limits, WholeEpisodesEndWithTheUpdateThatReachesTheSteps) {
  for (const int envs : {1, 3}) {
    Config c = episodes(envs);
    c.steps = 1000;
    c.episode_limit = 40;
    const AgentResult a = cupg::train(c).agents[0];
    EXPECT_EQ(a.outcome, cupg::Outcome::finished);
    EXPECT_GE(a.env_steps, 1000);
    const auto engine = cpu_engine(c);
    engine->reset(0, c.seed);
    const std::int64_t before = update(*engine, a.updates - 1).env_steps;
    EXPECT_LT(before, 1000) << "one update fewer was not enough";
    EXPECT_EQ(before + update(*engine, 1).env_steps, a.env_steps);
    EXPECT_TRUE(same_bits(parameters(*engine), a.parameters));
    Config few = c;
    few.update_limit = 5;
    EXPECT_EQ(cupg::train(few).agents[0].updates, 5);
  }
}

TEST(Training, AThousandUpdatesAreTheSameAgainAndElsewhere) {
  const int updates = scaled(1000, 100);
  Config whole = episodes(2);
  whole.episode_limit = 60;
  Config clipped = ppo();
  clipped.shared = false;
  clipped.hidden = {16, 8};
  clipped.envs = 16;  // minibatches of 64 and 32
  for (Config c : {clipped, whole}) {
    c.update_limit = updates;
    c.threads = 1;
    const AgentResult once = cupg::train(c).agents[0];
    EXPECT_EQ(once.updates, updates);
    for (const float p : once.parameters) ASSERT_TRUE(std::isfinite(p));
    c.threads = 3;
    EXPECT_TRUE(same_bits(once.parameters, cupg::train(c).agents[0].parameters));
    c.threads = 1;
    c.isa = cupg::Isa::scalar;
    const AgentResult scalar = cupg::train(c).agents[0];
    EXPECT_TRUE(same_bits(once.parameters, scalar.parameters));
    EXPECT_EQ(once.final_return, scalar.final_return);
    EXPECT_EQ(once.env_steps, scalar.env_steps);
  }
}

TEST(Training, SeedsOfAPopulationHaveTheBitsTheyHaveAlone) {
  for (Config c : {ppo(), episodes(3)}) {
    c.update_limit = 20;
    c.seeds = 5;
    c.threads = 2;
    const auto all = cupg::train(c).agents;
    ASSERT_EQ(all.size(), 5u);
    for (const AgentResult& a : all) {
      Config alone = c;
      alone.seed = a.seed;
      alone.seeds = 1;
      const AgentResult b = cupg::train(alone).agents[0];
      EXPECT_TRUE(same_bits(b.parameters, a.parameters)) << "seed " << a.seed;
      EXPECT_EQ(b.env_steps, a.env_steps);
    }
  }
}

TEST(Training, UpdatesInOneCallAreThoseOfMany) {
  for (const Config& c : {ppo(), episodes(3)}) {
    const auto one = cpu_engine(c), many = cpu_engine(c, cupg::Isa::automatic, 2);
    one->reset(0, 3);
    many->reset(0, 3);
    update(*one, 12);
    for (const std::int64_t n : {1, 4, 0, 7}) update(*many, n);
    EXPECT_TRUE(same_bits(parameters(*one), parameters(*many)));
    one->reset(0, 3);  // and a reset forgets everything
    update(*one, 12);
    EXPECT_TRUE(same_bits(parameters(*one), parameters(*many)));
  }
}

TEST(BiasInit, DrawsWithinItsRangeAndLeavesTheWeightsAlone) {
  Config c = plain_config();
  c.hidden = {64, 32};
  c.shared = false;
  c.value_hidden = std::vector<int>{50};
  const cupg::NetworkShape shape = c.network();
  const auto draw = [&](cupg::BiasInit biases, std::uint64_t seed) {
    std::vector<float> p(static_cast<std::size_t>(parameter_count(shape)), 7.0f);
    c.init.biases = biases;
    cupg::initialize_parameters(shape, c.init, seed, p);
    return p;
  };
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const std::vector<float> zero = draw(cupg::BiasInit::zero, seed);
    for (const cupg::BiasInit kind : {cupg::BiasInit::xavier, cupg::BiasInit::uniform}) {
      const std::vector<float> p = draw(kind, seed);
      int fan_in = 0;
      for (const cupg::TensorInfo& t : parameter_layout(shape)) {
        const bool weight = t.name.ends_with(".weight");
        if (weight) fan_in = t.columns;
        // xavier: sqrt(3 / out), what TensorFlow makes of a vector; uniform: 1 / sqrt(in), PyTorch's
        const double range = kind == cupg::BiasInit::xavier ? std::sqrt(3.0 / t.rows) : 1 / std::sqrt(static_cast<double>(fan_in));
        double sum = 0, least = 1e9, most = -1e9;
        for (int k = t.offset; k < t.offset + t.elements(); ++k) {
          const auto i = static_cast<std::size_t>(k);
          const auto x = static_cast<double>(p[i]);
          if (weight) {
            ASSERT_EQ(bits_of(p[i]), bits_of(zero[i])) << t.name;
            continue;
          }
          EXPECT_EQ(zero[i], 0) << t.name;
          EXPECT_LE(std::abs(x), range * (1 + 1e-6)) << t.name;
          sum += x, least = std::min(least, x), most = std::max(most, x);
        }
        if (weight || t.rows < 32) continue;
        EXPECT_LT(least, -0.6 * range) << t.name;  // 32 draws: none below 20 % of the range has probability 8e-4, the seeds are fixed
        EXPECT_GT(most, 0.6 * range) << t.name;
        EXPECT_LT(std::abs(sum / t.rows), range * 0.45) << t.name;  // a mean's standard deviation is 0.1 of the range
      }
      EXPECT_FALSE(same_bits(p, draw(kind, seed + 100)));
    }
  }
}

}  // namespace

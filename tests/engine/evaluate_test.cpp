// Evaluation: environment i plays exactly one episode; stopping early never changes the verdict.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "cupg/policy.hpp"
#include "envs/cartpole.hpp"
#include "kernels/math/philox.hpp"
#include "kernels/math/softmax.hpp"
#include "src/engine/reference.hpp"
#include "tests/support/bits.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/shapes.hpp"

namespace {

using namespace cupg_test;
using cupg::Config;
using cupg::Evaluation;
using cupg::EvaluationRequest;

/// Plays episode `e` of evaluation `block` with the given way to act; its length is its return.
template <class Act>
int episode_length(int e, std::uint32_t block, std::uint64_t seed, int limit, Act act) {
  const cupg::Philox4 fresh = cupg::philox4x32(static_cast<std::uint32_t>(e), 0, 3, block, seed);  // purpose: evaluate_reset
  float u[4];
  for (int i = 0; i < 4; ++i) u[i] = cupg::uniform01(fresh.word[i]);
  auto state = cupg::CartPole::reset(u);
  for (int t = 0;; ++t) {
    float x[4];
    cupg::CartPole::observe(state, x);
    if (cupg::CartPole::step(state, {act(x, t)}).terminated || t + 1 == limit) return t + 1;
  }
}

Config linear_config() {
  Config c = plain_config();
  c.hidden = {};
  return c;
}

TEST(Evaluate, EveryEnvironmentPlaysOneEpisode) {
  Config c = plain_config();
  for (const int episodes : {1, 31, 32, 33, 100})
    for (const bool greedy : {true, false})
      for (const std::uint32_t block : {0u, 7u}) {
        const auto engine = cpu_engine(c);
        engine->reset(0, 5);
        engine->set_parameters(0, random_floats(131, 0.5f, 77));
        const Evaluation got = engine->evaluate(0, {.episodes = episodes, .greedy = greedy, .block = block});
        ASSERT_EQ(got.episodes, episodes);
        ASSERT_EQ(static_cast<int>(got.returns.size()), episodes);
        EXPECT_TRUE(got.complete);
        EXPECT_EQ(got.greedy, greedy);
        const cupg::reference::Network<float> network(c.network());
        const std::vector<float> p = parameters(*engine);
        double sum = 0;
        for (int e = 0; e < episodes; ++e) {
          const int want = episode_length(e, block, 5, 500, [&](const float* x, int t) {
            float d = 0, value = 0;
            network.forward(p.data(), x, d, value);
            const std::uint32_t now = static_cast<std::uint32_t>(t);
            const float u = cupg::uniform01(cupg::philox4x32(static_cast<std::uint32_t>(e), now / 4, 4, block, 5).word[now % 4]);
            return greedy ? d > 0 : cupg::TwoActions<float>::sample(d, u);
          });
          EXPECT_EQ(got.returns[static_cast<std::size_t>(e)], static_cast<float>(want)) << "episode " << e;
          sum += want;
        }
        EXPECT_EQ(got.mean_return, sum / episodes);
      }
}

TEST(Evaluate, ATieTakesActionZero) {
  Config c = plain_config();
  for (const cupg::Device device : {cupg::Device::cpu, cupg::Device::reference}) {
    c.device = device;
    const auto engine = cupg::make_engine(c, 1, 1);
    engine->reset(0, 5);
    engine->set_parameters(0, std::vector<float>(131, 0.0f));
    const Evaluation got = engine->evaluate(0, {.episodes = 40});
    for (int e = 0; e < 40; ++e)
      EXPECT_EQ(got.returns[static_cast<std::size_t>(e)],
                static_cast<float>(episode_length(e, 0, 5, 500, [](const float*, int) { return false; })));
  }
}

TEST(Evaluate, ALongEpisodeIsCutAtTheLimit) {
  for (const auto& [name, limit] : {std::pair{"CartPole-v0", 200.0}, {"CartPole-v1", 500.0}}) {
    Config c = linear_config();
    c.environment = name;
    const auto engine = cpu_engine(c);
    engine->reset(0, 1);
    engine->set_parameters(0, balancing(1));
    const Evaluation got = engine->evaluate(0, {.episodes = 64, .stop_below = limit});
    EXPECT_TRUE(got.complete);
    EXPECT_EQ(got.min_return, limit);
    EXPECT_EQ(got.mean_return, limit);
  }
}

TEST(Evaluate, EnginesAgreeToTheBitOnRewardsAndActionsOfAnyKind) {
  for (const char* environment : {"MountainCar-v0", "Acrobot-v1"})
    for (const auto& [hidden, shared] : {std::pair<std::vector<int>, bool>{{16}, true}, {{5, 7}, false}, {{}, true}})
      for (const bool greedy : {true, false}) {
        Config c = plain_config();
        c.environment = environment;
        c.hidden = hidden;
        c.shared = shared;
        c.horizon = 64;
        const auto reference = reference_engine(c);
        reference->reset(0, 3);
        update(*reference, 20);
        const EvaluationRequest request{.episodes = 70, .greedy = greedy, .block = 2};
        const Evaluation want = reference->evaluate(0, request);
        EXPECT_GE(want.min_return, cupg::find_environment(environment).min_return);
        EXPECT_LE(want.max_return, cupg::find_environment(environment).max_return);
        for (const cupg::Isa isa : cupg::available_isas()) {
          const auto engine = cpu_engine(c, isa, 2);
          engine->reset(0, 3);
          engine->set_parameters(0, reference->parameters(0));
          EXPECT_TRUE(same_bits(want.returns, engine->evaluate(0, request).returns)) << environment << ", " << text(isa);
        }
      }
}

TEST(Evaluate, StopsWhereTheThresholdCannotBeReachedAndNotBefore) {
  // a policy that never swings: every episode of Acrobot returns -500
  Config c = plain_config();
  c.environment = "Acrobot-v1";
  c.hidden = {};
  const auto engine = cpu_engine(c);
  engine->reset(0, 3);
  engine->set_parameters(0, std::vector<float>(static_cast<std::size_t>(cupg::parameter_count(c.network())), 0.0f));
  const Evaluation all = engine->evaluate(0, {.episodes = 100, .stop_below = -500});
  EXPECT_TRUE(all.complete);
  EXPECT_LT(all.mean_return, -400);
  EXPECT_TRUE(engine->evaluate(0, {.episodes = 100, .stop_below = all.mean_return}).complete);
  EXPECT_FALSE(engine->evaluate(0, {.episodes = 100, .stop_below = all.mean_return + 0.01}).complete);
}

TEST(Evaluate, EnginesAgreeToTheBit) {
  for (const auto& [hidden, shared] : {std::pair<std::vector<int>, bool>{{16}, true}, {{5, 7}, false}, {{}, true}})
    for (const bool greedy : {true, false}) {
      Config c = plain_config();
      c.hidden = hidden;
      c.shared = shared;
      const auto reference = reference_engine(c);
      reference->reset(0, 3);
      update(*reference, 30);
      const EvaluationRequest request{.episodes = 70, .greedy = greedy, .block = 2};
      const Evaluation want = reference->evaluate(0, request);
      count_shape("evaluate " + std::to_string(hidden.size()));
      for (const cupg::Isa isa : cupg::available_isas())
        for (const int threads : {1, 2, 3, 7}) {
          const auto engine = cpu_engine(c, isa, threads);
          engine->reset(0, 3);
          engine->set_parameters(0, reference->parameters(0));
          EXPECT_TRUE(same_bits(want.returns, engine->evaluate(0, request).returns)) << text(isa) << ", " << threads << " threads";
          count_comparison("evaluate", text(isa));
        }
    }
}

TEST(Evaluate, StoppingEarlyNeverChangesTheVerdict) {
  const Config c = linear_config();
  int stopped = 0, passed = 0;
  for (const float quality : {1.0f, 0.02f, 0.1f, -1.0f, 0.0f})
    for (const int noise : {0, 1, 2, 3})
      for (const int threads : {1, 3}) {
        const auto engine = cpu_engine(c, cupg::Isa::automatic, threads);
        engine->reset(0, 8);
        std::vector<float> p = balancing(quality);
        const std::vector<float> random = random_floats(8, 0.4f * static_cast<float>(noise), static_cast<std::uint64_t>(noise));
        for (std::size_t i = 0; i < 8; ++i) p[i] += random[i];
        engine->set_parameters(0, p);
        for (const int episodes : {100, 1000}) {
          const Evaluation full = engine->evaluate(0, {.episodes = episodes});
          EXPECT_TRUE(full.complete);
          for (const double threshold :
               {195.0, 475.0, full.mean_return - 0.5, full.mean_return + 0.5, std::floor(full.mean_return), std::ceil(full.mean_return)}) {
            const Evaluation got = engine->evaluate(0, {.episodes = episodes, .stop_below = threshold});
            EXPECT_EQ(got.complete, full.mean_return >= threshold) << full.mean_return << " against " << threshold;
            EXPECT_EQ(got.complete && got.mean_return >= threshold, full.mean_return >= threshold);
            EXPECT_TRUE(!got.complete || same_bits(full.returns, got.returns));
            stopped += !got.complete;
            passed += got.complete;
          }
        }
      }
  EXPECT_GT(stopped, 50);
  EXPECT_GT(passed, 50);
}

TEST(Evaluate, ExactlyTheThresholdPasses) {
  // an untouched pole: every episode of action 0 has the same few lengths; ask for their exact mean where it is a binary fraction
  Config c = linear_config();
  const auto engine = cpu_engine(c);
  engine->reset(0, 2);
  engine->set_parameters(0, std::vector<float>(15, 0.0f));
  for (const int episodes : {1, 2, 64, 128}) {
    const Evaluation full = engine->evaluate(0, {.episodes = episodes});
    EXPECT_TRUE(engine->evaluate(0, {.episodes = episodes, .stop_below = full.mean_return}).complete);
    EXPECT_FALSE(engine->evaluate(0, {.episodes = episodes, .stop_below = full.mean_return + 1.0 / episodes}).complete);
  }
}

TEST(Evaluate, ChangesNothingOfTheAgent) {
  Config c = plain_config();
  const auto played = cpu_engine(c), quiet = cpu_engine(c);
  for (const auto* engine : {&played, &quiet}) (*engine)->reset(0, 4), update(**engine, 20);
  played->evaluate(0, {.episodes = 50, .greedy = false});
  EXPECT_TRUE(same_bits(quiet->parameters(0), played->parameters(0)));
  update(*played, 20), update(*quiet, 20);
  EXPECT_TRUE(same_bits(quiet->parameters(0), played->parameters(0)));
}

TEST(Evaluate, BlocksAndSeedsHaveFreshEpisodes) {
  Config c = linear_config();
  const auto engine = cpu_engine(c);
  std::set<std::vector<float>> seen;
  for (const std::uint64_t seed : {1u, 2u})
    for (const std::uint32_t block : {0u, 1u, 2u, 0xfffffffeu, 0xffffffffu}) {
      engine->reset(0, seed);
      engine->set_parameters(0, balancing(0));
      seen.insert(engine->evaluate(0, {.episodes = 100, .greedy = false, .block = block}).returns);
    }
  EXPECT_EQ(seen.size(), 10u);
}

TEST(Evaluate, TheGreedyPolicyFileActsAsTheEngine) {
  // cupg::Policy walks the parameters on its own; near ties included it must take the engines' actions
  Config c = plain_config();
  c.shared = false;
  c.hidden = {7};
  c.value_hidden = std::vector<int>{3, 2};
  const auto engine = cpu_engine(c);
  engine->reset(0, 6);
  update(*engine, 60);
  const Evaluation got = engine->evaluate(0, {.episodes = 40});
  const cupg::Policy policy{c.environment, c.network(), parameters(*engine)};
  for (int e = 0; e < 40; ++e)
    EXPECT_EQ(got.returns[static_cast<std::size_t>(e)], static_cast<float>(episode_length(e, 0, 6, 500, [&](const float* x, int) {
                return policy.act({x, 4}) == 1;
              })));
}

TEST(Evaluate, NaNParametersEndWithAVerdict) {
  Config c = plain_config();
  const auto engine = cpu_engine(c);
  engine->reset(0, 6);
  engine->set_parameters(0, std::vector<float>(131, std::nanf("")));
  const Evaluation got = engine->evaluate(0, {.episodes = 33, .stop_below = 475});
  EXPECT_FALSE(got.complete) << "NaN is never greater: action 0 throughout";
}

}  // namespace

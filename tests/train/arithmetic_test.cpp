// The floating-point environment of the caller changes no bit, on whichever thread, and is the same after a call.
#include "src/api/arithmetic.hpp"

#include <gtest/gtest.h>

#include <cfenv>
#include <cmath>
#include <ostream>
#include <string>
#include <vector>

#include "cupg/bench.hpp"
#include "cupg/cupg.hpp"
#include "src/search/search.hpp"
#include "tests/cli/child_process.hpp"
#include "tests/support/bits.hpp"
#include "tests/support/engines.hpp"

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace {

using namespace cupg_test;
using cupg::Config;

struct Environment {
  const char* name;
  void (*enter)();
};
void PrintTo(const Environment& e, std::ostream* out) { *out << e.name; }

#if defined(__SSE__)
unsigned state() { return _mm_getcsr() & 0xffc0u; }  // without the flags of what has happened
#else
unsigned state() { return 0; }
#endif

class Environments : public testing::TestWithParam<Environment> {
 protected:
  void SetUp() override { std::fegetenv(&before_); }
  void TearDown() override { std::fesetenv(&before_); }

  /// f() in the parameter's environment, which must be there afterward.
  template <class F>
  auto within(F f) {
    GetParam().enter();
    const int rounding = std::fegetround();
    const unsigned entered = state();
    auto result = f();
    EXPECT_EQ(std::fegetround(), rounding);
    EXPECT_EQ(state(), entered);
    std::fesetenv(&before_);
    return result;
  }

 private:
  std::fenv_t before_;
};

std::vector<Config> trainings() {
  Config a2c = plain_config();
  a2c.steps = 40 * a2c.batch();
  a2c.stop_when_solved = false;
  a2c.threads = 1;
  std::vector<Config> all(5, a2c);
  all[1].envs = 64, all[1].threads = 2;  // two warps of one agent
  all[2].seeds = 3, all[2].threads = 2;  // agents on threads of their own
  all[3].algorithm = "ppo", all[3].hidden = {64, 64}, all[3].epochs = 2, all[3].minibatches = 4, all[3].threads = 2;
  all[4].device = cupg::Device::reference;
  return all;
}

TEST_P(Environments, ChangeNoTraining) {
  for (const Config& c : trainings()) {
    const cupg::TrainResult want = cupg::train(c), got = within([&] { return cupg::train(c); });
    for (std::size_t i = 0; i < want.agents.size(); ++i) {
      EXPECT_TRUE(same_bits(want.agents[i].parameters, got.agents[i].parameters)) << c.algorithm << ", agent " << i;
      EXPECT_EQ(want.agents[i].final_return, got.agents[i].final_return);
    }
  }
}

TEST_P(Environments, ChangeNoEvaluation) {
  Config c = trainings()[0];
  const std::vector<float> p = cupg::train(c).agents.at(0).parameters;
  for (const cupg::Device device : {cupg::Device::cpu, cupg::Device::reference})
    for (const bool greedy : {true, false}) {
      c.device = device;
      c.threads = 2;
      const auto play = [&] { return cupg::evaluate(c, p, 100, greedy, 3); };
      const cupg::Evaluation want = play(), got = within(play);
      EXPECT_EQ(want.returns, got.returns);
      EXPECT_EQ(want.mean_return, got.mean_return);
      EXPECT_EQ(want.quantiles, got.quantiles);
    }
}

TEST_P(Environments, ChangeNoStep) {
  const auto play = [] {
    cupg::VectorEnv env("Acrobot-v1", 33, 5, 20);
    std::vector<float> all;
    for (int t = 0; t < 50; ++t) {
      const cupg::VectorStep& s = env.step(std::vector<int>(33, t % 3));
      all.insert(all.end(), s.observations.begin(), s.observations.end());
    }
    return all;
  };
  EXPECT_TRUE(same_bits(play(), within(play)));
}

TEST_P(Environments, ChangeNoPolicy) {
  Config c = plain_config();
  c.activation = cupg::Activation::tanh;
  cupg::Policy policy{c.environment, c.network(), {}};
  for (int i = 0; i < parameter_count(policy.shape); ++i) policy.parameters.push_back(0.37f * std::sin(static_cast<float>(i)));
  const std::vector<float> observation{0.31f, -2.3f, 0.11f, 0.7f};
  const auto evaluate = [&](const std::vector<float>& x) {
    std::vector<float> y(3);
    policy.evaluate(x, std::span(y).first(2), y[2]);
    return y;
  };
  EXPECT_TRUE(same_bits(evaluate(observation), within([&] { return evaluate(observation); })));
  for (int i = 0; i < 200; ++i) {
    const std::vector<float> x{0.01f * static_cast<float>(i), -2.3f, 0.11f, 0.7f};
    EXPECT_EQ(policy.act(x), within([&] { return policy.act(x); }));
  }

  policy.shape.policy.width = {};
  policy.parameters.assign(15, 0.0f);
  policy.parameters[4] = std::ldexp(1.0f, -140);
  EXPECT_EQ(within([&] { return policy.act(std::vector<float>{1, 0, 0, 0}); }), 1) << "a subnormal number is none";
}

TEST_P(Environments, ChangeNoSearch) {
  cupg::HillClimbingSettings s;
  s.runs = 50;
  s.max_trials = 100;
  s.threads = 2;
  const auto expect_same = [](const cupg::SearchResult& want, const cupg::SearchResult& got) {
    ASSERT_EQ(want.runs.size(), got.runs.size());
    for (std::size_t i = 0; i < want.runs.size(); ++i) {
      EXPECT_EQ(want.runs[i].trials, got.runs[i].trials) << i;
      EXPECT_EQ(want.runs[i].env_steps, got.runs[i].env_steps) << i;
      for (int k = 0; k < cupg::kMostSearchWeights; ++k) EXPECT_EQ(want.runs[i].weights[k], got.runs[i].weights[k]) << i;
    }
  };
  expect_same(cupg::hill_climbing(s), within([&] { return cupg::hill_climbing(s); }));
  expect_same(cupg::random_search(s), within([&] { return cupg::random_search(s); }));
}

TEST_P(Environments, StayAfterABenchmark) {
  Config c = plain_config();
  c.threads = 1;
  EXPECT_EQ(within([&] { return cupg::bench_train(c, 2, 1); }).env_steps, 2 * c.batch());
  EXPECT_EQ(within([&] { return cupg::bench_rollout(c, 2, 1); }).env_steps, 2 * c.batch());
  EXPECT_EQ(within([&] { return cupg::bench_env(c, false, 64, 1); }).env_steps, 64 * c.envs);
}

TEST(BenchTrain, CountsTheStepsOfWholeEpisodes) {
  Config c = cupg_test::episodes_config(5);
  c.threads = 1;
  const std::int64_t steps = cupg::bench_train(c, 2, 1).env_steps;
  EXPECT_GE(steps, 2 * 5 * 8) << "no episode of CartPole ends sooner";
  EXPECT_LE(steps, 2 * 5 * 500);
}

TEST_P(Environments, StayAfterAnError) {
  Config c;
  c.envs = -1;
  const auto refused = [](auto f) {
    try {
      f();
    } catch (const cupg::Error&) {
      return true;
    }
    return false;
  };
  EXPECT_TRUE(within([&] { return refused([&] { cupg::train(c); }); }));
  EXPECT_TRUE(within([&] { return refused([&] { cupg::Policy().act({}); }); }));
}

TEST_P(Environments, ChangeNoSettingOnItsWayThroughAFile) {
  const cupg::test::TemporaryFolder folder;
  int number = 0;
  for (const float rate : {0.1f, 0.055f, 0.3333f, 1e-3f, 7e-5f}) {
    Config c;
    c.optimizer.learning_rate = rate;
    c.advantage.gamma = 1 - rate;
    const auto run = folder.path() / std::to_string(++number);
    const Config back = within([&] {
      cupg::Run::write(run, c, {}, "{}");
      return cupg::Run::config(run);
    });
    EXPECT_EQ(back.optimizer.learning_rate, rate);
    EXPECT_EQ(back.advantage.gamma, c.advantage.gamma);
  }
}

std::vector<Environment> environments() {
  std::vector<Environment> all{{"Upward", [] { std::fesetround(FE_UPWARD); }}, {"TowardZero", [] { std::fesetround(FE_TOWARDZERO); }}};
#if defined(__SSE__)
  all.push_back({"UpwardInSseAlone", [] { _mm_setcsr((_mm_getcsr() & ~0x6000u) | 0x4000u); }});
  all.push_back({"FlushToZero", [] { _mm_setcsr(_mm_getcsr() | 0x8040u); }});
#endif
  return all;
}
INSTANTIATE_TEST_SUITE_P(Of, Environments, testing::ValuesIn(environments()), [](const auto& e) { return std::string(e.param.name); });

}  // namespace

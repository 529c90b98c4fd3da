// The CUDA engine of wide and deep networks: on the host executor, its products by OpenBLAS, or on a device, its products by cuBLAS. First
// updates against the reference engine within the bounds that tests/support/wide.hpp derives, later ones and evaluations against the CPU's
// GemmEngine.
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>

#include "cupg/error.hpp"
#include "src/engine/cpu_engines.hpp"
#include "src/engine/cuda_plugin.hpp"
#include "src/engine/library_network.hpp"
#include "tests/cuda/cuda_engines.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/scale.hpp"
#include "tests/support/shapes.hpp"
#include "tests/support/wide.hpp"

namespace {

using namespace cupg_test;

/// A slab that divides nothing, so that every loop over slabs has a short last one.
constexpr cupg::LibraryPlan kOddSlabs{.slab = 23, .keep = true}, kOddSlabsAgain{.slab = 23, .keep = false};

std::unique_ptr<cupg::Engine> cpu_gemm_engine(const Config& c, int agents = 1) {
  return cupg::make_library_engine(c, agents, 1, cupg::plan_library(c));
}

/// balancing() in a network of 65 ReLU units: two of them hold w x and -w x, the others nothing. The value is its bias.
std::vector<float> wide_balancing(const NetworkShape& shape, float quality, float value) {
  const std::vector<float> linear = balancing(quality);
  std::vector<float> p(index(parameter_count(shape)), 0.0f);
  for (const cupg::TensorInfo& t : parameter_layout(shape)) {
    float* const at = p.data() + t.offset;
    if (t.name == "shared.hidden1.weight")
      for (int i = 0; i < 4; ++i) at[i] = linear[index(4 + i)], at[4 + i] = -linear[index(4 + i)];
    if (t.name == "policy.head.weight") at[t.columns] = 1, at[t.columns + 1] = -1;
    if (t.name == "value.head.bias") at[0] = value;
  }
  return p;
}

struct CudaGemmEngine : CudaEngineTest<> {
  static std::unique_ptr<cupg::Engine> make(const Config& c, int agents = 1, const cupg::LibraryPlan& plan = kOddSlabs) {
    return make_cuda_gemm_engine(c, agents, plan);
  }
  static std::vector<float> expect_same_updates(const Config& c, std::int64_t updates, double tolerance,
                                                const std::vector<float>& start = {}, const cupg::LibraryPlan& plan = kOddSlabs);
};

TEST_F(CudaGemmEngine, FirstUpdateIsTheReferenceEnginesWithinItsRoundings) {
  for (const auto& shapes : {all_structures(), wide_structures()})
    for (const NetworkShape& shape : shapes) {
      const bool huge = parameter_count(shape) > 20000;
      if (huge && scale() < 1) continue;
      Config c = engine_config(shape, huge ? 5 : 37, huge ? 3 : 7);
      if (huge) c.init.kind = cupg::Initialization::xavier;
      expect_first_update_by(*make(c), c);
      if (testing::Test::HasFatalFailure()) return;
      count_shape(name(shape));
    }
}

TEST_F(CudaGemmEngine, BatchesAndSlabsOfEverySize) {
  for (const auto& [envs, horizon] : {std::pair{1, 1}, {1, 40}, {32, 1}, {33, 5}, {64, 3}, {150, 2}})
    for (const cupg::LibraryPlan& plan : {kOddSlabs, kOddSlabsAgain, cupg::LibraryPlan{.slab = 1000, .keep = true}}) {
      const Config c = engine_config(separate_shape({20, 20, 20}, {70}), envs, horizon);
      expect_first_update_by(*make(c, 1, plan), c);
      if (testing::Test::HasFatalFailure()) return;
    }
}

/// The same updates by both engines: counts equal, parameters within `tolerance` of the largest. Returns the device's parameters.
std::vector<float> CudaGemmEngine::expect_same_updates(const Config& c, std::int64_t updates, double tolerance,
                                                       const std::vector<float>& start, const cupg::LibraryPlan& plan) {
  const auto cpu = cpu_gemm_engine(c), device = make(c, 1, plan);
  for (cupg::Engine* e : {cpu.get(), device.get()}) {
    e->reset(0, 3);
    if (!start.empty()) e->set_parameters(0, start);
  }
  for (std::int64_t k = 0; k < updates; ++k) {  // the first is enqueued, the second recorded, the others are repeated
    const cupg::UpdateReport want = update(*cpu, 1), got = update(*device, 1);
    EXPECT_EQ(want.episodes.episodes, got.episodes.episodes);
    EXPECT_EQ(want.episodes.terminated, got.episodes.terminated);
    EXPECT_EQ(want.episodes.steps, got.episodes.steps);
    EXPECT_EQ(got.updates, 1);
    EXPECT_TRUE(got.finite && got.parameters_finite);
    EXPECT_FALSE(!(distance(cpu->parameters(0), device->parameters(0)) <= tolerance)) << "after update " << k + 1;
  }
  return parameters(*device);
}

TEST_F(CudaGemmEngine, NormalizesAndOptimizesAsTheCpuEngine) {
  // five updates; roundings come to some 1e-6 of the largest parameter, every setting changes 1e-3 of it
  constexpr double kRoundings = 2e-5;
  std::vector<std::vector<float>> ends;
  for (const bool normalize : {false, true})
    for (const cupg::OptimizerKind kind : {cupg::OptimizerKind::sgd, cupg::OptimizerKind::rmsprop, cupg::OptimizerKind::adam}) {
      Config c = engine_config(shared_shape({9, 9, 9}, Activation::tanh), 40, 9);
      c.advantage.normalize = normalize;
      c.optimizer = {.kind = kind, .learning_rate = 0.02f, .schedule = cupg::Schedule::linear, .max_grad_norm = 1};
      c.optimizer.rmsprop_eps = normalize ? cupg::RmspropEps::inside : cupg::RmspropEps::outside;
      c.steps = 8 * c.batch();
      ends.push_back(expect_same_updates(c, 5, kRoundings));
      for (std::size_t i = 0; i + 1 < ends.size(); ++i) EXPECT_GT(distance(ends[i], ends.back()), 10 * kRoundings);
    }
}

TEST_F(CudaGemmEngine, FirstUpdateOfEveryAlgorithmIsTheReferences) {
  expect_first_updates([](const Config& c) { return make(c, 1, kOddSlabsAgain); });
}

TEST_F(CudaGemmEngine, EverySettingOfPpoAndReinforceIsTheReferences) {
  expect_every_setting([](const Config& c) {
    const bool keep = c.minibatches == 1 && c.collect == cupg::Collect::steps;
    return make(c, 1, keep ? kOddSlabs : kOddSlabsAgain);
  });
}

TEST_F(CudaGemmEngine, MeasuresUpdatesOfEveryEnvironment) {
  for (const char* environment : {"CartPole-v1", "MountainCar-v0", "Acrobot-v1"}) {
    Config c = plain_config();
    c.environment = environment;
    c.hidden = {70};
    c.envs = 5, c.horizon = 6;
    const auto cpu = cpu_gemm_engine(c), device = make(c);
    cpu->reset(0, 3), device->reset(0, 3);
    expect_close(measured_updates(*cpu, c, 2)[0].metrics, measured_updates(*device, c, 2)[0].metrics);
  }
}

TEST_F(CudaGemmEngine, ManyParametersAreManyBlocks) {
  Config c = engine_config(shared_shape({128, 128}), 33, 5);  // 17,411 parameters: blocks whose last is not full
  c.optimizer = {.kind = cupg::OptimizerKind::adam, .learning_rate = 0.001f, .max_grad_norm = 0.5f};
  expect_same_updates(c, 4, 1e-3, {}, kOddSlabsAgain);  // Adam's first steps are lr sign(g): a rounding near 0 counts whole
}

TEST_F(CudaGemmEngine, TruncatedEpisodesGoOnOrEndAsTheCpuEngines) {
  // A policy that balances: every environment is cut by CartPole-v0's limit, twice in 512 steps, or in a rollout of 401.
  constexpr double kRoundings = 2e-5;
  for (const int horizon : {128, 401}) {
    std::vector<std::vector<float>> ends;
    for (const cupg::Truncation truncation : {cupg::Truncation::bootstrap, cupg::Truncation::terminal})
      for (const bool nstep : {false, true}) {
        if (horizon > 128 && (nstep || scale() < 1)) continue;
        Config c = plain_config();
        c.environment = "CartPole-v0";
        c.hidden = {65};
        c.envs = 40;
        c.horizon = horizon;
        c.advantage.truncation = truncation;
        c.advantage.estimator = nstep ? cupg::Estimator::nstep : cupg::Estimator::gae;
        c.optimizer = {.kind = cupg::OptimizerKind::sgd, .learning_rate = 0.01f, .max_grad_norm = 0};
        // the value is what is bootstrapped from
        const std::vector<float> p = wide_balancing(c.network(), 1, 20);
        ends.push_back(expect_same_updates(c, horizon > 128 ? 1 : 4, kRoundings, p));
        for (std::size_t i = 0; i + 1 < ends.size(); ++i) EXPECT_GT(distance(ends[i], ends.back()), 10 * kRoundings);
      }
  }
}

TEST_F(CudaGemmEngine, EvaluatesAsTheCpuEngine) {
  Config c = plain_config();
  c.hidden = {65};
  const auto cpu = cpu_gemm_engine(c), device = make(c);
  for (const float quality : {1.0f, 0.05f, -1.0f})
    for (const bool greedy : {true, false}) {
      if (scale() < 1 && quality == 1 && !greedy) continue;
      for (cupg::Engine* e : {cpu.get(), device.get()}) {
        e->reset(0, 5);
        e->set_parameters(0, wide_balancing(c.network(), quality, 0));
      }
      const int episodes = greedy ? 70 : 33;  // fewer than before: the arrays of an evaluation are larger then
      const cupg::EvaluationRequest request{.episodes = episodes, .greedy = greedy, .block = 9, .quantiles = true};
      const cupg::Evaluation want = cpu->evaluate(0, request), got = device->evaluate(0, request);
      // whole episodes: a draw within a rounding of its threshold would show here, and none of these is
      EXPECT_EQ(want.returns, got.returns) << quality << greedy;
      EXPECT_EQ(want.quantiles, got.quantiles);
      EXPECT_TRUE(got.complete);
      EXPECT_TRUE(same_bits(wide_balancing(c.network(), quality, 0), device->parameters(0))) << "an evaluation changes nothing";
    }
  const cupg::EvaluationRequest early{.episodes = 40, .block = 9, .stop_below = 475};
  EXPECT_FALSE(device->evaluate(0, early).complete);
  EXPECT_EQ(device->evaluate(0, {.episodes = 0}).episodes, 0);
}

TEST_F(CudaGemmEngine, KUpdatesAreKTimesOneAndPopulationsAreIndependent) {
  Config c = plain_config();
  c.hidden = {30, 20, 10};
  c.envs = 40;
  c.horizon = 5;
  const auto whole = make(c), parts = make(c, 3);
  whole->reset(0, 1), parts->reset(0, 8), parts->reset(1, 1), parts->reset(2, 9);
  const cupg::UpdateReport all = update(*whole, 6);
  cupg::EpisodeTally tally;
  for (const std::int64_t updates : {1, 3, 2}) {
    const int some[] = {2, 1};
    cupg::UpdateReport reports[2];
    parts->update(some, updates, reports);
    EXPECT_EQ(reports[0].updates, updates);
    tally += reports[1].episodes;
    parts->evaluate(0, {.episodes = 10, .block = 3});
  }
  EXPECT_TRUE(same_bits(whole->parameters(0), parts->parameters(1))) << "the same products";
  EXPECT_FALSE(same_bits(whole->parameters(0), parts->parameters(2)));
  EXPECT_EQ(all.episodes.episodes, tally.episodes);
  EXPECT_EQ(all.episodes.steps, tally.steps);

  parts->reset(2, 1);  // everything of the agent before is forgotten
  update(*parts, 6, 2);
  EXPECT_TRUE(same_bits(whole->parameters(0), parts->parameters(2)));
  const std::vector<float> untouched = trained(*make(c), 8, 0);
  EXPECT_TRUE(same_bits(std::span<const float>(untouched), parts->parameters(0)));
}

TEST_F(CudaGemmEngine, AGradientThatIsNotFiniteChangesNothing) {
  Config c = plain_config();
  c.hidden = {70};
  const auto engine = make(c, 2);
  for (const float bad : {std::nanf(""), 1e38f}) {
    engine->reset(0, 1), engine->reset(1, 2);
    update(*engine, 2);
    std::vector<float> p = parameters(*engine);
    for (float& x : p) x = x == 0 ? bad : x * bad;
    engine->set_parameters(0, p);
    const int both[] = {0, 1};
    cupg::UpdateReport reports[2];
    engine->update(both, 3, reports);
    EXPECT_FALSE(reports[0].finite);
    EXPECT_EQ(reports[0].updates, 0);
    EXPECT_EQ(reports[0].parameters_finite, cupg::all_finite(p));
    EXPECT_TRUE(same_bits(std::span<const float>(p), engine->parameters(0)));
    EXPECT_EQ(reports[1].updates, 3) << "the other agent goes on";
    // as on the CPU, another call may try again
    engine->set_parameters(0, parameters(*engine, 1));
    EXPECT_EQ(update(*engine, 2).updates, 2);
  }
}

}  // namespace

// Networks as matrix products: DenseNetwork and the CPU engine with one, against the reference network in double and the reference
// engine, within the bounds that tests/support/wide.hpp derives.
#include "src/engine/cpu_engines.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <utility>

#include "cupg/error.hpp"
#include "envs/registry.hpp"
#include "src/engine/cpu_matrix_backend.hpp"
#include "src/engine/dense_network.hpp"
#include "src/engine/library_network.hpp"
#include "src/engine/plugin.hpp"
#include "src/engine/reference.hpp"
#include "src/io/memory.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/golden_case.hpp"
#include "tests/support/guarded.hpp"
#include "tests/support/scale.hpp"
#include "tests/support/shapes.hpp"
#include "tests/support/stops.hpp"
#include "tests/support/wide.hpp"

// OpenBLAS is not built for ThreadSanitizer, which sees its memset but not how its threads wait for each other.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() { return "race:libopenblas\n"; }

namespace {

using namespace cupg_test;

// the plug-in lies beside the command, the tests in folders of their own
const bool kPluginIsFound = [] { return ::setenv("CUPG_PLUGIN_PATH", CUPG_PLUGIN_FOLDER, 0) == 0; }();

/// Weights of a size that keeps activations near 1, biases near 0.1.
std::vector<float> plausible_parameters(const NetworkShape& shape, std::uint64_t seed) {
  std::vector<float> p;
  for (const cupg::TensorInfo& t : parameter_layout(shape)) {
    const float size = t.name.ends_with(".bias") ? 0.1f : std::sqrt(3.0f / static_cast<float>(t.columns));
    const std::vector<float> part = random_floats(index(t.elements()), size, seed++);
    p.insert(p.end(), part.begin(), part.end());
  }
  return p;
}

/// A batch through DenseNetwork in slabs of at most `most` samples.
struct DenseResult {
  std::vector<float> logits, value, gradient;
};
DenseResult run_dense(const NetworkShape& shape, const std::vector<float>& p, const std::vector<float>& observation,
                      const std::vector<float>& grad_logits, const std::vector<float>& grad_value, int most, cupg::Isa isa,
                      int threads = 1) {
  const int n = static_cast<int>(grad_value.size());
  cupg::Team team(threads);
  cupg::CpuMatrixBackend backend(cupg::openblas(), cupg::cpu_ops_for(isa), team);
  cupg::openblas().set_threads(threads);
  cupg::DenseNetwork network(shape, backend, n, most, 4);
  DenseResult r{std::vector<float>(index(2 * n)), std::vector<float>(index(n)), {}};
  Guarded<float> gradient(static_cast<std::int64_t>(p.size())), outputs(3 * n);
  network.load(p.data());
  for (int begin = 0; begin < n; begin += most)
    network.forward(&observation[index(4 * begin)], begin, std::min(most, n - begin), outputs.data() + 3 * begin);
  for (int s = 0; s < n; ++s) {
    for (int k = 0; k < 2; ++k) r.logits[index(2 * s + k)] = std::exchange(outputs[3 * s + k], grad_logits[index(2 * s + k)]);
    r.value[index(s)] = std::exchange(outputs[3 * s + 2], grad_value[index(s)]);
  }
  network.begin_gradient();
  for (int begin = 0; begin < n; begin += most)
    network.backward(&observation[index(4 * begin)], begin, std::min(most, n - begin), outputs.data() + 3 * begin, gradient.data());
  network.end_gradient(gradient.data());
  EXPECT_TRUE(gradient.guards_intact() && outputs.guards_intact());
  EXPECT_EQ(gradient.untouched(), 0) << name(shape);
  r.gradient.assign(gradient.data(), gradient.data() + gradient.size());
  return r;
}

void expect_dense(const NetworkShape& shape, int n, int most, cupg::Isa isa, int threads = 1) {
  const std::vector<float> p = plausible_parameters(shape, 11), x = random_floats(4 * index(n), 1.5f, 12),
                           grad_logits = random_floats(2 * index(n), 1.0f, 13), grad_value = random_floats(index(n), 1.0f, 14);
  const Expected e = expected(shape, to_double(p), to_double(x), to_double(grad_logits), to_double(grad_value),
                              absolute(to_double(grad_logits)), absolute(to_double(grad_value)));
  const DenseResult r = run_dense(shape, p, x, grad_logits, grad_value, most, isa, threads);
  const std::string what = name(shape) + ", " + text(isa);
  expect_near(e.logits, r.logits, e.logits_bound, what + ": logits");
  expect_near(e.value, r.value, e.value_bound, what + ": value");
  expect_near(e.gradient, r.gradient, e.gradient_bound, what + ": gradient");
}

TEST(DenseNetwork, IsTheReferenceNetworkWithinItsRoundings) {
  for (const cupg::Isa isa : cupg::available_isas())
    for (const auto& shapes : {all_structures(), wide_structures()})
      for (const NetworkShape& shape : shapes) {
        const bool huge = parameter_count(shape) > 20000;
        expect_dense(shape, huge ? 9 : 37, huge ? 4 : 16, isa);  // the last slab is a short one
        if (testing::Test::HasFatalFailure()) return;
      }
}

TEST(DenseNetwork, OneSampleOneSlabAndThreads) {
  for (const NetworkShape& shape : {shared_shape({65}), separate_shape({16, 16, 16}, {}), shared_shape({300, 200}, Activation::tanh)}) {
    expect_dense(shape, 1, 1, cupg::Isa::automatic);
    expect_dense(shape, 33, 33, cupg::Isa::automatic);
    expect_dense(shape, scaled(700, 70), scaled(500, 50), cupg::Isa::automatic, 3);  // enough elements to be shared out
  }
}

TEST(DenseNetwork, IsPyTorchs) {
  for (const GoldenCase& c : golden_cases())
    for (const bool reinforce : {false, true}) {
      const cupg::Coefficients<double> coefficients = reinforce ? cupg::Coefficients<double>{0, 0} : cupg::Coefficients<double>{0.01, 1};
      std::vector<double> grad_logits, grad_value;
      for (std::size_t b = 0; b < c.batch; ++b) {
        const double d = c.logits[2 * b + 1] - c.logits[2 * b], scale = 1 / static_cast<double>(c.batch);
        const double grad_d =
            scale * cupg::A2c::grad_two_actions(d, c.action[b] == 1, reinforce ? c.target[b] : c.advantage[b], coefficients);
        grad_logits.insert(grad_logits.end(), {-grad_d, grad_d});
        grad_value.push_back(scale * cupg::A2c::grad_value(c.value[b], c.target[b], coefficients));
      }
      const auto rounded = [](const std::vector<double>& x) { return std::vector<float>(x.begin(), x.end()); };
      const Expected e =
          expected(c.shape, c.parameters, c.observation, grad_logits, grad_value, absolute(grad_logits), absolute(grad_value));
      const DenseResult r = run_dense(c.shape, rounded(c.parameters), rounded(c.observation), rounded(grad_logits), rounded(grad_value), 20,
                                      cupg::Isa::automatic);
      // the file's numbers are doubles: rounding them to float is one more rounding, which roundings() has to spare
      const std::string what = c.name + (reinforce ? " reinforce" : " a2c");
      expect_near(c.flat(c.losses.at(reinforce ? "reinforce" : "a2c").at("grads")), r.gradient, e.gradient_bound, what);
      expect_near(c.value, r.value, e.value_bound, what);
    }
}

// ---- the engine -------------------------------------------------------------------------------------------------------------

std::unique_ptr<cupg::Engine> library_engine(const Config& c, int agents = 1, int threads = 1) {
  return cupg::make_library_engine(c, agents, threads, cupg::plan_library(c));
}

void expect_first_update(const Config& c, const cupg::LibraryPlan& plan) {
  expect_first_update_by(*cupg::make_library_engine(c, 1, 1, plan), c);
}
void expect_first_update(const Config& c) { expect_first_update(c, cupg::plan_library(c)); }

TEST(LibraryNetwork, FirstUpdateIsTheReferenceEnginesWithinItsRoundings) {
  for (const auto& shapes : {all_structures(), wide_structures()})
    for (const NetworkShape& shape : shapes) {
      if (scale() < 1 && parameter_count(shape) > 2000) continue;
      const bool huge = parameter_count(shape) > 20000;
      Config c = engine_config(shape, huge ? 5 : 37, huge ? 3 : 7);
      if (huge) c.init.kind = cupg::Initialization::xavier;
      expect_first_update(c);
      if (testing::Test::HasFatalFailure()) return;
    }
}

TEST(LibraryNetwork, BatchesOfEverySize) {
  for (const cupg::Isa isa : cupg::available_isas())
    for (const auto& [envs, horizon] : {std::pair{1, 1}, {1, 40}, {32, 1}, {33, 5}, {64, 3}, {300, 2}}) {
      Config c = engine_config(shared_shape({20, 20, 20}), envs, horizon);
      c.isa = isa;
      expect_first_update(c);
    }
}

TEST(LibraryNetwork, SlabsOfEverySizeKeptOrComputedAgain) {
  const Config c = engine_config(separate_shape({9, 9, 9}, {70}), 40, 9);
  for (const std::int64_t slab : {1, 7, 40, 64, 1000})
    for (const bool keep : {false, true}) expect_first_update(c, {.slab = slab, .keep = keep});
  EXPECT_TRUE(cupg::plan_library(c).keep);
  Config large = c;
  large.hidden = {4096, 4096};
  large.envs = 1024;
  EXPECT_FALSE(cupg::plan_library(large).keep);
}

TEST(LibraryNetwork, TruncatedEpisodesGoOnOrEndAsTheReferenceEngines) {
  // A policy that balances: every environment is cut by CartPole-v0's limit, twice in 512 steps. Four updates; roundings come to
  // some 1e-6 of the largest parameter here, the modes differ by 1e-3 and more.
  constexpr double kRoundings = 2e-5;
  std::vector<std::vector<float>> ends;
  for (const cupg::Truncation truncation : {cupg::Truncation::bootstrap, cupg::Truncation::terminal})
    for (const bool nstep : {false, true}) {
      Config c = plain_config();
      c.environment = "CartPole-v0";
      c.hidden = {};
      c.envs = 40;
      c.horizon = 128;
      c.advantage.truncation = truncation;
      c.advantage.estimator = nstep ? cupg::Estimator::nstep : cupg::Estimator::gae;
      c.optimizer = {.kind = cupg::OptimizerKind::sgd, .learning_rate = 0.03f, .max_grad_norm = 0};
      std::vector<float> p = balancing(1);
      const float value[] = {30, -20, 50, 10, 20};  // a bootstrap that depends on the state
      std::copy(value, value + 5, p.end() - 5);
      const auto reference = reference_engine(c), engine = library_engine(c, 1, 2);
      for (cupg::Engine* e : {reference.get(), engine.get()}) {
        e->reset(0, 3);
        e->set_parameters(0, p);
      }
      const cupg::UpdateReport want = update(*reference, 4), got = update(*engine, 4);
      EXPECT_EQ(want.episodes.episodes, got.episodes.episodes);
      EXPECT_EQ(want.episodes.terminated, got.episodes.terminated);
      EXPECT_EQ(want.episodes.steps, got.episodes.steps);
      EXPECT_GT(got.episodes.episodes - got.episodes.terminated, c.envs);
      EXPECT_FALSE(!(distance(reference->parameters(0), engine->parameters(0)) <= kRoundings));
      for (const std::vector<float>& other : ends) EXPECT_GT(distance(other, engine->parameters(0)), 10 * kRoundings);
      ends.push_back(parameters(*engine));
    }
}

TEST(LibraryNetwork, AnEpisodeLimitAndASummedLossAreTheReferenceEngines) {
  constexpr double kRoundings = 2e-5;
  for (const std::int64_t limit : {0, 30}) {
    Config c = plain_config();
    c.hidden = {};
    c.envs = 40;
    c.horizon = 128;
    c.episode_limit = limit;
    c.objective.loss = cupg::LossSum::sum;
    c.optimizer = {.kind = cupg::OptimizerKind::sgd, .learning_rate = 0.03f / static_cast<float>(c.batch()), .max_grad_norm = 0};
    const auto reference = reference_engine(c), engine = library_engine(c, 1, 2);
    for (cupg::Engine* e : {reference.get(), engine.get()}) {
      e->reset(0, 3);
      e->set_parameters(0, balancing(1));
    }
    const cupg::UpdateReport want = update(*reference, 4), got = update(*engine, 4);
    EXPECT_EQ(want.episodes.episodes, got.episodes.episodes);
    EXPECT_EQ(want.episodes.steps, got.episodes.steps);
    EXPECT_EQ(got.episodes.episodes > got.episodes.terminated, limit == 30);
    EXPECT_FALSE(!(distance(reference->parameters(0), engine->parameters(0)) <= kRoundings));
    EXPECT_GT(distance(reference->parameters(0), balancing(1)), 10 * kRoundings) << "it must move";
  }
}

TEST(LibraryNetwork, NormalizesAndOptimizesAsTheReferenceEngine) {
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
      const auto reference = reference_engine(c), engine = library_engine(c, 1, 1);
      EXPECT_FALSE(!(distance(trained(*reference, 3, 5), trained(*engine, 3, 5)) <= kRoundings)) << normalize << static_cast<int>(kind);
      for (const std::vector<float>& other : ends) EXPECT_GT(distance(other, engine->parameters(0)), 10 * kRoundings);
      ends.push_back(parameters(*engine));
    }
}

TEST(LibraryNetwork, FirstUpdateOfEveryAlgorithmIsTheReferences) {
  for (const std::int64_t slab : {23, 4096})
    expect_first_updates([&](const Config& c) { return cupg::make_library_engine(c, 1, 1, {.slab = slab, .keep = false}); });
}

TEST(LibraryNetwork, EverySettingOfPpoAndReinforceIsTheReferences) {
  expect_every_setting([](const Config& c) {
    const bool keep = c.minibatches == 1 && c.collect == cupg::Collect::steps;
    return cupg::make_library_engine(c, 1, 2, {.slab = 50, .keep = keep});
  });
}

TEST(LibraryNetwork, TakesTheDerivativesOfARegisteredObjective) {
  const cupg::ObjectiveInfo& ppo = cupg::find_objective("ppo");
  cupg::register_objective({"ppo-again", "", ppo.value, ppo.entropy, ppo.ratio},
                           {.generic = cupg::cpu_ops_generic().objective(cupg::objective_number("ppo"))});
  Config c = engine_config(shared_shape({65}), 40, 9);
  c.epochs = c.minibatches = 2;
  c.isa = cupg::Isa::scalar;
  std::vector<std::vector<float>> ends;
  for (const char* algorithm : {"ppo", "ppo-again"}) {
    c.algorithm = algorithm;
    ends.push_back(trained(*library_engine(c), 3, 2));
  }
  EXPECT_TRUE(same_bits(ends[0], ends[1])) << "the same derivatives, one thread";
}

TEST(LibraryNetwork, EvaluatesAsTheReferenceEngine) {
  Config c = plain_config();
  c.hidden = {};
  for (const float quality : {1.0f, 0.05f, -1.0f})
    for (const bool greedy : {true, false}) {
      const auto reference = reference_engine(c), engine = library_engine(c, 1, 1);
      for (cupg::Engine* e : {reference.get(), engine.get()}) {
        e->reset(0, 5);
        e->set_parameters(0, balancing(quality));
      }
      const cupg::EvaluationRequest request{.episodes = 70, .greedy = greedy, .block = 9};
      // whole episodes: a draw within a rounding of its threshold would show here, and none of these is
      EXPECT_EQ(reference->evaluate(0, request).returns, engine->evaluate(0, request).returns) << quality << greedy;
      const cupg::EvaluationRequest early{.episodes = 70, .greedy = greedy, .block = 9, .stop_below = 475};
      EXPECT_EQ(engine->evaluate(0, early).complete, reference->evaluate(0, request).mean_return >= 475);
    }
}

TEST(LibraryNetwork, KUpdatesAreKTimesOneAndPopulationsAreIndependent) {
  Config c = plain_config();
  c.hidden = {30, 20, 10};
  c.envs = 40;
  c.horizon = 5;
  const auto whole = library_engine(c, 1, 1), parts = library_engine(c, 2, 1);
  whole->reset(0, 1), parts->reset(0, 8), parts->reset(1, 1);
  update(*whole, 6);
  for (const std::int64_t updates : {1, 3, 2}) {
    const int both[] = {0, 1};
    cupg::UpdateReport reports[2];
    parts->update(both, updates, reports);
    parts->evaluate(1, {.episodes = 10, .block = 3});
  }
  EXPECT_TRUE(same_bits(whole->parameters(0), parts->parameters(1))) << "the same products, one thread";
  EXPECT_FALSE(same_bits(whole->parameters(0), parts->parameters(0)));
}

TEST(LibraryNetwork, AGradientThatIsNotFiniteChangesNothing) {
  Config c = plain_config();
  c.hidden = {70};
  const auto engine = library_engine(c, 1, 1);
  for (const float bad : {std::nanf(""), 1e38f}) {
    engine->reset(0, 1);
    update(*engine, 2);
    std::vector<float> p = parameters(*engine);
    for (float& x : p) x = x == 0 ? bad : x * bad;
    engine->set_parameters(0, p);
    const cupg::UpdateReport report = update(*engine, 5);
    EXPECT_FALSE(report.finite);
    EXPECT_EQ(report.updates, 0);
    EXPECT_TRUE(same_bits(p, engine->parameters(0)));
  }
}

TEST(LibraryNetwork, AnUpdateThatIsGivenUpLeavesTheOneBefore) {
  cupg::Config c = plain_config();
  c.hidden = {70};
  c.envs = 300;
  c.horizon = 4;
  expect_whole_updates([&] { return cpu_engine(c); });
}

TEST(LibraryNetwork, IsChosenBeyondTheFusedKernelsAlone) {
  Config c = plain_config();
  const auto math = [&](const std::vector<int>& hidden) {
    c.hidden = hidden;
    return cpu_engine(c)->math();
  };
  EXPECT_EQ(math({}), "exact");
  EXPECT_EQ(math({64, 64}), "exact");
  EXPECT_EQ(math({65}), "gemm");
  EXPECT_EQ(math({2, 2, 2}), "gemm");
  c.hidden = {4};
  c.shared = false;
  c.value_hidden = std::vector<int>{65};
  EXPECT_EQ(cpu_engine(c)->math(), "gemm") << "every trunk counts";
  EXPECT_EQ(reference_engine(c)->math(), "exact");
}

TEST(LibraryNetwork, TakesTheMemoryThatItSays) {
  Config c = plain_config();
  c.hidden = {512, 512};
  c.envs = 64;
  c.horizon = 32;
  const std::int64_t small = cupg::engine_bytes(c, 1, 1);
  EXPECT_GT(small, 4 * 4 * parameter_count(c.network()));
  c.horizon = 320;
  // a batch ten times as large: observations and rows, and the activations while they are kept
  EXPECT_GT(cupg::engine_bytes(c, 1, 1), small + 9ll * 64 * 32 * 4 * 4);
  c.horizon = 1'000'000;
  c.envs = 1'000'000;
  EXPECT_GT(cupg::engine_bytes(c, 1, 1), 1ll << 40);
  c.hidden = std::vector<int>(32, 4096);
  EXPECT_GT(cupg::engine_bytes(c, 1, 1), 4ll * 4 * 31 * 4096 * 4096);
}

TEST(LibraryNetwork, SeedsSideBySideAreThoseOfEachAlone) {
  Config c = plain_config();
  c.hidden = {40, 70};
  c.steps = 10 * c.batch();
  c.seeds = 3;
  c.threads = 3;
  const cupg::TrainResult together = cupg::train(c);
  EXPECT_EQ(together.math, "gemm");
  ASSERT_EQ(together.agents.size(), 3u);
  c.seeds = 1;
  for (const cupg::AgentResult& agent : together.agents) {
    c.seed = agent.seed;
    for (c.threads = 1; c.threads <= 2; ++c.threads)  // ten updates: roundings come to some 1e-6
      EXPECT_FALSE(!(distance(agent.parameters, cupg::train(c).agents[0].parameters) <= 1e-4)) << agent.seed << ", " << c.threads;
  }
}

TEST(LibraryNetwork, SolvesCartPoleWithTwoLayersOf256) {
  if (scale() < 1) GTEST_SKIP() << "minutes under a sanitizer";
  Config c;
  c.hidden = {256, 256};
  c.optimizer.learning_rate = 0.003f;
  c.steps = 600'000;
  c.seeds = 3;
  const auto start = std::chrono::steady_clock::now();
  const cupg::TrainResult result = cupg::train(c);
  EXPECT_EQ(result.math, "gemm");
  for (const cupg::AgentResult& a : result.agents) {
    EXPECT_EQ(a.outcome, cupg::Outcome::solved) << "seed " << a.seed;
    EXPECT_GE(a.final_return, 475) << "seed " << a.seed;
    std::printf("seed %d: solved after %lld steps, %.2f s\n", static_cast<int>(a.seed), static_cast<long long>(a.solved_env_steps),
                a.solved_seconds);
  }
  std::printf("%.1f s\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

// ---- plug-ins ---------------------------------------------------------------------------------------------------------------

std::string error_of_opening(const std::string& file, const char* symbol) {
  try {
    cupg::open_plugin({.file = file, .needed = "tests", .package = "nothing"}, symbol);
  } catch (const cupg::Error& e) {
    EXPECT_EQ(e.kind(), cupg::ErrorKind::missing);
    EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
    return e.what();
  }
  return "";
}
void expect_parts(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) EXPECT_NE(text.find(part), std::string::npos) << part << " in: " << text;
}

TEST(Plugin, ThatIsMissingSaysWhereItWasLookedFor) {
  expect_parts(error_of_opening("libcupg_nothing.so", "f"),
               {"libcupg_nothing.so, which tests need", "no such file", CUPG_PLUGIN_FOLDER, "install nothing", "CUPG_PLUGIN_PATH"});
  EXPECT_EQ(cupg::plugin_folders().front(), CUPG_PLUGIN_FOLDER) << "the variable's folders come first";
}

TEST(Plugin, ThatIsNoLibraryOrAnotherOneSaysSo) {
  const std::string folder = testing::TempDir(), file = "libcupg_broken.so";
  std::ofstream(folder + "/" + file) << "not a library";
  ::setenv("CUPG_PLUGIN_PATH", (folder + "::" + CUPG_PLUGIN_FOLDER).c_str(), 1);
  expect_parts(error_of_opening(file, "f"), {file, "which tests need", "install nothing"});
  expect_parts(error_of_opening("libcupg_openblas.so", "no_such_function"), {"libcupg_openblas.so", "no_such_function"});
  EXPECT_EQ(error_of_opening("libcupg_openblas.so", CUPG_GEMM_SYMBOL), "");
  ::setenv("CUPG_PLUGIN_PATH", CUPG_PLUGIN_FOLDER, 1);
  std::remove((folder + "/" + file).c_str());
}

TEST(Plugin, MultipliesRowMajorMatrices) {
  // by hand: [1 2; 3 4] [5 6; 7 8]^T = [17 23; 39 53], + 2 [1 1; 1 1]; the columns beyond are left alone
  const float a[] = {1, 2, 3, 4}, b[] = {5, 6, 7, 8};
  float c[] = {1, 1, 9, 1, 1, 9};
  cupg::openblas().sgemm(0, 1, 2, 2, 2, 1, a, 2, b, 2, 2, c, 3);
  EXPECT_EQ((std::vector<float>{c, c + 6}), (std::vector<float>{19, 25, 9, 41, 55, 9}));
  // [1 3; 2 4] [5 6; 7 8] = [26 30; 38 44]
  cupg::openblas().sgemm(1, 0, 2, 2, 2, 1, a, 2, b, 2, 0, c, 3);
  EXPECT_EQ((std::vector<float>{c, c + 6}), (std::vector<float>{26, 30, 9, 38, 44, 9}));
}

}  // namespace

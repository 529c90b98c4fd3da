// Networks as matrix products: DenseNetwork and the engine around it, against the reference network in double and the reference
// engine. This path promises a tolerance, and the tests derive theirs: by running error analysis, a result that is a sum of
// products of inputs errs by at most gamma_k times the same sum with every input replaced by its magnitude, gamma_k = k u /
// (1 - k u), u = 2^-24, for at most k roundings between an input and the result (Higham, "Accuracy and stability of numerical
// algorithms", 2002, chapter 3), whatever the order of the sums. The sum of magnitudes is itself a ReLU network: magnitudes().
#include "src/engine/gemm_engine.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>

#include "cupg/error.hpp"
#include "envs/registry.hpp"
#include "src/engine/cpu_matrix_backend.hpp"
#include "src/engine/dense_network.hpp"
#include "src/engine/plugin.hpp"
#include "src/engine/reference.hpp"
#include "src/io/memory.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/golden_case.hpp"
#include "tests/support/guarded.hpp"
#include "tests/support/scale.hpp"
#include "tests/support/shapes.hpp"

// OpenBLAS is not built for ThreadSanitizer, which sees its memset but not how its threads wait for each other.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() { return "race:libopenblas\n"; }

namespace {

using namespace cupg_test;
using cupg::Activation;
using cupg::Config;
using cupg::kWarp;
using cupg::NetworkShape;
using Network = cupg::reference::Network<double>;

// the plug-in lies beside the command, the tests in folders of their own
const bool kPluginIsFound = [] { return ::setenv("CUPG_PLUGIN_PATH", CUPG_PLUGIN_FOLDER, 0) == 0; }();

std::vector<double> zeros(const NetworkShape& shape) { return std::vector<double>(static_cast<std::size_t>(parameter_count(shape)), 0.0); }
std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

/// Shapes that only this path takes, and mixtures.
std::vector<NetworkShape> wide_structures() {
  std::vector<NetworkShape> shapes;
  for (const Activation activation : {Activation::relu, Activation::tanh})
    for (const bool bias : {true, false}) {
      for (const std::vector<int>& widths : {std::vector<int>{65}, {16, 16, 16}, {100, 31}, {128, 64, 32, 16}})
        shapes.push_back(shared_shape(widths, activation, bias));
      shapes.push_back(separate_shape({65}, {}, activation, bias));
      shapes.push_back(separate_shape({}, {3, 3, 3, 3}, activation, bias));
      shapes.push_back(separate_shape({70, 5}, {8}, activation, bias));
    }
  shapes.push_back(shared_shape({256, 256}));
  shapes.push_back(shared_shape({4096}, Activation::tanh));
  shapes.push_back(separate_shape({5, 4096, 3}, {2}));
  return shapes;
}

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

/// The network of magnitudes: a ReLU network whose activations, outputs and gradients are the sums that bound the error.
struct Magnitudes {
  NetworkShape shape;
  std::vector<double> parameters;
};
Magnitudes magnitudes(const NetworkShape& shape, const std::vector<double>& p) {
  Magnitudes m{shape, p};
  m.shape.policy.activation = m.shape.value.activation = Activation::relu;
  for (double& x : m.parameters) x = std::abs(x);
  for (const cupg::TensorInfo& t : parameter_layout(shape))  // the policy's head is row 1 minus row 0, rounded once
    if (t.name.starts_with("policy.head"))
      for (int i = 0, half = t.elements() / 2; i < half; ++i) {
        m.parameters[index(t.offset + half + i)] = std::abs(p[index(t.offset + half + i)] - p[index(t.offset + i)]);
        m.parameters[index(t.offset + i)] = 0;
      }
  return m;
}

/// k: roundings between an input and a gradient over n samples: the sums of the way forward and back, 8 for an activation and
/// its derivative, one for the head's difference, n for the batch, some for what surrounds the network.
double roundings(const NetworkShape& shape, std::size_t n) {
  double deepest = 0;
  for (const cupg::Trunk* trunk : {&shape.policy, &shape.value_trunk()}) {
    double k = 2 * shape.observations;
    for (const int width : trunk->width) k += 2 * width + 8;
    deepest = std::max(deepest, k);
  }
  return deepest + static_cast<double>(n) + 4;
}
double gamma(double k) { return k * 0x1p-24 / (1 - k * 0x1p-24); }

/// tanh' = 1 - h^2 passes on 2 |h| <= 2 times the error of h, which the magnitudes bound: a factor for the whole sum.
double activation_factor(const NetworkShape& shape, const Network::Activations& a) {
  if (shape.policy.activation == Activation::relu) return 1;
  double factor = 1;
  for (const auto* tower : {&a.policy, &a.value})
    for (std::size_t l = 1; l < tower->size(); ++l) factor += 2 * *std::max_element((*tower)[l].begin(), (*tower)[l].end());
  return factor;
}

/// What a batch should give, in double, and how far off float may be.
struct Expected {
  std::vector<double> d, value, d_bound, value_bound, gradient, gradient_bound;
};
Expected expected(const NetworkShape& shape, const std::vector<double>& p, const std::vector<double>& observation,
                  const std::vector<double>& grad_d, const std::vector<double>& grad_value, const std::vector<double>& grad_d_magnitude,
                  const std::vector<double>& grad_value_magnitude) {
  const std::size_t n = grad_d.size();
  const Network network(shape);
  const Magnitudes m = magnitudes(shape, p);
  const Network bound_network(m.shape);
  const double k = gamma(roundings(shape, n));
  Expected e{std::vector<double>(n), std::vector<double>(n), std::vector<double>(n), std::vector<double>(n), zeros(shape), zeros(shape)};
  std::vector<double> bound = zeros(shape);
  double factor = 1;
  for (std::size_t s = 0; s < n; ++s) {
    double x[4], size[4];
    for (std::size_t i = 0; i < 4; ++i) x[i] = observation[4 * s + i], size[i] = std::abs(x[i]);
    Network::Activations a;
    network.forward(p.data(), x, e.d[s], e.value[s], &a);
    network.backward(p.data(), a, grad_d[s], grad_value[s], e.gradient.data());
    bound_network.forward(m.parameters.data(), size, e.d_bound[s], e.value_bound[s], &a);
    bound_network.backward(m.parameters.data(), a, grad_d_magnitude[s], grad_value_magnitude[s], bound.data());
    e.d_bound[s] *= k, e.value_bound[s] *= k;
    factor = std::max(factor, activation_factor(shape, a));
  }
  for (std::size_t i = 0; i < bound.size(); ++i) e.gradient_bound[i] = k * factor * std::abs(bound[i]);
  return e;
}
std::vector<double> absolute(std::vector<double> x) {
  for (double& v : x) v = std::abs(v);
  return x;
}

template <class Got>
void expect_near(const std::vector<double>& want, const Got& got, const std::vector<double>& bound, const std::string& what) {
  ASSERT_EQ(want.size(), got.size());
  for (std::size_t i = 0; i < want.size(); ++i)
    ASSERT_FALSE(!(std::abs(static_cast<double>(got[i]) - want[i]) <= bound[i]))
        << what << "[" << i << "]: " << got[i] << " for " << want[i] << ", off by " << static_cast<double>(got[i]) - want[i] << ", may be "
        << bound[i];
}

/// A batch through DenseNetwork in slabs of at most `most` samples.
struct DenseResult {
  std::vector<float> d, value, gradient;
};
DenseResult run_dense(const NetworkShape& shape, const std::vector<float>& p, const std::vector<float>& observation,
                      const std::vector<float>& grad_d, const std::vector<float>& grad_value, int most, cupg::Isa isa, int threads = 1) {
  const int n = static_cast<int>(grad_d.size());
  cupg::Team team(threads);
  cupg::CpuMatrixBackend backend(cupg::openblas(), cupg::cpu_ops_for(isa), team);
  cupg::openblas().set_threads(threads);
  cupg::DenseNetwork network(shape, backend, n, most);
  DenseResult r{std::vector<float>(index(n)), std::vector<float>(index(n)), {}};
  Guarded<float> gradient(static_cast<std::int64_t>(p.size())), outputs(2 * n);
  network.load(p.data());
  for (int begin = 0; begin < n; begin += most)
    network.forward(&observation[index(4 * begin)], begin, std::min(most, n - begin), outputs.data() + 2 * begin);
  for (int s = 0; s < n; ++s) {
    r.d[index(s)] = outputs[2 * s], r.value[index(s)] = outputs[2 * s + 1];
    outputs[2 * s] = grad_d[index(s)], outputs[2 * s + 1] = grad_value[index(s)];
  }
  network.begin_gradient();
  for (int begin = 0; begin < n; begin += most)
    network.backward(&observation[index(4 * begin)], begin, std::min(most, n - begin), outputs.data() + 2 * begin, gradient.data());
  network.end_gradient(gradient.data());
  EXPECT_TRUE(gradient.guards_intact() && outputs.guards_intact());
  EXPECT_EQ(gradient.untouched(), 0) << name(shape);
  r.gradient.assign(gradient.data(), gradient.data() + gradient.size());
  return r;
}

void expect_dense(const NetworkShape& shape, int n, int most, cupg::Isa isa, int threads = 1) {
  const std::vector<float> p = plausible_parameters(shape, 11), x = random_floats(4 * index(n), 1.5f, 12),
                           grad_d = random_floats(index(n), 1.0f, 13), grad_value = random_floats(index(n), 1.0f, 14);
  const Expected e = expected(shape, to_double(p), to_double(x), to_double(grad_d), to_double(grad_value), absolute(to_double(grad_d)),
                              absolute(to_double(grad_value)));
  const DenseResult r = run_dense(shape, p, x, grad_d, grad_value, most, isa, threads);
  const std::string what = name(shape) + ", " + text(isa);
  expect_near(e.d, r.d, e.d_bound, what + ": d");
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
      const cupg::A2cCoefficients<double> coefficients =
          reinforce ? cupg::A2cCoefficients<double>{0, 0} : cupg::A2cCoefficients<double>{0.01, 1};
      std::vector<double> grad_d, grad_value;
      for (std::size_t b = 0; b < c.batch; ++b) {
        const double d = c.logits[2 * b + 1] - c.logits[2 * b], scale = 1 / static_cast<double>(c.batch);
        grad_d.push_back(scale * cupg::A2c::grad_two_actions(d, c.action[b] == 1, reinforce ? c.target[b] : c.advantage[b], coefficients));
        grad_value.push_back(scale * cupg::A2c::grad_value(c.value[b], c.target[b], coefficients));
      }
      const auto rounded = [](const std::vector<double>& x) { return std::vector<float>(x.begin(), x.end()); };
      const Expected e = expected(c.shape, c.parameters, c.observation, grad_d, grad_value, absolute(grad_d), absolute(grad_value));
      const DenseResult r =
          run_dense(c.shape, rounded(c.parameters), rounded(c.observation), rounded(grad_d), rounded(grad_value), 20, cupg::Isa::automatic);
      // the file's numbers are doubles: rounding them to float is one more rounding, which roundings() has to spare
      const std::string what = c.name + (reinforce ? " reinforce" : " a2c");
      expect_near(c.flat(c.losses.at(reinforce ? "reinforce" : "a2c").at("grads")), r.gradient, e.gradient_bound, what);
      expect_near(c.value, r.value, e.value_bound, what);
    }
}

// ---- the engine -------------------------------------------------------------------------------------------------------------

Config engine_config(const NetworkShape& shape, int envs, int horizon) {
  Config c = plain_config();
  c.envs = envs;
  c.horizon = horizon;
  c.shared = shape.shared;
  c.hidden = shape.policy.width;
  if (!shape.shared) c.value_hidden = shape.value.width;
  c.activation = shape.policy.activation;
  c.bias = shape.policy.bias;
  // one step of plain gradient descent shows the gradient itself
  c.optimizer = {.kind = cupg::OptimizerKind::sgd, .learning_rate = 1, .max_grad_norm = 0};
  return c;
}

/// The engine's first update against the reference engine's, gradient by gradient.
void expect_first_update(const Config& c, const cupg::GemmPlan& plan) {
  const cupg::EnvironmentInfo& environment = cupg::find_environment(c.environment);
  const NetworkShape shape = c.network();
  cupg::reference::Agent<cupg::CartPole, float> reference(c, environment);
  const auto engine = cupg::make_gemm_engine(c, 1, 1, plan);
  reference.reset(3);
  engine->reset(0, 3);
  ASSERT_TRUE(same_bits(reference.parameters, engine->parameters(0)));
  const std::vector<double> before = to_double(reference.parameters);
  cupg::EpisodeTally tally;
  ASSERT_TRUE(reference.update(tally));
  const cupg::UpdateReport report = update(*engine, 1);
  ASSERT_TRUE(report.finite);
  EXPECT_EQ(report.episodes.episodes, tally.episodes);
  EXPECT_EQ(report.episodes.steps, tally.steps);

  // The gradient's sum of magnitudes, over the samples of the reference. An advantage is a sum over at most T steps of r, V and
  // V'; dJ/dd = A (p - [a]) + entropy and dJ/dV = c_v A take in errors of A, d (at a rate of at most |A| / 4) and V.
  const Magnitudes m = magnitudes(shape, before);
  const Network bound_network(m.shape);
  std::vector<double> x, unused, grad_d, grad_value;
  double most_value = 0;
  for (int pass = 0; pass < 2; ++pass)
    for (int e = 0; e < c.envs; ++e)
      for (int t = 0; t < c.horizon; ++t) {
        const auto& s = reference.samples()[index(((e / kWarp) * c.horizon + t) * kWarp + e % kWarp)];
        double size[4], d = 0, value = 0;
        for (std::size_t i = 0; i < 4; ++i) size[i] = std::abs(static_cast<double>(s.observation[i]));
        bound_network.forward(m.parameters.data(), size, d, value);
        if (pass == 0) {
          most_value = std::max(most_value, value);
          continue;
        }
        const double advantage = c.horizon * (1 + 2 * most_value), scale = 1 / static_cast<double>(c.batch());
        x.insert(x.end(), size, size + 4);
        grad_d.push_back(scale * (advantage * (1 + d) + 1 + d));
        grad_value.push_back(scale * static_cast<double>(c.objective.value_coef) * (advantage + 2 * value));
      }
  const Expected bound = expected(shape, before, x, grad_d, grad_value, grad_d, grad_value);
  std::vector<double> tolerance;
  for (std::size_t i = 0; i < before.size(); ++i)  // both engines err; p - g is rounded in each
    tolerance.push_back(2 * bound.gradient_bound[i] +
                        2 * 0x1p-24 * (std::abs(before[i]) + std::abs(static_cast<double>(reference.parameters[i]))));
  expect_near(to_double(reference.parameters), engine->parameters(0), tolerance, name(shape) + ": parameters");
}

void expect_first_update(const Config& c) { expect_first_update(c, cupg::plan_gemm(c)); }

TEST(GemmEngine, FirstUpdateIsTheReferenceEnginesWithinItsRoundings) {
  for (const auto& shapes : {all_structures(), wide_structures()})
    for (const NetworkShape& shape : shapes) {
      if (scale() < 1 && parameter_count(shape) > 2000) continue;
      const bool huge = parameter_count(shape) > 20000;
      Config c = engine_config(shape, huge ? 5 : 37, huge ? 3 : 7);
      if (huge) c.init.kind = cupg::Initialisation::xavier;
      expect_first_update(c);
      if (testing::Test::HasFatalFailure()) return;
    }
}

TEST(GemmEngine, BatchesOfEverySize) {
  for (const cupg::Isa isa : cupg::available_isas())
    for (const auto& [envs, horizon] : {std::pair{1, 1}, {1, 40}, {32, 1}, {33, 5}, {64, 3}, {300, 2}}) {
      Config c = engine_config(shared_shape({20, 20, 20}), envs, horizon);
      c.isa = isa;
      expect_first_update(c);
    }
}

TEST(GemmEngine, SlabsOfEverySizeKeptOrComputedAgain) {
  const Config c = engine_config(separate_shape({9, 9, 9}, {70}), 40, 9);
  for (const std::int64_t slab : {1, 7, 40, 64, 1000})
    for (const bool keep : {false, true}) expect_first_update(c, {.slab = slab, .keep = keep});
  EXPECT_TRUE(cupg::plan_gemm(c).keep);
  Config large = c;
  large.hidden = {4096, 4096};
  large.envs = 1024;
  EXPECT_FALSE(cupg::plan_gemm(large).keep);
}

/// Largest difference relative to the largest element.
double distance(std::span<const float> a, std::span<const float> b) {
  double most = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!(std::abs(a[i] - b[i]) < 1e30f)) return 1e30;
    most = std::max(most, static_cast<double>(std::abs(a[i] - b[i])));
    size = std::max(size, static_cast<double>(std::abs(a[i])));
  }
  return most / size;
}

TEST(GemmEngine, TruncatedEpisodesGoOnOrEndAsTheReferenceEngines) {
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
      const auto reference = reference_engine(c), engine = cupg::make_gemm_engine(c, 1, 2);
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

TEST(GemmEngine, NormalisesAndOptimisesAsTheReferenceEngine) {
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
      const auto reference = reference_engine(c), engine = cupg::make_gemm_engine(c, 1, 1);
      EXPECT_FALSE(!(distance(trained(*reference, 3, 5), trained(*engine, 3, 5)) <= kRoundings)) << normalize << static_cast<int>(kind);
      for (const std::vector<float>& other : ends) EXPECT_GT(distance(other, engine->parameters(0)), 10 * kRoundings);
      ends.push_back(parameters(*engine));
    }
}

TEST(GemmEngine, EvaluatesAsTheReferenceEngine) {
  Config c = plain_config();
  c.hidden = {};
  for (const float quality : {1.0f, 0.05f, -1.0f})
    for (const bool greedy : {true, false}) {
      const auto reference = reference_engine(c), engine = cupg::make_gemm_engine(c, 1, 1);
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

TEST(GemmEngine, KUpdatesAreKTimesOneAndPopulationsAreIndependent) {
  Config c = plain_config();
  c.hidden = {30, 20, 10};
  c.envs = 40;
  c.horizon = 5;
  const auto whole = cupg::make_gemm_engine(c, 1, 1), parts = cupg::make_gemm_engine(c, 2, 1);
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

TEST(GemmEngine, AGradientThatIsNotFiniteChangesNothing) {
  Config c = plain_config();
  c.hidden = {70};
  const auto engine = cupg::make_gemm_engine(c, 1, 1);
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

TEST(GemmEngine, IsChosenBeyondTheFusedKernelsAlone) {
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

TEST(GemmEngine, TakesTheMemoryThatItSays) {
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

TEST(GemmEngine, SeedsSideBySideAreThoseOfEachAlone) {
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

TEST(GemmEngine, SolvesCartPoleWithTwoLayersOf256) {
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

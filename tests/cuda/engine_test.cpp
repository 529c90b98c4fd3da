// The whole CUDA engine against the CPU engine in both forms, on the host executor or on a device.
#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "cupg/policy.hpp"
#include "tests/cuda/cuda_engines.hpp"
#include "tests/support/bits.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/hashed_cases.hpp"
#include "tests/support/own_hyperparameters.hpp"
#include "tests/support/pairwise.hpp"
#include "tests/support/scale.hpp"

namespace {

using namespace cupg_test;
using cupg::Activation;
using cupg::Config;
using cupg::CudaForm;
using cupg::Engine;
using cupg::Estimator;
using cupg::EvaluationRequest;
using cupg::OptimizerKind;
using cupg::RmspropEps;
using cupg::UpdateReport;

std::string form_name(CudaForm form) { return form == CudaForm::population ? "Population" : "LargeBatch"; }

struct CudaEngine : CudaEngineTest<testing::TestWithParam<CudaForm>> {
  std::unique_ptr<Engine> make(const Config& config, int agents = 1) const { return make_cuda_engine(config, agents, GetParam()); }
  std::string name() const { return form_name(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(, CudaEngine, testing::Values(CudaForm::population, CudaForm::large_batch),
                         [](const auto& form) { return form_name(form.param); });

testing::AssertionResult same_reports(const std::vector<UpdateReport>& want, const std::vector<UpdateReport>& got) {
  for (std::size_t i = 0; i < want.size(); ++i) {
    const UpdateReport &a = want[i], &b = got[i];
    if (a.episodes.episodes != b.episodes.episodes || a.episodes.terminated != b.episodes.terminated ||
        a.episodes.steps != b.episodes.steps || a.episodes.returns != b.episodes.returns || a.updates != b.updates ||
        a.finite != b.finite || a.parameters_finite != b.parameters_finite)
      return testing::AssertionFailure() << "report " << i << ": " << a.episodes.episodes << "/" << b.episodes.episodes << " episodes, "
                                         << a.episodes.terminated << "/" << b.episodes.terminated << " terminated, " << a.episodes.steps
                                         << "/" << b.episodes.steps << " steps, " << a.updates << "/" << b.updates << " updates, finite "
                                         << a.finite << a.parameters_finite << "/" << b.finite << b.parameters_finite;
  }
  return testing::AssertionSuccess();
}

/// Two engines that do the same.
struct Pair {
  std::unique_ptr<Engine> cpu, cuda;
  int agents;
  std::string text;

  Pair(const Config& config, std::unique_ptr<Engine> under_test, int count, std::string words)
      : cpu(cpu_engine(config, cupg::Isa::automatic, 1, count)), cuda(std::move(under_test)), agents(count), text(std::move(words)) {}

  void reset(int agent, std::uint64_t seed) { cpu->reset(agent, seed), cuda->reset(agent, seed); }
  void reset_all() {
    for (int a = 0; a < agents; ++a) reset(a, 0x5eed00000005u + static_cast<std::uint64_t>(a));
  }
  std::vector<UpdateReport> update(const std::vector<int>& which, std::int64_t updates) {
    std::vector<UpdateReport> want(which.size()), got(which.size());
    cpu->update(which, updates, want);
    cuda->update(which, updates, got);
    EXPECT_TRUE(same_reports(want, got)) << text;
    return want;
  }
  void expect_same() {
    for (int a = 0; a < agents; ++a) {
      EXPECT_TRUE(same_bits(cpu->parameters(a), cuda->parameters(a))) << text << ", agent " << a;
      count_comparison("update", "cuda engine");
    }
  }
  void expect_same_evaluations(const EvaluationRequest& request) {
    std::vector<int> all;
    std::vector<EvaluationRequest> requests;
    for (int a = 0; a < agents; ++a) {
      all.push_back(a);
      requests.push_back(request);
      requests.back().block += static_cast<std::uint32_t>(a / 2);
      if (a == 3) requests.back().greedy = !request.greedy;  // needs a launch of its own
    }
    const auto want = cpu->evaluate_all(all, requests), got = cuda->evaluate_all(all, requests);
    for (std::size_t i = 0; i < want.size(); ++i) {
      EXPECT_EQ(want[i].complete, got[i].complete);
      if (!want[i].complete) continue;  // the CPU stops as soon as it knows, and has not all returns
      EXPECT_TRUE(same_bits(want[i].returns, got[i].returns)) << text << ", evaluation " << i;
      EXPECT_EQ(want[i].mean_return, got[i].mean_return);
    }
  }
};

TEST_P(CudaEngine, AgentsOfTheirOwnHyperparametersHaveTheCpusBits) {
  for (const auto& [algorithm, hidden] : {std::pair{"a2c", std::vector{16}}, {"ppo", {5}}, {"ppo", {5, 4}}}) {
    Config c = plain_config();
    c.algorithm = algorithm;
    c.hidden = hidden;
    c.seeds = 3;
    c.envs = 33;
    c.horizon = 9;
    c.optimizer.schedule = cupg::Schedule::linear;
    if (c.algorithm == "ppo") c.epochs = 2, c.minibatches = 3;
    c.agents = three_agents(c);
    const auto cpu = cpu_engine(c, cupg::Isa::automatic, 1, 3), cuda = make(c, 3);
    const std::vector<int> agents{0, 1, 2};
    std::vector<UpdateReport> want(3), got(3);
    for (const int a : agents)
      for (Engine* const engine : {cpu.get(), cuda.get()}) engine->reset(a, 5, a);  // one seed: they differ in nothing else
    cpu->update(agents, 4, want);
    cuda->update(agents, 4, got);
    EXPECT_TRUE(same_reports(want, got)) << algorithm;
    for (const int a : agents) EXPECT_TRUE(same_bits(cpu->parameters(a), cuda->parameters(a))) << algorithm << ", agent " << a;
    EXPECT_FALSE(same_bits(cuda->parameters(0), cuda->parameters(1)));
    EXPECT_FALSE(same_bits(cuda->parameters(0), cuda->parameters(2)));
  }
}

TEST_P(CudaEngine, AgentsAtRandomPlacesAmongThousandsHaveTheBitsThatTheyHaveAlone) {
  Config c = plain_config();
  c.envs = 32;
  c.horizon = 2;
  const int agents = GetParam() == CudaForm::population ? scaled(2048, 200) : scaled(64, 8);
  const auto all = make(c, agents);
  const auto seed_of = [](int agent) { return 0x7000000 + static_cast<std::uint64_t>(agent); };
  std::vector<int> numbers;
  for (int a = 0; a < agents; ++a) numbers.push_back(a), all->reset(a, seed_of(a));
  std::vector<UpdateReport> reports(numbers.size());
  all->update(numbers, 3, reports);
  std::mt19937 random(3);
  for (int i = 0; i < 16; ++i) {
    const int place = static_cast<int>(random() % static_cast<unsigned>(agents));
    const auto alone = cpu_engine(c, cupg::Isa::automatic, 1, 1);
    alone->reset(0, seed_of(place));
    std::vector<UpdateReport> report(1);
    alone->update(std::vector{0}, 3, report);
    EXPECT_TRUE(same_bits(alone->parameters(0), all->parameters(place))) << name() << ", place " << place;
    EXPECT_EQ(report[0].episodes.episodes, reports[static_cast<std::size_t>(place)].episodes.episodes) << place;
    count_comparison("update", "cuda engine");
  }
}

TEST_P(CudaEngine, EndsInTheCpusBits) {
  const std::pair<std::vector<int>, std::optional<std::vector<int>>> networks[] = {{{16}, {}},
                                                                                   {{}, {}},
                                                                                   {{33}, {}},
                                                                                   {{64}, {}},
                                                                                   {{5, 16}, {}},
                                                                                   {{1}, std::vector<int>{1}},
                                                                                   {{7}, std::vector<int>{9, 4}},
                                                                                   {{}, std::vector<int>{3}}};
  const int envs[] = {1, 31, 32, 33, 150, 1000}, horizons[] = {1, 3, 7, 128};
  for (const auto& row : pairwise_table({std::size(networks), std::size(envs), std::size(horizons), 4, 4, 4, 2, 3, 3, 2})) {
    Config c = plain_config();
    c.hidden = networks[row[0]].first;
    c.shared = !networks[row[0]].second.has_value();
    c.value_hidden = networks[row[0]].second;
    c.envs = envs[row[1]];
    c.horizon = horizons[row[2]];
    const int agents = row[3] % 2 == 0 ? 1 : 5;
    c.advantage.normalize = row[3] >= 2;
    c.activation = row[4] % 2 == 0 ? Activation::relu : Activation::tanh;
    c.bias = row[4] < 2;
    c.optimizer.kind = std::array{OptimizerKind::adam, OptimizerKind::rmsprop, OptimizerKind::rmsprop, OptimizerKind::sgd}[row[5]];
    c.optimizer.rmsprop_eps = row[5] == 2 ? RmspropEps::inside : RmspropEps::outside;
    c.optimizer.schedule = row[5] == 3 ? cupg::Schedule::linear : cupg::Schedule::constant;
    c.optimizer.max_grad_norm = row[4] == 3 ? 0.0f : 0.5f;
    if (row[6] == 1) c.environment = "CartPole-v0", c.advantage.truncation = cupg::Truncation::terminal;
    if (row[7] != 0) c.advantage.estimator = Estimator::nstep, c.advantage.nstep = row[7] == 1 ? 1 : std::min(5, c.horizon);
    if (row[8] != 0) c.episode_limit = row[8] == 1 ? 13 : 0;
    if (row[9] == 1) c.objective.loss = cupg::LossSum::sum;
    const double most = 3e5 * scale();
    if (static_cast<double>(c.batch()) * agents > most) c.horizon = std::min(c.horizon, 7);
    if (static_cast<double>(c.batch()) * agents > most) c.envs = std::min(c.envs, 150);
    c.advantage.nstep = std::min(c.advantage.nstep, c.horizon);
    const std::int64_t updates = std::clamp<std::int64_t>(static_cast<std::int64_t>(most / 10) / (c.batch() * agents), 1, 20);
    c.steps = c.batch() * (3 * updates + 1);

    const auto schedule = engine_schedule((row[0] + row[1]) % kEngineSchedules);
    Pair pair(c, make(c, agents), agents,
              this->name() + ", " + describe(c.network()) + ", " + std::to_string(c.envs) + " x " + std::to_string(c.horizon) + ", " +
                  std::to_string(agents) + " agents");
    pair.reset_all();
    std::vector<int> all;
    for (int a = 0; a < agents; ++a) all.push_back(a);
    pair.update(all, updates);
    pair.expect_same();
    if (agents > 1) {  // some of them, in any order; one starts afresh in between
      pair.update({3, 0}, updates);
      pair.reset(4, 77);
      pair.update({4, 1, 3}, 1);
      pair.expect_same();
    }
    pair.expect_same_evaluations({.episodes = 33, .greedy = row[6] == 0, .block = 2});
    count_shape(pair.text);
    if (HasFatalFailure() || HasNonfatalFailure()) return;
  }
}

TEST_P(CudaEngine, ManyCallsAreOneCall) {
  Config c = plain_config();
  c.envs = 70;
  c.horizon = 7;
  const auto once = make(c), often = make(c);
  once->reset(0, 3), often->reset(0, 3);
  update(*once, 12);
  for (int k = 0; k < 4; ++k) update(*often, 3);
  EXPECT_TRUE(same_bits(once->parameters(0), often->parameters(0)));
}

TEST_P(CudaEngine, ASecondRunFromTheSameSeedHasTheSameBits) {
  Config c = plain_config();
  c.envs = 40;
  c.advantage.normalize = true;
  const auto engine = make(c, 2);
  std::vector<float> first;
  for (int run = 0; run < 2; ++run) {
    const auto schedule = engine_schedule(static_cast<std::size_t>(run));
    for (int a = 0; a < 2; ++a) engine->reset(a, 9);
    std::vector<UpdateReport> reports(2);
    engine->update(std::array{0, 1}, 10, reports);
    EXPECT_TRUE(same_bits(engine->parameters(0), engine->parameters(1)));
    if (run == 0) first = parameters(*engine);
    EXPECT_TRUE(same_bits(first, parameters(*engine)));
  }
}

TEST_P(CudaEngine, ALongRunWithManyTruncations) {
  Config c = plain_config();
  c.environment = "CartPole-v0";
  Pair pair(c, make(c), 1, name());
  pair.reset_all();
  std::int64_t truncated = 0;
  for (int k = 0; k < 4; ++k) {
    const UpdateReport r = pair.update({0}, scaled(100, 10))[0];
    truncated += r.episodes.episodes - r.episodes.terminated;
  }
  pair.expect_same();
  if (scale() >= 1) {
    EXPECT_GT(truncated, 100);
  }
}

TEST_P(CudaEngine, HasTheCommittedHashes) {
  const nlohmann::json want = golden_json("hashes.json");
  int compared = 0;
  for (const Case& c : hashed_cases()) {
    if (static_cast<double>(c.config.batch() * c.updates) > 1e6 * scale()) continue;
    const auto engine = make(c.config);
    EXPECT_EQ(want.at(c.name).get<std::string>(), cupg::parameters_sha256(trained(*engine, 1, c.updates))) << c.name;
    ++compared;
  }
  EXPECT_GE(compared, scale() < 1 ? 5 : 12);
}

TEST_P(CudaEngine, SetsAndEvaluatesParameters) {
  for (const char* environment : {"CartPole-v0", "CartPole-v1"}) {
    Config c = plain_config();
    c.environment = environment;
    c.hidden = {};
    Pair pair(c, make(c, 3), 3, name());
    pair.reset_all();
    for (auto* engine : {pair.cpu.get(), pair.cuda.get()}) {
      engine->set_parameters(0, balancing(1));
      engine->set_parameters(2, balancing(-1));
    }
    pair.expect_same();
    for (const int episodes : {1, 32, 70}) pair.expect_same_evaluations({.episodes = episodes, .block = 5});
    pair.expect_same_evaluations({.episodes = 40, .greedy = false, .stop_below = 150});
    pair.update({0, 1, 2}, 3);
    pair.expect_same();
  }
}

TEST_P(CudaEngine, ADivergingAgentBesideHealthyOnes) {
  for (const bool normalize : {false, true}) {
    Config c = plain_config();
    c.envs = 40;
    c.horizon = 5;
    c.advantage.normalize = normalize;
    c.optimizer.kind = OptimizerKind::sgd;
    c.optimizer.max_grad_norm = 0;
    Pair pair(c, make(c, 3), 3, name());
    pair.reset_all();
    std::vector<float> huge = parameters(*pair.cpu, 1);
    for (float& p : huge) p *= 1e9f;
    for (auto* engine : {pair.cpu.get(), pair.cuda.get()}) engine->set_parameters(1, huge);
    const auto reports = pair.update({0, 1, 2}, 10);
    EXPECT_FALSE(reports[1].finite);
    EXPECT_LT(reports[1].updates, 10);
    EXPECT_TRUE(reports[0].finite && reports[2].finite);
    pair.expect_same();
    // again: it stands before the update that could not be made, and its environments have gone on
    const auto again = pair.update({1, 2}, 2);
    EXPECT_FALSE(again[0].finite);
    pair.expect_same();
    pair.reset(1, 4);
    EXPECT_TRUE(pair.update({1}, 3)[0].finite) << "a reset is a new life";
    pair.expect_same();
  }
}

TEST_P(CudaEngine, TellsOfParametersThatAreNotFinite) {
  Config c = plain_config();
  Pair pair(c, make(c, 2), 2, name());
  pair.reset_all();
  std::vector<float> p = parameters(*pair.cpu, 0);
  p[100] = std::numeric_limits<float>::infinity();
  for (auto* engine : {pair.cpu.get(), pair.cuda.get()}) engine->set_parameters(0, p);
  const auto reports = pair.update({0, 1}, 1);
  EXPECT_FALSE(reports[0].parameters_finite);
  EXPECT_TRUE(reports[1].parameters_finite);
}

TEST_P(CudaEngine, NoUpdatesAndNoAgentsDoNothing) {
  Config c = plain_config();
  Pair pair(c, make(c, 2), 2, name());
  pair.reset_all();
  pair.update({0, 1}, 0);
  pair.update({}, 3);
  pair.expect_same();
}

}  // namespace

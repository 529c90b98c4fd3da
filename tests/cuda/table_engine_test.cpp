// The CUDA engine against the reference engine over the table of configurations, on the host executor or on a device.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "tests/cuda/cuda_engines.hpp"
#include "tests/support/bits.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/engine_cases.hpp"
#include "tests/support/falling_rate.hpp"
#include "tests/support/scale.hpp"
#include "tests/support/snapshots.hpp"

namespace {

using namespace cupg_test;
using cupg::Config;
using cupg::CudaForm;
using cupg::Engine;
using cupg::UpdateReport;

constexpr std::uint64_t kSeed = 0x5eed00000005u;

/// As many updates of each as the engines were told so far. The reference trains agent by agent, the other all at once.
struct Pair {
  std::unique_ptr<Engine> reference, cuda;
  int agents;
  std::string text;

  Pair(const Config& config, int count, std::string words, CudaForm form)
      : reference(reference_engine(config, count)), cuda(make_cuda_engine(config, count, form)), agents(count), text(std::move(words)) {
    for (int a = 0; a < agents; ++a) reset(a, kSeed + static_cast<std::uint64_t>(a));
  }
  void reset(int agent, std::uint64_t seed) { reference->reset(agent, seed), cuda->reset(agent, seed); }
  std::vector<int> all() const {
    std::vector<int> which(static_cast<std::size_t>(agents));
    std::iota(which.begin(), which.end(), 0);
    return which;
  }
  std::vector<UpdateReport> update(const std::vector<int>& which, std::int64_t updates) {
    std::vector<UpdateReport> want(which.size()), got(which.size());
    reference->update(which, updates, want);
    cuda->update(which, updates, got);
    return compare(which, want, got);
  }
  /// The last of them measured.
  std::vector<UpdateReport> measured(const Config& config, std::int64_t updates) {
    return compare(all(), measured_updates(*reference, config, updates, all()), measured_updates(*cuda, config, updates, all()));
  }
  std::vector<UpdateReport> compare(const std::vector<int>& which, const std::vector<UpdateReport>& want,
                                    const std::vector<UpdateReport>& got) const {
    for (std::size_t i = 0; i < which.size(); ++i) {
      const UpdateReport &a = want[i], &b = got[i];
      const std::string who = text + ", agent " + std::to_string(which[i]);
      EXPECT_EQ(a.updates, b.updates) << who;
      EXPECT_EQ(a.env_steps, b.env_steps) << who;
      EXPECT_EQ(a.episodes.episodes, b.episodes.episodes) << who;
      EXPECT_EQ(a.episodes.terminated, b.episodes.terminated) << who;
      EXPECT_EQ(a.episodes.steps, b.episodes.steps) << who;
      EXPECT_EQ(a.episodes.returns, b.episodes.returns) << who;
      EXPECT_EQ(a.finite, b.finite) << who;
      EXPECT_EQ(a.parameters_finite, b.parameters_finite) << who;
      EXPECT_EQ(difference(a.metrics, b.metrics), "") << who;
    }
    return want;
  }
  void expect_same() {
    for (int a = 0; a < agents; ++a) {
      EXPECT_TRUE(same_bits(reference->parameters(a), cuda->parameters(a))) << text << ", agent " << a;
      expect_same_snapshots(*reference, *cuda, a, text + ", agent " + std::to_string(a));
      count_comparison("tiled update", "cuda engine");
    }
  }
  /// Each goes on where the other is.
  void exchange() {
    const auto count = static_cast<std::size_t>(agents);
    std::vector<cupg::Snapshot> theirs(count), ours(count);
    reference->save(all(), theirs);
    cuda->save(all(), ours);
    std::reverse(theirs.begin(), theirs.end());
    std::reverse(ours.begin(), ours.end());
    const std::vector<int> numbers(count, 0);
    cuda->load(all(), theirs, numbers);
    reference->load(all(), ours, numbers);
  }
  void set_parameters(int agent, const std::vector<float>& parameters) {
    reference->set_parameters(agent, parameters);
    cuda->set_parameters(agent, parameters);
  }
};

/// An update that many settings meet in.
Config ppo_config() {
  Config c = plain_config();
  c.algorithm = "ppo";
  c.envs = 5;
  c.horizon = 24;
  c.epochs = 2;
  c.minibatches = 3;
  c.shared = false;
  c.hidden = {9, 6};
  c.advantage.normalize = true;
  c.advantage.normalize_over = cupg::NormalizeOver::minibatch;
  c.update_limit = 100;
  return c;
}
Config normalized_episodes() {
  Config c = episodes_config(3);
  c.advantage.normalize = true;
  c.advantage.normalize_over = cupg::NormalizeOver::episode;
  c.update_limit = 100;
  return c;
}

// ---- the table, in shards, so that they can run side by side and a failure names its own

constexpr std::size_t kShards = 8;
class CudaTileTable : public CudaEngineTest<testing::TestWithParam<std::size_t>> {};
TEST_P(CudaTileTable, EndsInTheReferencesBits) {
  const std::size_t shard = GetParam();
  const std::vector<TileCase> cases = engine_cases((on_device() ? 2e7 : 2e6) * scale());
  const std::size_t step = scale() < 1 ? 3 * kShards : kShards;  // a case has two updates at least, however small the scale
  for (std::size_t i = shard; i < cases.size(); i += step) {
    const auto schedule = engine_schedule(i % kEngineSchedules);
    Pair pair(cases[i].config, i % 2 == 0 ? 1 : 3, cases[i].name, i / kShards % 2 == 0 ? CudaForm::population : CudaForm::large_batch);
    pair.measured(cases[i].config, cases[i].updates);
    pair.expect_same();
    pair.exchange();
    pair.measured(cases[i].config, 1);
    pair.expect_same();
    count_shape(cases[i].name);
  }
}
INSTANTIATE_TEST_SUITE_P(Shard, CudaTileTable, testing::Range(std::size_t{0}, kShards));

// ---- what a table does not show

struct CudaTileEngine : CudaEngineTest<testing::TestWithParam<CudaForm>> {};
INSTANTIATE_TEST_SUITE_P(, CudaTileEngine, testing::Values(CudaForm::population, CudaForm::large_batch),
                         [](const auto& form) { return form.param == CudaForm::population ? "Population" : "LargeBatch"; });

TEST_P(CudaTileEngine, MeasuresUpdatesOfEveryEnvironmentAndNetwork) {
  for (const char* environment : {"CartPole-v1", "MountainCar-v0", "Acrobot-v1"})
    for (const bool tanh : {false, true})
      for (const bool shared : {false, true}) {
        Config c = plain_config();
        c.environment = environment;
        c.activation = tanh ? cupg::Activation::tanh : cupg::Activation::relu;
        c.shared = shared;
        c.hidden = {5};
        c.envs = 3, c.horizon = 4;
        Pair pair(c, 2, c.environment, GetParam());
        for (const UpdateReport& report : pair.measured(c, 2)) EXPECT_GT(report.metrics.entropy, 0.1f);
        pair.expect_same();
      }
}

TEST_P(CudaTileEngine, SomeAgentsGoOnAndOneStartsAfresh) {
  for (const Config& c : {ppo_config(), normalized_episodes()}) {
    Pair pair(c, 4, c.algorithm, GetParam());
    pair.update(pair.all(), 2);
    pair.update({3, 0}, 2);
    pair.expect_same();
    pair.reset(2, 77);
    pair.update({2, 1}, 1);
    pair.update({0}, 0);
    pair.update({}, 3);
    pair.expect_same();
  }
}

TEST_P(CudaTileEngine, EpochsEndEarlyForSomeAgentsAlone) {
  Config c = ppo_config();
  c.epochs = 6;
  c.optimizer.learning_rate = 0.005f;
  Pair every(c, 4, "without target-kl", GetParam());
  every.update(every.all(), 1);
  int stopped = 0, went_on = 0;
  for (const float target : {1e-4f, 1e-3f, 3e-3f}) {
    c.objective.target_kl = target;
    Pair pair(c, 4, "target-kl " + std::to_string(target), GetParam());
    pair.update(pair.all(), 1);
    pair.expect_same();
    for (int a = 0; a < 4; ++a) ++(parameters(*pair.cuda, a) == parameters(*every.cuda, a) ? went_on : stopped);
    pair.update(pair.all(), 1);  // a fresh update is not stopped
    pair.expect_same();
  }
  EXPECT_GT(stopped, 0);
  EXPECT_GT(went_on, 0);
}

TEST_P(CudaTileEngine, ADivergingAgentBesideHealthyOnes) {
  for (Config c : {ppo_config(), normalized_episodes()}) {
    c.optimizer.kind = cupg::OptimizerKind::sgd;
    c.optimizer.max_grad_norm = 0;
    Pair pair(c, 3, c.algorithm, GetParam());
    std::vector<float> huge = parameters(*pair.reference, 1);
    for (float& p : huge) p *= 1e12f;
    pair.set_parameters(1, huge);
    const auto reports = pair.update({0, 1, 2}, 3);
    EXPECT_FALSE(reports[1].finite);
    EXPECT_LT(reports[1].updates, 3);
    EXPECT_TRUE(reports[0].finite && reports[2].finite);
    pair.expect_same();
    pair.update({1, 2}, 2);  // again: its environments have gone on
    pair.expect_same();
    pair.reset(1, 4);
    EXPECT_TRUE(pair.update({1}, 2)[0].finite) << "a reset is a new life";
    pair.expect_same();
  }
}

TEST_P(CudaTileEngine, MoreThan32TilesAreReducedInRuns) {
  Config c = plain_config();
  c.algorithm = "reinforce-baseline";
  c.hidden = {3};
  c.update_limit = 100;
  for (const int tiles : {32, 33, 70}) {
    c.envs = 64;
    c.horizon = tiles;
    c.advantage.normalize = tiles == 70;
    Pair pair(c, 1, std::to_string(tiles) + " tiles", GetParam());
    pair.update({0}, 2);
    pair.expect_same();
  }
}

TEST_P(CudaTileEngine, EpisodesOfVeryDifferentLengthSideBySide) {
  Config c = normalized_episodes();
  c.hidden = {};
  c.envs = 2;
  c.episode_limit = 2200;  // the balancing agent: 35 tiles an episode, the other: one
  c.advantage.normalize_over = cupg::NormalizeOver::batch;
  c.optimizer.learning_rate = 1e-4f;
  Pair pair(c, 2, "balancing and falling", GetParam());
  pair.set_parameters(0, balancing(1));
  pair.set_parameters(1, balancing(-1));
  const auto reports = pair.update({0, 1}, scale() < 1 ? 1 : 2);
  EXPECT_GT(reports[0].env_steps, 2000);
  EXPECT_LT(reports[1].env_steps, 200);
  pair.expect_same();
}

TEST_P(CudaTileEngine, TheRateFallsWithTheStepsOrTheUpdatesThatAreLeft) {
  for (const std::int64_t updates : {0, 20}) {
    const Config c = falling_episodes(updates);
    expect_a_rate_that_falls(*make_cuda_engine(c, 1, GetParam()), c, 1);
  }
}

TEST_P(CudaTileEngine, TellsOfParametersThatAreNotFinite) {
  Pair pair(ppo_config(), 2, "infinite", GetParam());
  std::vector<float> p = parameters(*pair.reference, 0);
  p[10] = std::numeric_limits<float>::infinity();
  pair.set_parameters(0, p);
  const auto reports = pair.update({0, 1}, 1);
  EXPECT_FALSE(reports[0].parameters_finite);
  EXPECT_TRUE(reports[1].parameters_finite);
}

TEST_P(CudaTileEngine, EvaluatesWhatItHasTrained) {
  const int which[] = {2, 0, 2};
  const cupg::EvaluationRequest requests[] = {
      {.episodes = 33, .block = 5}, {.episodes = 33, .block = 6}, {.episodes = 20, .greedy = false, .block = 7}};
  for (const char* environment : {"CartPole-v1", "MountainCar-v0", "Acrobot-v1"})
    for (const bool shared : {false, true})
      for (const auto activation : {cupg::Activation::relu, cupg::Activation::tanh}) {  // each has an evaluation kernel of its own
        Config c = ppo_config();
        c.environment = environment;
        c.shared = shared;
        c.activation = activation;
        Pair pair(c, 3, environment, GetParam());
        for (int k = 0; k < 2; ++k) {
          const auto want = pair.reference->evaluate_all(which, requests), got = pair.cuda->evaluate_all(which, requests);
          for (std::size_t i = 0; i < want.size(); ++i)
            EXPECT_TRUE(same_bits(want[i].returns, got[i].returns)) << environment << " " << shared << " " << i;
          pair.update(pair.all(), 2);
        }
        pair.expect_same();
      }
}

TEST_P(CudaTileEngine, ASecondRunFromTheSameSeedHasTheSameBits) {
  const auto engine = make_cuda_engine(ppo_config(), 2, GetParam());
  std::vector<float> first;
  for (int run = 0; run < 2; ++run) {
    const auto schedule = engine_schedule(static_cast<std::size_t>(run));
    for (int a = 0; a < 2; ++a) engine->reset(a, 9);
    std::vector<UpdateReport> reports(2);
    for (int k = 0; k < 3 - run; ++k) engine->update(std::array{0, 1}, 1 + run * k, reports);  // 1 + 1 + 1, or 1 + 2 at once
    EXPECT_TRUE(same_bits(engine->parameters(0), engine->parameters(1)));
    if (run == 0) first = parameters(*engine);
    EXPECT_TRUE(same_bits(first, parameters(*engine)));
  }
}

}  // namespace

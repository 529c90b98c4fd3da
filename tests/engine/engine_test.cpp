// The Engine interface: what an update may and may not depend on.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <numeric>

#include "cupg/error.hpp"
#include "kernels/math/initialize.hpp"
#include "tests/support/bits.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/guarded.hpp"
#include "tests/support/shapes.hpp"

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace {

using namespace cupg_test;
using cupg::Config;
using cupg::UpdateReport;

struct Maker {
  const char* name;
  std::unique_ptr<cupg::Engine> (*make)(const Config&, int agents);
};
const Maker kEngines[] = {
    {"reference", [](const Config& c, int agents) { return reference_engine(c, agents); }},
    {"cpu", [](const Config& c, int agents) { return cpu_engine(c, cupg::Isa::automatic, 1, agents); }},
    {"cpu, 3 threads", [](const Config& c, int agents) { return cpu_engine(c, cupg::Isa::automatic, 3, agents); }},
};

Config small() {
  Config c = plain_config();
  c.envs = 40;
  c.horizon = 5;
  return c;
}

TEST(Engine, StartsFromTheParametersOfTheSeed) {
  std::vector<float> want(131);
  cupg::initialize_parameters(small().network(), small().init, 12, want);
  for (const Maker& maker : kEngines) {
    const auto engine = maker.make(small(), 1);
    engine->reset(0, 12);
    EXPECT_TRUE(same_bits(want, engine->parameters(0))) << maker.name;
  }
}

TEST(InitializeParameters, DrawsEveryTensorByItsNumberAndGainAndLeavesBiasesZero) {
  const cupg::NetworkInit init{.kind = cupg::Initialization::he, .hidden_gain = 0.5f, .policy_gain = 0.25f, .value_gain = 2};
  for (const cupg::NetworkShape& shape :
       {shared_shape({16, 7}), separate_shape({5}, {3, 4}), shared_shape({}, cupg::Activation::relu, false)}) {
    std::vector<float> got(static_cast<std::size_t>(parameter_count(shape)), 99.0f), want(got.size(), 0.0f),
        scratch(cupg::kInitializeScratch);
    cupg::initialize_parameters(shape, init, 77, got);
    std::uint32_t number = 0;  // of the tensor in the layout, biases counted
    for (const cupg::TensorInfo& t : parameter_layout(shape)) {
      const float gain = t.name == "policy.head.weight" ? 0.25f : t.name == "value.head.weight" ? 2.0f : 0.5f;
      if (t.name.ends_with("weight"))
        cupg::initialize_matrix(init.kind, gain, t.rows, t.columns, number, 77, want.data() + t.offset, scratch.data());
      ++number;
    }
    EXPECT_TRUE(same_bits(want, got)) << name(shape);
  }
}

TEST(InitializeParameters, PanelsOfColumnsGiveTheBitsOfOneColumnAfterTheOther) {
  using enum cupg::Initialization;
  for (const auto& [rows, columns] : {std::pair{64, 64}, {24, 24}, {23, 90}, {65, 24}, {64, 130}, {129, 128}, {200, 77}})
    for (const cupg::Initialization kind : {orthogonal, he, xavier, uniform}) {
      const auto count = static_cast<std::size_t>(rows * columns);
      std::vector<float> want(count), scratch(static_cast<std::size_t>(cupg::initialize_scratch(rows, columns)));
      cupg::initialize_matrix(kind, 0.75f, rows, columns, 3, 77, want.data(), scratch.data());
      for (const cupg::Isa isa : cupg::available_isas()) {
        Guarded<float> got(rows * columns), space(cupg::initialize_scratch(rows, columns));
        cupg::cpu_ops_for(isa).initialize(kind, 0.75f, rows, columns, 3, 77, got.data(), space.data());
        EXPECT_TRUE(same_bits(want, got)) << rows << " x " << columns << ", " << text(isa);
        EXPECT_TRUE(got.guards_intact() && space.guards_intact());
      }
    }
}

TEST(Engine, TruncatedEpisodesGoOnOrEndAsTheConfigurationSays) {
  // a policy that balances from the start: every environment is cut by CartPole-v0's limit, twice in 512 steps
  std::vector<std::vector<float>> ends;
  for (const cupg::Truncation truncation : {cupg::Truncation::bootstrap, cupg::Truncation::terminal})
    for (const bool nstep : {false, true}) {
      Config c = small();
      c.environment = "CartPole-v0";
      c.hidden = {};
      c.horizon = 128;
      c.optimizer.learning_rate = 1e-3f;
      c.advantage.truncation = truncation;
      c.advantage.estimator = nstep ? cupg::Estimator::nstep : cupg::Estimator::gae;
      for (const Maker& maker : kEngines) {
        const auto engine = maker.make(c, 1);
        engine->reset(0, 3);
        engine->set_parameters(0, balancing(1));
        const UpdateReport report = update(*engine, 4);
        EXPECT_GT(report.episodes.episodes - report.episodes.terminated, c.envs) << maker.name;
        if (&maker == kEngines) ends.push_back(parameters(*engine));
        EXPECT_TRUE(same_bits(ends.back(), engine->parameters(0))) << maker.name;
      }
    }
  EXPECT_FALSE(same_bits(ends[0], ends[2])) << "the modes must differ";
  EXPECT_FALSE(same_bits(ends[1], ends[3])) << "the modes must differ";
}

TEST(Engine, KUpdatesAreKTimesOne) {
  for (const Maker& maker : kEngines) {
    const auto whole = maker.make(small(), 1), parts = maker.make(small(), 1);
    whole->reset(0, 1), parts->reset(0, 1);
    const UpdateReport all = update(*whole, 12);
    UpdateReport sum;
    for (const std::int64_t updates : {1, 4, 5, 2}) {
      const UpdateReport r = update(*parts, updates);
      sum.updates += r.updates;
      sum.episodes += r.episodes;
    }
    EXPECT_TRUE(same_bits(whole->parameters(0), parts->parameters(0))) << maker.name;
    EXPECT_EQ(all.updates, sum.updates);
    EXPECT_EQ(all.episodes.episodes, sum.episodes.episodes);
    EXPECT_EQ(all.episodes.terminated, sum.episodes.terminated);
    EXPECT_EQ(all.episodes.steps, sum.episodes.steps);
  }
}

TEST(Engine, ZeroUpdatesChangeNothing) {
  // in a process of its own with an alarm, so that an engine that waits for update 0 of 0 for ever is a failure and no more
  const auto nothing_changes = [](const Maker& maker) {
    const auto engine = maker.make(small(), 1);
    engine->reset(0, 1);
    const std::vector<float> before = parameters(*engine);
    const UpdateReport report = update(*engine, 0);
    return report.updates == 0 && report.finite && same_bits(before, engine->parameters(0));
  };
  for (const Maker& maker : kEngines)
    EXPECT_EXIT(
        {
          alarm(5);
          std::_Exit(nothing_changes(maker) ? 0 : 1);
        },
        testing::ExitedWithCode(0), "")
        << maker.name;
}

TEST(Engine, ResetForgetsEverything) {
  for (const Maker& maker : kEngines) {
    Config c = small();
    c.advantage.normalize = true;
    const auto used = maker.make(c, 1), fresh = maker.make(c, 1);
    trained(*used, 99, 7);
    EXPECT_TRUE(same_bits(trained(*fresh, 5, 7), trained(*used, 5, 7))) << maker.name;
  }
}

TEST(Engine, SeedsDiffer) {
  const auto engine = cpu_engine(small());
  const std::vector<float> one = trained(*engine, 1, 3);
  EXPECT_FALSE(same_bits(one, trained(*engine, 2, 3)));
  EXPECT_FALSE(same_bits(one, trained(*engine, 1 + (std::uint64_t{1} << 40), 3)));
}

TEST(Engine, UpdatesOnlyTheAgentsItIsAskedFor) {
  for (const Maker& maker : kEngines) {
    const auto engine = maker.make(small(), 4), alone = maker.make(small(), 1);
    for (int a = 0; a < 4; ++a) engine->reset(a, static_cast<std::uint64_t>(a));
    const std::vector<float> untouched = parameters(*engine, 2);
    const int order[] = {3, 0, 1};
    UpdateReport reports[3];
    engine->update(order, 6, reports);
    EXPECT_TRUE(same_bits(untouched, engine->parameters(2))) << maker.name;
    for (std::size_t i = 0; i < 3; ++i) {
      alone->reset(0, static_cast<std::uint64_t>(order[i]));
      const UpdateReport want = update(*alone, 6);
      EXPECT_TRUE(same_bits(alone->parameters(0), engine->parameters(order[i]))) << maker.name;
      EXPECT_EQ(want.updates, reports[i].updates);
      EXPECT_EQ(want.episodes.steps, reports[i].episodes.steps);
      EXPECT_EQ(want.episodes.returns, reports[i].episodes.returns);
      EXPECT_EQ(want.episodes.episodes, reports[i].episodes.episodes) << "reports follow the order of the agents asked for";
    }
  }
}

TEST(Engine, ADivergedAgentStopsAndTheOthersGoOn) {
  for (const Maker& maker : kEngines) {
    const auto engine = maker.make(small(), 3), alone = maker.make(small(), 1);
    for (int a = 0; a < 3; ++a) engine->reset(a, static_cast<std::uint64_t>(a));
    std::vector<float> broken = parameters(*engine, 1);
    broken[20] = std::nanf("");
    engine->set_parameters(1, broken);
    const int order[] = {0, 1, 2};
    UpdateReport reports[3];
    engine->update(order, 9, reports);
    EXPECT_FALSE(reports[1].finite) << maker.name;
    EXPECT_EQ(reports[1].updates, 0);
    EXPECT_TRUE(same_bits(broken, engine->parameters(1))) << "it stands before the update that failed";
    for (const int other : {0, 2}) {
      EXPECT_TRUE(reports[static_cast<std::size_t>(other)].finite);
      EXPECT_TRUE(same_bits(trained(*alone, static_cast<std::uint64_t>(other), 9), parameters(*engine, other))) << maker.name;
    }
  }
}

TEST(Engine, AStepThatOverflowsIsReportedByEveryEngineAtTheSameUpdate) {
  for (const float lr : {1e30f, 1e38f}) {
    Config c = small();
    c.optimizer.learning_rate = lr;
    std::vector<std::int64_t> updates;
    for (const Maker& maker : kEngines) {
      const auto engine = maker.make(c, 1);
      engine->reset(0, 1);
      const UpdateReport report = update(*engine, 50);
      EXPECT_FALSE(report.finite) << maker.name;
      EXPECT_LT(report.updates, 5) << maker.name;
      updates.push_back(report.updates);
    }
    EXPECT_EQ(updates, std::vector<std::int64_t>(updates.size(), updates[0]));
  }
}

#if defined(__SSE__)
TEST(Engine, RefusesFlushToZeroAndOtherRounding) {
  const unsigned before = _mm_getcsr();
  for (const unsigned flag : {0x8000u, 0x0040u, 0x2000u, 0x4000u, 0x6000u}) {  // flush-to-zero, denormals-are-zero, down, up, to zero
    _mm_setcsr(before | flag);
    bool refused = false;
    try {
      cpu_engine(small());
    } catch (const cupg::Error& error) {
      refused = error.kind() == cupg::ErrorKind::runtime;
    }
    _mm_setcsr(before);
    EXPECT_TRUE(refused) << "other arithmetic, other bits";
  }
}
#endif

TEST(Engine, TellsWhatItIs) {
  EXPECT_EQ(reference_engine(small())->device(), "reference");
  const auto engine = cpu_engine(small(), cupg::Isa::scalar, 3);
  EXPECT_EQ(engine->device(), "cpu");
  EXPECT_EQ(engine->isa(), "scalar");
  EXPECT_EQ(engine->threads(), 3);
}

TEST(Engine, ReportsTheEpisodesThatEnded) {
  // 40 environments, 200 steps each: every step belongs to an ended episode or to one still running, which is below the limit
  const auto engine = cpu_engine(small());
  engine->reset(0, 1);
  const UpdateReport report = update(*engine, 40);
  EXPECT_GT(report.episodes.episodes, 100);
  EXPECT_LE(report.episodes.steps, 40 * 200);
  EXPECT_LE(report.episodes.terminated, report.episodes.episodes);
}

TEST(SummarizeEvaluation, ByHand) {
  const cupg::Evaluation e = cupg::summarize_evaluation({3, 1, 8}, {.episodes = 3, .greedy = false}, false);
  EXPECT_EQ(e.episodes, 3);
  EXPECT_EQ(e.mean_return, 4);
  EXPECT_EQ(e.min_return, 1);
  EXPECT_EQ(e.max_return, 8);
  EXPECT_FALSE(e.greedy);
  EXPECT_FALSE(e.complete);
  EXPECT_EQ(cupg::summarize_evaluation({}, {}, true).mean_return, 0);
}

}  // namespace

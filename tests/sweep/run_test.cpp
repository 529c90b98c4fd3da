// A sweep's agents: each as it is alone; none twice, none lost.
#include "src/sweep/run.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>

#include "src/sweep/file.hpp"
#include "tests/support/message_of.hpp"

namespace {

using namespace cupg;
using cupg_test::message_of;

SweepPlan plan_of(const std::vector<std::pair<const char*, const char*>>& axes) {
  SweepPlan plan;
  plan.config.seed = 3;
  plan.config.seeds = 3;
  plan.config.steps = 60'000;
  plan.config.threads = 2;
  plan.settings.report = 2;
  plan.settings.report_seeds = 4;
  for (const auto& [name, text] : axes) set_axis(plan, read_axis(*find_option(name), text));
  finish_plan(plan);
  return plan;
}

/// A sweep and what it has told.
struct Swept {
  SweepPlan plan;
  std::vector<SweepPoint> points = sweep_points(plan);
  SweepRows rows{plan, points, rung_steps(plan, points.size())};
  std::vector<SweepRow> told = {};
  std::optional<SweepResult> result = {};

  explicit Swept(SweepPlan p) : plan(std::move(p)) {}
  void run(std::size_t stop_after = 1'000'000) {
    std::atomic<std::size_t> count{told.size()};  // whether to stop is asked by all threads
    result = run_sweep(
        plan, points, rows,
        {.row = [&](const SweepRow& row) { told.push_back(row), ++count; }, .progress = {}, .stop = [&] { return count >= stop_after; }});
  }
};

std::string without_seconds(const std::string& csv) {
  std::string text;
  for (std::size_t at = 0; at < csv.size();) {
    const std::size_t end = csv.find('\n', at);
    text += csv.substr(at, csv.rfind(',', end) - at) + "\n";
    at = end + 1;
  }
  return text;
}

TEST(SweepRun, TrainsEachAgentAsItIsAlone) {
  Swept s(plan_of({{"learning-rate", "0.003,0.03"}, {"hidden", "8/16"}, {"gamma", "0.95,0.99"}}));
  s.run();
  ASSERT_TRUE(s.result);
  EXPECT_EQ(s.told.size(), 8u * 3 + 2 * 4);
  std::set<std::int64_t> steps;
  for (const SweepRow& row : s.told) {
    Config alone = config_of(s.plan, s.points[static_cast<std::size_t>(row.point)]);
    alone.seed = row.seed;
    const AgentResult want = train(alone).agents.at(0);
    EXPECT_EQ(row.outcome, want.outcome);
    EXPECT_EQ(row.solved_env_steps, want.solved_env_steps);
    EXPECT_EQ(row.env_steps, want.env_steps);
    EXPECT_EQ(row.final_return, want.final_return) << "point " << row.point << ", seed " << row.seed;
    steps.insert(row.env_steps);
  }
  EXPECT_GT(steps.size(), 4u) << "they differ";
}

TEST(SweepRun, SelectsAndReportsByOtherSeeds) {
  Swept s(plan_of({{"learning-rate", "0.003,0.01,0.03"}}));
  s.run();
  for (const SweepRow& row : s.told)
    EXPECT_TRUE(row.rung == 0 ? row.seed >= 3 && row.seed <= 5 : row.seed >= 6 && row.seed <= 9) << row.seed;
  const SweepRung& rung = s.result->rungs[0];
  for (std::size_t i = 1; i < rung.scores.size(); ++i) EXPECT_FALSE(is_better(s.plan.config, rung.scores[i], rung.scores[i - 1]));
  ASSERT_EQ(s.result->reports.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(s.result->reports[i].point, rung.points[i]);
    EXPECT_EQ(s.result->reports[i].score.agents, 4);
    double mean = 0;  // of the seeds that report, and of no other
    for (const SweepRow& row : s.told)
      if (row.rung == 1 && row.point == rung.points[i])
        mean += static_cast<double>(row.solved_env_steps > 0 ? std::min<std::int64_t>(row.solved_env_steps, 60'000) : 60'000) / 4;
    EXPECT_EQ(s.result->reports[i].score.figure, mean);
  }
}

TEST(SweepRun, GoesOnWithWhatIsMissing) {
  const SweepPlan plan = plan_of({{"learning-rate", "0.003,0.01,0.03"}, {"horizon", "16,24"}});
  Swept whole(plan);
  whole.run();
  for (const std::size_t piece : {1u, 5u, 17u, 20u}) {
    std::string csv;
    std::size_t trained = 0;
    for (int tries = 0; tries < 100; ++tries) {
      Swept s(plan);
      EXPECT_EQ(s.rows.read(csv.empty() ? s.rows.heading() : csv, "agents.csv"), csv.empty() ? s.rows.heading().size() : csv.size());
      if (csv.empty()) csv = s.rows.heading();
      s.run(piece);
      for (const SweepRow& row : s.told) csv += s.rows.line(row);
      trained += s.told.size();
      if (s.result) {
        EXPECT_EQ(without_seconds(s.rows.csv()), without_seconds(whole.rows.csv()));
        EXPECT_EQ(s.result->reports[0].point, whole.result->reports[0].point);
        break;
      }
    }
    EXPECT_EQ(trained, whole.told.size()) << "none twice, none lost";
  }
}

TEST(SweepRun, HalvesAndTrainsNobodyAgainWhoHasEnded) {
  SweepPlan plan = plan_of({{"learning-rate", "log:1e-3:1e-1:9"}});
  plan.settings.halving = 3;
  Swept s(plan);
  s.run();
  ASSERT_EQ(s.result->rungs.size(), 2u);
  EXPECT_EQ(s.result->rungs[0].steps, 20'000);
  EXPECT_EQ(s.result->rungs[1].points.size(), 3u);
  for (const int p : s.result->rungs[1].points)
    EXPECT_LT(std::find(s.result->rungs[0].points.begin(), s.result->rungs[0].points.end(), p) - s.result->rungs[0].points.begin(), 3);
  EXPECT_FALSE(s.result->sensitive);
  int again = 0;
  for (const SweepRow& row : s.told) {
    if (row.rung != 1) continue;
    ++again;
    const auto before = std::find_if(s.told.begin(), s.told.end(),
                                     [&](const SweepRow& b) { return b.rung == 0 && b.point == row.point && b.seed == row.seed; });
    ASSERT_NE(before, s.told.end());
    EXPECT_TRUE(before->outcome == Outcome::finished || before->env_steps >= 20'000);
  }
  EXPECT_LE(again, 9);
  // and an agent's figure at the end is that of a training of its own
  for (const int p : s.result->rungs[1].points)
    for (std::uint64_t seed = 3; seed < 6; ++seed) {
      Config alone = config_of(plan, s.points[static_cast<std::size_t>(p)]);
      alone.seed = seed;
      const AgentResult want = train(alone).agents.at(0);
      EXPECT_EQ(s.rows.find(1, p, seed)->solved_env_steps, want.solved_env_steps);
      EXPECT_EQ(s.rows.find(1, p, seed)->final_return, want.final_return);
    }
}

TEST(SweepRows, KnowWhoHasEndedBeforeItsRungDid) {
  const auto is_known = [](const SweepRow& row, auto change) {
    SweepPlan plan = plan_of({{"learning-rate", "log:1e-3:1e-1:9"}});
    plan.settings.halving = 3;  // 20,000 and 60,000 steps
    change(plan.config);
    Swept s(plan);
    s.rows.add(row);
    EXPECT_NE(s.rows.find(0, row.point, row.seed), nullptr);
    EXPECT_EQ(s.rows.find(2, row.point, row.seed), nullptr) << "who reports is trained";
    return s.rows.find(1, row.point, row.seed) != nullptr;
  };
  const auto as_it_is = [](Config&) {};
  const SweepRow early{0, 2, 4, Outcome::solved, 19'200, 490, 19'200, 1}, late{0, 2, 4, Outcome::solved, 20'736, 490, 20'736, 1},
      never{0, 2, 4, Outcome::finished, 0, 90, 20'736, 1}, diverged{0, 2, 4, Outcome::diverged, 0, {}, 384, 1};
  EXPECT_TRUE(is_known(early, as_it_is));
  EXPECT_TRUE(is_known(diverged, as_it_is));
  EXPECT_FALSE(is_known(never, as_it_is));
  EXPECT_FALSE(is_known(late, as_it_is)) << "looked at for its limit alone";
  EXPECT_FALSE(is_known(early, [](Config& c) { c.stop_when_solved = false; }));
  EXPECT_FALSE(is_known(early, [](Config& c) { c.optimizer.schedule = Schedule::linear; })) << "which ends with the steps";
  SweepPlan schedules = plan_of({{"learning-rate", "0.01,0.02,0.03,0.04,0.05"}, {"schedule", "constant,linear"}});
  schedules.settings.halving = 3;
  Swept s(schedules);
  ASSERT_GT(rung_steps(s.plan, s.points.size()).size(), 1u);
  for (const int point : {0, 1}) {
    s.rows.add({0, point, 4, Outcome::solved, 768, 490, 768, 1});
    EXPECT_EQ(s.rows.find(1, point, 4) != nullptr, point == 0) << "where the point's own schedule is linear, not";
  }
}

TEST(SweepRows, AreReadAsTheyWereWritten) {
  SweepPlan plan = plan_of({{"hidden", "8/16,16"}, {"learning-rate", "0.003,0.01"}});
  Swept s(plan);
  EXPECT_EQ(s.rows.heading(),
            "phase,rung,steps,point,hidden,learning-rate,seed,outcome,solved,steps_to_solve,final_return,env_steps,seconds\n");
  const SweepRow solved{0, 2, 4, Outcome::solved, 768, 499.25, 768, 0.125}, diverged{1, 3, 6, Outcome::diverged, 0, {}, 384, 2};
  EXPECT_EQ(s.rows.line(solved), "select,1,60000,2,\"16,16\",0.003,4,solved,1,768,499.25,768,0.125\n");
  EXPECT_EQ(s.rows.line(diverged), "report,1,60000,3,\"16,16\",0.01,6,diverged,0,,,384,2.000\n");
  const std::string csv = s.rows.heading() + s.rows.line(solved) + s.rows.line(diverged);
  EXPECT_EQ(s.rows.read(csv + "select,1,600", "agents.csv"), csv.size()) << "a line without an end is none";
  EXPECT_EQ(s.rows.size(), 2u);
  EXPECT_EQ(s.rows.csv(), csv);
}

TEST(SweepRows, OfAnotherSweepAreRefused) {
  const Swept s(plan_of({{"learning-rate", "0.003,0.01"}}));
  const auto refusal = [](const std::string& csv) {
    Swept fresh(plan_of({{"learning-rate", "0.003,0.01"}}));
    return message_of([&] { fresh.rows.read(csv, "a.csv"); });
  };
  EXPECT_TRUE(refusal("phase,rung\n").starts_with("a.csv:1: \"phase,rung\"; expected the heading")) << refusal("phase,rung\n");
  const std::string good = s.rows.line({0, 1, 4, Outcome::solved, 768, 499.25, 768, 0.125});
  EXPECT_EQ(refusal(s.rows.heading() + good), "");
  for (const auto& [from, to] :
       {std::pair("0.01", "0.02"), std::pair("select,1", "select,2"), std::pair("60000", "50000"), std::pair(",1,0.01", ",9,0.01"),
        std::pair("solved", "stopped"), std::pair("499.25", "nan"), std::pair("768,499", "-1,499"), std::pair(",0.125", ",0.1250"),
        std::pair("solved,1", "solved,0"), std::pair("0.01,4", "0.01,6"), std::pair("0.01,4", "0.01,2"), std::pair("1,768,", "1,769,"),
        std::pair("768,0.125", "4398046511105,0.125"), std::pair("1,768,499", "0,,499")}) {
    std::string bad = good;
    bad.replace(bad.find(from), std::string(from).size(), to);
    EXPECT_TRUE(refusal(s.rows.heading() + bad).starts_with("a.csv:2: ")) << bad;
  }
  EXPECT_TRUE(refusal(s.rows.heading() + good + good).starts_with("a.csv:3: ")) << "each once";
  EXPECT_EQ(refusal(s.rows.heading() + "a,b\n"), "a.csv:2: 2 fields; expected 12, as the heading has");
}

}  // namespace

// What a sweep trains: axes as text, the grid, what is drawn, rungs and their budget, and the file.
#include "src/sweep/plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "src/sweep/file.hpp"
#include "tests/support/message_of.hpp"

namespace {

using namespace cupg;
using cupg_test::message_of;

const Option& option(const char* name) { return *find_option(name); }
SweepAxis axis(const char* name, const char* text) { return read_axis(option(name), text); }

SweepPlan plan_of(std::vector<SweepAxis> axes) {
  SweepPlan plan;
  plan.config.seeds = 4;
  plan.config.steps = 90'000;
  plan.axes = std::move(axes);
  return plan;
}

std::vector<std::string> texts(const SweepPlan& plan) {
  std::vector<std::string> all;
  for (const SweepPoint& point : sweep_points(plan)) {
    std::string text;
    for (std::size_t a = 0; a < plan.axes.size(); ++a) text += (a == 0 ? "" : " ") + value_text(plan.axes[a], point[a]);
    all.push_back(text);
  }
  return all;
}

TEST(SweepAxis, IsWhatHasSeveralValues) {
  EXPECT_TRUE(is_swept(option("learning-rate"), "0.1,0.2"));
  EXPECT_TRUE(is_swept(option("learning-rate"), "log:1e-3:1"));
  EXPECT_FALSE(is_swept(option("learning-rate"), "0.1"));
  EXPECT_FALSE(is_swept(option("hidden"), "64,64")) << "two layers";
  EXPECT_TRUE(is_swept(option("hidden"), "16/64,64"));
  EXPECT_FALSE(is_swept(option("environment"), "Acrobot-v1"));
}

TEST(SweepAxis, ReadsBackFromItsText) {
  for (const auto& [name, text] :
       {std::pair("learning-rate", "0.003,0.01,0.03"), std::pair("hidden", "16/64,64/none"), std::pair("activation", "relu,tanh"),
        std::pair("separate", "true,false"), std::pair("horizon", "8,16"), std::pair("learning-rate", "log:0.0001:0.1"),
        std::pair("gamma", "uniform:0.9:1"), std::pair("value-learning-rate", "same,0.01")}) {
    EXPECT_EQ(axis_text(axis(name, text)), text);
    EXPECT_EQ(read_axis(option(name), axis_text(axis(name, text))), axis(name, text));
  }
}

TEST(SweepAxis, OfANumberedRangeIsAGridWithItsEnds) {
  EXPECT_EQ(axis_text(axis("learning-rate", "log:1e-4:1e-1:4")), "0.0001,0.001,0.01,0.1");
  EXPECT_EQ(axis_text(axis("gamma", "uniform:0.9:1:3")), "0.9,0.95,1");
  EXPECT_EQ(axis_text(axis("horizon", "log:1:8:4")), "1,2,4,8");
  EXPECT_EQ(axis_text(axis("horizon", "uniform:1:3:9")), "1,2,3") << "each whole number once";
}

TEST(SweepAxis, IsRefusedInALineThatSaysWhy) {
  const auto refusal = [](const char* name, const char* text) { return message_of([&] { axis(name, text); }); };
  EXPECT_EQ(refusal("learning-rate", "log:0:1"), "learning-rate: 0; expected a number above 0");
  EXPECT_EQ(refusal("entropy-coef", "log:0:1"), "entropy-coef: \"log:0:1\"; expected LOW above 0, as log 0 is not finite");
  EXPECT_EQ(refusal("learning-rate", "log:1:0.1"), "learning-rate: \"log:1:0.1\"; expected LOW below HIGH");
  EXPECT_EQ(refusal("learning-rate", "log:1"),
            "learning-rate: \"log:1\"; expected uniform:LOW:HIGH or log:LOW:HIGH, with :N for N values of a grid");
  EXPECT_EQ(refusal("learning-rate", "0.1,"), "learning-rate: \"0.1,\"; expected a value on each side of every comma");
  EXPECT_EQ(refusal("hidden", "16//8"), "hidden: \"16//8\"; expected a value on each side of every slash");
  EXPECT_EQ(refusal("learning-rate", "0.1,0.1"), "learning-rate: 0.1 twice in \"0.1,0.1\"; expected each value once");
  EXPECT_EQ(refusal("activation", "log:1:2"), "activation: \"log:1:2\"; expected values between commas: only numbers have ranges");
  EXPECT_EQ(refusal("seeds", "1,2"), "seeds: \"1,2\"; expected one value, and a sweep for each");
  EXPECT_EQ(refusal("gamma", "uniform:0:2"), "gamma: 2; expected a number from 0 to 1");
  EXPECT_EQ(refusal("value-learning-rate", "log:same:1"), "value-learning-rate: \"log:same:1\"; expected LOW below HIGH");
}

TEST(SweepPlan, OfListsIsTheGridTheLastAxisFastest) {
  SweepPlan plan = plan_of({axis("learning-rate", "0.1,0.2,0.3"), axis("gamma", "0.9,1")});
  finish_plan(plan);
  EXPECT_EQ(texts(plan), (std::vector<std::string>{"0.9 0.1", "0.9 0.2", "0.9 0.3", "1 0.1", "1 0.2", "1 0.3"}));
  EXPECT_EQ(config_of(plan, sweep_points(plan)[4]).optimizer.learning_rate, 0.2f);
  EXPECT_EQ(config_of(plan, sweep_points(plan)[4]).advantage.gamma, 1.0f);
  EXPECT_EQ(config_of(plan, sweep_points(plan)[4]).seeds, 1);
  EXPECT_EQ(plan.settings.report_seeds, 4);
}

TEST(SweepPlan, DrawsFromItsRangesByItsSeed) {
  SweepPlan plan = plan_of({axis("learning-rate", "log:1e-4:1e-1"), axis("activation", "relu,tanh"), axis("horizon", "uniform:4:7")});
  plan.config.seeds = 1;
  plan.settings.points = 3000;
  finish_plan(plan);
  const std::vector<std::string> drawn = texts(plan);
  int low = 0, tanh = 0, least = 0, most = 0;
  for (const SweepPoint& point : sweep_points(plan)) {
    const float rate = std::get<float>(point[2]);  // after horizon and activation, as in the table of options
    EXPECT_GE(rate, 1e-4f);
    EXPECT_LE(rate, 1e-1f);
    low += rate < 1e-3f ? 1 : 0;
    tanh += std::get<std::string>(point[1]) == "tanh" ? 1 : 0;
    least += std::get<std::int64_t>(point[0]) == 4 ? 1 : 0;
    most += std::get<std::int64_t>(point[0]) == 7 ? 1 : 0;
  }
  // four standard deviations of a binomial count of 3,000
  EXPECT_NEAR(low, 1000, 104) << "a decade of three";
  EXPECT_NEAR(tanh, 1500, 110);
  EXPECT_NEAR(least, 750, 95) << "of four whole numbers";
  EXPECT_NEAR(most, 750, 95);
  EXPECT_EQ(texts(plan), drawn);
  plan.settings.sweep_seed = 2;
  EXPECT_NE(texts(plan), drawn);
}

TEST(SweepPlan, DrawsNoPointTwice) {
  SweepPlan few = plan_of({axis("horizon", "uniform:8:12")});
  few.settings.points = 20;
  few.settings.report = 9;
  finish_plan(few);
  std::vector<std::string> drawn = texts(few);
  std::sort(drawn.begin(), drawn.end());
  EXPECT_EQ(drawn, (std::vector<std::string>{"10", "11", "12", "8", "9"}));
  EXPECT_EQ(few.settings.report, 5);
}

TEST(SweepPlan, IsRefusedInALineThatSaysWhy) {
  const auto refusal = [](SweepPlan plan) { return message_of([&] { finish_plan(plan); }); };
  EXPECT_EQ(refusal(plan_of({})),
            "sweep: no setting has more than one value; expected a list or a range, as in --lr 0.003,0.01 or --lr log:1e-4:1e-1");
  SweepPlan large = plan_of({axis("learning-rate", "log:1e-4:1e-1:1000"), axis("gamma", "uniform:0:1:1000")});
  EXPECT_EQ(refusal(large), "sweep: 1000000 points with 4 seeds each and 5 reported with 4: 4000020 agents; expected at most 1000000");
  EXPECT_EQ(refusal(plan_of({axis("clip", "0.1,0.2")})),
            "clip: 0.1,0.2 would have no effect; it needs an algo with a probability ratio, such as ppo");
  EXPECT_TRUE(
      refusal(plan_of({axis("separate", "true,false"), axis("value-hidden", "8/16")})).ends_with("(at value-hidden = 8, separate = false)"))
      << refusal(plan_of({axis("separate", "true,false"), axis("value-hidden", "8/16")}));
  SweepPlan points = plan_of({axis("gamma", "0.9,1")});
  points.settings.points = 3;
  EXPECT_EQ(refusal(points), "points: 3 would have no effect; it needs a range, as log:1e-4:1e-1");
  EXPECT_EQ(refusal(plan_of({axis("optimizer", "sgd,rmsprop"), axis("beta1", "0.8,0.9")})),
            "beta1: 0.8,0.9 would have no effect; it needs optimizer = adam");
  const SweepPlan optimizers = plan_of({axis("optimizer", "sgd,rmsprop")});
  EXPECT_EQ(missing(option("beta1"), optimizers, sweep_points(optimizers)), "optimizer = adam");
  EXPECT_EQ(missing(option("alpha"), optimizers, sweep_points(optimizers)), "") << "at one of them is enough";
  SweepPlan updates = plan_of({axis("gamma", "0.9,1")});
  updates.config.update_limit = 5;
  EXPECT_EQ(refusal(updates), "updates: 5; expected 0 in a sweep, whose limit is steps");
  SweepPlan halved = plan_of({axis("gamma", "0.9,0.95,1")});
  halved.settings.halving = 3;
  EXPECT_EQ(refusal(halved),
            "halving: 3 would have no effect on 3 points of which 3 are reported; expected more points, or fewer reported");
  SweepPlan climbing = plan_of({axis("noise", "0.1,0.2")});
  climbing.config.algorithm = "hill-climbing";
  EXPECT_EQ(refusal(climbing), "algo: hill-climbing; expected one that learns by gradients, such as a2c");
  SweepPlan long_one = plan_of({axis("gamma", "0.9,1")});
  long_one.config.steps = 100'000'000'000'000'000;
  EXPECT_TRUE(refusal(long_one).starts_with("steps: 100000000000000000 ")) << refusal(long_one);
}

TEST(SweepPlan, KnowsWhatAgentsOfOnePopulationMayDifferIn) {
  const SweepPlan plan = plan_of({});
  for (const auto& [name, text] :
       {std::pair("learning-rate", "0.1,0.2"), std::pair("gamma", "uniform:0.9:1"), std::pair("entropy-coef", "0,1"),
        std::pair("value-learning-rate", "same,0.1"), std::pair("max-grad-norm", "0,1")})
    EXPECT_TRUE(is_own(plan, axis(name, text))) << name;
  for (const auto& [name, text] : {std::pair("hidden", "8/16"), std::pair("horizon", "8,16"), std::pair("activation", "relu,tanh"),
                                   std::pair("schedule", "constant,linear"), std::pair("normalize", "true,false")})
    EXPECT_FALSE(is_own(plan, axis(name, text))) << name;
}

// 27 points, eta 3, at least 3 left: 27 to 10,000 steps, 9 to 30,000, 3 to 90,000; 4 seeds each, and 3 x 4 that report.
TEST(SweepPlan, HalvesInRungsOfEqualCost) {
  SweepPlan plan = plan_of({axis("learning-rate", "log:1e-4:1e-1:9"), axis("gamma", "0.9,0.95,1")});
  plan.settings.halving = 3;
  plan.settings.report = 3;
  finish_plan(plan);
  EXPECT_EQ(rung_steps(plan, 27), (std::vector<std::int64_t>{10'000, 30'000, 90'000}));
  EXPECT_EQ(points_of_rung(plan, 27, 0), 27u);
  EXPECT_EQ(points_of_rung(plan, 27, 1), 9u);
  EXPECT_EQ(points_of_rung(plan, 27, 2), 3u);
  EXPECT_EQ(budget(plan, 27).agents, 4 * (27 + 9 + 3) + 12);
  EXPECT_EQ(budget(plan, 27).env_steps, 4 * (27 * 10'000 + 9 * 30'000 + 3 * 90'000) + 12 * 90'000);
  plan.settings.halving = 0;
  EXPECT_EQ(rung_steps(plan, 27), (std::vector<std::int64_t>{90'000}));
  EXPECT_EQ(budget(plan, 27).env_steps, 4 * 27 * 90'000 + 12 * 90'000);
}

constexpr const char* kFile = R"(# what is common
environment = "CartPole-v1"
steps = 90000
seeds = 4

[sweep]   # what is not
learning-rate = "log:1e-4:1e-1"
hidden = ["16", "64,64"]
gamma = [0.9, 1]
separate = [true, false]
points = 20
report-seeds = 7
)";

TEST(SweepFile, ReadsBackAsItWasWritten) {
  SweepPlan plan;
  read_sweep(kFile, "f.toml", plan);
  finish_plan(plan);
  EXPECT_EQ(plan.config.seeds, 4);
  EXPECT_EQ(plan.settings.points, 20);
  EXPECT_EQ(plan.settings.report_seeds, 7);
  ASSERT_EQ(plan.axes.size(), 4u);
  EXPECT_EQ(axis_text(plan.axes[0]), "16/64,64");
  SweepPlan again;
  read_sweep(write_sweep(plan), "written", again);
  finish_plan(again);
  EXPECT_EQ(again.axes, plan.axes);
  EXPECT_EQ(again.settings, plan.settings);
  EXPECT_EQ(write_sweep(again), write_sweep(plan));
  EXPECT_EQ(sweep_points(again), sweep_points(plan));
}

TEST(SweepFile, IsRefusedWithItsLine) {
  const auto refusal = [](const char* toml) {
    SweepPlan plan;
    return message_of([&] { read_sweep(toml, "f.toml", plan); });
  };
  EXPECT_TRUE(refusal("seeds = 3\n\n[sweep]\nlearnig-rate = [1, 2]\n").starts_with("f.toml:4: key: unknown \"learnig-rate\"; did you mean"))
      << refusal("seeds = 3\n\n[sweep]\nlearnig-rate = [1, 2]\n");
  EXPECT_EQ(refusal("[sweep]\ngamma = [0.9, 2]\n"), "f.toml:2: gamma: 2; expected a number from 0 to 1");
  EXPECT_EQ(refusal("[sweep]\ngamma = []\n"), "f.toml:2: gamma: an empty array; expected values");
  EXPECT_EQ(refusal("[sweep]\npoints = 0\n"), "f.toml:2: points: 0; expected a whole number from 1 to 1000000");
  EXPECT_EQ(refusal("[sweep]\nlearning-rate = [1, 2]\nlearning_rate = [1, 2]\n"),
            "f.toml:3: learning_rate: sets learning-rate, as another line does; expected one of the two");
  EXPECT_TRUE(refusal("[sweep]\n[sweep]\n").starts_with("f.toml:2: ")) << refusal("[sweep]\n[sweep]\n");
  EXPECT_TRUE(refusal("[other]\n").starts_with("f.toml:1: ")) << refusal("[other]\n");
  EXPECT_TRUE(refusal("points = 3\n").starts_with("f.toml:1: key: unknown \"points\"")) << refusal("points = 3\n");
  EXPECT_TRUE(refusal("[sweep]\ngamma = 1979-05-27\n").starts_with("f.toml:2: '-' inside of a value; expected a string"))
      << refusal("[sweep]\ngamma = 1979-05-27\n");
}

}  // namespace

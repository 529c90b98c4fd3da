// cupg compare as it is meant to be used, on runs that cupg train wrote.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/cli/child_process.hpp"
#include "tests/support/parse.hpp"

namespace {

using cupg::test::ProcessResult;
using cupg::test::run_cupg;
using cupg::test::TemporaryFolder;

/// Two trainings that go on when solved and differ in their learning rate, one that stops, one of a single seed, and another program's.
class Compare : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    const auto train = [](const char* run, std::vector<std::string> more) {
      more.insert(more.begin(), {"train", "--quiet", "--run", run});
      const ProcessResult result = run_cupg(more, {.folder = folder_->path()});
      ASSERT_EQ(result.status, 0) << result.err;
    };
    train("fast", {"--seeds", "10", "--no-stop-when-solved", "--steps", "1e5"});
    train("slow", {"--seeds", "10", "--no-stop-when-solved", "--steps", "1e5", "--lr", "1e-4"});
    train("stops", {"--seeds", "10"});
    train("one", {"--seed", "3"});
    train("acrobot", {"Acrobot-v1", "--steps", "1000"});
    folder_->write("other.csv", "seed,global_step,episodic_return\n1,500,20\n1,90000,170\n2,500,25\n2,80000,210\n");
  }
  static void TearDownTestSuite() { delete folder_; }

  static ProcessResult compare(std::vector<std::string> arguments, int columns = 0) {
    arguments.insert(arguments.begin(), "compare");
    return run_cupg(arguments, {.folder = folder_->path(), .columns = columns});
  }

  static inline const TemporaryFolder* folder_ = nullptr;
};

TEST_F(Compare, TellsWhichLearnsMore) {
  const ProcessResult result = compare({"fast", "slow", "other.csv"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.err, "");
  for (const char* part :
       {"A  fast: CartPole-v1, a2c, 10 agents, seeds 1 to 10, up to 1", "C  other.csv: 2 agents, seeds 1 to 2, up to 90,000 steps\n",
        "return (IQM)", "475 ", "B against A, paired by 10 seeds\n  mean difference        -",
        "C against A, not paired: the seeds differ (2 and 10 agents)\n",
        "2 comparisons with A: nothing here is corrected for their number.\n"})
    EXPECT_NE(result.out.find(part), std::string::npos) << part << " in " << result.out;
  EXPECT_EQ(result.out.find('\x1b'), std::string::npos) << "colors are for terminals";
  EXPECT_NE(compare({"fast", "slow"}, 80).out.find("\x1b[33mB\x1b[0m  slow"), std::string::npos);
}

TEST_F(Compare, SaysTheSameInJson) {
  const ProcessResult result = compare({"fast", "slow", "one", "other.csv", "--json"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 1);
  const nlohmann::json json = cupg_test::parse_json(result.out);
  ASSERT_EQ(json["runs"].size(), 4u);
  EXPECT_EQ(json["environment"], "CartPole-v1");
  const nlohmann::json trained = cupg_test::parse_json(folder_->read("fast/result.json"));
  EXPECT_EQ(json["runs"][0]["summary"], trained["summary"]) << "what cupg train said of it";
  for (std::size_t i = 0; i < 10; ++i)
    for (const char* key : {"seed", "env_steps", "final_return", "solved_env_steps"})
      EXPECT_EQ(json["runs"][0]["agents"][i][key], trained["agents"][i][key]) << key;
  const nlohmann::json& slow = json["comparisons"][0];
  EXPECT_EQ(slow["run"], "B");
  EXPECT_EQ(slow["against"], "A");
  EXPECT_EQ(slow["paired"], true);
  EXPECT_LT(slow["difference_ci95"][1], 0);
  EXPECT_LT(slow["welch_p"], 0.01);
  EXPECT_LT(slow["probability_of_improvement"], 0.2);
  EXPECT_GT(slow["detectable_difference"], 0);
  EXPECT_TRUE(json["comparisons"][1]["difference_ci95"].is_null()) << "one seed";
  EXPECT_TRUE(json["comparisons"][2]["log_rank_p"].is_null()) << "another program's";
  EXPECT_EQ(json["runs"][0]["profile"].size(), 101u);
  EXPECT_EQ(json["runs"][3]["curve"]["env_steps"].back(), 90000);
  EXPECT_EQ(compare({"fast", "slow", "one", "other.csv", "--json"}).out, result.out) << "resamples are the same each time";
}

TEST_F(Compare, SaysThatReturnsOfWhatStopsDoNotCompare) {
  EXPECT_NE(compare({"fast", "stops"}).out.find("take their steps to solve, not their returns"), std::string::npos);
  EXPECT_EQ(compare({"fast", "slow"}).out.find("take their steps to solve, not their returns"), std::string::npos);
}

TEST_F(Compare, QuietlyIsALineAComparison) {
  const ProcessResult result = compare({"fast", "slow", "one", "--quiet"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_TRUE(result.out.starts_with("slow against fast: mean difference -")) << result.out;
  EXPECT_NE(result.out.find("\none against fast: mean difference "), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("(n = 1, no interval)\n"), std::string::npos) << result.out;
}

TEST_F(Compare, DrawsAPicture) {
  const ProcessResult result = compare({"fast", "slow", "--svg", "curves.svg"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_TRUE(result.out.ends_with("\nsaved to curves.svg\n")) << result.out;
  const std::string svg = folder_->read("curves.svg");
  EXPECT_TRUE(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" ") && svg.ends_with("</svg>\n"));
  EXPECT_EQ(compare({"fast", "slow", "--svg", "json.svg", "--json"}).out, compare({"fast", "slow", "--json"}).out);
  EXPECT_EQ(folder_->read("json.svg"), svg);
  const ProcessResult failed = compare({"fast", "slow", "--svg", "none/curves.svg"});
  EXPECT_EQ(failed.status, 1);
  EXPECT_NE(failed.err.find("none/curves.svg: cannot be written"), std::string::npos) << failed.err;
}

TEST_F(Compare, RefusesWhatDoesNotBelongTogether) {
  const ProcessResult result = compare({"fast", "acrobot"});
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "cupg: RUN: acrobot is of Acrobot-v1; expected runs of one environment, CartPole-v1\n");
}

}  // namespace

// `cupg report`: what it writes and what it refuses. How the page behaves is page_test.py's.
#include "src/report/page.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "cupg/error.hpp"
#include "tests/cli/child_process.hpp"

namespace cupg {
namespace {

using test::run_cupg;

/// A folder with the run `run`, of two agents.
class Report : public testing::Test {
 protected:
  void SetUp() override {
    const auto trained = cupg({"train", "--seeds", "2", "--steps", "4000", "--quiet", "--run", "run"});
    ASSERT_EQ(trained.status, 0) << trained.err;
  }
  test::ProcessResult cupg(const std::vector<std::string>& arguments) const { return run_cupg(arguments, {.folder = folder.path()}); }
  /// The one line that the command says when it refuses, without "cupg: "; nothing is written.
  std::string refused(const std::vector<std::string>& arguments) const {
    const auto before = folder.list();
    const auto result = cupg(arguments);
    EXPECT_EQ(result.status, 2) << result.out;
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(folder.list(), before);
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    return result.err.starts_with("cupg: ") ? result.err.substr(6, result.err.size() - 7) : result.err;
  }
  /// What the page's data element holds.
  nlohmann::json data(const std::string& name = "run/report.html") const {
    const std::string page = folder.read(name), begin = "<script type=\"application/json\" id=\"data\">";
    const std::size_t from = page.find(begin) + begin.size();
    return nlohmann::json::parse(page.substr(from, page.find("</script>", from) - from));
  }

  const test::TemporaryFolder folder;
};

TEST_F(Report, GoesIntoTheRunOrWhereItIsWanted) {
  const auto here = cupg({"report", "run"});
  EXPECT_EQ(here.status, 0) << here.err;
  EXPECT_EQ(here.out, "saved to run/report.html\n");
  EXPECT_EQ(here.err, "");
  const auto there = cupg({"report", "run/", "--output", "page.html"});
  EXPECT_EQ(there.out, "saved to page.html\n");
  EXPECT_EQ(data(), [&] {
    auto json = data("page.html");
    json["folder"] = "run";
    return json;
  }());
  EXPECT_EQ(cupg({"eval", "run", "--episodes", "1"}).status, 0);  // the run is one as before
}

TEST_F(Report, WritesQuantilesOverAgents) {
  const auto result = cupg({"report", "run", "--quantiles", "bands.csv"});
  EXPECT_EQ(result.out, "saved to run/report.html\nsaved to bands.csv\n") << result.err;
  const std::string csv = folder.read("bands.csv");
  EXPECT_TRUE(csv.starts_with("metric,env_steps,running,p5,p25,p50,p75,p95\n")) << csv;
  for (const char* const metric : {"\nmean_return,", "\nentropy,", "\napprox_kl,"})
    EXPECT_NE(csv.find(metric), std::string::npos) << metric;
  ASSERT_EQ(cupg({"train", "--steps", "4000", "--quiet", "--run", "one"}).status, 0);
  EXPECT_EQ(refused({"report", "run", "--output", "x", "--quantiles", "x"}), "quantiles: \"x\"; expected another file than the page's");
  EXPECT_EQ(refused({"report", "one", "--quantiles", "other.csv"}), "one: agents: 1; expected several, as by --seeds");
}

TEST_F(Report, AsksForNothingElse) {
  EXPECT_EQ(cupg({"report", "run"}).status, 0);
  const std::string page = folder.read("run/report.html");
  for (const char* reference : {" src=", "url(", "@import", "fetch(", "XMLHttpRequest", "import("})
    EXPECT_EQ(page.find(reference), std::string::npos) << reference;
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
  EXPECT_EQ(page.find("{{"), std::string::npos);
}

TEST_F(Report, HasThePolicyOfTheAgentThatIsAskedFor) {
  EXPECT_EQ(cupg({"report", "run"}).status, 0);
  EXPECT_EQ(data()["policy"]["seed"], 1);
  EXPECT_EQ(cupg({"report", "run", "--agent-seed", "2"}).status, 0);
  EXPECT_EQ(data()["policy"]["seed"], 2);
  EXPECT_EQ(refused({"report", "run", "--agent-seed", "3"}), "run: has no agent with seed 3; expected 1 to 2");
  std::filesystem::remove(folder.path() / "run/policy-1.safetensors");
  EXPECT_EQ(cupg({"report", "run"}).status, 0);
  EXPECT_EQ(data()["policy"]["seed"], 2) << "the first that is there";
  EXPECT_EQ(refused({"report", "run", "--agent-seed", "1"}), "run/policy-1.safetensors: cannot be read: No such file or directory");
}

TEST_F(Report, ShowsMetricsAndTheReceipt) {
  EXPECT_EQ(cupg({"report", "run"}).status, 0);
  std::set<std::string> shown;
  const auto curves = data()["curves"];
  for (const auto& metric : curves["metrics"]) shown.insert(metric["name"]);
  for (const char* name : {"mean_return", "mean_length", "entropy", "approx_kl", "explained_variance", "learning_rate"})
    EXPECT_TRUE(shown.contains(name)) << name;
  EXPECT_EQ(data()["receipt"]["device"], "cpu");
  EXPECT_FALSE(data()["receipt"].contains("agents")) << "the table of agents has them";
  std::filesystem::remove(folder.path() / "run/receipt.json");
  EXPECT_EQ(cupg({"report", "run"}).status, 0);
  EXPECT_EQ(data()["receipt"], nullptr);
  folder.write("run/metrics.csv", "seed,env_steps,entropy\n1,10,0.5\n2,10,0.25\n");
  folder.write("run/receipt.json", R"({"commit": "abc"})");
  EXPECT_EQ(cupg({"report", "run"}).status, 0);
  EXPECT_EQ(data()["curves"]["metrics"][0]["name"], "entropy");
  EXPECT_EQ(data()["receipt"]["commit"], "abc");
}

TEST_F(Report, RefusesInOneLineWhatIsNoFinishedRun) {
  EXPECT_EQ(refused({"report"}), "RUN: missing; expected a run folder, as in cupg report runs/CartPole-v1-a2c-seed1");
  EXPECT_EQ(refused({"report", "nowhere"}), "RUN: nowhere is no folder; expected a run's, as runs/CartPole-v1-a2c-seed1");
  EXPECT_EQ(refused({"report", "run/config.toml"}), "RUN: run/config.toml is no folder; expected a run's, as runs/CartPole-v1-a2c-seed1");
  std::filesystem::create_directory(folder.path() / "other");
  EXPECT_EQ(refused({"report", "other"}), "other/config.toml: cannot be read: No such file or directory");
  folder.write("other/config.toml", folder.read("run/config.toml"));
  EXPECT_EQ(refused({"report", "other"}), "other/result.json: cannot be read: No such file or directory");
  folder.write("other/result.json.part", "");
  EXPECT_TRUE(refused({"report", "other"}).starts_with("other: the run is not finished: ")) << refused({"report", "other"});
}

TEST_F(Report, RefusesFilesThatAreNotWhatTheyShouldBe) {
  const auto with = [&](const std::string& name, const std::string& bytes) {
    const std::string before = folder.read("run/" + name);
    folder.write("run/" + name, bytes);
    const std::string message = refused({"report", "run"});
    folder.write("run/" + name, before);
    return message;
  };
  const std::string no_object = "run/result.json: is no JSON object; expected what cupg train writes there";
  for (const char* json : {"", "[1]", "{\"a\":", "{\"a\": \"\xff\"}", "7"}) EXPECT_EQ(with("result.json", json), no_object) << json;
  EXPECT_EQ(with("result.json", std::string(100'000, '[')), "run/result.json: nested more than 16 deep; expected a JSON object");
  EXPECT_EQ(with("metrics.csv", "seed,env_steps\n1\n"), "run/metrics.csv:2: 1 fields; expected 2, as the heading has");
  EXPECT_EQ(with("metrics.csv",
                 "\x7f"
                 "ELF"),
            "run/metrics.csv: has no column env_steps; expected a run's curve");
  EXPECT_TRUE(with("policy-1.safetensors", "no").starts_with("run/policy-1.safetensors: ")) << "a policy";
  folder.write("run/receipt.json", "null");
  EXPECT_EQ(refused({"report", "run"}), "run/receipt.json: is no JSON object; expected what cupg train writes there");
}

TEST_F(Report, SaysWhereItCannotBeWritten) {
  const auto result = cupg({"report", "run", "--output", "nowhere/page.html"});
  EXPECT_EQ(result.status, 1);
  EXPECT_TRUE(result.err.starts_with("cupg: nowhere/page.html: cannot be written: ")) << result.err;
}

TEST_F(Report, EscapesWhatEndsAScript) {
  folder.write("run/result.json", R"({"version": "</script><script>", "agents": 3, "survival": "x"})");
  EXPECT_EQ(cupg({"report", "run"}).status, 0);
  const std::string page = folder.read("run/report.html");
  EXPECT_EQ(page.find("</script><script>"), std::string::npos);
  EXPECT_EQ(data()["result"]["version"], "</script><script>");
  EXPECT_EQ(data()["agents"], nlohmann::json::array());
}

}  // namespace
}  // namespace cupg

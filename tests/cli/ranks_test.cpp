// Several processes by mpirun: the files of one process, whoever dies.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "src/io/checkpoint.hpp"
#include "tests/cli/child_process.hpp"
#include "tests/cli/timeless_metrics.hpp"
#include "tests/support/parse.hpp"

namespace cupg {
namespace {

using test::ProcessResult;
using test::run_cupg;
using test::TemporaryFolder;
using test::timeless_metrics;
using Words = std::vector<std::string>;

Words operator+(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

ProcessResult mpirun(const TemporaryFolder& folder, const Words& words, std::vector<test::SentSignal> signals = {}) {
  // containers have no other user, and few processors
  setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
  setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
  setenv("OMPI_MCA_rmaps_base_oversubscribe", "1", 1);
  // a rank that shares its processor with other tests may take longer than the second that it is given
  setenv("OMPI_MCA_odls_base_sigkill_timeout", "2", 1);
  return run_cupg(words, {.folder = folder.path(), .alarm_seconds = 100, .signals = std::move(signals), .program = CUPG_MPIRUN});
}

/// A checkpoint without its times.
std::string timeless_checkpoint(const std::string& bytes) {
  Checkpoint c = decode_checkpoint(bytes, "test");
  const auto forget = [](AgentResult& r) {
    r.seconds = r.solved_seconds = 0;
    for (CurvePoint& p : r.curve) p.seconds = 0;
  };
  for (auto& [number, record] : c.records) {
    if (record.result) forget(*record.result);
    if (record.progress) {
      forget(record.progress->result);
      record.progress->seconds = 0;
      for (CurvePoint& p : record.progress->curve.points()) p.seconds = 0;
    }
  }
  return encode_checkpoint(c.config, 0, c.records);
}

std::string timeless_result(const std::string& bytes) {
  nlohmann::json j = cupg_test::parse_json(bytes);
  for (const char* const key : {"train_seconds", "threads", "env_steps_per_second"}) j.erase(key);
  for (auto& agent : j["agents"]) agent.erase("seconds"), agent.erase("solved_seconds");
  for (const char* const key : {"solved_seconds_median", "solved_seconds_p99"}) j["summary"].erase(key);
  return j.dump(1);
}

/// Both runs are alike, but for times.
void expect_alike(const TemporaryFolder& folder, const std::string& a, const std::string& b) {
  int policies = 0;
  for (const std::string& name : folder.list()) {
    if (!name.starts_with(a + "/")) continue;
    const std::string file = name.substr(a.size());
    const std::string mine = folder.read(name), its = folder.read(b + file);
    policies += file.starts_with("/policy");
    if (file == "/metrics.csv" || file == "/metrics.jsonl" || file == "/receipt.json") continue;
    if (file == "/checkpoint.safetensors")
      EXPECT_TRUE(timeless_checkpoint(mine) == timeless_checkpoint(its)) << b << file;
    else if (file == "/result.json")
      EXPECT_TRUE(timeless_result(mine) == timeless_result(its)) << b << file;
    else
      EXPECT_TRUE(mine == its) << b << file;
  }
  EXPECT_GT(policies, 0);
  EXPECT_EQ(timeless_metrics(folder, a), timeless_metrics(folder, b));
}

const Words kTrain{"train", "--seeds", "7", "--steps", "2e5", "--no-stop-when-solved", "--threads", "1", "--quiet", "--run"};

TEST(Ranks, WriteTheFilesOfOneProcess) {
  const TemporaryFolder folder;
  ASSERT_EQ(run_cupg(kTrain + Words{"one"}, {.folder = folder.path()}).status, 0);
  for (const std::string ranks : {"1", "2", "3"}) {
    const auto result = mpirun(folder, Words{"-n", ranks, CUPG_BINARY} + kTrain + Words{"r" + ranks});
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_NE(result.out.find("6 of 7 agents"), std::string::npos) << result.out;
    expect_alike(folder, "one", "r" + ranks);
  }
}

TEST(Ranks, MoreThanThereAreAgents) {
  const TemporaryFolder folder;
  Words words = kTrain;
  words[2] = "2";
  ASSERT_EQ(run_cupg(words + Words{"one"}, {.folder = folder.path()}).status, 0);
  ASSERT_EQ(mpirun(folder, Words{"-n", "3", CUPG_BINARY} + words + Words{"r"}).status, 0);
  expect_alike(folder, "one", "r");
}

TEST(Ranks, OneThatIsKilledEndsTheJobAndTheRunGoesOn) {
  const TemporaryFolder folder;
  Words words = kTrain;
  words[4] = "1e9";
  const std::string command = "exec \"$@\"", victim = "\"$@\" & sleep 1.5; kill -9 $!; wait $!";
  const std::string script = "if [ $OMPI_COMM_WORLD_RANK = 1 ]; then " + victim + "; else " + command + "; fi";
  const auto killed =
      mpirun(folder, Words{"-n", "2", "sh", "-c", script, "sh", CUPG_BINARY} + words + Words{"r", "--checkpoint-seconds", "0"});
  EXPECT_NE(killed.status, 0);
  EXPECT_NE(killed.out.find("interrupted"), std::string::npos) << killed.out << killed.err;
  // agents of both are in the checkpoint, that of the dead one as it last told
  const Checkpoint kept = decode_checkpoint(folder.read("r/checkpoint.safetensors"), "test");
  EXPECT_TRUE(kept.records.contains(0));
  EXPECT_TRUE(kept.records.contains(1));
  // and both go on: here to a stop, as it would take long
  const auto resumed = mpirun(folder, {"-n", "2", CUPG_BINARY, "resume", "r"}, {{SIGTERM, 1500}});
  EXPECT_NE(resumed.out.find("go on with the training"), std::string::npos) << resumed.out << resumed.err;
  const Checkpoint later = decode_checkpoint(folder.read("r/checkpoint.safetensors"), "test");
  for (const int number : {0, 1})
    EXPECT_GT(later.records.at(number).progress->snapshot.taken, kept.records.at(number).progress->snapshot.taken) << number;
}

TEST(Ranks, ARunThatWasInterruptedEndsAsOneThatWasNot) {
  const TemporaryFolder folder;
  Words words = kTrain;
  words[4] = "3e7";
  words[2] = "3";
  ASSERT_EQ(run_cupg(words + Words{"one"}, {.folder = folder.path()}).status, 0);
  (void)mpirun(folder, Words{"-n", "2", CUPG_BINARY} + words + Words{"r"}, {{SIGTERM, 600}});
  const auto last = mpirun(folder, {"-n", "3", CUPG_BINARY, "resume", "r", "--quiet"});
  EXPECT_EQ(last.status, 0) << last.err;
  for (const std::string name : {"policy-1.safetensors", "policy-2.safetensors", "policy-3.safetensors"})
    EXPECT_TRUE(folder.read("one/" + name) == folder.read("r/" + name)) << name;
}

const Words kLarge{"train", "--envs", "512", "--horizon", "32", "--no-stop-when-solved", "--threads", "1", "--quiet", "--steps"};
const Words kMinibatches{"--algo", "ppo", "--epochs", "2", "--minibatches", "4"};

TEST(Ranks, ShareOneAgent) {
  const TemporaryFolder folder;
  for (const Words& more : {Words{}, kMinibatches}) {
    const Words words = kLarge + Words{"1e6"} + more + Words{"--run"};
    const std::string suffix = more.empty() ? "" : "-ppo";
    ASSERT_EQ(run_cupg(words + Words{"one" + suffix}, {.folder = folder.path()}).status, 0);
    for (const std::string ranks : {"2", "3"}) {
      const auto result = mpirun(folder, Words{"-n", ranks, CUPG_BINARY} + words + Words{"r" + ranks + suffix});
      EXPECT_EQ(result.status, 0) << result.err;
      expect_alike(folder, "one" + suffix, "r" + ranks + suffix);
      EXPECT_EQ(cupg_test::parse_json(folder.read("r" + ranks + suffix + "/result.json")).at("threads"), std::stoi(ranks));
    }
  }
}

TEST(Ranks, ShareAnAgentThatGoesOn) {
  const TemporaryFolder folder;
  ASSERT_EQ(run_cupg(kLarge + Words{"4e7", "--run", "one"}, {.folder = folder.path()}).status, 0);
  (void)mpirun(folder, Words{"-n", "3", CUPG_BINARY} + kLarge + Words{"4e7", "--run", "r"}, {{SIGTERM, 500}});
  const auto last = mpirun(folder, {"-n", "2", CUPG_BINARY, "resume", "r", "--quiet"});
  EXPECT_EQ(last.status, 0) << last.err;
  EXPECT_TRUE(folder.read("one/policy.safetensors") == folder.read("r/policy.safetensors"));
}

TEST(Ranks, SweepAsOneProcessDoes) {
  const TemporaryFolder folder;
  const Words sweep{"sweep", "--lr", "0.003,0.01,0.03", "--hidden", "8/16", "--seeds", "3", "--steps", "1e5", "--threads", "1", "--run"};
  ASSERT_EQ(run_cupg(sweep + Words{"one"}, {.folder = folder.path()}).status, 0);
  const auto result = mpirun(folder, Words{"-n", "2", CUPG_BINARY} + sweep + Words{"r"});
  ASSERT_EQ(result.status, 0) << result.err;
  const auto timeless = [&](const std::string& run) {
    return cupg_test::replace_matches(folder.read(run + "/agents.csv"), ",[0-9.]+\n", "\n");
  };
  EXPECT_EQ(timeless("one"), timeless("r"));
  for (const char* const file : {"/points.csv", "/heatmap.svg"})
    EXPECT_TRUE(folder.read(std::string("one") + file) == folder.read(std::string("r") + file));
}

/// Whoever is told to stop: the command stops, and says so.
TEST(Ranks, OneThatIsInterruptedInterruptsTheCommand) {
  const TemporaryFolder folder;
  const std::string script = "if [ $OMPI_COMM_WORLD_RANK = 1 ]; then \"$@\" & sleep 1.5; kill -TERM $!; wait $!; else exec \"$@\"; fi";
  for (const Words& words :
       {Words{"train", "--seeds", "7", "--steps", "1e9", "--no-stop-when-solved", "--threads", "1", "--run", "r"},
        Words{"sweep", "--lr", "0.003,0.01,0.03", "--seeds", "9", "--steps", "1e9", "--no-stop-when-solved", "--run", "s"},
        kLarge + Words{"1e11", "--run", "t"}}) {
    const auto result = mpirun(folder, Words{"-q", "-n", "2", "sh", "-c", script, "sh", CUPG_BINARY} + words);
    EXPECT_EQ(result.status, 130) << result.out << result.err;
    EXPECT_NE(result.err.find("cupg: interrupted"), std::string::npos) << result.err;
  }
}

TEST(Ranks, SayOnceWhatIsWrong) {
  const TemporaryFolder folder;
  const auto unknown = mpirun(folder, {"-q", "-n", "2", CUPG_BINARY, "train", "--seedz", "3"});
  EXPECT_EQ(unknown.status, 2);
  EXPECT_EQ(unknown.err, "cupg: option: unknown \"--seedz\"; did you mean --seed?\n");
  const auto help = mpirun(folder, {"-n", "2", CUPG_BINARY, "--version"});
  EXPECT_EQ(help.status, 0);
  EXPECT_EQ(std::count(help.out.begin(), help.out.end(), '\n'), 1) << help.out;
}

TEST(Ranks, InNetworksOfTheirOwn) {
  const TemporaryFolder folder;
  ASSERT_EQ(run_cupg(kTrain + Words{"one"}, {.folder = folder.path()}).status, 0);
  setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
  setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
  const auto result =
      run_cupg(Words{CUPG_BINARY} + kTrain + Words{"r"}, {.folder = folder.path(), .alarm_seconds = 100, .program = CUPG_TWO_NETWORKS});
  if (result.status == 77) GTEST_SKIP() << "no network namespaces can be made here";
  ASSERT_EQ(result.status, 0) << result.out << result.err;
  expect_alike(folder, "one", "r");
}

}  // namespace
}  // namespace cupg

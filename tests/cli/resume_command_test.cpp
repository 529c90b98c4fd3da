// Going on with a run: after any signal, to the same end, and never with what is not a run's.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "cupg/run.hpp"
#include "src/io/config_file.hpp"
#include "tests/cli/child_process.hpp"
#include "tests/cli/timeless_metrics.hpp"
#include "tests/support/parse.hpp"
#include "tests/support/sanitized.hpp"
#include "tests/support/scale.hpp"

namespace cupg {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using test::run_cupg;
using test::TemporaryFolder;
using test::timeless_metrics;

constexpr const char* kSaving = "cupg: interrupted: saving; once more leaves at once\n";

/// Of every agent of a run.
std::vector<std::string> hashes(const TemporaryFolder& folder, const std::string& run) {
  const Json result = cupg_test::parse_json(folder.read(run + "/result.json"));
  std::vector<std::string> all;
  if (!result.is_discarded())
    for (const Json& agent : result["agents"]) all.push_back(agent["parameters_sha256"]);
  return all;
}

/// Every file with its bytes.
std::map<std::string, std::string> contents(const TemporaryFolder& folder) {
  std::map<std::string, std::string> all;
  for (const std::string& name : folder.list()) all[name] = fs::is_directory(folder.path() / name) ? "" : folder.read(name);
  return all;
}

/// The line that it is refused with, for a user's mistake; nothing in the folder may change.
std::string refusal(const TemporaryFolder& folder, const std::vector<std::string>& arguments) {
  const auto before = contents(folder);
  const auto result = run_cupg(arguments, {.folder = folder.path()});
  EXPECT_EQ(result.status, 2) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  EXPECT_TRUE(contents(folder) == before) << result.err;
  return result.err;
}

TEST(ResumeCommand, GoesOnAfterEverySignalAndSaysHow) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const TemporaryFolder folder;
    std::vector<std::string> arguments{"train", "--seeds", "4", "--steps", "1e9", "--no-stop-when-solved", "--run", "r"};
    std::int64_t steps = 0;
    for (int piece = 0; piece < 3; ++piece) {
      const auto result = run_cupg(arguments, {.folder = folder.path(), .signals = {{signal, 400}}});
      EXPECT_EQ(result.status, 130) << result.err;
      EXPECT_EQ(result.err, kSaving);
      EXPECT_NE(result.out.find("go on with the training:\n    cupg resume r\n"), std::string::npos) << result.out;
      const Json json = cupg_test::parse_json(folder.read("r/result.json"));
      ASSERT_FALSE(json.is_discarded());
      std::int64_t now = 0;
      for (const Json& agent : json["agents"]) now += agent["env_steps"].get<std::int64_t>();
      EXPECT_GT(now, steps);
      steps = now;
      arguments = {"resume", "r"};
    }
  }
}

TEST(ResumeCommand, ARunInterruptedTwiceEndsAsAWholeOne) {
  const TemporaryFolder folder;
  std::vector<std::string> arguments{
      "train", "--seeds", "4",     "--steps", cupg_test::scale() < 1 ? "4e6" : "6e7", "--no-stop-when-solved", "--threads",
      "1",     "--quiet", "--run", "whole"};
  ASSERT_EQ(run_cupg(arguments, {.folder = folder.path()}).status, 0);
  arguments.back() = "r";
  ASSERT_EQ(run_cupg(arguments, {.folder = folder.path(), .signals = {{SIGINT, 300}}}).status, 130);
  EXPECT_NE(hashes(folder, "r"), hashes(folder, "whole"));
  ASSERT_EQ(run_cupg({"resume", "r", "--quiet"}, {.folder = folder.path(), .signals = {{SIGTERM, 300}}}).status, 130);
  const auto last = run_cupg({"resume", "r", "--quiet"}, {.folder = folder.path()});
  EXPECT_EQ(last.status, 0) << last.err;
  EXPECT_EQ(last.err, "");
  EXPECT_EQ(hashes(folder, "r"), hashes(folder, "whole"));
  EXPECT_EQ(folder.read("r/config.toml"), folder.read("whole/config.toml"));
}

TEST(ResumeCommand, ASecondSignalLeavesAtOnceAndTheCheckpointStays) {
  const TemporaryFolder folder;
  std::vector<std::string> words{"train",  "--run", "r",          "--quiet",  "--steps",         "1",
                                 "--algo", "ppo",   "--schedule", "constant", "--clip-schedule", "constant",
                                 "--envs", "256",   "--horizon",  "512"};
  ASSERT_EQ(run_cupg(words, {.folder = folder.path()}).status, 0);
  const std::string checkpoint = folder.read("r/checkpoint.safetensors");
  // the reference engine is the one whose updates are never given up
  const auto result = run_cupg({"resume", "r", "--steps", "1e9", "--device", "reference", "--checkpoint-seconds", "0", "--quiet"},
                               {.folder = folder.path(), .alarm_seconds = 60, .signals = {{SIGINT, 400}, {SIGTERM, 700}}});
  EXPECT_EQ(result.status, 128 + SIGTERM) << result.err;
  EXPECT_EQ(result.err, kSaving + std::string("cupg: interrupted again: left without saving; an earlier checkpoint, if there is one, "
                                              "stays\n"));
  EXPECT_TRUE(folder.read("r/checkpoint.safetensors") == checkpoint);
  EXPECT_EQ(run_cupg({"resume", "r", "--quiet"}, {.folder = folder.path()}).status, 0);
}

TEST(ResumeCommand, TheMetricsOfAKilledRunAreThoseOfOneThatWasNot) {
  if (cupg_test::kSanitized) GTEST_SKIP() << "a second's training is too short";
  const TemporaryFolder folder;
  const std::vector<std::string> settings{"--steps",   "5e8", "--no-stop-when-solved", "--quiet", "--checkpoint-seconds", "0",
                                          "--threads", "1"};
  std::vector<std::string> words{"train", "--run", "killed"};
  words.insert(words.end(), settings.begin(), settings.end());
  const auto killed = run_cupg(words, {.folder = folder.path(), .signals = {{SIGKILL, 1600}}});
  ASSERT_EQ(killed.status, 128 + SIGKILL) << "it was faster than the signal";
  for (const char* name : {"killed/metrics.csv", "killed/metrics.jsonl"}) {
    const std::string grown = folder.read(name);
    EXPECT_TRUE(grown.ends_with("\n")) << name;
    EXPECT_GT(std::count(grown.begin(), grown.end(), '\n'), 10) << name;
  }
  ASSERT_EQ(run_cupg({"resume", "killed", "--quiet"}, {.folder = folder.path()}).status, 0);
  words[2] = "whole";
  ASSERT_EQ(run_cupg(words, {.folder = folder.path()}).status, 0);
  EXPECT_EQ(timeless_metrics(folder, "killed"), timeless_metrics(folder, "whole"));
}

TEST(ResumeCommand, ARunThatWasKilledBeforeItsFirstCheckpointIsTakenOver) {
  const TemporaryFolder folder;
  const auto killed = run_cupg({"train", "--run", "r", "--steps", "1e11", "--no-stop-when-solved", "--quiet", "--tensorboard"},
                               {.folder = folder.path(), .signals = {{SIGKILL, 2500}}});
  ASSERT_EQ(killed.status, 128 + SIGKILL);
  EXPECT_TRUE(fs::exists(folder.path() / "r/metrics.csv"));
  EXPECT_TRUE(fs::exists(folder.path() / "r/tensorboard/seed-1"));
  ASSERT_EQ(run_cupg({"train", "--run", "r", "--quiet"}, {.folder = folder.path()}).status, 0);
  EXPECT_FALSE(fs::exists(folder.path() / "r/tensorboard"));
  EXPECT_TRUE(fs::exists(folder.path() / "r/result.json"));
}

TEST(ResumeCommand, IsOneProcessesAtATime) {
  const TemporaryFolder folder;
  test::ProcessResult first;
  std::thread other([&] {
    first = run_cupg({"train", "--run", "r", "--steps", "1e9", "--no-stop-when-solved", "--checkpoint-seconds", "0", "--quiet"},
                     {.folder = folder.path(), .signals = {{SIGINT, 2000}}});
  });
  while (!fs::exists(folder.path() / "r/checkpoint.safetensors")) ::usleep(1000);
  const auto result = run_cupg({"resume", "r"}, {.folder = folder.path()});
  other.join();
  EXPECT_EQ(first.status, 130) << first.err;
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(result.err, "cupg: r: is being written by another process; expected the folder of a run that no process trains\n");
  EXPECT_EQ(hashes(folder, "r").size(), 1u);
  EXPECT_FALSE(fs::exists(folder.path() / "r/result.json.part"));
}

TEST(ResumeCommand, RefusesWhatIsNoCheckpointAndChangesNothing) {
  const TemporaryFolder folder;
  ASSERT_EQ(run_cupg({"train", "--run", "r", "--steps", "2000", "--quiet"}, {.folder = folder.path()}).status, 0);
  const std::string good = folder.read("r/checkpoint.safetensors");
  std::string flipped = good, more = good + "x";
  flipped[good.find("\"dtype\"")] ^= 1;
  const std::string start = "cupg: r/checkpoint.safetensors: not a cuPG checkpoint: ";
  for (const auto& [bytes, why] : std::vector<std::pair<std::string, std::string>>{
           {"", "it is empty\n"},
           {good.substr(0, 5), "it has 5 bytes; expected a safetensors file\n"},
           {good.substr(0, good.size() / 4), "its header claims "},
           {good.substr(0, good.size() - 1), "tensor "},
           {more, "its tensors have "},
           {flipped, "its header is not JSON\n"},
           {folder.read("r/policy.safetensors"), "its metadata have no text \"cupg_checkpoint\"\n"},
           {std::string(1000, 'x'), "its header claims "}}) {
    folder.write("r/checkpoint.safetensors", bytes);
    const std::string line = refusal(folder, {"resume", "r"});
    EXPECT_TRUE(line.starts_with(start + why)) << line << start << why;
  }
  fs::remove(folder.path() / "r/checkpoint.safetensors");
  EXPECT_EQ(refusal(folder, {"resume", "r"}),
            "cupg: r: has no checkpoint.safetensors; expected the folder of a training (a search has none, and one that was killed before "
            "its first checkpoint)\n");
  EXPECT_EQ(refusal(folder, {"resume", "nowhere"}), "cupg: nowhere: does not exist; expected the folder of a run that no process trains\n");
  EXPECT_EQ(refusal(folder, {"resume", "r/config.toml"}),
            "cupg: r/config.toml: is not a folder; expected the folder of a run that no process trains\n");
  EXPECT_TRUE(refusal(folder, {"resume"}).starts_with("cupg: RUN: missing; expected a run folder"));
}

TEST(ResumeCommand, RefusesASearch) {
  const TemporaryFolder folder;
  ASSERT_EQ(run_cupg({"train", "--algo", "random-search", "--trials", "2", "--run", "r"}, {.folder = folder.path()}).status, 0);
  EXPECT_TRUE(refusal(folder, {"resume", "r"}).starts_with("cupg: r: has no checkpoint.safetensors; expected "));
}

TEST(ResumeCommand, RefusesFewerSteps) {
  const TemporaryFolder folder;
  ASSERT_EQ(run_cupg({"train", "--run", "r", "--steps", "2000", "--quiet"}, {.folder = folder.path()}).status, 0);
  EXPECT_EQ(refusal(folder, {"resume", "r", "--steps", "1999"}), "cupg: steps: 1999; expected 2000 or more, as in the checkpoint\n");
  EXPECT_TRUE(refusal(folder, {"resume", "r", "--steps", "many"}).starts_with("cupg: steps: \"many\"; expected "));
}

TEST(ResumeCommand, NeedsAFolderThatItMayWrite) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  const TemporaryFolder folder;
  ASSERT_EQ(run_cupg({"train", "--run", "r", "--steps", "2000", "--quiet"}, {.folder = folder.path()}).status, 0);
  const auto before = contents(folder);
  fs::permissions(folder.path() / "r", fs::perms::owner_read | fs::perms::owner_exec);
  const auto result = run_cupg({"resume", "r", "--steps", "4000"}, {.folder = folder.path()});
  fs::permissions(folder.path() / "r", fs::perms::owner_all);
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.err, "cupg: r: cannot be written: Permission denied\n");
  EXPECT_TRUE(contents(folder) == before);
}

TEST(ResumeCommand, EndsInTheSameBitsWhoeverGoesOn) {
  const TemporaryFolder folder;
  const std::vector<std::string> settings{"--seeds", "2", "--envs", "8", "--quiet", "--no-stop-when-solved", "--schedule", "constant"};
  const auto train = [&](const std::string& run, const std::string& steps) {
    std::vector<std::string> words{"train", "--run", run, "--steps", steps};
    words.insert(words.end(), settings.begin(), settings.end());
    EXPECT_EQ(run_cupg(words, {.folder = folder.path()}).status, 0);
  };
  train("whole", "9000");
  train("begun", "4000");
  ASSERT_NE(hashes(folder, "whole"), hashes(folder, "begun"));
  for (const std::vector<std::string>& machine : {std::vector<std::string>{},
                                                  {"--device", "reference"},
                                                  {"--isa", "scalar"},
                                                  {"--threads", "1"},
                                                  {"--device", "cpu", "--threads", "3"}}) {
    fs::remove_all(folder.path() / "r");
    fs::copy(folder.path() / "begun", folder.path() / "r");
    std::vector<std::string> words{"resume", "r", "--steps", "9000", "--json"};
    words.insert(words.end(), machine.begin(), machine.end());
    const auto result = run_cupg(words, {.folder = folder.path()});
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 1) << result.out;
    const Json json = cupg_test::parse_json(result.out);
    ASSERT_FALSE(json.is_discarded()) << result.out;
    EXPECT_EQ(json["run"], "r");
    EXPECT_EQ(json["config"]["steps"], 9000);
    EXPECT_EQ(hashes(folder, "r"), hashes(folder, "whole")) << (machine.empty() ? "" : machine.back());
  }
}

TEST(ResumeCommand, IsWhatTrainSuggestsForARunThatHasACheckpoint) {
  const TemporaryFolder folder;
  ASSERT_EQ(run_cupg({"train", "--run", "r", "--steps", "2000", "--quiet"}, {.folder = folder.path()}).status, 0);
  EXPECT_EQ(refusal(folder, {"train", "--run", "r"}),
            "cupg: run: r exists and is not empty; expected a new or an empty folder (cupg resume r goes on with it)\n");
}

TEST(ResumeCommand, SuggestsTheRunAgainWithItsSettings) {
  const TemporaryFolder folder;
  ASSERT_EQ(run_cupg({"train", "--run", "r", "--algo", "ppo", "--envs", "4", "--horizon", "16", "--steps", "640", "--quiet"},
                     {.folder = folder.path()})
                .status,
            0);
  EXPECT_TRUE(run_cupg({"resume", "r"}, {.folder = folder.path()}).out.starts_with("r: every agent has ended; "));
  fs::remove(folder.path() / "r/result.json");  // as after a kill at the very end
  const auto result = run_cupg({"resume", "r"}, {.folder = folder.path()});
  EXPECT_NE(result.out.find("\n    cupg train --config r/config.toml --steps 1280\n"), std::string::npos) << result.out;
  ASSERT_EQ(run_cupg({"train", "--config", "r/config.toml", "--steps", "1280", "--run", "again"}, {.folder = folder.path()}).status, 0);
  Config expected = Run::config(folder.path() / "r");
  expected.steps = 1280;
  EXPECT_EQ(write_config(Run::config(folder.path() / "again")), write_config(expected));
}

}  // namespace
}  // namespace cupg

// cupg sweep as it is meant to be used; killed at any instant, it ends in the files that it would have had.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "tests/cli/child_process.hpp"
#include "tests/support/parse.hpp"

namespace {

using cupg::test::ProcessResult;
using cupg::test::run_cupg;
using cupg::test::TemporaryFolder;
using Json = nlohmann::json;

ProcessResult sweep(const TemporaryFolder& folder, std::vector<std::string> arguments, int columns = 0) {
  arguments.insert(arguments.begin(), "sweep");
  return run_cupg(arguments, {.folder = folder.path(), .columns = columns});
}

/// agents.csv without its last column.
std::string timeless_agents(const TemporaryFolder& folder, const std::string& run) {
  std::istringstream lines(folder.read(run + "/agents.csv"));
  std::string all;
  for (std::string line; std::getline(lines, line);) all += line.substr(0, line.rfind(',')) + "\n";
  return all;
}

const std::vector<std::string> kGrid{"--lr", "0.003,0.01,0.03", "--gamma", "0.95,0.99", "--seeds", "6", "--steps", "1e5"};
std::vector<std::string> grid(std::vector<std::string> more) {
  more.insert(more.begin(), kGrid.begin(), kGrid.end());
  return more;
}

TEST(Sweep, PrintsARankedTableAndSaysWhatOverlaps) {
  const TemporaryFolder folder;
  const ProcessResult result = sweep(folder, grid({"--run", "s"}));
  EXPECT_EQ(result.status, 0) << result.err;
  for (const char* part :
       {"points                 6, with seeds 1 to 6 each\n", "budget                 66 agents, at most 6,600,000 environment steps\n",
        "seeds 7 to 12, [95 %\n    interval]\n     gamma  learning-rate  steps to solve", "\n  1  0.9", "\n  5  0.9",
        "The interval of 1 overlaps", "within 5 % of the best", "must be tuned",
        "steps to solve of each point, gamma down, learning-rate across\n", "saved to s\n"})
    EXPECT_NE(result.out.find(part), std::string::npos) << part << " in " << result.out;
  EXPECT_EQ(result.out.find('\x1b'), std::string::npos) << "colors are for terminals";
  EXPECT_EQ(folder.list(),
            (std::vector<std::string>{"s", "s/agents.csv", "s/heatmap.svg", "s/points.csv", "s/summary.json", "s/sweep.toml"}));
  const std::string agents = folder.read("s/agents.csv");
  EXPECT_EQ(std::count(agents.begin(), agents.end(), '\n'), 67);
  const std::string again = sweep(folder, {"--resume", "s"}).out;
  EXPECT_EQ(again, result.out) << "a sweep that is whole is told again";
  EXPECT_NE(sweep(folder, {"--resume", "s"}, 80).out.find("\x1b[48;5;226;38;5;16m"), std::string::npos);
}

TEST(Sweep, SaysTheSameInJson) {
  const TemporaryFolder folder;
  const ProcessResult result = sweep(folder, grid({"--run", "s", "--json"}));
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 1);
  Json json = cupg_test::parse_json(result.out);
  EXPECT_EQ(json["run"], "s");
  json.erase("run");
  EXPECT_EQ(json, cupg_test::parse_json(folder.read("s/summary.json")));
  ASSERT_EQ(json["best"].size(), 5u);
  EXPECT_EQ(json["points"], 6);
  EXPECT_EQ(json["agents"], 66);
  EXPECT_EQ(json["selecting_seeds"], (Json{1, 6}));
  EXPECT_EQ(json["reporting_seeds"], (Json{7, 12}));
  EXPECT_EQ(json["sensitivity"]["settings"], 6);
  // the figure is the mean of the rows that report, and of no other
  std::map<int, std::pair<double, int>> sums;
  std::istringstream lines(folder.read("s/agents.csv"));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("report")) continue;
    std::vector<std::string> fields;
    std::istringstream text(line);
    for (std::string f; std::getline(text, f, ',');) fields.push_back(f);
    auto& [sum, n] = sums[std::stoi(fields[3])];
    sum += fields[9].empty() ? 1e5 : std::min(1e5, std::stod(fields[9]));
    n += 1;
  }
  EXPECT_EQ(sums.size(), 5u);
  for (const Json& best : json["best"]) {
    const auto [sum, n] = sums[best["point"]];
    EXPECT_EQ(n, 6);
    EXPECT_DOUBLE_EQ(best["figure"], sum / n);
    if (best["ci95"].is_null()) continue;  // all alike: nobody solved it
    EXPECT_LE(best["ci95"][0], best["figure"]);
    EXPECT_GE(best["ci95"][1], best["figure"]);
  }
  // an agent of it is that of cupg train
  const Json& first = json["best"][0];
  const auto number = [](const Json& x) { return x.dump(); };
  const ProcessResult alone = run_cupg({"train", "--json", "--no-save", "--seed", "7", "--seeds", "6", "--steps", "1e5", "--lr",
                                        number(first["settings"]["learning-rate"]), "--gamma", number(first["settings"]["gamma"])},
                                       {.folder = folder.path()});
  const Json trained = cupg_test::parse_json(alone.out);
  ASSERT_FALSE(trained.is_discarded()) << alone.err;
  double sum = 0;
  for (const Json& agent : trained["agents"]) sum += agent["solved"] == true ? std::min(1e5, agent["solved_env_steps"].get<double>()) : 1e5;
  EXPECT_DOUBLE_EQ(first["figure"], sum / 6);
}

TEST(Sweep, KilledAtAnyInstantEndsInTheSameFiles) {
  const TemporaryFolder folder;
  const std::vector<std::string> kinds[] = {
      {"--lr", "log:0.003:0.03:4", "--hidden", "8/16", "--seeds", "6", "--steps", "2e5", "--threads", "2"},
      {"--lr", "log:0.001:0.1", "--gamma", "uniform:0.9:1", "--points", "18", "--halving", "3", "--report", "2", "--seeds", "6", "--steps",
       "2e5", "--no-stop-when-solved", "--threads", "2"}};
  int kind = 0;
  for (const auto& arguments : kinds) {
    const std::string whole = "whole" + std::to_string(kind), killed = "killed" + std::to_string(kind);
    ++kind;
    const auto with_run = [&](const std::string& run) {
      std::vector<std::string> all = arguments;
      all.insert(all.end(), {"--run", run, "--quiet"});
      return all;
    };
    ASSERT_EQ(sweep(folder, with_run(whole)).status, 0);
    std::vector<std::string> next = with_run(killed);
    next.insert(next.begin(), "sweep");
    int kills = 0;
    for (int tries = 0; tries < 200; ++tries) {
      const int after = 20 + (tries * 37) % 150 + 4 * tries;  // later and later, so that slow machines come to an end
      const ProcessResult result = run_cupg(next, {.folder = folder.path(), .signals = {{SIGKILL, after}}});
      if (result.status == 0) break;
      ASSERT_EQ(result.status, 128 + SIGKILL) << result.err;
      ++kills;
      if (std::filesystem::exists(folder.path() / killed / "sweep.toml")) next = {"sweep", "--resume", killed, "--quiet"};
    }
    EXPECT_GT(kills, 1);
    EXPECT_EQ(timeless_agents(folder, killed), timeless_agents(folder, whole));
    for (const char* file : {"points.csv", "summary.json", "sweep.toml", kind == 1 ? "heatmap.svg" : "marginals.svg"})
      EXPECT_EQ(folder.read(killed + "/" + file), folder.read(whole + "/" + file)) << file;
  }
}

TEST(Sweep, TakesALineWithoutAnEndForNone) {
  const TemporaryFolder folder;
  ASSERT_EQ(sweep(folder, grid({"--run", "s", "--quiet"})).status, 0);
  const std::string whole = timeless_agents(folder, "s"), csv = folder.read("s/agents.csv");
  folder.write("s/agents.csv", csv.substr(0, csv.size() / 2));
  ASSERT_EQ(sweep(folder, {"--resume", "s", "--quiet"}).status, 0);
  EXPECT_EQ(timeless_agents(folder, "s"), whole);
  // what a process appends after such a line is on a line of its own
  folder.write("s/agents.csv", csv.substr(0, csv.size() / 2));
  const ProcessResult stopped =
      run_cupg({"sweep", "--resume", "s", "--device", "reference"}, {.folder = folder.path(), .signals = {{SIGKILL, 1500}}});
  EXPECT_EQ(sweep(folder, {"--resume", "s", "--quiet"}).status, 0) << stopped.err;
  EXPECT_EQ(timeless_agents(folder, "s"), whole) << "on any device";
}

TEST(Sweep, IsOneProcessesWorkAtATime) {
  const TemporaryFolder folder;
  ProcessResult first;
  std::thread other([&] {
    std::vector<std::string> arguments = grid({"--run", "s", "--no-stop-when-solved", "--steps", "1e9"});
    arguments.insert(arguments.begin(), "sweep");
    first = run_cupg(arguments, {.folder = folder.path(), .signals = {{SIGINT, 1500}}});
  });
  while (!std::filesystem::exists(folder.path() / "s/agents.csv")) std::this_thread::yield();
  const ProcessResult second = sweep(folder, {"--resume", "s"});
  other.join();
  EXPECT_EQ(first.status, 130) << first.err;
  EXPECT_EQ(second.status, 2);
  EXPECT_EQ(second.err, "cupg: s: is being written by another process; expected the folder of a sweep that no process fills\n");
}

TEST(Sweep, RefusesRowsThatAreNotItsOwn) {
  const TemporaryFolder folder;
  ASSERT_EQ(sweep(folder, grid({"--run", "s", "--quiet"})).status, 0);
  const std::string csv = folder.read("s/agents.csv");
  folder.write("s/agents.csv", csv.substr(0, csv.find('\n', csv.size() / 2) + 1) + "x\n");
  const ProcessResult bad = sweep(folder, {"--resume", "s"});
  EXPECT_EQ(bad.status, 2);
  EXPECT_NE(bad.err.find(": 1 fields; expected 13, as the heading has\n"), std::string::npos) << bad.err;
}

TEST(Sweep, InterruptedSaysHowItGoesOn) {
  const TemporaryFolder folder;
  std::vector<std::string> arguments = grid({"--run", "s", "--no-stop-when-solved"});
  arguments.insert(arguments.begin(), "sweep");
  arguments.insert(arguments.end(), {"--steps", "1e8"});
  const ProcessResult result = run_cupg(arguments, {.folder = folder.path(), .signals = {{SIGINT, 300}}});
  EXPECT_EQ(result.status, 130) << result.err;
  EXPECT_NE(result.err.find("cupg: interrupted: stopping; what has ended is kept\n"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("agents are kept: cupg sweep --resume s goes on\n"), std::string::npos) << result.err;
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "s/summary.json"));
  EXPECT_NE(sweep(folder, grid({"--run", "s"}))
                .err.find("run: s exists and is not empty; expected a new or an empty folder (cupg sweep --resume s goes on with it)"),
            std::string::npos);
}

TEST(Sweep, TellsOnATerminalHowFarItIs) {
  const TemporaryFolder folder;
  const ProcessResult result = run_cupg(
      {"sweep", "--lr", "0.01,0.03", "--gamma", "0.99,0.995", "--seeds", "4", "--no-stop-when-solved", "--steps", "3e6", "--run", "s"},
      {.folder = folder.path(), .columns = 120});
  EXPECT_EQ(result.status, 0) << result.out;
  EXPECT_FALSE(cupg_test::find_matches(result.out, "[0-4]/4 points  \\S+[0-9.]+ (ms|s|min [0-9]+ s) left  [0-9]+/32 agents").empty())
      << result.out;
  EXPECT_FALSE(cupg_test::find_matches(result.out, "best [0-9.]+ \\(gamma 0\\.99[5]?, learning-rate 0\\.0[13]\\)").empty()) << result.out;
}

TEST(Sweep, TakesItsFileAndItsCommandLineAlike) {
  const TemporaryFolder folder;
  folder.write("s.toml", "steps = 1e5\nseeds = 6\n[sweep]\nlearning-rate = [0.003, 0.01, 0.03]\ngamma = [0.95, 0.99]\n");
  EXPECT_EQ(sweep(folder, {"s.toml", "--run", "file", "--quiet"}).status, 0);
  EXPECT_EQ(sweep(folder, grid({"--run", "line", "--quiet"})).status, 0);
  for (const char* file : {"points.csv", "summary.json", "sweep.toml", "heatmap.svg"})
    EXPECT_EQ(folder.read(std::string("file/") + file), folder.read(std::string("line/") + file)) << file;
  // the command line has the last word
  EXPECT_EQ(sweep(folder, {"s.toml", "--run", "other", "--quiet", "--gamma", "0.97", "--lr", "0.01,0.02"}).status, 0);
  EXPECT_NE(folder.read("other/sweep.toml").find("[sweep]\nlearning-rate = \"0.01,0.02\"\nsweep-seed"), std::string::npos)
      << folder.read("other/sweep.toml");
  EXPECT_NE(folder.read("other/sweep.toml").find("gamma = 0.97\n"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "other/marginals.svg"));
  EXPECT_EQ(sweep(folder, {"Acrobot-v1", "--lr", "0.01,0.02", "--steps", "1e4", "--seeds", "2", "--quiet"}).status, 0);
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "runs/sweep-Acrobot-v1-a2c/summary.json"));
}

TEST(Sweep, DrawnBySeedZeroGoesOnByIt) {
  const TemporaryFolder folder;
  ASSERT_EQ(sweep(folder, {"--lr", "log:0.003:0.03", "--points", "3", "--sweep-seed", "0", "--seeds", "2", "--steps", "1e4", "--run", "s"})
                .status,
            0);
  const ProcessResult again = sweep(folder, {"--resume", "s"});
  EXPECT_EQ(again.status, 0) << again.err;
}

TEST(Sweep, IsRefusedInALine) {
  const TemporaryFolder folder;
  folder.write("key.toml", "[sweep]\nlearnig-rate = [1, 2]\n");
  folder.write("empty.toml", "seeds = 3\n");
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{"--lr", "log:0:1"}, "cupg: learning-rate: 0; expected a number above 0\n"},
      {{"--lr", "1e-3,"}, "cupg: learning-rate: \"1e-3,\"; expected a value on each side of every comma\n"},
      {{}, "cupg: sweep: no setting has more than one value; expected a list or a range, as in --lr 0.003,0.01 or --lr log:1e-4:1e-1\n"},
      {{"empty.toml"}, "cupg: sweep: no setting has more than one value"},
      {{"key.toml"}, "cupg: key.toml:2: key: unknown \"learnig-rate\"; did you mean learning-rate?\n"},
      {{"none.toml"}, "cupg: none.toml: cannot be read: No such file or directory\n"},
      {{"--lr", "log:1e-4:1e-1:1000", "--gamma", "uniform:0:1:1000"}, "cupg: sweep: 1000000 points with 10 seeds each"},
      {{"--lr", "1,2", "--clip", "0.3"}, "cupg: clip: 0.3 would have no effect; it needs an algo with a probability ratio, such as ppo\n"},
      {{"--optimizer", "sgd,rmsprop", "--beta1", "0.8"}, "cupg: beta1: 0.8 would have no effect; it needs optimizer = adam\n"},
      {{"--lr", "1,2", "--points", "3"}, "cupg: points: 3 would have no effect; it needs a range"},
      {{"--algo", "a2c,ppo"}, "cupg: algo: \"a2c,ppo\"; expected one value"},
      {{"--resume", "none"}, "cupg: none: has no sweep.toml; expected the folder of a sweep\n"},
      {{"--resume", ".", "--run", "x"}, "cupg: run: contradicts resume; expected one of the two\n"},
      {{"--resume", ".", "--points", "4"}, "cupg: points: 4 would have no effect; the sweep that goes on has its own\n"},
      {{"--resume", ".", "--seeds", "4"},
       "cupg: seeds: would have no effect; of settings, a sweep that goes on takes device, isa, math and threads\n"},
      {{"what", "--environment", "CartPole-v1", "--lr", "1,2"}, "cupg: FILE: \"what\"; expected the name of a file that ends in .toml\n"},
      {{"--report", "0", "--lr", "1,2"}, "cupg: report: 0; expected a whole number from 1 to 1000\n"},
      {{"--halving", "1", "--lr", "1,2"}, "cupg: halving: 1; expected a whole number from 2 to 100\n"},
  };
  for (const auto& [arguments, message] : cases) {
    const ProcessResult result = sweep(folder, arguments);
    EXPECT_EQ(result.status, 2) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_TRUE(result.err.starts_with(message)) << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
  EXPECT_EQ(folder.list(), (std::vector<std::string>{"empty.toml", "key.toml"}));
}

}  // namespace

// The command as it is meant to be used.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "cupg/error.hpp"
#include "cupg/policy.hpp"
#include "cupg/run.hpp"
#include "src/io/config_file.hpp"
#include "src/io/options.hpp"
#include "tests/cli/child_process.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/parse.hpp"
#include "tests/support/sanitized.hpp"

namespace cupg {
namespace {

using Json = nlohmann::json;
using test::run_cupg;

Json json_of(const test::ProcessResult& result) {
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 1) << result.out;
  return cupg_test::parse_json(result.out);
}

TEST(Version, IsPrinted) {
  const auto result = run_cupg({"--version"});
  EXPECT_EQ(result.status, 0);
  EXPECT_TRUE(result.out.starts_with("cupg 0.") || result.out.starts_with("cupg 1.")) << result.out;
}

TEST(Reproduce, PrintsATableAndPutsItIntoAPage) {
  const test::TemporaryFolder folder;
  const std::vector<std::string> arguments{"reproduce", "weng-actor-critic", "--markdown", "page.md"};
  const auto first = run_cupg(arguments, {.folder = folder.path()});
  EXPECT_EQ(first.status, 0) << first.err;
  EXPECT_TRUE(first.out.starts_with("weng-actor-critic, ")) << first.out;
  EXPECT_NE(first.out.find("\n  met      gradient in double"), std::string::npos) << first.out;
  EXPECT_NE(first.out.find("\n           required  at most 1.0e-08: central differences"), std::string::npos) << first.out;
  EXPECT_NE(first.out.find("\n1 met, 0 near, 0 not met, in "), std::string::npos) << first.out;
  for (std::size_t at = 0; at < first.out.size(); at = first.out.find('\n', at) + 1)
    EXPECT_LE(first.out.find('\n', at) - at, 80u) << first.out.substr(at);
  const std::string table = folder.read("page.md");
  EXPECT_NE(table.find("| weng-actor-critic | "), std::string::npos) << table;

  folder.write("page.md", "# Before\n" + table + "After\n");
  EXPECT_EQ(run_cupg(arguments, {.folder = folder.path()}).status, 0);
  EXPECT_EQ(folder.read("page.md"), "# Before\n" + table + "After\n") << "nothing of this row is random";

  const Json json = json_of(run_cupg({"reproduce", "weng-actor-critic", "--json"}));
  EXPECT_EQ(json["presets"].size(), 1u);
  EXPECT_EQ(json["presets"][0]["name"], "weng-actor-critic");
  EXPECT_EQ(json["presets"][0]["verdict"], "met");
  EXPECT_EQ(json["presets"][0]["figures"][0]["most"], 1e-8);
  EXPECT_TRUE(json["presets"][0]["figures"][0]["why"].is_string());
  EXPECT_EQ(json["not_met"], 0);
}

// bench has defaults of its own (2,048 environments), so that the preset's are seen to win over them.
TEST(Order, IsDefaultsPresetFileCommandLine) {
  const test::TemporaryFolder folder;
  folder.write("c.toml", "envs = 8\nhorizon = 3\n");
  const auto envs = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments{"bench", "env", "--updates", "1", "--repeat", "1", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Json json = json_of(run_cupg(arguments, {.folder = folder.path()}));
    return std::pair(json["config"]["envs"].get<int>(), json["config"]["horizon"].get<int>());
  };
  Config preset;
  apply_preset("shared-net", preset);
  EXPECT_EQ(envs({}), std::pair(2048, 32));
  EXPECT_EQ(envs({"--preset", "shared-net"}), std::pair(preset.envs, preset.horizon));
  EXPECT_EQ(envs({"--config", "c.toml", "--preset", "shared-net"}), std::pair(8, 3));
  EXPECT_EQ(envs({"--envs", "5", "--config", "c.toml", "--preset", "shared-net"}), std::pair(5, 3));
}

TEST(CommandLine, AnAlgorithmChangesNoEnvironment) {
  const auto environment = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"info", "--json"});
    return json_of(run_cupg(arguments))["config"]["environment"].get<std::string>();
  };
  for (const char* algorithm : {"random-search", "hill-climbing", "ppo"}) EXPECT_EQ(environment({"--algo", algorithm}), "CartPole-v1");
  EXPECT_EQ(environment({"CartPole-v0", "--algo", "random-search"}), "CartPole-v0");
  EXPECT_EQ(environment({"--preset", "kvfrans-random-search"}), "CartPole-v0");
  EXPECT_EQ(environment({"--preset", "kvfrans-random-search", "CartPole-v1"}), "CartPole-v1");
}

TEST(Order, GoingOnWhenSolvedBeginsWithSettingsThatHold) {
  const auto config = [](const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"info", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    Json all = json_of(run_cupg(arguments))["config"];
    all.erase("stop-when-solved");
    return all;
  };
  const Json hold = config({"--preset", "a2c-long-run"}), defaults = config({});
  ASSERT_NE(hold, defaults);
  EXPECT_EQ(config({"--no-stop-when-solved"}), hold);
  EXPECT_EQ(config({"--no-stop-when-solved", "--algo", "a2c"}), hold);
  EXPECT_EQ(config({"--stop-when-solved"}), defaults);

  Json own = hold;  // what the user says himself wins
  own["learning-rate"] = 0.055;
  own["schedule"] = "constant";
  EXPECT_EQ(config({"--no-stop-when-solved", "--lr", "0.055", "--schedule", "constant"}), own);
  EXPECT_EQ(config({"--lr", "0.055", "--schedule", "constant", "--no-stop-when-solved"}), own);
  EXPECT_EQ(config({"--no-stop-when-solved", "--preset", "shared-net"}), defaults);
  const test::TemporaryFolder folder;
  folder.write("one.toml", "seed = 1\n");
  EXPECT_EQ(config({"--no-stop-when-solved", "--config", (folder.path() / "one.toml").string()}), defaults);
  EXPECT_EQ(config({"--no-stop-when-solved", "--algo", "ppo"}), config({"--preset", "cleanrl-ppo"}));
}

TEST(CommandLine, ReadsCountsFlagsAndWidths) {
  const Json config =
      json_of(run_cupg({"info", "--json", "CartPole-v0", "--steps", "1e6", "--envs", "1_024", "--no-stop-when-solved", "--normalize",
                        "--hidden", "8,4", "--value-hidden", "none", "--lr", "3e-3", "--gamma", "0.5", "--gamma=0.25"}))["config"];
  EXPECT_EQ(config["environment"], "CartPole-v0");
  EXPECT_EQ(config["steps"], 1000000);
  EXPECT_EQ(config["envs"], 1024);
  EXPECT_EQ(config["stop-when-solved"], false);
  EXPECT_EQ(config["normalize"], true);
  EXPECT_EQ(config["hidden"], Json::array({8, 4}));
  EXPECT_EQ(config["value-hidden"], Json::array());
  EXPECT_EQ(config["separate"], true);
  EXPECT_EQ(config["learning-rate"], 0.003);
  EXPECT_EQ(config["gamma"], 0.25);  // the last one counts
}

TEST(Train, WideNetworksSayThatTheyPromiseATolerance) {
  const test::TemporaryFolder folder;
  const std::vector<std::string> train{"train", "--hidden", "256,256", "--steps", "2048", "--run"};
  const auto with = [&](std::vector<std::string> arguments, const std::string& run, const char* more) {
    arguments.insert(arguments.end(), {run, more});
    return run_cupg(arguments, {.folder = folder.path()});
  };
#if CUPG_HAS_OPENBLAS
  const auto result = with(train, "a", "--threads=1");
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.out.find("promises a tolerance"), std::string::npos) << result.out;
  EXPECT_EQ(json_of(with(train, "b", "--json"))["math"], "gemm");
  EXPECT_EQ(json_of(run_cupg({"eval", "a", "--json", "--episodes", "20"}, {.folder = folder.path()}))["episodes"], 20);
  const auto bench = run_cupg({"bench", "--hidden", "128", "--envs", "8", "--updates", "1", "--repeat", "1"});
  EXPECT_NE(bench.out.find("promises a tolerance"), std::string::npos) << bench.out << bench.err;
#endif
  // a plug-in that cannot be opened: status 3, one line, nothing left behind; small networks do not need it
  folder.write("libcupg_openblas.so", "no library");
  ::setenv("CUPG_PLUGIN_PATH", folder.path().c_str(), 1);
  const auto missing = with(train, "c", "--quiet");
  EXPECT_EQ(missing.status, 3);
  EXPECT_EQ(missing.out, "");
  EXPECT_EQ(std::count(missing.err.begin(), missing.err.end(), '\n'), 1) << missing.err;
  for (const char* part : {"libcupg_openblas.so, which networks wider than 64 units or deeper than 2 layers need", folder.path().c_str()})
    EXPECT_NE(missing.err.find(part), std::string::npos) << part << " in: " << missing.err;
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "c"));
  EXPECT_EQ(json_of(run_cupg({"train", "--steps", "2048", "--run", "d", "--json"}, {.folder = folder.path()}))["math"], "exact");
  ::unsetenv("CUPG_PLUGIN_PATH");
  EXPECT_EQ(run_cupg({"bench", "rollout", "--hidden", "65"}).status, 2);
}

TEST(Train, PrintsOneJsonObjectAndSavesTheRun) {
  const test::TemporaryFolder folder;
  const auto result =
      run_cupg({"train", "--json", "--steps", "2048", "--seed", "7", "--seeds", "3", "--run", "r"}, {.folder = folder.path()});
  const Json json = json_of(result);
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(json["environment"], "CartPole-v1");
  EXPECT_EQ(json["algorithm"], "a2c");
  for (const char* key : {"device", "isa", "version", "run"}) EXPECT_TRUE(json[key].is_string()) << key;
  for (const char* key : {"train_seconds", "env_steps_per_second"}) EXPECT_TRUE(json[key].is_number()) << key;
  EXPECT_TRUE(json["threads"].is_number_integer());
  EXPECT_EQ(json["run"], "r");
  ASSERT_EQ(json["agents"].size(), 3u);
  std::int64_t steps = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const Json& agent = json["agents"][i];
    EXPECT_EQ(agent["seed"], 7 + i);
    EXPECT_EQ(agent["solved"], false);
    EXPECT_TRUE(agent["solved_env_steps"].is_null());
    EXPECT_TRUE(agent["solved_seconds"].is_null());
    EXPECT_TRUE(agent["final_return"].is_number());
    EXPECT_EQ(agent["outcome"], "finished");
    steps += agent["env_steps"].get<std::int64_t>();
    const Policy policy = load_policy(folder.path() / "r" / ("policy-" + std::to_string(7 + i) + ".safetensors"));
    EXPECT_EQ(agent["parameters_sha256"], parameters_sha256(policy.parameters));
  }
  EXPECT_EQ(json["env_steps"], steps);
  const Json& summary = json["summary"];
  EXPECT_EQ(summary["n"], 3);
  EXPECT_TRUE(summary["ci95"].is_null()) << "three are too few";
  EXPECT_EQ(summary["solved_fraction_ci95"].size(), 2u);
  EXPECT_EQ(summary["solved_fraction"], 0.0);
  for (const char* key : {"iqm", "worst"}) EXPECT_TRUE(summary[key].is_number()) << key;
  for (const char* key : {"solved_seconds_median", "solved_seconds_p99"})
    EXPECT_TRUE(summary.contains(key) && summary[key].is_null()) << key;

  Json saved = cupg_test::parse_json(folder.read("r/result.json"));
  saved["run"] = "r";
  EXPECT_EQ(saved, json);
  const Config config = Run::config(folder.path() / "r");
  EXPECT_EQ(config.seed, 7u);
  EXPECT_EQ(config.steps, 2048);
  EXPECT_TRUE(folder.read("r/metrics.csv")
                  .starts_with("seed,env_steps,seconds,mean_return,episodes,mean_length,steps_per_second,policy_loss,value_loss,entropy,"
                               "approx_kl,clip_fraction,"
                               "explained_variance,gradient_norm,learning_rate\n7,"));
  EXPECT_EQ(folder.list(), (std::vector<std::string>{"r", "r/checkpoint.safetensors", "r/config.toml", "r/metrics.csv", "r/metrics.jsonl",
                                                     "r/policy-7.safetensors", "r/policy-8.safetensors", "r/policy-9.safetensors",
                                                     "r/receipt.json", "r/result.json"}));
}

TEST(Eval, PlaysTheLastPolicyOrTheBest) {
  Config config;  // with which a solved agent that goes on falls back
  config.stop_when_solved = false;
  config.steps = 1'000'000;
  const TrainResult trained = train(config);
  const AgentResult& agent = trained.agents.at(0);
  ASSERT_FALSE(agent.best_parameters.empty());
  const test::TemporaryFolder folder;
  Run::write(folder.path() / "r", config, trained, "{}");
  EXPECT_EQ(load_policy(folder.path() / "r/policy-best.safetensors").parameters, agent.best_parameters);
  const auto mean = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments{"eval", "r", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return json_of(run_cupg(arguments, {.folder = folder.path()}))["mean_return"].get<double>();
  };
  EXPECT_NEAR(mean({}), *agent.final_return, 20);
  EXPECT_EQ(mean({"--last"}), mean({}));
  EXPECT_NEAR(mean({"--best"}), *agent.best_return, 5);
  EXPECT_LT(mean({}), 475);
  EXPECT_GE(mean({"--best"}), 475);
  EXPECT_EQ(run_cupg({"eval", "r", "--best", "--last"}, {.folder = folder.path()}).status, 2);

  // where the last is the best there is one file, and either option plays it
  TrainResult same = trained;
  same.agents[0].best_parameters.clear();
  Run::write(folder.path() / "s", config, same, "{}");
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "s/policy-best.safetensors"));
  EXPECT_EQ(Run::policy(folder.path() / "s", nullptr, true).parameters, agent.parameters);
}

TEST(Run, HasAName) {
  using cupg_test::message_of;
  EXPECT_EQ(message_of([] { Run::config(""); }), "run: \"\"; expected the name of a folder");  // not that of the working directory
  EXPECT_EQ(message_of([] { Run::policy(""); }), "run: \"\"; expected the name of a folder");
  EXPECT_EQ(message_of([] { NewRun{std::filesystem::path()}; }), "run: \"\"; expected the name of a folder");
  EXPECT_EQ(message_of([] { load_policy(""); }), "file: \"\"; expected the name of a file");
}

TEST(Train, SavedConfigurationTrainsToTheSameBits) {
  // the second leaves settings of its preset without effect, the third has a float that is printed above the largest one
  for (const std::vector<std::string>& settings : {std::vector<std::string>{"--hidden", "5", "--lr", "0.02"},
                                                   {"--algo", "ppo", "--optimizer", "sgd"},
                                                   {"--max-grad-norm", "3.4028235e38"}}) {
    const test::TemporaryFolder folder;
    std::vector<std::string> arguments{"train", "--json", "--steps", "4096", "--run", "a"};
    arguments.insert(arguments.end(), settings.begin(), settings.end());
    const auto first = json_of(run_cupg(arguments, {.folder = folder.path()}));
    const auto second = json_of(run_cupg({"train", "--json", "--config", "a/config.toml", "--run", "b"}, {.folder = folder.path()}));
    EXPECT_EQ(first["agents"][0]["parameters_sha256"], second["agents"][0]["parameters_sha256"]) << settings[1];
    EXPECT_EQ(folder.read("a/policy.safetensors"), folder.read("b/policy.safetensors")) << settings[1];
    EXPECT_EQ(folder.read("a/config.toml"), folder.read("b/config.toml")) << settings[1];
    const auto played = run_cupg({"eval", "a", "--episodes", "2"}, {.folder = folder.path()});
    EXPECT_EQ(played.status, 0) << settings[1] << ": " << played.err;
  }
}

TEST(Train, ShowsSummaryCurveAndWhatToDoNext) {
  const test::TemporaryFolder folder;
  const auto result = run_cupg({"train", "--steps", "65536", "--no-stop-when-solved"}, {.folder = folder.path()});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.err, "");  // no terminal, no progress
  for (const char* part : {"seed 1: ", "return before training", "return after training", "mean return of the training episodes",
                           " steps\n", "saved to runs/CartPole-v1-a2c-seed1\n", "cupg eval runs/CartPole-v1-a2c-seed1"})
    EXPECT_NE(result.out.find(part), std::string::npos) << part << "\n" << result.out;
  const auto again = run_cupg({"train", "--steps", "512", "--quiet"}, {.folder = folder.path()});
  EXPECT_NE(again.out.find("saved to runs/CartPole-v1-a2c-seed1-2\n"), std::string::npos) << again.out;
  EXPECT_EQ(std::count(again.out.begin(), again.out.end(), '\n'), 2) << again.out;
}

TEST(Train, InterruptIsCleanAndSavesTheRun) {
  const test::TemporaryFolder folder;
  const auto result = run_cupg({"train", "--steps", "1e11", "--no-stop-when-solved", "--json", "--run", "r"},
                               {.folder = folder.path(), .interrupt_after_milliseconds = 300});
  EXPECT_EQ(result.status, 130) << result.err;
  const Json json = cupg_test::parse_json(result.out);
  EXPECT_EQ(json["agents"][0]["outcome"], "interrupted");
  EXPECT_EQ(parameters_sha256(Run::policy(folder.path() / "r").parameters), json["agents"][0]["parameters_sha256"]);
}

TEST(Eval, PlaysTheSavedPolicy) {
  const test::TemporaryFolder folder;
  ASSERT_EQ(run_cupg({"train", "--steps", "4096", "--seeds", "2", "--run", "r"}, {.folder = folder.path()}).status, 0);
  const auto run = json_of(run_cupg({"eval", "r", "--json", "--episodes", "50"}, {.folder = folder.path()}));
  EXPECT_EQ(run["episodes"], 50);
  EXPECT_EQ(run["greedy"], true);
  for (const char* key : {"mean_return", "min_return", "max_return", "reached_cap"}) EXPECT_TRUE(run[key].is_number()) << key;
  auto file = json_of(run_cupg({"eval", "r/policy-1.safetensors", "--json", "--episodes", "50"}, {.folder = folder.path()}));
  EXPECT_EQ(file["mean_return"], run["mean_return"]);
  const auto other = run_cupg({"eval", "r", "--agent-seed", "2", "--sample", "--episodes", "1e2"}, {.folder = folder.path()});
  EXPECT_EQ(other.status, 0);
  EXPECT_NE(other.out.find("100 sampled episodes"), std::string::npos) << other.out;
  EXPECT_EQ(run_cupg({"eval", "r", "--agent-seed", "3"}, {.folder = folder.path()}).status, 2);
}

TEST(Train, ManySeedsNameTheFolderAndTheirStatisticsAreToldQuietlyToo) {
  const test::TemporaryFolder folder;
  const auto result = run_cupg({"train", "--quiet", "--seed", "5", "--seeds", "6", "--steps", "1000"}, {.folder = folder.path()});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.out.find("\n  return (IQM) "), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("(95 %: "), std::string::npos) << result.out;
  EXPECT_TRUE(result.out.ends_with("\nsaved to runs/CartPole-v1-a2c-seeds5-10\n")) << result.out;
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 3) << result.out;
}

TEST(Train, WritesNothingWithNoSave) {
  const test::TemporaryFolder folder;
  const Json json = json_of(run_cupg({"train", "--no-save", "--json", "--steps", "2048"}, {.folder = folder.path()}));
  EXPECT_TRUE(json.contains("run") && json["run"].is_null());
  const auto result = run_cupg({"train", "--no-save", "--steps", "2048"}, {.folder = folder.path()});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out.find("saved"), std::string::npos) << result.out;
  EXPECT_EQ(result.out.find("cupg eval"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("cupg train --steps 4096"), std::string::npos) << result.out;
  EXPECT_TRUE(folder.list().empty());
  std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  EXPECT_EQ(run_cupg({"train", "--no-save", "--steps", "2048"}, {.folder = folder.path()}).status, 0) << "needs no place to write";
  std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_all);
}

TEST(Eval, SaysWhomItPlays) {
  const test::TemporaryFolder folder;
  ASSERT_EQ(run_cupg({"train", "--steps", "1000", "--seed", "4", "--seeds", "3", "--run", "r"}, {.folder = folder.path()}).status, 0);
  const auto first = run_cupg({"eval", "r", "--episodes", "5"}, {.folder = folder.path()});
  EXPECT_TRUE(first.out.starts_with("seed 4, one of 3 agents (--agent-seed plays another)\n")) << first.out;
  const std::vector<std::string> other{"eval", "r", "--episodes", "5", "--agent-seed", "6"};
  EXPECT_TRUE(run_cupg(other, {.folder = folder.path()}).out.starts_with("seed 6, one of 3 agents"));
  EXPECT_EQ(json_of(run_cupg({"eval", "r", "--json"}, {.folder = folder.path()}))["agent_seed"], 4);
  const auto file = run_cupg({"eval", "r/policy-5.safetensors", "--episodes", "5"}, {.folder = folder.path()});
  EXPECT_TRUE(file.out.starts_with("CartPole-v1: ")) << file.out;
}

TEST(Info, SaysWhatWillNotFit) {
  const std::vector<std::string> huge{"info", "--envs", "16777216", "--horizon", "1e6", "--normalize"};
  const auto result = run_cupg(huge);
  EXPECT_EQ(result.status, 0);
  EXPECT_NE(result.out.find("too little"), std::string::npos) << result.out;
  std::vector<std::string> as_json = huge;
  as_json.emplace_back("--json");
  EXPECT_EQ(json_of(run_cupg(as_json))["fits"], false);
  EXPECT_EQ(json_of(run_cupg({"info", "--json"}))["fits"], true);
  EXPECT_EQ(run_cupg({"info"}).out.find("too little"), std::string::npos);
  std::vector<std::string> train = huge;
  train[0] = "train";
  train.emplace_back("--no-save");
  const auto refused = run_cupg(train);
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.err.find(" are available (limited by "), std::string::npos) << refused.err;
}

TEST(Info, DescribesBuildMachineAndNetwork) {
  const auto result = run_cupg({"info"});
  EXPECT_EQ(result.status, 0) << result.err;
  for (const char* part : {"compiler", "processor", "isa", "cuda  ", "CartPole-v0", "131 parameters", "memory"})
    EXPECT_NE(result.out.find(part), std::string::npos) << part;
  const Json json = json_of(run_cupg({"info", "--json", "--envs", "16777216", "--horizon", "1e6", "--normalize"}));
  EXPECT_GT(json["training_bytes"], json["available_bytes"]);
  EXPECT_GE(json["usable_processors"], 1);
  EXPECT_NE(result.out.find("may use " + std::to_string(json["usable_processors"].get<int>()) + " processor"), std::string::npos)
      << result.out;
}

TEST(Command, SaysThatTheSystemGivesFewerThreads) {
  if (cupg_test::kSanitized) GTEST_SKIP() << "a sanitizer's shadow memory is beyond any limit";
  const test::TemporaryFolder folder;
  const auto run = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--threads", "64"});
    return run_cupg(arguments, {.folder = folder.path(), .most_memory_bytes = 100'000 << 10, .alarm_seconds = 60});
  };
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"train", "--steps", "2000"},                   // an engine of 64 threads
                                             {"train", "--steps", "2000", "--seeds", "64"},  // 64 engines of one
                                             {"train", "--steps", "2048", "--algo", "ppo"},
                                             {"train", "--algo", "random-search", "--separate", "--hidden", "none", "--no-bias"},
                                             {"bench", "--updates", "1"},
                                             {"bench", "env", "--updates", "1"}}) {
    const auto result = run(arguments);
    EXPECT_EQ(result.status, 1) << arguments[0] << " " << result.out << result.err;
    EXPECT_NE(result.err.find("threads: 64 were asked for, and the system gave "), std::string::npos) << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
  if (!CUPG_HAS_OPENBLAS) return;
  // OpenBLAS takes more than it is given, 32 MiB for each of its threads; what cupg itself takes for 64 of them is refused before
  for (const auto& [threads, status, said] : {std::tuple("64", 2, "(limited by RLIMIT_AS)"), std::tuple("1", 1, "cupg: threads: ")}) {
    const auto result = run_cupg({"train", "--steps", "2000", "--hidden", "128", "--threads", threads},
                                 {.folder = folder.path(), .most_memory_bytes = 100'000 << 10, .alarm_seconds = 60});
    EXPECT_EQ(result.status, status) << result.out << result.err;
    EXPECT_NE(result.err.find(said), std::string::npos) << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
  EXPECT_TRUE(folder.list().empty());
}

TEST(Bench, GivesMedianAndValues) {
  for (const char* kind : {"train", "rollout", "env"}) {
    const Json json = json_of(run_cupg({"bench", kind, "--updates", "2", "--repeat", "3", "--envs", "64", "--horizon", "8", "--json"}));
    EXPECT_EQ(json["bench"], kind);
    EXPECT_EQ(json["values"].size(), 3u);
    EXPECT_GT(json["env_steps_per_second"].get<double>(), 0);
    EXPECT_GE(json["env_steps"], 2 * 64 * 8);  // env: whole blocks of steps
  }
}

}  // namespace
}  // namespace cupg

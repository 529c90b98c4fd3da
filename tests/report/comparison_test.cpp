// Runs and other programs' CSV files, read, compared, told and drawn.
#include "src/report/comparison.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "src/report/json.hpp"
#include "src/report/text.hpp"
#include "tests/cli/child_process.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/message_of.hpp"

namespace cupg {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

using cupg_test::message_of;

/// A run of agents with these final returns (NaN: none), which took 100, 200, ... steps and solved the task if they ended above 475.
std::filesystem::path write_run(const test::TemporaryFolder& folder, const std::string& name, const std::vector<double>& returns,
                                bool stop_when_solved = false, std::uint64_t first_seed = 1, const char* environment = "CartPole-v1") {
  Config config;
  config.environment = environment;
  config.seed = first_seed;
  config.seeds = static_cast<int>(returns.size());
  config.stop_when_solved = stop_when_solved;
  TrainResult result;
  const std::filesystem::path path = folder.path() / name;
  for (std::size_t i = 0; i < returns.size(); ++i) {
    AgentResult& agent = result.agents.emplace_back();
    agent.seed = first_seed + i;
    agent.env_steps = 100 * static_cast<std::int64_t>(i + 1);
    if (!std::isnan(returns[i])) agent.final_return = returns[i];
    if (returns[i] > 475) agent.solved_env_steps = agent.env_steps, agent.outcome = Outcome::solved;
    if (std::isnan(returns[i])) agent.outcome = Outcome::interrupted;
  }
  std::filesystem::create_directory(path);
  folder.write(name + "/config.toml", "environment = \"" + config.environment + "\"\nseed = " + std::to_string(first_seed) +
                                          "\nseeds = " + std::to_string(config.seeds) +
                                          "\nstop-when-solved = " + (stop_when_solved ? "true\n" : "false\n"));
  folder.write(name + "/result.json", train_json(config, result).dump());
  std::string csv = "seed,env_steps,seconds,mean_return,episodes\n";
  for (std::size_t i = 0; i < returns.size(); ++i)
    for (const int steps : {50, 100}) csv += fmt::format("{},{},0.1,{},3\n", first_seed + i, steps, steps + 10 * static_cast<int>(i));
  folder.write(name + "/metrics.csv", csv);
  return path;
}

/// The text with its first `from` written as `to`.
std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

TEST(Comparison, ByHand) {
  const test::TemporaryFolder folder;
  const Comparison c = compare_runs({write_run(folder, "a", {500, 480, 20}), write_run(folder, "b", {490, 500, 40})});
  ASSERT_EQ(c.runs.size(), 2u);
  EXPECT_EQ(c.runs[1].label, 'B');
  EXPECT_EQ(c.runs[0].summary.worst, 20);
  EXPECT_EQ(c.runs[0].summary.median_steps_to_solve().value, 200);
  EXPECT_EQ(c.runs[0].curve.env_steps.back(), 100);
  EXPECT_EQ(c.runs[0].curve.middle.back(), 110) << "the median agent's, of 100, 110, 120";
  EXPECT_EQ(c.runs[0].curve.low.back(), 105);
  EXPECT_EQ(c.runs[0].curve.high.back(), 115);
  ASSERT_EQ(c.differences.size(), 1u);
  EXPECT_TRUE(c.differences[0].same_seeds);
  EXPECT_DOUBLE_EQ(*c.differences[0].returns.difference.value, 10) << "-10, 20, 20";
  EXPECT_DOUBLE_EQ(*c.differences[0].returns.probability.value, (2 + 2.5 + 1) / 9) << "490 > 480, 20; 500 = 500 and > 480, 20; 40 > 20";
  EXPECT_EQ(c.differences[0].log_rank_p, 1) << "both solved it after 100 and 200 steps";
  EXPECT_EQ(c.bottom, 0);
  EXPECT_EQ(c.top, 500);
}

TEST(Comparison, OfOtherSeedsIsNotPaired) {
  const test::TemporaryFolder folder;
  const auto a = write_run(folder, "a", {500, 480, 20}), b = write_run(folder, "b", {490, 500, 40}, false, 2),
             c = write_run(folder, "c", {490, 500});
  EXPECT_FALSE(compare_runs({a, b}).differences[0].same_seeds);
  EXPECT_FALSE(compare_runs({a, c}).differences[0].same_seeds);
  EXPECT_NE(comparison_text(compare_runs({a, b}), {}).find("B against A, not paired: the seeds differ (3 and 3 agents)"),
            std::string::npos);
}

TEST(Comparison, LeavesOutPairsThatAreNotMeasured) {
  const test::TemporaryFolder folder;
  const Comparison c = compare_runs({write_run(folder, "a", {500, 480, kNan, 10}), write_run(folder, "b", {490, kNan, 100, 20})});
  EXPECT_TRUE(c.differences[0].same_seeds);
  EXPECT_EQ(c.differences[0].returns.n_x, 2);
  EXPECT_DOUBLE_EQ(*c.differences[0].returns.difference.value, 0) << "-10 and 10";
  EXPECT_NE(comparison_text(c, {}).find("paired by those 2 of 4 seeds that both have a final return of"), std::string::npos);
}

TEST(Comparison, SaysWhereReturnsDoNotCompare) {
  const test::TemporaryFolder folder;
  const auto a = write_run(folder, "a", {500, 480}), b = write_run(folder, "b", {490, 500}, true);
  EXPECT_NE(comparison_text(compare_runs({a, b}), {}).find("take their steps to solve, not their returns"), std::string::npos);
  EXPECT_NE(comparison_text(compare_runs({b, a}), {}).find("take their steps to solve, not their returns"), std::string::npos);
  EXPECT_EQ(comparison_text(compare_runs({a, a}), {}).find("take their steps"), std::string::npos);
}

TEST(Comparison, OfOneSeedSaysThatItHasNoInterval) {
  const test::TemporaryFolder folder;
  const Comparison c = compare_runs({write_run(folder, "a", {480}), write_run(folder, "b", {490})});
  const std::string text = comparison_text(c, {.columns = 200});
  EXPECT_NE(text.find("seed 1 (n = 1, no interval), 100 steps\n"), std::string::npos) << text;
  EXPECT_NE(text.find("+10.0 (n = 1, no interval)"), std::string::npos) << text;
  EXPECT_EQ(text.find("95 %:"), std::string::npos) << text;
  EXPECT_EQ(text.find("Welch"), std::string::npos) << text;
  const Comparison several = compare_runs({write_run(folder, "c", {480, 500}), folder.path() / "a"});
  EXPECT_NE(comparison_text(several, {}).find("-10.0 (n = 1, no interval)"), std::string::npos);
  EXPECT_EQ(several.differences[0].log_rank_p, std::nullopt);
  EXPECT_NE(comparison_svg(c).find("n = 1, no interval"), std::string::npos);
  EXPECT_EQ(comparison_svg(c).find("<polygon"), std::string::npos) << "no band";
  const auto json = comparison_json(c);
  EXPECT_TRUE(json["comparisons"][0]["difference_ci95"].is_null() && json["comparisons"][0]["welch_p"].is_null());
  EXPECT_TRUE(json["runs"][0]["profile"][0]["ci95"].is_null());
}

TEST(Comparison, ReadsOtherProgramsCsv) {
  const test::TemporaryFolder folder;
  std::string csv = "global_step,charts,seed,episodic_return\n";
  for (const int seed : {2, 1})
    for (int i = 20; i-- > 0;) csv += fmt::format("{},x,{},{}\n", 10 * i, seed, seed * i);
  csv += "500,x,1,\n";  // no return there
  folder.write("other.csv", csv);
  folder.write("sb3.csv", "seed,step,return\n1,10,7\n2,10,9\n");
  const Comparison c = compare_runs({folder.path() / "other.csv", folder.path() / "sb3.csv"});
  EXPECT_TRUE(c.runs[0].csv);
  EXPECT_EQ(c.environment, nullptr);
  ASSERT_EQ(c.runs[0].n(), 2);
  EXPECT_EQ(c.runs[0].agents[0].seed, 1u);
  EXPECT_EQ(c.runs[0].agents[0].final_return, 18.5) << "18 and 19: a tenth of 20 rows";
  EXPECT_EQ(c.runs[0].agents[1].final_return, 37);
  EXPECT_EQ(c.runs[1].agents[1].final_return, 9) << "at least one row";
  EXPECT_EQ(c.runs[0].curve.env_steps.front(), 0);
  EXPECT_TRUE(c.differences[0].same_seeds);
  EXPECT_EQ(c.differences[0].log_rank_p, std::nullopt) << "nobody knows when they solved it";
  const auto json = comparison_json(c);
  EXPECT_TRUE(json["environment"].is_null());
  EXPECT_TRUE(json["runs"][0]["summary"]["solved_fraction"].is_null());
  EXPECT_NE(comparison_text(c, {.columns = 200}).find("the mean of the last tenth of its rows"), std::string::npos);
}

TEST(Comparison, RefusesWhatItCannotCompareInALine) {
  const test::TemporaryFolder folder;
  const auto refused = [&](const std::string& csv) {
    folder.write("x.csv", csv);
    const std::filesystem::path path = folder.path() / "x.csv";
    const std::string message = message_of([&] { compare_runs({path, path}); });
    EXPECT_TRUE(message.starts_with(path.string() + ": ")) << message;
    return message.substr(std::min(message.size(), path.string().size() + 2));
  };
  const std::string columns = "expected seed, step (or env_steps, global_step) and return (or mean_return, episodic_return)";
  EXPECT_EQ(refused(""), "has no column of numbers seed; " + columns);
  EXPECT_EQ(refused("seed,return\n1,2\n"), "has no column of numbers step; " + columns);
  EXPECT_EQ(refused("seed,step,return\n1,2,high\n"), "has no column of numbers return; " + columns);
  EXPECT_EQ(refused("seed,step,return\n"), "no row has a seed, a step and a return; expected some");
  EXPECT_EQ(refused("seed,step,return\n1,2,\n"), "no row has a seed, a step and a return; expected some");
  EXPECT_EQ(refused("seed,step,return\n1.5,2,3\n"), "seed: 1.5; expected whole numbers");
  EXPECT_EQ(refused("seed,step,return\n-1,2,3\n"), "seed: -1; expected numbers from 0 to 9.0072e+15");
  EXPECT_EQ(refused("seed,step,return\n1,-2,3\n"), "step: -2; expected numbers from 0 to 9.0072e+15");
  EXPECT_EQ(refused("seed,step,return\n1,2,-1e300\n"), "return: -1e+300; expected numbers from -1e+15 to 1e+15");
  EXPECT_EQ(refused("seed,step,return\n1,2,inf\n"), "return: inf; expected numbers from -1e+15 to 1e+15");

  const auto a = write_run(folder, "a", {500, 480}), b = write_run(folder, "b", {-100, -90}, false, 1, "Acrobot-v1");
  EXPECT_EQ(message_of([&] {
              compare_runs({a, b});
            }),
            "RUN: " + b.string() + " is of Acrobot-v1; expected runs of one environment, CartPole-v1");
  EXPECT_NE(message_of([&] { compare_runs({a, folder.path() / "none"}); }).find("none is no folder"), std::string::npos);
  const std::string good = folder.read("a/result.json");
  for (const std::string& bad : std::vector<std::string>{
           "[]", "{}", "{\"agents\": 3}", "{\"agents\": []}", "{\"agents\": [{\"seed\": \"one\"}]}", "{\"agents\": [7]}",
           replaced(good, "\"seed\":1,", "\"seed\":-1,"), replaced(good, "\"env_steps\":100,", "\"env_steps\":1e300,"),
           replaced(good, "\"final_return\":500.0", "\"final_return\":1e300"),
           replaced(good, "\"final_return\":500.0", "\"final_return\":\"\"")}) {
    folder.write("a/result.json", bad);
    const std::string message = message_of([&] { compare_runs({a, a}); });
    EXPECT_NE(message.find("result.json: "), std::string::npos) << bad.substr(0, 100) << ": " << message;
    EXPECT_NE(message.find("expected"), std::string::npos) << message;
  }
}

TEST(Comparison, PrefersMetricsToTheCurve) {
  const test::TemporaryFolder folder;
  const auto a = write_run(folder, "a", {500, 480});
  folder.write("a/metrics.csv", "seed,env_steps,seconds,mean_return,episodes,entropy\n1,7,0,1,1,0.5\n2,7,0,3,1,0.5\n");
  const Comparison c = compare_runs({a, a});
  EXPECT_EQ(c.runs[0].curve.env_steps.back(), 7);
  EXPECT_EQ(c.runs[0].curve.middle.back(), 2);
}

TEST(PerformanceProfile, IsRliables) {
  const auto golden = cupg_test::golden_json("comparison_scipy.json");
  for (const auto& c : golden.at("profiles")) {
    ASSERT_GT(c.at("tau").size(), 0u);
    ComparedRun run;
    for (const auto& r : c.at("returns")) run.agents.emplace_back().final_return = r.get<double>();
    run.summary.measured = run.n();
    for (std::size_t i = 0; i < c.at("tau").size(); ++i) {
      const Interval share = share_above(run, c.at("tau")[i].get<double>());
      EXPECT_DOUBLE_EQ(share.value, c.at("above")[i].get<double>());
      EXPECT_TRUE(share.low <= share.value + 1e-15 && share.value <= share.high + 1e-15) << "a rounding at 0 and 1";
    }
  }
}

TEST(ComparisonText, SaysWhereTheIntervalOfAMeanMayNotHold) {
  const test::TemporaryFolder folder;
  const auto says = [&](int n) {
    std::vector<double> returns;
    for (int i = 0; i < n; ++i) returns.push_back(400 + i);
    const auto run = write_run(folder, fmt::format("of-{}", n), returns),
               other = write_run(folder, fmt::format("other-{}", n), returns, false, 2);
    return comparison_text(compare_runs({run, other}), {.columns = 200}).find("the interval of a mean difference is too narrow") !=
           std::string::npos;
  };
  EXPECT_TRUE(says(2));
  EXPECT_TRUE(says(49));
  EXPECT_FALSE(says(50));
  EXPECT_FALSE(says(1)) << "it has none";
}

TEST(ComparisonText, FitsTheTerminal) {
  const test::TemporaryFolder folder;
  folder.write("other.csv", "seed,step,return\n1,10,7\n2,90,-123456.5\n");
  const Comparison c = compare_runs({write_run(folder, "a", {500, 480, 1}), write_run(folder, "b", {490, 500, 2}, true),
                                     write_run(folder, "c", {3}), folder.path() / "other.csv"});
  std::size_t longest = 0;  // of a word, as of a path
  for (const ComparedRun& run : c.runs) longest = std::max(longest, run.name.size() + 6);
  for (const bool color : {false, true})
    for (const bool unicode : {false, true})
      for (int columns = 30; columns < 120; columns += color || unicode ? 10 : 1) {
        std::istringstream lines(comparison_text(c, {columns, unicode, color}));
        for (std::string line; std::getline(lines, line);)
          EXPECT_LE(columns_of(line),
                    std::max<int>(columns, line.find(folder.path().string()) == std::string::npos ? 0 : static_cast<int>(longest)))
              << columns << ": " << line;
      }
}

TEST(ComparisonText, ShowsSmallReturnsAndLargeOnes) {
  const test::TemporaryFolder folder;
  const auto told = [&](const char* x, const char* y) {
    folder.write("x.csv", fmt::format("seed,step,return\n1,10,{0}\n2,10,{0}\n3,10,{1}\n4,10,{0}\n5,10,{0}\n6,10,{1}\n", x, y));
    return comparison_text(compare_runs({folder.path() / "x.csv", folder.path() / "x.csv"}), {});
  };
  EXPECT_NE(told("0.75", "0.5").find("0.6875 [0.5000, 0.7500]"), std::string::npos) << told("0.75", "0.5");
  EXPECT_NE(told("1e15", "-1e15").find("[-1e+15, 1e+15]"), std::string::npos) << told("1e15", "-1e15");
  for (const char* x : {"1e15", "999999999999999.75", "0", "-1e-300"}) {
    EXPECT_NE(told(x, x).find("n  return (IQM)"), std::string::npos) << told(x, x);
    EXPECT_EQ(comparison_svg(compare_runs({folder.path() / "x.csv", folder.path() / "x.csv"})).find("nan"), std::string::npos) << x;
  }
}

/// What python3 says of the text as XML; empty where it reads it.
std::string xml_error(const std::string& text) {
  const test::TemporaryFolder folder;
  folder.write("x.svg", text);
  const auto result = test::run_cupg(
      {"python3", "-c", "import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])", (folder.path() / "x.svg").string()},
      {.program = "/usr/bin/env"});
  return result.status == 0 ? "" : result.err;
}

TEST(ComparisonSvg, IsWellFormedWhateverTheNames) {
  if (test::run_cupg({"python3", "--version"}, {.program = "/usr/bin/env"}).status != 0) GTEST_SKIP() << "no python3";
  EXPECT_NE(xml_error("<a>"), "");
  const test::TemporaryFolder folder;
  const std::string name = "<b>&\"'\x01\x1b[2J\xff\xe2\x82" + std::string(150, 'x') + "\xc3\xa9.csv";
  folder.write(name, "seed,step,return\n1,10,7\n1,20,8\n2,10,9\n3,5,-3\n");
  folder.write("flat.csv", "seed,step,return\n1,0,0\n");
  const auto a = write_run(folder, "a", {500, 480, kNan, 20}), b = write_run(folder, "b", {1}), c = write_run(folder, "c", {kNan});
  for (const auto& paths : std::vector<std::vector<std::filesystem::path>>{
           {a, b}, {folder.path() / name, folder.path() / "flat.csv"}, {a, a, a, a, a, a, a, a}, {folder.path() / "flat.csv", a}, {c, a}}) {
    const std::string svg = comparison_svg(compare_runs(paths));
    EXPECT_EQ(xml_error(svg), "") << svg;
    for (const char* wrong : {"nan", "inf", "\x1b", "-0<"}) EXPECT_EQ(svg.find(wrong), std::string::npos) << wrong << svg;
  }
}

TEST(ComparisonSvg, DrawsEveryRunInItsOwnColorAndDashes) {
  const test::TemporaryFolder folder;
  const auto a = write_run(folder, "a", {500, 480});
  const std::string svg = comparison_svg(compare_runs({a, a, a, a, a, a, a, a}));
  const auto distinct = [&](const std::string& attribute) {
    std::vector<std::string> values;
    std::istringstream lines(svg);
    for (std::string line; std::getline(lines, line);)
      if (const std::size_t at = line.find(" " + attribute + "=\""); line.starts_with("<polyline") && at != std::string::npos)
        values.push_back(line.substr(at, line.find('"', at + attribute.size() + 3) - at));
    EXPECT_EQ(values.size(), 24u) << "in the legend, in each of two pictures";
    std::sort(values.begin(), values.end());
    return std::unique(values.begin(), values.end()) - values.begin();
  };
  EXPECT_EQ(distinct("stroke"), 8);
  EXPECT_EQ(distinct("stroke-dasharray"), 8);
  EXPECT_EQ(std::count(svg.begin(), svg.end(), '\n') > 60, true);
  EXPECT_NE(svg.find("solved from 475"), std::string::npos);
}

}  // namespace
}  // namespace cupg

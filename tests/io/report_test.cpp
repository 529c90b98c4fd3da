#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "src/api/text.hpp"
#include "src/io/options.hpp"
#include "src/report/curve.hpp"
#include "src/report/json.hpp"
#include "src/report/summary.hpp"
#include "src/report/text.hpp"
#include "src/train/statistics.hpp"
#include "tests/support/parse.hpp"

namespace cupg {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) lines.push_back(text.substr(at, text.find('\n', at) - at));
  return lines;
}

std::vector<CurvePoint> line(double from, double to, int points) {
  std::vector<CurvePoint> curve;
  for (int i = 0; i < points; ++i) curve.push_back({1000 * (i + 1), 0.1, from + (to - from) * i / (points - 1), 1});
  return curve;
}

TEST(Curve, ClimbsFromLowerLeftToUpperRight) {
  const auto lines = lines_of(draw_curve(line(0, 500, 20), {.columns = 60, .rows = 10, .unicode = false, .top = 500, .threshold = 250}));
  ASSERT_EQ(lines.size(), 13u);  // title, rows, axis, its labels
  EXPECT_NE(lines[1].find("500 +"), std::string::npos);
  EXPECT_NE(lines[10].find("0 +"), std::string::npos);
  EXPECT_GT(lines[1].find('*'), lines[10].rfind('*'));
  EXPECT_NE(lines[12].find("1,000"), std::string::npos);
  EXPECT_TRUE(lines[12].ends_with("20,000 steps"));
  const auto marked = std::count_if(lines.begin(), lines.end(),
                                    [](const std::string& l) { return l.ends_with(" solved") && l.find("250 +") != std::string::npos; });
  EXPECT_EQ(marked, 1);
  for (const std::string& l : lines) EXPECT_LE(l.size(), 60u);
}

TEST(Curve, AsciiIsAsciiAndUnicodeIsBraille) {
  CurveStyle style{.columns = 60, .rows = 10, .unicode = false, .top = 500, .threshold = 475};
  const std::string ascii = draw_curve(line(10, 400, 5), style);
  EXPECT_TRUE(std::all_of(ascii.begin(), ascii.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; }));
  style.unicode = true;
  EXPECT_NE(draw_curve(line(10, 400, 5), style).find("\xe2\xa0"), std::string::npos);
}

TEST(Drawings, AreNoWiderThanTheyMayBe) {
  const std::vector<float> returns{0, 250, 500, 500};
  for (const bool unicode : {false, true})
    for (const int columns : {20, 28, 39, 40, 41, 80, 200}) {
      CurveStyle style{.columns = columns, .rows = 12, .unicode = unicode, .top = 500, .threshold = 475};
      std::string text = draw_curve(line(0, 500, 300), style);
      style.threshold = 0;
      text += draw_curve(line(0, 500, 3), style) + draw_histogram(returns, 0, 500, 10, columns, unicode);
      for (const std::string& l : lines_of(text)) EXPECT_LE(columns_of(l), columns) << l;
    }
}

TEST(Curve, StepsHaveNoGaps) {
  std::vector<CurvePoint> curve{{1, 0, 0, 1}, {2, 0, 0, 1}, {3, 0, 500, 1}, {4, 0, 500, 1}};
  const auto lines = lines_of(draw_curve(curve, {.columns = 40, .rows = 10, .unicode = false, .top = 500}));
  for (std::size_t row = 1; row <= 10; ++row) EXPECT_NE(lines[row].find('*'), std::string::npos) << row;
}

TEST(Curves, AreMadeOfTheirMarkersOrColors) {
  const auto up = line(0, 500, 20), down = line(500, 0, 10);  // which ends half-way
  std::vector<DrawnCurve> curves{{up, 'A', 0}, {down, 'B', 0}};
  CurveStyle style{.columns = 60, .rows = 10, .unicode = true, .top = 500};
  auto lines = lines_of(draw_curves(curves, style));
  ASSERT_EQ(lines.size(), 13u);
  EXPECT_GT(lines[1].find('A'), 50u);
  EXPECT_LT(lines[10].find('A'), 12u);
  EXPECT_LT(lines[1].find('B'), 12u);
  const std::size_t end = lines[10].rfind('B');
  EXPECT_TRUE(end > 28 && end < 36) << lines[10];
  EXPECT_TRUE(lines[12].ends_with("20,000 steps"));
  curves[0].color = 34, curves[1].color = 33;
  lines = lines_of(draw_curves(curves, style));
  EXPECT_NE(lines[1].find("\x1b[33m\xe2\xa0"), std::string::npos) << lines[1];
  EXPECT_GT(lines[1].find("\x1b[34m\xe2"), lines[1].find("\x1b[33m\xe2"));
  for (const std::string& l : lines) EXPECT_LE(columns_of(l), 60) << l;
}

TEST(Curves, OfTooFewPointsAreLeftOut) {
  const auto all = line(0, 500, 20), one = line(3, 4, 2);
  const std::vector<DrawnCurve> curves{{std::span(one).first(1), 'A', 0}, {all, '*', 0}, {{}, 'C', 0}};
  const CurveStyle style{.columns = 60, .rows = 10, .unicode = false, .top = 500};
  EXPECT_EQ(draw_curves(curves, style), draw_curve(all, style));
  EXPECT_EQ(draw_curves(std::span(curves).first(1), style), "");
}

TEST(Text, OfXmlHasNoMarkup) { EXPECT_EQ(xml_escaped("<a b=\"c\">&\x1b\xff\u00e9"), "&lt;a b=&quot;c&quot;&gt;&amp;\\x1b\\xff\u00e9"); }

TEST(Curve, TakesAnythingWithoutHarm) {
  const CurveStyle style{.columns = 5, .rows = 3, .unicode = true, .top = 500, .threshold = 475};
  EXPECT_EQ(draw_curve({}, style), "");
  EXPECT_EQ(draw_curve(std::vector<CurvePoint>{{1, 0, 1, 1}}, style), "");
  EXPECT_EQ(draw_curve(std::vector<CurvePoint>{{1, 0, 1, 1}, {2, 0, std::numeric_limits<double>::quiet_NaN(), 1}}, style), "");
  EXPECT_NE(draw_curve(std::vector<CurvePoint>{{1, 0, -1e9, 1}, {1, 0, 1e9, 1}}, style), "");
  EXPECT_NE(draw_curve(line(1, 499, 512), {.columns = 10000, .rows = 50, .unicode = true, .top = 500, .threshold = 475}), "");
}

TEST(Histogram, CountsEveryReturnOnce) {
  const std::vector<float> returns{0, 49.9f, 50, 500, 500, 600};
  const auto lines = lines_of(draw_histogram(returns, 0, 500, 10, 80, false));
  ASSERT_EQ(lines.size(), 10u);
  EXPECT_NE(lines[0].find(" 2  ###"), std::string::npos) << lines[0];
  EXPECT_NE(lines[1].find(" 1  ###"), std::string::npos) << lines[1];
  EXPECT_NE(lines[9].find(" 3  ###"), std::string::npos) << lines[9];
  EXPECT_TRUE(lines[5].ends_with(" 0")) << lines[5];
}

TEST(Text, FormatsNumbersForPeople) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1000), "1,000");
  EXPECT_EQ(format_count(-1234567), "-1,234,567");
  EXPECT_EQ(format_seconds(0.0042), "4.2 ms");
  EXPECT_EQ(format_seconds(0.42), "420 ms");
  EXPECT_EQ(format_seconds(4.25), "4.25 s");
  EXPECT_EQ(format_seconds(75), "1 min 15 s");
  EXPECT_EQ(format_seconds(7500), "2 h 5 min");
  EXPECT_EQ(format_seconds(std::numeric_limits<double>::infinity()), "unknown");
  EXPECT_EQ(format_rate(92.9e6), "92.9 M");
  EXPECT_EQ(format_rate(1.2e9), "1.20 G");
  EXPECT_EQ(format_rate(999.9), "1.00 k");
}

TEST(Text, IsOneLineThatATerminalOnlyShows) {
  EXPECT_EQ(one_line("a\nb\x1b[2Jc"), "a\\nb\\x1b[2Jc");
  EXPECT_EQ(one_line(std::string_view("a\0b\x7f", 4)), "a\\x00b\\x7f");
  EXPECT_EQ(one_line("\u0085\u009b2J"), "\\u0085\\u009b2J");                 // C1: next line, and what begins a sequence as ESC [ does
  EXPECT_EQ(one_line("\u202eabc\u2066\u200f"), "\\u202eabc\\u2066\\u200f");  // bidirectional
  EXPECT_EQ(one_line("\u2028\ufeff\U000e0041"), "\\u2028\\ufeff\\U000e0041");
  EXPECT_EQ(one_line("Stra\u00dfe \u4e2d \U0001f600 \u00a0\u0300"), "Stra\u00dfe \u4e2d \U0001f600 \u00a0\u0300");
  // no UTF-8: alone, cut short, too long a form of '/', a surrogate, beyond U+10FFFF
  EXPECT_EQ(one_line("\xff\x9b"), "\\xff\\x9b");
  EXPECT_EQ(one_line("\xe4\xb8"), "\\xe4\\xb8");
  EXPECT_EQ(one_line("\xc0\xaf\xe0\x80\xaf"), "\\xc0\\xaf\\xe0\\x80\\xaf");
  EXPECT_EQ(one_line("\xed\xa0\x80\xf4\x90\x80\x80"), "\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80");
}

TEST(Text, IsWrappedBelowItsSecondColumn) {
  EXPECT_EQ(wrapped("short\n\nlines", 10), "short\n\nlines");
  EXPECT_EQ(wrapped("  name   one two three\n", 18), "  name   one two\n         three\n");
  EXPECT_EQ(wrapped("a line of words\n", 9), "a line of\n  words\n");
  EXPECT_EQ(wrapped("averylongword another\n", 8), "averylongword\n  another\n");
  EXPECT_EQ(wrapped("               far in", 10), "far in");
  EXPECT_EQ(wrapped("\u00e4\u00e4\u00e4 \u00e4", 5), "\u00e4\u00e4\u00e4 \u00e4") << "columns, not bytes";
}

TEST(Text, IsOneWordForAShell) {
  EXPECT_EQ(quoted_for_shell("runs/a-1.b"), "runs/a-1.b");
  EXPECT_EQ(quoted_for_shell("my run's"), "'my run'\\''s'");
  EXPECT_EQ(quoted_for_shell(""), "''");
  EXPECT_EQ(quoted_for_shell("~"), "'~'");
  EXPECT_EQ(quoted_for_shell("a\x1b[2J'\\"), "$'a\\x1b[2J\\'\\\\'");
}

TEST(Text, IsACommandInLinesThatAShellJoins) {
  const std::vector<std::string> words{"cupg", "train", "--seeds", "100", "--no-bias", "a b"};
  EXPECT_EQ(shell_command(words, 2, 80), "  cupg train --seeds 100 --no-bias 'a b'\n");
  EXPECT_EQ(shell_command(words, 2, 25), "  cupg train \\\n    --seeds 100 \\\n    --no-bias 'a b'\n");
}

TEST(Text, QuotesTheBeginningOfALongOne) {
  EXPECT_EQ(in_quotes(std::string(80, 'x')), '"' + std::string(80, 'x') + '"');
  EXPECT_EQ(in_quotes(std::string(2'000'000, 'x')), '"' + std::string(80, 'x') + "...\" (2000000 bytes)");
  EXPECT_EQ(in_quotes(std::string(79, 'x') + "\u00df"), '"' + std::string(79, 'x') + "...\" (81 bytes)") << "no half character";
  EXPECT_EQ(in_quotes(""), "\"\"");
}

TEST(Error, IsOneLineOfALengthToRead) {
  const auto what = [](const std::string& message) { return std::string(Error(ErrorKind::usage, message).what()); };
  EXPECT_EQ(what("gamma: 2; expected 1"), "gamma: 2; expected 1");
  EXPECT_EQ(what(std::string("a\0b\n\u202e", 7)), "a\\x00b\\n\\u202e") << "does not end at the NUL";
  EXPECT_EQ(what(std::string(1800, 'x')), std::string(1800, 'x'));
  const std::string longer = what("name: " + std::string(2'000'000, 'x') + "; expected another");
  EXPECT_EQ(longer.size(), 1805u);
  EXPECT_TRUE(longer.starts_with("name: xxx") && longer.ends_with("xxx; expected another"));
  for (int shift = 0; shift < 3; ++shift) {  // every cut of a character of three bytes
    std::string text(static_cast<std::size_t>(shift), 'x');
    for (int i = 0; i < 1000; ++i) text += "\u4e2d";
    EXPECT_EQ(what(text).find("\\x"), std::string::npos);
    EXPECT_EQ(one_line(what(text)), what(text)) << "half a character";
  }
}

TEST(Json, HasNoNan) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  TrainResult result;
  AgentResult& agent = result.agents.emplace_back();
  agent.outcome = Outcome::diverged;
  agent.final_return = agent.initial_return = agent.solved_seconds = kNan;
  agent.message = "because";
  result.summary.n = 1;
  result.summary.iqm = {kNan, kNan, kNan};
  result.summary.worst = kNan;
  Config config;
  config.advantage.gamma = 0.99f;
  const std::string line = dump_line(train_json(config, result));
  EXPECT_EQ(line.find("nan"), std::string::npos) << line;
  const auto json = cupg_test::parse_json(line);
  EXPECT_TRUE(json["summary"]["iqm"].is_null());
  EXPECT_TRUE(json["env_steps_per_second"].is_null());  // 0 steps in 0 seconds
  EXPECT_EQ(json["agents"][0]["message"], "because");
  EXPECT_EQ(json["config"]["gamma"], 0.99);  // not 0.9900000095
}

TEST(Json, HasNullForWhatWasNotMeasured) {
  TrainResult result;
  AgentResult& agent = result.agents.emplace_back();
  agent.outcome = Outcome::interrupted;
  result.summary = summarize(result.agents);
  const auto json = cupg_test::parse_json(dump_line(train_json({}, result)));
  EXPECT_EQ(json["summary"]["n"], 1);
  EXPECT_EQ(json["summary"]["measured"], 0);
  for (const char* key : {"iqm", "ci95", "worst", "solved_fraction_ci95", "holding_fraction", "solved_seconds_median"})
    EXPECT_TRUE(json["summary"].at(key).is_null()) << key;
  EXPECT_TRUE(json["summary"]["steps_to_solve"]["median"].is_null());
  EXPECT_TRUE(json["survival"].empty());
}

TEST(Json, HasStepsToSolveAndTheCurveOfTheUnsolved) {
  TrainResult result;
  for (const std::int64_t steps : {100, 200, 300, 400, 400}) {
    AgentResult& agent = result.agents.emplace_back();
    agent.final_return = 490;
    agent.env_steps = steps;
    if (steps != 200) agent.outcome = Outcome::solved, agent.solved_env_steps = steps;
  }
  result.summary = summarize(result.agents);
  const auto json = cupg_test::parse_json(dump_line(train_json({}, result)));
  const auto& steps = json["summary"]["steps_to_solve"];
  EXPECT_EQ(steps["median"], 400);  // 4/5 left at 100; 2/3 of these at 300, as the one of 200 was censored; nobody at 400
  EXPECT_EQ(steps["censored"], 1);
  EXPECT_EQ(steps["ci95"], nlohmann::json::array({100, nullptr}));
  EXPECT_EQ(steps["shares"]["25"]["env_steps"], 300);
  EXPECT_TRUE(steps["shares"]["25"]["ci95"].is_null()) << "five may all be later";
  ASSERT_EQ(json["survival"].size(), 3u);
  EXPECT_EQ(json["survival"][1]["env_steps"], 300);
  EXPECT_EQ(json["survival"][1]["at_risk"], 3);
  EXPECT_DOUBLE_EQ(json["survival"][1]["unsolved"].get<double>(), 0.8 * 2 / 3);
  EXPECT_TRUE(json["survival"][2]["ci95"].is_null()) << "nobody is left";
}

TEST(Json, TakesNamesThatAreNotUtf8) { EXPECT_NO_THROW(dump_line({{"run", "a\xff\xfe"}})); }

TEST(Summary, SaysWhatBecameOfTheAgent) {
  TrainResult result;
  AgentResult& agent = result.agents.emplace_back();
  Config config;
  config.steps = 1000;
  agent.seed = 3;
  agent.outcome = Outcome::solved;
  agent.env_steps = agent.solved_env_steps = 1024;
  agent.solved_seconds = 0.0042;
  EXPECT_EQ(describe_outcome({}, result), "seed 3: solved CartPole-v1 after 1,024 environment steps in 4.2 ms\n");
  agent.outcome = Outcome::finished;
  agent.solved_env_steps = 0;
  EXPECT_EQ(describe_outcome({}, result), "seed 3: did not solve CartPole-v1 after 1,024 environment steps\n");
  EXPECT_NE(suggest_next(config, result, {}, "runs/r", 80).find("cupg resume runs/r --steps 2000\n"), std::string::npos);
  agent.solved_env_steps = 512;
  EXPECT_EQ(describe_outcome({}, result),
            "seed 3: solved CartPole-v1 after 512 environment steps in 4.2 ms, but not at its end after 1,024 environment steps\n");
}

TEST(Summary, SuggestsAtMostThreeThings) {
  TrainResult result;
  AgentResult& agent = result.agents.emplace_back();
  agent.outcome = Outcome::solved;
  agent.solved_env_steps = 512;
  const auto commands = [&](const Config& config, const std::string& run) {
    std::string all;
    for (const std::string& text : lines_of(suggest_next(config, result, {}, run, 80)))
      if (text.starts_with("    cupg ")) all += text.substr(9) + "; ";
    return all;
  };
  EXPECT_EQ(commands({}, "r"), "play r; eval r; train --seeds 100; ");
  EXPECT_EQ(commands({}, "-r"), "play ./-r; eval ./-r; train --seeds 100; ");
  EXPECT_EQ(commands({}, ""), "train --seeds 100; ") << "nothing was saved";
  agent.outcome = Outcome::interrupted;
  EXPECT_EQ(commands({}, "r"), "resume r; play r; eval r; ");
  agent.solved_env_steps = 0;
  EXPECT_EQ(commands({}, "r"), "resume r; eval r; ");
  agent.outcome = Outcome::finished;
  EXPECT_EQ(commands({}, "r"), "eval r; resume r --steps " +
                                   text_value(*find_option("steps"),
                                              [] {
                                                Config config;
                                                config.steps *= 2;
                                                return config;
                                              }()) +
                                   "; ");
}

TEST(Summary, TellsWhatWasMeasuredAlone) {
  TrainResult result;
  AgentResult& agent = result.agents.emplace_back();
  agent.outcome = Outcome::interrupted;
  const auto says = [&](const char* what) { return describe_training({}, result).find(what) != std::string::npos; };
  EXPECT_FALSE(says("before training"));
  EXPECT_FALSE(says("after training"));
  EXPECT_FALSE(says("best return"));
  auto json = train_json({}, result)["agents"][0];
  for (const char* key : {"initial_return", "final_return", "best_return", "best_env_steps"}) EXPECT_TRUE(json.at(key).is_null()) << key;
  EXPECT_FALSE(json.contains("best_parameters_sha256"));
  agent.initial_return = 9.5, agent.final_return = 101, agent.best_return = 480, agent.best_env_steps = 7000, agent.best_parameters = {1};
  EXPECT_TRUE(says("before training 9.5"));
  EXPECT_TRUE(says("after training  101.0"));
  EXPECT_TRUE(says("480.0   after 7,000 steps"));
  json = train_json({}, result)["agents"][0];
  EXPECT_EQ(json["final_return"], 101);
  EXPECT_EQ(json["best_env_steps"], 7000);
  EXPECT_EQ(json["best_parameters_sha256"].get<std::string>().size(), 64u);
}

TEST(Json, IsPrintedWithoutWhatATerminalActsOn) {
  // C1's CSI, a bidirectional override, DEL, a language tag beyond 16 bits; a letter stays
  const std::string path =
      "a\xc2\x9b"
      "31m\xe2\x80\xae\x7f\xf3\xa0\x80\x81\u00e9";
  const std::string line = dump_line({{"run", path}});
  EXPECT_EQ(line, "{\"run\":\"a\\u009b31m\\u202e\\u007f\\udb40\\udc01\u00e9\"}\n");
  EXPECT_EQ(cupg_test::parse_json(line)["run"], path);
}

TrainResult agents(int n, int solved) {
  TrainResult result;
  for (int i = 0; i < n; ++i) {
    AgentResult& agent = result.agents.emplace_back();
    agent.seed = static_cast<std::uint64_t>(i) + 1;
    agent.final_return = 480 + i;
    agent.env_steps = 1'000'000 * (i + 1);
    if (i < solved) agent.outcome = Outcome::solved, agent.solved_env_steps = agent.env_steps;
  }
  result.summary = summarize(result.agents);
  return result;
}

TEST(Summary, TellsStepsToSolveAndThatReturnsOfStoppedAgentsDoNotCompare) {
  Config config;
  config.seeds = 12;
  const std::string all = describe_training(config, agents(12, 12));
  EXPECT_NE(all.find("steps to solve         median 6,000,000 (95 %: 2,000,000 to 10,000,000)\n"), std::string::npos) << all;
  EXPECT_NE(all.find("25, 75, 95 % by 3,000,000; 9,000,000; 12,000,000\n"), std::string::npos) << all;
  EXPECT_NE(all.find("to compare settings"), std::string::npos) << all;
  for (const std::string& l : lines_of(all)) EXPECT_LE(l.size(), 80u) << l;
  const std::string few = describe_training(config, agents(12, 3));
  EXPECT_NE(few.find("median not reached (95 %: from 2,000,000 on)\n"), std::string::npos) << few;
  const std::string none = describe_training(config, agents(12, 0));
  EXPECT_NE(none.find("median not reached\n"), std::string::npos) << none;
  EXPECT_EQ(none.find("to compare settings"), std::string::npos) << "none stopped early";
  config.stop_when_solved = false;
  const std::string on = describe_training(config, agents(12, 12));
  EXPECT_EQ(on.find("to compare settings"), std::string::npos) << on;
  EXPECT_NE(on.find("solved at its end      100.0 %"), std::string::npos) << on;
}

TEST(Summary, SaysWhereMostAgentsLie) {
  Config config;
  config.seeds = 12;
  const auto says = [&](const TrainResult& result, const char* what) {
    return describe_training(config, result).find(what) != std::string::npos;
  };
  EXPECT_TRUE(says(agents(12, 12), "90 % of agents         too few to tell where they lie (46 are needed)\n"));
  config.seeds = 100;
  TrainResult result = agents(100, 100);
  EXPECT_TRUE(says(result, "90 % of agents         steps 2,000,000 to 98,000,000, return 481.0 to 577.0 (95 %)\n"));
  EXPECT_TRUE(says(agents(100, 97), "90 % of agents         steps 2,000,000 or more, return 481.0 to 577.0 (95 %)\n"));
  EXPECT_EQ(train_json(config, agents(100, 97))["summary"]["tolerance"].dump(),
            R"({"share":0.9,"confidence":0.95,"least_agents":46,"final_return":[481.0,577.0],"steps_to_solve":[2000000.0,null]})");
  for (AgentResult& agent : result.agents) agent.final_return.reset();
  result.summary = summarize(result.agents);
  EXPECT_TRUE(says(result, "90 % of agents         steps 2,000,000 to 98,000,000 (95 %)\n"));
  EXPECT_TRUE(train_json(config, agents(45, 45))["summary"]["tolerance"]["final_return"].is_null());
}

TEST(Summary, SaysWhereThereIsNoInterval) {
  TrainResult result = agents(2, 1);
  result.agents[1].outcome = Outcome::interrupted;
  result.agents[1].final_return.reset();
  result.summary = summarize(result.agents);
  const std::string text = describe_training({}, result);
  EXPECT_NE(text.find("return (IQM)           480.0 (n = 1, no interval)\n"), std::string::npos) << text;
  EXPECT_NE(text.find("solved                 50.0 % (no interval: agents were interrupted)\n"), std::string::npos) << text;
  result.agents[0].final_return.reset();
  result.summary = summarize(result.agents);
  EXPECT_NE(describe_training({}, result).find("return (IQM)           not measured"), std::string::npos);
}

}  // namespace
}  // namespace cupg

// What the command shows on terminals of any width, elsewhere, and when it is interrupted.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cupg/policy.hpp"
#include "cupg/run.hpp"
#include "src/io/config_file.hpp"
#include "src/report/text.hpp"
#include "tests/cli/child_process.hpp"
#include "tests/support/parse.hpp"
#include "tests/support/sanitized.hpp"

namespace cupg {
namespace {

using Json = nlohmann::json;
using test::run_cupg;

constexpr const char* kEscape = "\x1b";

/// What stands on a terminal after all of this, which never ended in the middle of a line: each line as it was last written.
std::vector<std::string> shown_lines(const std::string& sent) {
  std::vector<std::string> lines;
  std::string text = cupg_test::replace_matches(sent, "\x1b\\[(J|\\?7[lh])", "");
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_of("\r\n", at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

/// A name that stays whole, and what joins it to the next line of its command.
bool is_one_word(const std::string& line) { return cupg_test::matches(line, " *[^ ]*( \\\\)?"); }

TEST(Terminal, NothingIsWiderThanIt) {
  for (const int columns : {20, 40, 80, 200}) {
    const test::TemporaryFolder folder;
    for (const std::vector<std::string>& arguments :
         std::vector<std::vector<std::string>>{{"train"},
                                               {"train", "--seeds", "3"},
                                               {"train", "--algo", "ppo", "--steps", "20000", "--lr", "0.01"},
                                               {"train", "--no-stop-when-solved", "--steps", "3e6", "--seeds", "2"},  // with progress
                                               {"eval", "runs/CartPole-v1-a2c-seed1"},
                                               {"eval", "runs/CartPole-v1-a2c-seeds1-3"},
                                               {"compare", "runs/CartPole-v1-a2c-seeds1-3", "runs/CartPole-v1-a2c-seed1"},
                                               {"bench", "--updates", "3", "--repeat", "2"},
                                               {"reproduce", "weng-actor-critic"},
                                               {"info"}}) {
      const auto result = run_cupg(arguments, {.folder = folder.path(), .columns = columns});
      ASSERT_EQ(result.status, 0) << result.out;
      EXPECT_GT(std::count(result.out.begin(), result.out.end(), '\n'), 1);
      for (const std::string& line : shown_lines(result.out))
        EXPECT_TRUE(columns_of(line) <= columns || (is_one_word(line) && columns < 40))  // the name of a folder, which stays whole
            << columns << " columns, " << arguments[0] << ": " << line;
    }
  }
}

TEST(Terminal, ThatIsNoneHas80Columns) {
  const test::TemporaryFolder folder;
  for (const char* command : {"train", "info"}) {
    const auto result = run_cupg({command}, {.folder = folder.path()});
    for (const std::string& line : shown_lines(result.out)) EXPECT_LE(columns_of(line), 80) << line;
    EXPECT_EQ(result.out.find(kEscape), std::string::npos);
  }
}

/// A training that goes on until it is interrupted.
const std::vector<std::string> kLong{"train", "--algo", "ppo", "--steps", "4e9", "--seeds", "3", "--no-stop-when-solved", "--no-save"};

/// What it has sent before it was interrupted.
std::string sent_meanwhile(const std::string& out) { return out.substr(0, out.find("cupg: interrupted: stopping")); }

TEST(Terminal, ThatIsDumbGetsNoEscapeSequences) {
  for (const char* term : {"dumb", "", "xterm"}) {
    const test::TemporaryFolder folder;
    const auto result = run_cupg(kLong, {.folder = folder.path(), .signals = {{SIGINT, 1500}}, .columns = 80, .term = term});
    EXPECT_EQ(result.status, 130) << result.out;
    EXPECT_EQ(result.out.find(kEscape) == std::string::npos, std::string(term) != "xterm") << term << result.out;
  }
}

/// The frames of a line that is written over, each as long as it stood there.
std::vector<std::string> frames_of(const std::string& sent) {
  std::vector<std::string> frames;
  for (const auto& match : cupg_test::find_matches(sent, "\x1b\\[\\?7l\r([^\r\n]*)\x1b\\[J\x1b\\[\\?7h\r")) frames.push_back(match[1]);
  return frames;
}

TEST(Progress, IsALineThatIsWrittenOver) {
  for (const int columns : {6, 20, 40, 80, 200, 300}) {
    const test::TemporaryFolder folder;
    const auto result = run_cupg(kLong, {.folder = folder.path(), .signals = {{SIGINT, 500, "%"}}, .columns = columns});
    EXPECT_EQ(result.status, 130) << result.out;
    const std::string sent = sent_meanwhile(result.out);
    EXPECT_EQ(sent.find('\n'), std::string::npos) << sent;
    const std::vector<std::string> frames = frames_of(sent);
    ASSERT_GT(frames.size(), 1u) << sent;
    std::string all;
    for (const std::string& frame : frames) {
      EXPECT_LT(columns_of(frame), columns) << frame;
      all += "\x1b[?7l\r" + frame + "\x1b[J\x1b[?7h\r";
    }
    EXPECT_EQ(sent, all + "\r\x1b[J") << "nothing else, and nothing is left";
    const std::string last = cupg_test::replace_matches(frames.back(), "\x1b\\[[0-9]*m", "");
    const std::string begin = columns < 100 ? " +[0-9]+ %" : "[\u2588\u2591]+  +[0-9]+ %";
    EXPECT_TRUE(cupg_test::matches(last, begin + ".*")) << last;
    EXPECT_EQ(last.find("return ") != std::string::npos, columns >= 20) << last;
    EXPECT_EQ(last.find("solved ") != std::string::npos, columns >= 40) << last;
    EXPECT_EQ(last.find(" steps/s") != std::string::npos, columns >= 80) << last;
    EXPECT_EQ(last.find(" left") != std::string::npos, columns >= 80) << last;
    EXPECT_EQ(last.find(" running") != std::string::npos, columns >= 200) << last;
    EXPECT_EQ(last.find(" steps  ") != std::string::npos, columns >= 200) << last;
    EXPECT_TRUE(cupg_test::find_matches(result.out, "\x1b\\[\\?7h\r(?!\x1b\\[\\?7l|\r\x1b\\[J)").empty())
        << "what follows is the next frame, or nothing is left: " << result.out;
  }
}

TEST(Progress, FitsATerminalThatIsMadeNarrower) {
  const test::TemporaryFolder folder;
  const auto result = run_cupg(kLong, {.folder = folder.path(), .signals = {{SIGWINCH, 0, "return", 30}, {SIGINT, 700}}, .columns = 200});
  const std::vector<std::string> frames = frames_of(sent_meanwhile(result.out));
  ASSERT_GT(frames.size(), 2u);
  EXPECT_GT(columns_of(frames.front()), 80) << frames.front();
  EXPECT_LT(columns_of(frames.back()), 30) << frames.back();
  EXPECT_EQ(sent_meanwhile(result.out).find('\n'), std::string::npos);
}

TEST(Progress, HasColorsWhereTheyMayBe) {
  struct Case {
    const char *term, *no_color;
    bool colors;
  };
  for (const Case& c : {Case{"xterm", "", true}, Case{"vt100", "", false}, Case{"xterm", "1", false}}) {
    const test::TemporaryFolder folder;
    ::setenv("NO_COLOR", c.no_color, 1);
    const auto result = run_cupg(kLong, {.folder = folder.path(), .signals = {{SIGINT, 400, "return"}}, .columns = 120, .term = c.term});
    ::unsetenv("NO_COLOR");
    const std::vector<std::string> frames = frames_of(sent_meanwhile(result.out));
    ASSERT_FALSE(frames.empty()) << result.out;
    EXPECT_EQ(frames.back().find(kEscape) != std::string::npos, c.colors) << c.term << frames.back();
    EXPECT_NE(frames.back().find("return "), std::string::npos) << frames.back();
  }
}

TEST(Progress, IsNoneWhereThereIsNoneToTell) {
  const test::TemporaryFolder folder;
  std::vector<std::string> quiet = kLong;
  quiet.emplace_back("--quiet");
  const auto long_one = run_cupg(quiet, {.folder = folder.path(), .signals = {{SIGINT, 1000}}, .columns = 80});
  EXPECT_EQ(sent_meanwhile(long_one.out), "\r\x1b[J") << "which comes with the answer";
  const auto short_one = run_cupg({"train", "--steps", "1000"}, {.folder = folder.path(), .columns = 80});  // takes milliseconds
  EXPECT_EQ(short_one.status, 0);
  EXPECT_EQ(short_one.out.find(kEscape), std::string::npos) << short_one.out;
}

TEST(Progress, SaysSomethingBeforeTheFirstUpdate) {
  const test::TemporaryFolder folder;
  const auto result =
      run_cupg({"train", "--algo", "ppo", "--envs", "4096", "--horizon", "512", "--epochs", "20", "--steps", "1e9", "--no-save"},
               {.folder = folder.path(), .signals = {{SIGINT, 0, "starting ... 1 s"}}, .columns = 60});
  EXPECT_EQ(result.status, 130) << result.out;
}

TEST(Progress, IsALineEveryTenSecondsWhereThereIsNoTerminal) {
  const test::TemporaryFolder folder;
  const auto result = run_cupg({"train", "--steps", "1e11", "--no-stop-when-solved", "--no-save", "--threads", "1"},
                               {.folder = folder.path(), .signals = {{SIGINT, 0, "steps/s"}}});
  EXPECT_EQ(result.status, 130);
  EXPECT_TRUE(cupg_test::matches(
      result.err,
      " +[0-9]+ %  [0-9.]+ [kM] steps/s  \u2264 [^\n\r\x1b]* left  (entropy [0-9.]+  )?(KL [-+0-9.e]+  )?return [0-9.]+  "
      "[\u2581-\u2588]+\ncupg: interrupted: stopping\n"))
      << result.err;
  for (const std::string& line : shown_lines(result.err)) EXPECT_LE(columns_of(line), 80) << line;
}

/// The commands below "Next:", as they stand there.
std::vector<std::string> suggested(const std::string& out) {
  std::vector<std::string> commands;
  std::size_t at = out.find("Next:\n");
  if (at == std::string::npos) return commands;
  for (at += 6; at < out.size();) {
    std::size_t end = out.find('\n', at);
    if (out.compare(at, 9, "    cupg ") == 0) {
      while (out[end - 1] == '\\') end = out.find('\n', end + 1);
      commands.push_back(out.substr(at, end - at));
    }
    at = end + 1;
  }
  return commands;
}

/// By a shell, in that folder, with `cupg` as the command's name. Their standard output.
std::string by_shell(const std::string& command, const test::TemporaryFolder& folder) {
  std::filesystem::create_directories(folder.path() / "bin");
  std::error_code exists;
  std::filesystem::create_symlink(CUPG_BINARY, folder.path() / "bin" / "cupg", exists);
  folder.write("command.sh", "PATH=$PWD/bin:$PATH\n" + command + "\n");
  const std::string shell = "cd '" + folder.path().string() + "' && bash command.sh >output 2>&1";
  EXPECT_EQ(std::system(shell.c_str()), 0) << command << folder.read("output");  // NOLINT(cert-env33-c)
  return folder.read("output");
}

TEST(Next, IsThisRunWithOneChange) {
  struct Case {
    std::vector<std::string> arguments;
    std::string changed;  // what the suggestion is told by
    std::function<void(Config&)> change;
  };
  const auto longer = [](Config& c) { c.steps *= 2; };
  for (const Case& c :
       {Case{{"--steps", "3000", "CartPole-v0", "--hidden", "8,4", "--lr", "1e-3", "--no-bias", "--separate"}, "--steps", longer},
        Case{{"--preset", "sb3-zoo-ppo", "--steps", "512", "--seed", "7", "--envs=4", "--horizon", "16"}, "--steps", longer},
        Case{{"--algo", "ppo", "--updates", "2"}, "--updates", [](Config& config) { config.steps *= 2, config.update_limit *= 2; }},
        Case{{"--config", "my settings.toml", "--threads", "1"}, "--steps", longer},
        Case{{"--seeds", "3", "--steps", "2000", "--separate", "--value-bias=same"}, "--steps", longer},
        Case{{"--lambda", "0.9", "--activation", "tanh", "--value-coef", "0.25"}, "--seeds", [](Config& config) { config.seeds = 100; }},
        Case{{"--optimizer", "sgd", "--lr", "1e6", "--max-grad-norm", "0", "--value-coef", "1e9", "--steps", "1e5", "--seeds", "2"},
             "--learning-rate",
             [](Config& config) { config.optimizer.learning_rate = 1e5f, config.seeds = 1; }}}) {
    const test::TemporaryFolder folder;
    folder.write("my settings.toml", "steps = 3e3\nenvs = 8\nbatch = \"episodes\"\n");
    std::vector<std::string> arguments{"train", "--run", "my run's $(touch broken)"};
    arguments.insert(arguments.end(), c.arguments.begin(), c.arguments.end());
    for (const int columns : {0, 40}) {
      arguments[2] += std::to_string(columns);
      const auto result = run_cupg(arguments, {.folder = folder.path(), .columns = columns});
      const std::vector<std::string> commands = suggested(cupg_test::replace_matches(result.out, "\r", ""));
      const auto again = std::find_if(commands.begin(), commands.end(), [&](const std::string& s) { return s.find(c.changed) != s.npos; });
      ASSERT_NE(again, commands.end()) << c.changed << result.out << result.err;
      EXPECT_LE(commands.size(), 3u) << result.out;
      Config expected = Run::config(folder.path() / arguments[2]);
      c.change(expected);
      const bool resumes = again->find("cupg resume") != again->npos;
      const std::string run = resumes ? arguments[2] : "again " + std::to_string(columns);
      by_shell(*again + (resumes ? "" : " --run '" + run + "'") + " || true", folder);
      EXPECT_EQ(write_config(Run::config(folder.path() / run)), write_config(expected)) << *again;
      const auto eval = std::find_if(commands.begin(), commands.end(), [](const std::string& s) { return s.find("eval") != s.npos; });
      if (eval != commands.end()) {
        const std::string played = by_shell(*eval, folder);
        EXPECT_NE(played.find("over 1,000 greedy episodes"), std::string::npos) << *eval << played;
      } else {
        EXPECT_EQ(c.changed, "--learning-rate");
      }
    }
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "broken"));
  }
}

TEST(Next, NeverSuggestsWhatCannotRun) {
  const test::TemporaryFolder folder;
  const auto result = run_cupg({"train", "--steps", "1e17", "--updates", "1"}, {.folder = folder.path()});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(suggested(result.out).size(), 1u) << result.out;  // eval: more than 1e17 steps are refused
}

constexpr const char* kSaving = "cupg: interrupted: saving; once more leaves at once\n";

std::vector<std::string> endless(std::vector<std::string> more) {
  std::vector<std::string> arguments{"train", "--steps", "1e11", "--no-stop-when-solved", "--run", "r"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

TEST(Interrupt, OfEveryKindIsToldAndSaves) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const test::TemporaryFolder folder;
    const auto result = run_cupg(endless({"--json"}), {.folder = folder.path(), .signals = {{signal, 300}}});
    EXPECT_EQ(result.status, 130) << signal << result.err;
    EXPECT_EQ(result.err, kSaving);
    const Json json = cupg_test::parse_json(result.out);
    EXPECT_EQ(json["agents"][0]["outcome"], "interrupted");
    EXPECT_EQ(parameters_sha256(Run::policy(folder.path() / "r").parameters), json["agents"][0]["parameters_sha256"]);
  }
}

TEST(Interrupt, ThatComesTwiceAtOnceIsOne) {  // timeout sends two, as do terminals with shells
  const test::TemporaryFolder folder;
  const auto result = run_cupg(endless({"--seeds", "300", "--quiet"}),
                               {.folder = folder.path(), .signals = {{SIGINT, 300}, {SIGINT, 0}, {SIGTERM, 1}, {SIGINT, 20}}});
  EXPECT_EQ(result.status, 130) << result.err;
  EXPECT_EQ(result.err, kSaving);
  EXPECT_EQ(run_cupg({"eval", "r", "--episodes", "2"}, {.folder = folder.path()}).status, 0);
}

TEST(Interrupt, ASecondOneLeavesAtOnce) {
  const test::TemporaryFolder folder;  // the reference engine is the one whose updates are never given up
  const auto result = run_cupg(endless({"--device", "reference", "--algo", "ppo", "--envs", "4096", "--horizon", "512"}),
                               {.folder = folder.path(), .alarm_seconds = 60, .signals = {{SIGINT, 300}, {SIGINT, 700}}});
  EXPECT_EQ(result.status, 128 + SIGINT) << result.err;
  EXPECT_EQ(result.err,
            kSaving + std::string("cupg: interrupted again: left without saving; an earlier checkpoint, if there is one, stays\n"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "r" / "result.json"));
}

TEST(Interrupt, WhileARunIsBeingSavedLosesNothing) {
  const test::TemporaryFolder folder;
  const auto result =
      run_cupg({"train", "CartPole-v1", "--algo", "random-search", "--seeds", "2000", "--trials", "1", "--quiet", "--run", "r"},
               {.folder = folder.path(), .signals = {{SIGINT, 700}, {SIGTERM, 600}, {SIGINT, 600}, {SIGINT, 600}, {SIGINT, 600}}});
  EXPECT_EQ(result.err.find("discarded"), std::string::npos) << result.err;
  const auto eval = run_cupg({"eval", "r", "--episodes", "2", "--agent-seed", "2000"}, {.folder = folder.path()});
  EXPECT_EQ(eval.status, 0) << result.err << eval.err;
}

TEST(Interrupt, StaysIgnoredWhereTheParentSaidSo) {
  for (const int signal : {SIGINT, SIGHUP}) {  // a job in the background, nohup
    const test::TemporaryFolder folder;
    const auto start = std::chrono::steady_clock::now();
    const auto result =
        run_cupg(endless({"--quiet"}),
                 {.folder = folder.path(), .signals = {{signal, 300}, {signal, 600}, {SIGTERM, 300}}, .ignored_signal = signal});
    EXPECT_GT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(1200)) << "until SIGTERM came";
    EXPECT_EQ(result.status, 130) << result.err;
    EXPECT_EQ(result.err, kSaving);
  }
}

TEST(Interrupt, OfASearchSavesWhatWasFound) {
  const test::TemporaryFolder folder;
  for (const std::string algorithm : {"random-search", "hill-climbing"}) {
    std::vector<std::string> arguments{"train", "CartPole-v1", "--algo", algorithm, "--seeds", "200000", "--trials", "1e9"};
    arguments.insert(arguments.end(), {"--run", algorithm, "--json", "--threads", "2"});
    if (algorithm == "hill-climbing") arguments.insert(arguments.end(), {"--noise", "1e-6"});  // most will climb for ever
    auto result = run_cupg(arguments, {.folder = folder.path(), .signals = {{SIGINT, 30}}});
    for (int delay = 100; result.status == 130 && result.out.empty() && delay < 10000; delay *= 3)  // nothing was found by then
      result = run_cupg(arguments, {.folder = folder.path(), .signals = {{SIGINT, delay}}});
    EXPECT_EQ(result.status, 130) << result.err;
    const Json json = cupg_test::parse_json(result.out);
    ASSERT_GT(json["agents"].size(), 0u);
    EXPECT_LT(json["agents"].size(), 200000u) << "those that had not begun are left out";
    const auto cut =
        std::count_if(json["agents"].begin(), json["agents"].end(), [](const Json& a) { return a["outcome"] == "interrupted"; });
    EXPECT_GT(cut + (algorithm == "random-search"), 0);
    const Json& last = json["agents"].back();
    const auto eval = run_cupg({"eval", algorithm, "--agent-seed", std::to_string(last["seed"].get<int>())}, {.folder = folder.path()});
    EXPECT_EQ(eval.status, 0) << eval.err;
  }
}

TEST(Interrupt, EndsAHugeUpdate) {
  using Clock = std::chrono::steady_clock;
  const std::vector<std::vector<std::string>> huge {
    {"--algo", "ppo", "--envs", "65536", "--horizon", "512", "--epochs", "100"},
        {"--algo", "reinforce-baseline", "--envs", "65536", "--hidden", "64,64", "--steps", "4e9"},
        {"--envs", "65536", "--horizon", "20000", "--hidden", "64"},
        {"--envs", "8192", "--horizon", "2000", "--normalize", "--hidden", "64,64"},
#if CUPG_HAS_OPENBLAS
        {"--envs", "4096", "--horizon", "64", "--hidden", "512,512,512"},
#endif
  };
  for (const std::vector<std::string>& settings : huge) {
    const test::TemporaryFolder folder;
    std::vector<std::string> arguments{"train", "--steps", "1e11", "--run", "r"};
    arguments.insert(arguments.end(), settings.begin(), settings.end());
    const auto start = Clock::now();
    const auto result = run_cupg(arguments, {.folder = folder.path(), .alarm_seconds = 60, .signals = {{SIGINT, 1500}}});
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count() - 1.5;
    EXPECT_EQ(result.status, 130) << settings[1] << result.err;
    EXPECT_LT(seconds, cupg_test::kSanitized ? 30 : 10) << settings[1] << " " << settings[3] << ", which takes minutes";
    if (std::filesystem::exists(folder.path() / "r"))
      EXPECT_EQ(run_cupg({"eval", "r", "--episodes", "2"}, {.folder = folder.path()}).status, 0);
    else
      EXPECT_NE(result.err.find("nothing was saved"), std::string::npos) << result.err;
  }
}

}  // namespace
}  // namespace cupg

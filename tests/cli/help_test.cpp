// What tells how to use the command: help, manual page, completion.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>

#include "src/io/config_file.hpp"
#include "src/io/options.hpp"
#include "tests/cli/child_process.hpp"

namespace cupg {
namespace {

using test::run_cupg;

const std::vector<std::string> kCommands{"train",  "resume", "eval",      "export",    "play", "report",     "compare", "sweep",
                                         "verify", "bench",  "reproduce", "gradcheck", "info", "completion", "help"};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string help(std::vector<std::string> arguments) {
  arguments.emplace_back("--help");
  const auto result = run_cupg(arguments);
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.err, "");
  return result.out;
}

/// Everything that is told of an option, without line breaks.
std::string told(const std::string& help, const std::string& option) {
  std::string text;
  for (const std::string& line : lines_of(help)) {
    const bool begins = line.starts_with("  " + option + " ") || line == "  " + option;
    if (!text.empty() && !line.starts_with("   ")) break;
    std::istringstream words(begins || !text.empty() ? line : "");
    for (std::string word; words >> word;) text += word + " ";
  }
  return text;
}

TEST(Help, OfEveryCommandHasAnExample) {
  for (const std::string& command : kCommands) {
    const std::string text = help({command});
    EXPECT_NE(text.find("Examples:\n  cupg " + command), std::string::npos) << text;
    EXPECT_NE(help({}).find("\n  " + command + " "), std::string::npos) << command;
    EXPECT_EQ(run_cupg({"help", command}).out, text);
  }
  EXPECT_EQ(run_cupg({"help"}).out, help({}));
  EXPECT_EQ(run_cupg({"help", "trian"}).err, "cupg: command: unknown \"trian\"; did you mean train?\n");
}

TEST(Help, FitsEightyColumns) {
  std::vector<std::vector<std::string>> all{{}};
  for (const std::string& command : kCommands) all.push_back({command});
  for (const std::string& algorithm : find_option("algo")->known()) all.push_back({"train", "--algo", algorithm});
  for (const Preset& preset : presets()) all.push_back({"train", "--preset", std::string(preset.name)});
  for (const auto& arguments : all)
    for (const std::string& line : lines_of(help(arguments))) EXPECT_LE(line.size(), 80u) << line;
}

TEST(Help, OfTrainListsEverySettingAndNoOtherDoes) {
  const std::string train = help({"train"});
  for (const Option& option : options()) {
    if (option.name == "environment") continue;  // the positional ENV
    const std::string name = (option.type == OptionType::flag ? "  --[no-]" : "  --") + std::string(option.name);
    EXPECT_NE(train.find(name), std::string::npos) << name;
    for (const char* other : {"gradcheck", "info"}) EXPECT_EQ(help({other}).find(name + " "), std::string::npos) << other << name;
  }
  for (const char* other : {"bench", "gradcheck", "info"})
    EXPECT_NE(help({other}).find("see cupg train --help"), std::string::npos) << other;
}

TEST(Help, ShowsWhatGoingOnWhenSolvedBeginsWith) {
  const std::string text = help({"train", "--no-stop-when-solved"});
  EXPECT_NE(text.find("\nSettings, those of --no-stop-when-solved in parentheses:\n"), std::string::npos) << text;
  EXPECT_TRUE(told(text, "--value-gain X").ends_with("(3) ")) << text;
  EXPECT_TRUE(told(text, "--[no-]stop-when-solved").ends_with("(no) ")) << text;
}

TEST(Help, ShowsWhatAnAlgorithmPresetOrFileBeginsWith) {
  EXPECT_EQ(told(help({"train"}), "--envs N"), "--envs N environments that run side by side (32) ");
  EXPECT_NE(help({"train"}).find("\nSettings, the defaults in parentheses:\n"), std::string::npos);
  const test::TemporaryFolder folder;
  folder.write("c.toml", "algo = \"ppo\"\nenvs = 7\n");
  const std::string file = (folder.path() / "c.toml").string();
  std::vector<std::pair<std::vector<std::string>, Config>> all;
  for (const std::string& algorithm : find_option("algo")->known()) {
    Config& config = all.emplace_back(std::vector<std::string>{"--algo", algorithm}, Config()).second;
    apply_algorithm(algorithm, config);
    config.algorithm = algorithm;
  }
  for (const Preset& preset : presets())
    apply_preset(preset.name, all.emplace_back(std::vector<std::string>{"--preset", std::string(preset.name)}, Config()).second);
  load_config(file, all.emplace_back(std::vector<std::string>{"--config", file}, Config()).second);
  for (const auto& [arguments, config] : all) {
    const std::string text = help({"train", arguments[0], arguments[1]});
    const std::string heading = fmt::format("Settings, those of {} {} in parentheses:", arguments[0], arguments[1]);
    EXPECT_TRUE(arguments[0] == "--config" || text.find("\n" + heading + "\n") != std::string::npos) << text;
    for (const Option& option : options()) {
      const OptionValue value = option.get(config);
      const std::string shown = text_value(option, config), name(option.name);
      const bool flag = option.type == OptionType::flag;
      const std::string left = name == "environment" ? "ENV" : (flag ? "--[no-]" : "--") + name;
      std::string entry = told(text, left);
      for (const char* placeholder : {" NAME", " N", " X", " N,N", ", --lr X"})
        if (entry.empty()) entry = told(text, left + placeholder);
      const std::string end = flag && shown == "true" ? "(yes) " : flag && shown == "false" ? "(no) " : "(" + shown + ") ";
      EXPECT_TRUE(entry.ends_with(end)) << arguments[1] << ": " << name << " " << shown << " in " << entry;
    }
  }
}

TEST(PrintConfig, ReadsBackToTheSameSettings) {
  const test::TemporaryFolder folder;
  std::vector<std::vector<std::string>> all{{}, {"--steps", "2e6", "--hidden", "8,4", "--seeds", "3"}, {"--no-stop-when-solved"}};
  for (const std::string& algorithm : find_option("algo")->known()) all.push_back({"--algo", algorithm});
  for (const Preset& preset : presets()) all.push_back({"--preset", std::string(preset.name), "--seed", "5"});
  for (auto arguments : all) {
    arguments.insert(arguments.begin(), {"train", "--print-config"});
    const auto first = run_cupg(arguments, {.folder = folder.path()});
    EXPECT_EQ(first.status, 0) << first.err;
    folder.write("c.toml", first.out);
    const auto second = run_cupg({"train", "--print-config", "--config", "c.toml"}, {.folder = folder.path()});
    EXPECT_EQ(second.out, first.out) << second.err;
    EXPECT_EQ(folder.list(), std::vector<std::string>{"c.toml"}) << "it trained";
  }
  EXPECT_EQ(run_cupg({"train", "--print-config", "--separate", "--value-hidden", "8", "--no-separate"}).status, 2);
}

TEST(PrintConfig, TrainsToTheSameParameters) {
  const test::TemporaryFolder folder;
  const std::vector<std::string> settings{"train", "--algo", "ppo", "--steps", "2048", "--lr", "0.01"};
  auto print = settings, train = settings;
  print.emplace_back("--print-config");
  train.insert(train.end(), {"--quiet", "--run", "a"});
  folder.write("c.toml", run_cupg(print).out);
  EXPECT_EQ(run_cupg(train, {.folder = folder.path()}).status, 0);
  EXPECT_EQ(run_cupg({"train", "--config", "c.toml", "--quiet", "--run", "b"}, {.folder = folder.path()}).status, 0);
  EXPECT_EQ(folder.read("a/policy.safetensors"), folder.read("b/policy.safetensors"));
}

// ---- the manual page and completion name every command and every option ----------------------------------------------

/// Of every command, what its help lists, and the settings of train where it takes them.
std::set<std::string> options_of(const std::string& command) {
  std::set<std::string> names;
  const auto add = [&](const std::string& text) {
    for (const std::string& line : lines_of(text)) {
      if (!line.starts_with("  -")) continue;
      std::istringstream words(line.substr(0, 26 > line.size() ? line.size() : std::max<std::size_t>(26, line.find("  ", 2))));
      for (std::string word; words >> word;) {
        if (word.ends_with(',')) word.pop_back();
        if (word.starts_with("--[no-]"))
          names.insert({"--" + word.substr(7), "--no-" + word.substr(7)});
        else if (word.starts_with("--"))
          names.insert(word);
      }
    }
  };
  const std::string text = help({command});
  add(text);
  if (text.find("every setting of cupg train") != std::string::npos) {
    const std::string train = help({"train"});
    add(train.substr(train.find("\nSettings,")));
  }
  if (command == "eval") names.insert({"--device", "--isa", "--threads"});
  return names;
}

std::string plain(std::string roff) {
  for (std::size_t at = 0; (at = roff.find("\\-", at)) != std::string::npos;) roff.erase(at, 1);
  return roff;
}

TEST(ManualPage, NamesEveryCommandAndOption) {
  const std::string page = run_cupg({"help", "--man"}).out, text = plain(page);
  EXPECT_TRUE(page.starts_with(".TH CUPG 1 "));
  for (const std::string& command : kCommands) {
    const std::size_t section = text.find("\n.SS " + command + "\n");
    ASSERT_NE(section, std::string::npos) << command;
    for (const std::string& name : options_of(command)) {
      if (name == "--help" || name.starts_with("--no-")) continue;
      const bool found = text.find(name, section) != std::string::npos || text.find("--[no-]" + name.substr(2)) != std::string::npos;
      EXPECT_TRUE(found) << command << ' ' << name;
    }
  }
  for (const Option& option : options())
    EXPECT_TRUE(option.name == "environment" || text.find(std::string(option.name) + " ") != std::string::npos ||
                text.find(std::string(option.name) + "\n") != std::string::npos)
        << option.name;
}

/// A program of the system, or nothing.
std::string program(const std::string& name) {
  for (const char* folder : {"/usr/bin/", "/bin/", "/usr/local/bin/"})
    if (std::filesystem::exists(folder + name)) return folder + name;
  return "";
}
test::ProcessResult run_program(const std::string& name, const std::vector<std::string>& arguments, const test::TemporaryFolder& folder) {
  return run_cupg(arguments, {.folder = folder.path(), .alarm_seconds = 60, .program = program(name)});
}

TEST(ManualPage, HasNothingThatItsReadersWarnOf) {
  const test::TemporaryFolder folder;
  folder.write("cupg.1", run_cupg({"help", "--man"}).out);
  int readers = 0;
  if (!program("mandoc").empty()) {
    ++readers;
    const auto lint = run_program("mandoc", {"-Tlint", "-Wwarning", "cupg.1"}, folder);
    EXPECT_EQ(lint.out + lint.err, "");
  }
  if (!program("groff").empty()) {
    ++readers;
    const auto read = run_program("groff", {"-man", "-Tutf8", "-ww", "-z", "cupg.1"}, folder);
    EXPECT_EQ(read.out + read.err, "");
  }
  if (readers == 0) GTEST_SKIP() << "neither mandoc nor groff";
}

std::string without_spaces(std::string line) {
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

/// What bash offers for these words, the last of which is being typed.
std::set<std::string> offered_by_bash(const std::vector<std::string>& words, const test::TemporaryFolder& folder) {
  std::string script = "source ./cupg.bash && COMP_WORDS=(";
  for (const std::string& word : words) script += "'" + word + "' ";
  script += fmt::format(") COMP_CWORD={} && {{ _cupg; true; }} && printf '%s\\n' \"${{COMPREPLY[@]}}\"", words.size() - 1);
  const auto result = run_program("bash", {"--norc", "-c", script}, folder);
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.err, "");
  std::set<std::string> offered;
  for (const std::string& line : lines_of(result.out))
    if (!line.empty()) offered.insert(without_spaces(line));
  return offered;
}

TEST(Completion, InBash) {
  if (program("bash").empty()) GTEST_SKIP() << "no bash";
  const test::TemporaryFolder folder;
  folder.write("cupg.bash", run_cupg({"completion", "bash"}).out);
  folder.write("a file.toml", "");
  std::filesystem::create_directory(folder.path() / "runs");
  using Set = std::set<std::string>;
  Set commands(kCommands.begin(), kCommands.end());
  EXPECT_EQ(offered_by_bash({"cupg", ""}, folder), commands);
  EXPECT_EQ(offered_by_bash({"cupg", "tr"}, folder), Set{"train"});
  EXPECT_EQ(offered_by_bash({"cupg", "--"}, folder), (Set{"--help", "--version"}));
  for (const std::string& command : kCommands) {
    Set offered = offered_by_bash({"cupg", command, "--"}, folder);
    offered.erase("--environment");  // help tells it as ENV
    EXPECT_EQ(offered, options_of(command)) << command;
  }
  for (const Option& option : options()) {
    if (option.type != OptionType::name) continue;
    const auto known = option.known();
    EXPECT_EQ(offered_by_bash({"cupg", "train", "--" + std::string(option.name), ""}, folder), Set(known.begin(), known.end()))
        << option.name;
  }
  EXPECT_EQ(offered_by_bash({"cupg", "train", "--algo", "=", "pp"}, folder), Set{"ppo"});
  EXPECT_EQ(offered_by_bash({"cupg", "train", "--activation", "="}, folder), (Set{"relu", "tanh"}));
  EXPECT_EQ(offered_by_bash({"cupg", "train", "--envs", ""}, folder), Set{}) << "a number";
  EXPECT_EQ(offered_by_bash({"cupg", "train", "CartPole-v1", "--preset", "sb"}, folder), Set{"sb3-zoo-ppo"});
  EXPECT_EQ(offered_by_bash({"cupg", "train", "--config", "a"}, folder), Set{"a file.toml"});
  EXPECT_EQ(offered_by_bash({"cupg", "train", "--run", ""}, folder), Set{"runs"});
  EXPECT_EQ(offered_by_bash({"cupg", "eval", "ru"}, folder), Set{"runs"});
  EXPECT_EQ(offered_by_bash({"cupg", "bench", ""}, folder),
            (Set{"env", "rollout", "train", "CartPole-v0", "CartPole-v1", "MountainCar-v0", "Acrobot-v1"}));
  EXPECT_EQ(offered_by_bash({"cupg", "completion", "z"}, folder), Set{"zsh"});
}

TEST(Completion, InFish) {
  if (program("fish").empty()) GTEST_SKIP() << "no fish";
  const test::TemporaryFolder folder;
  folder.write("cupg.fish", run_cupg({"completion", "fish"}).out);
  const auto offered = [&](const std::string& line) {
    const auto result = run_program("fish", {"--no-config", "-c", "source cupg.fish; complete -C '" + line + "'"}, folder);
    EXPECT_EQ(result.err, "");
    std::set<std::string> words;
    for (const std::string& row : lines_of(result.out)) words.insert(row.substr(0, row.find('\t')));
    return words;
  };
  using Set = std::set<std::string>;
  EXPECT_EQ(offered("cupg "), Set(kCommands.begin(), kCommands.end()));
  for (const std::string& command : kCommands) {
    Set all = offered("cupg " + command + " --");
    all.erase("--environment");
    EXPECT_EQ(all, options_of(command)) << command;
  }
  EXPECT_EQ(offered("cupg train --activation "), (Set{"relu", "tanh"}));
  EXPECT_EQ(offered("cupg train --algo=pp"), Set{"--algo=ppo"});
  EXPECT_EQ(offered("cupg bench "), (Set{"train", "rollout", "env", "CartPole-v0", "CartPole-v1", "MountainCar-v0", "Acrobot-v1"}));
}

TEST(Completion, InZsh) {
  if (program("zsh").empty()) GTEST_SKIP() << "no zsh";
  const test::TemporaryFolder folder;
  const std::string script = run_cupg({"completion", "zsh"}).out;
  folder.write("_cupg", script);
  const auto parsed = run_program("zsh", {"-f", "-n", "_cupg"}, folder);
  EXPECT_EQ(parsed.status, 0) << parsed.err;
  const auto loaded =
      run_program("zsh", {"-f", "-c", "fpath=($PWD $fpath); autoload -Uz compinit && compinit -u -D && print ${_comps[cupg]}"}, folder);
  EXPECT_EQ(loaded.out, "_cupg\n") << loaded.err;
  const auto sourced =
      run_program("zsh", {"-f", "-c", "autoload -Uz compinit && compinit -u -D && source ./_cupg && print ${_comps[cupg]}"}, folder);
  EXPECT_EQ(sourced.out, "_cupg\n") << sourced.err;
  for (const char* place : {"'1:WHAT:(train rollout env)'", "'2:ENV:(CartPole-v0 CartPole-v1 MountainCar-v0 Acrobot-v1)'"})
    EXPECT_NE(script.find(place), std::string::npos) << place;
  for (const std::string& command : kCommands)
    for (const std::string& name : options_of(command))
      EXPECT_TRUE(name == "--help" || script.find("'" + name + "[") != std::string::npos ||
                  script.find("'" + name + "=[") != std::string::npos)
          << name;
}

}  // namespace
}  // namespace cupg

// CLI11 is used here alone. It finds the options; values go through the table of settings as text, so that the command line and TOML
// files are read, checked and complained about alike.
#pragma once
#include <CLI/CLI.hpp>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/api/text.hpp"
#include "src/cli/help.hpp"
#include "src/io/config_file.hpp"
#include "src/io/options.hpp"
#include "src/report/summary.hpp"
#include "src/sweep/file.hpp"

namespace cupg::cli {

/// What follows the command's name, or a wish to have the command described.
struct CommandLine {
  const char* const* first = nullptr;
  const char* const* last = nullptr;
  Notes* notes = nullptr;        ///< names that were taken for ours
  Command* described = nullptr;  ///< set: nothing is parsed; what the command takes goes there
};

/// One command's options.
class Parser {
 public:
  explicit Parser(const CommandHelp& help);

  CLI::Option* argument(OptionHelp option, std::string& text);
  CLI::Option* arguments(OptionHelp option, std::vector<std::string>& texts);
  CLI::Option* option(OptionHelp option, std::string& text);
  CLI::Option* flag(const char* name, const char* help, bool& value);
  /// `text` becomes "true" or "false".
  CLI::Option* negatable_flag(OptionHelp option, std::string& text);

  /// True where there is nothing to run: help was asked for, or the command described.
  bool parse(const CommandLine& line);
  std::string help() const { return help_of(command_); }
  Command& command() { return command_; }

 private:
  CLI::App app_;
  Command command_;
};

/// A command's options that are settings, and what was given for them.
class ConfigArguments {
 public:
  /// `only`: names of the settings to take; empty: all, with ENV, --preset and --config. `except`: one that the command means
  /// otherwise.
  ConfigArguments(Parser& parser, const Config& defaults, const std::vector<std::string_view>& only = {}, std::string_view except = {});

  /// From now on settings may have several values, which go to the plan's axes, and the file is a sweep's. `first`: the first argument, a
  /// file where it ends in .toml, otherwise ENV.
  void sweep(SweepPlan& plan, const std::string& first);
  /// Defaults < algorithm's published settings < preset < file < command line.
  Config resolve(Notes& notes);
  /// What was given, as one would type it again.
  std::vector<GivenSetting> given() const;
  /// Has the help show the defaults of the algorithm, preset and file that were named.
  void show_defaults(Command& command);

 private:
  struct Given {
    const Option* option;
    CLI::Option* cli = nullptr;
    bool given = false;  ///< otherwise than by its option
    std::string text;
    OptionValue value;

    bool is_given() const { return given || cli->count() > 0; }
  };

  void add(Parser& parser, const Option& option);
  /// Everything but the options themselves.
  /// What was given of the settings that choose what the others begin with: the algorithm, and whether it stops when solved.
  std::vector<std::pair<const Option*, OptionValue>> choice() const;
  Config beginning(Notes& notes);

  bool is_axis(const Given& given) const;

  Config defaults_;
  SweepPlan* plan_ = nullptr;
  std::string preset_, file_;
  std::deque<Given> given_;  // CLI11 keeps pointers to the texts
};

/// A whole number of a command's own options.
std::int64_t count_of(const char* name, const std::string& text, double low, double high);
/// A number.
double real_of(const char* name, const std::string& text, double low, double high);

}  // namespace cupg::cli

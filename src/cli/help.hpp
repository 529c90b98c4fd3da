#pragma once
#include <span>
#include <string>
#include <vector>

namespace cupg::cli {

// What a command is, as data: help, man page and completion are written from it.

struct OptionHelp {
  enum class Takes { nothing, text, choice, file, folder };

  std::string name;  ///< "envs" of --envs; of an argument, as "ENV"
  std::string help;
  Takes takes = Takes::text;
  std::string value = {};     ///< stands for the value, as "N"
  std::string standard = {};  ///< the value where it is not given
  std::vector<std::string> choices = {};
  std::string group = "Options";
  std::string other_name = {};  ///< a second name, as "lr"
  bool argument = false;        ///< given by its place; a setting by its option `environment`, too
  bool required = false;        ///< an argument that must be there
  bool repeats = false;         ///< an argument that may come several times
  bool negatable = false;       ///< --no-bias
  bool setting = false;         ///< told in the help of train alone
};

struct CommandHelp {
  const char* name;
  const char* summary;
  const char* examples;
  const char* status = "";  ///< exit status, where there is more to say than 0, 2
};

struct Command {
  CommandHelp head;
  std::vector<OptionHelp> options;
  std::string settings;  ///< what the heading of the settings says or, where they are told elsewhere, the reference to them
};

/// In the order of parse_arguments' parsers.
std::span<const CommandHelp> command_help();

/// "--[no-]bias", "--learning-rate, --lr X", "ENV".
std::string synopsis(const OptionHelp& option);
/// Its help, with what may be chosen and the default.
std::string description(const OptionHelp& option);
/// "cupg train [ENV] [OPTIONS]".
std::string usage(const Command& command);

/// Lines of at most 80 columns.
std::string main_help();
std::string help_of(const Command& command);
/// cupg.1, in the macros of man(7).
std::string man_page(const std::vector<Command>& commands);
/// A script for "bash", "zsh" or "fish".
std::string completion(const std::string& shell, const std::vector<Command>& commands);

}  // namespace cupg::cli

#pragma once
#include <span>
#include <string>

namespace cupg::cli {

struct CommandHelp {
  const char* name;
  const char* summary;
  const char* examples;  ///< for --help
};

/// In the order of parse_arguments' parsers.
std::span<const CommandHelp> command_help();
std::string main_help();

}  // namespace cupg::cli

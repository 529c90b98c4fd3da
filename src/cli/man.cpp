#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "src/cli/help.hpp"
#include "src/io/version.hpp"

namespace cupg::cli {
namespace {

/// Text as roff takes it: no line begins with a control character, and no hyphen becomes a typographic one.
std::string roff(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

/// A sentence a line, as roff wants it.
std::string sentences(std::string text) {
  for (std::size_t at = 0; (at = text.find(". ", at)) != std::string::npos; ++at) text.replace(at, 2, ".\n");
  return text;
}

std::string entry(const std::string& left, const std::string& right) {
  return fmt::format(".TP\n.B {}\n{}\n", roff(left), roff(sentences(right)));
}

std::string command_section(const Command& c) {
  std::string text = fmt::format(".SS {}\n.B {}\n.PP\n{}\n", c.head.name, roff(usage(c)), roff(c.head.summary));
  for (const OptionHelp& o : c.options)
    if (!o.setting) text += entry(synopsis(o), description(o));
  const bool told_below = c.head.name == std::string("train");
  if (told_below || !c.settings.empty())
    text += ".PP\n" + roff(sentences(told_below ? "Its settings are listed under SETTINGS." : c.settings)) + "\n";
  if (*c.head.status != '\0') text += fmt::format(".PP\nExit status: {}\n", roff(c.head.status));
  return text + fmt::format(".PP\nExamples:\n.PP\n.nf\n{}.fi\n", roff(c.head.examples));
}

}  // namespace

std::string man_page(const std::vector<Command>& commands) {
  std::string text = fmt::format(".TH CUPG 1 {} \"cupg {}\" \"User Commands\"\n", CUPG_DATE, version());
  text += ".SH NAME\ncupg \\- policy gradients for CartPole, with the same bits on every device\n";
  text += ".SH SYNOPSIS\n.B cupg\n.I COMMAND\n.RI [ OPTIONS ]\n.br\n.B cupg \\-\\-version\n";
  text +=
      ".SH DESCRIPTION\n.B cupg\ntrains policies by hand\\-written gradients, on processors and on NVIDIA GPUs.\n"
      "Results go to standard output, messages to standard error.\n"
      ".SH COMMANDS\n";
  for (const Command& c : commands) text += command_section(c);
  text +=
      ".SH SETTINGS\nOptions of\n.B cupg train\nand, where they have a meaning, of the other commands; keys of the same names in a TOML\n"
      "file.\nDefaults, those without\n.BR \\-\\-algo ,\n.B \\-\\-preset\nand\n.BR \\-\\-config ,\nstand in parentheses.\n";
  std::string group;
  for (const OptionHelp& o : commands.front().options) {
    if (!o.setting) continue;
    if (o.group != group) text += fmt::format(".SS {}\n", roff(group = o.group));
    text += entry(synopsis(o), description(o));
  }
  text += ".SH EXIT STATUS\n";
  for (const char* const status :
       {"0 finished", "1 failed", "2 usage, configuration or an input file", "3 a device or library is missing", "130 interrupted"}) {
    const std::string line = status;
    text += entry(line.substr(0, line.find(' ')), line.substr(line.find(' ') + 1));
  }
  return text;
}

}  // namespace cupg::cli

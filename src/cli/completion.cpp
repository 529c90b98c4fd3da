#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "src/cli/help.hpp"

namespace cupg::cli {
namespace {

using Takes = OptionHelp::Takes;

/// In single quotes: `escaped` characters after a backslash, and a quote as the shell has it.
std::string quoted(const std::string& text, const std::string& escaped, const std::string& quote) {
  std::string out = "'";
  for (const char c : text) {
    if (escaped.find(c) != std::string::npos) out += '\\';
    out += c == '\'' ? quote : std::string(1, c);
  }
  return out + "'";
}

/// "--lr", "--no-bias", and the setting ENV by its option.
std::vector<std::string> names_of(const OptionHelp& o) {
  if (o.argument) return o.setting ? std::vector<std::string>{"environment"} : std::vector<std::string>{};
  std::vector<std::string> names{o.name};
  if (!o.other_name.empty()) names.push_back(o.other_name);
  if (o.negatable) names.push_back(fmt::format("no-{}", o.name));
  return names;
}

// ---- bash ------------------------------------------------------------------------------------------------------------

/// What sets `words` or `files` for the value of an option or argument.
std::string bash_values(const OptionHelp& o) {
  switch (o.takes) {
    case Takes::choice: return fmt::format("words='{}'", fmt::join(o.choices, " "));
    case Takes::file: return "files=-f";
    case Takes::folder: return "files=-d";
    case Takes::text: return "words=";
    case Takes::nothing: break;
  }
  return "";
}

std::string bash_command(const Command& c) {
  std::string options, values, arguments = "words=";
  std::vector<std::string> choices;
  for (const OptionHelp& o : c.options) {
    std::vector<std::string> names;
    for (const std::string& name : names_of(o)) names.push_back(fmt::format("--{}", name));
    for (const std::string& name : names) options += name + " ";
    if (!names.empty() && o.takes != Takes::nothing)
      values += fmt::format("        {}) value=1 {} ;;\n", fmt::join(names, "|"), bash_values(o));
    if (o.argument && o.takes != Takes::choice) arguments = bash_values(o);
    if (o.argument && o.takes == Takes::choice) choices.insert(choices.end(), o.choices.begin(), o.choices.end());
  }
  if (!choices.empty()) arguments = fmt::format("words='{}'", fmt::join(choices, " "));
  return fmt::format("    {})\n      options='{}--help'\n      {}\n      case $before in\n{}      esac ;;\n", c.head.name, options,
                     arguments, values);
}

std::string bash(const std::vector<Command>& commands) {
  std::string names, cases;
  for (const Command& c : commands) names += fmt::format("{} ", c.head.name), cases += bash_command(c);
  return fmt::format(R"(# cupg's commands and options for bash; written by `cupg completion bash`.
_cupg() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}}
  local options='{}--help --version' words='{}' files= value=
  # --algo=p comes as three words
  if [[ $word == '=' ]]; then
    word=
  elif [[ $before == '=' ]]; then
    before=${{COMP_WORDS[COMP_CWORD - 2]}}
  fi
  if ((COMP_CWORD > 1)); then
    words= options=
    case ${{COMP_WORDS[1]}} in
{}    esac
  fi
  COMPREPLY=()
  if [[ -z $value && ($word == -* || (-z $words && -z $files)) ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$word"))
  elif [[ -n $files ]]; then
    compopt -o filenames 2> /dev/null
    mapfile -t COMPREPLY < <(compgen "$files" -- "$word")
  else
    COMPREPLY=($(compgen -W "$words" -- "$word"))
  fi
}}
complete -F _cupg cupg
)",
                     names, names, cases);
}

// ---- zsh -------------------------------------------------------------------------------------------------------------

std::string zsh_values(const OptionHelp& o) {
  switch (o.takes) {
    case Takes::choice: return fmt::format("({})", fmt::join(o.choices, " "));
    case Takes::file: return "_files";
    case Takes::folder: return "_files -/";
    case Takes::text: return " ";
    case Takes::nothing: break;
  }
  return "";
}

std::string zsh(const std::vector<Command>& commands) {
  const auto text = [](const std::string& s) { return quoted(s, ":[]\\", "'\\''"); };
  const auto inside = [&](const std::string& s) { return text(s).substr(1, text(s).size() - 2); };
  std::string names, cases;
  for (const Command& c : commands) {
    names += fmt::format("    '{}:{}'\n", c.head.name, inside(c.head.summary));
    cases += fmt::format("    {})\n      _arguments \\\n", c.head.name);
    int place = 0;
    for (const OptionHelp& o : c.options) {
      const bool value = o.takes != Takes::nothing;
      for (const std::string& name : names_of(o))
        cases += fmt::format("        '--{}{}[{}]{}' \\\n", name, value ? "=" : "", inside(o.help),
                             value ? fmt::format(":{}:{}", o.value.empty() ? "NAME" : o.value, zsh_values(o)) : "");
      if (o.argument) cases += fmt::format("        '{}:{}:{}' \\\n", o.repeats ? "*" : fmt::format("{}", ++place), o.name, zsh_values(o));
    }
    cases += "        '(- *)'{-h,--help}'[help]' ;;\n";
  }
  return fmt::format(R"(#compdef cupg
# cupg's commands and options for zsh; written by `cupg completion zsh`.
_cupg() {{
  local -a commands=(
{}  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  shift words
  ((CURRENT--))
  case $words[1] in
{}  esac
}}
if [[ ${{funcstack[1]-}} == _cupg ]]; then
  _cupg "$@"
else
  compdef _cupg cupg
fi
)",
                     names, cases);
}

// ---- fish ------------------------------------------------------------------------------------------------------------

std::string fish_values(const OptionHelp& o) {
  switch (o.takes) {
    case Takes::choice: return fmt::format(" -x -a '{}'", fmt::join(o.choices, " "));
    case Takes::file: return " -r -F";
    case Takes::folder: return " -x -a '(__fish_complete_directories)'";
    case Takes::text: return " -x";
    case Takes::nothing: break;
  }
  return "";
}

std::string fish(const std::vector<Command>& commands) {
  const auto text = [](const std::string& s) { return quoted(s, "\\", "\\'"); };
  std::string out = R"(# cupg's commands and options for fish; written by `cupg completion fish`.
function __cupg_command
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test $words[2] = $argv[1]
end
complete -c cupg -f
complete -c cupg -n 'test (count (commandline -opc)) -eq 1' -l version -d 'the version'
complete -c cupg -s h -l help -d 'help'
)";
  for (const Command& c : commands)
    out += fmt::format("complete -c cupg -n 'test (count (commandline -opc)) -eq 1' -a {} -d {}\n", c.head.name, text(c.head.summary));
  for (const Command& c : commands)
    for (const OptionHelp& o : c.options) {
      const std::string here = fmt::format("complete -c cupg -n '__cupg_command {}'", c.head.name);
      for (const std::string& name : names_of(o)) out += fmt::format("{} -l {}{} -d {}\n", here, name, fish_values(o), text(o.help));
      if (o.argument && o.takes == Takes::choice) out += fmt::format("{} -a '{}' -d {}\n", here, fmt::join(o.choices, " "), o.name);
      if (o.argument && o.takes == Takes::file) out += fmt::format("{} -F\n", here);
    }
  return out;
}

}  // namespace

std::string completion(const std::string& shell, const std::vector<Command>& commands) {
  return shell == "bash" ? bash(commands) : shell == "zsh" ? zsh(commands) : fish(commands);
}

}  // namespace cupg::cli

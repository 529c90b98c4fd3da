#include "src/cli/parser.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>
#include <utility>

#include "cupg/error.hpp"
#include "src/api/text.hpp"
#include "src/io/aliases.hpp"
#include "src/io/files.hpp"
#include "src/io/toml_check.hpp"

namespace cupg::cli {
namespace {

std::vector<std::string> long_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* o : app.get_options()) names.insert(names.end(), o->get_lnames().begin(), o->get_lnames().end());
  return names;
}

/// What CLI11 could not place: options first, since an unknown option's value looks like an argument.
void refuse_extras(const CLI::App& app) {
  const std::vector<std::string> extras = app.remaining();
  if (extras.empty()) return;
  const std::vector<std::string> known = long_names(app);
  for (const std::string& extra : extras)
    if (extra.size() > 1 && extra[0] == '-') {
      const std::string name = extra.substr(0, extra.find('=')), bare = name.substr(name.starts_with("--") ? 2 : 1);
      const std::string answer = answer_to("option", bare, known, true), near = nearest_name(bare, known);
      refuse(fmt::format("option: unknown {}; {}", in_quotes(name),
                         !answer.empty() ? fmt::format("expected {}", answer)
                         : near.empty()  ? fmt::format("see cupg {} --help", app.get_name())
                                         : fmt::format("did you mean --{}?", near)));
    }
  refuse(fmt::format("argument: unexpected {}; see cupg {} --help", in_quotes(extras[0]), app.get_name()));
}

/// An empty value is an unset variable of a script, and never means a default. CLI11 would take the next argument for the value of
/// --option=.
[[noreturn]] void refuse_empty(const std::string& name) {
  const Option* option = find_option(name);
  refuse(fmt::format("{}: \"\"; expected {}", name.empty() ? "argument" : name,
                     option == nullptr ? "a value that is not empty (is a variable unset?)" : expected(*option)));
}

/// The arguments with the names of other trainers' options written as ours. Refuses empty values.
std::vector<std::string> in_our_words(const CLI::App& app, std::span<const char* const> arguments, Notes& notes) {
  const std::vector<std::string> known = long_names(app);
  std::vector<std::string> words;
  std::string open;  // the option that takes the next argument as its value, even if that looks like an option
  for (std::string word : arguments) {
    const std::string value_of = std::exchange(open, "");
    if (word.empty()) refuse_empty(value_of);
    if (value_of.empty() && word.starts_with("--")) {
      const std::size_t end = std::min(word.find('='), word.size());
      const std::string given = word.substr(2, end - 2), ours = taken_as("option", given, known);
      if (!ours.empty() && ours != given) {
        notes.push_back(fmt::format("--{} is --{} here", given, ours));
        word = fmt::format("--{}{}", ours, word.substr(end));
      }
      const CLI::Option* option = ours.empty() ? nullptr : app.get_option_no_throw(fmt::format("--{}", ours));
      if (option != nullptr && word.ends_with('=') && word.find('=') == word.size() - 1) refuse_empty(ours);
      if (option != nullptr && option->get_items_expected_max() > 0 && word.find('=') == std::string::npos) open = ours;
    }
    words.push_back(std::move(word));
  }
  return words;
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const Preset& p : presets()) names.emplace_back(p.name);
  return names;
}

std::string shown_value(const Option& option) {
  switch (option.type) {
    case OptionType::name: return "NAME";
    case OptionType::flag: return "";
    case OptionType::count: return "N";
    case OptionType::real: return "X";
    case OptionType::widths: return "N,N";
  }
  return "";
}

/// As the command line spells it.
std::string shown_default(const Option& option, const Config& config) {
  const std::string text = text_value(option, config);
  return option.type != OptionType::flag || text == option.unset ? text : text == "true" ? "yes" : "no";
}

OptionValue value_of(const char* name, OptionType type, const std::string& text, double low, double high) {
  const Option option{.name = name, .group = {}, .help = {}, .type = type, .range = {low, high}};
  const OptionValue value = parse_value(option, text);
  check_value(option, value);
  return value;
}

}  // namespace

std::int64_t count_of(const char* name, const std::string& text, double low, double high) {
  return std::get<std::int64_t>(value_of(name, OptionType::count, text, low, high));
}

double real_of(const char* name, const std::string& text, double low, double high) {
  return static_cast<double>(std::get<float>(value_of(name, OptionType::real, text, low, high)));
}

// ---- Parser ----------------------------------------------------------------------------------------------------------

Parser::Parser(const CommandHelp& help) : app_(help.summary, help.name), command_{help, {}, {}} {
  app_.allow_extras();
  app_.set_help_flag("-h,--help");
}

CLI::Option* Parser::argument(OptionHelp option, std::string& text) {
  const std::string name = option.setting ? option.name + ",--environment" : option.name;
  option.argument = true;
  command_.options.push_back(std::move(option));
  return app_.add_option(name, text)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

CLI::Option* Parser::arguments(OptionHelp option, std::vector<std::string>& texts) {
  option.argument = option.repeats = true;
  CLI::Option* added = app_.add_option(option.name, texts);
  command_.options.push_back(std::move(option));
  return added;
}

CLI::Option* Parser::option(OptionHelp option, std::string& text) {
  const std::string names = fmt::format("--{}{}{}", option.name, option.other_name.empty() ? "" : ",--", option.other_name);
  command_.options.push_back(std::move(option));
  return app_.add_option(names, text)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

CLI::Option* Parser::flag(const char* name, const char* help, bool& value) {
  command_.options.push_back({.name = name, .help = help, .takes = OptionHelp::Takes::nothing});
  return app_.add_flag(fmt::format("--{}", name), value);
}

CLI::Option* Parser::negatable_flag(OptionHelp option, std::string& text) {
  option.takes = OptionHelp::Takes::nothing;
  option.negatable = true;
  const std::string names = fmt::format("--{0},!--no-{0}", option.name);
  command_.options.push_back(std::move(option));
  return app_.add_flag(names, text)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

bool Parser::parse(const CommandLine& line) {
  if (line.described != nullptr) {
    *line.described = command_;
    return true;
  }
  std::vector<std::string> words = in_our_words(app_, {line.first, line.last}, *line.notes);
  std::reverse(words.begin(), words.end());
  try {
    app_.parse(std::move(words));
  } catch (const CLI::CallForHelp&) {
    return true;
  } catch (const CLI::ArgumentMismatch& e) {
    const std::string message = e.what(), name = message.substr(0, message.find(':'));
    const Option* option = name.starts_with("--") ? find_option(name.substr(2)) : nullptr;
    if (option == nullptr) refuse(message);
    refuse(fmt::format("{}: no value given; expected {}", option->name, expected(*option)));
  } catch (const CLI::ParseError& e) {
    refuse(e.what());
  }
  refuse_extras(app_);
  return false;
}

// ---- ConfigArguments -------------------------------------------------------------------------------------------------

ConfigArguments::ConfigArguments(Parser& parser, const Config& defaults, const std::vector<std::string_view>& only, std::string_view except)
    : defaults_(defaults) {
  for (const Option& option : options())
    if (option.name != except && (only.empty() || std::find(only.begin(), only.end(), option.name) != only.end())) add(parser, option);
  if (!only.empty()) return;
  const char* const group = "Settings as a whole";
  parser.option({.name = "preset",
                 .help = "a published setting",
                 .takes = OptionHelp::Takes::choice,
                 .value = "NAME",
                 .choices = preset_names(),
                 .group = group,
                 .setting = true},
                preset_);
  parser.option({.name = "config",
                 .help = "a TOML file; its keys are the names of the settings",
                 .takes = OptionHelp::Takes::file,
                 .value = "FILE",
                 .group = group,
                 .setting = true},
                file_);
}

void ConfigArguments::add(Parser& parser, const Option& option) {
  Given& given = given_.emplace_back(Given{&option, nullptr, false, {}, {}});
  OptionHelp help{.name = std::string(option.name),
                  .help = std::string(option.help),
                  .value = shown_value(option),
                  .standard = shown_default(option, defaults_),
                  .group = std::string(option.group),
                  .setting = true};
  if (option.type == OptionType::name) help.takes = OptionHelp::Takes::choice, help.choices = option.known();
  if (option.name == "learning-rate") help.other_name = "lr";
  if (option.name == "environment") {
    help.name = "ENV";
    given.cli = parser.argument(std::move(help), given.text);
  } else if (option.type == OptionType::flag) {
    given.cli = parser.negatable_flag(std::move(help), given.text);
  } else {
    given.cli = parser.option(std::move(help), given.text);
  }
}

std::vector<std::pair<const Option*, OptionValue>> ConfigArguments::choice() const {
  std::vector<std::pair<const Option*, OptionValue>> all;
  for (const Given& g : given_)
    if (g.is_given() && !is_axis(g) && (g.option->name == "algo" || g.option->name == "stop-when-solved")) {
      OptionValue value = parse_value(*g.option, g.text);
      take_name(*g.option, value);
      all.emplace_back(g.option, value);
    }
  return all;
}

Config ConfigArguments::beginning(Notes& notes) {
  Config config = defaults_, asked = defaults_;
  for (const auto& [option, value] : choice()) set_option(asked, *option, value);
  if (preset_.empty() && file_.empty()) apply_algorithm(asked.algorithm, config, asked.stop_when_solved);
  if (!preset_.empty()) {
    if (const std::string name = taken_as("preset", preset_, preset_names()); !name.empty() && name != preset_) {
      notes.push_back(fmt::format("preset {} is {} here", preset_, name));
      preset_ = name;
    }
    apply_preset(preset_, config);
  }
  if (file_.empty()) return config;
  if (plan_ == nullptr) {
    load_config(file_, config, &notes);
  } else {
    plan_->config = config;
    read_sweep(read_file(file_, kMostConfigBytes), file_, *plan_, &notes);
    config = plan_->config;
  }
  return config;
}

void ConfigArguments::sweep(SweepPlan& plan, const std::string& first) {
  plan_ = &plan;
  if (first.empty()) return;
  Given& environment = given_.front();
  const bool file = first.ends_with(".toml");
  if (file && !file_.empty()) refuse(fmt::format("config: {} with FILE {}; expected one of the two", in_quotes(file_), in_quotes(first)));
  if (!file && environment.is_given()) refuse(fmt::format("FILE: {}; expected the name of a file that ends in .toml", in_quotes(first)));
  if (file) {
    file_ = first;
  } else {
    environment.text = first;
    environment.given = true;
  }
}

bool ConfigArguments::is_axis(const Given& given) const { return plan_ != nullptr && is_swept(*given.option, given.text); }

Config ConfigArguments::resolve(Notes& notes) {
  Config config = beginning(notes);
  for (Given& g : given_) {
    if (!g.is_given()) continue;
    if (is_axis(g)) {
      set_axis(*plan_, read_axis(*g.option, g.text));
      continue;
    }
    if (plan_ != nullptr) remove_axis(*plan_, *g.option);
    g.value = parse_value(*g.option, g.text);
    if (const std::string note = take_name(*g.option, g.value); !note.empty()) notes.push_back(note);
    set_option(config, *g.option, g.value);
  }
  for (const Given& g : given_)
    if (const std::string_view needs = missing(*g.option, config); plan_ == nullptr && g.is_given() && !needs.empty())
      refuse(fmt::format("{}: {} would have no effect; it needs {}", g.option->name, g.text, needs));
  return config;
}

std::vector<GivenSetting> ConfigArguments::given() const {
  std::vector<GivenSetting> all;
  for (const Given& g : given_) {
    if (!g.is_given()) continue;
    const std::string name(g.option->name);
    if (name == "environment") {
      all.push_back({name, {g.text}});
    } else if (g.option->type != OptionType::flag) {
      all.push_back({name, {"--" + name, g.text}});
    } else if (g.text == "true" || g.text == "false") {
      all.push_back({name, {(g.text == "true" ? "--" : "--no-") + name}});
    } else {
      all.push_back({name, {"--" + name + "=" + g.text}});
    }
  }
  if (!preset_.empty()) all.push_back({"preset", {"--preset", preset_}});
  if (!file_.empty()) all.push_back({"config", {"--config", file_}});
  return all;
}

void ConfigArguments::show_defaults(Command& command) {
  Notes notes;
  Config config = beginning(notes);
  std::vector<std::string> named;
  for (const auto& [option, value] : choice()) {
    set_option(config, *option, value);
    const bool flag = option->type == OptionType::flag;
    named.push_back(flag ? fmt::format("--{}{}", std::get<bool>(value) ? "" : "no-", option->name)
                         : fmt::format("--{} {}", option->name, std::get<std::string>(value)));
  }
  if (!preset_.empty()) named.push_back(fmt::format("--preset {}", preset_));
  if (!file_.empty()) named.push_back(fmt::format("--config {}", one_line(file_)));
  if (!named.empty()) command.settings = fmt::format("those of {} in parentheses", fmt::join(named, " "));
  for (OptionHelp& o : command.options)
    if (const Option* option = find_option(o.argument ? "environment" : o.name); o.setting && option != nullptr)
      o.standard = shown_default(*option, config);
}

}  // namespace cupg::cli

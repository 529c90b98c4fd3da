// CLI11 is used here alone. It finds the options and prints the help; values go through the table of settings as text, so that
// the command line and TOML files are read, checked and complained about alike.
#include "src/cli/arguments.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <deque>
#include <span>
#include <string_view>
#include <vector>

#include "cupg/error.hpp"
#include "src/cli/help.hpp"
#include "src/io/config_file.hpp"
#include "src/io/options.hpp"
#include "src/io/version.hpp"
#include "src/reproduce/reproduce.hpp"
#include "src/text.hpp"

namespace cupg::cli {
namespace {

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorKind::usage, message); }

std::string type_name(const Option& option) {
  switch (option.type) {
    case OptionType::name: return fmt::format("{}", fmt::join(option.known(), "|"));
    case OptionType::flag: return "";
    case OptionType::count: return "N";
    case OptionType::real: return "X";
    case OptionType::widths: return "N,N";
  }
  return "";
}

/// A command's options that are settings, and what was given for them.
class ConfigArguments {
 public:
  /// `only`: names of the settings to take; empty: all, with ENV, --preset and --config. `except`: one that the command means
  /// otherwise.
  ConfigArguments(CLI::App& app, const Config& defaults, const std::vector<std::string_view>& only = {}, std::string_view except = {})
      : config_(defaults) {
    for (const Option& option : options())
      if (option.name != except && (only.empty() || std::find(only.begin(), only.end(), option.name) != only.end())) add(app, option);
    if (!only.empty()) return;
    app.add_option("--preset", preset_, "a published setting: " + preset_names())->type_name("NAME")->group("Settings as a whole");
    app.add_option("--config", file_, "a TOML file; its keys are the options below")->type_name("FILE")->group("Settings as a whole");
  }

  /// Defaults < preset < file < command line. An algorithm that the command line names begins with its published settings, where it
  /// has any and neither a preset nor a file says more.
  Config resolve() {
    for (const Given& g : given_)
      if (g.option->name == "algo" && g.cli->count() > 0 && preset_.empty() && file_.empty())
        if (const std::string_view preset = preset_of_algorithm(g.text); !preset.empty()) apply_preset(preset, config_);
    if (!preset_.empty()) apply_preset(preset_, config_);
    if (!file_.empty()) load_config(file_, config_);
    for (const Given& g : given_)
      if (g.cli->count() > 0) set_option(config_, *g.option, parse_value(*g.option, g.text));
    for (const Given& g : given_) {
      if (const std::string_view needs = missing(*g.option, config_); g.cli->count() > 0 && !needs.empty())
        refuse(fmt::format("{}: {} would have no effect; it needs {}", g.option->name, g.text, needs));
    }
    return config_;
  }

 private:
  struct Given {
    const Option* option;
    CLI::Option* cli = nullptr;
    std::string text;
  };

  static std::string preset_names() {
    std::vector<std::string_view> names;
    for (const Preset& p : presets()) names.push_back(p.name);
    return fmt::format("{}", fmt::join(names, ", "));
  }

  void add(CLI::App& app, const Option& option) {
    Given& given = given_.emplace_back(Given{&option, nullptr, {}});
    const std::string name(option.name), help(option.help);
    if (name == "environment") {
      given.cli =
          app.add_option("ENV", given.text, help)->option_text(fmt::format("{} ({})", text_value(option, config_), type_name(option)));
      return;
    }
    if (option.type == OptionType::flag) {
      given.cli = app.add_flag(fmt::format("--{0},!--no-{0}", name), given.text, help);
      const OptionValue value = option.get(config_);
      const auto* yes = std::get_if<bool>(&value);
      given.cli->option_text(fmt::format("({})", yes == nullptr ? option.unset : *yes ? "yes" : "no"));
    } else {
      given.cli = app.add_option(name == "learning-rate" ? "--learning-rate,--lr" : "--" + name, given.text, help);
      given.cli->option_text(fmt::format("{} ({})", type_name(option), text_value(option, config_)));
    }
    given.cli->group(std::string(option.group))->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }

  Config config_;
  std::string preset_, file_;
  std::deque<Given> given_;  // CLI11 keeps pointers to the texts
};

/// A whole number of a command's own options.
std::int64_t count_of(const char* name, const std::string& text, double low, double high) {
  const Option option{.name = name, .group = {}, .help = {}, .type = OptionType::count, .range = {low, high}};
  const OptionValue value = parse_value(option, text);
  check_value(option, value);
  return std::get<std::int64_t>(value);
}

/// What CLI11 could not place: options first, since an unknown option's value looks like an argument.
void refuse_extras(const CLI::App& app) {
  const std::vector<std::string> extras = app.remaining();
  if (extras.empty()) return;
  std::vector<std::string> known;
  for (const CLI::Option* o : app.get_options())
    for (const std::string& name : o->get_lnames()) known.push_back("--" + name);
  for (const std::string& extra : extras)
    if (extra.size() > 1 && extra[0] == '-') {
      const std::string name = extra.substr(0, extra.find('='));
      const std::string near = nearest_name(name, known);
      refuse(fmt::format("option: unknown {}; {}", in_quotes(name),
                         near.empty() ? fmt::format("see cupg {} --help", app.get_name()) : "did you mean " + near + "?"));
    }
  refuse(fmt::format("argument: unexpected {}; see cupg {} --help", in_quotes(extras[0]), app.get_name()));
}

/// An empty value is an unset variable of a script, and never means a default. CLI11 would take the next argument for the value of
/// --option=.
void refuse_empty(const CLI::App& app, std::span<const char* const> arguments) {
  const auto takes_value = [&](const std::string& name) {
    const CLI::Option* option = name.starts_with("--") ? app.get_option_no_throw(name) : nullptr;
    return option != nullptr && option->get_items_expected_max() > 0;
  };
  std::string before;
  for (const std::string argument : arguments) {
    const bool ends = argument.starts_with("--") && argument.find('=') == argument.size() - 1;
    const std::string name = ends ? argument.substr(0, argument.size() - 1) : takes_value(before) ? before : "";
    before = takes_value(before) ? "" : argument;  // a value is no option, even if it looks like one
    if (!ends && !argument.empty()) continue;
    if (ends && app.get_option_no_throw(name) == nullptr) continue;  // told as unknown
    const Option* option = name.empty() ? nullptr : find_option(name.substr(2));
    refuse(fmt::format("{}: \"\"; expected {}", name.empty() ? "argument" : name.substr(2),
                       option == nullptr ? "a value that is not empty (is a variable unset?)" : expected(*option)));
  }
}

/// Parses the arguments after the command's name; true where help was asked for.
bool parse(CLI::App& app, const char* const* first, const char* const* last) {
  refuse_empty(app, {first, last});
  std::vector<std::string> reversed(first, last);
  std::reverse(reversed.begin(), reversed.end());
  try {
    app.parse(reversed);
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
  refuse_extras(app);
  return false;
}

struct CommandLine {
  const char* const* first;
  const char* const* last;
};

/// "--[no-]bias" where CLI11 would write "--bias,--no-bias{false}".
class Formatter : public CLI::Formatter {
 public:
  std::string make_option_name(const CLI::Option* option, bool positional) const override {
    if (option->get_fnames().empty() || positional) return CLI::Formatter::make_option_name(option, positional);
    return "--[no-]" + option->get_lnames().front();
  }
};

/// CLI11 leaves two empty lines between groups.
std::string without_gaps(std::string text) {
  for (std::size_t at = 0; (at = text.find("\n\n\n", at)) != std::string::npos;) text.erase(at, 1);
  return text;
}

/// The parts that every command has.
class Parser {
 public:
  explicit Parser(const CommandHelp& help) : app_(help.summary, help.name) {
    app_.footer(help.examples)->allow_extras();
    app_.formatter(std::make_shared<Formatter>());
    app_.get_formatter()->column_width(38);
    app_.set_help_flag("-h,--help", "this text");
  }
  CLI::App& app() { return app_; }
  CLI::Option* flag(const char* name, bool& value, const char* help) { return app_.add_flag(name, value, help); }
  CLI::Option* option(const char* name, std::string& text, const char* shown, const char* help) {
    return app_.add_option(name, text, help)->option_text(shown)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
  std::string help() { return without_gaps(app_.help("cupg")); }

 private:
  CLI::App app_;
};

Arguments parse_train(const CommandHelp& help, CommandLine line) {
  Parser parser(help);
  TrainArguments a;
  std::string run;
  ConfigArguments config(parser.app(), {});
  CLI::Option* run_option = parser.option("--run", run, "DIR", "where to save the run (runs/ENV-ALGO-seedS)");
  parser.flag("--quiet", a.quiet, "no progress, one line of result");
  parser.flag("--json", a.json, "print the result as one JSON object");
  if (parse(parser.app(), line.first, line.last)) return Text{parser.help()};
  a.config = config.resolve();
  if (run_option->count() > 0) a.run = run;
  return a;
}

Arguments parse_eval(const CommandHelp& help, CommandLine line) {
  Parser parser(help);
  EvalArguments a;
  bool greedy = false, sample = false, last = false;
  std::string policy, episodes = "1000", seed = "0", agent_seed;
  parser.option("RUN", policy, "", "a run folder, or a policy.safetensors");
  parser.option("--episodes", episodes, "N (1000)", "episodes to play, each in an environment of its own");
  parser.flag("--greedy", greedy, "always the most likely action (what is done unless --sample is given)");
  parser.flag("--sample", sample, "actions drawn from the policy");
  parser.option("--seed", seed, "S (0)", "seed of the episodes");
  parser.option("--agent-seed", agent_seed, "S", "whose policy, of a run with several seeds");
  parser.flag("--last", last, "the policy at the end of the training (what is played unless --best is given)");
  parser.flag("--best", a.best, "the best policy that a check has seen on the way");
  parser.flag("--json", a.json, "print the result as one JSON object");
  ConfigArguments machine(parser.app(), {}, {"device", "isa", "threads"});
  if (parse(parser.app(), line.first, line.last)) return Text{parser.help()};
  if (policy.empty()) refuse("RUN: missing; expected a run folder or a policy file, as in cupg eval runs/CartPole-v1-a2c-seed1");
  if (greedy && sample) refuse("greedy: contradicts sample; expected one of the two");
  if (a.best && last) refuse("best: contradicts last; expected one of the two");
  constexpr double kMostSeed = 9223372036854775807.0;
  a.policy = policy;
  a.greedy = !sample;
  a.episodes = static_cast<int>(count_of("episodes", episodes, 1, 16777216));
  a.seed = static_cast<std::uint64_t>(count_of("seed", seed, 0, kMostSeed));
  if (!agent_seed.empty()) a.agent_seed = static_cast<std::uint64_t>(count_of("agent-seed", agent_seed, 0, kMostSeed));
  a.machine = machine.resolve();
  return a;
}

Arguments parse_bench(const CommandHelp& help, CommandLine line) {
  Parser parser(help);
  BenchArguments a;
  std::string updates, actions = "balance", repeat = "5";
  parser.option("WHAT", a.kind, "train (train|rollout|env)", "what to time: whole updates, rollouts alone, environments alone");
  // a batch that keeps the machine busy; a training's own default is made for learning fast
  Config defaults;
  defaults.envs = 2048;
  defaults.horizon = 32;
  ConfigArguments config(parser.app(), defaults, {}, "updates");
  parser.option("--updates", updates, "N", "updates to time (as many as take about a second)");
  CLI::Option* actions_option = parser.option("--actions", actions, "random|balance (balance)", "env: what steers the poles");
  parser.option("--repeat", repeat, "R (5)", "timings; the median counts");
  parser.flag("--json", a.json, "print the result as one JSON object");
  if (parse(parser.app(), line.first, line.last)) return Text{parser.help()};
  const std::vector<std::string> kinds{"train", "rollout", "env"}, steering{"random", "balance"};
  if (std::find(kinds.begin(), kinds.end(), a.kind) == kinds.end()) refuse(unknown_name("bench", a.kind, kinds));
  if (std::find(steering.begin(), steering.end(), actions) == steering.end()) refuse(unknown_name("actions", actions, steering));
  if (actions_option->count() > 0 && a.kind != "env") refuse("actions: " + actions + " would have no effect; it needs bench env");
  a.balance = actions == "balance";
  if (!updates.empty()) a.updates = count_of("updates", updates, 1, 1e9);
  a.repeat = static_cast<int>(count_of("repeat", repeat, 1, 10000));
  a.config = config.resolve();
  if ((a.config.device == Device::reference || a.config.device == Device::cuda) && a.kind != "train")
    refuse(fmt::format("device: {} would have no effect; it needs bench train", a.config.device == Device::cuda ? "cuda" : "reference"));
  return a;
}

Arguments parse_reproduce(const CommandHelp& help, CommandLine line) {
  Parser parser(help);
  ReproduceArguments a;
  std::vector<std::string> names;
  for (const ReproductionInfo& r : reproductions()) names.emplace_back(r.name);
  std::string markdown, threads = "0";
  parser.app().add_option("PRESET", a.presets, fmt::format("rows of the table: {} (all)", fmt::join(names, ", ")))->option_text("");
  CLI::Option* markdown_option =
      parser.option("--markdown", markdown, "FILE", "write the table as Markdown, too; in a page that has one, in its place");
  parser.option("--threads", threads, "N (0)", "0: as many processors as the process may use");
  parser.flag("--json", a.json, "print the table as one JSON object");
  if (parse(parser.app(), line.first, line.last)) return Text{parser.help()};
  for (const std::string& name : a.presets)
    if (std::find(names.begin(), names.end(), name) == names.end()) refuse(unknown_name("preset", name, names));
  if (a.presets.empty()) a.presets = names;
  if (markdown_option->count() > 0) a.markdown = markdown;
  a.threads = static_cast<int>(count_of("threads", threads, 0, 1024));
  return a;
}

Arguments parse_gradcheck(const CommandHelp& help, CommandLine line) {
  Parser parser(help);
  GradcheckArguments a;
  std::string samples = "64", plot;
  ConfigArguments config(parser.app(), {});
  parser.option("--samples", samples, "N (64)", "samples of the rollout, at most");
  CLI::Option* plot_option = parser.option("--plot", plot, "FILE.svg", "draw the errors of differences over their step");
  parser.flag("--explain", a.explain, "walk through one sample, with its numbers");
  parser.flag("--json", a.json, "print the result as one JSON object");
  if (parse(parser.app(), line.first, line.last)) return Text{parser.help()};
  a.samples = static_cast<int>(count_of("samples", samples, 1, 4096));
  if (plot_option->count() > 0) a.plot = plot;
  a.config = config.resolve();
  find_objective(a.config.algorithm);  // searches have none
  check_settings(a.config);
  if (a.explain && a.json) refuse("explain: contradicts json; expected one of the two");
  const Config defaults;
  for (const char* idle : {"device", "threads", "seeds"})
    if (const Option& o = *find_option(idle); o.get(a.config) != o.get(defaults))
      refuse(fmt::format("{}: {} would have no effect; gradcheck runs every method that is there, for one seed", idle,
                         text_value(o, a.config)));
  return a;
}

Arguments parse_info(const CommandHelp& help, CommandLine line) {
  Parser parser(help);
  InfoArguments a;
  ConfigArguments config(parser.app(), {});
  parser.flag("--json", a.json, "print it as one JSON object");
  if (parse(parser.app(), line.first, line.last)) return Text{parser.help()};
  a.config = config.resolve();
  return a;
}

}  // namespace

Arguments parse_arguments(int argc, const char* const* argv) {
  constexpr Arguments (*parsers[])(const CommandHelp&, CommandLine) = {parse_train,     parse_eval,      parse_bench,
                                                                       parse_reproduce, parse_gradcheck, parse_info};
  const std::span<const CommandHelp> commands = command_help();
  std::vector<std::string> names;
  for (const CommandHelp& c : commands) names.emplace_back(c.name);
  if (argc < 2) refuse(fmt::format("command: missing; expected one of {} (see cupg --help)", fmt::join(names, ", ")));
  const std::string_view name = argv[1];
  if (name == "--version") return Text{fmt::format("cupg {}\n", version())};
  if (name == "--help" || name == "-h" || name == "help") return Text{main_help()};
  if (name.starts_with("-")) refuse(unknown_name("option", name, {"--help", "--version"}));
  for (std::size_t i = 0; i < commands.size(); ++i)
    if (name == commands[i].name) return parsers[i](commands[i], {argv + 2, argv + argc});
  refuse(unknown_name("command", name, names));
}

}  // namespace cupg::cli

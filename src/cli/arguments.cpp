#include "src/cli/arguments.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <span>
#include <tuple>

#include "cupg/environment.hpp"
#include "cupg/error.hpp"
#include "src/api/text.hpp"
#include "src/cli/parser.hpp"
#include "src/io/version.hpp"
#include "src/report/comparison.hpp"
#include "src/report/text.hpp"
#include "src/reproduce/reproduce.hpp"

namespace cupg::cli {
namespace {

using Takes = OptionHelp::Takes;

void check_choice(const char* what, const std::string& name, const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), name) == known.end()) refuse(unknown_name(what, name, known));
}

constexpr const char* kSettingsOfTrain = "ENV and every setting of cupg train are taken as well; see cupg train --help.";
constexpr double kMostSeed = 9223372036854775807.0;
constexpr const char* kJson = "print the result as one JSON object";

/// The options of a training that are no settings.
class TellingOptions {
 public:
  TellingOptions(Parser& parser, Telling& telling) : telling_(telling) {
    parser.option({.name = "checkpoint-seconds",
                   .help = "time between two checkpoints, from which cupg resume goes on after a kill; 0: as often as can be",
                   .value = "S",
                   .standard = seconds_},
                  seconds_);
    parser.flag("tensorboard", "write the learning curves as TensorBoard's event files, too", telling.tensorboard);
    parser.flag("quiet", "no progress, the result in a line or two", telling.quiet);
    parser.flag("json", kJson, telling.json);
  }
  void resolve(const char* command, const CommandLine& line) {
    telling_.checkpoint_seconds = static_cast<int>(count_of("checkpoint-seconds", seconds_, 0, 1000000));
    telling_.command = fmt::format("cupg {}", command);
    for (const char* const* word = line.first; word != line.last; ++word) telling_.command += " " + quoted_for_shell(*word);
  }

 private:
  Telling& telling_;
  std::string seconds_ = "60";
};

Arguments parse_train(const CommandHelp& help, const CommandLine& line) {
  Parser parser(help);
  TrainArguments a;
  std::string run;
  bool print_config = false, no_save = false;
  ConfigArguments config(parser, {});
  parser.command().settings = "the defaults in parentheses";
  CLI::Option* run_option = parser.option(
      {.name = "run", .help = "where to save the run", .takes = Takes::folder, .value = "DIR", .standard = "runs/ENV-ALGO-seedS"}, run);
  parser.flag("no-save", "write nothing", no_save);
  TellingOptions telling(parser, a);
  parser.flag("print-config", "print the settings as TOML that --config reads back, and train nothing", print_config);
  if (parser.parse(line)) {
    if (line.described == nullptr) config.show_defaults(parser.command());
    return Text{parser.help()};
  }
  a.config = config.resolve(*line.notes);
  a.given = config.given();
  a.save = !no_save;
  telling.resolve(help.name, line);
  if (run_option->count() > 0) a.run = run;
  if (a.run && no_save) refuse("run: contradicts no-save; expected one of the two");
  if (a.quiet) line.notes->clear();
  if (!print_config) return a;
  if (a.json) refuse("json: contradicts print-config; expected one of the two");
  check_settings(a.config);
  return Text{write_config(a.config)};
}

Arguments parse_resume(const CommandHelp& help, const CommandLine& line) {
  Parser parser(help);
  ResumeArguments a;
  std::string run, steps;
  parser.argument({.name = "RUN", .help = "the folder of a run", .takes = Takes::folder, .required = true}, run);
  parser.option({.name = "steps",
                 .help = "environment steps after which an agent stops, those before included; not fewer than before",
                 .value = "N",
                 .standard = "as before"},
                steps);
  TellingOptions telling(parser, a);
  ConfigArguments machine(parser, {}, {kMachineOptions.begin(), kMachineOptions.end()});
  parser.command().settings = "--device, --isa, --math and --threads are those of cupg train, and as before where they are not given.";
  if (parser.parse(line)) return Text{parser.help()};
  if (run.empty()) refuse("RUN: missing; expected a run folder, as in cupg resume runs/CartPole-v1-a2c-seed1");
  a.run = run;
  telling.resolve(help.name, line);
  if (!steps.empty()) a.steps = count_of("steps", steps, 1, 9e15);
  a.machine = machine.resolve(*line.notes);
  a.given = machine.given();
  if (a.quiet) line.notes->clear();
  return a;
}

/// The options that say whose policy a command takes.
class PolicyOptions {
 public:
  explicit PolicyOptions(Parser& parser) : name_(parser.command().head.name) {
    parser.argument({.name = "RUN", .help = "a run folder, or a policy.safetensors", .takes = Takes::file, .required = true}, path_);
    parser.option({.name = "agent-seed", .help = "whose policy, of a run with several seeds", .value = "S"}, agent_seed_);
    parser.flag("last", "the policy at the end of the training (what is taken unless --best is given)", last_);
    parser.flag("best", "the best policy that a check has seen on the way", best_);
  }

  PolicyChoice resolve() const {
    if (path_.empty())
      refuse(fmt::format("RUN: missing; expected a run folder or a policy file, as in cupg {} runs/CartPole-v1-a2c-seed1", name_));
    if (best_ && last_) refuse("best: contradicts last; expected one of the two");
    PolicyChoice choice{.path = path_, .agent_seed = {}, .best = best_};
    if (!agent_seed_.empty()) choice.agent_seed = static_cast<std::uint64_t>(count_of("agent-seed", agent_seed_, 0, kMostSeed));
    return choice;
  }

 private:
  const char* name_;
  std::string path_, agent_seed_;
  bool last_ = false, best_ = false;
};

/// The options of a command that plays a saved policy.
class PlayingOptions {
 public:
  PlayingOptions(Parser& parser, const OptionHelp& episodes) : policy_(parser) {
    parser.option(episodes, episodes_);
    parser.flag("greedy", "always the most likely action (what is done unless --sample is given)", greedy_);
    parser.flag("sample", "actions drawn from the policy", sample_);
    parser.option({.name = "seed", .help = "seed of the episodes", .value = "S", .standard = seed_}, seed_);
  }

  Playing resolve() const {
    const Playing playing{policy_.resolve(), !sample_, static_cast<std::uint64_t>(count_of("seed", seed_, 0, kMostSeed))};
    if (greedy_ && sample_) refuse("greedy: contradicts sample; expected one of the two");
    return playing;
  }
  /// Nothing where none are given.
  std::optional<int> episodes(int most) const {
    if (episodes_.empty()) return std::nullopt;
    return static_cast<int>(count_of("episodes", episodes_, 1, most));
  }

 private:
  PolicyOptions policy_;
  std::string episodes_, seed_ = "0";
  bool greedy_ = false, sample_ = false;
};

Arguments parse_verify(const CommandHelp& help, const CommandLine& line) {
  Parser parser(help);
  VerifyArguments a;
  std::string run;
  parser.argument({.name = "RUN", .help = "the folder of a finished run", .takes = Takes::folder, .required = true}, run);
  parser.flag("quiet", "no progress", a.quiet);
  parser.flag("json", kJson, a.json);
  ConfigArguments machine(parser, {}, {kMachineOptions.begin(), kMachineOptions.end()});
  parser.command().settings = "--device, --isa, --math and --threads are those of cupg train, and the run's where they are not given.";
  if (parser.parse(line)) return Text{parser.help()};
  if (run.empty()) refuse("RUN: missing; expected a run folder, as in cupg verify runs/CartPole-v1-a2c-seed1");
  a.run = run;
  a.machine = machine.resolve(*line.notes);
  a.given = machine.given();
  return a;
}

Arguments parse_eval(const CommandHelp& help, const CommandLine& line) {
  Parser parser(help);
  EvalArguments a;
  PlayingOptions playing(
      parser, {.name = "episodes", .help = "episodes to play, each in an environment of its own", .value = "N", .standard = "1000"});
  parser.flag("json", kJson, a.json);
  ConfigArguments machine(parser, {}, {"device", "isa", "threads"});
  parser.command().settings = "--device, --isa and --threads are those of cupg train.";
  if (parser.parse(line)) return Text{parser.help()};
  static_cast<Playing&>(a) = playing.resolve();
  a.episodes = playing.episodes(16777216).value_or(a.episodes);
  a.machine = machine.resolve(*line.notes);
  return a;
}

Arguments parse_export(const CommandHelp& help, const CommandLine& line) {
  Parser parser(help);
  ExportArguments a;
  std::vector<std::string> names;
  for (const ExportFormat& f : export_formats()) names.emplace_back(f.name);
  std::string format, output;
  PolicyOptions policy(parser);
  CLI::Option* format_option =
      parser.option({.name = "format", .help = "what to write", .takes = Takes::choice, .value = "NAME", .choices = names}, format);
  CLI::Option* output_option = parser.option(
      {.name = "output", .help = "where to", .takes = Takes::file, .value = "FILE", .standard = "beside the policy, as policy.onnx"},
      output);
  if (parser.parse(line)) return Text{parser.help()};
  a.choice = policy.resolve();
  if (format.empty()) refuse(fmt::format("format: missing; expected one of {}", fmt::join(names, ", ")));
  check_choice("format", format, names);
  if (format_option->count() > 1) refuse(fmt::format("format: {} of them; expected one, and a command for each", format_option->count()));
  for (const ExportFormat& f : export_formats())
    if (format == f.name) a.format = &f;
  if (output_option->count() > 0) a.output = output;
  return a;
}

Arguments parse_play(const CommandHelp& help, const CommandLine& line) {
  Parser parser(help);
  PlayArguments a;
  std::string speed = "1", gif, frames = "25", width = "400";
  PlayingOptions playing(parser,
                         {.name = "episodes", .help = "episodes to play", .value = "N", .standard = "until you quit; one with --gif"});
  parser.option({.name = "speed", .help = "how many times as fast as the environment's own time", .value = "X", .standard = speed}, speed);
  CLI::Option* gif_option =
      parser.option({.name = "gif", .help = "write an animation, and draw nothing here", .takes = Takes::file, .value = "FILE"}, gif);
  CLI::Option* frames_option =
      parser.option({.name = "fps", .help = "gif: frames a second, at most", .value = "N", .standard = frames}, frames);
  CLI::Option* width_option = parser.option({.name = "width", .help = "gif: pixels", .value = "N", .standard = width}, width);
  if (parser.parse(line)) return Text{parser.help()};
  static_cast<Playing&>(a) = playing.resolve();
  a.episodes = playing.episodes(1000);
  a.speed = real_of("speed", speed, 0.01, 100);
  if (gif_option->count() > 0) a.gif = gif;
  for (const auto& [name, option, text] : {std::tuple("fps", frames_option, &frames), std::tuple("width", width_option, &width)})
    if (option->count() > 0 && !a.gif) refuse(fmt::format("{}: {} would have no effect; it needs gif", name, *text));
  a.frames = static_cast<int>(count_of("fps", frames, 1, 50));
  a.width = static_cast<int>(count_of("width", width, 16, 2000));
  return a;
}

Arguments parse_report(const CommandHelp& help, const CommandLine& line) {
  Parser parser(help);
  ReportArguments a;
  std::string run, output, quantiles, agent_seed;
  parser.argument({.name = "RUN", .help = "the folder of a finished run", .takes = Takes::folder, .required = true}, run);
  CLI::Option* output_option = parser.option(
      {.name = "output", .help = "where the page goes", .takes = Takes::file, .value = "FILE.html", .standard = "RUN/report.html"}, output);
  CLI::Option* quantiles_option = parser.option({.name = "quantiles",
                                                 .help = "also the quantiles of every metric over the agents, as a table",
                                                 .takes = Takes::file,
                                                 .value = "FILE.csv"},
                                                quantiles);
  parser.option(
      {.name = "agent-seed", .help = "whose policy the page has, of a run with several seeds", .value = "S", .standard = "the first one's"},
      agent_seed);
  if (parser.parse(line)) return Text{parser.help()};
  if (run.empty()) refuse("RUN: missing; expected a run folder, as in cupg report runs/CartPole-v1-a2c-seed1");
  a.run = run;
  if (output_option->count() > 0) a.output = output;
  if (quantiles_option->count() > 0) a.quantiles = quantiles;
  if (a.quantiles && a.quantiles == a.output.value_or(a.run / "report.html"))
    refuse(fmt::format("quantiles: {}; expected another file than the page's", in_quotes(quantiles)));
  if (!agent_seed.empty()) a.agent_seed = static_cast<std::uint64_t>(count_of("agent-seed", agent_seed, 0, kMostSeed));
  return a;
}

Arguments parse_compare(const CommandHelp& help, const CommandLine& line) {
  Parser parser(help);
  CompareArguments a;
  std::vector<std::string> runs;
  std::string svg;
  parser.arguments({.name = "RUN",
                    .help = "the folders of finished runs, or CSV files of other programs (seed, step, return); the first is what the "
                            "others are compared with",
                    .takes = Takes::file,
                    .required = true},
                   runs);
  CLI::Option* svg_option = parser.option(
      {.name = "svg", .help = "also draw learning curves and performance profiles", .takes = Takes::file, .value = "FILE.svg"}, svg);
  parser.flag("quiet", "no progress, a line a comparison", a.quiet);
  parser.flag("json", kJson, a.json);
  if (parser.parse(line)) return Text{parser.help()};
  if (runs.size() < 2 || runs.size() > kMostCompared)
    refuse(fmt::format("RUN: {} of them; expected 2 to {}, as in cupg compare runs/CartPole-v1-a2c-seeds1-10 sb3.csv", runs.size(),
                       kMostCompared));
  a.runs.assign(runs.begin(), runs.end());
  if (svg_option->count() > 0) a.svg = svg;
  if (a.svg && a.svg->extension() != ".svg") refuse(fmt::format("svg: {}; expected the name of a file that ends in .svg", in_quotes(svg)));
  return a;
}

/// A setting that was given has an effect at some point, at least.
void refuse_idle(const SweepArguments& a) {
  const std::vector<SweepPoint> points = sweep_points(a.plan);
  for (const GivenSetting& g : a.given) {
    const Option* option = find_option(g.name);
    if (option == nullptr) continue;
    if (const std::string_view needs = missing(*option, a.plan, points); !needs.empty())
      refuse(fmt::format("{}: {} would have no effect; it needs {}", g.name, text_value(*option, a.plan.config), needs));
  }
}

Arguments parse_sweep(const CommandHelp& help, const CommandLine& line) {
  Parser parser(help);
  SweepArguments a;
  std::string file, run, resume;
  std::map<std::string, std::string> own;
  Config defaults;
  defaults.seeds = 10;
  CLI::Option* const file_option = parser.argument(
      {.name = "FILE", .help = "a TOML file of settings with a table [sweep]; its name ends in .toml", .takes = Takes::file}, file);
  ConfigArguments config(parser, defaults);
  parser.command().settings = fmt::format(
      "{} Several values sweep a setting: --lr 0.003,0.01 or, drawn at random, --lr log:1e-4:1e-1 or --gamma uniform:0.9:1; "
      "log:1e-4:1e-1:7 is a grid of seven; widths stand between slashes, as in --hidden 16/64,64. Default that differs: "
      "--seeds {}.",
      kSettingsOfTrain, defaults.seeds);
  for (const SweepOption& o : sweep_options())
    parser.option({.name = o.name, .help = o.help, .value = "N", .standard = o.unset}, own[o.name]);
  CLI::Option* const run_option = parser.option(
      {.name = "run", .help = "where to keep the sweep", .takes = Takes::folder, .value = "DIR", .standard = "runs/sweep-ENV-ALGO"}, run);
  CLI::Option* const resume_option = parser.option(
      {.name = "resume", .help = "go on with a sweep that was interrupted or killed", .takes = Takes::folder, .value = "DIR"}, resume);
  parser.flag("quiet", "no progress, the result in a line", a.quiet);
  parser.flag("json", kJson, a.json);
  if (parser.parse(line)) return Text{parser.help()};
  config.sweep(a.plan, file_option->count() > 0 ? file : "");
  a.plan.config = config.resolve(*line.notes);
  a.given = config.given();
  for (const SweepOption& o : sweep_options())
    if (const std::string& text = own[o.name]; !text.empty()) a.plan.settings.*o.field = count_of(o.name, text, o.range.low, o.range.high);
  if (run_option->count() > 0) a.run = run;
  if (a.quiet) line.notes->clear();
  if (resume_option->count() == 0) {
    finish_plan(a.plan);
    refuse_idle(a);
    return a;
  }
  a.resume = resume;
  if (a.run) refuse("run: contradicts resume; expected one of the two");
  for (const auto& [name, text] : own)
    if (!text.empty()) refuse(fmt::format("{}: {} would have no effect; the sweep that goes on has its own", name, one_line(text)));
  for (const GivenSetting& g : a.given)
    if (std::find(kMachineOptions.begin(), kMachineOptions.end(), g.name) == kMachineOptions.end())
      refuse(fmt::format("{}: would have no effect; of settings, a sweep that goes on takes device, isa, math and threads", g.name));
  a.machine = a.plan.config;
  return a;
}

Arguments parse_bench(const CommandHelp& help, const CommandLine& line) {
  Parser parser(help);
  BenchArguments a;
  std::string updates, actions, repeat = "5";
  const std::vector<std::string> kinds{"train", "rollout", "env"}, steering{"random", "balance"};
  parser.argument({.name = "WHAT",
                   .help = "what to time: whole updates, rollouts alone, environments alone",
                   .takes = Takes::choice,
                   .standard = a.kind,
                   .choices = kinds},
                  a.kind);
  // a batch that keeps the machine busy; a training's own default is made for learning fast
  Config defaults;
  defaults.envs = 2048;
  defaults.horizon = 32;
  ConfigArguments config(parser, defaults, {}, "updates");
  parser.command().settings =
      fmt::format("{} Defaults that differ: --envs {}, --horizon {}.", kSettingsOfTrain, defaults.envs, defaults.horizon);
  parser.option({.name = "updates", .help = "updates to time", .value = "N", .standard = "as many as take about a second"}, updates);
  CLI::Option* actions_option = parser.option({.name = "actions",
                                               .help = "env: what acts; balance: a hand-written policy with long episodes",
                                               .takes = Takes::choice,
                                               .value = "NAME",
                                               .standard = "balance where there is one",
                                               .choices = steering},
                                              actions);
  parser.option({.name = "repeat", .help = "timings; the median counts", .value = "R", .standard = repeat}, repeat);
  parser.flag("json", kJson, a.json);
  if (parser.parse(line)) return Text{parser.help()};
  check_choice("bench", a.kind, kinds);
  if (!actions.empty()) check_choice("actions", actions, steering);
  if (actions_option->count() > 0 && a.kind != "env") refuse("actions: " + actions + " would have no effect; it needs bench env");
  if (!updates.empty()) a.updates = count_of("updates", updates, 1, 1e9);
  a.repeat = static_cast<int>(count_of("repeat", repeat, 1, 10000));
  a.config = config.resolve(*line.notes);
  a.balance = actions.empty() ? find_environment(a.config.environment).balances : actions == "balance";
  if ((a.config.device == Device::reference || a.config.device == Device::cuda) && a.kind != "train")
    refuse(fmt::format("device: {} would have no effect; it needs bench train", a.config.device == Device::cuda ? "cuda" : "reference"));
  return a;
}

Arguments parse_reproduce(const CommandHelp& help, const CommandLine& line) {
  Parser parser(help);
  ReproduceArguments a;
  std::vector<std::string> names;
  for (const ReproductionInfo& r : reproductions()) names.emplace_back(r.name);
  std::string markdown, threads = "0";
  parser.arguments({.name = "PRESET", .help = "rows of the table", .takes = Takes::choice, .standard = "all", .choices = names}, a.presets);
  CLI::Option* markdown_option = parser.option({.name = "markdown",
                                                .help = "also write the table as Markdown; in a page that has one, in its place",
                                                .takes = Takes::file,
                                                .value = "FILE"},
                                               markdown);
  parser.option({.name = "threads", .help = "0: as many processors as the process may use", .value = "N", .standard = threads}, threads);
  parser.flag("json", "print the table as one JSON object", a.json);
  if (parser.parse(line)) return Text{parser.help()};
  for (const std::string& name : a.presets) check_choice("preset", name, names);
  if (a.presets.empty()) a.presets = names;
  if (markdown_option->count() > 0) a.markdown = markdown;
  a.threads = static_cast<int>(count_of("threads", threads, 0, 1024));
  return a;
}

Arguments parse_gradcheck(const CommandHelp& help, const CommandLine& line) {
  Parser parser(help);
  GradcheckArguments a;
  std::string samples = "64", plot;
  ConfigArguments config(parser, {});
  parser.command().settings = kSettingsOfTrain;
  parser.option({.name = "samples", .help = "samples of the rollout, at most", .value = "N", .standard = samples}, samples);
  CLI::Option* plot_option = parser.option(
      {.name = "plot", .help = "draw the errors of differences over their step", .takes = Takes::file, .value = "FILE.svg"}, plot);
  parser.flag("explain", "walk through one sample, with its numbers", a.explain);
  parser.flag("json", kJson, a.json);
  if (parser.parse(line)) return Text{parser.help()};
  a.samples = static_cast<int>(count_of("samples", samples, 1, 4096));
  if (plot_option->count() > 0) a.plot = plot;
  a.config = config.resolve(*line.notes);
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

Arguments parse_info(const CommandHelp& help, const CommandLine& line) {
  Parser parser(help);
  InfoArguments a;
  ConfigArguments config(parser, {});
  parser.command().settings = kSettingsOfTrain;
  parser.flag("json", "print it as one JSON object", a.json);
  if (parser.parse(line)) return Text{parser.help()};
  a.config = config.resolve(*line.notes);
  return a;
}

Arguments parse_completion(const CommandHelp& help, const CommandLine& line) {
  Parser parser(help);
  const std::vector<std::string> shells{"bash", "zsh", "fish"};
  std::string shell;
  parser.argument({.name = "SHELL", .help = "whose script to print", .takes = Takes::choice, .choices = shells, .required = true}, shell);
  if (parser.parse(line)) return Text{parser.help()};
  if (shell.empty()) refuse("SHELL: missing; expected one of bash, zsh, fish");
  check_choice("completion", shell, shells);
  return Text{completion(shell, describe_commands())};
}

Arguments parse_help(const CommandHelp& help, const CommandLine& line) {
  Parser parser(help);
  std::string command;
  bool man = false;
  std::vector<std::string> names;
  for (const CommandHelp& c : command_help()) names.emplace_back(c.name);
  parser.argument({.name = "COMMAND", .help = "whose options to tell", .takes = Takes::choice, .choices = names}, command);
  parser.flag("man", "print the manual page cupg.1", man);
  if (parser.parse(line)) return Text{parser.help()};
  if (man) return Text{man_page(describe_commands())};
  if (command.empty()) return Text{main_help()};
  const char* const words[] = {"cupg", command.c_str(), "--help"};  // which refuses an unknown one
  return parse_arguments(3, words, *line.notes);
}

constexpr Arguments (*kParsers[])(const CommandHelp&, const CommandLine&) = {
    parse_train,  parse_resume, parse_eval,      parse_export,    parse_play, parse_report,     parse_compare, parse_sweep,
    parse_verify, parse_bench,  parse_reproduce, parse_gradcheck, parse_info, parse_completion, parse_help};

}  // namespace

std::vector<Command> describe_commands() {
  std::vector<Command> commands(command_help().size());
  for (std::size_t i = 0; i < commands.size(); ++i) {
    CommandLine line;
    line.described = &commands[i];
    kParsers[i](command_help()[i], line);
  }
  return commands;
}

void take_given(Config& config, const std::vector<GivenSetting>& given, const Config& from) {
  for (const GivenSetting& g : given) {
    const Option& option = *find_option(g.name);
    option.set(config, option.get(from));
  }
}

Arguments parse_arguments(int argc, const char* const* argv, Notes& notes) {
  const std::span<const CommandHelp> commands = command_help();
  std::vector<std::string> names;
  for (const CommandHelp& c : commands) names.emplace_back(c.name);
  if (argc < 2) refuse(fmt::format("command: missing; expected one of {} (see cupg --help)", fmt::join(names, ", ")));
  const std::string_view name = argv[1];
  if (name == "--version") return Text{fmt::format("cupg {}\n", version())};
  if (name == "--help" || name == "-h") return Text{main_help()};
  if (name.starts_with("-")) refuse(unknown_name("option", name, {"--help", "--version"}));
  for (std::size_t i = 0; i < commands.size(); ++i)
    if (name == commands[i].name) return kParsers[i](commands[i], {argv + 2, argv + argc, &notes});
  refuse(unknown_name("command", name, names));
}

}  // namespace cupg::cli

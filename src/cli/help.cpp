#include "src/cli/help.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "src/io/version.hpp"

namespace cupg::cli {
namespace {

constexpr CommandHelp kCommands[] = {
    {"train", "Trains agents and saves the run.",
     "  cupg train                        the default network, until it is solved\n"
     "  cupg train --seeds 1000           a thousand agents and their statistics\n"
     "  cupg train --algo ppo --help      the settings that PPO begins with\n"
     "  cupg train --hidden 64,64 --activation tanh --lr 3e-3\n"
     "  cupg train --config run.toml --steps 2e6\n"
     "  cupg train --preset cleanrl-ppo --print-config > ppo.toml\n"
     "  cupg train --json --quiet | jq .summary\n",
     "0 finished, solved or not; 1 the run failed; 2 usage or configuration; 3 a device is missing; 130 interrupted."},
    {"resume", "Goes on with a run, to the bits it would have had.",
     "  cupg resume runs/CartPole-v1-ppo-seed1     after Ctrl-C, a kill, a power cut\n"
     "  cupg resume runs/CartPole-v1-ppo-seed1 --steps 1e7\n"
     "                                    trains longer\n"
     "  cupg resume my-run --device cpu --threads 8\n",
     "as of cupg train."},
    {"eval", "Plays episodes with a saved policy.",
     "  cupg eval runs/CartPole-v1-a2c-seed1        1,000 greedy episodes\n"
     "  cupg eval runs/CartPole-v1-a2c-seed1 --sample --episodes 1e4\n"
     "  cupg eval policy.safetensors --json\n"},
    {"export", "Writes a saved policy for other programs.",
     "  cupg export runs/CartPole-v1-a2c-seed1 --format onnx    for ONNX Runtime\n"
     "  cupg export runs/CartPole-v1-a2c-seed1 --format c --output src/policy.h\n"
     "                                    a C99 header for microcontrollers\n"
     "  cupg export runs/seeds --agent-seed 3 --best --format safetensors \\\n"
     "    --output policy.safetensors     for PyTorch\n",
     "0 written; 1 the file cannot be written; 2 usage, the run or the policy. A file that an export has written is replaced; any other "
     "that is "
     "there, and every policy.safetensors, is left alone, with status 2."},
    {"play", "Shows a saved policy playing, in the terminal or as an animation.",
     "  cupg play runs/CartPole-v1-a2c-seed1        until you quit; arrows push it\n"
     "  cupg play runs/CartPole-v1-a2c-seed1 --sample --speed 0.5\n"
     "  cupg play policy.safetensors --gif cartpole.gif --width 600\n",
     "0 finished; 2 usage, an input file, or no terminal to draw on; 3 --gif needs a plug-in that is missing; 130 interrupted."},
    {"report", "Writes a run as one HTML page: curves, weights, replays.",
     "  cupg report runs/CartPole-v1-a2c-seed1      report.html in that folder\n"
     "  cupg report runs/CartPole-v1-a2c-seeds1-100 --agent-seed 7\n"
     "  cupg report runs/CartPole-v1-a2c-seed1 --output page.html\n"
     "  cupg report runs/CartPole-v1-a2c-seeds1-100 --quantiles bands.csv\n"},
    {"compare", "Holds runs against each other: curves, differences, intervals.",
     "  cupg compare runs/CartPole-v1-a2c-seeds1-100 runs/CartPole-v1-ppo-seeds1-100\n"
     "  cupg compare runs/CartPole-v1-ppo-seeds1-10 cleanrl.csv sb3.csv\n"
     "                                    CSV: columns seed, step, return\n"
     "  cupg compare a b --svg curves.svg\n"
     "  cupg compare a b --json | jq .comparisons\n"},
    {"sweep", "Trains many settings and ranks them, with intervals.",
     "  cupg sweep --lr 0.003,0.01,0.03 --gamma 0.98,0.99,0.995 --seeds 20\n"
     "  cupg sweep --lr log:1e-4:1e-1 --entropy-coef uniform:0:0.05 --points 100\n"
     "  cupg sweep --hidden 16/64/64,64 --lr log:1e-3:1e-1:7 --halving 3\n"
     "  cupg sweep lr.toml --run runs/lr            a file: docs/sweep.md\n"
     "  cupg sweep --resume runs/lr       after Ctrl-C, a kill, a power cut\n",
     "0 finished; 1 it failed; 2 usage or configuration; 3 a device is missing; 130 interrupted, and --resume goes on."},
    {"verify", "Trains a run again and compares the parameters.",
     "  cupg verify runs/CartPole-v1-a2c-seed1     one's own, or a stranger's\n"
     "  cupg verify their-run --device cpu --isa scalar --json\n",
     "0 every agent has the receipt's parameters, to the bit; 1 one has not; 2 usage, or no receipt; 130 interrupted."},
    {"bench", "Times training, rollouts or environments.",
     "  cupg bench                        whole updates of many environments\n"
     "  cupg bench rollout --threads 1 --isa avx2\n"
     "  cupg bench env --actions random --envs 4096 --json\n"},
    {"reproduce", "Holds published claims against what this build measures.",
     "  cupg reproduce                    every row of the table, in a minute\n"
     "  cupg reproduce cleanrl-ppo garza-reinforce\n"
     "  cupg reproduce --markdown table.md --json\n",
     "0 no claim is \"not met\"; 1 one is; 2 usage; 130 interrupted. Met: the claim lies in our 95 % interval. Near: it does not, but what "
     "we require holds, whose source is said with it."},
    {"gradcheck", "Compares numeric, symbolic, automatic and hand-written gradients.",
     "  cupg gradcheck                    the default objective and network\n"
     "  cupg gradcheck --algo ppo --hidden 10,5 --activation tanh --separate\n"
     "  cupg gradcheck --explain          one sample step by step\n"
     "  cupg gradcheck --plot curves.svg --json\n",
     "0 every limit holds; 1 one does not; 2 usage; 3 the program cupg-gradcheck is missing."},
    {"info", "Says what this build, this machine and a configuration are.",
     "  cupg info                         what this build and this machine can do\n"
     "  cupg info --hidden 64,64 --envs 1e6\n"
     "                                    what a training would take, before it does\n"},
    {"completion", "Prints a shell's script that completes commands and options.",
     "  cupg completion bash > ~/.local/share/bash-completion/completions/cupg\n"
     "  cupg completion zsh > ~/.zfunc/_cupg        with ~/.zfunc in fpath\n"
     "  cupg completion fish > ~/.config/fish/completions/cupg.fish\n"},
    {"help", "Tells the options of a command.",
     "  cupg help train                   as cupg train --help\n"
     "  cupg help --man | man -l -        the manual page\n"},
};

constexpr std::size_t kColumns = 80;

/// `text` in lines of at most kColumns, each but the first after `indent` spaces; the first has `used` columns already.
std::string wrapped(const std::string& text, std::size_t used, std::size_t indent) {
  std::string out;
  std::size_t column = used;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find(' ', start), text.size());
    const std::string word = text.substr(start, end - start);
    const bool first = start == 0;
    if (!first && column + 1 + word.size() > kColumns) {
      out += '\n' + std::string(indent, ' ') + word;
      column = indent + word.size();
    } else {
      out += (first ? "" : " ") + word;
      column += word.size() + (first ? 0 : 1);
    }
    start = end + 1;
  }
  return out + '\n';
}

std::string entry(const std::string& left, const std::string& right) {
  constexpr std::size_t kLeft = 26;
  std::string text = "  " + left;
  if (text.size() + 2 > kLeft) {
    text += '\n' + std::string(kLeft, ' ');
  } else {
    text.resize(kLeft, ' ');
  }
  return text + wrapped(right, kLeft, kLeft);
}

std::string entries(const Command& command, bool (*shown)(const OptionHelp&)) {
  std::string text;
  for (const OptionHelp& o : command.options)
    if (shown(o)) text += entry(synopsis(o), description(o));
  return text;
}

std::string settings(const Command& command) {
  std::string text = fmt::format("\nSettings, {}", wrapped(fmt::format("{}:", command.settings), 10, 2)), group;
  for (const OptionHelp& o : command.options) {
    if (!o.setting) continue;
    if (o.group != group) text += fmt::format("\n{}:\n", group = o.group);
    text += entry(synopsis(o), description(o));
  }
  return text;
}

}  // namespace

std::span<const CommandHelp> command_help() { return kCommands; }

std::string synopsis(const OptionHelp& o) {
  if (o.argument) return o.name;
  return fmt::format("--{}{}{}{}{}{}", o.negatable ? "[no-]" : "", o.name, o.other_name.empty() ? "" : ", --", o.other_name,
                     o.value.empty() ? "" : " ", o.value);
}

std::string description(const OptionHelp& o) {
  std::string text = o.help;
  if (!o.choices.empty()) text += fmt::format("; one of {}", fmt::join(o.choices, ", "));
  if (o.argument && o.setting) text += "; also --environment";
  return o.standard.empty() ? text : fmt::format("{} ({})", text, o.standard);
}

std::string usage(const Command& command) {
  std::string text = fmt::format("cupg {}", command.head.name);
  for (const OptionHelp& o : command.options)
    if (o.argument) text += fmt::format(" {}{}{}{}", o.required ? "" : "[", o.name, o.repeats ? "..." : "", o.required ? "" : "]");
  return text + " [OPTIONS]";
}

std::string help_of(const Command& command) {
  const bool told_here = command.head.name == std::string_view("train");
  std::string text = fmt::format("{}\n\nUsage: {}\n", command.head.summary, usage(command));
  const std::string arguments = entries(command, [](const OptionHelp& o) { return o.argument && !o.setting; });
  if (!arguments.empty()) text += fmt::format("\nArguments:\n{}", arguments);
  text += "\nOptions:\n" + entries(command, [](const OptionHelp& o) { return !o.argument && !o.setting; });
  text += entry("-h, --help", "this text");
  if (told_here) {
    text += settings(command);
  } else if (!command.settings.empty()) {
    text += fmt::format("\nSettings:\n  {}", wrapped(command.settings, 2, 2));
  }
  text += fmt::format("\nExamples:\n{}", command.head.examples);
  if (*command.head.status != '\0') text += '\n' + wrapped(fmt::format("Exit status: {}", command.head.status), 0, 2);
  return text;
}

std::string main_help() {
  std::string text = fmt::format("cupg {}: policy gradients for CartPole, with the same bits on every device\n", version());
  text += "\nUsage: cupg COMMAND [OPTIONS]\n\nCommands:\n";
  for (const CommandHelp& c : kCommands) text += fmt::format("  {:<11} {}\n", c.name, c.summary);
  return text +
         "\nOptions:\n"
         "  -h, --help   this text; after a command, that command's options\n"
         "  --version    the version\n"
         "\nExamples:\n"
         "  cupg train                            train, draw the curve, save the run\n"
         "  cupg eval runs/CartPole-v1-a2c-seed1  play 1,000 episodes with its policy\n"
         "  cupg play runs/CartPole-v1-a2c-seed1  watch it\n"
         "  cupg train --seeds 100                a hundred agents and their statistics\n"
         "  cupg bench                            how fast is this machine?\n";
}

}  // namespace cupg::cli

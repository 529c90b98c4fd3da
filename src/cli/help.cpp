#include "src/cli/help.hpp"

#include <fmt/format.h>

#include "src/io/version.hpp"

namespace cupg::cli {
namespace {

constexpr const char* kTrainExamples = R"(Examples:
  cupg train                                    train the default network on CartPole-v1 until it is solved
  cupg train CartPole-v1 --seeds 1000           a thousand agents, and the interval that they give
  cupg train --hidden 64,64 --activation tanh --lr 3e-3
  cupg train --config run.toml --steps 2e6      settings from a file; the command line wins
  cupg train --json --quiet | jq .summary

Exit status: 0 finished, solved or not; 1 the run failed; 2 usage or configuration; 3 a device is missing; 130 interrupted.)";

constexpr const char* kEvalExamples = R"(Examples:
  cupg eval runs/CartPole-v1-a2c-seed1                      1,000 greedy episodes
  cupg eval runs/CartPole-v1-a2c-seed1 --sample --episodes 1e4
  cupg eval policy.safetensors --json)";

constexpr const char* kBenchExamples = R"(Examples:
  cupg bench                                    whole updates with 2,048 environments x 32 steps
  cupg bench rollout --threads 1 --isa avx2
  cupg bench env --actions random --envs 4096 --json)";

constexpr const char* kReproduceExamples = R"(Examples:
  cupg reproduce                                every row of the table, in about two minutes
  cupg reproduce cleanrl-ppo garza-reinforce
  cupg reproduce --markdown table.md --json

Exit status: 0 every claim reproduced; 1 one did not; 2 usage; 130 interrupted.)";

constexpr const char* kGradcheckExamples = R"(Examples:
  cupg gradcheck                                the default objective and network, in every way that there is
  cupg gradcheck --algo ppo --hidden 10,5 --activation tanh --separate
  cupg gradcheck --explain                      one sample step by step, down to the update of one weight
  cupg gradcheck --plot curves.svg --json

Exit status: 0 every limit holds; 1 one does not; 2 usage; 3 the program cupg-gradcheck is missing.)";

constexpr const char* kInfoExamples = R"(Examples:
  cupg info                                     what this build and this machine can do
  cupg info --hidden 64,64 --envs 1e6           what a training would take, before it takes it)";

constexpr CommandHelp kCommands[] = {
    {"train", "Trains agents and saves the run.", kTrainExamples},
    {"eval", "Plays episodes with a saved policy.", kEvalExamples},
    {"bench", "Times training, rollouts or environments.", kBenchExamples},
    {"reproduce", "Holds published claims against what this build measures.", kReproduceExamples},
    {"gradcheck", "Computes one gradient numerically, symbolically, automatically and by hand.", kGradcheckExamples},
    {"info", "Says what this build, this machine and a configuration are.", kInfoExamples},
};

}  // namespace

std::span<const CommandHelp> command_help() { return kCommands; }

std::string main_help() {
  std::string text = fmt::format(
      "cupg {}: policy gradients for CartPole, with the same bits on every device\n\nUsage: cupg COMMAND [OPTIONS]\n\nCommands:\n",
      version());
  for (const CommandHelp& c : kCommands) text += fmt::format("  {:<10} {}\n", c.name, c.summary);
  text += "\nOptions:\n  --help, -h   this text; after a command, that command's options\n  --version    the version\n";
  text +=
      "\nExamples:\n"
      "  cupg train                                    train, draw the learning curve, save the run\n"
      "  cupg eval runs/CartPole-v1-a2c-seed1          play 1,000 episodes with what was learnt\n"
      "  cupg train --seeds 100                        a hundred agents and their statistics\n"
      "  cupg bench                                    how fast is this machine?\n";
  return text;
}

}  // namespace cupg::cli

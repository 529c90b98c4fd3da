#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cupg/config.hpp"
#include "cupg/run.hpp"
#include "src/cli/help.hpp"
#include "src/export/format.hpp"
#include "src/io/config_file.hpp"
#include "src/report/summary.hpp"

namespace cupg::cli {

// The command line, taken apart and checked as far as it can be without doing anything.

struct TrainArguments {
  Config config;
  std::vector<GivenSetting> given;  ///< what of it the command line said
  std::optional<std::filesystem::path> run;
  bool save = true, quiet = false, json = false;
};

/// A policy that was saved.
struct PolicyChoice {
  std::filesystem::path path;  ///< a run folder or a policy file
  std::optional<std::uint64_t> agent_seed;
  bool best = false;  ///< the best policy that a check has seen, where that is not the last one

  std::filesystem::path file() const { return Run::policy_file(path, agent_seed ? &*agent_seed : nullptr, best); }
};

struct EvalArguments {
  Config machine;  ///< device, isa and threads; the rest comes with the policy
  PolicyChoice choice;
  int episodes = 1000;
  bool greedy = true;
  std::uint64_t seed = 0;
  bool json = false;
};

struct ExportArguments {
  PolicyChoice choice;
  const ExportFormat* format = nullptr;
  std::optional<std::filesystem::path> output;
};

struct BenchArguments {
  Config config;
  std::string kind = "train";           ///< train, rollout or env
  std::optional<std::int64_t> updates;  ///< nothing: as many as take about a second
  bool balance = true;                  ///< env: balancing actions, otherwise random ones
  int repeat = 5;
  bool json = false;
};

struct InfoArguments {
  Config config;
  bool json = false;
};

struct ReproduceArguments {
  std::vector<std::string> presets;  ///< empty: all
  std::optional<std::filesystem::path> markdown;
  int threads = 0;
  bool json = false;
};

struct GradcheckArguments {
  Config config;
  int samples = 64;                           ///< of the frozen rollout, at most
  std::optional<std::filesystem::path> plot;  ///< where the curves over h go, as an SVG
  bool explain = false, json = false;
};

/// --help and --version: to be printed as it is.
struct Text {
  std::string text;
};

using Arguments = std::variant<Text, TrainArguments, EvalArguments, ExportArguments, BenchArguments, InfoArguments, ReproduceArguments,
                               GradcheckArguments>;

/// Throws Error (usage, or missing for a device) for whatever is wrong. `notes`: names that were taken for ours, to be told.
Arguments parse_arguments(int argc, const char* const* argv, Notes& notes);
std::vector<Command> describe_commands();

}  // namespace cupg::cli

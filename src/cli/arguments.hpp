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
#include "src/sweep/plan.hpp"

namespace cupg::cli {

// The command line, taken apart and checked as far as it can be without doing anything.

/// How a training tells of itself.
struct Telling {
  bool quiet = false, json = false, tensorboard = false;
  int checkpoint_seconds = 60;
  std::string command;  ///< as it was typed
};

struct TrainArguments : Telling {
  Config config;
  std::vector<GivenSetting> given;  ///< what of it the command line said
  std::optional<std::filesystem::path> run;
  bool save = true;
};

struct ResumeArguments : Telling {
  std::filesystem::path run;
  std::optional<std::int64_t> steps;
  Config machine;                   ///< device, isa, math and threads ...
  std::vector<GivenSetting> given;  ///< ... of which these were said
};

struct VerifyArguments {
  std::filesystem::path run;
  Config machine;                   ///< device, isa, math and threads ...
  std::vector<GivenSetting> given;  ///< ... of which these were said
  bool quiet = false, json = false;
};

/// A policy that was saved.
struct PolicyChoice {
  std::filesystem::path path;  ///< a run folder or a policy file
  std::optional<std::uint64_t> agent_seed;
  bool best = false;  ///< the best policy that a check has seen, where that is not the last one

  std::filesystem::path file() const { return Run::policy_file(path, agent_seed ? &*agent_seed : nullptr, best); }
};

/// How it plays.
struct Playing {
  PolicyChoice choice;
  bool greedy = true;
  std::uint64_t seed = 0;  ///< of the episodes
};

struct EvalArguments : Playing {
  Config machine;  ///< device, isa and threads; the rest comes with the policy
  int episodes = 1000;
  bool json = false;
};

struct ExportArguments {
  PolicyChoice choice;
  const ExportFormat* format = nullptr;
  std::optional<std::filesystem::path> output;
};

struct PlayArguments : Playing {
  std::optional<int> episodes;               ///< nothing: until somebody quits, or one in an animation
  double speed = 1;                          ///< seconds of the environment in one of ours
  std::optional<std::filesystem::path> gif;  ///< where an animation goes, instead of the terminal
  int frames = 25;                           ///< of it, a second
  int width = 400;                           ///< of it, in pixels
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

struct ReportArguments {
  std::filesystem::path run;
  std::optional<std::filesystem::path> output, quantiles;
  std::optional<std::uint64_t> agent_seed;
};

struct CompareArguments {
  std::vector<std::filesystem::path> runs;   ///< folders, and CSV files of other programs; what others are compared with first
  std::optional<std::filesystem::path> svg;  ///< where the picture goes
  bool quiet = false, json = false;
};

struct SweepArguments {
  SweepPlan plan;                               ///< not finished yet
  std::optional<std::filesystem::path> run;     ///< where a new one goes
  std::optional<std::filesystem::path> resume;  ///< the folder of one to go on with, ...
  Config machine;                               ///< ... with device, isa, math and threads ...
  std::vector<GivenSetting> given;              ///< ... of which these were said
  bool quiet = false, json = false;
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

using Arguments =
    std::variant<Text, TrainArguments, ResumeArguments, EvalArguments, ExportArguments, PlayArguments, ReportArguments, CompareArguments,
                 SweepArguments, BenchArguments, InfoArguments, ReproduceArguments, GradcheckArguments, VerifyArguments>;

/// Throws Error (usage, or missing for a device) for whatever is wrong. `notes`: names that were taken for ours, to be told.
Arguments parse_arguments(int argc, const char* const* argv, Notes& notes);
std::vector<Command> describe_commands();
/// The settings that were given, from the configuration into which they were read.
void take_given(Config& config, const std::vector<GivenSetting>& given, const Config& from);

}  // namespace cupg::cli

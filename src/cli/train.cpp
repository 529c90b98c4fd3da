#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "cupg/environment.hpp"
#include "cupg/error.hpp"
#include "cupg/run.hpp"
#include "cupg/trainer.hpp"
#include "src/api/text.hpp"
#include "src/cli/commands.hpp"
#include "src/cli/progress.hpp"
#include "src/cli/terminal.hpp"
#include "src/report/curve.hpp"
#include "src/report/json.hpp"
#include "src/report/summary.hpp"

namespace cupg::cli {
namespace {

constexpr const char* kSaving = "cupg: interrupted: saving; once more discards\n";
constexpr const char* kDiscarding = "cupg: interrupted again: discarded\n";
constexpr const char* kStopping = "cupg: interrupted: stopping\n";
constexpr const char* kSaved = "cupg: interrupted: the run is being saved\n";

TrainResult train_with_progress(const TrainArguments& arguments) {
  catch_interrupts(arguments.save ? kSaving : kStopping, kDiscarding);
  const Config& config = arguments.config;
  TrainProgress progress(config.seeds, has_unicode(), searches(config) ? "searching" : "starting");
  TrainHooks hooks;
  hooks.stop = interrupted;
  hooks.initial_return = true;
  if (!arguments.quiet) hooks.progress = [&](const Progress& p) { progress.take(p); };
  const StatusLine line(arguments.quiet, [&](double seconds, int columns) { return progress.text(seconds, columns); });
  return train(config, hooks);
}

void print_curve(const Config& config, const TrainResult& result) {
  if (result.agents.size() != 1) return;
  const EnvironmentInfo& environment = find_environment(config.environment);
  const CurveStyle style{.columns = std::min(output_columns(), 100),
                         .unicode = has_unicode(),
                         .bottom = std::min(0.0, environment.min_return),
                         .top = std::max(0.0, environment.max_return),
                         .threshold = environment.reward_threshold};
  if (const std::string curve = draw_curve(result.agents[0].curve, style); !curve.empty()) print("\n" + curve + "\n");
}

/// Everything but where it was saved; that is known only when it was.
void print_result(const TrainArguments& arguments, const TrainResult& result) {
  if (arguments.json) return;
  print_wrapped(describe_outcome(arguments.config, result));
  if (arguments.quiet) {
    if (result.agents.size() > 1) print_wrapped(describe_returns(result));
    return;
  }
  print_wrapped(describe_training(arguments.config, result));
  print_curve(arguments.config, result);
}

/// `run`: where it is; empty where it was not saved.
void print_saved(const TrainArguments& arguments, const TrainResult& result, nlohmann::ordered_json json, const std::string& run) {
  if (arguments.json) {
    json["run"] = run.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(run);
    print(dump_line(json));
    return;
  }
  if (!run.empty()) print_wrapped(fmt::format("saved to {}\n", one_line(run)));
  if (!arguments.quiet) print(suggest_next(arguments.config, result, arguments.given, run, output_columns()));
}

}  // namespace

int run_train(const TrainArguments& arguments) {
  const Config& config = arguments.config;
  check(config);
  std::optional<NewRun> folder;
  if (arguments.save) folder = arguments.run ? NewRun(*arguments.run) : NewRun(config);

  const TrainResult result = train_with_progress(arguments);
  if (result.agents.empty()) {
    print_error("cupg: interrupted before the first update; nothing was saved\n");
    return kInterrupted;
  }
  if (arguments.save) hold_interrupts(kSaved);
  print_result(arguments, result);
  const nlohmann::ordered_json json = train_json(config, result);
  const std::string run = folder ? folder->write(config, result, dump_line(json)).string() : "";
  print_saved(arguments, result, json, run);

  if (interrupted()) return kInterrupted;
  const auto diverged = [](const AgentResult& a) { return a.outcome == Outcome::diverged; };
  if (std::all_of(result.agents.begin(), result.agents.end(), diverged)) {
    flush_output();
    const AgentResult& first = result.agents.front();
    throw Error(ErrorKind::runtime, fmt::format("every agent diverged; seed {}: {}", first.seed, first.message));
  }
  return kFinished;
}

}  // namespace cupg::cli

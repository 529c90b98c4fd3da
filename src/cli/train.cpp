#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cupg/environment.hpp"
#include "cupg/error.hpp"
#include "cupg/run.hpp"
#include "cupg/trainer.hpp"
#include "src/cli/commands.hpp"
#include "src/cli/progress.hpp"
#include "src/cli/terminal.hpp"
#include "src/report/curve.hpp"
#include "src/report/json.hpp"
#include "src/report/summary.hpp"
#include "src/text.hpp"

namespace cupg::cli {
namespace {

TrainResult train_with_progress(const Config& config, bool quiet) {
  catch_interrupts();
  ProgressLine line(config.seeds, has_unicode());
  TrainHooks hooks;
  hooks.stop = interrupted;
  hooks.initial_return = true;
  if (!quiet && error_is_terminal()) hooks.progress = [&](const Progress& p) { line.show(p); };
  return train(config, hooks);
}

void print_curve(const Config& config, const TrainResult& result) {
  if (result.agents.size() != 1) return;
  const EnvironmentInfo& environment = find_environment(config.environment);
  const CurveStyle style{.columns = std::min(terminal_columns(), 100),
                         .unicode = has_unicode(),
                         .top = environment.max_return,
                         .threshold = environment.reward_threshold};
  if (const std::string curve = draw_curve(result.agents[0].curve, style); !curve.empty()) print("\n" + curve + "\n");
}

/// Everything but where it was saved; that is known only when it was.
void print_result(const TrainArguments& arguments, const TrainResult& result) {
  if (arguments.json) return;
  print(describe_outcome(arguments.config, result));
  if (arguments.quiet) return;
  print(describe_training(arguments.config, result));
  print_curve(arguments.config, result);
}

void print_saved(const TrainArguments& arguments, const TrainResult& result, nlohmann::ordered_json json, const std::string& run) {
  if (arguments.json) {
    json["run"] = run;
    print(dump_line(json));
  } else {
    print(fmt::format("saved to {}\n", one_line(run)));
    if (!arguments.quiet) print(suggest_next(arguments.config, result, one_line(run)));
  }
}

}  // namespace

int run_train(const TrainArguments& arguments) {
  const Config& config = arguments.config;
  check(config);
  NewRun folder = arguments.run ? NewRun(*arguments.run) : NewRun(config);

  const TrainResult result = train_with_progress(config, arguments.quiet);
  if (result.agents.empty()) {
    print_error("cupg: interrupted before the first update; nothing was saved\n");
    return kInterrupted;
  }
  print_result(arguments, result);
  const nlohmann::ordered_json json = train_json(config, result);
  const std::filesystem::path run = folder.write(config, result, dump_line(json));
  print_saved(arguments, result, json, run.string());

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

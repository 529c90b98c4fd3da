#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "cupg/environment.hpp"
#include "cupg/error.hpp"
#include "cupg/run.hpp"
#include "cupg/trainer.hpp"
#include "src/api/text.hpp"
#include "src/cli/commands.hpp"
#include "src/cli/origin.hpp"
#include "src/cli/progress.hpp"
#include "src/cli/terminal.hpp"
#include "src/export/event_log.hpp"
#include "src/io/options.hpp"
#include "src/io/receipt.hpp"
#include "src/report/curve.hpp"
#include "src/report/json.hpp"
#include "src/report/summary.hpp"
#include "src/report/text.hpp"
#include "src/train/records.hpp"
#include "src/train/resume.hpp"

namespace cupg::cli {
namespace {

constexpr const char* kSaving = "cupg: interrupted: saving; once more leaves at once\n";
constexpr const char* kLeaving = "cupg: interrupted again: left without saving; an earlier checkpoint, if there is one, stays\n";
constexpr const char* kDiscarding = "cupg: interrupted again: discarded\n";
constexpr const char* kStopping = "cupg: interrupted: stopping\n";
constexpr const char* kSaved = "cupg: interrupted: the run is being saved\n";

/// A run on its way: what is trained, and where it goes.
struct Session {
  Config config;
  Telling telling;
  std::vector<GivenSetting> given;            ///< that make this configuration
  NewRun* folder = nullptr;                   ///< none: nothing is saved
  std::optional<Checkpoint> checkpoint = {};  ///< from which it goes on
};

TrainResult train_with_progress(Session& session) {
  catch_interrupts(session.folder != nullptr ? kSaving : kStopping, session.folder != nullptr ? kLeaving : kDiscarding);
  const Config& config = session.config;
  const bool quiet = session.telling.quiet;
  TrainProgress progress(config, has_unicode(), error_is_live() && has_color());
  TrainHooks hooks;
  hooks.stop = interrupted;
  hooks.initial_return = true;
  if (!quiet) hooks.progress = [&](const Progress& p) { progress.take(p); };
  std::string failure;  // the last one; a disk may have room again later
  if (session.folder != nullptr) {
    hooks.checkpoint_seconds = session.telling.checkpoint_seconds;
    hooks.checkpoint = [&](const std::string& bytes) {
      try {
        session.folder->write_checkpoint(config, bytes);
      } catch (const Error& e) {
        if (e.what() != failure) print_over(fmt::format("cupg: {}; the training goes on without this checkpoint\n", one_line(e.what())));
        failure = e.what();
      }
    };
  }
  std::optional<EventLog> events;
  if (session.telling.tensorboard && session.folder != nullptr)
    events.emplace(session.checkpoint ? session.checkpoint->seconds : 0,
                   [&](const std::string& name, std::string_view bytes) { session.folder->append_events(name, bytes); });
  std::string log_failure;  // the last one
  const auto log = [&](const auto& write) {
    try {
      write();
    } catch (const Error& e) {
      if (e.what() != log_failure) print_over(fmt::format("cupg: {}; the training goes on\n", one_line(e.what())));
      log_failure = e.what();
    }
  };
  if (session.folder != nullptr) {
    hooks.point = [&](std::uint64_t seed, const CurvePoint& point) {
      log([&] { session.folder->log(seed, point); });
      if (events) log([&] { events->add(seed, point); });
    };
  }
  const StatusLine line(quiet, [&](double seconds, int columns) { return progress.text(seconds, columns); });
  TrainResult result = session.checkpoint ? resume(config, std::move(*session.checkpoint), hooks) : train(config, hooks);
  if (events) log([&] { events->finish(); });
  return result;
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
void print_result(const Session& session, const TrainResult& result) {
  if (session.telling.json) return;
  print_wrapped(describe_outcome(session.config, result));
  if (session.telling.quiet) {
    if (result.agents.size() > 1) print_wrapped(describe_returns(result));
    return;
  }
  print_wrapped(describe_training(session.config, result));
  print_curve(session.config, result);
}

/// `run`: where it is; empty where it was not saved.
void print_saved(const Session& session, const TrainResult& result, nlohmann::ordered_json json, const std::string& run) {
  if (session.telling.json) {
    json["run"] = run.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(run);
    print(dump_line(json));
    return;
  }
  if (!run.empty()) print_wrapped(fmt::format("saved to {}\n", one_line(run)));
  if (!session.telling.quiet) print(suggest_next(session.config, result, session.given, run, output_columns()));
}

std::string save(const Session& session, const TrainResult& result, const std::string& json) {
  const Receipt receipt = make_receipt(origin(session.telling.command), session.config, result);
  return session.folder->write(session.config, result, json, encode_receipt(receipt)).string();
}

int run_session(Session session) {
  const TrainResult result = train_with_progress(session);
  if (result.agents.empty()) {
    print_error(fmt::format("cupg: interrupted before the first update; {}\n",
                            session.checkpoint ? "the run stays as it was" : "nothing was saved"));
    return kInterrupted;
  }
  if (session.folder != nullptr) hold_interrupts(kSaved);
  print_result(session, result);
  const nlohmann::ordered_json json = train_json(session.config, result);
  const std::string run = session.folder != nullptr ? save(session, result, dump_line(json)) : "";
  print_saved(session, result, json, run);

  if (interrupted()) return kInterrupted;
  const auto diverged = [](const AgentResult& a) { return a.outcome == Outcome::diverged; };
  if (std::all_of(result.agents.begin(), result.agents.end(), diverged)) {
    flush_output();
    const AgentResult& first = result.agents.front();
    throw Error(ErrorKind::runtime, fmt::format("every agent diverged; seed {}: {}", first.seed, first.message));
  }
  return kFinished;
}

}  // namespace

int run_train(const TrainArguments& arguments) {
  check(arguments.config);
  std::optional<NewRun> folder;
  if (arguments.save) folder = arguments.run ? NewRun(*arguments.run) : NewRun(arguments.config);
  return run_session({arguments.config, arguments, arguments.given, folder ? &*folder : nullptr});
}

int run_resume(const ResumeArguments& arguments) {
  std::string bytes;
  NewRun folder = NewRun::existing(arguments.run, bytes);
  Checkpoint kept = decode_checkpoint(bytes, (arguments.run / "checkpoint.safetensors").string());
  bytes = {};
  Config config = kept.config;
  take_given(config, arguments.given, arguments.machine);
  if (arguments.steps) config.steps = *arguments.steps;
  check(config);
  std::error_code failed;
  const bool whole = std::filesystem::exists(arguments.run / "result.json", failed);
  const bool all_begun = std::ssize(kept.records) == config.seeds;
  const auto has_ended = [&](const auto& numbered) { return !goes_on(numbered.second, config); };
  if (whole && !arguments.json && !arguments.steps && all_begun && std::all_of(kept.records.begin(), kept.records.end(), has_ended)) {
    print_wrapped(fmt::format("{}: every agent has ended; --steps above {} trains those longer that their limit ended\n",
                              one_line(arguments.run.string()), format_count(kept.config.steps)));
    return kFinished;
  }
  const GivenSetting all{"config", {"--config", (arguments.run / "config.toml").string()}};
  return run_session({config, arguments, {all}, &folder, std::move(kept)});
}

}  // namespace cupg::cli

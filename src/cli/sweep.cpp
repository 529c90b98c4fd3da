#include <fmt/format.h>

#include <array>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>

#include "src/api/text.hpp"
#include "src/cli/commands.hpp"
#include "src/cli/progress.hpp"
#include "src/cli/terminal.hpp"
#include "src/report/json.hpp"
#include "src/report/sweep.hpp"
#include "src/report/text.hpp"
#include "src/sweep/folder.hpp"

namespace cupg::cli {
namespace {

constexpr const char* kStopping = "cupg: interrupted: stopping; what has ended is kept\n";
constexpr const char* kLeaving = "cupg: interrupted again: left; what had ended is kept\n";

/// The progress of a sweep, in a line.
class SweepStatus {
 public:
  SweepStatus(const SweepPlan& plan, const std::vector<SweepPoint>& points) : plan_(plan), points_(points) {}

  void take(const SweepProgress& progress) {
    const std::lock_guard lock(mutex_);
    progress_ = progress;
  }

  std::string text(double seconds, int columns) const {
    const std::lock_guard lock(mutex_);
    const SweepProgress& p = progress_;
    if (p.points == 0) return elapsed("starting")(seconds, columns);
    const std::string phase = p.rung >= p.rungs ? "reporting  " : p.rungs > 1 ? fmt::format("rung {}/{}  ", p.rung + 1, p.rungs) : "";
    const double done = p.work_done - p.work_before;
    const std::string left =
        done > 0 ? fmt::format("{}{} left", has_unicode() ? "\u2248" : "~", format_seconds(seconds * (p.work - p.work_done) / done)) : "";
    std::string best;
    if (p.best)
      best = fmt::format("best {} ({})", sweep_figure(plan_.config, p.best->figure),
                         point_text(plan_, points_[static_cast<std::size_t>(p.best_point)]));
    // the last ones go first where there is no room
    const std::array<std::string, 4> parts{fmt::format("{}{}/{} points", phase, p.points_done, p.points), left,
                                           fmt::format("{}/{} agents", format_count(p.agents_done), format_count(p.agents)), best};
    std::string line;
    for (const std::string& part : parts) {
      if (part.empty() || columns_of(line) + 2 + columns_of(part) > columns) continue;
      line += (line.empty() ? "" : "  ") + part;
    }
    return line;
  }

 private:
  const SweepPlan& plan_;
  const std::vector<SweepPoint>& points_;
  mutable std::mutex mutex_;
  SweepProgress progress_;
};

std::optional<SweepResult> train_with_progress(const SweepPlan& plan, const std::vector<SweepPoint>& points, SweepRows& rows,
                                               SweepFolder& folder, bool quiet) {
  catch_interrupts(kStopping, kLeaving);
  SweepStatus status(plan, points);
  SweepHooks hooks;
  hooks.stop = interrupted;
  hooks.row = [&](const SweepRow& row) { folder.append(rows, row); };
  hooks.progress = [&](const SweepProgress& p) { status.take(p); };
  const StatusLine line(quiet, [&](double seconds, int columns) { return status.text(seconds, columns); });
  return cupg::run_sweep(plan, points, rows, hooks);
}

std::unique_ptr<SweepFolder> open_folder(const SweepArguments& arguments, SweepPlan& plan) {
  if (!arguments.resume) return std::make_unique<SweepFolder>(arguments.run, plan);
  auto folder = std::make_unique<SweepFolder>(*arguments.resume, plan);
  take_given(plan.config, arguments.given, arguments.machine);
  finish_plan(plan);
  return folder;
}

}  // namespace

int run_sweep(const SweepArguments& arguments) {
  SweepPlan plan = arguments.plan;
  const std::unique_ptr<SweepFolder> folder = open_folder(arguments, plan);
  const std::vector<SweepPoint> points = sweep_points(plan);
  SweepRows rows(plan, points, rung_steps(plan, points.size()));
  folder->take_rows(rows);
  if (!arguments.json && !arguments.quiet) print_wrapped(sweep_budget_text(plan, points) + "\n");
  flush_output();  // before it is spent
  std::optional<SweepResult> result = train_with_progress(plan, points, rows, *folder, arguments.quiet);
  if (!result) {
    print_error(fmt::format("cupg: interrupted; {} agents are kept: cupg sweep --resume {} goes on\n", format_count(std::ssize(rows)),
                            quoted_for_shell(folder->path().string())));
    return kInterrupted;
  }
  const Sweep sweep{plan, points, std::move(*result)};
  nlohmann::ordered_json json = sweep_json(sweep);
  const std::string where = folder
                                ->finish({{"sweep.toml", write_sweep(plan)},
                                          {"agents.csv", rows.csv()},
                                          {"points.csv", points_csv(sweep)},
                                          {sweep_picture_name(plan), sweep_svg(sweep)},
                                          {"summary.json", dump_line(json)}})
                                .string();
  if (arguments.json) {
    json["run"] = where;
    print(dump_line(json));
    return kFinished;
  }
  if (arguments.quiet) {
    print_wrapped(sweep_line(sweep));
  } else {
    print(sweep_text(sweep, {output_columns(), has_unicode(), output_is_live() && has_color()}));
  }
  print_wrapped(fmt::format("{}saved to {}\n", arguments.quiet ? "" : "\n", one_line(where)));
  return kFinished;
}

}  // namespace cupg::cli

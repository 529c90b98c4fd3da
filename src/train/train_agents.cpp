// The training loop: iterate, check, stop, for all agents of an engine side by side.
#include "src/train/train_agents.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "cupg/environment.hpp"
#include "src/engine/warp_memory.hpp"
#include "src/train/curve_recorder.hpp"

namespace cupg {
namespace {

constexpr double kAnything = -std::numeric_limits<double>::infinity();  // less than any return

/// One agent on its way.
struct Run {
  int number;  // in the queue
  AgentResult result;
  CurveRecorder curve;
  Watch watch;
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  double seconds = 0;       // when it was looked at last
  std::int64_t untold = 0;  // environment steps between that look and the last that was taken
  bool ended = false;
  bool due = false;                         // for a check
  std::optional<AgentProgress> limit = {};  // where it stood when its limits ended it, from where it may go on if they are moved
};

class Loop {
 public:
  Loop(Engine& engine, int slots, const Config& config, Records& records, Reporter& reporter, bool initial_return,
       const CheckSettings& checks, int worker)
      : engine_(engine),
        config_(config),
        environment_(find_environment(config.environment)),
        batch_(config.batch()),
        total_(config.updates()),
        records_(records),
        worker_(worker),
        reporter_(reporter),
        initial_return_(initial_return),
        runs_(static_cast<std::size_t>(slots)) {
    watch_.schedule = CheckSchedule(environment_, checks);
    watch_.threshold = environment_.reward_threshold;
    watch_.max_return = environment_.max_return;
    watch_.updates = total_;
    watch_.steps = config_.steps;
    watch_.every = config_.collect == Collect::episodes ? 1 : static_cast<int>(std::max<std::int64_t>(1, 1024 / batch_));
    watch_.stops = config_.stop_when_solved ? 1 : 0;
    watch_.batch = config_.collect == Collect::episodes ? 0 : batch_;
    watch_.curve.spacing = kCurveUpdates * batch_;
    // a tiled network is measured in lanes, of which few environments leave most empty
    const int envs = std::min(config_.envs, kMeasuredEnvs);
    const bool lanes = network_kind(config_.network()) == NetworkKind::tiled;
    const std::int64_t measured = (lanes ? warps_of(envs) * kWarp : envs) * std::int64_t{kMeasuredUpdates};
    watch_.curve.measured_spacing = measured / (std::int64_t{config_.envs} * config_.epochs) * batch_;
  }

  void operator()() {
    for (fill_slots(); !active().empty(); fill_slots()) {
      begin_training();
      check();
      end_training();
      stop_where_told();
      finish();
      keep();
    }
    records_.leave(worker_);
  }

 private:
  Run& run(int slot) { return *runs_[static_cast<std::size_t>(slot)]; }

  /// Slots in use for which `condition` holds.
  template <class F>
  std::vector<int> slots_where(F condition) {
    std::vector<int> slots;
    for (int s = 0; s < static_cast<int>(runs_.size()); ++s)
      if (runs_[static_cast<std::size_t>(s)] && condition(run(s))) slots.push_back(s);
    return slots;
  }
  std::vector<int> active() {
    return slots_where([](const Run&) { return true; });
  }

  /// Starts the next agents in the slots that are free, or takes up those that were begun before.
  void fill_slots() {
    if (reporter_.stop()) return;
    std::vector<int> fresh, begun, numbers;
    std::vector<Snapshot> snapshots;
    for (int s = 0; s < static_cast<int>(runs_.size()); ++s) {
      auto& place = runs_[static_cast<std::size_t>(s)];
      const int number = place ? -1 : records_.take();
      if (number < 0) continue;
      place.emplace(Run{number, {}, {}, watch_});
      place->result.seed = records_.seed(number);
      reporter_.begin_agent();
      if (const AgentProgress* const progress = records_.begun(number)) {
        go_on(*place, *progress);
        begun.push_back(s);
        numbers.push_back(number);
        snapshots.push_back(progress->snapshot);
      } else {
        engine_.reset(s, place->result.seed, number);
        fresh.push_back(s);
      }
    }
    engine_.load(begun, snapshots, numbers);
    if (!initial_return_ || fresh.empty()) return;
    const std::vector<Evaluation> untrained =
        evaluate(fresh, [](const Run&) { return EvaluationRequest{.episodes = kCheckEpisodes, .block = kInitialBlock}; });
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      if (untrained[i].complete) run(fresh[i]).result.initial_return = untrained[i].mean_return;
      run(fresh[i]).start = std::chrono::steady_clock::now();
    }
  }

  void go_on(Run& run, const AgentProgress& progress) {
    const std::uint64_t seed = run.result.seed;
    run.result = progress.result;
    run.result.seed = seed;
    run.result.updates = progress.snapshot.updates;
    run.result.env_steps = progress.snapshot.taken;
    run.curve = progress.curve;
    run.watch.schedule.go_on(progress.seen);
    run.watch.checks = progress.checks;
    run.watch.last = {progress.episodes, progress.snapshot.updates, progress.snapshot.taken};
    run.watch.curve.next = progress.points.next;
    run.watch.curve.next_measured = progress.points.next_measured;
    run.watch.curve.episodes = progress.points.episodes;
    run.seconds = progress.seconds;
    run.start -= std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(progress.seconds));
    know_best(run);
    see_whether_due(run);
    if (run.watch.solved != 0) reporter_.solved();
  }

  /// Agents that are due for a check wait for it; the others train on meanwhile.
  void begin_training() {
    const std::vector<int> slots = slots_where([](const Run& r) { return !r.due; });
    std::vector<Watch> watches;
    for (const int slot : slots) watches.push_back(run(slot).watch);
    engine_.begin_training(slots, watches);
  }

  void end_training() {
    const std::span<const AgentReport> looks = engine_.end_training();
    for (const AgentReport& look : looks) run(look.agent).untold += look.report.env_steps;
    for (const AgentReport& look : looks)
      if (!look.report.finite || look.report.updates > 0) take(run(look.agent), look.report, look.failed);  // otherwise it was stopped
    remember(slots_where([](const Run& r) { return r.due && r.ended && !r.limit; }));
  }

  /// From where these agents may go on.
  void remember(const std::vector<int>& slots) {
    std::vector<AgentProgress> progress = progress_of(slots);
    for (std::size_t i = 0; i < slots.size(); ++i) run(slots[i]).limit = std::move(progress[i]);
  }

  std::vector<AgentProgress> progress_of(const std::vector<int>& slots) {
    std::vector<Snapshot> snapshots(slots.size());
    engine_.save(slots, snapshots);
    std::vector<AgentProgress> all;
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const Run& r = run(slots[i]);
      all.push_back({r.result, r.curve, r.watch.curve, r.watch.last.episodes, r.watch.checks, r.watch.schedule.seen(), r.seconds,
                     std::move(snapshots[i])});
    }
    return all;
  }

  /// Tells where all agents are, where a checkpoint is to be written.
  void keep() {
    if (!records_.wants(worker_)) return;
    const std::vector<int> slots = active();
    std::vector<AgentProgress> progress = progress_of(slots);
    std::vector<std::pair<int, AgentProgress>> kept;
    for (std::size_t i = 0; i < slots.size(); ++i) kept.emplace_back(run(slots[i]).number, std::move(progress[i]));
    records_.keep(worker_, std::move(kept));
  }

  void take(Run& run, const UpdateReport& report, bool failed) {
    AgentResult& result = run.result;
    result.updates += report.updates;
    result.env_steps += report.env_steps;
    Progressed now = run.watch.last;
    now.episodes += report.episodes;
    now.updates = result.updates;
    now.taken = result.env_steps;
    run.watch.look(now);
    run.watch.looks = 0;  // nobody keeps them here
    if (failed) run.watch.checked();
    // a device tells of many looks at once: they are spread over the time since it told last
    if (run.untold > 0)
      run.seconds += (seconds_since(run.start) - run.seconds) * static_cast<double>(report.env_steps) / static_cast<double>(run.untold);
    run.untold -= report.env_steps;
    run.curve.add(report.episodes);
    reporter_.add(report.env_steps, report.episodes);
    if (run.watch.has_point != 0) {
      run.curve.point(result.env_steps, run.seconds, report.metrics);
      reporter_.point(result.seed, run.curve.points().back());
    }
    if (!report.finite || !report.parameters_finite) {
      result.outcome = Outcome::diverged;
      result.message = fmt::format("a {} became NaN or infinite at update {}; try a smaller learning-rate or max-grad-norm",
                                   report.finite ? "parameter" : "gradient", result.updates + (report.finite ? 0 : 1));
    }
    see_whether_due(run);
  }

  static void see_whether_due(Run& run) {
    const bool diverged = run.result.outcome == Outcome::diverged;
    run.ended = diverged || run.watch.at_end();
    run.due = !diverged && (run.ended || run.watch.due());
  }

  /// Is it solved? The greedy policy's mean over 100 fresh episodes reaches the threshold, and 1,000 more confirm it. Agents that are
  /// due are looked at, and every agent at its end, where the figure is that of the policy that is saved.
  void check() {
    const std::vector<int> due = slots_where([](const Run& r) { return r.due; });
    if (due.empty()) return;
    const auto request = [&](const Run& r, int episodes, std::uint32_t second) {
      return EvaluationRequest{
          .episodes = episodes, .block = check_block(r.watch.checks) + second, .stop_below = r.ended ? kAnything : r.watch.stop_below()};
    };
    const auto passes = [&](const Evaluation& e) { return e.complete && e.mean_return >= environment_.reward_threshold; };
    std::vector<Evaluation> figures = evaluate(due, [&](const Run& r) { return request(r, kCheckEpisodes, 0); });
    std::vector<std::size_t> hopeful;
    std::vector<int> their_slots;
    for (std::size_t i = 0; i < due.size(); ++i)
      if (passes(figures[i])) hopeful.push_back(i), their_slots.push_back(due[i]);
    std::vector<Evaluation> second = evaluate(their_slots, [&](const Run& r) { return request(r, kConfirmEpisodes, 1); });
    if (reporter_.stop()) return;  // they may be incomplete for that; who goes on later makes the checks again
    for (std::size_t i = 0; i < hopeful.size(); ++i) figures[hopeful[i]] = std::move(second[i]);
    for (std::size_t i = 0; i < due.size(); ++i) judge(due[i], figures[i], figures[i].episodes == kConfirmEpisodes && passes(figures[i]));
  }

  void judge(int slot, const Evaluation& figure, bool solved) {
    Run& r = run(slot);
    AgentResult& result = r.result;
    r.due = false;
    if (solved && result.solved_env_steps == 0) {
      result.solved_env_steps = result.env_steps;
      result.solved_seconds = seconds_since(r.start);
      reporter_.solved();
      r.ended = r.ended || config_.stop_when_solved;
    }
    if (figure.complete) {
      const double best = result.best_return.value_or(kAnything);
      if (r.ended ? figure.mean_return >= best : figure.mean_return > best) {  // of equals, the last
        result.best_return = figure.mean_return;
        result.best_env_steps = result.env_steps;
        const std::span<const float> parameters = engine_.parameters(slot);
        result.best_parameters.assign(parameters.begin(), parameters.end());
      }
    }
    know_best(r);
    r.watch.checked();
    if (r.ended) {
      if (figure.complete) result.final_return = figure.mean_return;
      result.outcome = solved ? Outcome::solved : Outcome::finished;
    }
  }

  void know_best(Run& r) const {
    r.watch.best = r.result.best_return.value_or(kAnything);
    r.watch.solved = r.result.solved_env_steps > 0 ? 1 : 0;
    r.watch.may_improve = r.watch.solved == 0 || r.watch.best < environment_.max_return ? 1 : 0;
  }

  void stop_where_told() {
    if (!reporter_.stop()) return;
    const std::vector<int> stopped = slots_where([](const Run& r) { return !r.ended || r.due; });
    remember(stopped);
    for (const int slot : stopped) {
      run(slot).ended = true;
      run(slot).due = false;
      run(slot).result.outcome = Outcome::interrupted;
    }
  }

  /// Hands over the agents that have ended and frees their slots.
  void finish() {
    const std::vector<int> ended = slots_where([](const Run& r) { return r.ended && !r.due; });
    for (const int slot : ended) {
      Run& r = run(slot);
      r.result.seconds = seconds_since(r.start);
      r.result.checks = r.watch.checks;
      const std::span<const float> parameters = engine_.parameters(slot);
      r.result.parameters.assign(parameters.begin(), parameters.end());
      if (r.result.best_env_steps == r.result.env_steps) r.result.best_parameters.clear();
    }
    const std::vector<int> diverged =
        slots_where([](const Run& r) { return r.result.outcome == Outcome::diverged && all_finite(r.result.parameters); });
    const std::vector<Evaluation> last =
        evaluate(diverged, [](const Run&) { return EvaluationRequest{.episodes = kCheckEpisodes, .block = kFinalBlock}; });
    for (std::size_t i = 0; i < diverged.size(); ++i)
      if (last[i].complete) run(diverged[i]).result.final_return = last[i].mean_return;
    for (const int slot : ended) {
      Run& r = run(slot);
      if (r.curve.end(r.result.env_steps, r.result.seconds)) reporter_.point(r.result.seed, r.curve.points().back());
      r.result.curve = std::move(r.curve.points());
      r.result.curve.shrink_to_fit();  // of many agents, most have ended
      reporter_.done(r.number, r.result, config_.steps - std::min(config_.steps, r.result.env_steps));
      records_.end(r.number, {std::move(r.limit), std::move(r.result)});
      runs_[static_cast<std::size_t>(slot)].reset();
    }
  }

  template <class F>
  std::vector<Evaluation> evaluate(const std::vector<int>& slots, F request) {
    std::vector<EvaluationRequest> requests;
    for (const int slot : slots) requests.push_back(request(run(slot)));
    return engine_.evaluate_all(slots, requests);
  }

  Engine& engine_;
  const Config& config_;
  const EnvironmentInfo& environment_;
  const std::int64_t batch_, total_;
  Records& records_;
  const int worker_;
  Reporter& reporter_;
  const bool initial_return_;
  Watch watch_;  // a fresh agent's
  std::vector<std::optional<Run>> runs_;
};

}  // namespace

void train_agents(Engine& engine, int slots, const Config& config, Records& records, Reporter& reporter, bool initial_return,
                  const CheckSettings& checks, int worker) {
  Loop(engine, slots, config, records, reporter, initial_return, checks, worker)();
}

AgentResult train_agent(Engine& engine, const Config& config, std::uint64_t seed, Reporter& reporter, bool initial_return,
                        const CheckSettings& checks) {
  Config one = config;
  one.seed = seed;
  one.seeds = 1;
  Records records(one);
  train_agents(engine, 1, one, records, reporter, initial_return, checks);
  std::vector<AgentResult> results = records.take_results();
  return results.empty() ? AgentResult() : std::move(results[0]);
}

Reporter::Reporter(const Config& config, const TrainHooks& hooks) : hooks_(hooks) { progress_.steps_limit = config.steps * config.seeds; }

void Reporter::begin_agent() {
  const std::lock_guard lock(mutex_);
  progress_.agents_running += 1;
}

void Reporter::add(std::int64_t steps, const EpisodeTally& episodes) {
  if (!hooks_.progress) return;
  const std::lock_guard lock(mutex_);
  progress_.env_steps += steps;
  episodes_ += episodes;
  if (seconds_since(last_) < 0.1) return;
  if (episodes_.episodes > 0) progress_.mean_return = episodes_.mean_return();
  tell();
  episodes_ = {};
}

void Reporter::point(std::uint64_t seed, const CurvePoint& point) {
  if (!hooks_.progress && !hooks_.point) return;
  const std::lock_guard lock(mutex_);
  progress_.metrics = point.metrics;
  if (hooks_.point) hooks_.point(seed, point);
}

void Reporter::solved() {
  const std::lock_guard lock(mutex_);
  progress_.agents_solved += 1;
}

void Reporter::done(int number, const AgentResult& agent, std::int64_t steps_left) {
  const std::lock_guard lock(mutex_);
  progress_.agents_running -= 1;
  progress_.agents_done += 1;
  progress_.steps_limit -= steps_left;
  if (hooks_.agent && agent.outcome != Outcome::interrupted) hooks_.agent(number, agent);
  if (hooks_.progress && seconds_since(last_) >= 0.1) tell();
}

void Reporter::tell() {
  last_ = Clock::now();
  progress_.seconds = seconds_since(start_);
  hooks_.progress(progress_);
}

}  // namespace cupg

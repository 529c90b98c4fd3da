// The training loop: iterate, check, stop, for all agents of an engine side by side.
#include "src/train/train_agents.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "cupg/environment.hpp"
#include "src/train/curve_recorder.hpp"

namespace cupg {
namespace {

constexpr double kAnything = -std::numeric_limits<double>::infinity();  // less than any return

/// One agent on its way.
struct Run {
  int number;  // in the queue
  AgentResult result;
  CheckSchedule schedule;
  CurveRecorder curve;
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  bool ended = false;
};

class Loop {
 public:
  Loop(Engine& engine, int slots, const Config& config, SeedQueue& seeds, Reporter& reporter, bool initial_return,
       const CheckSettings& checks)
      : engine_(engine),
        config_(config),
        environment_(find_environment(config.environment)),
        batch_(config.batch()),
        total_(config.updates()),
        chunk_(config.collect == Collect::episodes ? 1 : std::max<std::int64_t>(1, 1024 / batch_)),
        seeds_(seeds),
        reporter_(reporter),
        initial_return_(initial_return),
        checks_(checks),
        runs_(static_cast<std::size_t>(slots)) {}

  void operator()(const std::function<void(int, AgentResult)>& done) {
    for (fill_slots(); !active().empty(); fill_slots()) {
      update();
      check();
      stop_where_told();
      finish(done);
    }
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

  /// Starts the next seeds in the slots that are free.
  void fill_slots() {
    if (reporter_.stop()) return;
    std::vector<int> fresh;
    for (int s = 0; s < static_cast<int>(runs_.size()); ++s) {
      auto& place = runs_[static_cast<std::size_t>(s)];
      const int number = place ? -1 : seeds_.take();
      if (number < 0) continue;
      place.emplace(Run{number, {}, CheckSchedule(environment_, checks_), CurveRecorder(4 * batch_)});
      place->result.seed = seeds_.seed(number);
      engine_.reset(s, place->result.seed, number);
      fresh.push_back(s);
    }
    if (!initial_return_ || fresh.empty()) return;
    const std::vector<Evaluation> untrained =
        evaluate(fresh, [](const Run&) { return EvaluationRequest{.episodes = kCheckEpisodes, .block = kInitialBlock}; });
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      if (untrained[i].complete) run(fresh[i]).result.initial_return = untrained[i].mean_return;
      run(fresh[i]).start = std::chrono::steady_clock::now();
    }
  }

  /// A chunk of updates of every agent; of those near their end, what is left.
  void update() {
    std::vector<int> left = active();
    while (!left.empty()) {
      const auto updates_of = [&](int slot) { return std::min(chunk_, total_ - run(slot).result.updates); };
      const std::int64_t updates = updates_of(left[0]);
      const auto others = std::stable_partition(left.begin(), left.end(), [&](int slot) { return updates_of(slot) == updates; });
      const std::vector<int> together(left.begin(), others);
      std::vector<UpdateReport> reports(together.size());
      engine_.update(together, updates, reports);
      for (std::size_t i = 0; i < together.size(); ++i) take(run(together[i]), reports[i]);
      left.erase(left.begin(), others);
    }
  }

  void take(Run& run, const UpdateReport& report) {
    AgentResult& result = run.result;
    result.updates += report.updates;
    result.env_steps += report.env_steps;
    run.schedule.add(report.env_steps, report.episodes);
    run.curve.add(result.env_steps, seconds_since(run.start), report.episodes);
    reporter_.add(report.env_steps, report.episodes);
    if (!report.finite || !report.parameters_finite) {
      result.outcome = Outcome::diverged;
      result.message = fmt::format("a {} became NaN or infinite at update {}; try a smaller learning-rate or max-grad-norm",
                                   report.finite ? "parameter" : "gradient", result.updates + (report.finite ? 0 : 1));
    }
    run.ended = result.outcome == Outcome::diverged || result.updates >= total_ || result.env_steps >= config_.steps;
  }

  /// Is it solved? The greedy policy's mean over 100 fresh episodes reaches the threshold, and 1,000 more confirm it. Agents that are
  /// due are looked at, and every agent at its end, where the figure is that of the policy that is saved.
  void check() {
    const std::vector<int> due = slots_where(
        [&](const Run& r) { return r.result.outcome != Outcome::diverged && (r.ended || (r.schedule.due() && may_improve(r.result))); });
    if (due.empty()) return;
    const auto request = [&](const Run& r, int episodes, std::uint32_t second) {
      return EvaluationRequest{
          .episodes = episodes, .block = 2 * static_cast<std::uint32_t>(r.result.checks) + second, .stop_below = wanted(r)};
    };
    const auto passes = [&](const Evaluation& e) { return e.complete && e.mean_return >= environment_.reward_threshold; };
    std::vector<Evaluation> figures = evaluate(due, [&](const Run& r) { return request(r, kCheckEpisodes, 0); });
    std::vector<std::size_t> hopeful;
    std::vector<int> their_slots;
    for (std::size_t i = 0; i < due.size(); ++i)
      if (passes(figures[i])) hopeful.push_back(i), their_slots.push_back(due[i]);
    std::vector<Evaluation> second = evaluate(their_slots, [&](const Run& r) { return request(r, kConfirmEpisodes, 1); });
    for (std::size_t i = 0; i < hopeful.size(); ++i) figures[hopeful[i]] = std::move(second[i]);
    for (std::size_t i = 0; i < due.size(); ++i) judge(due[i], figures[i], figures[i].episodes == kConfirmEpisodes && passes(figures[i]));
  }

  /// Whether a check could still tell something: that the agent is solved, or where it goes on after that, that it is better.
  bool may_improve(const AgentResult& result) const {
    return result.solved_env_steps == 0 || result.best_return.value_or(kAnything) < environment_.max_return;
  }

  /// The return below which a check need not be played to its end: the figure of the saved policy is wanted whatever it is, that of
  /// another where it is the best so far. Not so early in a training that stops when solved: most agents are solved by then, and
  /// their checks would take twice as long.
  double wanted(const Run& r) const {
    if (r.ended) return kAnything;
    const bool early = 10 * r.result.env_steps < config_.steps && 10 * r.result.updates < total_;
    return config_.stop_when_solved && early ? environment_.reward_threshold : r.result.best_return.value_or(kAnything);
  }

  void judge(int slot, const Evaluation& figure, bool solved) {
    Run& r = run(slot);
    AgentResult& result = r.result;
    result.checks += 1;
    if (solved && result.solved_env_steps == 0) {
      result.solved_env_steps = result.env_steps;
      result.solved_seconds = seconds_since(r.start);
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
    if (r.ended) {
      if (figure.complete) result.final_return = figure.mean_return;
      result.outcome = solved ? Outcome::solved : Outcome::finished;
    } else {
      result.solved_env_steps > 0 ? r.schedule.solved() : r.schedule.failed();
    }
  }

  void stop_where_told() {
    if (!reporter_.stop()) return;
    for (const int slot : active()) {
      if (run(slot).ended) continue;
      run(slot).ended = true;
      run(slot).result.outcome = Outcome::interrupted;
    }
  }

  /// Hands over the agents that have ended and frees their slots.
  void finish(const std::function<void(int, AgentResult)>& done) {
    const std::vector<int> ended = slots_where([](const Run& r) { return r.ended; });
    for (const int slot : ended) {
      Run& r = run(slot);
      r.result.seconds = seconds_since(r.start);
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
      r.result.curve = r.curve.take(r.result.env_steps, r.result.seconds);
      reporter_.done(r.result, config_.steps - std::min(config_.steps, r.result.env_steps));
      done(r.number, std::move(r.result));
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
  const std::int64_t batch_, total_, chunk_;
  SeedQueue& seeds_;
  Reporter& reporter_;
  const bool initial_return_;
  const CheckSettings checks_;
  std::vector<std::optional<Run>> runs_;
};

}  // namespace

void train_agents(Engine& engine, int slots, const Config& config, SeedQueue& seeds, Reporter& reporter, bool initial_return,
                  const std::function<void(int, AgentResult)>& done, const CheckSettings& checks) {
  Loop(engine, slots, config, seeds, reporter, initial_return, checks)(done);
}

AgentResult train_agent(Engine& engine, const Config& config, std::uint64_t seed, Reporter& reporter, bool initial_return,
                        const CheckSettings& checks) {
  SeedQueue queue(seed, 1);
  AgentResult agent;
  train_agents(
      engine, 1, config, queue, reporter, initial_return, [&](int, AgentResult result) { agent = std::move(result); }, checks);
  return agent;
}

Reporter::Reporter(const Config& config, const TrainHooks& hooks) : hooks_(hooks) { progress_.steps_limit = config.steps * config.seeds; }

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

void Reporter::done(const AgentResult& agent, std::int64_t steps_left) {
  const std::lock_guard lock(mutex_);
  progress_.agents_done += 1;
  progress_.agents_solved += agent.solved_env_steps > 0;
  progress_.steps_limit -= steps_left;
  if (hooks_.progress && seconds_since(last_) >= 0.1) tell();
}

void Reporter::tell() {
  last_ = Clock::now();
  progress_.seconds = seconds_since(start_);
  hooks_.progress(progress_);
}

}  // namespace cupg

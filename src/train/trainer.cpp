#include "cupg/trainer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <mutex>
#include <thread>

#include "cupg/error.hpp"
#include "src/engine/engine.hpp"
#include "src/train/check_schedule.hpp"
#include "src/train/curve_recorder.hpp"
#include "src/train/statistics.hpp"

namespace cupg {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

constexpr int kCheckEpisodes = 100, kConfirmEpisodes = 1000;
constexpr std::uint32_t kInitialBlock = 0xfffffffeu, kFinalBlock = 0xffffffffu;  // checks count up from 0

/// Gathers what the agents of all threads tell, and passes it on ten times a second.
class Reporter {
 public:
  Reporter(const Config& config, const TrainHooks& hooks) : hooks_(hooks) { progress_.steps_limit = config.steps * config.seeds; }

  void add(std::int64_t steps, const EpisodeTally& episodes) {
    if (!hooks_.progress) return;
    const std::lock_guard lock(mutex_);
    progress_.env_steps += steps;
    episodes_ += episodes;
    if (seconds_since(last_) < 0.1) return;
    if (episodes_.episodes > 0) progress_.mean_return = static_cast<double>(episodes_.steps) / static_cast<double>(episodes_.episodes);
    tell();
    episodes_ = {};
  }
  void done(const AgentResult& agent, std::int64_t steps_left) {
    const std::lock_guard lock(mutex_);
    progress_.agents_done += 1;
    progress_.agents_solved += agent.outcome == Outcome::solved;
    progress_.steps_limit -= steps_left;
    if (hooks_.progress && seconds_since(last_) >= 0.1) tell();
  }
  bool stop() const { return hooks_.stop && hooks_.stop(); }

 private:
  void tell() {
    last_ = Clock::now();
    progress_.seconds = seconds_since(start_);
    hooks_.progress(progress_);
  }

  const TrainHooks& hooks_;
  std::mutex mutex_;
  Progress progress_;
  EpisodeTally episodes_;
  Clock::time_point start_ = Clock::now(), last_ = start_;
};

/// The greedy policy's mean over 100 fresh episodes reaches the threshold, and 1,000 more confirm it.
bool is_solved(Engine& engine, int agent, double threshold, std::uint32_t check, AgentResult& result) {
  EvaluationRequest request{.episodes = kCheckEpisodes, .greedy = true, .block = 2 * check, .stop_below = threshold};
  ++result.checks;
  const Evaluation first = engine.evaluate(agent, request);
  if (!first.complete || !(first.mean_return >= threshold)) return false;
  request.episodes = kConfirmEpisodes;
  request.block += 1;
  const Evaluation second = engine.evaluate(agent, request);
  if (!second.complete || !(second.mean_return >= threshold)) return false;
  result.final_return = second.mean_return;
  return true;
}

bool all_finite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); });
}

/// Trains one agent: iterate, check, stop.
AgentResult train_agent(Engine& engine, const Config& config, std::uint64_t seed, Reporter& reporter, bool initial_return, const CheckSettings& checks = {}) {
  const EnvironmentInfo& environment = find_environment(config.environment);
  const std::int64_t batch = config.batch(), total = config.updates(), chunk = std::max<std::int64_t>(1, 1024 / batch);
  constexpr int agent = 0;
  AgentResult result;
  result.seed = seed;
  if (initial_return) {
    engine.reset(agent, seed);
    result.initial_return = engine.evaluate(agent, {.episodes = kCheckEpisodes, .block = kInitialBlock}).mean_return;
  }

  const auto start = Clock::now();
  engine.reset(agent, seed);
  CheckSchedule schedule(environment, checks);
  CurveRecorder curve(4 * batch);
  while (result.updates < total) {
    UpdateReport report;
    engine.update(std::span(&agent, 1), std::min(chunk, total - result.updates), std::span(&report, 1));
    result.updates += report.updates;
    result.env_steps = result.updates * batch;
    schedule.add(report.updates * batch, report.episodes);
    curve.add(result.env_steps, seconds_since(start), report.episodes);
    reporter.add(report.updates * batch, report.episodes);
    if (!report.finite || !all_finite(engine.parameters(agent))) {
      result.outcome = Outcome::diverged;
      result.message = fmt::format("a {} became NaN or infinite at update {}; try a smaller learning-rate or max-grad-norm",
                                   report.finite ? "parameter" : "gradient", result.updates + (report.finite ? 0 : 1));
      break;
    }
    if (result.solved_env_steps == 0 && schedule.due()) {
      if (is_solved(engine, agent, environment.reward_threshold, static_cast<std::uint32_t>(result.checks), result)) {
        result.solved_env_steps = result.env_steps;
        result.solved_seconds = seconds_since(start);
        result.outcome = Outcome::solved;
        if (config.stop_when_solved) break;
      } else {
        schedule.failed();
      }
    }
    if (reporter.stop()) {
      result.outcome = Outcome::interrupted;
      break;
    }
  }
  result.seconds = seconds_since(start);
  const std::span<const float> parameters = engine.parameters(agent);
  result.parameters.assign(parameters.begin(), parameters.end());
  if (!(result.outcome == Outcome::solved && config.stop_when_solved) && result.outcome != Outcome::interrupted)
    result.final_return = engine.evaluate(agent, {.episodes = kCheckEpisodes, .block = kFinalBlock}).mean_return;
  result.curve = curve.take();
  reporter.done(result, config.steps - std::min(config.steps, result.env_steps));
  return result;
}

int resolve_threads(const Config& config) {
  if (config.device == Device::reference) return 1;
  return config.threads > 0 ? config.threads : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

TrainResult train(const Config& config, const TrainHooks& hooks) {
  check(config);
  const int threads = resolve_threads(config);
  // Several seeds share the threads out among themselves, one agent at a time each; a single seed has all of them.
  const int workers = std::min(config.seeds, threads), threads_each = std::max(1, threads / workers);
  std::vector<std::unique_ptr<Engine>> engines;
  for (int w = 0; w < workers; ++w) engines.push_back(make_engine(config, 1, threads_each));

  TrainResult result;
  result.device = engines[0]->device();
  result.isa = engines[0]->isa();
  result.threads = threads;
  result.agents.resize(static_cast<std::size_t>(config.seeds));
  Reporter reporter(config, hooks);
  const auto start = Clock::now();
  std::atomic<int> next{0};
  const auto work = [&](int worker) {
    for (int i = next++; i < config.seeds && !reporter.stop(); i = next++) {
      const std::uint64_t seed = config.seed + static_cast<std::uint64_t>(i);
      result.agents[static_cast<std::size_t>(i)] = train_agent(*engines[static_cast<std::size_t>(worker)], config, seed, reporter, hooks.initial_return);
    }
  };
  {
    std::vector<std::jthread> others;
    for (int w = 1; w < workers; ++w) others.emplace_back(work, w);
    work(0);
  }
  result.seconds = seconds_since(start);
  // an interrupt may have left agents that were never started
  std::erase_if(result.agents, [](const AgentResult& a) { return a.parameters.empty(); });
  for (const AgentResult& a : result.agents) result.env_steps += a.env_steps;
  result.summary = summarise(result.agents);
  return result;
}

Evaluation evaluate(const Config& config, std::span<const float> parameters, int episodes, bool greedy, std::uint64_t seed) {
  check(config);
  const auto engine = make_engine(config, 1, resolve_threads(config));
  engine->reset(0, seed);
  engine->set_parameters(0, parameters);
  return engine->evaluate(0, {.episodes = episodes, .greedy = greedy, .block = kFinalBlock});
}

}  // namespace cupg

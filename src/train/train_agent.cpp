// The training loop: iterate, check, stop.
#include "src/train/train_agent.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cupg/environment.hpp"
#include "src/train/curve_recorder.hpp"

namespace cupg {
namespace {

constexpr int kCheckEpisodes = 100, kConfirmEpisodes = 1000;

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

}  // namespace

AgentResult train_agent(Engine& engine, const Config& config, std::uint64_t seed, Reporter& reporter, bool initial_return,
                        const CheckSettings& checks) {
  const EnvironmentInfo& environment = find_environment(config.environment);
  const std::int64_t batch = config.batch(), total = config.updates(), chunk = std::max<std::int64_t>(1, 1024 / batch);
  constexpr int agent = 0;
  AgentResult result;
  result.seed = seed;
  if (initial_return) {
    engine.reset(agent, seed);
    result.initial_return = engine.evaluate(agent, {.episodes = kCheckEpisodes, .block = kInitialBlock}).mean_return;
  }

  const auto start = std::chrono::steady_clock::now();
  engine.reset(agent, seed);
  CheckSchedule schedule(environment, checks);
  CurveRecorder curve(4 * batch, environment.reward);
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

Reporter::Reporter(const Config& config, const TrainHooks& hooks) : hooks_(hooks), reward_(find_environment(config.environment).reward) {
  progress_.steps_limit = config.steps * config.seeds;
}

void Reporter::add(std::int64_t steps, const EpisodeTally& episodes) {
  if (!hooks_.progress) return;
  const std::lock_guard lock(mutex_);
  progress_.env_steps += steps;
  episodes_ += episodes;
  if (seconds_since(last_) < 0.1) return;
  if (episodes_.episodes > 0)
    progress_.mean_return = reward_ * static_cast<double>(episodes_.steps) / static_cast<double>(episodes_.episodes);
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

#include "src/report/summary.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

#include "cupg/environment.hpp"
#include "cupg/error.hpp"
#include "src/io/options.hpp"
#include "src/report/text.hpp"

namespace cupg {
namespace {

constexpr int kMostSuggestions = 3;

std::int64_t count(const TrainResult& result, Outcome outcome) {
  return std::count_if(result.agents.begin(), result.agents.end(), [&](const AgentResult& a) { return a.outcome == outcome; });
}

std::string describe_agent(const Config& config, const AgentResult& a) {
  const std::string steps = format_count(a.env_steps) + " environment steps";
  if (a.outcome == Outcome::diverged) return fmt::format("diverged after {}: {}", steps, a.message);
  if (a.solved_env_steps > 0)
    return fmt::format("solved {} after {} environment steps in {}{}", config.environment, format_count(a.solved_env_steps),
                       format_seconds(a.solved_seconds),
                       a.outcome == Outcome::interrupted ? ", interrupted after " + steps
                       : a.outcome == Outcome::finished  ? ", but not at its end after " + steps
                                                         : "");
  return fmt::format("{} {} after {}", a.outcome == Outcome::interrupted ? "interrupted, had not solved" : "did not solve",
                     config.environment, steps);
}

std::string machine(const TrainResult& r) {
  std::string text = fmt::format("{}, {}, {} thread{}", r.device, r.isa, r.threads, r.threads == 1 ? "" : "s");
  if (!r.device_reason.empty()) text += fmt::format("   (not {}{})", r.device == "cuda" ? "" : "CUDA: ", r.device_reason);
  return figure_line("machine", text) +
         (describe_math(r.math, r.device).empty() ? "" : figure_line("math", describe_math(r.math, r.device)));
}

std::string rate(const TrainResult& r) {
  return fmt::format("{} steps in {} ({}/s with checks)", format_count(r.env_steps), format_seconds(r.seconds),
                     format_rate(r.seconds > 0 ? static_cast<double>(r.env_steps) / r.seconds : 0));
}

std::string one_decimal(double x) { return fmt::format("{:.1f}", x); }

/// What figures of those agents end with whose return somebody has measured.
std::string of_measured(const Summary& s) {
  return s.measured == s.n || s.measured == 1 ? "" : fmt::format(" of {} agents", format_count(s.measured));
}

std::string steps_to_solve(const Summary& s) {
  const auto steps = [](double x) { return format_count(std::llround(x)); };
  const Estimate& median = s.median_steps_to_solve();
  const std::string text = figure_line("steps to solve", "median " + describe_estimate(median, s.n, steps));
  std::string shares, by;
  for (std::size_t i = 0; i < kSolvedShares.size(); ++i)
    if (const auto& e = s.steps_to_solve[i]; &e != &median && e.value && kSolvedShares[i] < 0.99) {
      shares += fmt::format("{}{:g}", shares.empty() ? "" : ", ", 100 * kSolvedShares[i]);
      by += (by.empty() ? "" : "; ") + steps(*e.value);
    }
  return text + (shares.empty() ? "" : figure_line("", shares + " % by " + by));
}

std::string describe_range(const ToleranceInterval& t, const std::function<std::string(double)>& text) {
  if (!t.low) return "unknown";
  return text(*t.low) + (t.high ? " to " + text(*t.high) : " or more");
}

/// Where most agents lie.
std::string tolerance(const Summary& s) {
  const std::string name = fmt::format("{:g} % of agents", 100 * kToleranceShare);
  if (s.n < kToleranceAgents)
    return figure_line(name.c_str(), fmt::format("too few to tell where they lie ({} are needed)", kToleranceAgents));
  std::string text = "steps " + describe_range(s.steps_tolerance, [](double x) { return format_count(std::llround(x)); });
  if (s.return_tolerance.low) text += ", return " + describe_range(s.return_tolerance, one_decimal);
  return figure_line(name.c_str(), text + " (95 %)");
}

}  // namespace

std::string figure_line(const char* name, const std::string& value) { return fmt::format("  {:<22} {}\n", name, value); }

std::string describe_estimate(const Estimate& e, int n, const std::function<std::string(double)>& text) {
  const std::string value = e.value ? text(*e.value) : "not reached";
  if (n == 1) return value + " (n = 1, no interval)";
  if (e.ci95_low && e.ci95_high) return fmt::format("{} (95 %: {} to {})", value, text(*e.ci95_low), text(*e.ci95_high));
  return value + (e.ci95_low ? fmt::format(" (95 %: from {} on)", text(*e.ci95_low))
                  : e.value  ? " (no interval: too few agents, or no spread)"
                             : "");
}

std::string describe_outcome(const Config& config, const TrainResult& result) {
  if (result.agents.size() == 1) return fmt::format("seed {}: {}\n", result.agents[0].seed, describe_agent(config, result.agents[0]));
  const std::int64_t solved =
      std::count_if(result.agents.begin(), result.agents.end(), [](const AgentResult& a) { return a.solved_env_steps > 0; });
  std::string text = fmt::format("{} of {} agents solved {}", format_count(solved), format_count(config.seeds), config.environment);
  if (const auto n = count(result, Outcome::diverged); n > 0) text += fmt::format(", {} diverged", n);
  if (const auto n = count(result, Outcome::interrupted); n > 0) text += fmt::format(", {} interrupted", n);
  return text + "\n";
}

std::string describe_training(const Config& config, const TrainResult& result) {
  const EnvironmentInfo& environment = find_environment(config.environment);
  if (result.agents.size() == 1) {
    const AgentResult& a = result.agents[0];
    std::string text;
    if (a.initial_return) text += figure_line("return before training", fmt::format("{:.1f}", *a.initial_return));
    if (a.final_return)
      text += figure_line("return after training", fmt::format("{:.1f}   (solved from {:g}, at most {:g})", *a.final_return,
                                                               environment.reward_threshold, environment.max_return));
    if (!a.best_parameters.empty())
      text += figure_line("best return", fmt::format("{:.1f}   after {} steps (the last policy is saved, and this one: eval --best)",
                                                     *a.best_return, format_count(a.best_env_steps)));
    return text + figure_line("training", rate(result)) + machine(result);
  }
  const Summary& s = result.summary;
  std::string text =
      figure_line("agents", fmt::format("{}   (seeds {} to {})", format_count(s.n), result.agents.front().seed, result.agents.back().seed));
  const auto percent = [](double x) { return fmt::format("{:.1f} %", 100 * x); };
  const bool interrupted = s.solved_fraction.value && !s.solved_fraction.ci95_low && s.n > 1;
  text += figure_line("solved", interrupted ? percent(*s.solved_fraction.value) + " (no interval: agents were interrupted)"
                                            : describe_estimate(s.solved_fraction, s.n, percent));
  if (!config.stop_when_solved && s.measured > 0)
    text += figure_line("solved at its end", describe_estimate(s.holding_fraction, s.measured, percent) + of_measured(s));
  text += steps_to_solve(s);
  text += describe_returns(result);
  if (s.worst) text += figure_line("worst return", one_decimal(*s.worst));
  text += tolerance(s);
  if (config.stop_when_solved && s.censored < s.n)
    text += figure_line("", "of agents that stop when solved: to compare settings,") +
            figure_line("", "take their steps to solve, not their returns");
  if (s.solved_seconds_median)
    text += figure_line("time to solve", fmt::format("median {}, 99th percentile {}{}", format_seconds(*s.solved_seconds_median),
                                                     format_seconds(*s.solved_seconds_p99), s.censored > 0 ? " (solved ones)" : ""));
  return text + figure_line("training", rate(result)) + machine(result);
}

std::string describe_returns(const TrainResult& result) {
  const Summary& s = result.summary;
  return figure_line("return (IQM)", s.measured == 0 ? "not measured" : describe_estimate(s.iqm, s.measured, one_decimal) + of_measured(s));
}

std::string describe_math(const std::string& math, const std::string& device) {
  if (!math.starts_with("gemm")) return "";
  return fmt::format("matrix products ({}{}): promises a tolerance, not the same bits everywhere", device == "cuda" ? "cuBLAS" : "OpenBLAS",
                     math == "gemm" ? "" : ", TF32");
}

std::string suggest_next(const Config& config, const TrainResult& result, const std::vector<GivenSetting>& given, const std::string& run,
                         int columns) {
  std::string text;
  int suggested = 0;
  const auto suggest = [&](const char* why, const std::vector<std::string>& words) {
    if (++suggested > kMostSuggestions) return;
    text += wrapped(fmt::format("  {}\n", why), columns) + shell_command(words, 4, columns);
  };
  // the run again, but for some settings; nothing where that could not run
  const auto again = [&](const char* why, const Config& changed, const std::vector<std::string>& names) {
    try {
      check_settings(changed);
    } catch (const Error&) {
      return;
    }
    std::vector<std::string> words{"cupg", "train"};
    for (const GivenSetting& g : given)
      if (std::find(names.begin(), names.end(), g.name) == names.end()) words.insert(words.end(), g.words.begin(), g.words.end());
    for (const std::string& name : names) words.insert(words.end(), {"--" + name, text_value(*find_option(name), changed)});
    suggest(why, words);
  };
  const auto worst = std::find_if(result.agents.begin(), result.agents.end(), [](const AgentResult& a) { return a.solved_env_steps == 0; });
  const bool solved = worst == result.agents.end();
  Config changed = config;
  std::vector<std::string> names;
  const auto worst_alone = [&] {
    changed.seed = worst->seed;
    changed.seeds = 1;
    if (changed.seed != config.seed) names.emplace_back("seed");
    if (changed.seeds != config.seeds) names.emplace_back("seeds");
  };
  if (!solved && worst->outcome == Outcome::diverged) {
    worst_alone();
    changed.optimizer.learning_rate = to_float(shortest(config.optimizer.learning_rate) / 10);
    names.emplace_back("learning-rate");
    again("take smaller steps:", changed, names);
    return text.empty() ? text : "Next:\n" + text;
  }
  const std::string folder = run.starts_with("-") ? "./" + run : run;
  const bool stopped = std::ssize(result.agents) < config.seeds || count(result, Outcome::interrupted) > 0;
  if (!run.empty() && stopped && !searches(config)) suggest("go on with the training:", {"cupg", "resume", folder});
  if (!run.empty() && solved) suggest("watch it play:", {"cupg", "play", folder});
  if (!run.empty()) suggest("play 1,000 episodes with the saved policy:", {"cupg", "eval", folder});
  if (solved && result.agents.size() == 1) {
    changed.seeds = 100;
    again("see whether it works for other seeds:", changed, {"seeds"});
  }
  if (!solved && worst->outcome == Outcome::finished && !searches(config)) {
    // linear schedules would have ended later
    const bool fixed =
        config.update_limit > 0 || config.optimizer.schedule == Schedule::linear || config.objective.clip_schedule == ClipSchedule::linear;
    if (!run.empty() && !fixed) {
      changed.steps = 2 * config.steps;
      suggest("train longer:", {"cupg", "resume", folder, "--steps", text_value(*find_option("steps"), changed)});
      return "Next:\n" + text;
    }
    worst_alone();
    // both, as either may have been the limit
    changed.steps = 2 * config.steps;
    names.emplace_back("steps");
    if (config.update_limit > 0) changed.update_limit = 2 * config.update_limit, names.emplace_back("updates");
    again("train longer:", changed, names);
  }
  return text.empty() ? text : "Next:\n" + text;
}

}  // namespace cupg

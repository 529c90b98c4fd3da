#include "cupg/bench.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cupg/network.hpp"
#include "src/cli/commands.hpp"
#include "src/cli/progress.hpp"
#include "src/cli/terminal.hpp"
#include "src/report/json.hpp"
#include "src/report/summary.hpp"
#include "src/report/text.hpp"
#include "src/train/statistics.hpp"

namespace cupg::cli {
namespace {

BenchResult bench(const BenchArguments& a, std::int64_t updates, int repeat) {
  if (a.kind == "rollout") return bench_rollout(a.config, updates, repeat);
  if (a.kind == "env") return bench_env(a.config, a.balance, updates * a.config.horizon, repeat);
  return bench_train(a.config, updates, repeat);
}

/// As many updates as take about a second: doubled until there is something to measure.
std::int64_t updates_for_a_second(const BenchArguments& a) {
  constexpr double kEnough = 0.05;
  for (std::int64_t updates = 1;; updates *= 4) {
    const BenchResult once = bench(a, updates, 1);
    const double seconds = static_cast<double>(once.env_steps) / once.env_steps_per_second.at(0);
    if (seconds >= kEnough) return std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(updates) / seconds));
  }
}

}  // namespace

int run_bench(const BenchArguments& a) {
  check(a.config);
  std::int64_t updates = 0;
  BenchResult result;
  {
    const StatusLine line(false, elapsed("timing"));
    updates = a.updates ? *a.updates : updates_for_a_second(a);
    result = bench(a, updates, a.repeat);
  }
  if (a.json) {
    nlohmann::ordered_json json = bench_json(a.config, a.kind, result);
    json["updates"] = updates;
    json["repeat"] = a.repeat;
    if (a.kind == "env") json["actions"] = a.balance ? "balance" : "random";
    print(dump_line(json));
    return kFinished;
  }
  const auto [low, high] = std::minmax_element(result.env_steps_per_second.begin(), result.env_steps_per_second.end());
  print_wrapped(fmt::format("{} {}: {} env-steps/s   (median of {}; {} to {})\n", a.kind, a.config.environment,
                            format_rate(quantile(result.env_steps_per_second, 0.5)), a.repeat, format_rate(*low), format_rate(*high)));
  if (a.kind == "env") {
    print_wrapped(fmt::format("  {} environments x {} steps a timing, {} actions\n", format_count(a.config.envs),
                              format_count(result.env_steps / a.config.envs), a.balance ? "balancing" : "random"));
  } else {
    print_wrapped(fmt::format("  {} environments x {}, {} updates a timing\n", format_count(a.config.envs),
                              a.config.collect == Collect::episodes ? "an episode" : fmt::format("{} steps", a.config.horizon),
                              format_count(updates)));
    print_wrapped(fmt::format("  network {}\n", describe(a.config.network())));
  }
  print_wrapped(fmt::format("  {}, {}, {} thread{}\n", result.device, result.isa, result.threads, result.threads == 1 ? "" : "s"));
  if (const std::string math = describe_math(result.math, result.device); !math.empty()) print_wrapped("  " + math + "\n");
  return kFinished;
}

}  // namespace cupg::cli

#include "src/search/search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <string_view>

#include "cupg/environment.hpp"
#include "cupg/error.hpp"
#include "src/api/arithmetic.hpp"
#include "src/engine/isa.hpp"
#include "src/engine/processors.hpp"
#include "src/engine/team.hpp"
#include "src/search/search_ops.hpp"

namespace cupg {
namespace {

/// The target for `isa`: that of the CPU engine's ops.
const SearchOps& search_ops_for(Isa isa) {
#if defined(__x86_64__)
  const std::string_view target = cpu_ops_for(isa).isa;
  for (const auto ops : {search_ops_avx512, search_ops_avx2, search_ops_scalar_fma})
    if (ops().isa == target) return ops();
#else
  cpu_ops_for(isa);  // throws where the processor has no such instructions
#endif
  return search_ops_generic();
}

void require(bool good, std::string_view key, const auto& value, std::string_view expected) {
  if (!good) throw Error(ErrorKind::usage, fmt::format("{}: {}; expected {}", key, value, expected));
}

SearchResult search(const SearchSettings& s, SearchArgs args) {
  const IeeeArithmetic ieee;
  const EnvironmentInfo& environment = find_environment(s.environment);
  require(counts_steps(environment), "environment", environment.name,
          "one with two actions and a reward of 1 for every step, such as CartPole-v1");
  require(s.runs >= 1 && s.runs <= 1'000'000'000, "runs", s.runs, "1 to 1e9");
  require(s.max_trials >= 1, "max-trials", s.max_trials, "at least 1");
  require(s.threads >= 0 && s.threads <= 1024, "threads", s.threads, "0 to 1024");
  const SearchOps& ops = search_ops_for(s.isa);

  SearchResult result;
  result.isa = isa_name(cpu_ops_for(s.isa));
  result.threads = s.threads > 0 ? s.threads : usable_processors();
  result.runs.resize(static_cast<std::size_t>(s.runs));
  std::int64_t next_run = 0;
  args.runs = s.runs;
  args.next_run = &next_run;
  args.out = result.runs.data();
  args.seed = s.seed;
  args.max_trials = static_cast<std::uint32_t>(s.max_trials);
  args.max_episode_steps = static_cast<std::uint32_t>(environment.max_episode_steps);

  if (s.stop) {
    args.stop = [](const void* stop) { return (*static_cast<const std::function<bool()>*>(stop))(); };
    args.stop_data = &s.stop;
  }
  Team team(result.threads);
  std::vector<std::int64_t> played(static_cast<std::size_t>(result.threads));
  const auto start = std::chrono::steady_clock::now();
  team.run([&](int member) { played[static_cast<std::size_t>(member)] = ops.search(environment.id, args); });
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (const std::int64_t episodes : played) result.episodes_played += episodes;
  for (const SearchRun& run : result.runs) {
    result.episodes += run.trials;
    result.env_steps += run.env_steps;
  }
  return result;
}

}  // namespace

std::int64_t SearchResult::solved() const {
  return std::count_if(runs.begin(), runs.end(), [](const SearchRun& run) { return run.solved; });
}

double SearchResult::mean_trials_to_solve() const {
  double sum = 0, count = 0;
  for (const SearchRun& run : runs)
    if (run.solved) sum += run.trials, ++count;
  return count > 0 ? sum / count : std::numeric_limits<double>::quiet_NaN();
}

SearchResult random_search(const SearchSettings& settings) { return search(settings, {}); }

SearchResult hill_climbing(const HillClimbingSettings& settings) {
  require(std::isfinite(settings.noise) && settings.noise > 0, "noise", settings.noise, "a positive number");
  SearchArgs args;
  args.climb = true;
  args.noise = settings.noise;
  args.start_at_zero = settings.start_at_zero;
  return search(settings, args);
}

}  // namespace cupg

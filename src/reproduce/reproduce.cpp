#include "src/reproduce/reproduce.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <mutex>
#include <numeric>

#include "cupg/environment.hpp"
#include "cupg/error.hpp"
#include "cupg/trainer.hpp"
#include "src/engine/engine.hpp"
#include "src/engine/processors.hpp"
#include "src/engine/team.hpp"
#include "src/gradcheck/theorem.hpp"
#include "src/io/config_file.hpp"
#include "src/reproduce/gradient_error.hpp"
#include "src/search/search.hpp"
#include "src/text.hpp"
#include "src/train/intervals.hpp"
#include "src/train/statistics.hpp"

namespace cupg {
namespace {

constexpr double kNone = std::numeric_limits<double>::infinity();
constexpr std::string_view kTableBegins = "<!-- reproduce: written by cupg reproduce --markdown FILE -->",
                           kTableEnds = "<!-- /reproduce -->";

int machine_threads(const ReproduceOptions& options) { return options.threads > 0 ? options.threads : usable_processors(); }
int scaled(const ReproduceOptions& options, int count, int least = 2) {
  return std::max(least, static_cast<int>(std::lround(count * options.scale)));
}
bool stopped(const ReproduceOptions& options) { return options.stop && options.stop(); }

Config preset(std::string_view name) {
  Config config;
  apply_preset(name, config);
  config.device = Device::cpu;
  return config;
}

Figure figure(std::string what, const Interval& i, std::size_t samples, double least, double most) {
  return {std::move(what), i.value, i.low, i.high, least, most, static_cast<int>(samples)};
}
/// A figure without chance.
Figure exactly(std::string what, double value, double least, double most) { return {std::move(what), value, value, value, least, most, 1}; }

/// f(engine, seed) for the seeds 1 .. seeds, an engine of one agent on each thread; the results in order of the seeds.
template <class F>
std::vector<double> each_seed(Config config, int seeds, const ReproduceOptions& options, F f) {
  config.threads = 1;
  check(config);
  std::vector<double> results(static_cast<std::size_t>(seeds), std::numeric_limits<double>::quiet_NaN());
  std::atomic<int> next{0};
  Team(std::min(seeds, machine_threads(options))).run([&](int) {
    try {
      const auto engine = make_engine(config, 1, 1);
      for (int i = next++; i < seeds && !stopped(options); i = next++) {
        engine->reset(0, static_cast<std::uint64_t>(i) + 1);
        const double result = f(*engine);
        if (!stopped(options)) results[static_cast<std::size_t>(i)] = result;  // otherwise that of a training cut short
      }
    } catch (...) {
      next = seeds;
      throw;
    }
  });
  std::erase_if(results, [](double x) { return std::isnan(x); });  // those that an interrupt left out
  return results;
}

UpdateReport update(Engine& engine, std::int64_t updates) {
  const int agent = 0;
  UpdateReport report;
  engine.update(std::span(&agent, 1), updates, std::span(&report, 1));
  return report;
}

/// The lengths of the training episodes of a configuration with one episode an update, until `enough` says so of those so far.
template <class F>
std::vector<double> episodes(Engine& engine, const Config& config, const ReproduceOptions& options, F enough) {
  std::vector<double> lengths;
  while (static_cast<std::int64_t>(lengths.size()) < config.updates() && !stopped(options)) {
    const UpdateReport report = update(engine, 1);
    lengths.push_back(static_cast<double>(report.episodes.steps));
    if (!report.finite || !report.parameters_finite || enough(lengths)) break;
  }
  return lengths;
}
double mean_of_last(const std::vector<double>& x, std::size_t n) {
  const std::size_t count = std::min(n, x.size());
  return std::accumulate(x.end() - static_cast<std::ptrdiff_t>(count), x.end(), 0.0) / static_cast<double>(std::max<std::size_t>(1, count));
}
bool never(const std::vector<double>&) { return false; }

/// Mean return of 100 episodes of each seed's last policy.
std::vector<double> trained_returns(const Config& config, int seeds, bool greedy, const ReproduceOptions& options) {
  return each_seed(config, seeds, options, [&](Engine& engine) {
    for (std::int64_t done = 0; done < config.updates() && !stopped(options); done += 64) {
      const UpdateReport report = update(engine, std::min<std::int64_t>(64, config.updates() - done));
      if (!report.finite || !report.parameters_finite) return 0.0;
    }
    return engine.evaluate(0, {.episodes = 100, .greedy = greedy, .block = 0xffffffffu}).mean_return;
  });
}

using Figures = std::vector<Figure>;

Figures shared_net(const ReproduceOptions& options) {
  Config config = preset("shared-net");
  config.seeds = scaled(options, 1000);
  config.threads = machine_threads(options);
  const TrainResult result = train(config, {.progress = {}, .stop = options.stop});
  std::vector<double> seconds;
  for (const AgentResult& a : result.agents)
    if (a.solved_env_steps > 0) seconds.push_back(1e3 * a.solved_seconds);
  const double n = static_cast<double>(result.agents.size());
  Figures f;
  f.push_back(figure("share of the seeds that solve CartPole-v1 within 5 M steps",
                     proportion_interval(static_cast<double>(seconds.size()), n), result.agents.size(), 1, 1));
  f.push_back(exactly("parameters of the network", parameter_count(config.network()), 131, 131));
  if (!seconds.empty()) f.push_back(exactly("median milliseconds to solve it, on this machine", quantile(seconds, 0.5), 0, kNone));
  return f;
}

Figures jaromiru(const ReproduceOptions& options) {
  const std::vector<double> returns = trained_returns(preset("jaromiru-a3c"), scaled(options, 20), false, options);
  Figures f{figure("mean return of 100 sampled episodes after 65,000 steps", mean_interval(returns), returns.size(), 170, kNone)};
  Config torch = preset("jaromiru-a3c");
  torch.optimizer.rmsprop_eps = RmspropEps::outside;
  const std::vector<double> other = trained_returns(torch, scaled(options, 20), false, options);
  f.push_back(figure("the same with PyTorch's RMSProp", mean_interval(other), other.size(), -kNone, kNone));
  return f;
}

Figures random_search_row(const ReproduceOptions& options) {
  SearchSettings s;
  s.runs = scaled(options, 100000);
  s.threads = machine_threads(options);
  s.stop = options.stop;
  const SearchResult result = random_search(s);
  std::vector<double> trials;
  for (const SearchRun& r : result.runs)
    if (r.solved) trials.push_back(r.trials);
  const double seconds = result.seconds;
  return {figure("mean episodes until the first return of 200", mean_interval(trials), trials.size(), 13.45, 13.85),
          exactly("median", quantile(trials, 0.5), 9, 11),
          exactly("million episodes a second, on this machine", static_cast<double>(result.episodes) / seconds / 1e6, 0, kNone)};
}

Figures hill_climbing_row(const ReproduceOptions& options) {
  const auto solved = [&](float noise, double least, double most) {
    HillClimbingSettings s;
    s.runs = scaled(options, 10000);
    s.threads = machine_threads(options);
    s.noise = noise;
    s.stop = options.stop;
    const SearchResult result = hill_climbing(s);
    return figure(fmt::format("share that reached 200 in one episode within 2,000 trials, noise {:g}", static_cast<double>(noise)),
                  proportion_interval(static_cast<double>(result.solved()), static_cast<double>(s.runs)), static_cast<std::size_t>(s.runs),
                  least, most);
  };
  return {solved(0.1f, 0.42, 0.48), solved(0.5f, 0.82, 0.86), solved(1.0f, 0.91, 0.95), solved(2.0f, 0.93, 0.97)};
}

Figures kvfrans_policy_gradient(const ReproduceOptions& options) {
  const Config config = preset("kvfrans-policy-gradient");
  const double threshold = find_environment(config.environment).reward_threshold;
  const auto solved = [&](const std::vector<double>& x) { return x.size() >= 100 && mean_of_last(x, 100) >= threshold; };
  std::vector<double> first;
  std::mutex mutex;
  const std::vector<double> when = each_seed(config, scaled(options, 50), options, [&](Engine& engine) {
    const std::vector<double> x = episodes(engine, config, options, solved);
    const auto best = std::find(x.begin(), x.end(), 200.0);
    const std::lock_guard lock(mutex);
    if (best != x.end()) first.push_back(static_cast<double>(best - x.begin()) + 1);
    return solved(x) ? static_cast<double>(x.size()) : kNone;
  });
  std::vector<double> finite = when;
  std::erase(finite, kNone);
  return {figure("episodes until 195 over the last 100, mean", mean_interval(finite), when.size(), 625, 825),
          figure("share of the seeds that get there within 2,000",
                 proportion_interval(static_cast<double>(finite.size()), static_cast<double>(when.size())), when.size(), 1, 1),
          figure("episodes until the first return of 200, mean", mean_interval(first), first.size(), -kNone, kNone)};
}

Figures weng_reinforce(const ReproduceOptions& options) {
  const auto last = [&](const Config& config) {
    return each_seed(config, scaled(options, 30), options,
                     [&](Engine& engine) { return mean_of_last(episodes(engine, config, options, never), 100); });
  };
  const Config with = preset("weng-reinforce-baseline");
  Config without = with;
  without.algorithm = "reinforce";
  const std::vector<double> a = last(with), b = last(without);
  const Interval ia = mean_interval(a), ib = mean_interval(b);
  return {figure("mean of the last 100 of 800 episodes", ia, a.size(), 350, kNone),
          figure("without the baseline", ib, b.size(), -kNone, kNone),
          {"with over without", ia.value / ib.value, ia.low / ib.high, ia.high / ib.low, 2, kNone, static_cast<int>(a.size())}};
}

Figures weng_actor_critic(const ReproduceOptions&) {
  return {
      exactly("gradient in double against central differences, relative error", gradient_error(preset("weng-actor-critic"), 1), 0, 1e-6)};
}

Figures garza(const ReproduceOptions& options) {
  const Config config = preset("garza-reinforce");
  const auto limit = static_cast<double>(*config.episode_limit);
  const std::vector<double> longest = each_seed(config, scaled(options, 20), options, [&](Engine& engine) {
    const std::vector<double> x =
        episodes(engine, config, options, [&](const std::vector<double>& lengths) { return lengths.back() >= limit; });
    return x.empty() ? 0.0 : *std::max_element(x.begin(), x.end());
  });
  Config capped = config;
  capped.episode_limit = 200;
  const std::vector<double> best = each_seed(capped, scaled(options, 200), options, [&](Engine& engine) {
    const std::vector<double> x =
        episodes(engine, capped, options, [](const std::vector<double>& lengths) { return lengths.back() >= 200; });
    return x.empty() ? 0.0 : *std::max_element(x.begin(), x.end());
  });
  const auto reached = std::count_if(longest.begin(), longest.end(), [&](double x) { return x >= limit; });
  const auto failed = std::count_if(best.begin(), best.end(), [](double x) { return x < 200; });
  return {figure("share of the seeds with an episode of 617,332 steps within 500",
                 proportion_interval(static_cast<double>(reached), static_cast<double>(longest.size())), longest.size(),
                 0.5 / static_cast<double>(std::max<std::size_t>(1, longest.size())), 1),
          figure("with a limit of 200 steps: share that never reaches it",
                 proportion_interval(static_cast<double>(failed), static_cast<double>(best.size())), best.size(), 0.05, 0.2)};
}

Figures cleanrl(const ReproduceOptions& options) {
  const std::vector<double> returns = trained_returns(preset("cleanrl-ppo"), scaled(options, 20), false, options);
  return {figure("mean return of 100 sampled episodes after 500,000 steps", mean_interval(returns), returns.size(), 475, kNone)};
}

Figures sb3_zoo(const ReproduceOptions& options) {
  const std::vector<double> returns = trained_returns(preset("sb3-zoo-ppo"), scaled(options, 20), true, options);
  return {figure("mean return of 100 greedy episodes after 100,000 steps", mean_interval(returns), returns.size(), 475, kNone)};
}

Figures tiny_mdp_row(const ReproduceOptions& options) {
  const TabularCheck check = check_tabular_theorem(tiny_mdp(), tiny_logits(), scaled(options, 200000), 1);
  Figures f;
  double none = 0;
  for (const SampledGradient& s : check.sampled) {
    const char* const name = s.baseline == Baseline::none          ? "no baseline"
                             : s.baseline == Baseline::state_value ? "V as the baseline"
                                                                   : "b(s) as the baseline";
    if (s.baseline == Baseline::none) none = s.estimate.total_variance;
    f.push_back(exactly(fmt::format("largest deviation of the sampled gradient from the exact one in standard errors, {}", name),
                        s.largest_z, 0, 3));
    if (s.baseline == Baseline::state_value)
      f.push_back(exactly("its variance over that without a baseline", s.estimate.total_variance / none, 0, 1));
  }
  CartPoleTheoremSettings settings;
  settings.episodes = scaled(options, 100000);
  const CartPoleCheck cart = check_cartpole_theorem(settings);
  f.push_back(exactly("CartPole: score function against differences of the return, in standard errors", cart.largest_z, 0, 3));
  return f;
}

struct Row {
  ReproductionInfo info;
  Figures (*run)(const ReproduceOptions&);
};
constexpr Row kRows[] = {
    {{"shared-net", "cuPG's defaults", "131 parameters; every seed solves CartPole-v1 within 5 M steps"}, shared_net},
    {{"jaromiru-a3c", "Janisch, 2017", "a mean near 200 of CartPole-v0 (simulated: 182 +- 25)"}, jaromiru},
    {{"kvfrans-random-search", "Frans, 2016", "13.53 episodes over 1,000 runs (simulated: 13.64)"}, random_search_row},
    {{"kvfrans-hill-climbing", "Frans, 2016", "solves some; the noise decides (simulated: 44.8 % at 0.1; 84, 93, 95 % at 0.5, 1, 2)"},
     hill_climbing_row},
    {{"kvfrans-policy-gradient", "Frans, 2016", "solves CartPole-v0 (simulated: after 725 +- 174 episodes)"}, kvfrans_policy_gradient},
    {{"weng-reinforce-baseline", "Weng, 2018", "a baseline helps (simulated: 398 +- 42 against 121 +- 38)"}, weng_reinforce},
    {{"weng-actor-critic", "Weng, 2018", "no figure; the gradient against central differences"}, weng_actor_critic},
    {{"garza-reinforce", "Garza", "an episode of 617,332 steps (simulated: some 12 % of seeds collapse)"}, garza},
    {{"cleanrl-ppo", "Huang et al., 2022", "490.0 +- 6.1 after 500,000 steps"}, cleanrl},
    {{"sb3-zoo-ppo", "Raffin, 2020", "500 after 100,000 steps"}, sb3_zoo},
    {{"tiny-mdp", "Sutton et al., 2000", "the sampled gradient is the exact one in the mean; a baseline lowers its variance"},
     tiny_mdp_row},
};

std::string number(double x) {
  if (std::abs(x) >= 1e-3 || x == 0) return fmt::format("{:.4g}", x);
  return fmt::format("{:.1e}", x);
}

}  // namespace

bool Reproduction::passed() const {
  return !figures.empty() && std::all_of(figures.begin(), figures.end(), [](const Figure& f) { return f.passed(); });
}

std::span<const ReproductionInfo> reproductions() {
  static const std::vector<ReproductionInfo> all = [] {
    std::vector<ReproductionInfo> list;
    for (const Row& row : kRows) list.push_back(row.info);
    return list;
  }();
  return all;
}

Reproduction reproduce(std::string_view name, const ReproduceOptions& options) {
  std::vector<std::string> names;
  for (const Row& row : kRows) {
    names.emplace_back(row.info.name);
    if (row.info.name != name) continue;
    const auto start = std::chrono::steady_clock::now();
    Reproduction r{std::string(name), std::string(row.info.source), std::string(row.info.claim), row.run(options), 0};
    r.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return r;
  }
  throw Error(ErrorKind::usage, unknown_name("preset", name, names));
}

std::string required(const Figure& f) {
  if (f.least == f.most) return number(f.least);
  if (std::isinf(f.least) && std::isinf(f.most)) return "";
  if (f.least == 0 && std::isinf(f.most)) return "";
  if (std::isinf(f.most)) return "at least " + number(f.least);
  return f.least == 0 ? "at most " + number(f.most) : number(f.least) + " to " + number(f.most);
}
std::string measured(const Figure& f) {
  if (f.ci95_low == f.ci95_high) return number(f.value) + (f.samples > 1 ? fmt::format(" (each of {})", f.samples) : "");
  return fmt::format("{} ({} to {}, n = {})", number(f.value), number(f.ci95_low), number(f.ci95_high), f.samples);
}

std::string reproductions_markdown(const std::vector<Reproduction>& rows) {
  std::string text = std::string(kTableBegins) + "\n| preset | claim | ours (95 % interval) | required | |\n|---|---|---|---|---|\n";
  for (const Reproduction& r : rows)
    for (const Figure& f : r.figures) {
      const bool first = &f == r.figures.data();
      const std::string need = required(f);
      text += fmt::format("| {} | {} | {}: {} | {} | {} |\n", first ? r.name : "", first ? r.source + ": " + r.claim : "", f.what,
                          measured(f), need,
                          need.empty() ? ""
                          : f.passed() ? "pass"
                                       : "FAIL");
    }
  return text + std::string(kTableEnds) + "\n";
}

std::string with_table(std::string_view page, std::string_view table) {
  if (page.empty()) return std::string(table);
  const std::size_t begin = page.find(kTableBegins), end = page.find(kTableEnds, std::min(begin, page.size()));
  if (end == std::string_view::npos)
    throw Error(ErrorKind::usage, fmt::format("expected a new file, or a page with \"{}\" and \"{}\" after it", kTableBegins, kTableEnds));
  std::string_view rest = page.substr(end + kTableEnds.size());
  if (rest.starts_with('\n')) rest.remove_prefix(1);
  return fmt::format("{}{}{}", page.substr(0, begin), table, rest);
}

}  // namespace cupg

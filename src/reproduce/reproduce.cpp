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
#include "src/api/text.hpp"
#include "src/engine/engine.hpp"
#include "src/engine/processors.hpp"
#include "src/engine/team.hpp"
#include "src/gradcheck/theorem.hpp"
#include "src/io/config_file.hpp"
#include "src/reproduce/gradient_error.hpp"
#include "src/search/search.hpp"
#include "src/train/intervals.hpp"
#include "src/train/statistics.hpp"

namespace cupg {
namespace {

constexpr double kNone = Figure::kUnbounded;
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

Claim says(double value, std::string text) { return {Claim::Kind::figure, value, value, std::move(text)}; }
Claim states(double low, double high, std::string text) { return {Claim::Kind::statement, low, high, std::move(text)}; }

/// What we require, and why.
struct Bounds {
  double least = -kNone, most = kNone;
  std::string why = {};
};
/// A mean that was simulated independently, to two standard errors of as many seeds as ours.
Bounds simulated(double mean, double deviation, std::size_t seeds) {
  const double error = deviation / std::sqrt(static_cast<double>(std::max<std::size_t>(1, seeds)));
  return {
      mean - 2 * error, mean + 2 * error,
      fmt::format("our simulation in double precision: {:g} +- {:g} over seeds; two standard errors of {} seeds", mean, deviation, seeds)};
}
/// The same where the simulation's standard error is known: two of the difference.
Bounds simulated_with_error(double mean, double error, double deviation, std::size_t runs) {
  const double both = std::hypot(error, deviation / std::sqrt(static_cast<double>(std::max<std::size_t>(1, runs))));
  return {mean - 2 * both, mean + 2 * both,
          fmt::format("tests/golden/simulate_searches.py: {:g} +- {:g}; two standard errors of the difference", mean, error)};
}

Figure figure(std::string what, const Interval& i, std::size_t samples, Claim claim = {}, Bounds bounds = {}) {
  return {std::move(what),      i.value, i.low, i.high, static_cast<int>(samples), std::move(claim), bounds.least, bounds.most,
          std::move(bounds.why)};
}
/// A figure without chance.
Figure exactly(std::string what, double value, Claim claim = {}, Bounds bounds = {}) {
  return figure(std::move(what), {value, value, value}, 1, std::move(claim), std::move(bounds));
}

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

/// Of settings of ours, which every seed is to solve.
Figure share_that_solves(Config config, int seeds, const ReproduceOptions& options, std::string why) {
  config.seeds = seeds;
  config.threads = machine_threads(options);
  const TrainResult result = train(config, {.progress = {}, .stop = options.stop});
  const auto solved =
      std::count_if(result.agents.begin(), result.agents.end(), [](const AgentResult& a) { return a.solved_env_steps > 0; });
  const double n = static_cast<double>(result.agents.size());
  return figure(fmt::format("share of the seeds that solve {} within 5 M steps", config.environment),
                proportion_interval(static_cast<double>(solved), n), result.agents.size(), says(1, "every seed"), {1, 1, std::move(why)});
}

Figures acrobot(const ReproduceOptions& options) {
  return {share_that_solves(preset("acrobot"), scaled(options, 100), options, "the claim itself, of settings of ours")};
}

Figures shared_net(const ReproduceOptions& options) {
  const Config config = preset("shared-net");
  return {share_that_solves(config, scaled(options, 1000), options, "the claim itself, of our own defaults"),
          exactly("parameters of the network", parameter_count(config.network()), says(131, "131"),
                  {131, 131, "4 x 16 + 16 + 16 x 2 + 2 + 16 + 1"})};
}

Figures jaromiru(const ReproduceOptions& options) {
  const std::vector<double> returns = trained_returns(preset("jaromiru-a3c"), scaled(options, 20), false, options);
  Bounds bounds = simulated(182, 25, returns.size());
  bounds.most = kNone;
  bounds.why += "; the source has a curve, no figure to be stricter with";
  Figures f{figure("mean return of 100 sampled episodes after 65,000 steps", mean_interval(returns), returns.size(), says(200, "near 200"),
                   bounds)};
  Config torch = preset("jaromiru-a3c");
  torch.optimizer.rmsprop_eps = RmspropEps::outside;
  const std::vector<double> other = trained_returns(torch, scaled(options, 20), false, options);
  f.push_back(figure("the same with PyTorch's RMSProp", mean_interval(other), other.size()));
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
  return {figure("mean episodes until the first return of 200", mean_interval(trials), trials.size(),
                 says(13.53, "13.53 over 1,000 runs, a standard error of 0.41"), simulated_with_error(13.614, 0.024, 13.1, trials.size())),
          exactly("median", quantile(trials, 0.5), {},
                  {10, 10, "trials are independent: geometric, with a median of 10 where the mean is 13.6"})};
}

Figures hill_climbing_row(const ReproduceOptions& options) {
  const auto solved = [&](float noise, double share, double error) {
    HillClimbingSettings s;
    s.runs = scaled(options, 40000);
    s.threads = machine_threads(options);
    s.noise = noise;
    s.stop = options.stop;
    const SearchResult result = hill_climbing(s);
    return figure(fmt::format("share that reached 200 in one episode within 2,000 trials, noise {:g}", static_cast<double>(noise)),
                  proportion_interval(static_cast<double>(result.solved()), static_cast<double>(s.runs)), static_cast<std::size_t>(s.runs),
                  noise == 0.1f ? states(1e-3, 0.5, "some, not most") : Claim{},
                  simulated_with_error(share, error, std::sqrt(share * (1 - share)), static_cast<std::size_t>(s.runs)));
  };
  return {solved(0.1f, 0.4368, 0.0035), solved(0.5f, 0.8346, 0.0019), solved(1.0f, 0.9297, 0.0013), solved(2.0f, 0.9583, 0.0010)};
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
  return {figure("share of the seeds that get to 195 over the last 100 within 2,000",
                 proportion_interval(static_cast<double>(finite.size()), static_cast<double>(when.size())), when.size(),
                 says(1, "solves it"), {1, 1, "the source's own word, taken for every seed; it gives no figure"}),
          figure("episodes until then, mean", mean_interval(finite), when.size(), {}, simulated(725, 174, finite.size())),
          figure("episodes until the first return of 200, mean", mean_interval(first), first.size(), {}, simulated(208, 83, first.size()))};
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
  const double ratio = 398.0 / 121, seeds = static_cast<double>(std::max<std::size_t>(1, a.size()));
  const double error = ratio * std::hypot(42.0 / 398, 38.0 / 121) / std::sqrt(seeds);
  return {{"with a baseline over without, mean of the last 100 of 800 episodes", ia.value / ib.value, ia.low / ib.high, ia.high / ib.low,
           static_cast<int>(a.size()), states(1, kNone, "more than 1: a baseline helps"), ratio - 2 * error, kNone,
           "our simulation in double precision: 398 over 121, less two standard errors; the source has curves, no figure"},
          figure("with", ia, a.size(), {}, simulated(398, 42, a.size())),
          figure("without", ib, b.size(), {}, simulated(121, 38, b.size()))};
}

Figures weng_actor_critic(const ReproduceOptions&) {
  return {exactly("gradient in double against central differences, relative error", gradient_error(preset("weng-actor-critic"), 1), {},
                  {0, 1e-8, "central differences with a step of 1e-5 of a loss of order 1 err by some 1e-10; the source has no figure"})};
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
  const double least = 1 / static_cast<double>(std::max<std::size_t>(1, longest.size()));
  const double error = std::sqrt(0.12 * 0.88 * (1.0 / 200 + 1 / static_cast<double>(std::max<std::size_t>(1, best.size()))));
  return {
      figure("share of the seeds with an episode of 617,332 steps within 500",
             proportion_interval(static_cast<double>(reached), static_cast<double>(longest.size())), longest.size(),
             states(1e-9, 1, "one run that gets there"), {least, kNone, "one seed; the source has one run, from which no share follows"}),
      figure("with a limit of 200 steps: share that never reaches it",
             proportion_interval(static_cast<double>(failed), static_cast<double>(best.size())), best.size(), {},
             {0.12 - 2 * error, 0.12 + 2 * error,
              "our simulation in double precision: 12 % of 200 seeds; two standard errors of the difference"})};
}

Figures cleanrl(const ReproduceOptions& options) {
  const std::vector<double> returns = trained_returns(preset("cleanrl-ppo"), scaled(options, 20), false, options);
  return {figure("mean return of 100 sampled episodes after 500,000 steps", mean_interval(returns), returns.size(),
                 says(490, "490.0 +- 6.1"),
                 {490 - 2 * 6.1, kNone, "the source's mean less two of its +-; it does not say of how many seeds"})};
}

Figures sb3_zoo(const ReproduceOptions& options) {
  const std::vector<double> returns = trained_returns(preset("sb3-zoo-ppo"), scaled(options, 20), true, options);
  return {figure("mean return of 100 greedy episodes after 100,000 steps", mean_interval(returns), returns.size(),
                 says(500, "500, one agent"),
                 {475, kNone, "Gymnasium's threshold; the source played one agent, so it has no spread to be stricter with"})};
}

Figures tiny_mdp_row(const ReproduceOptions& options) {
  const TabularCheck check = check_tabular_theorem(tiny_mdp(), tiny_logits(), scaled(options, 200000), 1);
  const Bounds three_errors{0, 3, "three standard errors of the sampled gradient, in each of its components"};
  Figures f;
  double none = 0;
  for (const SampledGradient& s : check.sampled) {
    const char* const name = s.baseline == Baseline::none          ? "no baseline"
                             : s.baseline == Baseline::state_value ? "V as the baseline"
                                                                   : "b(s) as the baseline";
    if (s.baseline == Baseline::none) none = s.estimate.total_variance;
    f.push_back(exactly(fmt::format("largest deviation of the sampled gradient from the exact one in standard errors, {}", name),
                        s.largest_z, states(0, 3, "the same in the mean"), three_errors));
    if (s.baseline == Baseline::state_value)
      f.push_back(exactly("its variance over that without a baseline", s.estimate.total_variance / none, states(0, 1, "lower"),
                          {0, 1, "the claim itself"}));
  }
  CartPoleTheoremSettings settings;
  settings.episodes = scaled(options, 100000);
  const CartPoleCheck cart = check_cartpole_theorem(settings);
  f.push_back(exactly("CartPole: score function against differences of the return, in standard errors", cart.largest_z,
                      states(0, 3, "the same in the mean"), three_errors));
  return f;
}

struct Row {
  ReproductionInfo info;
  Figures (*run)(const ReproduceOptions&);
};
constexpr Row kRows[] = {
    {{"shared-net", "cuPG's defaults", "131 parameters; every seed solves CartPole-v1 within 5 M steps"}, shared_net},
    {{"acrobot", "cuPG's settings", "every seed solves Acrobot-v1 within 5 M steps"}, acrobot},
    {{"jaromiru-a3c", "Janisch, 2017", "a mean near 200 of CartPole-v0"}, jaromiru},
    {{"kvfrans-random-search", "Frans, 2016", "13.53 episodes over 1,000 runs"}, random_search_row},
    {{"kvfrans-hill-climbing", "Frans, 2016", "solves some; the noise decides"}, hill_climbing_row},
    {{"kvfrans-policy-gradient", "Frans, 2016", "solves CartPole-v0"}, kvfrans_policy_gradient},
    {{"weng-reinforce-baseline", "Weng, 2018", "a baseline helps"}, weng_reinforce},
    {{"weng-actor-critic", "Weng, 2018", "no figure; the gradient against central differences"}, weng_actor_critic},
    {{"garza-reinforce", "Garza", "an episode of 617,332 steps"}, garza},
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

std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::shown: return "";
    case Verdict::met: return "met";
    case Verdict::near: return "near";
    case Verdict::not_met: return "not met";
  }
  return "";
}

Verdict Figure::verdict() const {
  const bool has_claim = claim.kind != Claim::Kind::none;
  if (!(value >= least && value <= most)) return Verdict::not_met;  // NaN, too
  if (!required() && !has_claim) return Verdict::shown;
  const bool claimed = claim.kind == Claim::Kind::figure ? ci95_low <= claim.high && ci95_high >= claim.low
                                                         : !has_claim || (ci95_low >= claim.low && ci95_high <= claim.high);
  return claimed ? Verdict::met : Verdict::near;
}

Verdict Reproduction::verdict() const {
  Verdict worst = figures.empty() ? Verdict::not_met : Verdict::shown;
  for (const Figure& f : figures) worst = std::max(worst, f.verdict());
  return worst;
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
  if (!f.required()) return "";
  if (std::isinf(f.most)) return "at least " + number(f.least);
  return f.least == 0 || std::isinf(f.least) ? "at most " + number(f.most) : number(f.least) + " to " + number(f.most);
}
std::string measured(const Figure& f) {
  if (f.ci95_low == f.ci95_high) return number(f.value) + (f.samples > 1 ? fmt::format(" (each of {})", f.samples) : "");
  return fmt::format("{} ({} to {}, n = {})", number(f.value), number(f.ci95_low), number(f.ci95_high), f.samples);
}

std::string reproductions_markdown(const std::vector<Reproduction>& rows) {
  std::string text = std::string(kTableBegins) +
                     "\n| preset | claim | ours (95 % interval) | claimed | required, and why | |\n|---|---|---|---|---|---|\n";
  for (const Reproduction& r : rows)
    for (const Figure& f : r.figures) {
      const bool first = &f == r.figures.data();
      text += fmt::format("| {} | {} | {}: {} | {} | {} | {} |\n", first ? r.name : "", first ? r.source + ": " + r.claim : "", f.what,
                          measured(f), f.claim.text, f.required() ? required(f) + ": " + f.why : "", verdict_name(f.verdict()));
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

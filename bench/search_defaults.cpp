// How the default settings were found (docs/defaults.md): random settings, then mutations of the best, judged by the processor
// time that agents take until they are solved. Seeds 1 to 1,000, on which results are reported, are not used.
//
//   ./build/release/cupg_search_defaults [search seed] [seconds]
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <random>
#include <set>

#include "src/train/statistics.hpp"
#include "src/train/train_agents.hpp"

namespace {

using namespace cupg;

constexpr std::uint64_t kSearchSeeds = 1'000'000, kJudgeSeeds = 2'000'000;
constexpr std::size_t kBest = 12;

/// Processor time of this thread [s]: other programs on the machine do not count.
double processor_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

struct Candidate {
  Config config;
  CheckSettings checks;
  std::vector<double> milliseconds;  ///< one per agent; the budget where it was not solved
  int failures = 0;

  double at(double q) const { return quantile(milliseconds, q); }
  /// Lower is better: the typical agent, and the tail.
  double score() const { return at(0.5) + 0.25 * at(0.9) + 0.15 * at(0.99) + 0.1 * at(1.0); }

  void run(std::uint64_t first_seed, int agents, double budget) {
    const auto engine = make_engine(config, 1, 1);
    double start = 0;
    TrainHooks hooks;
    hooks.stop = [&] { return processor_seconds() - start > budget; };
    Reporter reporter(config, hooks);
    for (int i = 0; i < agents; ++i) {
      start = processor_seconds();
      const AgentResult r = train_agent(*engine, config, first_seed + static_cast<std::uint64_t>(i), reporter, false, checks);
      const bool solved = r.outcome == Outcome::solved;
      failures += !solved;
      milliseconds.push_back(1e3 * (solved ? processor_seconds() - start : budget));
    }
  }

  std::string describe() const {
    const Config& c = config;
    return fmt::format(
        "envs {} horizon {} lr {:.4f} gamma {} lambda {} entropy {} value {} clip {} beta1 {} beta2 {} eps {} init {} gains {}/{}/{} "
        "normalize {} | window {:.0f} ratio {:.2f} "
        "pause {:.0f} growth {}",
        c.envs, c.horizon, c.optimizer.learning_rate, c.advantage.gamma, c.advantage.lambda, c.objective.entropy_coef,
        c.objective.value_coef, c.optimizer.max_grad_norm, c.optimizer.beta1, c.optimizer.beta2, c.optimizer.eps,
        static_cast<int>(c.init.kind), c.init.hidden_gain, c.init.policy_gain, c.init.value_gain, c.advantage.normalize,
        checks.window_steps, checks.ratio, checks.pause_steps, checks.pause_growth);
  }
  void print() const {
    fmt::print("score {:.2f} ms: median {:.2f} p90 {:.2f} p99 {:.2f} max {:.2f}, {} of {} failed | {}\n", score(), at(0.5), at(0.9),
               at(0.99), at(1.0), failures, milliseconds.size(), describe());
  }
};

class Search {
 public:
  explicit Search(unsigned seed) : random_(seed) {}

  /// Tries a candidate on 8, 32 and 128 agents, as long as it looks like one of the best.
  void consider(Candidate c) {
    if (!seen_.insert(c.describe()).second) return;
    ++tried;
    const double bar = best.size() < kBest ? 1e9 : best.back().score();
    c.run(kSearchSeeds, 8, 0.05);
    if (c.failures > 1 || c.at(0.5) > bar) return;
    c.run(kSearchSeeds + 8, 24, 0.06);
    if (c.failures > 2 || c.score() > 1.1 * bar) return;
    c.run(kSearchSeeds + 32, 96, 0.1);
    if (c.score() < bar) best.push_back(std::move(c));
    sort();
  }
  void sort() {
    std::sort(best.begin(), best.end(), [](const Candidate& a, const Candidate& b) { return a.score() < b.score(); });
    if (best.size() > kBest) best.resize(kBest);
  }

  Candidate sample() {
    Candidate a;
    for (int setting = 0; setting < kSettings; ++setting) draw(a, setting);
    return a;
  }
  Candidate mutate(const Candidate& parent) {
    Candidate a;
    a.config = parent.config;
    a.checks = parent.checks;
    for (std::size_t n = 1 + random_() % 3; n > 0; --n) {
      const int setting = static_cast<int>(random_() % (kSettings + 2));
      if (setting >= kSettings) {
        a.config.optimizer.learning_rate *= static_cast<float>(std::exp(between(-0.5, 0.5)));
      } else {
        draw(a, setting);
      }
    }
    return a;
  }
  const Candidate& good_one() { return best[random_() % std::min<std::size_t>(best.size(), 8)]; }

  std::vector<Candidate> best;
  int tried = 0;

 private:
  static constexpr int kSettings = 18;

  double between(double low, double high) { return std::uniform_real_distribution<double>(low, high)(random_); }
  double log_between(double low, double high) { return low * std::pow(high / low, between(0, 1)); }
  template <class T>
  T pick(std::initializer_list<T> values) {
    return values.begin()[random_() % values.size()];
  }

  void draw(Candidate& a, int setting) {
    Config& c = a.config;
    switch (setting) {
      case 0: c.envs = pick({32, 32, 64, 64, 96}); break;
      case 1: c.horizon = pick({8, 12, 16, 16, 20, 24, 32}); break;
      case 2: c.optimizer.learning_rate = static_cast<float>(log_between(0.01, 0.12)); break;
      case 3: c.advantage.gamma = pick({0.95f, 0.96f, 0.97f, 0.98f, 0.985f, 0.99f}); break;
      case 4: c.advantage.lambda = pick({0.8f, 0.9f, 0.95f, 0.98f, 1.0f}); break;
      case 5: c.objective.entropy_coef = pick({0.0f, 0.0f, 0.001f, 0.005f, 0.01f, 0.02f, 0.05f}); break;
      case 6: c.objective.value_coef = pick({0.1f, 0.25f, 0.5f, 1.0f, 2.0f}); break;
      case 7: c.optimizer.max_grad_norm = pick({0.0f, 0.0f, 0.2f, 0.5f, 1.0f, 2.0f, 5.0f}); break;
      case 8: c.optimizer.beta1 = pick({0.7f, 0.8f, 0.9f, 0.9f}); break;
      case 9: c.optimizer.beta2 = pick({0.9f, 0.95f, 0.98f, 0.99f, 0.995f, 0.999f}); break;
      case 10: c.optimizer.eps = pick({1e-8f, 1e-5f, 1e-4f, 1e-3f}); break;
      case 11: c.init.kind = pick({Initialization::he, Initialization::xavier, Initialization::orthogonal}); break;
      case 12: c.init.hidden_gain = pick({0.5f, 1.0f, 1.414f, 2.0f}); break;
      case 13: c.init.policy_gain = pick({0.01f, 0.1f, 0.3f, 1.0f}), c.init.value_gain = pick({0.1f, 0.3f, 1.0f}); break;
      case 14: c.advantage.normalize = between(0, 1) < 0.3; break;
      case 15: a.checks.window_steps = log_between(1500, 10000); break;
      case 16: a.checks.ratio = log_between(0.25, 2); break;
      default: a.checks.pause_steps = log_between(500, 12000), a.checks.pause_growth = pick({1.0, 1.2, 1.5}); break;
    }
  }

  std::mt19937 random_;
  std::set<std::string> seen_;
};

}  // namespace

int main(int argc, char** argv) {
  const unsigned seed = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 1;
  const double seconds = argc > 2 ? std::atof(argv[2]) : 300;
  const auto start = std::chrono::steady_clock::now();
  Search search(seed);
  search.consider({});  // the present defaults
  while (seconds_since(start) < 0.3 * seconds) search.consider(search.sample());
  const int random_ones = search.tried;
  while (seconds_since(start) < 0.85 * seconds && !search.best.empty()) search.consider(search.mutate(search.good_one()));
  fmt::print("{} random settings, {} mutations; the best, on 300 more agents each:\n", random_ones, search.tried - random_ones);
  for (Candidate& c : search.best) c.run(kJudgeSeeds, 300, 0.3);
  search.sort();
  for (const Candidate& c : search.best) c.print();
}

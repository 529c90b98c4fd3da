// Coverage: how often the intervals that cuPG prints hold the truth, over simulated trainings whose truth is known. The table is that of
// docs/statistics.md under CUPG_EXHAUSTIVE=1: 10,000 repeats a figure, two minutes of two cores; otherwise 500, and no 200 agents.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "src/report/two_groups.hpp"
#include "src/train/intervals.hpp"
#include "src/train/statistics.hpp"
#include "src/train/tolerance.hpp"
#include "tests/support/scale.hpp"

namespace cupg {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool exhaustive() {
  const char* wanted = std::getenv("CUPG_EXHAUSTIVE");
  return wanted != nullptr && *wanted == '1';
}
int repeats() { return exhaustive() ? 10'000 : cupg_test::scaled(500, 200); }
std::vector<int> agents() {
  return exhaustive() ? std::vector<int>{2, 3, 5, 7, 10, 20, 50, 200} : std::vector<int>{2, 3, 5, 7, 10, 20, 50};
}

/// A distribution by its quantiles, which rise with u in (0, 1).
using Quantiles = std::function<double(double u)>;
double normal(double u) { return boost::math::quantile(boost::math::normal(), u); }

/// Final returns of at most 500: a share has that, the others lie below, the nearer the more.
Quantiles capped(double share) {
  return [=](double u) { return u > 1 - share ? 500 : 500 - 450 * std::pow((1 - share - u) / (1 - share), 2); };
}
/// Final returns of agents of which none is perfect.
double close_by(double u) { return 450 + 10 * normal(u); }
/// Final returns with a long tail below: minus log-normal costs.
double long_tail(double u) { return -100 * std::exp(-0.5 * normal(u)); }
/// Steps to solve, looked at every 2,048: the median is 100,352.
double steps(double u) { return 2048 * std::ceil(100'000 * std::exp(0.5 * normal(u)) / 2048); }

using Random = std::mt19937_64;
double uniform(Random& random) { return (static_cast<double>(random() >> 11) + 0.5) * 0x1p-53; }
std::vector<double> draw(const Quantiles& quantiles, int n, Random& random) {
  std::vector<double> x;
  for (int i = 0; i < n; ++i) x.push_back(quantiles(uniform(random)));
  return x;
}

/// Values at `points` steps of equal chance from u = first to last.
std::vector<double> grid(const Quantiles& quantiles, double first, double last, int points) {
  std::vector<double> x;
  for (int i = 0; i < points; ++i) x.push_back(quantiles(first + (last - first) * (i + 0.5) / points));
  return x;
}
double mean(const std::vector<double>& x) {
  double sum = 0;
  for (const double v : x) sum += v;
  return sum / static_cast<double>(x.size());
}

/// An interval of one simulated training; an end that it does not have is open, and without both there is none.
struct Ends {
  std::optional<double> low, high;
};
Ends ends(const Estimate& e) { return {e.ci95_low, e.ci95_high}; }

/// What became of one simulated training: of each row, whether there was an interval, and whether it held the truth.
struct Held {
  bool there = false, held = false;
};
Held holds(double truth, const Ends& e) {
  const double rounding = 1e-9 * std::abs(truth);
  return {e.low || e.high, e.low.value_or(-kInfinity) <= truth + rounding && truth - rounding <= e.high.value_or(kInfinity)};
}

/// Prints rows of the table: of the intervals that there are the share that hold the truth, for each number of agents, and in brackets how
/// many trainings have one. Returns for each row the mean over those numbers of agents where most do.
std::vector<double> rows(const std::vector<std::string>& names, const std::function<std::vector<Held>(int n, Random& random)>& simulate) {
  constexpr int kParts = 40;  // each with random numbers of its own, so that threads change nothing
  std::vector<std::string> text;
  for (const std::string& name : names) text.push_back("| " + name + " |");
  std::vector<double> sums(names.size(), 0.0), cells(names.size(), 0.0);
  for (const int n : agents()) {
    std::vector<std::atomic<int>> there(names.size()), held(names.size());
    std::atomic<int> next{0};
    const auto work = [&] {
      for (int part; (part = next++) < kParts;) {
        Random random(static_cast<std::uint64_t>(1000 * n + part));
        for (int r = part; r < repeats(); r += kParts) {
          const std::vector<Held> all = simulate(n, random);
          for (std::size_t i = 0; i < all.size(); ++i) there[i] += all[i].there, held[i] += all[i].there && all[i].held;
        }
      }
    };
    std::vector<std::thread> threads;
    for (unsigned i = 1; i < std::thread::hardware_concurrency(); ++i) threads.emplace_back(work);
    work();
    for (std::thread& thread : threads) thread.join();
    for (std::size_t i = 0; i < names.size(); ++i) {
      const double printed = static_cast<double>(there[i]) / repeats(), share = static_cast<double>(held[i]) / std::max(1, there[i].load());
      text[i] +=
          there[i] == 0 ? " - |" : fmt::format(" {:.1f}{} |", 100 * share, printed < 0.995 ? fmt::format(" ({:.0f})", 100 * printed) : "");
      if (printed > 0.5) sums[i] += share, cells[i] += 1;
    }
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    fmt::print("{}\n", text[i]);
    sums[i] /= cells[i];
  }
  std::fflush(stdout);
  return sums;
}

/// So far may chance take the mean of a row: three standard errors of three numbers of agents.
void expect_coverage(double have, double least, double most) {
  const double chance = 3 * std::sqrt(0.95 * 0.05 / (3.0 * repeats()));
  EXPECT_FALSE(!(have >= least - chance)) << have;
  EXPECT_FALSE(!(have <= most + chance)) << have;
}

/// Tukey and McLaughlin, 1963: Student's t by the winsorized variance.
Ends trimmed_t(std::vector<double> x) {
  std::sort(x.begin(), x.end());
  const std::size_t n = x.size(), cut = n / 4, left = n - 2 * cut;
  const double value = interquartile_mean(x), low = x[cut], high = x[n - 1 - cut];
  for (double& v : x) v = std::clamp(v, low, high);
  const double middle = mean(x);
  double squares = 0;
  for (const double v : x) squares += (v - middle) * (v - middle);
  const double t = boost::math::quantile(boost::math::students_t(static_cast<double>(left - 1)), 0.975);
  const double half = t * std::sqrt(squares / static_cast<double>(n - 1) * static_cast<double>(n)) / static_cast<double>(left);
  return {value - half, value + half};
}

TEST(Coverage, OfTheInterquartileMean) {
  for (const auto& [name, quantiles] :
       std::vector<std::pair<const char*, Quantiles>>{{"30 % at the cap", capped(0.3)}, {"60 % at the cap", capped(0.6)}}) {
    const double truth = mean(grid(quantiles, 0.25, 0.75, 1'000'000));
    const auto simulate = [&, &of = quantiles](int n, Random& random) {
      const std::vector<double> x = draw(of, n, random);
      std::vector<double> resampled;
      const Estimate e = bootstrap(x, [&](std::span<const double> sorted) { return resampled.emplace_back(interquartile_mean(sorted)); });
      const Ends plain = e.ci95_low ? Ends{quantile(resampled, 0.025), quantile(resampled, 0.975)} : Ends{};
      return std::vector<Held>{holds(truth, ends(e)), holds(truth, plain), holds(truth, trimmed_t(x))};
    };
    const auto have = rows({fmt::format("IQM: {}", name), "not used: plain percentiles", "not used: t by winsorized variance"}, simulate);
    expect_coverage(have[0], 0.945, 0.965);
  }
}

TEST(Coverage, OfAShareThatSolves) {
  const auto simulate = [](int n, Random& random) {
    std::vector<Held> all;
    for (const double p : {uniform(random), 0.9}) {
      int hits = 0;
      for (int i = 0; i < n; ++i) hits += uniform(random) < p;
      const Interval i = proportion_interval(hits, n);
      all.push_back(holds(p, {i.low, i.high}));
    }
    return all;
  };
  const auto have = rows({"share that solves: any", "share that solves: 0.9"}, simulate);
  expect_coverage(have[0], 0.945, 0.96);
  expect_coverage(have[1], 0.93, 0.97);
}

/// Steps to solve of agents, each of which is watched up to a limit.
std::vector<Duration> durations(int n, Random& random, const std::function<double(Random&)>& limit) {
  std::vector<Duration> all;
  for (const double t : draw(steps, n, random)) {
    const double end = limit(random);
    all.push_back({std::min(t, end), t <= end});
  }
  return all;
}

TEST(Coverage, OfTheMedianStepsToSolve) {
  const double truth = steps(0.5), budget = steps(0.7);
  const auto simulate = [&](int n, Random& random) {
    const auto held = [&](const std::function<double(Random&)>& limit) {
      return holds(truth, ends(survival_quantile(kaplan_meier(durations(n, random, limit)), 0.5)));
    };
    return std::vector<Held>{held([](Random&) { return kInfinity; }), held([&](Random&) { return budget; }),
                             held([&](Random& r) { return 3.8 * truth * uniform(r); })};
  };
  for (const double have : rows({"median steps: all solve", "median steps: 30 % do not", "median steps: 30 % interrupted"}, simulate))
    expect_coverage(have, 0.945, 0.975);
}

TEST(Coverage, OfWhereNineTenthsLie) {
  const double budget = steps(0.93);
  // the share of a distribution within an interval, by halving
  const auto within = [](const Quantiles& quantiles, const ToleranceInterval& t) {
    const auto share = [&](auto below) {
      double low = 0, high = 1;
      for (int i = 0; i < 40; ++i) (below(quantiles((low + high) / 2)) ? low : high) = (low + high) / 2;
      return low;
    };
    return share([&](double x) { return x <= t.high.value_or(kInfinity); }) -
           share([&](double x) { return x < t.low.value_or(-kInfinity); });
  };
  const auto simulate = [&](int n, Random& random) {
    const ToleranceInterval tail = tolerance_interval(draw(long_tail, n, random)), cap = tolerance_interval(draw(capped(0.3), n, random)),
                            all = tolerance_interval(durations(n, random, [&](Random&) { return budget; }));
    return std::vector<Held>{{tail.low.has_value(), within(long_tail, tail) >= 0.9},
                             {cap.low.has_value(), within(capped(0.3), cap) >= 0.9},
                             {all.low.has_value(), within(steps, all) >= 0.9}};
  };
  const auto have = rows({"90 % of returns: long tail", "90 % of returns: 30 % at the cap", "90 % of steps: 7 % do not solve"}, simulate);
  expect_coverage(have[0], 0.95, 0.965);
  for (const double h : have) expect_coverage(h, 0.95, 1);
}

TEST(Coverage, OfTheDifferenceOfTwoGroups) {
  struct Pair {
    const char* name;
    Quantiles x, y;
    double shared;  ///< correlation, on the normal scale, of agents with one seed
    bool skewed;    ///< so much that no interval of a mean of few holds
  };
  for (const Pair& p :
       {Pair{"30 %, 60 % at the cap", capped(0.3), capped(0.6), 0, false}, Pair{"the same, pairs", capped(0.3), capped(0.6), 0.5, false},
        Pair{"60 % at the cap, none", capped(0.6), close_by, 0, true}}) {
    constexpr int kPoints = 20'000;
    const std::vector<double> all_x = grid(p.x, 0, 1, kPoints), all_y = grid(p.y, 0, 1, kPoints);
    const double difference = mean(all_x) - mean(all_y), probability = *compare_groups(all_x, all_y, false).probability.value;
    const auto simulate = [&](int n, Random& random) {
      std::vector<double> drawn_x, drawn_y;
      for (int i = 0; i < n; ++i) {
        const double a = normal(uniform(random)), b = p.shared * a + std::sqrt(1 - p.shared * p.shared) * normal(uniform(random));
        drawn_x.push_back(p.x(std::erfc(-a / std::sqrt(2)) / 2));
        drawn_y.push_back(p.y(std::erfc(-b / std::sqrt(2)) / 2));
      }
      const GroupDifference d = compare_groups(drawn_x, drawn_y, p.shared > 0);
      return std::vector<Held>{holds(difference, ends(d.difference)), holds(probability, ends(d.probability))};
    };
    const auto have = rows({fmt::format("mean difference: {}", p.name), fmt::format("P(B > A): {}", p.name)}, simulate);
    if (!p.skewed) expect_coverage(have[0], 0.935, 0.965);
    expect_coverage(have[1], 0.94, p.shared > 0 ? 0.99 : 0.97);
  }
}

}  // namespace
}  // namespace cupg

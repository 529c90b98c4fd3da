#include "src/sweep/run.hpp"

#include <algorithm>
#include <map>
#include <numeric>

#include "src/io/memory.hpp"

namespace cupg {
namespace {

/// So many agents are trained by one call: what they leave behind is held until it returns.
constexpr std::size_t kMostTogether = 2048;

struct Agent {
  int point;
  std::uint64_t seed;
};

class SweepLoop {
 public:
  SweepLoop(const SweepPlan& plan, const std::vector<SweepPoint>& points, SweepRows& rows, const SweepHooks& hooks)
      : plan_(plan), points_(points), rows_(rows), hooks_(hooks), steps_(rung_steps(plan, points.size())) {
    for (const SweepAxis& axis : plan.axes) own_.push_back(is_own(plan, axis));
    const SweepBudget all = budget(plan, points.size());
    progress_.rungs = static_cast<int>(steps_.size());
    progress_.agents = all.agents;
    progress_.work = static_cast<double>(all.env_steps);
  }

  std::optional<SweepResult> operator()() {
    SweepResult result;
    std::vector<int> alive(points_.size());
    std::iota(alive.begin(), alive.end(), 0);
    for (std::size_t r = 0; r < steps_.size(); ++r) {
      alive.resize(points_of_rung(plan_, points_.size(), r));
      if (!train_all(static_cast<int>(r), alive, plan_.config.seed, plan_.config.seeds)) return std::nullopt;
      result.rungs.push_back(ranked(static_cast<int>(r), alive));
      alive = result.rungs.back().points;
    }
    alive.resize(static_cast<std::size_t>(plan_.settings.report));
    const auto reports = static_cast<int>(steps_.size());
    const std::uint64_t first = plan_.reporting_seed();
    const auto seeds = static_cast<int>(plan_.settings.report_seeds);
    if (!train_all(reports, alive, first, seeds)) return std::nullopt;
    for (const int p : alive) result.reports.push_back(report_of(plan_.config, plan_.config.steps, p, rows_of(reports, p, first, seeds)));
    if (steps_.size() == 1) {
      std::vector<SweepScore> scores(points_.size());
      const SweepRung& rung = result.rungs[0];
      for (std::size_t i = 0; i < rung.points.size(); ++i) scores[static_cast<std::size_t>(rung.points[i])] = rung.scores[i];
      result.sensitive = sensitivity(plan_, points_, scores, result.reports[0]);
    }
    result.agents = static_cast<std::int64_t>(rows_.size());
    result.env_steps = rows_.env_steps();
    return result;
  }

 private:
  std::int64_t limit(int rung) const { return steps_[static_cast<std::size_t>(std::min(rung, progress_.rungs - 1))]; }

  std::vector<const SweepRow*> rows_of(int rung, int point, std::uint64_t first, int seeds) const {
    std::vector<const SweepRow*> agents;
    for (int i = 0; i < seeds; ++i) agents.push_back(rows_.find(rung, point, first + static_cast<std::uint64_t>(i)));
    return agents;
  }

  SweepScore score(int rung, int point, std::uint64_t first, int seeds) const {
    return score_of(plan_.config, limit(rung), rows_of(rung, point, first, seeds));
  }

  SweepRung ranked(int rung, std::vector<int> points) const {
    std::map<int, SweepScore> scores;
    for (const int p : points) scores[p] = score(rung, p, plan_.config.seed, plan_.config.seeds);
    std::stable_sort(points.begin(), points.end(), [&](int a, int b) { return is_better(plan_.config, scores[a], scores[b]); });
    SweepRung result{limit(rung), points, {}};
    for (const int p : points) result.scores.push_back(scores[p]);
    return result;
  }

  /// Every seed of these points in the rung. False where it was told to stop.
  bool train_all(int rung, const std::vector<int>& points, std::uint64_t first, int seeds) {
    progress_.rung = rung;
    progress_.points = points.size();
    progress_.points_done = 0;
    progress_.best.reset();
    first_ = first, seeds_ = seeds;
    left_.clear();
    // a population: points that differ in what its agents may differ in
    std::map<std::vector<std::string>, std::vector<Agent>> populations;
    for (const int p : points) {
      std::vector<Agent> missing;
      for (int i = 0; i < seeds; ++i) {
        const Agent agent{p, first + static_cast<std::uint64_t>(i)};
        if (rows_.find(rung, p, agent.seed) == nullptr) missing.push_back(agent);
      }
      const int known = seeds - static_cast<int>(missing.size());
      progress_.agents_done += known;
      progress_.work_done += known * static_cast<double>(limit(rung));
      progress_.work_before += known * static_cast<double>(limit(rung));
      left_[p] = static_cast<int>(missing.size());
      if (missing.empty()) {
        know(p);
        continue;
      }
      std::vector<Agent>& population = populations[shape_of(p)];
      population.insert(population.end(), missing.begin(), missing.end());
    }
    tell();
    for (const auto& [shape, agents] : populations)
      for (std::size_t begin = 0; begin < agents.size();) {
        if (hooks_.stop && hooks_.stop()) return false;
        begin += train_some(rung, {agents.begin() + static_cast<std::ptrdiff_t>(begin), agents.end()});
      }
    const bool all = std::all_of(left_.begin(), left_.end(), [](const auto& left) { return left.second == 0; });
    return all && !(hooks_.stop && hooks_.stop());
  }

  /// What its population has in common.
  std::vector<std::string> shape_of(int point) const {
    std::vector<std::string> shape;
    for (std::size_t a = 0; a < own_.size(); ++a)
      if (!own_[a]) shape.push_back(value_text(plan_.axes[a], points_[static_cast<std::size_t>(point)][a]));
    return shape;
  }

  /// As many of them as fit into memory, side by side. Returns how many.
  std::size_t train_some(int rung, std::span<const Agent> agents) {
    Config config = config_of(plan_, points_[static_cast<std::size_t>(agents[0].point)]);
    config.steps = limit(rung);
    std::size_t count = std::min(agents.size(), kMostTogether);
    for (const std::int64_t available = available_memory().bytes; count > 1; count /= 2) {
      config.seeds = static_cast<int>(count);
      if (training_bytes(config) <= available / 2) break;
    }
    agents = agents.first(count);
    config.seeds = static_cast<int>(count);
    for (const Agent& agent : agents) {
      Hyperparameters own = hyperparameters(config_of(plan_, points_[static_cast<std::size_t>(agent.point)]));
      own.seed = agent.seed;
      config.agents.push_back(own);
    }
    TrainHooks hooks;
    hooks.stop = hooks_.stop;
    hooks.agent = [&](int number, const AgentResult& result) {
      take({rung, agents[static_cast<std::size_t>(number)].point, result.seed, result.outcome, result.solved_env_steps, result.final_return,
            result.env_steps, result.seconds});
    };
    train(config, hooks);
    return count;
  }

  void take(const SweepRow& row) {
    rows_.add(row);
    if (hooks_.row) hooks_.row(row);
    progress_.agents_done += 1;
    progress_.work_done += static_cast<double>(limit(row.rung));
    if (--left_[row.point] == 0) know(row.point);
    tell();
  }

  void know(int point) {
    progress_.points_done += 1;
    const SweepScore now = score(progress_.rung, point, first_, seeds_);
    if (progress_.best && !is_better(plan_.config, now, *progress_.best)) return;
    progress_.best = now;
    progress_.best_point = point;
  }

  void tell() const {
    if (hooks_.progress) hooks_.progress(progress_);
  }

  const SweepPlan& plan_;
  const std::vector<SweepPoint>& points_;
  SweepRows& rows_;
  const SweepHooks& hooks_;
  const std::vector<std::int64_t> steps_;  // of each rung
  std::vector<bool> own_;                  // [axes]
  SweepProgress progress_;
  std::uint64_t first_ = 0;
  int seeds_ = 0;
  std::map<int, int> left_;  // seeds of each point that are still to be trained
};

}  // namespace

std::optional<SweepResult> run_sweep(const SweepPlan& plan, const std::vector<SweepPoint>& points, SweepRows& rows,
                                     const SweepHooks& hooks) {
  return SweepLoop(plan, points, rows, hooks)();
}

}  // namespace cupg
